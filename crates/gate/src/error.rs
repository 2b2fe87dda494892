//! Why a table does not pass as a whole. Single cells never cause an error: they are withheld.

use weir_ledger::LedgerError;

/// Who is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// The query asks for something that no table can hold.
    Caller,
    /// The policy in force refuses the table.
    Policy,
    /// The machine, its disk, its keys.
    Environment,
    /// Inside broke its promise to the gate, or the gate its own.
    Bug,
}

/// Why a table does not pass.
///
/// Column names and limits are named; values, keys and exact counts are not, for an error is an answer too. No source
/// error is carried along, because the messages of libraries may quote values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// More columns than a table may have.
    #[error("the table has more than {columns_max} columns; select fewer keys and aggregates")]
    #[non_exhaustive]
    TooManyColumns {
        /// [`crate::COLUMNS_MAX`].
        columns_max: usize,
    },
    /// A column whose name is too long.
    #[error(
        "a column's name is longer than {bytes_max} bytes; give the expression a short name with `AS`"
    )]
    #[non_exhaustive]
    ColumnNameTooLong {
        /// [`crate::COLUMN_NAME_BYTES_MAX`].
        bytes_max: usize,
    },
    /// A column of a kind that never leaves.
    #[error(
        "column `{column}` holds {kind}, which cannot be released; use numbers, texts, booleans, dates or times instead"
    )]
    #[non_exhaustive]
    ColumnKind {
        /// The column's name.
        column: String,
        /// What it holds, in words.
        kind: &'static str,
    },
    /// A statistic that is no number.
    #[error(
        "the statistic `{column}` is no number, and nothing else can be rounded; aggregate a number instead"
    )]
    #[non_exhaustive]
    StatisticKind {
        /// The column's name.
        column: String,
    },
    /// More groups than the gate judges.
    #[error("the query makes more than {cells_max} groups; group by fewer or coarser keys")]
    #[non_exhaustive]
    TooManyGroups {
        /// [`crate::CELLS_JUDGED_MAX`].
        cells_max: usize,
    },
    /// More text in one column than the gate judges.
    #[error(
        "a column of the query's groups holds more than {bytes_max} bytes of text; group by shorter or coarser keys"
    )]
    #[non_exhaustive]
    TooMuchText {
        /// [`crate::TEXT_BYTES_MAX`].
        bytes_max: usize,
    },
    /// More releasable cells than the policy allows in one table.
    #[error(
        "the table would have more cells than the {cells_max} that the policy in force allows; group by fewer or coarser \
         keys"
    )]
    #[non_exhaustive]
    TooManyCells {
        /// The policy's `table.cells_max`.
        cells_max: u64,
    },
    /// A larger table than the policy allows.
    #[error(
        "the table would have more bytes than the {bytes_max} that the policy in force allows; select fewer columns or \
         coarser keys"
    )]
    #[non_exhaustive]
    TooManyBytes {
        /// The policy's `table.bytes_max`.
        bytes_max: u64,
    },
    /// More values of a key without a declared domain than the policy allows.
    #[error(
        "the key `{column}` has more values than the {levels_max} that the policy in force allows for a column without a \
         declared domain; group by a coarser expression, or ask the bureau to declare the column's domain"
    )]
    #[non_exhaustive]
    TooManyLevels {
        /// The names of the keys without a declared domain, one of which it is.
        column: String,
        /// The policy's `table.levels_max`.
        levels_max: u64,
    },
    /// More combinations of keys than the complement can be looked at for.
    #[error(
        "the query groups by too many keys at once for its margins to be judged; group by fewer keys"
    )]
    TooManyMargins,
    /// A statistic that cannot be rounded so that no single unit shows.
    #[error(
        "statistics other than counts, sums and means of what a model or a condition computes cannot be made coarse enough \
         that no single unit shows; ask for counts, sums or means of it, or aggregate columns of the data"
    )]
    NotCoarse,
    /// Numbers that need noise and cannot have it.
    #[error(
        "noise that hides what a unit can add cannot be added, and nothing was released; report this as a defect"
    )]
    Noise,
    /// A table that people have to look at first.
    #[error(
        "the table has to be reviewed by people before it can be released; ask for statistics of values that are not \
         negative, or ask the bureau for a review"
    )]
    Review,
    /// An approval that is none.
    #[error(
        "a reviewed table is released by two people of two organisations, and these are not; name two reviewers"
    )]
    Reviewers,
    /// A table without a column.
    #[error("the table handed to the gate has no column; report this as a defect")]
    NoColumn,
    /// A table that is not what its shape says.
    #[error("the table handed to the gate does not fit its description; report this as a defect")]
    Shape,
    /// Two columns of one name.
    #[error(
        "the table handed to the gate has two columns named `{column}`; report this as a defect"
    )]
    #[non_exhaustive]
    ColumnTwice {
        /// The name.
        column: String,
    },
    /// The evidence has another length than the table.
    #[error("the evidence does not cover the table cell by cell; report this as a defect")]
    EvidenceLength,
    /// A cell without evidence.
    #[error("a cell of the table has no evidence; report this as a defect")]
    EvidenceMissing,
    /// Evidence that no data can have, such as more units than rows, or a largest contribution without a total.
    #[error("the evidence of a cell contradicts itself; report this as a defect")]
    EvidenceContradiction,
    /// Evidence that was not kept, because there is too much of it.
    #[error("what the table was judged on was not kept, because it is more than {bytes_max} bytes")]
    #[non_exhaustive]
    EvidenceNotKept {
        /// [`crate::EVIDENCE_BYTES_MAX`].
        bytes_max: usize,
    },
    /// Sealed evidence that does not open.
    #[error(
        "the kept evidence of a run does not open: it was changed, is of another version, or was sealed under another \
         key; restore it from a backup, or leave the run out"
    )]
    EvidenceClosed,
    /// The same keys twice. Two halves of a cell would be judged apart.
    #[error("the table handed to the gate has the same cell twice; report this as a defect")]
    CellTwice,
    /// The ledger of what was released did not answer, or did not record.
    #[error(
        "what was released before could not be looked up or recorded ({code}); nothing was released. See the code's entry \
         among the errors, and the server's own log"
    )]
    #[non_exhaustive]
    Ledger {
        /// The code of the ledger's error.
        code: &'static str,
        /// Who is at fault.
        family: Family,
        /// What the ledger says, for the server's own log.
        detail: String,
    },
    /// A step that cannot fail on a checked table failed.
    #[error("the gate could not {step} the table; report this as a defect")]
    #[non_exhaustive]
    Step {
        /// What it was doing.
        step: &'static str,
    },
}

impl GateError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            GateError::TooManyColumns { .. } => "GATE_TOO_MANY_COLUMNS",
            GateError::ColumnNameTooLong { .. } => "GATE_COLUMN_NAME_TOO_LONG",
            GateError::ColumnKind { .. } => "GATE_COLUMN_KIND",
            GateError::StatisticKind { .. } => "GATE_STATISTIC_KIND",
            GateError::TooManyGroups { .. } => "GATE_TOO_MANY_GROUPS",
            GateError::TooMuchText { .. } => "GATE_TOO_MUCH_TEXT",
            GateError::TooManyCells { .. } => "GATE_TOO_MANY_CELLS",
            GateError::TooManyBytes { .. } => "GATE_TOO_MANY_BYTES",
            GateError::TooManyLevels { .. } => "GATE_TOO_MANY_LEVELS",
            GateError::TooManyMargins => "GATE_TOO_MANY_MARGINS",
            GateError::NotCoarse => "GATE_NOT_COARSE",
            GateError::Noise => "GATE_NOISE",
            GateError::Review => "GATE_REVIEW",
            GateError::Reviewers => "GATE_REVIEWERS",
            GateError::NoColumn => "GATE_NO_COLUMN",
            GateError::Shape => "GATE_SHAPE",
            GateError::ColumnTwice { .. } => "GATE_COLUMN_TWICE",
            GateError::EvidenceLength => "GATE_EVIDENCE_LENGTH",
            GateError::EvidenceMissing => "GATE_EVIDENCE_MISSING",
            GateError::EvidenceContradiction => "GATE_EVIDENCE_CONTRADICTION",
            GateError::EvidenceNotKept { .. } => "GATE_EVIDENCE_NOT_KEPT",
            GateError::EvidenceClosed => "GATE_EVIDENCE_CLOSED",
            GateError::CellTwice => "GATE_CELL_TWICE",
            GateError::Ledger { code, .. } => code,
            GateError::Step { .. } => "GATE_STEP",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        match self {
            GateError::TooManyColumns { .. }
            | GateError::ColumnNameTooLong { .. }
            | GateError::ColumnKind { .. }
            | GateError::StatisticKind { .. }
            | GateError::Reviewers
            | GateError::EvidenceNotKept { .. } => Family::Caller,
            GateError::TooManyGroups { .. }
            | GateError::TooMuchText { .. }
            | GateError::TooManyCells { .. }
            | GateError::TooManyBytes { .. }
            | GateError::TooManyLevels { .. }
            | GateError::TooManyMargins
            | GateError::NotCoarse
            | GateError::Review => Family::Policy,
            GateError::Ledger { family, .. } => *family,
            GateError::NoColumn
            | GateError::Noise
            | GateError::Shape
            | GateError::ColumnTwice { .. }
            | GateError::EvidenceLength
            | GateError::EvidenceMissing
            | GateError::EvidenceContradiction
            | GateError::EvidenceClosed
            | GateError::CellTwice
            | GateError::Step { .. } => Family::Bug,
        }
    }
}

impl From<LedgerError> for GateError {
    fn from(error: LedgerError) -> GateError {
        GateError::Ledger {
            code: error.code(),
            family: match error.family() {
                weir_ledger::Family::Caller => Family::Caller,
                weir_ledger::Family::Policy => Family::Policy,
                weir_ledger::Family::Environment => Family::Environment,
                weir_ledger::Family::Bug => Family::Bug,
            },
            detail: error.to_string(),
        }
    }
}
