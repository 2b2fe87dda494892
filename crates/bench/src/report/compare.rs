//! A report beside an earlier one.

use serde::Serialize;

use super::Report;
use crate::figure::Figure;

/// By how much a figure may be worse before it counts, as a share: less than that is the machine's mood.
const TOLERANCE: f64 = 0.10;

/// One figure in both reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What was measured.
    pub workload: String,
    /// Then.
    pub before: f64,
    /// Now.
    pub now: f64,
    /// Of both.
    pub unit: String,
    /// How much worse it is, as a share; negative where it is better.
    pub worse_by: f64,
    /// Whether it counts: worse by more than a tenth, and outside the spread of then.
    pub is_regression: bool,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Figures that are in both and can be compared, in the order of now.
    pub changes: Vec<Change>,
    /// Figures of then that are not in this report, or were measured on another machine and are no ratios.
    pub not_compared: Vec<String>,
}

impl Comparison {
    /// This report beside an earlier one. Times are compared on the same kind of machine alone, ratios always; nothing is
    /// compared that was measured on data of another size.
    #[must_use]
    pub fn of(now: &Report, before: &Report) -> Self {
        let same_machine = now.machine.processor == before.machine.processor
            && now.machine.cores == before.machine.cores;
        let same_data = now.options.rows() == before.options.rows()
            && now.options.sizes() == before.options.sizes()
            && now.options.unit == before.options.unit;
        let comparable = |figure: &Figure| same_data && (same_machine || figure.is_ratio());
        let (mut changes, mut not_compared) = (Vec::new(), Vec::new());
        for figure in before.figures() {
            let found = now.figures().find(|of| of.workload == figure.workload);
            match found.filter(|_| comparable(figure)) {
                Some(found) => changes.push(change(found, figure)),
                None => not_compared.push(figure.workload.clone()),
            }
        }
        Self {
            changes,
            not_compared,
        }
    }

    /// What became worse.
    pub fn regressions(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.is_regression)
    }

    /// A line for each figure.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |change: &Change| {
            format!(
                "{:<12} {}: {:.3} → {:.3} {} ({:+.0} %)\n",
                if change.is_regression {
                    "REGRESSION"
                } else {
                    ""
                },
                change.workload,
                change.before,
                change.now,
                change.unit,
                change.worse_by * 100.0
            )
        };
        let mut text: String = self.changes.iter().map(line).collect();
        for workload in &self.not_compared {
            text += &format!("{:<12} {workload}\n", "not compared");
        }
        text
    }
}

fn change(now: &Figure, before: &Figure) -> Change {
    let worse_by = match now.less_is_better {
        true => now.measured / before.measured - 1.0,
        false => before.measured / now.measured - 1.0,
    };
    let outside = match now.less_is_better {
        true => now.measured > before.high,
        false => now.measured < before.low,
    };
    Change {
        workload: now.workload.clone(),
        before: before.measured,
        now: now.measured,
        unit: now.unit.clone(),
        worse_by,
        is_regression: worse_by > TOLERANCE && outside,
    }
}
