//! Reads and writes.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Executor, Sqlite};

use crate::error::RegistryError;
use crate::records::{DatasetRecord, Fact, IdentityEnd, IdentityRecord, ModelRecord, RunRecord};
use crate::requests::insert_identity;
use crate::seal::check::CheckedRegistry;
use crate::seal::{self, LogMark, RegistryKey, SealedState, check, watch};
pub(crate) use crate::writing::Writing;
use crate::writing::{Group, Turn};

/// How long a write waits for another one.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections kept open for those who only read.
const READERS_MAX: u32 = 4;

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
    /// The one connection that writes, and notes what it changes. As nobody else does, the pages that it has in memory stay
    /// those of the file from one transaction to the next.
    pub(crate) writer: SqlitePool,
    key: Arc<RegistryKey>,
    /// What its seal said as it was opened.
    found: Option<SealedState>,
    /// Up to where the log goes.
    log: Arc<Mutex<LogMark>>,
    /// Held by whoever writes: waiting for it in turn is shorter than asking the database again and again.
    turn: Turn,
    /// For tests of whoever writes.
    faults: Option<Arc<dyn WriteFaults>>,
}

/// Opens the file by itself, before anybody else: what it says of itself, and what connections are to be told.
async fn prepare(
    options: SqliteConnectOptions,
    key: RegistryKey,
) -> Result<(RegistryKey, Option<SealedState>, Arc<str>), RegistryError> {
    let alone = SqlitePoolOptions::new().max_connections(1);
    let pool = alone.connect_with(options).await?;
    let found = check::prepare(&pool, &key).await?;
    let tables = watch::tables(&mut *pool.acquire().await?).await?;
    let statements = watch::statements(&tables)?;
    pool.close().await;
    Ok((key, found, statements.into()))
}

/// A statement with its values.
pub(crate) type Statement<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

impl Registry {
    /// Opens the registry in `file`, makes it where it is not there, holds it against its seal, and brings its layout up to
    /// date. No other process may have it open: a write of another one is an altered registry.
    ///
    /// # Errors
    /// Where the file cannot be opened or a newer version wrote it; [`RegistryError::Altered`] and
    /// [`RegistryError::Damaged`] where it is not what was written.
    pub async fn open(file: &Path, key: RegistryKey) -> Result<Self, RegistryError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was acknowledged survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten.
            .pragma("secure_delete", "ON")
            // What changes is noted in memory.
            .pragma("temp_store", "MEMORY")
            .busy_timeout(BUSY_TIMEOUT);
        let (key, found, statements) = prepare(options.clone(), key).boxed().await?;
        // There is no network in between that could have closed one.
        let connections = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .test_before_acquire(false)
        };
        let writer = connections(1)
            .after_connect(move |connection, _| {
                let statements = sqlx::raw_sql(AssertSqlSafe(Arc::clone(&statements)));
                Box::pin(async move { connection.execute(statements).await.map(drop) })
            })
            .connect_with(options.clone())
            .await?;
        // What a reader wrote would be in no seal.
        let options = options.pragma("query_only", "ON");
        let pool = connections(READERS_MAX).connect_with(options).await?;
        Ok(Self {
            pool,
            writer,
            key: Arc::new(key),
            found,
            log: Arc::new(Mutex::new(found.map(|found| found.log).unwrap_or_default())),
            turn: Arc::default(),
            faults: None,
        })
    }

    /// What the seal said as the registry was opened; none where it had none: it is new, or of before there were seals.
    #[must_use]
    pub const fn found(&self) -> Option<SealedState> {
        self.found
    }

    /// How often it was written, and the log at the last time.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sealed_state(&self) -> Result<SealedState, RegistryError> {
        let mut connection = self.pool.acquire().await?;
        seal::sealed_state(&mut connection, &self.key).await
    }

    /// Holds all of it against its seal, and its indices against its tables, while others write to it.
    ///
    /// # Errors
    /// [`RegistryError::Altered`] and [`RegistryError::Damaged`]; where the database fails.
    pub async fn check(&self) -> Result<CheckedRegistry, RegistryError> {
        let (pool, key) = (self.pool.clone(), Arc::clone(&self.key));
        let work = async move {
            // A transaction that reads: seal and rows are of one moment.
            let mut moment = pool.begin().await?;
            let checked = check::whole(&mut moment, &key).await?;
            moment.rollback().await?;
            Ok(checked)
        };
        work.boxed().await
    }

    /// Says up to where the log goes: what is written from now on is sealed with it.
    pub fn log_is_at(&self, mark: LogMark) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if mark.entries > log.entries {
            *log = mark;
        }
    }

    /// Seals up to where the log goes, where nothing else is to be written.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn seal_log(&self) -> Result<(), RegistryError> {
        let writing = self.begin().await?;
        self.commit_with(writing, true).await
    }

    /// The connections, for what other files of this crate read.
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

    /// Begins to write.
    pub(crate) async fn begin(&self) -> Result<Writing, RegistryError> {
        Writing::begin(&self.turn, &self.writer).await
    }

    /// Has a write take effect, with the seal and with what others wrote meanwhile: one step, whole or not at all.
    pub(crate) async fn commit(&self, writing: Writing) -> Result<(), RegistryError> {
        self.commit_with(writing, false).await
    }

    async fn commit_with(&self, writing: Writing, has_news: bool) -> Result<(), RegistryError> {
        let ending = writing.keep();
        // Those who waited before have their turn before.
        let mut group = self.turn.lock().await;
        if ending.is_empty() {
            self.finish(&mut group, has_news).await;
        }
        drop(group);
        match ending.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(RegistryError::Together(error)),
            Err(_) => Err(sqlx::Error::WorkerCrashed.into()),
        }
    }

    /// Seals and commits what writers have left.
    async fn finish(&self, group: &mut Group, has_news: bool) {
        let Some((members, mut transaction)) = group.take().await else {
            return;
        };
        let committed = async {
            if let Some(faults) = &self.faults {
                faults.before().map_err(sqlx::Error::Io)?;
            }
            let log = *self.log.lock().unwrap_or_else(PoisonError::into_inner);
            seal::renew(&mut transaction, &self.key, (log, has_news)).await?;
            transaction.commit().await?;
            match &self.faults {
                Some(faults) => Ok(faults.after().map_err(sqlx::Error::Io)?),
                None => Ok(()),
            }
        };
        members.end(committed.await);
    }

    /// Writes everything to the file and closes it.
    pub async fn close(&self) {
        // Of whoever did not wait for the end of its write.
        let mut group = self.turn.lock().await;
        self.finish(&mut group, false).await;
        drop(group);
        self.pool.close().await;
        self.writer.close().await;
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
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(fact.as_str())
        .bind(value)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// Records an identity. Recording the same certificate again changes nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_identity(&self, identity: &IdentityRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        insert_identity(identity).execute(&mut *writing).await?;
        self.commit(writing).await
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
        let mut transaction = self.begin().await?;
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
        let mut writing = self.begin().await?;
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
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
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
        let mut writing = self.begin().await?;
        insert_run(run).execute(&mut *writing).await?;
        self.commit(writing).await
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

/// The first answer of a run stays.
pub(crate) fn insert_run(run: &RunRecord) -> Statement<'_> {
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
}
