//! From a model's answers to Arrow columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, DictionaryArray, PrimitiveBuilder, StringBuilder, StructArray,
};
use arrow::datatypes::{
    Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use wasmtime::component::Val;

use crate::error::ModelError;
use crate::nan::{NAN_F32, NAN_F64};
use crate::runtime::Model;
use crate::signature::{Domain, ValueType};

/// The output columns of a batch under construction, all of the same length at every moment.
pub(super) struct OutputColumns {
    builders: Vec<Builder>,
    fields: Fields,
    single: bool,
    string_bytes_max: usize,
    rows: usize,
}

enum Builder {
    Bool(BooleanBuilder),
    S8(PrimitiveBuilder<Int8Type>),
    S16(PrimitiveBuilder<Int16Type>),
    S32(PrimitiveBuilder<Int32Type>),
    S64(PrimitiveBuilder<Int64Type>),
    U8(PrimitiveBuilder<UInt8Type>),
    U16(PrimitiveBuilder<UInt16Type>),
    U32(PrimitiveBuilder<UInt32Type>),
    U64(PrimitiveBuilder<UInt64Type>),
    F32(PrimitiveBuilder<Float32Type>),
    F64(PrimitiveBuilder<Float64Type>),
    Text(StringBuilder),
    Enum(PrimitiveBuilder<UInt8Type>, Arc<Domain>),
}

impl OutputColumns {
    pub(super) fn new(model: &Model, rows: usize) -> Self {
        let signature = model.signature();
        let string_bytes_max = model.limits().string_output_bytes_max;
        Self {
            builders: signature
                .outputs
                .iter()
                .map(|output| Builder::new(&output.ty, rows))
                .collect(),
            fields: model.output_fields(),
            single: signature.is_single(),
            string_bytes_max,
            rows: 0,
        }
    }

    /// Adds one answer, whole or, when any part of it is over its limit, as a failed row.
    pub(super) fn push(&mut self, answer: Val) -> Result<(), ModelError> {
        let values = match answer {
            Val::Record(fields) if !self.single => fields
                .into_iter()
                .map(|(_, value)| unwrapped(value))
                .collect(),
            value if self.single => vec![unwrapped(value)],
            _ => return Err(WRONG_SHAPE),
        };
        if values.len() != self.builders.len() {
            return Err(WRONG_SHAPE);
        }
        if values
            .iter()
            .flatten()
            .any(|value| self.is_over_limit(value))
        {
            self.push_failed();
            return Ok(());
        }
        for (builder, value) in self.builders.iter_mut().zip(values) {
            builder.push(value)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Adds a row that is null in every output.
    pub(super) fn push_failed(&mut self) {
        self.builders.iter_mut().for_each(Builder::push_null);
        self.rows += 1;
    }

    pub(super) fn finish(self) -> Result<StructArray, ModelError> {
        let columns = self.builders.into_iter().map(Builder::finish);
        let columns = columns.collect::<Result<_, _>>()?;
        StructArray::try_new_with_length(self.fields, columns, None, self.rows)
            .map_err(|_| WRONG_SHAPE)
    }

    fn is_over_limit(&self, value: &Val) -> bool {
        matches!(value, Val::String(text) if text.len() > self.string_bytes_max)
    }
}

const WRONG_SHAPE: ModelError = ModelError::Runtime {
    what: "an answer that does not match the signature",
};

/// The value inside an option, or the value itself.
fn unwrapped(value: Val) -> Option<Val> {
    match value {
        Val::Option(inner) => inner.map(|value| *value),
        value => Some(value),
    }
}

impl Builder {
    fn new(ty: &ValueType, rows: usize) -> Self {
        match ty {
            ValueType::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            ValueType::S8 => Self::S8(PrimitiveBuilder::with_capacity(rows)),
            ValueType::S16 => Self::S16(PrimitiveBuilder::with_capacity(rows)),
            ValueType::S32 => Self::S32(PrimitiveBuilder::with_capacity(rows)),
            ValueType::S64 => Self::S64(PrimitiveBuilder::with_capacity(rows)),
            ValueType::U8 => Self::U8(PrimitiveBuilder::with_capacity(rows)),
            ValueType::U16 => Self::U16(PrimitiveBuilder::with_capacity(rows)),
            ValueType::U32 => Self::U32(PrimitiveBuilder::with_capacity(rows)),
            ValueType::U64 => Self::U64(PrimitiveBuilder::with_capacity(rows)),
            ValueType::F32 => Self::F32(PrimitiveBuilder::with_capacity(rows)),
            ValueType::F64 => Self::F64(PrimitiveBuilder::with_capacity(rows)),
            ValueType::String => Self::Text(StringBuilder::with_capacity(rows, rows * 8)),
            ValueType::Enum(domain) => {
                Self::Enum(PrimitiveBuilder::with_capacity(rows), Arc::clone(domain))
            }
        }
    }

    fn push(&mut self, value: Option<Val>) -> Result<(), ModelError> {
        match (self, value) {
            (builder, None) => builder.push_null(),
            (Self::Bool(builder), Some(Val::Bool(value))) => builder.append_value(value),
            (Self::S8(builder), Some(Val::S8(value))) => builder.append_value(value),
            (Self::S16(builder), Some(Val::S16(value))) => builder.append_value(value),
            (Self::S32(builder), Some(Val::S32(value))) => builder.append_value(value),
            (Self::S64(builder), Some(Val::S64(value))) => builder.append_value(value),
            (Self::U8(builder), Some(Val::U8(value))) => builder.append_value(value),
            (Self::U16(builder), Some(Val::U16(value))) => builder.append_value(value),
            (Self::U32(builder), Some(Val::U32(value))) => builder.append_value(value),
            (Self::U64(builder), Some(Val::U64(value))) => builder.append_value(value),
            (Self::F32(builder), Some(Val::Float32(value))) => {
                builder.append_value(if value.is_nan() { NAN_F32 } else { value });
            }
            (Self::F64(builder), Some(Val::Float64(value))) => {
                builder.append_value(if value.is_nan() { NAN_F64 } else { value });
            }
            (Self::Text(builder), Some(Val::String(text))) => builder.append_value(text),
            (Self::Enum(builder, domain), Some(Val::Enum(text))) => {
                let case = domain.cases.iter().position(|case| *case == text);
                let case = case.and_then(|case| u8::try_from(case).ok());
                builder.append_value(case.ok_or(WRONG_SHAPE)?);
            }
            _ => return Err(WRONG_SHAPE),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::S8(builder) => builder.append_null(),
            Self::S16(builder) => builder.append_null(),
            Self::S32(builder) => builder.append_null(),
            Self::S64(builder) => builder.append_null(),
            Self::U8(builder) => builder.append_null(),
            Self::U16(builder) => builder.append_null(),
            Self::U32(builder) => builder.append_null(),
            Self::U64(builder) => builder.append_null(),
            Self::F32(builder) => builder.append_null(),
            Self::F64(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Enum(builder, _) => builder.append_null(),
        }
    }

    fn finish(self) -> Result<ArrayRef, ModelError> {
        Ok(match self {
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::S8(mut builder) => Arc::new(builder.finish()),
            Self::S16(mut builder) => Arc::new(builder.finish()),
            Self::S32(mut builder) => Arc::new(builder.finish()),
            Self::S64(mut builder) => Arc::new(builder.finish()),
            Self::U8(mut builder) => Arc::new(builder.finish()),
            Self::U16(mut builder) => Arc::new(builder.finish()),
            Self::U32(mut builder) => Arc::new(builder.finish()),
            Self::U64(mut builder) => Arc::new(builder.finish()),
            Self::F32(mut builder) => Arc::new(builder.finish()),
            Self::F64(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Enum(mut builder, domain) => {
                let column = DictionaryArray::try_new(builder.finish(), domain.column());
                Arc::new(column.map_err(|_| WRONG_SHAPE)?)
            }
        })
    }
}
