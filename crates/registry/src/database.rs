//! Reads and writes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use crate::error::RegistryError;
use crate::records::{DatasetRecord, Fact, IdentityEnd, IdentityRecord, ModelRecord, RunRecord};
use crate::requests::insert_identity;

/// How long a write waits for another one.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections kept open; SQLite writes one at a time, readers run beside.
const CONNECTIONS_MAX: u32 = 8;

/// Hears of every write, and may have it fail: for tests of the order in which whoever writes does so.
#[doc(hidden)]
pub trait WriteFaults: fmt::Debug + Send + Sync {
    /// Before a write. An error: nothing of it happens.
    ///
    /// # Errors
    /// Where the write is to fail.
    fn before(&self) -> std::io::Result<()>;

    /// After a write. An error: it has happened all the same.
    ///
    /// # Errors
    /// Where the write is to seem to fail.
    fn after(&self) -> std::io::Result<()>;
}

/// An open registry. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(crate) pool: SqlitePool,
    /// For tests of whoever writes.
    faults: Option<Arc<dyn WriteFaults>>,
}

impl Registry {
    /// Opens the registry in `file`, makes it where it is not there, and brings its layout up to date.
    ///
    /// # Errors
    /// Where the file cannot be opened or a newer version wrote it.
    pub async fn open(file: &Path) -> Result<Self, RegistryError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was acknowledged survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten.
            .pragma("secure_delete", "ON")
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect_with(options)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool, faults: None })
    }

    /// The connections, for what other files of this crate read and write.
    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// The same registry, whose writes can be made to fail.
    #[doc(hidden)]
    #[must_use]
    pub fn failing(mut self, faults: Option<Arc<dyn WriteFaults>>) -> Self {
        self.faults = faults;
        self
    }

    /// The connections, for a statement that writes.
    pub(crate) fn writing(&self) -> Result<&SqlitePool, RegistryError> {
        if let Some(faults) = &self.faults {
            faults.before().map_err(sqlx::Error::Io)?;
        }
        Ok(&self.pool)
    }

    /// After a statement that has written.
    pub(crate) fn written(&self) -> Result<(), RegistryError> {
        match &self.faults {
            Some(faults) => Ok(faults.after().map_err(sqlx::Error::Io)?),
            None => Ok(()),
        }
    }

    /// Has a transaction take effect: one step, whole or not at all.
    pub(crate) async fn commit(
        &self,
        transaction: Transaction<'_, Sqlite>,
    ) -> Result<(), RegistryError> {
        self.writing()?;
        transaction.commit().await?;
        self.written()
    }

    /// Writes everything to the file and closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A fact about the domain.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn fact(&self, fact: Fact) -> Result<Option<String>, RegistryError> {
        Ok(sqlx::query_scalar("SELECT value FROM facts WHERE name = ?")
            .bind(fact.as_str())
            .fetch_optional(&self.pool)
            .await?)
    }

    /// States a fact about the domain, in place of what it was.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_fact(&self, fact: Fact, value: &str) -> Result<(), RegistryError> {
        sqlx::query(
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(fact.as_str())
        .bind(value)
        .execute(self.writing()?)
        .await?;
        self.written()?;
        Ok(())
    }

    /// Records an identity. Recording the same certificate again changes nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_identity(&self, identity: &IdentityRecord) -> Result<(), RegistryError> {
        insert_identity(identity).execute(self.writing()?).await?;
        self.written()?;
        Ok(())
    }

    /// The identity with this certificate.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn identity(
        &self,
        fingerprint: &str,
    ) -> Result<Option<IdentityRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM identities WHERE fingerprint = ?")
                .bind(fingerprint)
                .fetch_optional(&self.pool)
                .await?,
        )
    }

    /// Every identity, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn identities(&self) -> Result<Vec<IdentityRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM identities ORDER BY issued_at DESC, rowid DESC")
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Marks certificates as revoked. One that is revoked already keeps its first reason.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn revoke_identities(
        &self,
        fingerprints: &[String],
        end: &IdentityEnd,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.pool.begin().await?;
        for fingerprint in fingerprints {
            sqlx::query(
                "UPDATE identities SET revoked_at = ?, revoked_by = ?, revoke_reason = ? \
                 WHERE fingerprint = ? AND revoked_at IS NULL",
            )
            .bind(&end.revoked_at)
            .bind(&end.revoked_by)
            .bind(&end.revoke_reason)
            .bind(fingerprint)
            .execute(&mut *transaction)
            .await?;
        }
        self.commit(transaction).await
    }

    /// The dataset of this name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn dataset(&self, name: &str) -> Result<Option<DatasetRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM datasets WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Every dataset, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn datasets(&self) -> Result<Vec<DatasetRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM datasets ORDER BY name")
            .fetch_all(&self.pool)
            .await?)
    }

    /// Records a submitted model. Submitting the same bytes under the same name again changes nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_model(&self, model: &ModelRecord) -> Result<(), RegistryError> {
        sqlx::query(
            "INSERT INTO models (name, digest, component, signature, organisation, submitted_by, submitted_at, \
             submitted_digest, report, report_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, digest) DO NOTHING",
        )
        .bind(&model.name)
        .bind(&model.digest)
        .bind(&model.component)
        .bind(&model.signature)
        .bind(&model.organisation)
        .bind(&model.submitted_by)
        .bind(&model.submitted_at)
        .bind(&model.vetting.submitted_digest)
        .bind(&model.vetting.report)
        .bind(&model.vetting.report_digest)
        .execute(self.writing()?)
        .await?;
        self.written()?;
        Ok(())
    }

    /// Every version of the models of one name, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn model_versions(&self, name: &str) -> Result<Vec<ModelRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM models WHERE name = ? ORDER BY submitted_at DESC, rowid DESC",
        )
        .bind(name)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Every model, by name, the newest version first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn models(&self) -> Result<Vec<ModelRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM models ORDER BY name, submitted_at DESC, rowid DESC")
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Records a run's answer. The first answer stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_run(&self, run: &RunRecord) -> Result<(), RegistryError> {
        sqlx::query(
            "INSERT INTO runs (run, organisation, person, request_digest, dataset, cells_released, cells_withheld, \
             table_digest, log_index, finished_at, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (run) DO NOTHING",
        )
        .bind(&run.run)
        .bind(&run.organisation)
        .bind(&run.person)
        .bind(&run.request_digest)
        .bind(&run.dataset)
        .bind(run.cells_released)
        .bind(run.cells_withheld)
        .bind(&run.table_digest)
        .bind(run.log_index)
        .bind(&run.finished_at)
        .bind(&run.answer)
        .execute(self.writing()?)
        .await?;
        self.written()?;
        Ok(())
    }

    /// The newest runs first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM runs ORDER BY log_index DESC LIMIT ?")
                .bind(limit)
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// The run with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn run(&self, run: &str) -> Result<Option<RunRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM runs WHERE run = ?")
            .bind(run)
            .fetch_optional(&self.pool)
            .await?)
    }
}
