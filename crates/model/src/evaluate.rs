//! Evaluation of batches, whichever way the model runs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};

use crate::bind::{Binding, BoundColumn};
use crate::driven::Driver;
use crate::error::ModelError;
use crate::fresh;
use crate::runtime::Model;
use crate::signature::Grain;

/// Which of the ways to run a model is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The woven module, or fresh instances where there is none.
    Fast,
    /// The woven module, compared with its first state after every row.
    Checking,
    /// A fresh instance per row.
    Reference,
}

/// Runs a bound model over batches of rows. One per thread: it may be sent to another thread, but not shared.
pub struct Evaluator {
    binding: Binding,
    way: Way,
    driver: Option<Driver>,
}

impl Evaluator {
    pub(crate) fn new(binding: Binding, way: Way) -> Self {
        Self {
            binding,
            way,
            driver: None,
        }
    }

    /// Answers `rows` rows. `columns` are those of [`Binding::columns`], in that order, each of its source type or cast
    /// to its data type already. The result has `rows` rows and the fields of
    /// [`Model::output_fields`](crate::Model::output_fields).
    ///
    /// Each row's answer depends on that row and the model alone, so batches may be cut in any way. A row fails, and is
    /// null in every output, when the model traps, exhausts its fuel or its stack, returns an invalid value or a string
    /// over the limit, or when a value of the row is no value of the model's type: a null for a parameter that takes
    /// none, a string over the limit, a string that is no case of the enum. NaN comes out in its canonical form.
    ///
    /// # Errors
    /// [`ModelError::Columns`] when the columns are not those bound to, [`ModelError::BatchTooLarge`] when strings may
    /// not fit a column, [`ModelError::Grain`] when the model takes units, [`ModelError::Environment`] when the machine cannot provide an instance. Never for what a
    /// value of a row, or the model, does.
    pub fn evaluate(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<StructArray, ModelError> {
        let columns = conform(self.binding.columns(), columns, rows)?;
        let model = self.binding.model();
        check_grain(model, Grain::Row)?;
        check_rows(model, rows)?;
        let Some(driven) = model.driven().filter(|_| self.way != Way::Reference) else {
            return fresh::evaluate(model, &columns, rows);
        };
        // Taken out, and put back only after success: an instance in doubt is not used again.
        let mut driver = match self.driver.take() {
            Some(driver) => driver,
            None => driven.instance(model.engines())?,
        };
        let answer = driver.evaluate(model, &columns, rows, self.way == Way::Checking)?;
        self.driver = Some(driver);
        Ok(answer)
    }
}

/// An evaluator of rows is no use for a model over units, and the other way around.
pub(crate) fn check_grain(model: &Model, wanted: Grain) -> Result<(), ModelError> {
    let grain = model.signature().grain();
    if grain != wanted {
        return Err(ModelError::Grain {
            export: grain.export(),
        });
    }
    Ok(())
}

/// Checks columns against the binding and casts those that have not been cast yet.
pub(crate) fn conform(
    bound: &[BoundColumn],
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Vec<ArrayRef>, ModelError> {
    if columns.len() != bound.len() {
        return Err(ModelError::Columns {
            what: format!("{} are given, {} are bound", columns.len(), bound.len()),
        });
    }
    let pairs = bound.iter().zip(columns);
    pairs
        .map(|(bound, column)| {
            let differs = |what: &str| ModelError::Columns {
                what: format!("column `{}` {what}", bound.column),
            };
            if column.len() != rows {
                return Err(differs("has another number of rows"));
            }
            match column.data_type() {
                DataType::Decimal128(..) if *column.data_type() == bound.source_type => {
                    unscaled(column).ok_or_else(|| differs("does not widen"))
                }
                ty if *ty == bound.data_type => Ok(Arc::clone(column)),
                // The cast's own error would quote a value.
                ty if *ty == bound.source_type => {
                    cast(column, &bound.data_type).map_err(|_| differs("does not widen"))
                }
                _ => Err(differs("has another type")),
            }
        })
        .collect()
}

/// The values of a decimal column without their points. Binding has checked that they fit.
fn unscaled(column: &ArrayRef) -> Option<ArrayRef> {
    let decimals = column.as_primitive_opt::<Decimal128Type>()?;
    let whole: Int64Array = decimals.try_unary(i64::try_from).ok()?;
    Some(Arc::new(whole))
}

/// Offsets of a string column are 32 bits wide; a batch whose strings may not fit is refused before it is begun.
pub(crate) fn check_rows(model: &Model, rows: usize) -> Result<(), ModelError> {
    let limits = model.limits();
    let widest = limits.string_output_bytes_max.max(limits.name_bytes_max);
    let limit = i32::MAX as usize / widest.max(1);
    if rows > limit {
        return Err(ModelError::BatchTooLarge { rows, limit });
    }
    Ok(())
}
