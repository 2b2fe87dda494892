//! Usage by month, for whoever asks: everything, what one's datasets were used for, or what one used oneself.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use weir_catalogue::Manifest;
use weir_registry::{Role, UsageLine};

use super::catch_up;
use super::charge::coarse;
use super::month::{self, Month};
use super::prices::Quantities;
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// What lines are told apart by, beside the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Operator,
    Provider,
    Dataset,
    Product,
}

/// What a line is about. What lines are not told apart by is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Key {
    pub(crate) month: String,
    pub(crate) operator: String,
    pub(crate) provider: String,
    pub(crate) dataset: String,
    pub(crate) product: String,
}

/// What was used, what it costs, and who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) runs: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) fuel: u64,
    pub(crate) cells: u64,
    pub(crate) releases: u64,
    pub(crate) row_days: u64,
    /// What the operator is charged; of a line without an operator, what keeping the data costs.
    pub(crate) charge: u64,
    pub(crate) shares: BTreeMap<String, u64>,
}

/// A report.
pub(crate) struct Report {
    pub(crate) lines: BTreeMap<Key, Sum>,
    pub(crate) total: Sum,
    /// Entries of the log that it was made from.
    pub(crate) entries: u64,
}

/// What was used from month to month, as far as the caller may see it.
///
/// Prices and shares are of a line as fine as lines get; coarser lines are sums of these, so that no total depends on how
/// it is looked at.
pub(crate) async fn report(
    domain: &Domain,
    caller: &Caller,
    (from, to): (&str, &str),
    by: &[By],
    now: DateTime<Utc>,
) -> Result<Report, Fault> {
    let months = month::asked(from, to, now)?;
    let entries = catch_up(domain).await?;
    let (mut lines, mut total) = (BTreeMap::<Key, Sum>::new(), Sum::default());
    let mut finest = used(domain, &months).await?;
    finest.extend(stored(domain, &months, now.date_naive()).await?);
    for (key, quantities) in finest {
        if !may_see(caller, &key) {
            continue;
        }
        let sum = priced(domain, caller, &key, &quantities);
        total.add(&sum);
        lines.entry(key.only(by)).or_default().add(&sum);
    }
    Ok(Report {
        lines,
        total,
        entries,
    })
}

fn may_see(caller: &Caller, key: &Key) -> bool {
    match caller.role {
        Role::Bureau | Role::Auditor => true,
        Role::Provider => key.provider == caller.organisation,
        Role::Operator => key.operator == caller.organisation,
    }
}

/// What a line costs, and of its shares those that concern the caller.
fn priced(domain: &Domain, caller: &Caller, key: &Key, used: &Quantities) -> Sum {
    let list = domain.config.usage.in_month(&key.month);
    let charge = list.map_or(0, |list| list.prices.of(used));
    let mut shares = match list {
        Some(list) if !key.operator.is_empty() => list.shared(charge, &key.provider),
        _ => BTreeMap::new(),
    };
    match caller.role {
        Role::Bureau | Role::Auditor => {}
        Role::Provider => shares.retain(|party, _| *party == caller.organisation),
        Role::Operator => shares.clear(),
    }
    Sum {
        runs: used.runs,
        rows: used.rows,
        bytes: used.bytes,
        fuel: used.fuel,
        cells: used.cells,
        releases: used.releases,
        row_days: used.row_days,
        charge,
        shares,
    }
}

/// What runs used.
async fn used(domain: &Domain, months: &[Month]) -> Result<Vec<(Key, Quantities)>, Fault> {
    let named = |month: Option<&Month>| month.map(Month::to_string).unwrap_or_default();
    let (from, to) = (named(months.first()), named(months.last()));
    let lines = domain.registry.usage(&from, &to).await?;
    Ok(lines.into_iter().map(line).collect())
}

fn line(line: UsageLine) -> (Key, Quantities) {
    let key = Key {
        month: line.month,
        operator: line.operator,
        provider: line.provider,
        dataset: line.dataset,
        product: line.product,
    };
    let used = Quantities {
        runs: line.runs.unsigned_abs(),
        rows: line.rows.unsigned_abs(),
        bytes: line.bytes.unsigned_abs(),
        fuel: line.fuel.unsigned_abs(),
        cells: line.cells.unsigned_abs(),
        releases: line.releases.unsigned_abs(),
        row_days: 0,
    };
    (key, used)
}

/// What was stored: rows for days, each day of a month that has begun.
async fn stored(
    domain: &Domain,
    months: &[Month],
    today: NaiveDate,
) -> Result<Vec<(Key, Quantities)>, Fault> {
    let mut providers = BTreeMap::new();
    for dataset in domain.registry.datasets().await? {
        let manifest = Manifest::from_toml(&dataset.manifest_toml, "the stored manifest")?;
        let provider = manifest.terms().provider.clone().unwrap_or_default();
        providers.insert(dataset.name, provider);
    }
    let mut lines = Vec::new();
    for span in domain.registry.stored_spans().await? {
        let from = day(&span.stored_at);
        let to = span.destroyed_at.as_deref().map_or(today, day).min(today);
        for month in months {
            let days = month.days_between(from, to);
            if days == 0 {
                continue;
            }
            let key = Key {
                month: month.to_string(),
                provider: providers.get(&span.dataset).cloned().unwrap_or_default(),
                dataset: span.dataset.clone(),
                ..Key::default()
            };
            let row_days = coarse(span.rows.unsigned_abs()).saturating_mul(days);
            let used = Quantities {
                row_days,
                ..Quantities::default()
            };
            lines.push((key, used));
        }
    }
    Ok(lines)
}

/// The day of a moment that was written by this server.
fn day(at: &str) -> NaiveDate {
    DateTime::parse_from_rfc3339(at).map_or(NaiveDate::MAX, |at| at.to_utc().date_naive())
}

impl Key {
    fn only(&self, by: &[By]) -> Self {
        let kept = |one: By, text: &String| match by.contains(&one) {
            true => text.clone(),
            false => String::new(),
        };
        Self {
            month: self.month.clone(),
            operator: kept(By::Operator, &self.operator),
            provider: kept(By::Provider, &self.provider),
            dataset: kept(By::Dataset, &self.dataset),
            product: kept(By::Product, &self.product),
        }
    }
}

impl Sum {
    fn add(&mut self, other: &Self) {
        for (own, more) in [
            (&mut self.runs, other.runs),
            (&mut self.rows, other.rows),
            (&mut self.bytes, other.bytes),
            (&mut self.fuel, other.fuel),
            (&mut self.cells, other.cells),
            (&mut self.releases, other.releases),
            (&mut self.row_days, other.row_days),
            (&mut self.charge, other.charge),
        ] {
            *own = own.saturating_add(more);
        }
        for (party, share) in &other.shares {
            let own = self.shares.entry(party.clone()).or_default();
            *own = own.saturating_add(*share);
        }
    }
}
