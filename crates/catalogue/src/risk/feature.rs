//! A column's values, as they are or coarser, as hashes.

use ahash::RandomState;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use chrono::{DateTime, Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{CatalogueError, Column, ColumnType, Content, Result, Value};

/// How a column is made coarser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coarsening {
    /// Ten bins of one width between the declared bounds.
    TenBins,
    /// Numbers to one significant digit.
    OneDigit,
    /// Days and moments to their month.
    Month,
    /// Days and moments to their year.
    Year,
    /// Text to its first three characters.
    Prefix3,
    /// Text to its first character.
    Prefix1,
    /// The column left out.
    Dropped,
}

impl Coarsening {
    /// In words that fit after "with the column".
    pub fn words(self) -> &'static str {
        match self {
            Self::TenBins => "in ten bins",
            Self::OneDigit => "to one digit",
            Self::Month => "to the month",
            Self::Year => "to the year",
            Self::Prefix3 => "cut to 3 characters",
            Self::Prefix1 => "cut to 1 character",
            Self::Dropped => "left out",
        }
    }

    /// Those that make sense for a column.
    pub(super) fn of(column: &Column) -> Vec<Self> {
        match column.kind {
            ColumnType::Bool => vec![Self::Dropped],
            ColumnType::String => vec![Self::Prefix3, Self::Prefix1, Self::Dropped],
            ColumnType::Date | ColumnType::Timestamp => {
                vec![Self::Month, Self::Year, Self::Dropped]
            }
            _ if declared_range(column).is_some() => {
                vec![Self::TenBins, Self::OneDigit, Self::Dropped]
            }
            _ => vec![Self::OneDigit, Self::Dropped],
        }
    }
}

/// Both bounds of a numeric column, where both are declared and differ.
fn declared_range(column: &Column) -> Option<(f64, f64)> {
    let number = |value: &Value| match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    };
    match &column.content {
        Some(Content::Bounds {
            min: Some(min),
            max: Some(max),
        }) => Some((number(min)?, number(max)?)).filter(|(min, max)| min < max),
        _ => None,
    }
}

/// A column, as it is or coarser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Feature {
    /// Position among the assessed columns.
    pub(super) column: usize,
    pub(super) how: Option<Coarsening>,
}

impl Feature {
    /// One hash for each row. Hashes of different features are unrelated, so that they can be added up.
    pub(super) fn hashes(
        self,
        column: &Column,
        array: &ArrayRef,
        key: &RandomState,
    ) -> Result<Vec<u64>> {
        let place = self.column as u64;
        let hash = |value: Option<i64>| key.hash_one((place, value));
        let text = |value: Option<&str>| key.hash_one((place, value));
        Ok(match (column.kind, self.how) {
            (_, Some(Coarsening::Dropped)) => vec![0; array.len()],
            (ColumnType::String, how) => {
                let keep = match how {
                    Some(Coarsening::Prefix1) => 1,
                    Some(Coarsening::Prefix3) => 3,
                    _ => usize::MAX,
                };
                let array = as_type(array, &DataType::Utf8)?;
                let values = array.as_string::<i32>().iter();
                values
                    .map(|value| text(value.map(|value| prefix(value, keep))))
                    .collect()
            }
            (ColumnType::Date, how) => {
                let array = as_type(array, &DataType::Date32)?;
                let values = array.as_primitive::<Date32Type>().iter();
                values
                    .map(|days| hash(days.map(|days| calendar(i64::from(days), how, day_of))))
                    .collect()
            }
            (ColumnType::Timestamp, how) => {
                let array = as_type(array, &DataType::Int64)?;
                let values = array.as_primitive::<Int64Type>().iter();
                values
                    .map(|micros| hash(micros.map(|micros| calendar(micros, how, moment_of))))
                    .collect()
            }
            (_, Some(how)) => {
                let array = as_type(array, &DataType::Float64)?;
                let values = array.as_primitive::<Float64Type>().iter();
                let range = declared_range(column);
                values
                    .map(|value| hash(value.map(|value| number(value, how, range))))
                    .collect()
            }
            (ColumnType::Float32 | ColumnType::Float64, None) => {
                let array = as_type(array, &DataType::Float64)?;
                let values = array.as_primitive::<Float64Type>().iter();
                values
                    .map(|value| hash(value.map(|value| (value + 0.0).to_bits().cast_signed())))
                    .collect()
            }
            // Two's complement: also large numbers without a sign keep their 64 bits.
            (ColumnType::UInt64, None) => {
                let array = as_type(array, &DataType::UInt64)?;
                let values = array.as_primitive::<arrow::datatypes::UInt64Type>().iter();
                values
                    .map(|value| hash(value.map(u64::cast_signed)))
                    .collect()
            }
            _ => {
                let array = as_type(array, &DataType::Int64)?;
                let values = array.as_primitive::<Int64Type>().iter();
                values.map(hash).collect()
            }
        })
    }
}

fn as_type(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    cast(array, kind).map_err(|_| CatalogueError::Internal {
        action: "assessing the linkage risk",
    })
}

/// The first `keep` characters.
fn prefix(text: &str, keep: usize) -> &str {
    text.char_indices()
        .nth(keep)
        .map_or(text, |(end, _)| &text[..end])
}

fn day_of(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(i32::try_from(days).ok()?)
}

fn moment_of(micros: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.date_naive())
}

fn calendar(value: i64, how: Option<Coarsening>, date: fn(i64) -> Option<NaiveDate>) -> i64 {
    let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    match (how, date(value)) {
        (Some(Coarsening::Month), Some(date)) => months(date),
        (Some(Coarsening::Year), Some(date)) => date.year().into(),
        _ => value,
    }
}

/// The bin or the leading digit a number falls into.
fn number(value: f64, how: Coarsening, range: Option<(f64, f64)>) -> i64 {
    const BINS: f64 = 10.0;
    match (how, range) {
        (Coarsening::TenBins, Some((min, max))) => ((value - min) / (max - min) * BINS)
            .floor()
            .clamp(-1.0, BINS) as i64,
        _ if value == 0.0 => 0,
        _ => {
            let power = value.abs().log10().floor();
            let digit = (value / 10_f64.powf(power)).trunc();
            // Digits have 4 bits; a power of ten lies between -324 and 308.
            (power as i64) * 32 + digit as i64
        }
    }
}
