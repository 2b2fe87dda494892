//! What is kept for a term and then may go: the answers of runs, and what releases were judged on.

use sqlx::FromRow;

use crate::database::Registry;
use crate::error::RegistryError;

/// What may go one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Answers of runs. The rest of their rows stays, so that no run id is used twice.
    Answers,
    /// What releases were judged on, sealed.
    Evidence,
}

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeptThing {
    /// The run that it is of.
    pub run: String,
    /// RFC 3339.
    pub since: String,
    /// What is kept.
    pub bytes: Vec<u8>,
}

/// How much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSummary {
    /// How many there are.
    pub count: u64,
    /// RFC 3339: since when the oldest is kept.
    pub oldest: Option<String>,
    /// How many are kept since before the moment that was asked for.
    pub due: u64,
}

/// Things of a kind: table, column of the moment, column of the bytes, and which rows count.
const fn place(kept: Kept) -> [&'static str; 4] {
    match kept {
        Kept::Answers => ["runs", "finished_at", "answer", "length(answer) > 0"],
        Kept::Evidence => ["evidence", "kept_at", "coalesce(sealed, x'')", "true"],
    }
}

impl Registry {
    /// How much is kept of a kind, and how much of it since before a moment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn kept(&self, kept: Kept, before: &str) -> Result<KeptSummary, RegistryError> {
        let [table, since, _, counts] = place(kept);
        let statement = format!(
            "SELECT COUNT(*), MIN({since}), COUNT(*) FILTER (WHERE {since} < ?) FROM {table} WHERE {counts}"
        );
        let (count, oldest, due): (i64, Option<String>, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(before)
                .fetch_one(self.pool())
                .await?;
        Ok(KeptSummary {
            count: count.unsigned_abs(),
            oldest,
            due: due.unsigned_abs(),
        })
    }

    /// What is kept of a kind since before a moment, the oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn kept_before(
        &self,
        kept: Kept,
        before: &str,
        limit: u32,
    ) -> Result<Vec<KeptThing>, RegistryError> {
        let [table, since, bytes, counts] = place(kept);
        let statement = format!(
            "SELECT run, {since} AS since, {bytes} AS bytes FROM {table} WHERE {counts} AND {since} < ? \
             ORDER BY {since}, run LIMIT ?"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(before)
            .bind(limit)
            .fetch_all(self.pool())
            .await?)
    }

    /// What is kept of a run.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn kept_of(&self, kept: Kept, run: &str) -> Result<Option<KeptThing>, RegistryError> {
        let [table, since, bytes, counts] = place(kept);
        let statement = format!(
            "SELECT run, {since} AS since, {bytes} AS bytes FROM {table} WHERE {counts} AND run = ?"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(run)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Destroys what is kept of a run: its bytes are overwritten. What is gone already is fine.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn destroy_kept(&self, kept: Kept, run: &str) -> Result<(), RegistryError> {
        let statement = match kept {
            Kept::Answers => "UPDATE runs SET answer = x'' WHERE run = ?",
            Kept::Evidence => "DELETE FROM evidence WHERE run = ?",
        };
        let mut writing = self.begin().await?;
        sqlx::query(statement)
            .bind(run)
            .execute(&mut *writing)
            .await?;
        self.commit(writing).await
    }

    /// How many computations have what they are made from.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn bases_count(&self) -> Result<u64, RegistryError> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM bases")
            .fetch_one(self.pool())
            .await?;
        Ok(count.unsigned_abs())
    }
}
