//! The report as JSON: all of it, and the array of what was held against goals.

use std::path::Path;

use serde_json::{Value, json};

use super::Report;
use crate::error::{BenchError, Result, failed};

/// The form that this version writes and reads.
pub(crate) const FORM: u32 = 1;

impl Report {
    /// Everything, with every sample.
    ///
    /// # Errors
    /// `BENCH_FAILED`, which would be a bug.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(failed("writing the report"))
    }

    /// One array of `{workload, measured, goal, unit, ok}`, for what has a goal.
    #[must_use]
    pub fn goals_json(&self) -> Value {
        let held = self.figures().filter_map(|figure| {
            let goal = figure.goal?;
            Some(json!({
                "workload": figure.workload,
                "measured": rounded(figure.measured),
                "goal": goal.limit(),
                "unit": figure.unit,
                "ok": figure.is_ok(),
            }))
        });
        Value::Array(held.collect())
    }

    /// A report of an earlier run.
    ///
    /// # Errors
    /// `BENCH_EARLIER`.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |reason: String| BenchError::Earlier {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let report: Self =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        match report.form {
            FORM => Ok(report),
            other => Err(wrong(format!("its form is {other}, and {FORM} is read"))),
        }
    }
}

/// Four significant digits: more are noise.
fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}
