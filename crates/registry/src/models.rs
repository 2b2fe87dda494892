//! What becomes of models.

use sqlx::FromRow;

use crate::database::Registry;
use crate::error::RegistryError;
use crate::grants::states;

states! {
    /// How far a version of a model is.
    ModelState {
        /// The bureau decides on it.
        Submitted = "submitted",
        /// It may run.
        Approved = "approved",
        /// The bureau refused it.
        Rejected = "rejected",
        /// The bureau took its approval back.
        Withdrawn = "withdrawn",
    }
}

/// Who rejected a model or withdrew its approval. All empty until then, and once it is approved again.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromRow)]
pub struct ModelEnd {
    /// Person and organisation.
    pub ended_by: String,
    /// RFC 3339.
    pub ended_at: String,
    /// Why.
    pub end_reason: String,
}

impl Registry {
    /// Approves one digest of a model. Approving it again changes nothing: the first reviewer stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn approve_model(
        &self,
        name: &str,
        digest: &str,
        by: &str,
        at: &str,
    ) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "UPDATE models SET state = 'approved', approved_by = ?, approved_at = ?, ended_by = '', ended_at = '', \
             end_reason = '' WHERE name = ? AND digest = ? AND state <> 'approved'",
        )
        .bind(by)
        .bind(at)
        .bind(name)
        .bind(digest)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// Records that one digest of a model was rejected, or its approval withdrawn. What was said of it before stays on file,
    /// and counts no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_model(
        &self,
        (name, digest): (&str, &str),
        state: ModelState,
        end: &ModelEnd,
    ) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "UPDATE models SET state = ?, ended_by = ?, ended_at = ?, end_reason = ? WHERE name = ? AND digest = ?",
        )
        .bind(state.as_str())
        .bind(&end.ended_by)
        .bind(&end.ended_at)
        .bind(&end.end_reason)
        .bind(name)
        .bind(digest)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// How far one digest of a model is.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn model_state(
        &self,
        name: &str,
        digest: &str,
    ) -> Result<Option<ModelState>, RegistryError> {
        let state: Option<String> =
            sqlx::query_scalar("SELECT state FROM models WHERE name = ? AND digest = ?")
                .bind(name)
                .bind(digest)
                .fetch_optional(self.pool())
                .await?;
        Ok(state.and_then(|state| ModelState::try_from(state).ok()))
    }
}
