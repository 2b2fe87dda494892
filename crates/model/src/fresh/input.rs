//! From Arrow columns to parameters.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::datatypes::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use wasmtime::component::Val;

use crate::error::ModelError;
use crate::limits::Limits;
use crate::signature::{Domain, Input, ValueType};

/// One input column of a batch.
pub(crate) struct InputColumn {
    values: Values,
    optional: bool,
}

enum Values {
    Bool(BooleanArray),
    S8(PrimitiveArray<Int8Type>),
    S16(PrimitiveArray<Int16Type>),
    S32(PrimitiveArray<Int32Type>),
    S64(PrimitiveArray<Int64Type>),
    U8(PrimitiveArray<UInt8Type>),
    U16(PrimitiveArray<UInt16Type>),
    U32(PrimitiveArray<UInt32Type>),
    U64(PrimitiveArray<UInt64Type>),
    F32(PrimitiveArray<Float32Type>),
    F64(PrimitiveArray<Float64Type>),
    String(StringArray, usize),
    Enum(StringArray, Arc<Domain>),
}

impl InputColumn {
    pub(crate) fn new(
        input: &Input,
        column: &ArrayRef,
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let values = values(&input.ty, column, limits).ok_or_else(|| ModelError::Columns {
            what: format!("column `{}` has another type", input.column),
        })?;
        Ok(Self {
            values,
            optional: input.optional,
        })
    }

    /// Bytes that the strings of some rows have together.
    pub(crate) fn string_bytes(&self, mut rows: Range<usize>) -> usize {
        match &self.values {
            Values::String(array, _) => rows
                .try_fold(0_usize, |sum, row| sum.checked_add(array.value(row).len()))
                .unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    /// Whether there is no value.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        let array: &dyn Array = match &self.values {
            Values::Bool(array) => array,
            Values::S8(array) => array,
            Values::S16(array) => array,
            Values::S32(array) => array,
            Values::S64(array) => array,
            Values::U8(array) => array,
            Values::U16(array) => array,
            Values::U32(array) => array,
            Values::U64(array) => array,
            Values::F32(array) => array,
            Values::F64(array) => array,
            Values::String(array, _) | Values::Enum(array, _) => array,
        };
        array.is_null(row)
    }

    /// The parameter for one row; nothing when the row fails by it.
    pub(crate) fn value(&self, row: usize) -> Option<Val> {
        let value = match &self.values {
            Values::Bool(array) => array.is_valid(row).then(|| Val::Bool(array.value(row))),
            Values::S8(array) => array.is_valid(row).then(|| Val::S8(array.value(row))),
            Values::S16(array) => array.is_valid(row).then(|| Val::S16(array.value(row))),
            Values::S32(array) => array.is_valid(row).then(|| Val::S32(array.value(row))),
            Values::S64(array) => array.is_valid(row).then(|| Val::S64(array.value(row))),
            Values::U8(array) => array.is_valid(row).then(|| Val::U8(array.value(row))),
            Values::U16(array) => array.is_valid(row).then(|| Val::U16(array.value(row))),
            Values::U32(array) => array.is_valid(row).then(|| Val::U32(array.value(row))),
            Values::U64(array) => array.is_valid(row).then(|| Val::U64(array.value(row))),
            Values::F32(array) => array.is_valid(row).then(|| Val::Float32(array.value(row))),
            Values::F64(array) => array.is_valid(row).then(|| Val::Float64(array.value(row))),
            Values::String(array, bytes_max) => match text(array, row) {
                Some(text) if text.len() > *bytes_max => return None,
                text => text.map(|text| Val::String(text.to_owned())),
            },
            Values::Enum(array, domain) => match text(array, row) {
                Some(text) if !domain.cases.iter().any(|case| case == text) => return None,
                text => text.map(|text| Val::Enum(text.to_owned())),
            },
        };
        match self.optional {
            true => Some(Val::Option(value.map(Box::new))),
            false => value,
        }
    }
}

fn text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

fn values(ty: &ValueType, column: &ArrayRef, limits: &Limits) -> Option<Values> {
    Some(match ty {
        ValueType::Bool => Values::Bool(column.as_boolean_opt()?.clone()),
        ValueType::S8 => Values::S8(column.as_primitive_opt()?.clone()),
        ValueType::S16 => Values::S16(column.as_primitive_opt()?.clone()),
        ValueType::S32 => Values::S32(column.as_primitive_opt()?.clone()),
        ValueType::S64 => Values::S64(column.as_primitive_opt()?.clone()),
        ValueType::U8 => Values::U8(column.as_primitive_opt()?.clone()),
        ValueType::U16 => Values::U16(column.as_primitive_opt()?.clone()),
        ValueType::U32 => Values::U32(column.as_primitive_opt()?.clone()),
        ValueType::U64 => Values::U64(column.as_primitive_opt()?.clone()),
        ValueType::F32 => Values::F32(column.as_primitive_opt()?.clone()),
        ValueType::F64 => Values::F64(column.as_primitive_opt()?.clone()),
        ValueType::String => Values::String(
            column.as_string_opt()?.clone(),
            limits.string_input_bytes_max,
        ),
        ValueType::Enum(domain) => {
            Values::Enum(column.as_string_opt()?.clone(), Arc::clone(domain))
        }
    })
}
