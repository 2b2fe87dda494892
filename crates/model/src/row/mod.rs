//! Evaluation, row by row.

mod input;
mod output;

use arrow::array::{ArrayRef, StructArray};
use wasmtime::component::Val;

use crate::bind::Binding;
use crate::error::ModelError;
use crate::runtime::Failure;
use input::InputColumn;
use output::OutputColumns;

/// Runs a bound model over batches of rows. One per thread: it may be sent to another thread, but not shared.
pub struct Evaluator {
    binding: Binding,
    params: Vec<Val>,
}

impl Evaluator {
    pub(crate) fn new(binding: Binding) -> Self {
        Self {
            binding,
            params: Vec::new(),
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
    /// not fit a column, [`ModelError::Environment`] when the machine cannot provide an instance. Never for what a
    /// value of a row, or the model, does.
    pub fn evaluate(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<StructArray, ModelError> {
        let inputs = self.inputs(columns, rows)?;
        let model = self.binding.model();
        let mut outputs = OutputColumns::new(model, rows)?;
        for row in 0..rows {
            match fill(&mut self.params, &inputs, row) {
                Some(()) => match model
                    .instance()
                    .and_then(|instance| instance.call(&self.params))
                {
                    Ok(answer) => outputs.push(answer)?,
                    Err(Failure::Model) => outputs.push_failed(),
                    Err(Failure::Weir(error)) => return Err(error),
                },
                None => outputs.push_failed(),
            }
        }
        outputs.finish()
    }

    fn inputs(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<InputColumn>, ModelError> {
        let bound = self.binding.columns();
        if columns.len() != bound.len() {
            return Err(ModelError::Columns {
                what: format!("{} are given, {} are bound", columns.len(), bound.len()),
            });
        }
        let model = self.binding.model();
        let inputs = model.signature().inputs.iter();
        let columns = inputs.zip(bound).zip(columns);
        columns
            .map(|((input, bound), column)| {
                InputColumn::new(input, bound, column, rows, model.limits())
            })
            .collect()
    }
}

/// The parameters of one row; nothing when one of its values is none of the model's type.
fn fill(params: &mut Vec<Val>, inputs: &[InputColumn], row: usize) -> Option<()> {
    params.clear();
    for input in inputs {
        params.push(input.value(row)?);
    }
    Some(())
}
