//! Every message there is, word for word. Adding one without a line here does not compile; changing one changes what
//! people read in their logs, so it is done here and on purpose.

use crate::error::{Family, GateError};

/// Each kind of error once, with its code and its text. Names and limits are the caller's and the policy's; nothing else
/// is filled in, so the text cannot vary with the data.
fn all() -> Vec<(GateError, &'static str, &'static str)> {
    let column = || "x".to_owned();
    vec![
        (
            GateError::TooManyColumns { columns_max: 256 },
            "GATE_TOO_MANY_COLUMNS",
            "the table has more than 256 columns; select fewer keys and aggregates",
        ),
        (
            GateError::ColumnNameTooLong { bytes_max: 256 },
            "GATE_COLUMN_NAME_TOO_LONG",
            "a column's name is longer than 256 bytes; give the expression a short name with `AS`",
        ),
        (
            GateError::ColumnKind {
                column: column(),
                kind: "bytes",
            },
            "GATE_COLUMN_KIND",
            "column `x` holds bytes, which cannot be released; use numbers, texts, booleans, dates or times instead",
        ),
        (
            GateError::StatisticKind { column: column() },
            "GATE_STATISTIC_KIND",
            "the statistic `x` is no number, and nothing else can be rounded; aggregate a number instead",
        ),
        (
            GateError::TooManyGroups { cells_max: 10 },
            "GATE_TOO_MANY_GROUPS",
            "the query makes more than 10 groups; group by fewer or coarser keys",
        ),
        (
            GateError::TooMuchText { bytes_max: 10 },
            "GATE_TOO_MUCH_TEXT",
            "a column of the query's groups holds more than 10 bytes of text; group by shorter or coarser keys",
        ),
        (
            GateError::TooManyCells { cells_max: 10 },
            "GATE_TOO_MANY_CELLS",
            "the table would have more cells than the 10 that the policy in force allows; group by fewer or coarser keys",
        ),
        (
            GateError::TooManyBytes { bytes_max: 10 },
            "GATE_TOO_MANY_BYTES",
            "the table would have more bytes than the 10 that the policy in force allows; select fewer columns or coarser keys",
        ),
        (
            GateError::TooManyLevels {
                column: column(),
                levels_max: 40,
            },
            "GATE_TOO_MANY_LEVELS",
            "the key `x` has more values than the 40 that the policy in force allows for a column without a declared \
             domain; group by a coarser expression, or ask the bureau to declare the column's domain",
        ),
        (
            GateError::TooManyMargins,
            "GATE_TOO_MANY_MARGINS",
            "the query groups by too many keys at once for its margins to be judged; group by fewer keys",
        ),
        (
            GateError::NotCoarse,
            "GATE_NOT_COARSE",
            "statistics other than counts, sums and means of what a model or a condition computes cannot be made coarse enough \
             that no single unit shows; ask for counts, sums or means of it, or aggregate columns of the data",
        ),
        (
            GateError::Review,
            "GATE_REVIEW",
            "the table has to be reviewed by people before it can be released; ask for statistics of values that are not \
             negative, or ask the bureau for a review",
        ),
        (
            GateError::Reviewers,
            "GATE_REVIEWERS",
            "a reviewed table is released by two people of two organisations, and these are not; name two reviewers",
        ),
        (
            GateError::NoColumn,
            "GATE_NO_COLUMN",
            "the table handed to the gate has no column; report this as a defect",
        ),
        (
            GateError::Shape,
            "GATE_SHAPE",
            "the table handed to the gate does not fit its description; report this as a defect",
        ),
        (
            GateError::ColumnTwice { column: column() },
            "GATE_COLUMN_TWICE",
            "the table handed to the gate has two columns named `x`; report this as a defect",
        ),
        (
            GateError::EvidenceLength,
            "GATE_EVIDENCE_LENGTH",
            "the evidence does not cover the table cell by cell; report this as a defect",
        ),
        (
            GateError::EvidenceMissing,
            "GATE_EVIDENCE_MISSING",
            "a cell of the table has no evidence; report this as a defect",
        ),
        (
            GateError::EvidenceContradiction,
            "GATE_EVIDENCE_CONTRADICTION",
            "the evidence of a cell contradicts itself; report this as a defect",
        ),
        (
            GateError::EvidenceNotKept { bytes_max: 10 },
            "GATE_EVIDENCE_NOT_KEPT",
            "what the table was judged on was not kept, because it is more than 10 bytes",
        ),
        (
            GateError::EvidenceClosed,
            "GATE_EVIDENCE_CLOSED",
            "the kept evidence of a run does not open: it was changed, is of another version, or was sealed under another \
             key; restore it from a backup, or leave the run out",
        ),
        (
            GateError::CellTwice,
            "GATE_CELL_TWICE",
            "the table handed to the gate has the same cell twice; report this as a defect",
        ),
        (
            GateError::Ledger {
                code: "LEDGER_IO",
                family: Family::Environment,
                detail: "of the machine".to_owned(),
            },
            "LEDGER_IO",
            "what was released before could not be looked up or recorded (LEDGER_IO); nothing was released. See the code's \
             entry among the errors, and the server's own log",
        ),
        (
            GateError::Step { step: "build" },
            "GATE_STEP",
            "the gate could not build the table; report this as a defect",
        ),
        (
            GateError::Noise,
            "GATE_NOISE",
            "noise that hides what a unit can add cannot be added, and nothing was released; report this as a defect",
        ),
    ]
}

/// A number for each kind of error, without gaps: a new kind does not compile until it has one.
fn number(error: &GateError) -> usize {
    match error {
        GateError::TooManyColumns { .. } => 0,
        GateError::ColumnNameTooLong { .. } => 1,
        GateError::ColumnKind { .. } => 2,
        GateError::StatisticKind { .. } => 3,
        GateError::TooManyGroups { .. } => 4,
        GateError::TooMuchText { .. } => 5,
        GateError::TooManyCells { .. } => 6,
        GateError::TooManyBytes { .. } => 7,
        GateError::TooManyLevels { .. } => 8,
        GateError::TooManyMargins => 9,
        GateError::NotCoarse => 10,
        GateError::Review => 11,
        GateError::Reviewers => 12,
        GateError::NoColumn => 13,
        GateError::Shape => 14,
        GateError::ColumnTwice { .. } => 15,
        GateError::EvidenceLength => 16,
        GateError::EvidenceMissing => 17,
        GateError::EvidenceContradiction => 18,
        GateError::EvidenceNotKept { .. } => 19,
        GateError::EvidenceClosed => 20,
        GateError::CellTwice => 21,
        GateError::Ledger { .. } => 22,
        GateError::Step { .. } => 23,
        GateError::Noise => 24,
    }
}

#[test]
fn every_message_is_on_the_list() {
    let all = all();
    for (place, (error, code, text)) in all.iter().enumerate() {
        assert_eq!(number(error), place);
        assert_eq!(error.code(), *code);
        assert_eq!(error.to_string(), *text);
    }
    assert_eq!(all.len(), 25);
}

#[test]
fn a_bug_asks_for_a_report_and_a_refusal_says_what_to_do() {
    for (error, _, text) in all() {
        let asks = text.ends_with("report this as a defect");
        let helps = text.contains("; ");
        match error.family() {
            Family::Bug => assert!(asks || error == GateError::EvidenceClosed, "{text}"),
            Family::Policy => assert!(helps && !asks, "{text}"),
            Family::Caller | Family::Environment => assert!(!asks, "{text}"),
        }
    }
}
