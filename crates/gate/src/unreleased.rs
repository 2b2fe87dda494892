//! The write-only side of the door.

use arrow::array::RecordBatch;

use crate::error::GateError;
use crate::evidence::EvidenceColumns;
use crate::members::Provenance;
use crate::noise::Noise;
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
    pub(crate) provenance: Option<Provenance>,
    pub(crate) noise: Option<Vec<Noise>>,
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
            provenance: None,
            noise: None,
        })
    }

    /// With what a single unit can add to each statistic at most, so that noise can hide it.
    ///
    /// # Errors
    /// Not one for each statistic (a bug).
    pub fn with_noise(mut self, noise: Vec<Noise>) -> Result<Unreleased, GateError> {
        if noise.len() != self.shape.statistics.len() {
            return Err(GateError::Shape);
        }
        self.noise = Some(noise);
        Ok(self)
    }

    /// With the units behind each number, so that it can be compared with what was released before.
    ///
    /// # Errors
    /// Members or bases that do not fit (a bug).
    pub fn with_provenance(mut self, provenance: Provenance) -> Result<Unreleased, GateError> {
        let Provenance {
            members,
            bases,
            parts,
            ..
        } = &provenance;
        let of_evidence = members.iter().zip(&self.evidence);
        for (of_one_kind, _) in of_evidence {
            of_one_kind.check(self.cells.num_rows())?;
        }
        let contributions = self.evidence.iter().map(|of| of.contributions.len()).min();
        let contributions = contributions.unwrap_or_default();
        let sound = members.len() == self.evidence.len()
            && bases.len() == self.shape.statistics.len()
            && bases
                .iter()
                .all(|basis| basis.is_in(members, contributions))
            && parts
                .iter()
                .all(|part| members.iter().all(|of| *part < of.sets.len()));
        if !sound {
            return Err(GateError::Shape);
        }
        self.provenance = Some(provenance);
        Ok(self)
    }
}
