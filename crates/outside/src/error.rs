//! What can go wrong outside. Nothing here can speak of raw data, for none is in reach.

use datafusion::common::DataFusionError;
use thiserror::Error;

/// Whose fault an error is. The server maps each family to one kind of gRPC status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The request is wrong.
    Caller,
    /// Weir is wrong.
    Bug,
}

/// A released table that could not be turned into the answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutsideError {
    /// The plan is not one that a split makes.
    #[error(
        "the part of the query above its aggregate is not one Weir runs: {0}. Please report this"
    )]
    Plan(&'static str),
    /// An expression over released cells failed.
    #[error(
        "HAVING, ORDER BY, LIMIT or arithmetic over the released cells failed: {0}. Change the expression and run again"
    )]
    Compute(String),
}

impl OutsideError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Plan(_) => "BUG_OUTSIDE",
            Self::Compute(_) => "RUN_OUTSIDE_FAILED",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Plan(_) => Family::Bug,
            Self::Compute(_) => Family::Caller,
        }
    }
}

impl From<DataFusionError> for OutsideError {
    fn from(error: DataFusionError) -> Self {
        Self::Compute(error.strip_backtrace())
    }
}
