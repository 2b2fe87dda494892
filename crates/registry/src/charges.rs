//! Charging runs to grants: looked at and charged in one transaction.

use sqlx::FromRow;

use crate::database::{Registry, Writing};
use crate::error::RegistryError;

/// An amount of everything that a quota can bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct Charge {
    /// Cells that are released.
    pub cells: i64,
    /// Bits that a release can carry.
    pub bits_out: i64,
    /// Privacy loss, in millionths.
    pub epsilon_millionths: i64,
    /// Millions of instructions that models may take.
    pub fuel: i64,
    /// Bytes that are read.
    pub bytes: i64,
}

impl Charge {
    /// Each amount with the name of its quota.
    const fn each(&self) -> [(&'static str, i64); 5] {
        [
            ("cells", self.cells),
            ("bits_out", self.bits_out),
            ("epsilon_millionths", self.epsilon_millionths),
            ("fuel", self.fuel),
            ("bytes", self.bytes),
        ]
    }
}

/// What was charged to a grant, all its parts included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct GrantUse {
    /// Runs that began to read.
    pub runs: i64,
    /// The rest.
    #[sqlx(flatten)]
    pub charged: Charge,
}

/// How much may be charged to a grant. What is `None` has no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowance {
    /// The grant.
    pub grant: String,
    /// Runs.
    pub runs: Option<i64>,
    /// In the order and by the names of [`Charge`].
    pub amounts: [Option<i64>; 5],
}

impl Allowance {
    /// Most bits.
    pub(crate) const fn bits(&self) -> Option<i64> {
        let [_, bits, ..] = self.amounts;
        bits
    }

    /// The first quota that this use is over.
    pub(crate) fn over(&self, used: &GrantUse) -> Option<&'static str> {
        if self.runs.is_some_and(|runs| used.runs > runs) {
            return Some("runs");
        }
        let pairs = used.charged.each().into_iter().zip(self.amounts);
        pairs
            .filter(|((_, used), quota)| quota.is_some_and(|quota| *used > quota))
            .map(|((name, _), _)| name)
            .next()
    }
}

/// What a charge is for. Charging the same again changes nothing; charging more for it leaves the larger amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChargedRun<'a> {
    /// The run's id.
    pub run: &'a str,
    /// Digest of the request.
    pub request_digest: &'a str,
    /// RFC 3339.
    pub at: &'a str,
}

/// A grant, and the quota of it that a charge would have been over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedUp {
    /// The grant.
    pub grant: String,
    /// The quota's name.
    pub quota: &'static str,
}

/// Kept by the database itself as charges change.
const USED: &str = "SELECT runs, cells, bits_out, epsilon_millionths, fuel, bytes FROM grant_totals WHERE grant_id = ?";

impl Registry {
    /// What was charged to a grant.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grant_use(&self, grant: &str) -> Result<GrantUse, RegistryError> {
        let used = sqlx::query_as(USED).bind(grant);
        Ok(used.fetch_optional(self.pool()).await?.unwrap_or_default())
    }

    /// Charges a run to grants, all of them or none. What was charged for the same run and request already counts once; of
    /// each amount the largest stays. Where a quota does not allow it nothing is charged, and the quota is told.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn charge_grants(
        &self,
        allowances: &[Allowance],
        of: ChargedRun<'_>,
        charge: &Charge,
    ) -> Result<Option<UsedUp>, RegistryError> {
        let mut transaction = self.begin().await?;
        for allowance in allowances {
            let used = charge_one(&mut transaction, allowance, of, charge).await?;
            if let Some(quota) = allowance.over(&used) {
                transaction.rollback();
                let grant = allowance.grant.clone();
                return Ok(Some(UsedUp { grant, quota }));
            }
        }
        self.commit(transaction).await?;
        Ok(None)
    }

    /// Millions of instructions charged to an organisation's grants since a moment, each run and request once.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn fuel_since(&self, organisation: &str, since: &str) -> Result<i64, RegistryError> {
        Ok(sqlx::query_scalar(
            "SELECT COALESCE(SUM(fuel), 0) FROM (SELECT MAX(grant_uses.fuel) AS fuel FROM grant_uses \
             JOIN grants ON grants.id = grant_uses.grant_id WHERE grants.organisation = ? AND grant_uses.charged_at >= ? \
             GROUP BY grant_uses.run, grant_uses.request_digest)",
        )
        .bind(organisation)
        .bind(since)
        .fetch_one(self.pool())
        .await?)
    }
}

/// Charges a run to a grant, and gives what is charged to it now.
pub(crate) async fn charge_one(
    transaction: &mut Writing,
    allowance: &Allowance,
    of: ChargedRun<'_>,
    charge: &Charge,
) -> Result<GrantUse, RegistryError> {
    // Written before it is looked at: the write has the database to itself until the end, whatever else charges.
    sqlx::query(
        "INSERT INTO grant_uses (grant_id, run, request_digest, cells, bits_out, epsilon_millionths, fuel, bytes, \
         charged_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (grant_id, run, request_digest) DO UPDATE SET \
         cells = max(cells, excluded.cells), bits_out = max(bits_out, excluded.bits_out), \
         epsilon_millionths = max(epsilon_millionths, excluded.epsilon_millionths), \
         fuel = max(fuel, excluded.fuel), bytes = max(bytes, excluded.bytes)",
    )
    .bind(&allowance.grant)
    .bind(of.run)
    .bind(of.request_digest)
    .bind(charge.cells)
    .bind(charge.bits_out)
    .bind(charge.epsilon_millionths)
    .bind(charge.fuel)
    .bind(charge.bytes)
    .bind(of.at)
    .execute(&mut **transaction)
    .await?;
    Ok(sqlx::query_as(USED)
        .bind(&allowance.grant)
        .fetch_one(&mut **transaction)
        .await?)
}
