//! One form for each column, so that its bytes tell its values and nothing else.
//!
//! Kernels may leave behind, and the Arrow stream would carry out: the value under a null, dictionary entries that no
//! row refers to, whole buffers that string views point into, the bits of a NaN, the sign of a zero. Each column is
//! therefore built anew, value by value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use crate::column::released_type;
use crate::error::GateError;
use crate::text::canonical_texts;

const UNKNOWN: GateError = GateError::Step { step: "normalise" };

/// The column in its one form, of the type it leaves with.
///
/// # Errors
/// A column too long in text; a type that [`released_type`] does not let out.
pub(crate) fn canonical(column: &ArrayRef) -> Result<ArrayRef, GateError> {
    let to = released_type(column.data_type()).map_err(|_| UNKNOWN)?;
    let column: &dyn Array = column;
    match to {
        DataType::Utf8 => canonical_texts(column),
        DataType::Boolean => booleans(column),
        DataType::Float32 => formed::<Float32Type>(column, one_f32),
        DataType::Float64 => formed::<Float64Type>(column, one_f64),
        DataType::Int8 => numbers::<Int8Type>(column),
        DataType::Int16 => numbers::<Int16Type>(column),
        DataType::Int32 => numbers::<Int32Type>(column),
        DataType::Int64 => numbers::<Int64Type>(column),
        DataType::UInt8 => numbers::<UInt8Type>(column),
        DataType::UInt16 => numbers::<UInt16Type>(column),
        DataType::UInt32 => numbers::<UInt32Type>(column),
        DataType::UInt64 => numbers::<UInt64Type>(column),
        DataType::Decimal128(_, _) => numbers::<Decimal128Type>(column),
        DataType::Decimal256(_, _) => numbers::<Decimal256Type>(column),
        other => instants(column, &other),
    }
}

fn instants(column: &dyn Array, to: &DataType) -> Result<ArrayRef, GateError> {
    match to {
        DataType::Date32 => numbers::<Date32Type>(column),
        DataType::Date64 => numbers::<Date64Type>(column),
        DataType::Time32(TimeUnit::Second) => numbers::<Time32SecondType>(column),
        DataType::Time32(TimeUnit::Millisecond) => numbers::<Time32MillisecondType>(column),
        DataType::Time64(TimeUnit::Microsecond) => numbers::<Time64MicrosecondType>(column),
        DataType::Time64(TimeUnit::Nanosecond) => numbers::<Time64NanosecondType>(column),
        DataType::Timestamp(TimeUnit::Second, _) => numbers::<TimestampSecondType>(column),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            numbers::<TimestampMillisecondType>(column)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            numbers::<TimestampMicrosecondType>(column)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => numbers::<TimestampNanosecondType>(column),
        _ => Err(UNKNOWN),
    }
}

/// One NaN and one zero. The NaN is written in bits, because the library constant may differ between platforms.
fn one_f64(number: f64) -> f64 {
    if number.is_nan() {
        f64::from_bits(0x7ff8_0000_0000_0000)
    } else {
        number + 0.0
    }
}

fn one_f32(number: f32) -> f32 {
    if number.is_nan() {
        f32::from_bits(0x7fc0_0000)
    } else {
        number + 0.0
    }
}

fn booleans(column: &dyn Array) -> Result<ArrayRef, GateError> {
    let column = column.as_boolean_opt().ok_or(UNKNOWN)?;
    Ok(Arc::new(column.iter().collect::<BooleanArray>()))
}

fn numbers<T: ArrowPrimitiveType>(column: &dyn Array) -> Result<ArrayRef, GateError> {
    formed::<T>(column, |number| number)
}

/// Nulls become zero bytes; `form` gives each value its one form.
fn formed<T: ArrowPrimitiveType>(
    column: &dyn Array,
    form: impl Fn(T::Native) -> T::Native,
) -> Result<ArrayRef, GateError> {
    let column = column.as_primitive_opt::<T>().ok_or(UNKNOWN)?;
    let anew: PrimitiveArray<T> = column.iter().map(|value| value.map(&form)).collect();
    // The element type knows neither time zone nor decimal precision: they come from the column.
    Ok(Arc::new(anew.with_data_type(column.data_type().clone())))
}
