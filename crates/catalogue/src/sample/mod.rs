//! A synthetic sample: rows with a dataset's schema, for whoever develops against it.
//!
//! **What it draws on.** The manifest, and nothing else: types, domains, bounds and null shares as declared, and fixed
//! assumptions where nothing is declared. No row, statistic or released table of the dataset. So columns are independent
//! of each other, rules between columns do not hold, and a number computed from a sample says nothing about the data.
//!
//! **What it holds.** Columns in the manifest's order, identifiers included (made up, and the same for every row of a
//! unit), columns on the negative list left out. A unit has one to [`ROWS_PER_UNIT_MAX`] rows. The same manifest, number
//! of rows and seed make the same bytes.

mod draw;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use draw::from_domain;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
pub use encode::Format;

use crate::limits::SAMPLE_ROWS_MAX;
use crate::{CatalogueError, Manifest, Result, Role};
use draw::Dice;

/// Most rows of a unit in a sample.
pub const ROWS_PER_UNIT_MAX: u64 = 5;

/// Draws `rows` rows.
///
/// # Errors
/// [`CatalogueError::SampleRows`].
pub fn draw(manifest: &Manifest, rows: u64, seed: u64) -> Result<RecordBatch> {
    if rows == 0 || rows > SAMPLE_ROWS_MAX {
        return Err(CatalogueError::SampleRows {
            rows,
            limit: SAMPLE_ROWS_MAX,
        });
    }
    let units = units(rows, seed);
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (index, column) in manifest.columns().iter().enumerate() {
        let array = if column.role == Role::Identifier {
            draw::identifiers(column, &units)
        } else if column.is_readable() {
            draw::values(column, units.len(), &mut Dice::new(seed, index as u64 + 1))
        } else {
            continue;
        };
        fields.push(Field::new(&column.name, column.kind.data_type(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|_| {
        CatalogueError::Internal {
            action: "making a sample",
        }
    })
}

/// The unit of each row, ascending: each has one to [`ROWS_PER_UNIT_MAX`] rows.
fn units(rows: u64, seed: u64) -> Vec<u64> {
    let mut dice = Dice::new(seed, 0);
    let mut units = Vec::new();
    let mut unit = 0;
    while (units.len() as u64) < rows {
        unit += 1;
        for _ in 0..=dice.below(ROWS_PER_UNIT_MAX) {
            units.push(unit);
        }
    }
    units.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
    units
}
