//! The judgement: check, suppress, round, derive.

use weir_policy::Policy;

use crate::coarse::at_most;
use crate::encode::{arrow_stream, sha256};
use crate::error::GateError;
use crate::ground::{Ground, Ruling};
use crate::record::{DecisionRecord, ReviewReason, WithheldBy};
use crate::sealed;
use crate::table::Rows;
use crate::unreleased::Unreleased;
use crate::verdict::{Judged, Verdict};

/// Judges each cell by the policy and builds the table of those that pass: rounded, with totals derived from the rounded
/// cells, and completed where domains are closed.
///
/// # Errors
/// Refusals of the whole table, whose text says nothing of the data: [`GateError::TooManyCells`],
/// [`GateError::TooManyBytes`], [`GateError::TooManyLevels`], [`GateError::TooManyMargins`] and
/// [`GateError::TooMuchText`]. Bugs of the inside: [`GateError::CellTwice`], [`GateError::Shape`],
/// [`GateError::EvidenceMissing`].
pub fn judge(unreleased: Unreleased, policy: &Policy) -> Result<Verdict, GateError> {
    let Unreleased {
        cells,
        shape,
        evidence,
    } = unreleased;
    let ground = Ground::of(&cells, shape, evidence)?;
    ground.check_first_units(policy)?;
    let ruling = ground.judge(policy)?;
    ground.check_levels(&ruling, policy)?;
    let rows = Rows::of(&ground, &ruling, policy)?;
    let batch = rows.build(&ground, &cells, policy)?;
    let arrow_ipc = arrow_stream(&batch)?;
    if arrow_ipc.len() as u64 > policy.bytes_max() {
        return Err(GateError::TooManyBytes {
            bytes_max: policy.bytes_max(),
        });
    }
    let cells_withheld = cells.num_rows() as u64 - rows.cells_shown;
    let cells_negative = ground.cells_negative(&ruling);
    let withheld_by = withheld_by(&ground, &ruling);
    let ground = sealed::kept(ground);
    let record = DecisionRecord {
        cells_released: rows.with_numbers(),
        cells_withheld,
        cells_withheld_at_most: at_most(cells_withheld),
        withheld_by,
        cells_negative,
        review: review(cells_negative, policy),
        approved_by: Vec::new(),
        evidence_kept: ground.is_some(),
        policy_digest: policy.digest(),
        table_digest: sha256(&arrow_ipc),
    };
    Ok(Verdict::of(Judged {
        batch,
        arrow_ipc,
        record,
        ground,
    }))
}

/// The finest cells by the rules they break. Totals that are not shown break none: they lack parts.
fn withheld_by(ground: &Ground, ruling: &Ruling) -> WithheldBy {
    let mut withheld_by = WithheldBy::default();
    for (cell, broken) in ruling.broken.iter().enumerate() {
        if ruling.parents[ground.sets[cell] as usize].is_none() {
            withheld_by.count(*broken);
        }
    }
    withheld_by
}

fn review(cells_negative: u64, policy: &Policy) -> Vec<ReviewReason> {
    if cells_negative > 0 && policy.negatives_are_reviewed() {
        vec![ReviewReason::NegativeContributions]
    } else {
        Vec::new()
    }
}
