//! From the driver's columns to Arrow's.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::error::ModelError;
use crate::nan::{NAN_F32, NAN_F64};
use crate::signature::{Domain, Output, Signature, ValueType};
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

enum Values {
    Bool(Vec<bool>),
    S8(Vec<i8>),
    S16(Vec<i16>),
    S32(Vec<i32>),
    S64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    String(Text),
    Enum(Arc<Domain>, Text),
}

/// Strings one after the other, as Arrow keeps them.
struct Text {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Outputs {
    pub(super) fn new(signature: &Signature, rows: usize) -> Self {
        let outputs = signature.outputs.iter();
        Self {
            columns: outputs
                .map(|output| OutputColumn::new(output, rows))
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

const WRONG_SHAPE: ModelError = ModelError::Runtime {
    what: "an answer that does not match the signature",
};

/// The bytes of some rows of a column of the driver.
fn piece<'a>(memory: &'a [u8], at: u32, rows: &Range<usize>, width: usize) -> &'a [u8] {
    let at = at as usize;
    &memory[at + rows.start * width..at + rows.end * width]
}

impl OutputColumn {
    fn new(output: &Output, rows: usize) -> Self {
        Self {
            values: Values::new(&output.ty, rows),
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
            Values::Enum(domain, _) => {
                let cases = domain.cases.len() as u32;
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

/// Address and length of each string.
fn strings(values: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let word = |bytes: &[u8; 8], at: usize| {
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
    };
    let (chunks, _) = values.as_chunks::<8>();
    chunks
        .iter()
        .map(move |bytes| (word(bytes, 0), word(bytes, 4)))
}

impl Text {
    fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            offsets,
            bytes: Vec::with_capacity(rows * 8),
        }
    }

    fn push(&mut self, text: &[u8]) -> Result<(), ModelError> {
        self.bytes.extend_from_slice(text);
        // The number of rows was checked against the longest that a string can be.
        let end = i32::try_from(self.bytes.len()).map_err(|_| WRONG_SHAPE)?;
        self.offsets.push(end);
        Ok(())
    }

    fn push_nothing(&mut self) {
        self.offsets.push(self.offsets.last().copied().unwrap_or(0));
    }

    fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ModelError> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let text = StringArray::try_new(offsets, Buffer::from_vec(self.bytes), nulls);
        Ok(Arc::new(text.map_err(|_| WRONG_SHAPE)?))
    }
}

/// The same code for each vector of fixed width.
macro_rules! each_fixed {
    ($values:expr, $vector:ident => $code:expr, else $($other:tt)*) => {
        match $values {
            Values::S8($vector) => $code,
            Values::S16($vector) => $code,
            Values::S32($vector) => $code,
            Values::S64($vector) => $code,
            Values::U8($vector) => $code,
            Values::U16($vector) => $code,
            Values::U32($vector) => $code,
            Values::U64($vector) => $code,
            Values::F32($vector) => $code,
            Values::F64($vector) => $code,
            $($other)*
        }
    };
}

impl Values {
    fn new(ty: &ValueType, rows: usize) -> Self {
        match ty {
            ValueType::Bool => Self::Bool(Vec::with_capacity(rows)),
            ValueType::S8 => Self::S8(Vec::with_capacity(rows)),
            ValueType::S16 => Self::S16(Vec::with_capacity(rows)),
            ValueType::S32 => Self::S32(Vec::with_capacity(rows)),
            ValueType::S64 => Self::S64(Vec::with_capacity(rows)),
            ValueType::U8 => Self::U8(Vec::with_capacity(rows)),
            ValueType::U16 => Self::U16(Vec::with_capacity(rows)),
            ValueType::U32 => Self::U32(Vec::with_capacity(rows)),
            ValueType::U64 => Self::U64(Vec::with_capacity(rows)),
            ValueType::F32 => Self::F32(Vec::with_capacity(rows)),
            ValueType::F64 => Self::F64(Vec::with_capacity(rows)),
            ValueType::String => Self::String(Text::with_capacity(rows)),
            ValueType::Enum(domain) => Self::Enum(Arc::clone(domain), Text::with_capacity(rows)),
        }
    }

    fn push_nothing(&mut self) {
        each_fixed!(self, vector => vector.push(Default::default()), else
            Values::Bool(bits) => bits.push(false),
            Values::String(text) | Values::Enum(_, text) => text.push_nothing(),
        );
    }

    /// Appends the values of some rows; strings only where they are present.
    fn extend(&mut self, memory: &[u8], values: &[u8], present: &[u8]) -> Result<(), ModelError> {
        macro_rules! numbers {
            ($vector:expr, $ty:ty) => {
                $vector.extend(
                    values
                        .as_chunks()
                        .0
                        .iter()
                        .map(|bytes| <$ty>::from_le_bytes(*bytes)),
                )
            };
        }
        match self {
            Self::Bool(bits) => bits.extend(values.iter().map(|byte| *byte != 0)),
            Self::S8(vector) => numbers!(vector, i8),
            Self::S16(vector) => numbers!(vector, i16),
            Self::S32(vector) => numbers!(vector, i32),
            Self::S64(vector) => numbers!(vector, i64),
            Self::U8(vector) => vector.extend_from_slice(values),
            Self::U16(vector) => numbers!(vector, u16),
            Self::U32(vector) => numbers!(vector, u32),
            Self::U64(vector) => numbers!(vector, u64),
            Self::F32(vector) => vector.extend(values.as_chunks().0.iter().map(|bytes| {
                let value = f32::from_le_bytes(*bytes);
                if value.is_nan() { NAN_F32 } else { value }
            })),
            Self::F64(vector) => vector.extend(values.as_chunks().0.iter().map(|bytes| {
                let value = f64::from_le_bytes(*bytes);
                if value.is_nan() { NAN_F64 } else { value }
            })),
            Self::String(text) => {
                for ((at, length), present) in strings(values).zip(present) {
                    let bytes = memory.get(at..at + length).filter(|_| *present == 1);
                    text.push(bytes.unwrap_or_default())?;
                }
            }
            Self::Enum(domain, text) => {
                for (word, present) in values.as_chunks().0.iter().zip(present) {
                    let case = domain.cases.get(u32::from_le_bytes(*word) as usize);
                    let case = case.filter(|_| *present == 1);
                    text.push(case.map(String::as_bytes).unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }

    /// Clears the last values where nothing is present.
    fn blank(&mut self, present: &[u8]) {
        let blank = |last: usize| {
            present
                .iter()
                .enumerate()
                .filter(|(_, present)| **present == 0)
                .map(move |(row, _)| last + row)
        };
        each_fixed!(self, vector => {
            for row in blank(vector.len() - present.len()) {
                vector[row] = Default::default();
            }
        }, else
            Values::Bool(bits) => {
                for row in blank(bits.len() - present.len()) {
                    bits[row] = false;
                }
            }
            Values::String(_) | Values::Enum(..) => {}
        );
    }

    fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ModelError> {
        Ok(match self {
            Self::Bool(bits) => Arc::new(BooleanArray::new(BooleanBuffer::from(bits), nulls)),
            Self::S8(vector) => primitive::<Int8Type>(vector, nulls)?,
            Self::S16(vector) => primitive::<Int16Type>(vector, nulls)?,
            Self::S32(vector) => primitive::<Int32Type>(vector, nulls)?,
            Self::S64(vector) => primitive::<Int64Type>(vector, nulls)?,
            Self::U8(vector) => primitive::<UInt8Type>(vector, nulls)?,
            Self::U16(vector) => primitive::<UInt16Type>(vector, nulls)?,
            Self::U32(vector) => primitive::<UInt32Type>(vector, nulls)?,
            Self::U64(vector) => primitive::<UInt64Type>(vector, nulls)?,
            Self::F32(vector) => primitive::<Float32Type>(vector, nulls)?,
            Self::F64(vector) => primitive::<Float64Type>(vector, nulls)?,
            Self::String(text) | Self::Enum(_, text) => text.finish(nulls)?,
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(
    vector: Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ModelError> {
    let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(vector), nulls);
    Ok(Arc::new(array.map_err(|_| WRONG_SHAPE)?))
}
