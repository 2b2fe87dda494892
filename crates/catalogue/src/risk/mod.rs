//! Linkage risk (关联风险): how well a few columns that others may know single a unit out.
//!
//! A unit is **unique** on a combination of columns where one of its rows has values there that no other unit's rows
//! have. **k** of a combination is the smallest number of units that share values. A unit's **minimal** uniqueness is on
//! a combination none of whose parts it is unique on; those are what the special uniques detection algorithm counts
//! (SUDA: Elliot, Manning and Ford, "A computational algorithm for handling the special uniques problem", 2002). A missing
//! value is a value like any other.
//!
//! The rows are scanned once or more for each size of combination. What is unique on a part is unique on the whole, so
//! only rows that are unique on no part are counted again. Values are hashed with a random key that lives as long as the
//! assessment; two of `n` combinations are taken for one with a probability of about `n²/2⁶⁵`. Memory is bounded by
//! [`crate::limits::RISK_ENTRIES_MAX`]; combinations that do not fit wait for another scan.

mod assess;
mod feature;
mod tally;
#[cfg(test)]
mod tests;

pub use assess::{Options, Progress, Scan, Visit, assess};
pub use feature::Coarsening;
use serde::{Deserialize, Serialize};

/// What an assessment found. Exact: for the bureau alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskReport {
    /// Rows looked at.
    pub rows: u64,
    /// Distinct units among them.
    pub units: u64,
    /// The columns taken together: all of them.
    pub whole: Combination,
    /// Different combinations of values of all columns.
    pub classes: u64,
    /// Every combination of up to the asked number of columns, the riskiest first: by unique units, then the smaller
    /// combination, then the manifest's order.
    pub combinations: Vec<Combination>,
    /// What one coarser column makes of the whole and of the riskiest combinations.
    pub coarsened: Vec<Coarsened>,
    /// Scans it took.
    pub scans: u32,
}

/// The risk of a combination of columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combination {
    /// Names of the columns, in the manifest's order.
    pub columns: Vec<String>,
    /// Fewest units that share values; 0 where there are no rows.
    pub k: u64,
    /// Units unique on it.
    pub unique_units: u64,
    /// Units among them with a row that is unique on it and on no part of it; `None` for the whole.
    pub minimal_units: Option<u64>,
}

/// The risk of a combination, one of whose columns is coarser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coarsened {
    /// Names of the combination's columns.
    pub columns: Vec<String>,
    /// The column that is coarser.
    pub column: String,
    /// How.
    pub how: Coarsening,
    /// Fewest units that share values then.
    pub k: u64,
    /// Units unique then.
    pub unique_units: u64,
}
