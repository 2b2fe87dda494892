//! Budgets over everybody who asks: what runs may say of a dataset, or of a population.
//!
//! A run reserves what it could say before it reads, in one transaction with what its grants are charged, and is refused
//! where that is not there. Once it is answered, what it did not say is given back; what it reserved and never answered stays
//! charged.

use sqlx::SqliteConnection;

use crate::charges::{Allowance, Charge, ChargedRun, UsedUp, charge_one};
use crate::database::{Registry, Writing};
use crate::error::RegistryError;

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// Bits that the releases of a dataset can carry.
    Bits,
    /// Of those, bits of releases whose cells a literal in the query chooses.
    ChosenBits,
    /// Privacy loss of a population, in millionths.
    Epsilon,
}

/// A budget, and all that it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What it counts.
    pub kind: BudgetKind,
    /// The dataset or the population.
    pub of: String,
    /// Everything that may ever be charged to it.
    pub allows: i64,
}

/// What a run reserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation<'a> {
    /// What it is charged, of bits the least that it can do with.
    pub charge: &'a Charge,
    /// The most bits that it takes where they are there.
    pub bits_most: i64,
    /// Digest of what is asked.
    pub question: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It is charged, and may say so many bits.
    Bits(i64),
    /// A quota of a grant does not allow it, and nothing is charged.
    Quota(UsedUp),
    /// A budget does not allow it, and nothing is charged.
    Budget(Budget),
}

impl BudgetKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Bits => "bits",
            Self::ChosenBits => "chosen_bits",
            Self::Epsilon => "epsilon_millionths",
        }
    }

    const fn amount(self, charge: &Charge) -> i64 {
        match self {
            Self::Bits | Self::ChosenBits => charge.bits_out,
            Self::Epsilon => charge.epsilon_millionths,
        }
    }
}

impl Registry {
    /// What is charged to a budget.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn budget_use(&self, kind: BudgetKind, of: &str) -> Result<i64, RegistryError> {
        let mut connection = self.pool().acquire().await?;
        used(&mut connection, kind, of).await
    }

    /// Whether the very same was asked and answered before.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn was_answered(&self, question: &str) -> Result<bool, RegistryError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM budget_uses WHERE question = ? AND answered = 1 LIMIT 1",
        )
        .bind(question)
        .fetch_optional(self.pool())
        .await?;
        Ok(found.is_some())
    }

    /// Charges a run to grants and budgets, all of them or none. It gets the bits that it can do with, and up to half of what
    /// is left everywhere beside them, up to the most it takes. What was charged for the same run and request already counts once.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reserve(
        &self,
        allowances: &[Allowance],
        budgets: &[Budget],
        of: ChargedRun<'_>,
        asked: Reservation<'_>,
    ) -> Result<Reserved, RegistryError> {
        let mut transaction = self.begin().await?;
        let grant = allowances.first().map_or("", |own| own.grant.as_str());
        let mut left = i64::MAX;
        for allowance in allowances {
            let charged = charge_one(&mut transaction, allowance, of, asked.charge).await?;
            if let Some(quota) = allowance.over(&charged) {
                transaction.rollback();
                let grant = allowance.grant.clone();
                return Ok(Reserved::Quota(UsedUp { grant, quota }));
            }
            if let Some(quota) = allowance.bits() {
                left = left.min(quota - charged.charged.bits_out);
            }
        }
        for budget in budgets {
            let amount = budget.kind.amount(asked.charge);
            begin_one(
                &mut transaction,
                budget,
                grant,
                of,
                (asked.question, amount),
            )
            .await?;
            let rest = budget.allows - used(&mut transaction, budget.kind, &budget.of).await?;
            if rest < 0 {
                transaction.rollback();
                return Ok(Reserved::Budget(budget.clone()));
            }
            if budget.kind != BudgetKind::Epsilon {
                left = left.min(rest);
            }
        }
        // Half of what is left, so that others can run meanwhile.
        let more = (left / 2).min(asked.bits_most - asked.charge.bits_out);
        let bits = asked.charge.bits_out + more.max(0);
        let grants: Vec<&str> = allowances.iter().map(|of| of.grant.as_str()).collect();
        raise(&mut transaction, &grants, of, bits).await?;
        self.commit(transaction).await?;
        Ok(Reserved::Bits(bits))
    }

    /// Writes down how a run ended that said so many bits, and gives back those that it did not say: unless it began before
    /// and nobody knows what was said then. Where it was `answered`, the same question is free from now on; where it was not,
    /// its table waits, and what it reserves once more counts once.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle(
        &self,
        grants: &[&str],
        of: ChargedRun<'_>,
        bits: i64,
        answered: bool,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        settle_one(&mut transaction, grants, of, (bits, answered)).await?;
        self.commit(transaction).await
    }
}

/// The same, in a transaction with more.
pub(crate) async fn settle_one(
    transaction: &mut Writing,
    grants: &[&str],
    of: ChargedRun<'_>,
    (bits, answered): (i64, bool),
) -> Result<(), RegistryError> {
    let own = grants.first().copied().unwrap_or_default();
    for grant in grants {
        sqlx::query(
                "UPDATE grant_uses SET bits_out = min(bits_out, ?1) WHERE grant_id = ?2 AND run = ?3 AND request_digest = ?4 \
                 AND NOT EXISTS (SELECT 1 FROM budget_uses WHERE grant_id = ?5 AND run = ?3 AND request_digest = ?4 \
                 AND begun > 1)",
            )
            .bind(bits)
            .bind(grant)
            .bind(of.run)
            .bind(of.request_digest)
            .bind(own)
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query(
            "UPDATE budget_uses SET answered = max(answered, ?1), amount = CASE WHEN begun = 1 AND budget <> 'epsilon_millionths' \
             THEN min(amount, ?2) ELSE amount END, begun = CASE WHEN begun = 1 THEN 0 ELSE begun END \
             WHERE grant_id = ?3 AND run = ?4 AND request_digest = ?5",
        )
        .bind(answered)
        .bind(bits)
        .bind(own)
        .bind(of.run)
        .bind(of.request_digest)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn used(
    connection: &mut SqliteConnection,
    kind: BudgetKind,
    of: &str,
) -> Result<i64, RegistryError> {
    let used = sqlx::query_scalar("SELECT amount FROM budget_totals WHERE budget = ? AND of = ?")
        .bind(kind.name())
        .bind(of);
    Ok(used.fetch_optional(connection).await?.unwrap_or(0))
}

async fn begin_one(
    transaction: &mut Writing,
    budget: &Budget,
    grant: &str,
    of: ChargedRun<'_>,
    (question, amount): (&str, i64),
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO budget_uses (budget, of, grant_id, run, request_digest, question, amount, begun, charged_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET amount = max(amount, excluded.amount), \
         question = excluded.question, begun = begun + 1",
    )
    .bind(budget.kind.name())
    .bind(&budget.of)
    .bind(grant)
    .bind(of.run)
    .bind(of.request_digest)
    .bind(question)
    .bind(amount)
    .bind(of.at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Raises a run's bits to what it got.
async fn raise(
    transaction: &mut Writing,
    grants: &[&str],
    of: ChargedRun<'_>,
    bits: i64,
) -> Result<(), RegistryError> {
    let own = grants.first().copied().unwrap_or_default();
    sqlx::query(
        "UPDATE budget_uses SET amount = max(amount, ?) WHERE grant_id = ? AND run = ? AND request_digest = ? \
         AND budget <> 'epsilon_millionths'",
    )
    .bind(bits)
    .bind(own)
    .bind(of.run)
    .bind(of.request_digest)
    .execute(&mut **transaction)
    .await?;
    for grant in grants {
        sqlx::query(
            "UPDATE grant_uses SET bits_out = max(bits_out, ?) WHERE grant_id = ? AND run = ? AND request_digest = ?",
        )
        .bind(bits)
        .bind(grant)
        .bind(of.run)
        .bind(of.request_digest)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
