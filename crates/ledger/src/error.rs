//! What can go wrong with the ledger. No message holds a unit, a number of units, or an answer.

/// Who is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// The request.
    Caller,
    /// The domain's rules refuse it.
    Policy,
    /// The machine, its disk, its keys.
    Environment,
    /// Weir.
    Bug,
}

/// Why the ledger did not answer or did not record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// More cells than are looked at in one question.
    #[error(
        "a release has at most {cells_max} cells in the ledger, this one has more; group by fewer or coarser keys"
    )]
    #[non_exhaustive]
    TooManyCells {
        /// [`crate::CELLS_MAX`].
        cells_max: usize,
    },
    /// The question does not fit itself: a unit beyond the population, too many statistics.
    #[error("the question to the ledger does not fit: {problem}; this is a bug, please report it")]
    #[non_exhaustive]
    Question {
        /// What does not fit.
        problem: &'static str,
    },
    /// The answers do not fit the verdicts.
    #[error(
        "the answers for the ledger do not fit its verdicts: {problem}; this is a bug, please report it"
    )]
    #[non_exhaustive]
    Answers {
        /// What does not fit.
        problem: &'static str,
    },
    /// Something else was recorded between the question and its record.
    #[error("another release was recorded since the ledger was asked; ask again")]
    Moved,
    /// Something that cannot fail did.
    #[error("an operation of the ledger that cannot fail did: {action}; please report it")]
    #[non_exhaustive]
    Internal {
        /// What was being done.
        action: &'static str,
    },
}

impl LedgerError {
    /// The stable code, as listed in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            LedgerError::TooManyCells { .. } => "LEDGER_TOO_MANY_CELLS",
            LedgerError::Question { .. } => "BUG_LEDGER_QUESTION",
            LedgerError::Answers { .. } => "BUG_LEDGER_ANSWERS",
            LedgerError::Moved => "BUG_LEDGER_MOVED",
            LedgerError::Internal { .. } => "BUG_LEDGER",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        match self {
            LedgerError::TooManyCells { .. } => Family::Policy,
            LedgerError::Question { .. }
            | LedgerError::Answers { .. }
            | LedgerError::Moved
            | LedgerError::Internal { .. } => Family::Bug,
        }
    }
}
