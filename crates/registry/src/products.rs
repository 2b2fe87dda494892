//! Products and what became of their slots.

use sqlx::FromRow;

use crate::database::Registry;
use crate::error::RegistryError;
use crate::grants::states;

states! {
    /// How far a product is.
    ProductState {
        /// The bureau decides on it.
        Registered = "registered",
        /// It is listed for everybody, and run.
        Approved = "approved",
        /// The bureau refused it.
        Rejected = "rejected",
        /// Its operator or the bureau ended it.
        Retired = "retired",
    }
}

/// A registered query.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ProductRecord {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub organisation: String,
    /// Who registered it.
    pub person: String,
    /// What is reviewed and run, JSON.
    pub terms: String,
    /// Digest of the terms.
    pub digest: String,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: ProductState,
    /// RFC 3339.
    pub registered_at: String,
    /// Who brought it into this state, person and organisation.
    pub changed_by: String,
    /// RFC 3339.
    pub changed_at: String,
    /// Why.
    pub reason: String,
}

/// How the run of a slot ended.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ProductRunRecord {
    /// The product.
    pub name: String,
    /// Digest of its terms.
    pub digest: String,
    /// RFC 3339: when the slot begins.
    pub slot: String,
    /// The run's id.
    pub run: String,
    /// The refusal's code; empty where it was answered.
    pub code: String,
    /// RFC 3339.
    pub ended_at: String,
}

impl Registry {
    /// Records a product or what has become of it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_product(&self, product: &ProductRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO products (name, organisation, person, terms, digest, state, registered_at, changed_by, changed_at, \
             reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET \
             organisation = excluded.organisation, person = excluded.person, terms = excluded.terms, \
             digest = excluded.digest, state = excluded.state, registered_at = excluded.registered_at, \
             changed_by = excluded.changed_by, changed_at = excluded.changed_at, reason = excluded.reason",
        )
        .bind(&product.name)
        .bind(&product.organisation)
        .bind(&product.person)
        .bind(&product.terms)
        .bind(&product.digest)
        .bind(product.state.as_str())
        .bind(&product.registered_at)
        .bind(&product.changed_by)
        .bind(&product.changed_at)
        .bind(&product.reason)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// The product of this name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn product(&self, name: &str) -> Result<Option<ProductRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM products WHERE name = ?")
            .bind(name)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Every product, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn products(&self) -> Result<Vec<ProductRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM products ORDER BY name")
            .fetch_all(self.pool())
            .await?)
    }

    /// Records how the run of a slot ended. The first end stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_product_run(&self, run: &ProductRunRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO product_runs (name, digest, slot, run, code, ended_at) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&run.name)
        .bind(&run.digest)
        .bind(&run.slot)
        .bind(&run.run)
        .bind(&run.code)
        .bind(&run.ended_at)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// The slots of a product that ended, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn product_runs(
        &self,
        name: &str,
        limit: u32,
    ) -> Result<Vec<ProductRunRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM product_runs WHERE name = ? ORDER BY slot DESC, rowid DESC LIMIT ?",
        )
        .bind(name)
        .bind(limit)
        .fetch_all(self.pool())
        .await?)
    }

    /// Whether a slot ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn has_ended(
        &self,
        (name, digest): (&str, &str),
        slot: &str,
    ) -> Result<bool, RegistryError> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) > 0 FROM product_runs WHERE name = ? AND digest = ? AND slot = ?",
        )
        .bind(name)
        .bind(digest)
        .bind(slot)
        .fetch_one(self.pool())
        .await?)
    }
}
