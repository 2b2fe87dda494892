//! The values of one output column while they are collected.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, DictionaryArray, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::error::ModelError;
use crate::nan::{NAN_F32, NAN_F64};
use crate::signature::ValueType;

pub(super) const WRONG_SHAPE: ModelError = ModelError::Runtime {
    what: "an answer that does not match the signature",
};

/// Values by type.
pub(super) enum Values {
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
    /// The cases as a column, and the number of each row's case.
    Enum(ArrayRef, Vec<u8>),
}

/// Strings one after the other, as Arrow keeps them.
pub(super) struct Text {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

/// Address and length of each string.
pub(super) fn strings(values: &[u8]) -> impl Iterator<Item = (usize, usize)> {
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
    /// `cases` are those of an enum.
    pub(super) fn new(ty: &ValueType, cases: Option<&ArrayRef>, rows: usize) -> Self {
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
            ValueType::Enum(domain) => Self::Enum(
                cases.map_or_else(|| domain.column(), Arc::clone),
                Vec::with_capacity(rows),
            ),
        }
    }

    pub(super) fn push_nothing(&mut self) {
        each_fixed!(self, vector => vector.push(Default::default()), else
            Values::Bool(bits) => bits.push(false),
            Values::String(text) => text.push_nothing(),
            Values::Enum(_, keys) => keys.push(0),
        );
    }

    /// Appends the values of some rows; strings only where they are present.
    pub(super) fn extend(
        &mut self,
        memory: &[u8],
        values: &[u8],
        present: &[u8],
    ) -> Result<(), ModelError> {
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
            // A number that is no case is blanked: its row has failed.
            Self::Enum(_, keys) => {
                keys.extend(values.as_chunks::<4>().0.iter().map(|word| word[0]))
            }
        }
        Ok(())
    }

    /// Clears the last values where nothing is present.
    pub(super) fn blank(&mut self, present: &[u8]) {
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
            Values::Enum(_, keys) => {
                for row in blank(keys.len() - present.len()) {
                    keys[row] = 0;
                }
            }
            Values::String(_) => {}
        );
    }

    pub(super) fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ModelError> {
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
            Self::String(text) => text.finish(nulls)?,
            Self::Enum(cases, keys) => {
                let keys = PrimitiveArray::<UInt8Type>::try_new(ScalarBuffer::from(keys), nulls);
                let keys = keys.map_err(|_| WRONG_SHAPE)?;
                Arc::new(DictionaryArray::try_new(keys, cases).map_err(|_| WRONG_SHAPE)?)
            }
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
