//! From a Parquet file's type to the manifest's: only where no value can change.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit, TimestampNanosecondType};

use crate::limits::FIELD_BYTES_MAX;
use weir_catalogue::ColumnType;

/// What is wrong with a column's values, with the row's position in the batch.
pub(super) enum Misfit {
    /// A value is not of the type.
    Value(usize),
    /// A value is longer than [`FIELD_BYTES_MAX`].
    TooLong(usize),
    /// The values cannot be converted.
    Unreadable,
}

/// Whether every value of `found` is a value of `kind`, or is checked by [`widen`].
pub(super) fn fits(found: &DataType, kind: ColumnType) -> bool {
    use DataType::*;
    match found {
        Dictionary(_, values) => return fits(values, kind),
        Null => return true,
        _ => {}
    }
    match kind {
        ColumnType::Bool => matches!(found, Boolean),
        ColumnType::Int8 => matches!(found, Int8),
        ColumnType::Int16 => matches!(found, Int8 | Int16 | UInt8),
        ColumnType::Int32 => matches!(found, Int8 | Int16 | Int32 | UInt8 | UInt16),
        ColumnType::Int64 => matches!(
            found,
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32
        ),
        ColumnType::UInt8 => matches!(found, UInt8),
        ColumnType::UInt16 => matches!(found, UInt8 | UInt16),
        ColumnType::UInt32 => matches!(found, UInt8 | UInt16 | UInt32),
        ColumnType::UInt64 => matches!(found, UInt8 | UInt16 | UInt32 | UInt64),
        // 24 and 53 bits of mantissa hold every whole number of 16 and 32 bits.
        ColumnType::Float32 => matches!(found, Float16 | Float32 | Int8 | Int16 | UInt8 | UInt16),
        ColumnType::Float64 => {
            matches!(
                found,
                Float16 | Float32 | Float64 | Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32
            )
        }
        ColumnType::String => matches!(found, Utf8 | LargeUtf8 | Utf8View),
        ColumnType::Date => matches!(found, Date32),
        ColumnType::Timestamp => matches!(found, Timestamp(_, _) | Date32),
    }
}

/// Converts a column for which [`fits`] holds.
pub(super) fn widen(array: &ArrayRef, kind: ColumnType) -> Result<ArrayRef, Misfit> {
    if let DataType::Timestamp(TimeUnit::Nanosecond, _) = array.data_type() {
        let times = array.as_primitive::<TimestampNanosecondType>();
        if let Some(row) = first(times.iter(), |time| time % 1_000 != 0) {
            return Err(Misfit::Value(row));
        }
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let utc = match array.data_type() {
        // Values count from 1970 in UTC whatever zone they are shown in; without the cast to UTC first, dropping the
        // zone would turn them into that zone's wall clock.
        DataType::Timestamp(unit, Some(_)) => {
            let bare = DataType::Timestamp(*unit, Some("+00:00".into()));
            Some(cast_with_options(array, &bare, &options).map_err(|_| Misfit::Unreadable)?)
        }
        _ => None,
    };
    let array = utc.as_ref().unwrap_or(array);
    let widened =
        cast_with_options(array, &kind.data_type(), &options).map_err(|_| Misfit::Unreadable)?;
    check_values(&widened, kind)?;
    Ok(widened)
}

fn check_values(array: &ArrayRef, kind: ColumnType) -> Result<(), Misfit> {
    let wrong = match kind {
        ColumnType::Float32 => first(array.as_primitive::<Float32Type>().iter(), |value| {
            !value.is_finite()
        }),
        ColumnType::Float64 => first(array.as_primitive::<Float64Type>().iter(), |value| {
            !value.is_finite()
        }),
        ColumnType::String => {
            let long = first(array.as_string::<i32>().iter(), |value| {
                value.len() > FIELD_BYTES_MAX
            });
            return long.map_or(Ok(()), |row| Err(Misfit::TooLong(row)));
        }
        _ => None,
    };
    wrong.map_or(Ok(()), |row| Err(Misfit::Value(row)))
}

fn first<T>(values: impl Iterator<Item = Option<T>>, wrong: impl Fn(T) -> bool) -> Option<usize> {
    values
        .enumerate()
        .find_map(|(row, value)| value.is_some_and(&wrong).then_some(row))
}

/// A Parquet type in words, without the engine's names for it.
pub(super) fn in_words(found: &DataType) -> String {
    use DataType::*;
    let words = match found {
        Boolean => "true or false",
        Int8 => "int8",
        Int16 => "int16",
        Int32 => "int32",
        Int64 => "int64",
        UInt8 => "uint8",
        UInt16 => "uint16",
        UInt32 => "uint32",
        UInt64 => "uint64",
        Float16 => "float16",
        Float32 => "float32",
        Float64 => "float64",
        Utf8 | LargeUtf8 | Utf8View => "text",
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => "raw bytes",
        Date32 | Date64 => "a date",
        Timestamp(_, _) => "a timestamp",
        Time32(_) | Time64(_) | Duration(_) | Interval(_) => "a time of day or a span of time",
        Decimal32(_, _) | Decimal64(_, _) | Decimal128(_, _) | Decimal256(_, _) => {
            "a decimal number"
        }
        Dictionary(_, values) => return in_words(values),
        _ => "a nested type",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use std::sync::Arc;

    use arrow::array::{
        Int16Array, Int32Array, StringDictionaryBuilder, TimestampMillisecondArray,
        TimestampNanosecondArray,
    };
    use arrow::datatypes::{Int8Type, TimestampMicrosecondType};

    use super::*;

    fn widened(array: impl Array + 'static, kind: ColumnType) -> Result<ArrayRef, Misfit> {
        let array: ArrayRef = Arc::new(array);
        assert!(fits(array.data_type(), kind));
        widen(&array, kind)
    }

    #[test]
    fn numbers_and_text_widen() {
        let wide = widened(Int16Array::from(vec![Some(1), None]), ColumnType::Int32)
            .ok()
            .unwrap();
        assert_eq!(
            &wide,
            &(Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef)
        );
        let mut text = StringDictionaryBuilder::<Int8Type>::new();
        text.append_value("a");
        let plain = widened(text.finish(), ColumnType::String).ok().unwrap();
        assert_eq!(plain.as_string::<i32>().value(0), "a");
    }

    #[test]
    fn narrowing_does_not_fit() {
        assert!(!fits(&DataType::Int64, ColumnType::Int32));
        assert!(!fits(&DataType::Int64, ColumnType::Float64));
        assert!(!fits(&DataType::Float64, ColumnType::Float32));
        assert!(!fits(&DataType::Decimal128(10, 2), ColumnType::Float64));
        assert!(!fits(&DataType::Int8, ColumnType::UInt8));
    }

    #[test]
    fn times_keep_their_instant() {
        let shanghai = TimestampMillisecondArray::from(vec![1_000]).with_timezone("+08:00");
        let utc = widened(shanghai, ColumnType::Timestamp).ok().unwrap();
        assert_eq!(
            utc.as_primitive::<TimestampMicrosecondType>().value(0),
            1_000_000
        );
        assert!(
            widened(
                TimestampNanosecondArray::from(vec![1_000]),
                ColumnType::Timestamp
            )
            .is_ok()
        );
        let finer = widened(
            TimestampNanosecondArray::from(vec![0, 1]),
            ColumnType::Timestamp,
        );
        assert!(matches!(finer, Err(Misfit::Value(1))));
        let overflow = TimestampMillisecondArray::from(vec![i64::MAX]);
        assert!(matches!(
            widened(overflow, ColumnType::Timestamp),
            Err(Misfit::Unreadable)
        ));
    }
}
