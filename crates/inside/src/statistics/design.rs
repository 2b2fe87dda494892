//! The rows that enter a fit.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::Float64Type;

/// The columns of a fit over one batch: the fitted number, then the regressors.
pub(super) struct Design<'a> {
    columns: Vec<&'a Float64Array>,
    rows: usize,
}

impl<'a> Design<'a> {
    pub(super) fn new(columns: &'a [ArrayRef], terms: usize) -> Self {
        let columns: Vec<&Float64Array> = columns
            .iter()
            .take(terms)
            .map(|column| column.as_primitive::<Float64Type>())
            .collect();
        Self {
            rows: columns.first().map_or(0, |column| column.len()),
            columns,
        }
    }

    /// Each row in which every column has a finite value.
    pub(super) fn for_each(&self, mut row_of: impl FnMut(&[f64])) {
        let mut values = vec![0.0; self.columns.len()];
        for row in 0..self.rows {
            let complete = self.columns.iter().zip(&mut values).all(|(column, value)| {
                *value = column.value(row);
                column.is_valid(row) && value.is_finite()
            });
            if complete {
                row_of(&values);
            }
        }
    }
}
