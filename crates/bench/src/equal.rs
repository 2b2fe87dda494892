//! Whether systems answer alike. What they answer is brought into one form: keys as text, numbers as numbers.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use serde_json::Value;

use crate::error::{BenchError, Result, failed};

/// How far two sums of the same numbers may lie apart, relative to their size: they were added in different orders.
const RELATIVE: f64 = 1e-7;

/// A table as a map from its keys to its numbers. Null is NaN.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cells {
    cells: BTreeMap<Vec<String>, Vec<f64>>,
}

impl Cells {
    /// Of an answer whose first columns are keys.
    pub(crate) fn of_batches(batches: &[RecordBatch], keys: usize) -> Result<Self> {
        let mut cells = BTreeMap::new();
        for batch in batches {
            let (key_columns, numbers) = batch.columns().split_at(keys.min(batch.num_columns()));
            let numbers: Vec<ArrayRef> = numbers
                .iter()
                .map(|column| cast(column, &DataType::Float64).map_err(failed("reading numbers")))
                .collect::<Result<_>>()?;
            for row in 0..batch.num_rows() {
                let key = key_columns.iter().map(|column| text(column, row));
                let number = |column: &ArrayRef| match column.is_null(row) {
                    true => f64::NAN,
                    false => {
                        arrow::array::cast::as_primitive_array::<Float64Type>(column).value(row)
                    }
                };
                let numbers = numbers.iter().map(number).collect();
                Self::add(&mut cells, key.collect::<Result<_>>()?, numbers)?;
            }
        }
        Ok(Self { cells })
    }

    /// Of rows as a Python peer sends them.
    pub(crate) fn of_json(rows: &Value, keys: usize) -> Result<Self> {
        let mut cells = BTreeMap::new();
        for row in rows.as_array().map_or(&[][..], Vec::as_slice) {
            let row = row.as_array().map_or(&[][..], Vec::as_slice);
            let (key, numbers) = row.split_at(keys.min(row.len()));
            let key = key.iter().map(|value| match value {
                Value::String(text) => normal(text),
                other => normal(&other.to_string()),
            });
            let numbers = numbers
                .iter()
                .map(|value| value.as_f64().unwrap_or(f64::NAN));
            Self::add(&mut cells, key.collect(), numbers.collect())?;
        }
        Ok(Self { cells })
    }

    fn add(
        cells: &mut BTreeMap<Vec<String>, Vec<f64>>,
        key: Vec<String>,
        numbers: Vec<f64>,
    ) -> Result<()> {
        match cells.insert(key, numbers) {
            None => Ok(()),
            Some(_) => Err(BenchError::unequal(
                "a table",
                "two rows have the same keys",
            )),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Every cell of either is in both, with the same numbers.
    pub(crate) fn check_same(&self, other: &Cells, what: &str) -> Result<()> {
        if self.len() != other.len() {
            let problem = format!("{} cells and {}", self.len(), other.len());
            return Err(BenchError::unequal(what, problem));
        }
        self.check_within(other, what)
    }

    /// Every cell of this is in the other, with the same numbers.
    pub(crate) fn check_within(&self, other: &Cells, what: &str) -> Result<()> {
        for (key, numbers) in &self.cells {
            let Some(others) = other.cells.get(key) else {
                return Err(BenchError::unequal(what, "a cell is in one alone"));
            };
            if numbers.len() != others.len() {
                return Err(BenchError::unequal(what, "one has more columns"));
            }
            let differs = |(one, other): (&f64, &f64)| !alike(*one, *other);
            if let Some(at) = numbers.iter().zip(others).position(differs) {
                let problem = format!("number {} of a cell differs", at + 1);
                return Err(BenchError::unequal(what, problem));
            }
        }
        Ok(())
    }

    /// Every cell of this is in the other, each number no further away than it may be.
    pub(crate) fn check_near(&self, other: &Cells, away: &[f64], what: &str) -> Result<()> {
        for (key, numbers) in &self.cells {
            let Some(others) = other.cells.get(key) else {
                return Err(BenchError::unequal(what, "a cell is in one alone"));
            };
            let pairs = numbers.iter().zip(others).zip(away);
            let mut far = pairs.filter(|((one, other), away)| (*one - *other).abs() > **away);
            if far.next().is_some() {
                return Err(BenchError::unequal(
                    what,
                    "a number is further away than noise",
                ));
            }
        }
        Ok(())
    }
}

fn alike(one: f64, other: f64) -> bool {
    if one.is_nan() || other.is_nan() {
        return one.is_nan() == other.is_nan();
    }
    (one - other).abs() <= RELATIVE * one.abs().max(other.abs()).max(1e-9)
}

fn text(column: &ArrayRef, row: usize) -> Result<String> {
    let text = array_value_to_string(column, row).map_err(failed("reading keys"))?;
    Ok(normal(&text))
}

/// A day is a day, whether a system calls it a date or a moment; a whole number is one, whatever its type.
fn normal(text: &str) -> String {
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    if day.len() == 10 && day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-' {
        return day.to_owned();
    }
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    fn cells(rows: Value) -> Cells {
        Cells::of_json(&rows, 1).expect("cells")
    }

    #[test]
    fn the_order_of_additions_does_not_matter_and_another_number_does() {
        let one = cells(json!([["a", 1.0, 3], ["b", 2.0, 4]]));
        let reordered = cells(json!([["b", 2.000_000_000_1, 4], ["a", 1.0, 3]]));
        one.check_same(&reordered, "a test").expect("the same");
        let other = cells(json!([["a", 1.0, 3], ["b", 2.0, 5]]));
        let error = one.check_same(&other, "a test").expect_err("another");
        assert_eq!(error.code(), "BENCH_UNEQUAL");
        assert!(
            error.to_string().contains("number 2 of a cell differs"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_cell_is_found_and_a_part_is_within() {
        let all = cells(json!([["a", 1], ["b", 2]]));
        let part = cells(json!([["a", 1]]));
        part.check_within(&all, "a test").expect("within");
        assert!(part.check_same(&all, "a test").is_err());
        assert!(all.check_within(&part, "a test").is_err());
    }

    #[test]
    fn keys_are_alike_whatever_their_type() {
        let one = cells(json!([["1995-03-01T00:00:00", 1], ["7.0", 1]]));
        let other = cells(json!([["1995-03-01", 1], [7, 1]]));
        one.check_same(&other, "a test").expect("the same");
    }

    #[test]
    fn null_is_like_null_alone() {
        let null = cells(json!([["a", null]]));
        null.check_same(&null, "a test").expect("the same");
        assert!(
            null.check_same(&cells(json!([["a", 0]])), "a test")
                .is_err()
        );
    }
}
