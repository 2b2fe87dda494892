//! What operators say of datasets, and what the bureau answers.

use sqlx::FromRow;

use crate::database::Registry;
use crate::error::RegistryError;

/// Feedback on a dataset.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FeedbackRecord {
    /// Its id.
    pub id: String,
    /// The dataset it is about.
    pub dataset: String,
    /// `quality` or `objection`.
    pub kind: String,
    /// What was said.
    pub text: String,
    /// Whose feedback it is.
    pub organisation: String,
    /// Who filed it.
    pub filed_by: String,
    /// RFC 3339.
    pub filed_at: String,
    /// The bureau's answer; `None` until then.
    pub answer: Option<String>,
    /// Who answered; `None` until then.
    pub answered_by: Option<String>,
    /// RFC 3339; `None` until then.
    pub answered_at: Option<String>,
}

impl Registry {
    /// Records feedback.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_feedback(&self, feedback: &FeedbackRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO feedback (id, dataset, kind, text, organisation, filed_by, filed_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&feedback.id)
        .bind(&feedback.dataset)
        .bind(&feedback.kind)
        .bind(&feedback.text)
        .bind(&feedback.organisation)
        .bind(&feedback.filed_by)
        .bind(&feedback.filed_at)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// Answers feedback. The first answer stays: `false` where there was one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn answer_feedback(
        &self,
        id: &str,
        answer: &str,
        by: &str,
        at: &str,
    ) -> Result<bool, RegistryError> {
        let mut writing = self.begin().await?;
        let answered = sqlx::query(
            "UPDATE feedback SET answer = ?, answered_by = ?, answered_at = ? \
             WHERE id = ? AND answer IS NULL",
        )
        .bind(answer)
        .bind(by)
        .bind(at)
        .bind(id)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await?;
        Ok(answered.rows_affected() == 1)
    }

    /// The feedback with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn feedback(&self, id: &str) -> Result<Option<FeedbackRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM feedback WHERE id = ?")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// The newest feedback first, at most `limit`: on one dataset or all, of one organisation or all.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn feedbacks(
        &self,
        dataset: Option<&str>,
        organisation: Option<&str>,
        limit: u32,
    ) -> Result<Vec<FeedbackRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM feedback WHERE (?1 IS NULL OR dataset = ?1) AND (?2 IS NULL OR organisation = ?2) \
             ORDER BY filed_at DESC, id DESC LIMIT ?3",
        )
        .bind(dataset)
        .bind(organisation)
        .bind(limit)
        .fetch_all(self.pool())
        .await?)
    }

    /// How many pieces of feedback of an organisation wait for an answer.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn feedback_waiting(&self, organisation: &str) -> Result<i64, RegistryError> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) FROM feedback WHERE organisation = ? AND answer IS NULL",
        )
        .bind(organisation)
        .fetch_one(self.pool())
        .await?)
    }
}
