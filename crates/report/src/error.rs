//! What can go wrong while a report is written.

use thiserror::Error;

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    /// A chart or table could not be written.
    #[error("the report could not be written: {what}. Please report this")]
    Write {
        /// Which part.
        what: &'static str,
    },
}

impl ReportError {
    /// Stable code, listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "BUG_REPORT",
        }
    }
}
