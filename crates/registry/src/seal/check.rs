//! Holding the rows against the seal.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};

use super::watch::{self, Table};
use super::{RegistryKey, SealedState, State, Sum};
use crate::error::RegistryError;

/// Under which name the layout itself is summed: tables, indices, and whatever else a database can have, such as triggers.
const LAYOUT: &str = "sqlite_schema";

/// Up to this size of its pages all of a registry is held against its seal as it is opened. Beyond it, all but the tables
/// that grow with every run, so that a start does not take minutes.
const AT_ONCE_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// Tables that grow with every run.
const GROWING: [&str; 10] = [
    "alerts",
    "bases",
    "budget_uses",
    "evidence",
    "grant_uses",
    "kept_texts",
    "product_runs",
    "run_ends",
    "runs",
    "usage_reads",
];

/// What a check has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedRegistry {
    /// Tables, the layout among them.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// How often the registry was written, and the log at the last time.
    pub state: SealedState,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// As much as a start has time for.
    AtStart,
    Whole,
}

/// Holds every table against the state, and the indices against the tables.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
    state: &State,
    depth: Depth,
) -> Result<CheckedRegistry, RegistryError> {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&mut *connection)
        .await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size")
        .fetch_one(&mut *connection)
        .await?;
    let is_whole = depth == Depth::Whole || pages.saturating_mul(page) <= AT_ONCE_BYTES_MAX;
    if is_whole {
        let problem: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(&mut *connection)
            .await?;
        if problem != "ok" {
            return Err(RegistryError::Damaged(problem));
        }
    }
    let mut found = BTreeMap::new();
    for table in watch::tables(connection).await? {
        if is_whole || !GROWING.contains(&table.name.as_str()) {
            found.insert(table.name.clone(), sum(connection, key, &table).await?);
        }
    }
    found.insert(LAYOUT.to_owned(), layout(connection, key).await?);
    for (name, sum) in &found {
        let expected = state.tables.get(name).copied().unwrap_or_default();
        if *sum != expected {
            return Err(RegistryError::altered(name));
        }
    }
    let is_there = |name: &String| found.contains_key(name) || !is_whole;
    if let Some(gone) = state.tables.keys().find(|name| !is_there(name)) {
        return Err(RegistryError::altered(gone));
    }
    Ok(CheckedRegistry {
        tables: found.len() as u64,
        rows: found.values().map(|sum| sum.rows).sum(),
        state: SealedState {
            writes: state.writes,
            log: state.log,
        },
    })
}

/// Looks at all of an open registry, in a transaction that reads.
pub(crate) async fn whole(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
) -> Result<CheckedRegistry, RegistryError> {
    let state = super::read(connection, key).await?;
    let state = state.ok_or_else(|| RegistryError::altered("seal"))?;
    check(connection, key, &state, Depth::Whole).await
}

/// Opens the seal of a registry that nobody has open, holds the rows against it, and brings the layout up to date. Answers
/// with the state that was found; none where the registry has no seal yet, and gets one here.
///
/// A layout is changed in several transactions, and a crash between them leaves what agrees with no sums. So the seal says
/// first that it is being changed, which nobody else can write into it.
pub(crate) async fn prepare(
    pool: &SqlitePool,
    key: &RegistryKey,
) -> Result<Option<SealedState>, RegistryError> {
    let migrator = sqlx::migrate!();
    let mut connection = pool.acquire().await?;
    let known = migrator.iter().map(|step| step.version).max();
    if known < newest(&mut connection).await? {
        drop(connection);
        // It says which step it does not know.
        return Ok(migrator.run(pool).await.map(|()| None)?);
    }
    let mut state = super::read(&mut connection, key).await?;
    if let Some(state) = state.as_ref().filter(|state| !state.is_migrating) {
        check(&mut connection, key, state, Depth::AtStart).await?;
    }
    let is_behind = newest(&mut connection).await? < known;
    if let Some(state) = state.as_mut().filter(|_| is_behind) {
        state.is_migrating = true;
        super::write(&mut connection, key, state).await?;
    }
    drop(connection);
    migrator.run(pool).await?;
    let found = state.as_ref().map(|state| SealedState {
        writes: state.writes,
        log: state.log,
    });
    if state.as_ref().is_none_or(|state| state.is_migrating) {
        seal_anew(pool, key, state.unwrap_or_default()).await?;
    }
    Ok(found)
}

/// The last step of the layout that was taken.
async fn newest(connection: &mut SqliteConnection) -> Result<Option<i64>, RegistryError> {
    let is_there: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_optional(&mut *connection)
            .await?;
    if is_there.is_none() {
        return Ok(None);
    }
    let newest = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations");
    Ok(newest.fetch_one(connection).await?)
}

async fn seal_anew(
    pool: &SqlitePool,
    key: &RegistryKey,
    before: State,
) -> Result<(), RegistryError> {
    let mut transaction = pool.begin().await?;
    let mut state = State {
        writes: before.writes + 1,
        log: before.log,
        is_migrating: false,
        tables: BTreeMap::new(),
    };
    for table in watch::tables(&mut transaction).await? {
        let sum = sum(&mut transaction, key, &table).await?;
        state.tables.insert(table.name, sum);
    }
    let layout = layout(&mut transaction, key).await?;
    state.tables.insert(LAYOUT.to_owned(), layout);
    super::write(&mut transaction, key, &state).await?;
    Ok(transaction.commit().await?)
}

async fn sum(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
    table: &Table,
) -> Result<Sum, RegistryError> {
    let statement = format!("SELECT {} FROM {}", table.columns(""), table.quoted());
    add_up(
        connection,
        key,
        (&table.name, table.columns.len()),
        statement,
    )
    .await
}

async fn layout(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
) -> Result<Sum, RegistryError> {
    // Not where each begins in the file, which a copy may change.
    let statement = "SELECT type, name, tbl_name, sql FROM sqlite_schema".to_owned();
    add_up(connection, key, (LAYOUT, 4), statement).await
}

async fn add_up(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
    (name, width): (&str, usize),
    statement: String,
) -> Result<Sum, RegistryError> {
    let mut sum = Sum::default();
    let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        sum.add(key.hash(name, &row, 0..width)?);
    }
    Ok(sum)
}
