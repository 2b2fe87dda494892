//! Requests that are known by a key that their caller chose, with what they were answered.

use sqlx::FromRow;

use crate::database::{Registry, Statement, Writing};
use crate::error::RegistryError;
use crate::records::IdentityRecord;

/// A request that was begun, and what it was answered.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AnsweredRequest {
    /// The key that its caller chose.
    pub key: String,
    /// The caller's organisation.
    pub organisation: String,
    /// The caller.
    pub person: String,
    /// Digest of what was asked.
    pub digest: String,
    /// Entries of the log when it was begun: what it did is said by later ones.
    pub log_size: i64,
    /// The answer as it was sent; empty until then.
    pub answer: Vec<u8>,
}

impl Registry {
    /// The request that has this key.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn answered_request(
        &self,
        key: &str,
    ) -> Result<Option<AnsweredRequest>, RegistryError> {
        let found = sqlx::query_as("SELECT * FROM answered_requests WHERE key = ?");
        Ok(found.bind(key).fetch_optional(self.pool()).await?)
    }

    /// Keeps a request, and later its answer. The first answer stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_answered_request(
        &self,
        request: &AnsweredRequest,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        write(&mut transaction, request).await?;
        self.commit(transaction).await
    }

    /// Records an identity together with the answer to the request that asked for it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_answered_identity(
        &self,
        identity: &IdentityRecord,
        request: &AnsweredRequest,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        insert_identity(identity).execute(&mut *transaction).await?;
        write(&mut transaction, request).await?;
        self.commit(transaction).await
    }
}

/// Recording the same certificate again changes nothing.
pub(crate) fn insert_identity(identity: &IdentityRecord) -> Statement<'_> {
    sqlx::query(
        "INSERT INTO identities (fingerprint, role, organisation, person, not_after, issued_at) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING",
    )
    .bind(&identity.fingerprint)
    .bind(identity.role.as_str())
    .bind(&identity.organisation)
    .bind(&identity.person)
    .bind(&identity.not_after)
    .bind(&identity.issued_at)
}

async fn write(transaction: &mut Writing, request: &AnsweredRequest) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO answered_requests (key, organisation, person, digest, log_size, answer) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (key) DO UPDATE SET answer = excluded.answer WHERE answered_requests.answer = x''",
    )
    .bind(&request.key)
    .bind(&request.organisation)
    .bind(&request.person)
    .bind(&request.digest)
    .bind(request.log_size)
    .bind(&request.answer)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
