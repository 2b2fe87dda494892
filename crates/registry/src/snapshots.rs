//! Datasets and the snapshots they have had.

use sqlx::SqliteConnection;

use crate::database::Registry;
use crate::error::RegistryError;
use crate::records::{DatasetRecord, SnapshotEnd, SnapshotRecord};

impl Registry {
    /// Records a dataset and its first snapshot.
    ///
    /// # Errors
    /// [`RegistryError::DatasetExists`], or where the database fails.
    pub async fn add_dataset(&self, dataset: &DatasetRecord) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        let added = sqlx::query(
            "INSERT INTO datasets (name, population, manifest_toml, snapshot, digest, rows, units, \
             rows_without_unit, registered_at, registered_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(&dataset.name)
        .bind(&dataset.population)
        .bind(&dataset.manifest_toml)
        .bind(&dataset.snapshot)
        .bind(&dataset.digest)
        .bind(dataset.rows)
        .bind(dataset.units)
        .bind(dataset.rows_without_unit)
        .bind(&dataset.registered_at)
        .bind(&dataset.registered_by)
        .execute(&mut *transaction)
        .await?;
        if added.rows_affected() != 1 {
            return Err(RegistryError::DatasetExists(dataset.name.clone()));
        }
        add_snapshot(&mut transaction, dataset).await?;
        self.commit(transaction).await
    }

    /// Records another snapshot of a dataset that is there; it is the newest from now on.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn update_dataset(&self, dataset: &DatasetRecord) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE datasets SET manifest_toml = ?, snapshot = ?, digest = ?, rows = ?, units = ?, \
             rows_without_unit = ?, registered_at = ?, registered_by = ? WHERE name = ?",
        )
        .bind(&dataset.manifest_toml)
        .bind(&dataset.snapshot)
        .bind(&dataset.digest)
        .bind(dataset.rows)
        .bind(dataset.units)
        .bind(dataset.rows_without_unit)
        .bind(&dataset.registered_at)
        .bind(&dataset.registered_by)
        .bind(&dataset.name)
        .execute(&mut *transaction)
        .await?;
        add_snapshot(&mut transaction, dataset).await?;
        self.commit(transaction).await
    }

    /// The snapshots of a dataset, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn snapshots(&self, dataset: &str) -> Result<Vec<SnapshotRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM snapshots WHERE dataset = ? ORDER BY rowid DESC")
                .bind(dataset)
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// The snapshots of all datasets.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn all_snapshots(&self) -> Result<Vec<SnapshotRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM snapshots ORDER BY rowid")
            .fetch_all(&self.pool)
            .await?)
    }

    /// Marks a snapshot destroyed. Marking it again changes nothing: the first certificate stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_snapshot(&self, id: &str, end: &SnapshotEnd) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "UPDATE snapshots SET destroyed_at = ?, destroyed_by = ?, destroy_reason = ?, certificate = ? \
             WHERE id = ? AND destroyed_at IS NULL",
        )
        .bind(&end.destroyed_at)
        .bind(&end.destroyed_by)
        .bind(&end.destroy_reason)
        .bind(&end.certificate)
        .bind(id)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }
}

async fn add_snapshot(
    connection: &mut SqliteConnection,
    dataset: &DatasetRecord,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO snapshots (id, dataset, manifest_toml, digest, rows, units, rows_without_unit, registered_at, \
         registered_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&dataset.snapshot)
    .bind(&dataset.name)
    .bind(&dataset.manifest_toml)
    .bind(&dataset.digest)
    .bind(dataset.rows)
    .bind(dataset.units)
    .bind(dataset.rows_without_unit)
    .bind(&dataset.registered_at)
    .bind(&dataset.registered_by)
    .execute(connection)
    .await?;
    Ok(())
}
