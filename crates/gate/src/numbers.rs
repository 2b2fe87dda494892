//! The values of a statistic as numbers: read, rounded, added, written back in the column's own type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use weir_ledger::rounding::Coin;

use crate::error::GateError;
use crate::round::{self, Range, Rounding};

const STEP: GateError = GateError::Step { step: "round" };

/// The values of one statistic, in the arithmetic of its type.
pub(crate) enum Numbers {
    /// Whole numbers, and decimals of up to 38 digits.
    Whole(Vec<Option<i128>>, Range),
    /// Decimals of up to 76 digits, and the largest there can be.
    Wide(Vec<Option<i256>>, i256),
    Double(Vec<Option<f64>>),
    Single(Vec<Option<f32>>),
}

impl Numbers {
    /// Reads a column.
    pub(crate) fn read(column: &ArrayRef) -> Result<Numbers, GateError> {
        let range = |min, max, scale| Range { min, max, scale };
        let whole = |values, min, max| Ok(Numbers::Whole(values, range(min, max, 0)));
        match column.data_type() {
            DataType::Int8 => whole(
                integers::<Int8Type>(column)?,
                i8::MIN.into(),
                i8::MAX.into(),
            ),
            DataType::Int16 => whole(
                integers::<Int16Type>(column)?,
                i16::MIN.into(),
                i16::MAX.into(),
            ),
            DataType::Int32 => whole(
                integers::<Int32Type>(column)?,
                i32::MIN.into(),
                i32::MAX.into(),
            ),
            DataType::Int64 => whole(
                integers::<Int64Type>(column)?,
                i64::MIN.into(),
                i64::MAX.into(),
            ),
            DataType::UInt8 => whole(integers::<UInt8Type>(column)?, 0, u8::MAX.into()),
            DataType::UInt16 => whole(integers::<UInt16Type>(column)?, 0, u16::MAX.into()),
            DataType::UInt32 => whole(integers::<UInt32Type>(column)?, 0, u32::MAX.into()),
            DataType::UInt64 => whole(integers::<UInt64Type>(column)?, 0, u64::MAX.into()),
            DataType::Decimal128(precision, scale) => {
                let max = 10_i128.checked_pow(u32::from(*precision)).ok_or(STEP)? - 1;
                let range = range(-max, max, i32::from(*scale));
                Ok(Numbers::Whole(integers::<Decimal128Type>(column)?, range))
            }
            DataType::Decimal256(precision, _) => {
                let power = i256::from_i128(10).checked_pow(u32::from(*precision));
                let max = power.ok_or(STEP)?.wrapping_sub(i256::ONE);
                Ok(Numbers::Wide(values::<Decimal256Type>(column)?, max))
            }
            DataType::Float64 => Ok(Numbers::Double(values::<Float64Type>(column)?)),
            DataType::Float32 => Ok(Numbers::Single(values::<Float32Type>(column)?)),
            _ => Err(STEP),
        }
    }

    /// Each value rounded.
    pub(crate) fn round(&mut self, rounding: Rounding) {
        match (self, rounding) {
            (Numbers::Whole(values, range), Rounding::Base(base)) => {
                each(values, |value| round::to_base(value, base, *range));
            }
            (Numbers::Whole(values, range), Rounding::Digits(digits)) => {
                each(values, |value| round::to_digits(value, digits, *range));
            }
            (Numbers::Wide(values, max), Rounding::Digits(digits)) => {
                each(values, |value| round::wide_to_digits(value, digits, *max));
            }
            (Numbers::Double(values), Rounding::Digits(digits)) => {
                each(values, |value| round::float_to_digits(value, digits));
            }
            (Numbers::Single(values), Rounding::Digits(digits)) => {
                each(values, |value| round::float_to_digits(value, digits));
            }
            // Counts are whole numbers; the shape is checked for it.
            (Numbers::Wide(..) | Numbers::Double(_) | Numbers::Single(_), Rounding::Base(_)) => {}
        }
    }

    /// One value rounded.
    pub(crate) fn round_one(&mut self, at: usize, rounding: Rounding) {
        self.coarsen(at, 0.0, rounding, None);
    }

    /// One value to a multiple of whatever is coarser, `base` or what the rounding asks: the nearest, or the one that the
    /// coin says.
    pub(crate) fn coarsen(
        &mut self,
        at: usize,
        base: f64,
        rounding: Rounding,
        coin: Option<&Coin>,
    ) {
        match self {
            Numbers::Whole(values, range) => {
                let scale = 10_f64.powi(range.scale);
                values[at] = values[at]
                    .map(|value| round::coarse_whole(value, base * scale, rounding, coin, *range));
            }
            Numbers::Double(values) => {
                values[at] =
                    values[at].map(|value| round::coarse_float(value, base, rounding, coin));
            }
            Numbers::Single(values) => {
                let coarse =
                    |value: f32| round::coarse_float(f64::from(value), base, rounding, coin) as f32;
                values[at] = values[at].map(|value| match (base > 0.0, coin, rounding) {
                    (false, None, Rounding::Digits(digits)) => {
                        round::float_to_digits(value, digits)
                    }
                    _ => coarse(value),
                });
            }
            Numbers::Wide(values, max) => match (base > 0.0, coin, rounding) {
                (false, None, Rounding::Digits(digits)) => {
                    values[at] = values[at].map(|value| round::wide_to_digits(value, digits, *max));
                }
                // No arithmetic for it: nothing is shown.
                _ => values[at] = None,
            },
        }
    }

    /// A value, which is a whole multiple of `grid`, with noise; nothing where it is none, or too large.
    ///
    /// # Errors
    /// Those of `noisy`, which is given the value in multiples.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "what is larger than that is not shown"
    )]
    pub(crate) fn add_noise(
        &mut self,
        at: usize,
        grid: f64,
        noisy: impl Fn(i64) -> Result<i64, GateError>,
    ) -> Result<(), GateError> {
        let of_float = |value: f64| {
            let multiple = value / grid;
            let is_whole = multiple.abs() < 9e15 && multiple.fract() == 0.0;
            match is_whole {
                true => noisy(multiple as i64).map(|noisy| Some(noisy as f64 * grid + 0.0)),
                false => Ok(None),
            }
        };
        match self {
            Numbers::Whole(values, range) if range.scale == 0 => {
                values[at] = match values[at].map(i64::try_from) {
                    Some(Ok(value)) => Some(i128::from(noisy(value)?).clamp(range.min, range.max)),
                    _ => None,
                };
            }
            Numbers::Double(values) => {
                values[at] = values[at].map(of_float).transpose()?.flatten();
            }
            // No arithmetic for it: nothing is shown.
            _ => self.clear(at),
        }
        Ok(())
    }

    /// Shows nothing.
    pub(crate) fn clear(&mut self, at: usize) {
        match self {
            Numbers::Whole(values, _) => values[at] = None,
            Numbers::Wide(values, _) => values[at] = None,
            Numbers::Double(values) => values[at] = None,
            Numbers::Single(values) => values[at] = None,
        }
    }

    /// A value as the ledger keeps it: its type's name, a zero, and the number's bytes, or none where it is null.
    pub(crate) fn to_bytes(&self, at: usize, data_type: &DataType) -> Vec<u8> {
        let mut bytes = format!("{data_type}\0").into_bytes();
        match self {
            Numbers::Whole(values, _) => {
                bytes.extend(values[at].iter().flat_map(|of| of.to_le_bytes()))
            }
            Numbers::Wide(values, _) => {
                bytes.extend(values[at].iter().flat_map(|of| of.to_le_bytes()))
            }
            Numbers::Double(values) => {
                bytes.extend(values[at].iter().flat_map(|of| of.to_le_bytes()))
            }
            Numbers::Single(values) => {
                bytes.extend(values[at].iter().flat_map(|of| of.to_le_bytes()))
            }
        }
        bytes
    }

    /// Whether bytes are a value of this type.
    pub(crate) fn is_of(bytes: &[u8], data_type: &DataType) -> bool {
        bytes.starts_with(format!("{data_type}\0").as_bytes())
    }

    /// Sets a value to what the ledger kept of one of the same type; null where that is not its form.
    pub(crate) fn set_bytes(&mut self, at: usize, bytes: &[u8]) {
        let number = bytes.iter().position(|byte| *byte == 0);
        let number = number
            .and_then(|end| bytes.get(end + 1..))
            .unwrap_or_default();
        match self {
            Numbers::Whole(values, _) => {
                values[at] = number.try_into().ok().map(i128::from_le_bytes)
            }
            Numbers::Wide(values, _) => {
                values[at] = number.try_into().ok().map(i256::from_le_bytes)
            }
            Numbers::Double(values) => values[at] = number.try_into().ok().map(f64::from_le_bytes),
            Numbers::Single(values) => values[at] = number.try_into().ok().map(f32::from_le_bytes),
        }
    }

    /// Sets the value at `at` to the sum of those at `parts`: null where one of them is null, or the sum does not fit.
    pub(crate) fn set_sum(&mut self, at: usize, parts: &[u32]) {
        match self {
            Numbers::Whole(values, range) => {
                values[at] = picked(values, parts)
                    .and_then(|parts| parts.into_iter().try_fold(0_i128, i128::checked_add))
                    .filter(|sum| (range.min..=range.max).contains(sum));
            }
            Numbers::Wide(values, max) => {
                values[at] = picked(values, parts)
                    .and_then(|parts| parts.into_iter().try_fold(i256::ZERO, i256::checked_add))
                    .filter(|sum| *sum <= *max && *sum >= max.wrapping_neg());
            }
            Numbers::Double(values) => {
                values[at] = picked(values, parts).and_then(|parts| round::exact_sum(&parts));
            }
            Numbers::Single(values) => {
                values[at] = picked(values, parts).and_then(|parts| round::exact_sum(&parts));
            }
        }
    }

    /// The column, of this type.
    pub(crate) fn write(self, to: &DataType) -> Result<ArrayRef, GateError> {
        match self {
            Numbers::Whole(values, _) => match to {
                DataType::Int8 => written::<Int8Type>(values, to),
                DataType::Int16 => written::<Int16Type>(values, to),
                DataType::Int32 => written::<Int32Type>(values, to),
                DataType::Int64 => written::<Int64Type>(values, to),
                DataType::UInt8 => written::<UInt8Type>(values, to),
                DataType::UInt16 => written::<UInt16Type>(values, to),
                DataType::UInt32 => written::<UInt32Type>(values, to),
                DataType::UInt64 => written::<UInt64Type>(values, to),
                DataType::Decimal128(_, _) => written::<Decimal128Type>(values, to),
                _ => Err(STEP),
            },
            Numbers::Wide(values, _) => Ok(column::<Decimal256Type>(values, to)),
            Numbers::Double(values) => Ok(column::<Float64Type>(values, to)),
            Numbers::Single(values) => Ok(column::<Float32Type>(values, to)),
        }
    }
}

fn values<T: ArrowPrimitiveType>(column: &ArrayRef) -> Result<Vec<Option<T::Native>>, GateError> {
    let column = column.as_primitive_opt::<T>().ok_or(STEP)?;
    Ok(column.iter().collect())
}

fn integers<T: ArrowPrimitiveType>(column: &ArrayRef) -> Result<Vec<Option<i128>>, GateError>
where
    T::Native: Into<i128>,
{
    let column = column.as_primitive_opt::<T>().ok_or(STEP)?;
    Ok(column.iter().map(|value| value.map(Into::into)).collect())
}

fn each<T: Copy>(values: &mut [Option<T>], round: impl Fn(T) -> T) {
    for value in values.iter_mut().flatten() {
        *value = round(*value);
    }
}

fn picked<T: Copy>(values: &[Option<T>], parts: &[u32]) -> Option<Vec<T>> {
    parts.iter().map(|part| values[*part as usize]).collect()
}

fn written<T: ArrowPrimitiveType>(
    values: Vec<Option<i128>>,
    to: &DataType,
) -> Result<ArrayRef, GateError>
where
    T::Native: TryFrom<i128>,
{
    let native = |value: Option<i128>| value.map(T::Native::try_from).transpose();
    let values: Result<Vec<_>, _> = values.into_iter().map(native).collect();
    Ok(column::<T>(values.map_err(|_| STEP)?, to))
}

fn column<T: ArrowPrimitiveType>(values: Vec<Option<T::Native>>, to: &DataType) -> ArrayRef {
    // The element type knows no precision: it comes from the column.
    Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(to.clone()))
}
