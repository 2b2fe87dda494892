//! A fresh instance of the component for every row or unit, called through the engine's own component layer.
//!
//! This is the way of the few models that cannot be woven, and the second implementation that the woven way is
//! compared with: it shares no code with it beyond the signature.

mod input;
mod instance;
mod output;

use std::ops::Range;

use arrow::array::{ArrayRef, StructArray};
use wasmtime::component::Val;

use crate::driven::Piece;
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
    let inputs = inputs(model, columns)?;
    let mut outputs = OutputColumns::new(model, rows);
    for row in 0..rows {
        let params: Option<Vec<Val>> = inputs.iter().map(|input| input.value(row)).collect();
        answer(model, params, 1, &mut outputs)?;
    }
    outputs.finish()
}

/// Answers units one by one.
pub(crate) fn evaluate_units(model: &Model, pieces: &[Piece]) -> Result<StructArray, ModelError> {
    let limits = model.limits();
    let units = pieces.iter().map(Piece::units).sum();
    let mut outputs = OutputColumns::new(model, units);
    for piece in pieces {
        let inputs = inputs(model, &piece.columns)?;
        for unit in piece.starts.windows(2) {
            let rows = unit[0]..unit[1];
            let over = rows.len() > limits.unit_rows_max
                || inputs
                    .iter()
                    .any(|input| input.string_bytes(rows.clone()) > limits.unit_string_bytes_max);
            let params = (!over)
                .then(|| list(model, &inputs, rows.clone()))
                .flatten();
            answer(model, params, rows.len() as u64, &mut outputs)?;
        }
    }
    outputs.finish()
}

fn inputs(model: &Model, columns: &[ArrayRef]) -> Result<Vec<InputColumn>, ModelError> {
    let inputs = model.signature().inputs.iter().zip(columns);
    inputs
        .map(|(input, column)| InputColumn::new(input, column, model.limits()))
        .collect()
}

/// The list of a unit's rows; nothing when one of their values is none of the model's type.
fn list(model: &Model, inputs: &[InputColumn], rows: Range<usize>) -> Option<Vec<Val>> {
    let names = &model.signature().rows.as_ref()?.fields;
    let record = |row: usize| {
        let fields = names.iter().zip(inputs);
        fields
            .map(|(name, input)| Some((name.clone(), input.value(row)?)))
            .collect::<Option<_>>()
            .map(Val::Record)
    };
    let records: Option<Vec<Val>> = rows.map(record).collect();
    Some(vec![Val::List(records?)])
}

/// Calls an instance of its own with the parameters, where there are any.
fn answer(
    model: &Model,
    params: Option<Vec<Val>>,
    rows: u64,
    outputs: &mut OutputColumns,
) -> Result<(), ModelError> {
    let answer = match params {
        Some(params) => model
            .fresh()?
            .instance(model.limits(), rows)
            .and_then(|instance| instance.call(&params)),
        None => Err(Failure::Model),
    };
    match answer {
        Ok(answer) => outputs.push(answer),
        Err(Failure::Model) => {
            outputs.push_failed();
            Ok(())
        }
        Err(Failure::Weir(error)) => Err(error),
    }
}
