//! From a CSV field to a typed value. Nothing is guessed: a field is a value of its column's type or it is refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::Utc;

use weir_catalogue::ColumnType;

/// Length of `YYYY-MM-DD`.
const DATE_CHARS: usize = 10;

/// The values of one column, collected.
pub(super) trait CsvValues {
    /// Takes a field, `None` for a missing value. False where it is not of the column's type.
    fn push(&mut self, field: Option<&str>) -> bool;

    /// The values so far.
    fn finish(&mut self) -> ArrayRef;
}

/// An empty column of a type.
pub(super) fn values_for(kind: ColumnType) -> Box<dyn CsvValues> {
    match kind {
        ColumnType::Bool => Box::new(BooleanBuilder::new()),
        ColumnType::Int8 => Primitive::<Int8Type>::boxed(|field| field.parse().ok()),
        ColumnType::Int16 => Primitive::<Int16Type>::boxed(|field| field.parse().ok()),
        ColumnType::Int32 => Primitive::<Int32Type>::boxed(|field| field.parse().ok()),
        ColumnType::Int64 => Primitive::<Int64Type>::boxed(|field| field.parse().ok()),
        ColumnType::UInt8 => Primitive::<UInt8Type>::boxed(|field| field.parse().ok()),
        ColumnType::UInt16 => Primitive::<UInt16Type>::boxed(|field| field.parse().ok()),
        ColumnType::UInt32 => Primitive::<UInt32Type>::boxed(|field| field.parse().ok()),
        ColumnType::UInt64 => Primitive::<UInt64Type>::boxed(|field| field.parse().ok()),
        ColumnType::Float32 => Primitive::<Float32Type>::boxed(|field| {
            field.parse().ok().filter(|value: &f32| value.is_finite())
        }),
        ColumnType::Float64 => Primitive::<Float64Type>::boxed(|field| {
            field.parse().ok().filter(|value: &f64| value.is_finite())
        }),
        ColumnType::String => Box::new(StringBuilder::new()),
        ColumnType::Date => Primitive::<Date32Type>::boxed(parse_date),
        ColumnType::Timestamp => Primitive::<TimestampMicrosecondType>::boxed(parse_timestamp),
    }
}

fn parse_date(field: &str) -> Option<i32> {
    // The parser below also reads longer forms and would drop what follows the day.
    if field.len() != DATE_CHARS {
        None
    } else {
        Date32Type::parse(field)
    }
}

fn parse_timestamp(field: &str) -> Option<i64> {
    let time = string_to_datetime(&Utc, field).ok()?;
    time.timestamp_subsec_nanos()
        .is_multiple_of(1_000)
        .then(|| time.timestamp_micros())
}

struct Primitive<T: ArrowPrimitiveType> {
    builder: PrimitiveBuilder<T>,
    parse: fn(&str) -> Option<T::Native>,
}

impl<T: ArrowPrimitiveType> Primitive<T> {
    fn boxed(parse: fn(&str) -> Option<T::Native>) -> Box<dyn CsvValues> {
        Box::new(Self {
            builder: PrimitiveBuilder::new(),
            parse,
        })
    }
}

impl<T: ArrowPrimitiveType> CsvValues for Primitive<T> {
    fn push(&mut self, field: Option<&str>) -> bool {
        let value = field.map(self.parse);
        self.builder.append_option(value.flatten());
        value != Some(None)
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

impl CsvValues for BooleanBuilder {
    fn push(&mut self, field: Option<&str>) -> bool {
        let value = match field {
            None => None,
            Some("1") => Some(true),
            Some("0") => Some(false),
            Some(field) if field.eq_ignore_ascii_case("true") => Some(true),
            Some(field) if field.eq_ignore_ascii_case("false") => Some(false),
            Some(_) => return false,
        };
        self.append_option(value);
        true
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(BooleanBuilder::finish(self))
    }
}

impl CsvValues for StringBuilder {
    fn push(&mut self, field: Option<&str>) -> bool {
        self.append_option(field);
        true
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(StringBuilder::finish(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(kind: ColumnType, field: &str) -> bool {
        values_for(kind).push(Some(field))
    }

    #[test]
    fn values_are_read_exactly_or_refused() {
        use ColumnType::*;
        for (kind, good, bad) in [
            (
                Bool,
                &["true", "FALSE", "1", "0"][..],
                &["yes", "2", " true", ""][..],
            ),
            (
                Int8,
                &["-128", "127", "+1"],
                &["128", "1.0", "1e2", " 1", "0x1", "١"],
            ),
            (UInt16, &["0", "65535"], &["-1", "65536"]),
            (UInt64, &["18446744073709551615"], &["18446744073709551616"]),
            (Float32, &["1.5", "-1e10"], &["1e39", "NaN", "1,5"]),
            (
                Float64,
                &["1.5", "1e308", ".5"],
                &["1e309", "inf", "nan", "-Infinity", "1.5 km"],
            ),
            (
                Date,
                &["2013-01-31", "2024-02-29"],
                &[
                    "2013-02-29",
                    "2013-1-1",
                    "31.01.2013",
                    "2013-01-31T00:00:00",
                ],
            ),
            (
                Timestamp,
                &[
                    "2013-01-01T05:00:00Z",
                    "2013-01-01 05:00:00.123456",
                    "2013-01-01T05:00:00+08:00",
                    "2013-01-01",
                ],
                &[
                    "2013-01-01T25:00:00Z",
                    "05:00",
                    "2013-01-01T05:00:00.1234567Z",
                ],
            ),
        ] {
            for field in good {
                assert!(takes(kind, field), "{kind:?} {field}");
            }
            for field in bad {
                assert!(!takes(kind, field), "{kind:?} {field}");
            }
        }
    }

    #[test]
    fn a_time_without_zone_is_utc() {
        assert_eq!(parse_timestamp("1970-01-01T00:00:01"), Some(1_000_000));
        assert_eq!(
            parse_timestamp("1970-01-01T08:00:01+08:00"),
            Some(1_000_000)
        );
    }
}
