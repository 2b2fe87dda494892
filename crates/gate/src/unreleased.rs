//! The write-only side of the door.

use arrow::array::RecordBatch;

use crate::error::GateError;
use crate::evidence::EvidenceColumns;
use crate::shape::Shape;

/// Most cells handed to the gate in one table, released and withheld together: it bounds the memory of a judgement.
pub const CELLS_JUDGED_MAX: usize = 10_000_000;

/// A table of cells with its evidence that nobody outside this crate can look into.
///
/// It is left through [`crate::judge`] alone. There is no accessor; it cannot be printed, copied or serialised.
#[must_use = "an unreleased table is of use to the gate alone: judge it"]
pub struct Unreleased {
    pub(crate) cells: RecordBatch,
    pub(crate) shape: Shape,
    pub(crate) evidence: Vec<EvidenceColumns>,
}

impl Unreleased {
    /// Takes a table with its columns in the order that [`Shape`] describes: one row per cell, in any order.
    ///
    /// Key tuples of one grouping set must be distinct under the gate's equality, in which −0.0 equals 0.0 and one NaN
    /// another: [`crate::judge`] refuses a table with the same cell twice. Every set must have all of its cells, for
    /// what surrounds a cell is judged too.
    ///
    /// There is one `evidence` for each kind of unit that the rows are about, such as the driver and the vehicle of a
    /// trip, and at least one. A cell passes where it passes for every kind.
    ///
    /// # Errors
    /// Columns that cannot be released (the caller's), too many groups (a refusal), a shape or evidence that does not
    /// fit (a bug).
    pub fn new(
        cells: RecordBatch,
        shape: Shape,
        evidence: Vec<EvidenceColumns>,
    ) -> Result<Unreleased, GateError> {
        if evidence.is_empty() {
            return Err(GateError::EvidenceMissing);
        }
        shape.check(cells.schema_ref(), &evidence)?;
        if cells.num_rows() > CELLS_JUDGED_MAX {
            return Err(GateError::TooManyGroups {
                cells_max: CELLS_JUDGED_MAX,
            });
        }
        for of_one_kind in &evidence {
            of_one_kind.check(cells.num_rows())?;
        }
        Ok(Unreleased {
            cells,
            shape,
            evidence,
        })
    }
}
