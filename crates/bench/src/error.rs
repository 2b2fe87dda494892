//! What can keep a figure from being made.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Whose turn it is to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Whoever called has to change something.
    Caller,
    /// The machine, or a program beside Weir.
    Environment,
    /// Weir.
    Bug,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A file or folder.
    #[error("`{}`: {reason}. Check the path, its permissions and the space on the disk", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A program that is measured beside Weir is there and failed.
    #[error("{peer} failed: {reason}. Mend it, or leave its workload out with --only")]
    Peer {
        /// Which program.
        peer: String,
        /// What it says.
        reason: String,
    },
    /// Two systems answered the same question differently, so neither has a time.
    #[error("{what}: {problem}. Nothing is timed whose answers differ; please report this")]
    Unequal {
        /// Which question.
        what: String,
        /// What differs, without a value.
        problem: String,
    },
    /// Weir, or the engine beside it, could not do what was to be measured.
    #[error("{what} could not be done: {reason}")]
    Failed {
        /// What was being done.
        what: String,
        /// What its maker says.
        reason: String,
    },
    /// A report to compare with cannot be read.
    #[error("`{}` is no report of `weir bench`: {reason}. Name the `report.json` of an earlier run", path.display())]
    Earlier {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Two reports cannot be one.
    #[error(
        "the reports are of another {what}, so they cannot be put together. Measure again what is to be one report"
    )]
    Join {
        /// In what they differ.
        what: &'static str,
    },
}

impl BenchError {
    /// Stable code, listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "BENCH_FILE",
            Self::Peer { .. } => "BENCH_PEER",
            Self::Unequal { .. } => "BENCH_UNEQUAL",
            Self::Failed { .. } => "BENCH_FAILED",
            Self::Earlier { .. } => "BENCH_EARLIER",
            Self::Join { .. } => "BENCH_JOIN",
        }
    }

    /// Whose turn it is.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Earlier { .. } | Self::Join { .. } => Family::Caller,
            Self::File { .. } | Self::Peer { .. } => Family::Environment,
            Self::Unequal { .. } | Self::Failed { .. } => Family::Bug,
        }
    }

    pub(crate) fn file(path: &Path, error: impl Display) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(crate) fn peer(peer: &str, reason: impl Display) -> Self {
        Self::Peer {
            peer: peer.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn unequal(what: &str, problem: impl Display) -> Self {
        Self::Unequal {
            what: what.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// Turns any error into "this could not be done".
pub(crate) fn failed<E: Display>(what: &str) -> impl FnOnce(E) -> BenchError + '_ {
    move |error| BenchError::Failed {
        what: what.to_owned(),
        reason: error.to_string(),
    }
}

/// What the functions of this crate answer.
pub type Result<T, E = BenchError> = std::result::Result<T, E>;
