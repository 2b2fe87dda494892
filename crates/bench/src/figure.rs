//! A figure, what it is held against, and whether it holds.

use serde::{Deserialize, Serialize};

use crate::samples::Samples;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// More than this.
    MoreThan(f64),
}

impl Goal {
    /// Whether a figure meets it. What is no number meets nothing.
    #[must_use]
    pub fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtMost(limit) => measured <= limit,
            Self::AtLeast(limit) => measured >= limit,
            Self::MoreThan(limit) => measured > limit,
        }
    }

    /// The number.
    #[must_use]
    pub const fn limit(self) -> f64 {
        match self {
            Self::AtMost(limit) | Self::AtLeast(limit) | Self::MoreThan(limit) => limit,
        }
    }

    /// As a cell of a table.
    #[must_use]
    pub fn text(self) -> String {
        let sign = match self {
            Self::AtMost(_) => "≤",
            Self::AtLeast(_) => "≥",
            Self::MoreThan(_) => ">",
        };
        format!("{sign} {}", self.limit())
    }
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured; stable, as earlier reports are compared by it.
    pub workload: String,
    /// The median, or the worst of medians where the workload says so.
    pub measured: f64,
    /// Lowest and highest of what it is the median of.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// `×`, `ms`, `MiB`, `runs/s` …
    pub unit: String,
    /// What it has to be.
    pub goal: Option<Goal>,
    /// Whether less of it is better.
    pub less_is_better: bool,
}

impl Figure {
    /// The median of samples, held against a goal.
    #[must_use]
    pub fn held(workload: &str, samples: &Samples, unit: &str, goal: Goal) -> Self {
        Self {
            workload: workload.to_owned(),
            measured: samples.median(),
            low: samples.low(),
            high: samples.high(),
            unit: unit.to_owned(),
            goal: Some(goal),
            less_is_better: matches!(goal, Goal::AtMost(_)),
        }
    }

    /// The median of samples, for information.
    #[must_use]
    pub fn told(workload: &str, samples: &Samples, unit: &str, less_is_better: bool) -> Self {
        Self {
            goal: None,
            less_is_better,
            ..Self::held(workload, samples, unit, Goal::AtMost(0.0))
        }
    }

    /// The same with another number than the median: the worst, say.
    #[must_use]
    pub fn at(mut self, measured: f64) -> Self {
        self.measured = measured;
        self
    }

    /// Whether it is what it has to be; a figure without a goal is.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.goal.is_none_or(|goal| goal.is_met(self.measured))
    }

    /// Whether it says the same on another machine: a ratio does, a time does not.
    #[must_use]
    pub fn is_ratio(&self) -> bool {
        self.unit == "×"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_hold_at_their_limit_unless_more_is_asked() {
        assert!(Goal::AtMost(1.3).is_met(1.3) && !Goal::AtMost(1.3).is_met(1.31));
        assert!(Goal::AtLeast(3.0).is_met(3.0) && !Goal::AtLeast(3.0).is_met(2.9));
        assert!(!Goal::MoreThan(1.0).is_met(1.0) && Goal::MoreThan(1.0).is_met(1.1));
        for goal in [Goal::AtMost(1.0), Goal::AtLeast(1.0), Goal::MoreThan(1.0)] {
            assert!(!goal.is_met(f64::NAN));
        }
    }
}
