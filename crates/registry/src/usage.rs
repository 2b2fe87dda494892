//! What was used, as the log says it: a projection that can be thrown away and read out again.

use sqlx::FromRow;

use crate::database::{Registry, Writing};
use crate::error::RegistryError;

/// What an entry of the log says of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageFact {
    /// A run was charged for what it was about to read.
    Charged {
        /// Whose run, and for what.
        run: UsageRun,
        /// The product it was part of; empty for none.
        product: String,
        /// The grant it read under.
        grant: String,
        /// As in `2026-11`, UTC.
        month: String,
        /// Each dataset once.
        reads: Vec<UsageRead>,
    },
    /// A run released cells.
    Released {
        /// The run.
        run: UsageRun,
        /// How many.
        cells: i64,
    },
    /// A snapshot was stored.
    Stored {
        /// Its id.
        snapshot: String,
        /// Whose snapshot it is.
        dataset: String,
        /// Its rows.
        rows: i64,
        /// RFC 3339.
        at: String,
    },
    /// A snapshot was destroyed.
    Destroyed {
        /// Its id.
        snapshot: String,
        /// RFC 3339.
        at: String,
    },
}

/// What makes a charge the same one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageRun {
    /// The organisation that ran it.
    pub operator: String,
    /// The run's id.
    pub run: String,
    /// Digest of the request.
    pub request_digest: String,
}

/// What a run was charged for one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRead {
    /// The dataset.
    pub dataset: String,
    /// Whose it is; empty where the manifest names nobody.
    pub provider: String,
    /// Rows.
    pub rows: i64,
    /// Bytes.
    pub bytes: i64,
    /// Millions of instructions.
    pub fuel: i64,
}

/// What was used of one dataset by one operator for one product in one month.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct UsageLine {
    /// As in `2026-11`, UTC.
    pub month: String,
    /// The organisation that ran.
    pub operator: String,
    /// Whose dataset it is; empty for nobody.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
    /// The product; empty for none.
    pub product: String,
    /// Runs that read it.
    pub runs: i64,
    /// Rows charged.
    pub rows: i64,
    /// Bytes charged.
    pub bytes: i64,
    /// Millions of instructions charged.
    pub fuel: i64,
    /// Cells of releases it is part of.
    pub cells: i64,
    /// Releases it is part of.
    pub releases: i64,
}

/// How long a snapshot was stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredSpan {
    /// The snapshot.
    pub snapshot: String,
    /// Whose snapshot it is.
    pub dataset: String,
    /// Its rows.
    pub rows: i64,
    /// RFC 3339.
    pub stored_at: String,
    /// RFC 3339; `None` while it is stored.
    pub destroyed_at: Option<String>,
}

impl Registry {
    /// How many entries of the log were read out so far.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn usage_read_to(&self) -> Result<u64, RegistryError> {
        let entries: i64 = sqlx::query_scalar("SELECT entries FROM usage_cursor")
            .fetch_one(self.pool())
            .await?;
        Ok(entries.unsigned_abs())
    }

    /// Takes over what the entries from `from` up to, and without, `to` say. Says whether it did: not where another has
    /// read on from `from` already.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_usage(
        &self,
        (from, to): (u64, u64),
        facts: &[UsageFact],
    ) -> Result<bool, RegistryError> {
        let mut transaction = self.begin().await?;
        let moved = sqlx::query("UPDATE usage_cursor SET entries = ? WHERE entries = ?")
            .bind(to.cast_signed())
            .bind(from.cast_signed())
            .execute(&mut *transaction)
            .await?;
        if moved.rows_affected() != 1 {
            return Ok(false);
        }
        for fact in facts {
            add(&mut transaction, fact).await?;
        }
        self.commit(transaction).await?;
        Ok(true)
    }

    /// Throws away what was read out of the log: it is read again from its beginning.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_usage(&self) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        for statement in [
            "DELETE FROM usage_reads",
            "DELETE FROM usage_storage",
            "UPDATE usage_cursor SET entries = 0",
        ] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        self.commit(transaction).await
    }

    /// What was used in the months from `from` to `to`, both included.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn usage(&self, from: &str, to: &str) -> Result<Vec<UsageLine>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT month, operator, provider, dataset, product, COUNT(*) AS runs, SUM(rows) AS rows, SUM(bytes) AS bytes, \
             SUM(fuel) AS fuel, SUM(cells) AS cells, SUM(releases) AS releases FROM usage_reads \
             WHERE month >= ? AND month <= ? GROUP BY month, operator, provider, dataset, product \
             ORDER BY month, operator, provider, dataset, product",
        )
        .bind(from)
        .bind(to)
        .fetch_all(self.pool())
        .await?)
    }

    /// Every snapshot that was ever stored, by dataset and time.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn stored_spans(&self) -> Result<Vec<StoredSpan>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM usage_storage ORDER BY dataset, stored_at, snapshot")
                .fetch_all(self.pool())
                .await?,
        )
    }
}

async fn add(transaction: &mut Writing, fact: &UsageFact) -> Result<(), RegistryError> {
    match fact {
        UsageFact::Charged {
            run,
            product,
            grant,
            month,
            reads,
        } => {
            for read in reads {
                sqlx::query(
                    "INSERT INTO usage_reads (operator, run, request_digest, dataset, provider, product, grant_id, month, \
                     rows, bytes, fuel) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                )
                .bind(&run.operator)
                .bind(&run.run)
                .bind(&run.request_digest)
                .bind(&read.dataset)
                .bind(&read.provider)
                .bind(product)
                .bind(grant)
                .bind(month)
                .bind(read.rows)
                .bind(read.bytes)
                .bind(read.fuel)
                .execute(&mut **transaction)
                .await?;
            }
        }
        // A decision whose answer was lost is made and recorded again: it counts once.
        UsageFact::Released { run, cells } => {
            sqlx::query(
                "UPDATE usage_reads SET releases = 1, cells = max(cells, ?) \
                 WHERE operator = ? AND run = ? AND request_digest = ?",
            )
            .bind(cells)
            .bind(&run.operator)
            .bind(&run.run)
            .bind(&run.request_digest)
            .execute(&mut **transaction)
            .await?;
        }
        UsageFact::Stored {
            snapshot,
            dataset,
            rows,
            at,
        } => {
            sqlx::query(
                "INSERT INTO usage_storage (snapshot, dataset, rows, stored_at) VALUES (?, ?, ?, ?) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(snapshot)
            .bind(dataset)
            .bind(rows)
            .bind(at)
            .execute(&mut **transaction)
            .await?;
        }
        UsageFact::Destroyed { snapshot, at } => {
            sqlx::query(
                "UPDATE usage_storage SET destroyed_at = ? WHERE snapshot = ? AND destroyed_at IS NULL",
            )
            .bind(at)
            .bind(snapshot)
            .execute(&mut **transaction)
            .await?;
        }
    }
    Ok(())
}
