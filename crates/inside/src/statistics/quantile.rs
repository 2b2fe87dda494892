//! Quantiles that are no unit's value: the mean of the values around the quantile, out to so many units.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt32Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility, try_cast,
};

/// What `MEDIAN` and `PERCENTILE_CONT` are written as for the planner: of a number, at a share from 0 to 1.
pub(crate) const NAME: &str = "weir_quantile";

/// The function as the planner knows it; it is replaced by [`averaged`] before anything is computed.
pub(crate) fn quantile_udaf() -> Arc<AggregateUDF> {
    static FUNCTION: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
        Arc::new(AggregateUDF::new_from_impl(Quantile {
            of: None,
            signature: Signature::any(2, Volatility::Immutable),
        }))
    });
    Arc::clone(&FUNCTION)
}

/// The quantile of a number at `share`, averaged over the values around it until they are of `neighbours` units.
pub(super) fn averaged(number: Expr, unit: Expr, share: f64, neighbours: u64) -> Expr {
    let function = AggregateUDF::new_from_impl(Quantile {
        of: Some(At {
            share: share.to_bits(),
            neighbours,
        }),
        signature: Signature::exact(
            vec![DataType::Float64, DataType::UInt32],
            Volatility::Immutable,
        ),
    });
    let arguments = vec![try_cast(number, DataType::Float64), unit];
    let call =
        AggregateFunction::new_udf(Arc::new(function), arguments, false, None, Vec::new(), None);
    Expr::AggregateFunction(call)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct At {
    /// The share's bits, so that functions can be compared.
    share: u64,
    neighbours: u64,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantile {
    of: Option<At>,
    signature: Signature,
}

impl AggregateUDFImpl for Quantile {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        match self.of {
            Some(at) => Ok(Box::new(Values {
                at,
                values: Vec::new(),
            })),
            None => internal_err!("a quantile is averaged over units"),
        }
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name, data_type| {
            let item = Field::new_list_field(data_type, true);
            Arc::new(Field::new(name, DataType::List(Arc::new(item)), true))
        };
        Ok(vec![
            list("values", DataType::Float64),
            list("units", DataType::UInt32),
        ])
    }
}

/// The values of one group, each with its unit.
#[derive(Debug)]
struct Values {
    at: At,
    values: Vec<(f64, u32)>,
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [numbers, units, ..] = values else {
            return internal_err!("a quantile is of a number and a unit");
        };
        let numbers = numbers.as_primitive::<Float64Type>();
        let units = units.as_primitive::<UInt32Type>();
        for row in 0..numbers.len() {
            if numbers.is_valid(row) && units.is_valid(row) && !numbers.value(row).is_nan() {
                self.values.push((numbers.value(row), units.value(row)));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        sort(&mut self.values);
        let share = f64::from_bits(self.at.share);
        let mean = mean_around(&self.values, share, self.at.neighbours);
        Ok(ScalarValue::Float64(mean))
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<(f64, u32)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.values.iter().map(|(value, _)| Some(*value));
        let units = self.values.iter().map(|(_, unit)| Some(*unit));
        let values = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(values)]);
        let units = ListArray::from_iter_primitive::<UInt32Type, _, _>([Some(units)]);
        Ok(vec![
            ScalarValue::List(Arc::new(values)),
            ScalarValue::List(Arc::new(units)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, units] = states else {
            return internal_err!("values are handed over with their units");
        };
        let parts = values
            .as_list::<i32>()
            .iter()
            .zip(units.as_list::<i32>().iter());
        for part in parts {
            if let (Some(values), Some(units)) = part {
                self.update_batch(&[values, units])?;
            }
        }
        Ok(())
    }
}

/// Sorts by value; among equal ones, units take turns, so that a stretch of them is of as many units as it can be.
fn sort(values: &mut [(f64, u32)]) {
    values.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    for equal in values.chunk_by_mut(|one, other| one.0 == other.0) {
        let mut turns: Vec<(usize, u32)> = Vec::with_capacity(equal.len());
        for (_, unit) in equal.iter() {
            let turn = match turns.last() {
                Some((turn, last)) if last == unit => turn + 1,
                _ => 0,
            };
            turns.push((turn, *unit));
        }
        turns.sort_unstable();
        for (value, (_, unit)) in equal.iter_mut().zip(turns) {
            value.1 = unit;
        }
    }
}

/// The mean of the sorted values around the quantile: one more on either side until they are of enough units; none where
/// there are not so many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions in a vector, which are far below 2^52"
)]
fn mean_around(values: &[(f64, u32)], share: f64, neighbours: u64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = share * last as f64;
    let (mut from, mut to) = (position.floor() as usize, position.ceil() as usize);
    let mut units: Vec<u32> = values[from..=to].iter().map(|(_, unit)| *unit).collect();
    units.sort_unstable();
    units.dedup();
    while (units.len() as u64) < neighbours {
        if from == 0 && to == last {
            return None;
        }
        let mut add = |(_, unit): (f64, u32)| {
            if let Err(place) = units.binary_search(&unit) {
                units.insert(place, unit);
            }
        };
        if from > 0 {
            from -= 1;
            add(values[from]);
        }
        if to < last {
            to += 1;
            add(values[to]);
        }
    }
    let around = &values[from..=to];
    Some(around.iter().map(|(value, _)| value).sum::<f64>() / around.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::{mean_around, sort};

    fn of(values: &[f64]) -> Vec<(f64, u32)> {
        values
            .iter()
            .zip(0..)
            .map(|(value, unit)| (*value, unit))
            .collect()
    }

    #[test]
    fn the_mean_is_over_enough_units_around_the_quantile() {
        let values = of(&[1.0, 2.0, 3.0, 4.0, 100.0]);
        assert_eq!(mean_around(&values, 0.5, 1), Some(3.0));
        assert_eq!(mean_around(&values, 0.5, 3), Some(3.0));
        assert_eq!(mean_around(&values, 0.5, 5), Some(22.0));
        assert_eq!(mean_around(&values, 0.5, 6), None);
        assert_eq!(mean_around(&values, 0.0, 2), Some(1.5));
        assert_eq!(mean_around(&values, 1.0, 2), Some(52.0));
        assert_eq!(mean_around(&[], 0.5, 1), None);
    }

    #[test]
    fn among_equal_values_units_take_turns() {
        let mut values = [
            (2.0, 1),
            (1.0, 7),
            (1.0, 7),
            (1.0, 7),
            (1.0, 9),
            (1.0, 8),
            (1.0, 8),
        ];
        sort(&mut values);
        let units: Vec<u32> = values.iter().map(|(_, unit)| *unit).collect();
        assert_eq!(units, [7, 8, 9, 7, 8, 7, 1]);
    }

    #[test]
    fn a_unit_of_many_rows_is_one_unit() {
        let values = [(1.0, 7), (2.0, 7), (3.0, 7), (4.0, 8), (5.0, 7)];
        assert_eq!(mean_around(&values, 0.5, 2), Some(3.0));
        assert_eq!(mean_around(&values, 0.25, 2), Some(2.5));
    }
}
