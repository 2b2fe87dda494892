//! What releases are made from: texts under their digests, and which of them a run's computation began with.

use sqlx::{FromRow, QueryBuilder};

use crate::database::Registry;
use crate::error::RegistryError;

/// A text that is kept under its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptText {
    /// Digest of the text.
    pub digest: String,
    /// What it is.
    pub kind: KeptKind,
    /// The text.
    pub text: Vec<u8>,
}

/// What a kept text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptKind {
    /// What a run computes from: the digests of everything else.
    Basis,
    /// A manifest as it was handed in.
    Manifest,
    /// A policy, folded, in its canonical form.
    Policy,
    /// A request: its SQL, and the snapshots it pins.
    Request,
}

impl KeptKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Basis => "basis",
            Self::Manifest => "manifest",
            Self::Policy => "policy",
            Self::Request => "request",
        }
    }
}

/// That a run began to compute from a basis.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct BasisRecord {
    /// The entry of the log that has the basis's digest.
    pub log_index: i64,
    /// The run's id.
    pub run: String,
    /// Digest of its request.
    pub request_digest: String,
    /// Digest of the basis.
    pub basis: String,
}

impl Registry {
    /// Keeps what a run computes from: every text of it, those that are there already included. All or nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_basis(
        &self,
        basis: &BasisRecord,
        texts: &[KeptText],
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        if !texts.is_empty() {
            let mut all = QueryBuilder::new("INSERT INTO kept_texts (digest, kind, text) ");
            all.push_values(texts, |mut row, kept| {
                row.push_bind(&kept.digest)
                    .push_bind(kept.kind.as_str())
                    .push_bind(&kept.text);
            });
            all.push(" ON CONFLICT (digest) DO NOTHING");
            all.build().execute(&mut *transaction).await?;
        }
        sqlx::query(
            "INSERT INTO bases (log_index, run, request_digest, basis) VALUES (?, ?, ?, ?) \
             ON CONFLICT (log_index) DO NOTHING",
        )
        .bind(basis.log_index)
        .bind(&basis.run)
        .bind(&basis.request_digest)
        .bind(&basis.basis)
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await
    }

    /// The basis of a run's last computation that began before an entry of the log.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn basis_before(
        &self,
        run: &str,
        log_index: i64,
    ) -> Result<Option<BasisRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM bases WHERE run = ? AND log_index < ? ORDER BY log_index DESC LIMIT 1",
        )
        .bind(run)
        .bind(log_index)
        .fetch_optional(self.pool())
        .await?)
    }

    /// The text under a digest. Whoever uses it computes the digest again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn kept_text(&self, digest: &str) -> Result<Option<Vec<u8>>, RegistryError> {
        Ok(
            sqlx::query_scalar("SELECT text FROM kept_texts WHERE digest = ?")
                .bind(digest)
                .fetch_optional(self.pool())
                .await?,
        )
    }
}
