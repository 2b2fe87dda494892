//! Tables that wait for people, what was said of them and of models, and how runs ended.

use sqlx::FromRow;

use crate::database::{Registry, Statement};
use crate::error::RegistryError;
use crate::grants::states;

states! {
    /// How far a table in the airlock is.
    AirlockState {
        /// People have to look at it.
        Waiting = "waiting",
        /// They let it go: the next call for its run releases it.
        Approved = "approved",
        /// It left.
        Released = "released",
        /// A reviewer kept it back.
        Rejected = "rejected",
        /// Nobody decided in time, or nobody called for it.
        Expired = "expired",
        /// Its operator took it back.
        Withdrawn = "withdrawn",
        /// Computed again, it was another table.
        Overtaken = "overtaken",
    }
}

impl AirlockState {
    /// Whether somebody may still decide, or call for the table.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Approved)
    }
}

/// A table in the airlock: what was asked, and the table, sealed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AirlockRecord {
    /// The run's id.
    pub run: String,
    /// Whose run it is.
    pub organisation: String,
    /// Who ran it.
    pub person: String,
    /// Digest of the request.
    pub request_digest: String,
    /// The query; empty once it has ended.
    pub sql: String,
    /// The grant it read under.
    pub grant_id: String,
    /// Names of the datasets read, separated by `, `.
    pub datasets: String,
    /// Ids of the snapshots read, separated by `, `.
    pub snapshots: String,
    /// One a line: name, a space, digest.
    pub models: String,
    /// The policy that it was judged by, in its canonical form.
    pub policy: String,
    /// The table and what the gate knew of it; `None` once it has ended.
    pub sealed: Option<Vec<u8>>,
    /// Digest of the sealed bytes: what the log knows the table by.
    pub sealed_digest: String,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: AirlockState,
    /// RFC 3339.
    pub entered_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339; `None` while it is open.
    pub ended_at: Option<String>,
}

/// What an organisation said of a table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AirlockReview {
    /// The run.
    pub run: String,
    /// Who speaks.
    pub organisation: String,
    /// Through whom.
    pub person: String,
    /// Whether it lets the table go.
    pub approves: bool,
    /// Why.
    pub text: String,
    /// RFC 3339.
    pub given_at: String,
}

/// Somebody's approval of a version of a model.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ModelReview {
    /// The model.
    pub name: String,
    /// Digest of its bytes.
    pub digest: String,
    /// Who speaks.
    pub organisation: String,
    /// Through whom.
    pub person: String,
    /// Digest of the report that was read.
    pub report_digest: String,
    /// RFC 3339.
    pub given_at: String,
}

/// How a run ended, as its operator may know it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RunEnd {
    /// Whose run it is.
    pub organisation: String,
    /// The run's id.
    pub run: String,
    /// The grant it read under.
    pub grant_id: String,
    /// Whether it has an answer.
    pub released: bool,
    /// How long it took, rounded up to coarse steps.
    pub seconds_at_most: i64,
}

/// How a run ended; one that was answered stays so.
pub(crate) fn insert_end(end: &RunEnd) -> Statement<'_> {
    sqlx::query(
        "INSERT INTO run_ends (organisation, run, grant_id, released, seconds_at_most) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (organisation, run) DO UPDATE SET grant_id = excluded.grant_id, released = excluded.released, \
         seconds_at_most = excluded.seconds_at_most WHERE NOT run_ends.released",
    )
    .bind(&end.organisation)
    .bind(&end.run)
    .bind(&end.grant_id)
    .bind(end.released)
    .bind(end.seconds_at_most)
}

impl Registry {
    /// Puts a table into the airlock. The first of a run stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn enter_airlock(&self, table: &AirlockRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO airlock (run, organisation, person, request_digest, sql, grant_id, datasets, snapshots, models, \
             policy, sealed, sealed_digest, state, entered_at, expires_at, ended_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run) DO NOTHING",
        )
        .bind(&table.run)
        .bind(&table.organisation)
        .bind(&table.person)
        .bind(&table.request_digest)
        .bind(&table.sql)
        .bind(&table.grant_id)
        .bind(&table.datasets)
        .bind(&table.snapshots)
        .bind(&table.models)
        .bind(&table.policy)
        .bind(&table.sealed)
        .bind(&table.sealed_digest)
        .bind(table.state.as_str())
        .bind(&table.entered_at)
        .bind(&table.expires_at)
        .bind(&table.ended_at)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// The table of this run in the airlock.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn in_airlock(&self, run: &str) -> Result<Option<AirlockRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM airlock WHERE run = ?")
            .bind(run)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Tables of the airlock without what is sealed, the newest first; those alone that are open, if asked.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn airlock(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<AirlockRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT run, organisation, person, request_digest, sql, grant_id, datasets, snapshots, models, policy, \
             NULL AS sealed, sealed_digest, state, entered_at, expires_at, ended_at FROM airlock \
             WHERE NOT ?1 OR state IN ('waiting', 'approved') ORDER BY entered_at DESC, run DESC LIMIT ?2",
        )
        .bind(open_only)
        .bind(limit)
        .fetch_all(self.pool())
        .await?)
    }

    /// Runs whose tables are open and were to be decided on by this moment.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn airlock_due(&self, now: &str) -> Result<Vec<String>, RegistryError> {
        Ok(sqlx::query_scalar(
            "SELECT run FROM airlock WHERE state IN ('waiting', 'approved') AND expires_at <= ? ORDER BY run",
        )
        .bind(now)
        .fetch_all(self.pool())
        .await?)
    }

    /// How many tables of an organisation are open.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn airlock_open_of(&self, organisation: &str) -> Result<i64, RegistryError> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) FROM airlock WHERE state IN ('waiting', 'approved') AND organisation = ?",
        )
        .bind(organisation)
        .fetch_one(self.pool())
        .await?)
    }

    /// What was said of a table, in order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn airlock_reviews(&self, run: &str) -> Result<Vec<AirlockReview>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM airlock_reviews WHERE run = ? ORDER BY given_at, organisation",
        )
        .bind(run)
        .fetch_all(self.pool())
        .await?)
    }

    /// Moves an open table to another state, with what was said of it. What has ended loses its table and its query.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn move_in_airlock(
        &self,
        run: &str,
        state: AirlockState,
        review: Option<&AirlockReview>,
        at: &str,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        if let Some(review) = review {
            sqlx::query(
                "INSERT INTO airlock_reviews (run, organisation, person, approves, text, given_at) \
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, organisation) DO UPDATE SET person = excluded.person, \
                 approves = excluded.approves, text = excluded.text, given_at = excluded.given_at",
            )
            .bind(&review.run)
            .bind(&review.organisation)
            .bind(&review.person)
            .bind(review.approves)
            .bind(&review.text)
            .bind(&review.given_at)
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query(
            "UPDATE airlock SET state = ?1, ended_at = iif(?4, NULL, ?3), sql = iif(?4, sql, ''), \
             sealed = iif(?4, sealed, NULL) WHERE run = ?2 AND state IN ('waiting', 'approved')",
        )
        .bind(state.as_str())
        .bind(run)
        .bind(at)
        .bind(state.is_open())
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// Records an approval of a version of a model. An organisation's first stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_model_review(&self, review: &ModelReview) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO model_reviews (name, digest, organisation, person, report_digest, given_at) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name, digest, organisation) DO UPDATE SET \
             person = excluded.person, report_digest = excluded.report_digest, given_at = excluded.given_at",
        )
        .bind(&review.name)
        .bind(&review.digest)
        .bind(&review.organisation)
        .bind(&review.person)
        .bind(&review.report_digest)
        .bind(&review.given_at)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// Who has approved a version of a model, in order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn model_reviews(
        &self,
        name: &str,
        digest: &str,
    ) -> Result<Vec<ModelReview>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM model_reviews WHERE name = ? AND digest = ? ORDER BY given_at, organisation",
        )
        .bind(name)
        .bind(digest)
        .fetch_all(self.pool())
        .await?)
    }

    /// Records how a run ended, in place of how it ended before. One that was released stays so.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_run(&self, end: &RunEnd) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        insert_end(end).execute(&mut *writing).await?;
        self.commit(writing).await
    }

    /// How a run of an organisation ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn run_end(
        &self,
        organisation: &str,
        run: &str,
    ) -> Result<Option<RunEnd>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM run_ends WHERE organisation = ? AND run = ?")
                .bind(organisation)
                .bind(run)
                .fetch_optional(self.pool())
                .await?,
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::seal::tests::key;

    fn end(released: bool, seconds_at_most: i64) -> RunEnd {
        RunEnd {
            organisation: "acme".to_owned(),
            run: "r1".to_owned(),
            grant_id: "g1".to_owned(),
            released,
            seconds_at_most,
        }
    }

    #[tokio::test]
    async fn a_run_that_was_released_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.sqlite"), key())
            .await
            .unwrap();
        registry.end_run(&end(false, 1)).await.unwrap();
        registry.end_run(&end(true, 2)).await.unwrap();
        registry.end_run(&end(false, 5)).await.unwrap();
        assert_eq!(
            registry.run_end("acme", "r1").await.unwrap(),
            Some(end(true, 2))
        );
        assert_eq!(registry.run_end("beta", "r1").await.unwrap(), None);
    }
}
