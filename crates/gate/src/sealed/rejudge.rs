//! A later judgement of a table by another policy, from the evidence that was kept.

use arrow::array::{Array, AsArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_policy::Policy;

use super::{EvidenceKey, HEADER, contents, open};
use crate::error::GateError;
use crate::ground::Ground;

/// What another policy says of a table's finest cells. It names cells that were withheld: for the bureau alone.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rejudged {
    /// The keys of the cells that would be released, in the order of the table that was judged.
    pub released: Vec<String>,
    /// The keys of the cells that would be withheld, each with the rules it breaks, as
    /// [`crate::WithheldBy`] names them.
    pub withheld: Vec<(String, Vec<&'static str>)>,
    /// Why the table as a whole would be refused, if it would be.
    pub refused: Option<GateError>,
    /// Whether people would have to look at the table.
    pub review: bool,
}

/// Judges a table again by this policy. Totals are not named: they are the sums of the finest cells.
///
/// Where the policy asks for more units in a complement than were named of each cell, the rule is answered for those
/// that were, so that a cell may be said to be withheld that would not be, and never the other way round. The size of the
/// table in bytes and the rows of closed domains are not known any more.
///
/// # Errors
/// [`GateError::EvidenceClosed`] where this is no evidence under this key; [`GateError::TooManyMargins`].
pub fn rejudge(sealed: &[u8], key: &EvidenceKey, policy: &Policy) -> Result<Rejudged, GateError> {
    let ground = contents::read(&open(sealed, key, HEADER, "")?)?;
    let ruling = ground.judge(policy)?;
    let mut rejudged = Rejudged {
        released: Vec::new(),
        withheld: Vec::new(),
        refused: ground.check_levels(&ruling, policy).err(),
        review: policy.negatives_are_reviewed() && ground.cells_negative(&ruling) > 0,
    };
    for (cell, broken) in ruling.broken.iter().enumerate() {
        if ruling.parents[ground.sets[cell] as usize].is_some() {
            continue;
        }
        let name = name(&ground, cell)?;
        if broken.any() {
            rejudged.withheld.push((name, broken.names()));
        } else {
            rejudged.released.push(name);
        }
    }
    if rejudged.released.len() as u64 > policy.cells_max() {
        rejudged.refused = Some(GateError::TooManyCells {
            cells_max: policy.cells_max(),
        });
    }
    Ok(rejudged)
}

/// The keys of a cell, such as `region="north", year=2020`; texts are quoted, so that no two cells have one name.
fn name(ground: &Ground, cell: usize) -> Result<String, GateError> {
    const STEP: GateError = GateError::Step { step: "name" };
    let options = FormatOptions::new();
    let mut parts = Vec::new();
    for key in ground.shape.keys_of(ground.sets[cell] as usize) {
        let column = &ground.keys.columns[key];
        let value = if column.is_null(cell) {
            "null".to_owned()
        } else if let Some(texts) = column.as_string_opt::<i32>() {
            format!("{:?}", texts.value(cell))
        } else {
            let formatter = ArrayFormatter::try_new(column, &options).map_err(|_| STEP)?;
            formatter.value(cell).try_to_string().map_err(|_| STEP)?
        };
        parts.push(format!("{}={value}", ground.keys.fields[key].name()));
    }
    if parts.is_empty() {
        return Ok("(total)".to_owned());
    }
    Ok(parts.join(", "))
}
