//! From the driver's columns to Arrow's.

use std::ops::Range;

use arrow::array::{ArrayRef, BooleanBufferBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Fields;

use super::values::{Values, WRONG_SHAPE, strings};
use crate::error::ModelError;
use crate::runtime::Model;
use crate::signature::Output;
use crate::weave::{Column, Layout, output_width};

/// The output columns of a batch under construction, all of the same length at every moment.
pub(super) struct Outputs {
    columns: Vec<OutputColumn>,
    rows: usize,
    /// Of the rows being taken: 1 where the row has an answer.
    answered: Vec<u8>,
    /// Of one column of them: 1 where there is a value.
    present: Vec<u8>,
}

struct OutputColumn {
    values: Values,
    width: usize,
    optional: bool,
    valid: BooleanBufferBuilder,
    nulls: usize,
}

impl Outputs {
    pub(super) fn new(model: &Model, rows: usize) -> Self {
        let outputs = model.signature().outputs.iter();
        Self {
            columns: outputs
                .zip(model.dictionaries())
                .map(|(output, cases)| OutputColumn::new(output, cases.as_ref(), rows))
                .collect(),
            rows: 0,
            answered: Vec::new(),
            present: Vec::new(),
        }
    }

    /// Adds answered rows, each whole or, when any part of it is no value of its type, as a failed one.
    pub(super) fn take(
        &mut self,
        memory: &[u8],
        layout: &Layout,
        rows: Range<usize>,
    ) -> Result<(), ModelError> {
        if rows.is_empty() {
            return Ok(());
        }
        let skip = piece(memory, layout.skip, &rows, 1);
        self.answered.clear();
        self.answered.extend(skip.iter().map(|skip| skip ^ 1));
        for (column, place) in self.columns.iter().zip(&layout.outputs) {
            column.check(&mut self.answered, memory, place, &rows);
        }
        let (answered, present) = (&self.answered, &mut self.present);
        for (column, place) in self.columns.iter_mut().zip(&layout.outputs) {
            present.clear();
            present.extend_from_slice(answered);
            if column.optional {
                let presence = piece(memory, place.presence, &rows, 1);
                for (present, byte) in present.iter_mut().zip(presence) {
                    *present &= byte;
                }
            }
            column.extend(memory, place, &rows, present)?;
        }
        self.rows += rows.len();
        Ok(())
    }

    /// Adds a row that is null in every output.
    pub(super) fn fail(&mut self) {
        for column in &mut self.columns {
            column.values.push_nothing();
            column.valid.append(false);
            column.nulls += 1;
        }
        self.rows += 1;
    }

    pub(super) fn finish(self, fields: Fields) -> Result<StructArray, ModelError> {
        let columns = self.columns.into_iter().map(OutputColumn::finish);
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        StructArray::try_new_with_length(fields, columns, None, self.rows).map_err(|_| WRONG_SHAPE)
    }
}

/// The bytes of some rows of a column of the driver.
fn piece<'a>(memory: &'a [u8], at: u32, rows: &Range<usize>, width: usize) -> &'a [u8] {
    let at = at as usize;
    &memory[at + rows.start * width..at + rows.end * width]
}

impl OutputColumn {
    fn new(output: &Output, cases: Option<&ArrayRef>, rows: usize) -> Self {
        Self {
            values: Values::new(&output.ty, cases, rows),
            width: output_width(&output.ty) as usize,
            optional: output.optional,
            valid: BooleanBufferBuilder::new(rows),
            nulls: 0,
        }
    }

    /// Fails the rows in which this column holds no value of its type.
    fn check(&self, answered: &mut [u8], memory: &[u8], place: &Column, rows: &Range<usize>) {
        let presence = piece(memory, place.presence, rows, 1);
        if self.optional {
            for (answered, byte) in answered.iter_mut().zip(presence) {
                *answered &= u8::from(*byte <= 1);
            }
        }
        let absent = |row: usize| self.optional && presence[row] == 0;
        let values = piece(memory, place.values, rows, self.width);
        match &self.values {
            Values::Enum(cases, _) => {
                let cases = cases.len() as u32;
                for (row, word) in values.as_chunks().0.iter().enumerate() {
                    let fits = u32::from_le_bytes(*word) < cases || absent(row);
                    answered[row] &= u8::from(fits);
                }
            }
            Values::String(_) => {
                for (row, (at, length)) in strings(values).enumerate() {
                    if answered[row] == 1 && !absent(row) {
                        let bytes = memory.get(at..at + length);
                        let fits = bytes.is_some_and(|bytes| str::from_utf8(bytes).is_ok());
                        answered[row] = u8::from(fits);
                    }
                }
            }
            _ => {}
        }
    }

    fn extend(
        &mut self,
        memory: &[u8],
        place: &Column,
        rows: &Range<usize>,
        present: &[u8],
    ) -> Result<(), ModelError> {
        let values = piece(memory, place.values, rows, self.width);
        self.values.extend(memory, values, present)?;
        let nulls = present.iter().filter(|present| **present == 0).count();
        if nulls == 0 {
            self.valid.append_n(present.len(), true);
        } else {
            present
                .iter()
                .for_each(|present| self.valid.append(*present == 1));
            // What a failed row left behind, or an option without a value carries, stays inside.
            self.values.blank(present);
        }
        self.nulls += nulls;
        Ok(())
    }

    fn finish(mut self) -> Result<ArrayRef, ModelError> {
        let nulls = (self.nulls > 0).then(|| NullBuffer::new(self.valid.finish()));
        self.values.finish(nulls)
    }
}
