//! What an operator may know of a dataset's quality.
//!
//! **The rule.** Shares are rounded to the nearest 5 %. Nothing is told of a dataset with fewer than
//! [`UNITS_PER_STEP`] × `units_min` units, `units_min` being the policy's threshold for a cell: so a step of a share
//! stands, on average, for at least as many units as a released cell. Nothing is told of identifiers and of columns on
//! the negative list. Counts, distinct values and the newest value, which is one unit's, are not told at all.

use super::{QualityReport, share};
use crate::Manifest;

/// Steps in a whole: shares are multiples of 1/20.
pub const UNITS_PER_STEP: u64 = 20;

/// A quality report for an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct CoarseQuality {
    /// By column.
    pub columns: Vec<CoarseColumn>,
    /// By rule.
    pub rules: Vec<CoarseRule>,
}

/// A column's quality, in shares that are multiples of 0.05.
#[derive(Debug, Clone, PartialEq)]
pub struct CoarseColumn {
    /// The column's name.
    pub name: String,
    /// Share of rows that have a value.
    pub completeness: f64,
    /// Share of values inside the declared domain or bounds.
    pub validity: Option<f64>,
}

/// A rule's quality, in a share that is a multiple of 0.05.
#[derive(Debug, Clone, PartialEq)]
pub struct CoarseRule {
    /// What the rule says.
    pub description: String,
    /// Share of rows that keep it.
    pub consistency: f64,
}

impl QualityReport {
    /// What an operator may know; `None` where the dataset has too few units to tell anything.
    pub fn coarse(&self, manifest: &Manifest, units: u64, units_min: u64) -> Option<CoarseQuality> {
        if units < units_min.max(1).saturating_mul(UNITS_PER_STEP) {
            return None;
        }
        let shown = |column: usize| manifest.columns()[column].is_readable();
        let columns = self
            .columns
            .iter()
            .filter(|column| {
                manifest
                    .column(&column.name)
                    .is_some_and(crate::Column::is_readable)
            })
            .map(|column| CoarseColumn {
                name: column.name.clone(),
                completeness: step(column.completeness(self.rows)),
                validity: column.validity(self.rows).map(step),
            })
            .collect();
        let rules = manifest
            .rules()
            .iter()
            .zip(&self.rules)
            // A rule that few rows were held against would tell of these few.
            .filter(|(rule, quality)| {
                shown(rule.left) && shown(rule.right) && share(quality.checked, self.rows) > 0.5
            })
            .map(|(_, quality)| CoarseRule {
                description: quality.description.clone(),
                consistency: step(quality.consistency()),
            })
            .collect();
        Some(CoarseQuality { columns, rules })
    }
}

/// The nearest multiple of 1/20.
fn step(share: f64) -> f64 {
    let steps = UNITS_PER_STEP as f64;
    (share * steps).round() / steps
}
