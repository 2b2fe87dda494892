//! What is heard: entries of the log, and refusals that never reached it.

use chrono::{DateTime, Utc};
use weir_audit::{Digest, Entry, Event};

/// Something that happened, as far as a rule may care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// When, by the server's clock.
    pub at: DateTime<Utc>,
    /// Who acted; empty where nobody is known.
    pub organisation: String,
    /// Its entry in the log, where it has one.
    pub log_index: Option<u64>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A table left the domain.
    Released {
        /// Digest of the request.
        request: Digest,
        /// The datasets read.
        datasets: Vec<String>,
        /// Cells that left.
        cells_released: u64,
        /// Cells that did not, at the least: the log rounds the number up, so that it cannot tell of a single cell.
        cells_withheld_at_least: u64,
    },
    /// A run is about to read.
    RunBegun,
    /// A run was refused.
    RunRefused,
    /// A call was refused to somebody the domain knows.
    CallRefused,
    /// A certificate was not accepted: unknown, revoked or expired.
    NotAuthenticated {
        /// Its digest.
        certificate: String,
    },
    /// A model was vetted, and not one finding allows it.
    ModelRefused {
        /// The model's name.
        model: String,
    },
}

/// The verdict of a report that refuses a model, as entries have it.
const REFUSE: &str = "refuse";

impl Signal {
    /// What an entry of the log is to the rules; `None` where none of them looks at its kind.
    #[must_use]
    pub fn of(log_index: u64, entry: &Entry) -> Option<Self> {
        let what = match &entry.event {
            Event::ReleaseDecided {
                request_digest,
                datasets,
                cells_released,
                cells_withheld_at_most,
                ..
            } => What::Released {
                request: *request_digest,
                datasets: datasets.iter().map(|read| read.name.clone()).collect(),
                cells_released: *cells_released,
                cells_withheld_at_least: at_least(*cells_withheld_at_most),
            },
            Event::RunAuthorised { .. } => What::RunBegun,
            Event::RunRefused { .. } => What::RunRefused,
            Event::ModelVetted { model, verdict, .. } if verdict == REFUSE => What::ModelRefused {
                model: model.clone(),
            },
            _ => return None,
        };
        Some(Self {
            at: entry.time.to_utc(),
            organisation: entry.actor.organisation.clone(),
            log_index: Some(log_index),
            what,
        })
    }
}

/// What a number that was rounded up to 10, 20, 50, 100, … was at the least: more than two fifths of it, and nothing where it
/// is the first step.
const fn at_least(at_most: u64) -> u64 {
    if at_most <= 10 {
        0
    } else {
        at_most / 5 * 2 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_no_less_than_the_step_before() {
        let steps = [10, 20, 50, 100, 200, 500, 1_000];
        assert_eq!(at_least(0), 0);
        assert_eq!(at_least(10), 0);
        for pair in steps.windows(2) {
            assert!(at_least(pair[1]) > pair[0] / 2, "{pair:?}");
            assert!(at_least(pair[1]) <= pair[0] + 1, "{pair:?}");
        }
    }
}
