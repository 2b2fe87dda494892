//! Copies of the registry, made while others write to it, and looking at one without changing it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::database::{BUSY_TIMEOUT, Registry};
use crate::error::RegistryError;
use crate::records::SnapshotRecord;

/// What a copy of a registry says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFacts {
    /// What the database finds wrong with its own pages; empty where nothing is.
    pub problems: Vec<String>,
    /// The greatest number of a log entry that a run was answered with.
    pub log_index_max: Option<i64>,
    /// Every snapshot there ever was.
    pub snapshots: Vec<SnapshotRecord>,
    /// Runs that were answered.
    pub runs: i64,
}

impl Registry {
    /// Copies the registry in `file` to the new file `into`: as it was at one moment, between two transactions. Another
    /// process may be writing to it.
    ///
    /// # Errors
    /// Where there is no registry, `into` exists, or the database fails.
    pub async fn copy(file: &Path, into: &Path) -> Result<(), RegistryError> {
        let mut connection = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .busy_timeout(BUSY_TIMEOUT)
            .connect()
            .await?;
        sqlx::query("VACUUM INTO ?")
            .bind(into.to_string_lossy().into_owned())
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }

    /// Looks at a copy that nobody writes to, without changing a byte of it.
    ///
    /// # Errors
    /// Where it is no registry, or the database fails.
    pub async fn inspect(file: &Path) -> Result<CopyFacts, RegistryError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .immutable(true);
        let pool: SqlitePool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_all(&pool)
            .await?;
        let facts = CopyFacts {
            problems: found.into_iter().filter(|line| line != "ok").collect(),
            log_index_max: sqlx::query_scalar("SELECT MAX(log_index) FROM runs")
                .fetch_one(&pool)
                .await?,
            snapshots: sqlx::query_as("SELECT * FROM snapshots ORDER BY rowid")
                .fetch_all(&pool)
                .await?,
            runs: sqlx::query_scalar("SELECT COUNT(*) FROM runs")
                .fetch_one(&pool)
                .await?,
        };
        pool.close().await;
        Ok(facts)
    }
}
