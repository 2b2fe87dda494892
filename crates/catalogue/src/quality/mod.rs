//! The quality of a dataset in numbers, by the dimensions of GB/T 36344-2018.
//!
//! | dimension | 中文 | number |
//! |---|---|---|
//! | completeness | 完整性 | share of rows that have a value, by column |
//! | uniqueness | 唯一性 | distinct values among the rows that have one, by column; distinct rows |
//! | validity (accuracy against what is declared) | 准确性 | share of values inside the declared domain or bounds, by column |
//! | consistency | 一致性 | share of rows that keep a declared rule between two columns |
//! | timeliness | 时效性 | newest value of the time column, against the promised frequency |
//!
//! Everything is one pass over the rows in the order of the file, in bounded memory ([`Collector`]). Counts are exact,
//! except distinct values beyond [`crate::limits::DISTINCT_EXACT_MAX`] ([`Distinct`] says which).

mod check;
mod coarse;
mod collect;
mod distinct;
#[cfg(test)]
mod tests;

pub use coarse::{CoarseColumn, CoarseQuality, CoarseRule, UNITS_PER_STEP};
pub use collect::Collector;
use serde::{Deserialize, Serialize};

/// What a registration found. Exact: for the bureau.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityReport {
    /// Rows of the source, those without a unit included.
    pub rows: u64,
    /// Distinct rows, identifiers included.
    pub distinct_rows: Distinct,
    /// By column, in the manifest's order.
    pub columns: Vec<ColumnQuality>,
    /// By rule, in the manifest's order.
    pub rules: Vec<RuleQuality>,
    /// The time column's newest value, in milliseconds since 1970-01-01 UTC; `None` without such a column or value.
    pub newest_unix_ms: Option<i64>,
}

/// A column's quality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnQuality {
    /// The column's name.
    pub name: String,
    /// Rows without a value.
    pub missing: u64,
    /// Distinct values.
    pub distinct: Distinct,
    /// Values outside the declared domain or bounds; `None` where nothing is declared.
    pub outside: Option<u64>,
}

/// A rule's quality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleQuality {
    /// What the rule says.
    pub description: String,
    /// Rows that have both values.
    pub checked: u64,
    /// Rows among them that break the rule.
    pub broken: u64,
}

/// A number of distinct values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    /// How many.
    pub count: u64,
    /// Whether it was counted. Otherwise it is estimated from the smallest hashes (bottom-k, Bar-Yossef et al. 2002),
    /// with a standard error of `1/√k`.
    pub exact: bool,
}

impl QualityReport {
    /// Days from the newest value to the registration; `None` without a newest value.
    pub fn age_days(&self, registered_unix_ms: i64) -> Option<i64> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        self.newest_unix_ms
            .map(|newest| registered_unix_ms.saturating_sub(newest).div_euclid(DAY_MS))
    }
}

impl ColumnQuality {
    /// Share of rows that have a value, from 0 to 1.
    pub fn completeness(&self, rows: u64) -> f64 {
        share(rows - self.missing.min(rows), rows)
    }

    /// Distinct values for each row that has one, from 0 to 1.
    pub fn uniqueness(&self, rows: u64) -> f64 {
        share(self.distinct.count, rows - self.missing.min(rows)).min(1.0)
    }

    /// Share of values inside the declared domain or bounds, from 0 to 1.
    pub fn validity(&self, rows: u64) -> Option<f64> {
        let values = rows - self.missing.min(rows);
        self.outside
            .map(|outside| share(values - outside.min(values), values))
    }
}

impl RuleQuality {
    /// Share of the checked rows that keep the rule, from 0 to 1.
    pub fn consistency(&self) -> f64 {
        share(self.checked - self.broken.min(self.checked), self.checked)
    }
}

/// `part` of `whole`; all of nothing is 1: no row is wrong where there is none.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}
