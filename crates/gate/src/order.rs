//! The order of the cells that leave: by their keys, so that order says nothing.

use arrow::array::{Array, ArrayRef};
use arrow::row::{RowConverter, Rows, SortField};

use crate::error::GateError;

const STEP: GateError = GateError::Step { step: "sort" };

/// All cells' positions in the order of their keys: column by column ascending, nulls first, texts by bytes, floats
/// with NaN last. The keys must be in canonical form.
///
/// # Errors
/// [`GateError::CellTwice`] where two cells have the same keys. Withheld cells count too: a cell in two halves, of
/// which one reaches the threshold, would be released in part.
pub(crate) fn sorted_by_keys(keys: &[ArrayRef], cells: usize) -> Result<Vec<usize>, GateError> {
    if keys.is_empty() {
        // Without keys there is one cell, the grand total.
        return if cells > 1 {
            Err(GateError::CellTwice)
        } else {
            Ok((0..cells).collect())
        };
    }
    let rows = comparable(keys)?;
    let mut positions: Vec<usize> = (0..cells).collect();
    positions.sort_unstable_by(|left, right| rows.row(*left).cmp(&rows.row(*right)));
    if positions
        .windows(2)
        .any(|pair| rows.row(pair[0]) == rows.row(pair[1]))
    {
        return Err(GateError::CellTwice);
    }
    Ok(positions)
}

/// Keys in a byte form that compares as the tuples do; the form's default puts nulls first.
fn comparable(keys: &[ArrayRef]) -> Result<Rows, GateError> {
    let fields = keys
        .iter()
        .map(|key| SortField::new(key.data_type().clone()))
        .collect();
    let converter = RowConverter::new(fields).map_err(|_| STEP)?;
    converter.convert_columns(keys).map_err(|_| STEP)
}
