//! What a query would make, told before it is run: from manifests and the policy alone.

use std::sync::Arc;

use weir_api::v1::Estimate;
use weir_catalogue::Manifest;
use weir_gate::share_withheld;
use weir_inside::{Depth, Plan, Query, RelationSource, Sources, described_table};
use weir_policy::Policy;

use crate::budgets::{self, Asks};
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::policies;
use crate::release::{Found, find, relation};
use crate::usage::{self, Basis};

/// Estimates a query. No snapshot is opened; of the data nothing but the number of units is used, as coarse as the catalogue
/// shows it.
pub(crate) async fn estimate(
    domain: &Arc<Domain>,
    sql: &str,
    snapshots: &[String],
) -> Result<Estimate, Fault> {
    let (plan, policy, units, basis) = described_plan(domain, sql, snapshots).await?;
    let asks = Asks::of(domain, &plan, &policy, &basis, String::new()).await;
    // A run that is refused for its size is told so by the numbers.
    let budgets = match &asks {
        Ok(asks) => budgets::left(domain, asks).await?,
        Err(_) => Vec::new(),
    };
    let code = plan.code(basis.rows_most(), &policy);
    let cells = plan.cells_declared();
    let share = cells.map(|cells| share_withheld(cells, units.unwrap_or(0), policy.units_min()));
    Ok(Estimate {
        cells_declared: cells,
        cells_max: policy.cells_max(),
        units_min: policy.units_min(),
        withheld_share_even: share.map(|share| share.even),
        withheld_share_skewed: share.map(|share| share.skewed),
        policy: policy.name(),
        policy_digest: policy.digest(),
        bits_min: code.bits_min(),
        bits_max: code
            .bits_max()
            .min(policy.bits_run_max().max(code.bits_min())),
        bits_run_max: policy.bits_run_max(),
        is_chosen: plan.is_chosen(),
        budgets,
    })
}

/// A query's plan as it would be, the policy in force for what it reads, the number of units, coarse, and what it is charged
/// by.
pub(crate) async fn described_plan(
    domain: &Arc<Domain>,
    sql: &str,
    snapshots: &[String],
) -> Result<(Plan, Policy, Option<u64>, Basis), Fault> {
    let query = Query::parse(sql)?;
    let mut found = Vec::new();
    for reading in query.readings() {
        found.push(find(domain, reading, snapshots).await?);
    }
    let names: Vec<String> = found
        .iter()
        .map(|found| found.dataset.name.clone())
        .collect();
    let units = found.iter().map(|found| coarse(found.dataset.units)).min();
    let policy = policies::policy_in_force(domain, &names).await?;
    let basis = usage::basis(domain, &found).await?;
    let described = Arc::clone(domain);
    let relations = tokio::task::spawn_blocking(move || {
        let relations = found.into_iter().map(|found| describe(&described, found));
        relations.collect::<Result<Vec<_>, Fault>>()
    })
    .await
    .map_err(|_| panicked())??;
    let plan = Plan::new(&query, &Sources { relations }, Depth::of(&policy))?;
    Ok((plan, policy, units, basis))
}

fn describe(domain: &Domain, found: Found) -> Result<RelationSource, Fault> {
    let manifest = Manifest::from_toml(&found.dataset.manifest_toml, "the stored manifest")?;
    let stored = manifest
        .stored()
        .into_iter()
        .map(|at| &manifest.columns()[at]);
    let columns: Vec<_> = stored
        .map(|column| (column.name.clone(), column.kind.data_type()))
        .collect();
    let table = described_table(manifest.units().len(), &columns);
    relation(domain, found, &manifest, table)
}

/// Two digits of a number of units, rounded down: whether one unit more or less is there must not show.
pub(crate) fn coarse(units: i64) -> u64 {
    let units = u64::try_from(units).unwrap_or(0);
    let mut step = 1;
    while units / step >= 100 {
        step *= 10;
    }
    units / step * step
}

#[cfg(test)]
mod tests {
    use super::coarse;

    #[test]
    fn units_are_told_to_two_digits() {
        assert_eq!(
            [0, 7, 99, 100, 4_043, 7_500_000, -1].map(coarse),
            [0, 7, 99, 100, 4_000, 7_500_000, 0]
        );
    }
}
