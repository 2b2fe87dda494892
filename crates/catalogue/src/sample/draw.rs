//! Drawing the values of a column.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::{Column, ColumnType, Content, Value};

/// A whole number without bounds is drawn from 0 to this, or to its type's largest.
const WHOLE_ASSUMED: i64 = 100;
/// A number without bounds is drawn from 0 to this.
const FLOAT_ASSUMED: f64 = 100.0;
/// Text without a domain is one of so many made-up words.
const WORDS_ASSUMED: u64 = 20;
/// A day without bounds lies in the year from 2024-01-01.
const DAY_ASSUMED: i64 = 19_723;
const DAYS_ASSUMED: i64 = 365;
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Random numbers that depend on a seed and a purpose alone, the same on every machine.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(purpose);
        Self(dice)
    }

    /// A whole number from 0 to below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// From `min` to `max`, both included.
    fn between(&mut self, min: i64, max: i64) -> i64 {
        let width = max.abs_diff(min).saturating_add(1);
        min.wrapping_add_unsigned(self.below(width))
    }

    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Made-up identifiers, one for each unit.
pub(super) fn identifiers(column: &Column, units: &[u64]) -> ArrayRef {
    if column.kind == ColumnType::String {
        let names = units
            .iter()
            .map(|unit| Some(format!("{}-{unit:06}", column.name)));
        return Arc::new(names.collect::<StringArray>());
    }
    // Wraps where the type is small: a sample need not have many units.
    let most = column.kind.whole_range().map_or(1, |(_, max)| max);
    let numbers = units
        .iter()
        .map(|unit| Some(i64::try_from(*unit).unwrap_or(i64::MAX) % most.max(1)));
    typed(column, Arc::new(numbers.collect::<Int64Array>()))
}

/// Values as the manifest declares them.
pub(super) fn values(column: &Column, rows: usize, dice: &mut Dice) -> ArrayRef {
    let null_share = column.null_share.unwrap_or(0.0);
    // A value is drawn for every row, so that the declared share of nulls does not move the others.
    let present: Vec<bool> = (0..rows).map(|_| dice.share() >= null_share).collect();
    if let Some(Content::Domain(listed)) = &column.content {
        let drawn: Vec<&Value> = (0..rows)
            .filter_map(|_| {
                let place = usize::try_from(dice.below(listed.len() as u64)).unwrap_or(0);
                listed.get(place).map(|listed| &listed.value)
            })
            .collect();
        return from_domain(column, &drawn, &present);
    }
    let (min, max) = match &column.content {
        Some(Content::Bounds { min, max }) => (min.as_ref(), max.as_ref()),
        _ => (None, None),
    };
    let keep = |index: usize| present.get(index).copied().unwrap_or(true);
    match column.kind {
        ColumnType::Bool => {
            let drawn = (0..rows).map(|row| (dice.below(2) == 1, row));
            Arc::new(
                drawn
                    .map(|(value, row)| keep(row).then_some(value))
                    .collect::<BooleanArray>(),
            )
        }
        ColumnType::String => {
            let drawn = (0..rows).map(|row| (dice.below(WORDS_ASSUMED) + 1, row));
            let words =
                drawn.map(|(word, row)| keep(row).then(|| format!("{} {word}", column.name)));
            Arc::new(words.collect::<StringArray>())
        }
        ColumnType::Float32 | ColumnType::Float64 => {
            let (min, max) = float_range(min, max);
            let drawn = (0..rows).map(|row| (min + (max - min) * dice.share(), row));
            let numbers = drawn.map(|(value, row)| keep(row).then(|| hundredths(value, min, max)));
            typed(column, Arc::new(numbers.collect::<Float64Array>()))
        }
        kind => {
            let (min, max) = whole_range(kind, min, max);
            let drawn = (0..rows).map(|row| (dice.between(min, max), row));
            let numbers: Vec<Option<i64>> = drawn
                .map(|(value, row)| keep(row).then_some(value))
                .collect();
            wholes(column, numbers)
        }
    }
}

pub(crate) fn from_domain(column: &Column, drawn: &[&Value], present: &[bool]) -> ArrayRef {
    let values = || {
        drawn
            .iter()
            .zip(present)
            .map(|(value, keep)| keep.then_some(*value))
    };
    match column.kind {
        ColumnType::String => Arc::new(
            values()
                .map(|value| match value {
                    Some(Value::Text(text)) => Some(text.as_str()),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
        ColumnType::Bool => Arc::new(
            values()
                .map(|value| match value {
                    Some(Value::Bool(value)) => Some(*value),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        _ => wholes(
            column,
            values().map(|value| value.and_then(whole)).collect(),
        ),
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) | Value::Timestamp(value) => Some(*value),
        Value::Date(days) => Some((*days).into()),
        _ => None,
    }
}

/// Whole numbers as the column's type.
fn wholes(column: &Column, numbers: Vec<Option<i64>>) -> ArrayRef {
    match column.kind {
        ColumnType::Date => {
            let days = numbers
                .into_iter()
                .map(|days| days.and_then(|days| i32::try_from(days).ok()));
            Arc::new(days.collect::<Date32Array>())
        }
        ColumnType::Timestamp => {
            Arc::new(numbers.into_iter().collect::<TimestampMicrosecondArray>())
        }
        _ => typed(
            column,
            Arc::new(numbers.into_iter().collect::<Int64Array>()),
        ),
    }
}

/// Values that were drawn within the type's range, as the type. A cast that finds one that is not makes it null.
fn typed(column: &Column, array: ArrayRef) -> ArrayRef {
    let kind = column.kind.data_type();
    cast(&array, &kind).unwrap_or_else(|_| arrow::array::new_null_array(&kind, array.len()))
}

/// The range to draw from: as declared; a missing end is assumed at the usual distance from the other.
fn whole_range(kind: ColumnType, min: Option<&Value>, max: Option<&Value>) -> (i64, i64) {
    let (assumed, width, scale) = match kind {
        ColumnType::Date => (DAY_ASSUMED, DAYS_ASSUMED, 1),
        ColumnType::Timestamp => (DAY_ASSUMED, DAYS_ASSUMED, DAY_MICROS),
        _ => (0, WHOLE_ASSUMED, 1),
    };
    let (least, most) = kind.whole_range().unwrap_or((i64::MIN, i64::MAX));
    let width = width * scale;
    match (min.and_then(whole), max.and_then(whole)) {
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, min.saturating_add(width).min(most)),
        (None, Some(max)) => (max.saturating_sub(width).max(least), max),
        (None, None) => {
            let min = (assumed * scale).max(least);
            (min, min.saturating_add(width).min(most))
        }
    }
}

fn float_range(min: Option<&Value>, max: Option<&Value>) -> (f64, f64) {
    let float = |value: Option<&Value>| match value {
        Some(Value::Float(value)) => Some(*value),
        _ => None,
    };
    match (float(min), float(max)) {
        (Some(min), Some(max)) => (min, max),
        (Some(min), None) => (min, min + FLOAT_ASSUMED),
        (None, Some(max)) => (max - FLOAT_ASSUMED, max),
        (None, None) => (0.0, FLOAT_ASSUMED),
    }
}

/// To two digits, where that stays within the range.
fn hundredths(value: f64, min: f64, max: f64) -> f64 {
    ((value * 100.0).round() / 100.0).clamp(min, max)
}
