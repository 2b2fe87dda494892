//! The judgement: check, suppress, round, derive.

use weir_policy::Policy;

use crate::coarse::at_most;
use crate::encode::{arrow_stream, sha256};
use crate::error::GateError;
use crate::ground::{Ground, Ruling};
use crate::noise::{Loss, Noise};
use crate::past::{self, Again, Past};
use crate::record::{DecisionRecord, ReviewReason, WithheldBy};
use crate::sealed;
use crate::table::{Protection, Rows};
use crate::unreleased::Unreleased;
use crate::verdict::{Judged, Verdict};

/// Judges each cell by the policy and by what was released before, and builds the table of those that pass: rounded, with
/// totals derived from the rounded cells, and completed where domains are closed.
///
/// # Errors
/// Refusals of the whole table, whose text says nothing of the data: [`GateError::TooManyCells`],
/// [`GateError::TooManyBytes`], [`GateError::TooManyLevels`], [`GateError::TooManyMargins`] and
/// [`GateError::TooMuchText`]. Bugs of the inside: [`GateError::CellTwice`], [`GateError::Shape`],
/// [`GateError::EvidenceMissing`].
pub fn judge(
    unreleased: Unreleased,
    policy: &Policy,
    past: &mut Past<'_>,
) -> Result<Verdict, GateError> {
    judged(unreleased, policy, Some(past), Again::No)
}

/// Judges a table that left once more, to see whether it comes out the same: numbers that the ledger has for it are worked
/// out anew. What comes of it is compared and not released.
///
/// # Errors
/// As [`judge`].
pub fn judge_again(
    unreleased: Unreleased,
    policy: &Policy,
    past: &mut Past<'_>,
) -> Result<DecisionRecord, GateError> {
    let verdict = judged(unreleased, policy, Some(past), Again::Yes)?;
    Ok(verdict.record().clone())
}

/// Judges a table that left as it was judged then: a number that the ledger had for it already is taken from there. What
/// comes of it is compared and not released.
///
/// # Errors
/// As [`judge`].
pub fn judge_as_then(
    unreleased: Unreleased,
    policy: &Policy,
    past: &mut Past<'_>,
) -> Result<DecisionRecord, GateError> {
    let verdict = judged(unreleased, policy, Some(past), Again::No)?;
    Ok(verdict.record().clone())
}

/// Judges a table by itself, as if nothing had ever been released. For measuring and for comparing with other tools; a
/// table that leaves is judged by [`judge`].
///
/// # Errors
/// As [`judge`].
pub fn judge_without_history(
    unreleased: Unreleased,
    policy: &Policy,
) -> Result<Verdict, GateError> {
    judged(unreleased, policy, None, Again::No)
}

fn judged(
    unreleased: Unreleased,
    policy: &Policy,
    past: Option<&mut Past<'_>>,
    again: Again,
) -> Result<Verdict, GateError> {
    let Unreleased {
        cells,
        shape,
        evidence,
        provenance,
        noise,
    } = unreleased;
    let noises = noises(policy, noise.as_deref(), past.is_some())?;
    // Noise is drawn once. A number that was shown comes from the ledger, also where it is looked at again.
    let again = match noises {
        Some(_) => Again::No,
        None => again,
    };
    let ground = Ground::of(&cells, shape, evidence)?;
    ground.check_first_units(policy)?;
    let mut ruling = ground.judge(policy)?;
    ground.check_levels(&ruling, policy)?;
    let compared = match past {
        Some(past) => {
            let provenance = provenance.ok_or(GateError::EvidenceMissing)?;
            let compared = past::compare(
                &ground,
                &cells,
                &mut ruling,
                provenance,
                policy,
                (&mut *past, again),
            )?;
            Some((compared, past))
        }
        None => None,
    };
    let undecided = compared.as_ref().is_some_and(|(of, _)| of.undecided);
    let rows = Rows::of(&ground, &ruling, policy)?;
    let protection = compared.as_ref().map(|(compared, past)| Protection {
        by_cell: compared.by_cell(&ruling),
        snapshots: past.snapshots,
        provenance: &compared.provenance,
        coins: past.coins,
        noises,
    });
    if noises.is_some() && undecided {
        // Drawn again after people looked at it, it would be another table.
        return Err(GateError::Review);
    }
    let numbers = rows.numbers(&ground, &cells, policy, protection.as_ref())?;
    let cells_same = compared
        .as_ref()
        .map_or(0, |(compared, _)| compared.cells_same(&ruling));
    let recordings = match compared {
        Some((compared, past)) => {
            let columns = cells.columns();
            let column = |at: usize| columns[ground.shape.statistics_at() + at].data_type();
            let number = |statistic: usize, cell: u32| {
                let row = rows.of_cell(cell)?;
                Some(numbers[statistic].to_bytes(row, column(statistic)))
            };
            compared.recording(&past.release, &number)
        }
        None => Vec::new(),
    };
    let batch = rows.build(&ground, &cells, numbers)?;
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
        // What a unit contributes is clamped where there is noise, and its sign is hidden with the rest.
        review: review(
            if noises.is_some() { 0 } else { cells_negative },
            undecided,
            policy,
        ),
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
        recordings,
        cells_same,
    }))
}

/// What noise the policy asks for, and how much is needed.
///
/// # Errors
/// [`GateError::Noise`] where nobody bounded what a unit adds, or nothing is remembered from which the same cell would be
/// answered alike.
fn noises<'a>(
    policy: &Policy,
    noise: Option<&'a [Noise]>,
    has_past: bool,
) -> Result<Option<(Loss, &'a [Noise])>, GateError> {
    match (policy.dp_epsilon_millionths(), noise) {
        (None, _) => Ok(None),
        (Some(epsilon), Some(noise)) if has_past => {
            Ok(Some((Loss::of_column(epsilon, noise.len()), noise)))
        }
        (Some(_), _) => Err(GateError::Noise),
    }
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

fn review(cells_negative: u64, undecided: bool, policy: &Policy) -> Vec<ReviewReason> {
    let negative = cells_negative > 0 && policy.negatives_are_reviewed();
    let reasons = [
        (negative, ReviewReason::NegativeContributions),
        (undecided, ReviewReason::History),
    ];
    let reasons = reasons.into_iter().filter(|(holds, _)| *holds);
    reasons.map(|(_, reason)| reason).collect()
}
