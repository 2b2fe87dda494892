//! A fresh instance of the component for every row, called through the engine's own component layer.
//!
//! This is the way of the few models that cannot be woven, and the second implementation that the woven way is
//! compared with: it shares no code with it beyond the signature.

mod input;
mod instance;
mod output;

use arrow::array::{ArrayRef, StructArray};
use wasmtime::component::Val;

use crate::error::ModelError;
use crate::runtime::Model;
pub(crate) use input::InputColumn;
use instance::Failure;
pub(crate) use instance::{FreshModel, pool};
use output::OutputColumns;

/// Answers a batch row by row.
pub(crate) fn evaluate(
    model: &Model,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<StructArray, ModelError> {
    let inputs = model.signature().inputs.iter().zip(columns);
    let inputs: Vec<InputColumn> = inputs
        .map(|(input, column)| InputColumn::new(input, column, model.limits()))
        .collect::<Result<_, _>>()?;
    let fresh = model.fresh()?;
    let mut outputs = OutputColumns::new(model, rows);
    let mut params = Vec::new();
    for row in 0..rows {
        let answer = match fill(&mut params, &inputs, row) {
            Some(()) => fresh
                .instance(model.limits())
                .and_then(|instance| instance.call(&params)),
            None => Err(Failure::Model),
        };
        match answer {
            Ok(answer) => outputs.push(answer)?,
            Err(Failure::Model) => outputs.push_failed(),
            Err(Failure::Weir(error)) => return Err(error),
        }
    }
    outputs.finish()
}

/// The parameters of one row; nothing when one of its values is none of the model's type.
fn fill(params: &mut Vec<Val>, inputs: &[InputColumn], row: usize) -> Option<()> {
    params.clear();
    for input in inputs {
        params.push(input.value(row)?);
    }
    Some(())
}
