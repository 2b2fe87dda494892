//! The first units of each cell, by name.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::datatypes::UInt32Type;

use crate::error::GateError;

/// Per cell the first distinct units, at most `kept` of them; every unit of a cell that has no more.
///
/// It is enough to count units up to `kept` in any union of cells: a cell with more settles it alone, and of the others
/// every unit is named. The names are those of this table alone; equal names mean the same unit, nothing else.
pub struct FirstUnits {
    /// How many units are named of a cell that has as many.
    pub kept: usize,
    /// One list of `UInt32` per cell, without nulls: ascending, or in order of appearance.
    pub ids: ListArray,
}

impl FirstUnits {
    /// The named units of one cell.
    pub(crate) fn of(&self, cell: usize) -> &[u32] {
        let offsets = self.ids.value_offsets();
        let (from, to) = (offsets[cell] as usize, offsets[cell + 1] as usize);
        self.names().get(from..to).unwrap_or_default()
    }

    fn names(&self) -> &[u32] {
        let names = self.ids.values().as_primitive_opt::<UInt32Type>();
        names.map_or(&[], |names| names.values())
    }

    /// Whether every cell has its list, and each list as many different units as it must.
    ///
    /// # Errors
    /// A list missing, of another type or with a null; a cell that names more or fewer units than it has.
    pub(crate) fn check(&self, units: &UInt64Array) -> Result<(), GateError> {
        if self.ids.len() != units.len() {
            return Err(GateError::EvidenceLength);
        }
        let values: &ArrayRef = self.ids.values();
        let named = values.as_primitive_opt::<UInt32Type>();
        if self.ids.null_count() > 0 || named.is_none_or(|named| named.null_count() > 0) {
            return Err(GateError::EvidenceMissing);
        }
        let mut sorted = Vec::new();
        for (cell, units) in units.values().iter().enumerate() {
            let of_cell = self.of(cell);
            let expected = (*units).min(self.kept as u64);
            if of_cell.len() as u64 != expected || !are_distinct(of_cell, &mut sorted) {
                return Err(GateError::EvidenceContradiction);
            }
        }
        Ok(())
    }
}

fn are_distinct(names: &[u32], sorted: &mut Vec<u32>) -> bool {
    if names.is_sorted_by(|left, right| left < right) {
        return true;
    }
    sorted.clear();
    sorted.extend_from_slice(names);
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}
