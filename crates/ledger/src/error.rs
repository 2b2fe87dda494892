//! What can go wrong with the ledger. No message holds a unit, a number of units, or an answer.

use std::io;
use std::path::{Path, PathBuf};

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
    /// The release is larger than the ledger takes.
    #[error("the release is larger than the ledger takes; group by fewer or coarser keys")]
    TooLarge,
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
    /// The disk failed.
    #[error("cannot {action} `{}`: {source}; check the disk, then start again", path.display())]
    #[non_exhaustive]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no ledger.
    #[error("`{}` holds no ledger; put it back from a backup, because without it what was released is forgotten", path.display())]
    #[non_exhaustive]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// There is a ledger already.
    #[error("`{}` holds a ledger already; choose another folder", path.display())]
    #[non_exhaustive]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has the ledger open.
    #[error("another process has the ledger `{}` open; stop it first", path.display())]
    #[non_exhaustive]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// What was acknowledged does not open.
    #[error("`{}` is damaged: {problem}; put the folder back from a backup", path.display())]
    #[non_exhaustive]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        problem: &'static str,
    },
    /// The ledger is of a format that this version does not read.
    #[error("`{}` is of another format; open it with the version of Weir that wrote it", path.display())]
    #[non_exhaustive]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The ledger does not have what it is known to have had.
    #[error(
        "the ledger lacks releases that are on record: it was set back; put back the newest backup"
    )]
    SetBack,
    /// The system has no random bytes.
    #[error("the system gives no random bytes; check the machine")]
    Random,
    /// Something that cannot fail did.
    #[error("an operation of the ledger that cannot fail did: {action}; please report it")]
    #[non_exhaustive]
    Internal {
        /// What was being done.
        action: &'static str,
    },
}

impl LedgerError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl Fn(io::Error) -> LedgerError {
        let path = path.to_owned();
        move |source| LedgerError::Io {
            action,
            path: path.clone(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, problem: &'static str) -> LedgerError {
        LedgerError::Damaged {
            path: path.to_owned(),
            problem,
        }
    }

    /// The stable code, as listed in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            LedgerError::TooManyCells { .. } => "LEDGER_TOO_MANY_CELLS",
            LedgerError::TooLarge => "LEDGER_TOO_LARGE",
            LedgerError::Question { .. } => "BUG_LEDGER_QUESTION",
            LedgerError::Answers { .. } => "BUG_LEDGER_ANSWERS",
            LedgerError::Moved => "BUG_LEDGER_MOVED",
            LedgerError::Io { .. } => "LEDGER_IO",
            LedgerError::Missing { .. } => "LEDGER_MISSING",
            LedgerError::Exists { .. } => "LEDGER_EXISTS",
            LedgerError::Locked { .. } => "LEDGER_LOCKED",
            LedgerError::Damaged { .. } => "LEDGER_DAMAGED",
            LedgerError::Format { .. } => "LEDGER_FORMAT",
            LedgerError::SetBack => "LEDGER_SET_BACK",
            LedgerError::Random => "LEDGER_RANDOM",
            LedgerError::Internal { .. } => "BUG_LEDGER",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        match self {
            LedgerError::TooManyCells { .. } | LedgerError::TooLarge => Family::Policy,
            LedgerError::Exists { .. } => Family::Caller,
            LedgerError::Io { .. }
            | LedgerError::Missing { .. }
            | LedgerError::Locked { .. }
            | LedgerError::Damaged { .. }
            | LedgerError::Format { .. }
            | LedgerError::SetBack
            | LedgerError::Random => Family::Environment,
            LedgerError::Question { .. }
            | LedgerError::Answers { .. }
            | LedgerError::Moved
            | LedgerError::Internal { .. } => Family::Bug,
        }
    }
}
