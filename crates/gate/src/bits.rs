//! How much a table can say, in bits: before it is computed, from the query, the manifest and the policy alone, and after.
//!
//! Think of a code that writes a table down. Where the keys' values are declared it says of every combination whether it is
//! withheld, and if not, each statistic. Where they are not, it says how many rows there are, lists the values of each key,
//! and says of every row which they are. The most that such a text can take bounds what the table tells anybody about
//! anything, the suppression pattern included; what it takes in the end is what the table is charged. Numbers that were
//! released before are not new and take nothing.
//!
//! The lengths are those of [`weir_ledger::bits`].

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use weir_ledger::bits::{Keys, Values, bits_max};
use weir_policy::Policy;

use crate::column::released_type;
use crate::round::DIGITS_ALL;
use crate::shape::{Key, Levels, Shape, Statistic};

/// Bits of a text that a key may have, before it is known which; a table with longer ones is not released.
const TEXT_BITS: f64 = 256.0;
/// Bits that say how long a text is.
const LENGTH_BITS: f64 = 16.0;

/// What is public of what a statistic sums up.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    /// The least that a row adds, and the most.
    pub of_row: (f64, f64),
    /// Whether rows add whole numbers.
    pub is_whole: bool,
}

/// What is public of a table before it is computed.
#[derive(Clone, PartialEq, Debug)]
pub struct Public {
    /// Most rows that it is made of.
    pub rows: u64,
    /// The keys' types.
    pub types: Vec<DataType>,
    /// How many values each key can have beside null, where that is declared. Of a closed key the shape knows better.
    pub counts: Vec<Option<u64>>,
    /// For each statistic what a row adds to it, where it is a sum and that is declared.
    pub spans: Vec<Option<Span>>,
}

/// How a table is written down.
#[derive(Clone, PartialEq, Debug)]
pub struct Code {
    /// Combinations of declared values; none where a key has none.
    places: Option<u64>,
    rows_max: u64,
    /// Bits of the keys of a row, once the lists of values are known.
    index_bits: f64,
    /// Per key, most values that are listed; none where they are declared.
    listed: Vec<Option<u64>>,
    key_bits: Vec<f64>,
    statistics: Vec<Values>,
    /// Per statistic the range that it must lie in.
    ranges: Vec<Option<(f64, f64)>>,
    keys: usize,
    statistics_at: usize,
}

impl Code {
    /// The code for tables of a shape.
    pub fn new(shape: &Shape, public: &Public, policy: &Policy) -> Code {
        // What a manifest declares and does not list is listed: the data need not keep to it.
        let listed = |key: &Key, count: &Option<u64>| match &key.levels {
            Levels::Closed(_) => None,
            Levels::Bounded => Some(count.unwrap_or(policy.cells_max())),
            Levels::Open => Some(policy.levels_max()),
        };
        let keys = shape.keys.iter().zip(&public.counts);
        let listed: Vec<Option<u64>> = keys.map(|(key, count)| listed(key, count)).collect();
        // One more: null.
        let values = |key: usize| match &shape.keys[key].levels {
            Levels::Closed(values) => values.len() as u64 + 1,
            _ => listed[key].unwrap_or_default().saturating_add(1),
        };
        let combinations = |set: usize| {
            let keys = shape.keys_of(set).into_iter();
            keys.fold(1_u64, |all, key| all.saturating_mul(values(key)))
        };
        // What a total shows follows from its parts where everything adds up.
        let parents = shape.parents();
        let says = |set: &usize| parents[*set].is_none() || shape.has_own_numbers();
        let sets: Vec<usize> = (0..shape.sets.len()).filter(says).collect();
        let all = sets
            .iter()
            .fold(0_u64, |all, set| all.saturating_add(combinations(*set)));
        let is_closed = listed.iter().all(Option::is_none);
        let of_keys = (0..shape.keys.len()).map(|key| (values(key) as f64).log2());
        let index_bits = of_keys.sum::<f64>() + (sets.len() as f64).log2();
        let ranges: Vec<Option<(f64, f64)>> = shape
            .statistics
            .iter()
            .enumerate()
            .map(|(at, of)| range(*of, public.spans.get(at).copied().flatten(), public.rows))
            .collect();
        let statistics = shape.statistics.iter().enumerate().map(|(at, of)| {
            let is_whole = public
                .spans
                .get(at)
                .copied()
                .flatten()
                .is_some_and(|of| of.is_whole);
            values_of(*of, ranges[at], (is_whole, public.rows), policy)
        });
        Code {
            places: is_closed.then_some(all),
            rows_max: all.min(policy.cells_max()).min(public.rows.max(1)),
            index_bits,
            listed,
            key_bits: public.types.iter().map(value_bits).collect(),
            statistics: statistics.collect(),
            ranges,
            keys: shape.keys.len(),
            statistics_at: shape.statistics_at(),
        }
    }

    /// Most bits of a table, rounded up.
    pub fn bits_max(&self) -> u64 {
        let open = self.open(self.rows_max) + self.listing_max();
        whole(match self.places {
            Some(places) => self.closed(places).min(open),
            None => open,
        })
    }

    /// Bits of a table of one row, rounded up: with fewer there is nothing to be read.
    pub fn bits_min(&self) -> u64 {
        match self.places {
            Some(_) => self.bits_max(),
            None => whole(self.open(1)).min(self.bits_max()),
        }
    }

    fn closed(&self, places: u64) -> f64 {
        bits_max(Keys::Closed(places), &self.statistics)
    }

    /// How many rows there are, and the rows.
    fn open(&self, rows: u64) -> f64 {
        let keys = Keys::Open {
            rows_max: rows,
            key_bits: self.index_bits,
        };
        (self.rows_max as f64 + 1.0).log2() + bits_max(keys, &self.statistics)
    }

    fn listing_max(&self) -> f64 {
        let of_key = |(listed, bits): (&Option<u64>, &f64)| {
            listed.map_or(0.0, |values| values.min(self.rows_max) as f64 * bits)
        };
        self.listed.iter().zip(&self.key_bits).map(of_key).sum()
    }

    /// Bits of a table that was made, of whose rows so many show nothing new; none where it cannot be written down so.
    /// `is_repeated` says that the very same was asked before, so that which rows are missing is not new either.
    pub(crate) fn bits(&self, table: &RecordBatch, same: u64, is_repeated: bool) -> Option<u64> {
        if !self.is_in_range(table) {
            return None;
        }
        let rows = self.rows_that_show(table);
        let new = rows.saturating_sub(same);
        if new == 0 && is_repeated {
            return Some(0);
        }
        let open = self.open(new) + self.listing(table)?;
        let bits = whole(match self.places {
            Some(places) => self.closed(places.saturating_sub(same)).min(open),
            None => open,
        });
        Some(bits)
    }

    fn is_in_range(&self, table: &RecordBatch) -> bool {
        let columns = &table.columns()[self.statistics_at..];
        self.ranges.iter().zip(columns).all(|(range, column)| {
            let Some((from, to)) = range else { return true };
            let Ok(numbers) = cast(column, &DataType::Float64) else {
                return false;
            };
            // Rounded to a coarse base it may be a step outside; such numbers have so many fewer values.
            let beside = 0.5 * (to - from) + 1.0;
            let is_in = |of: f64| from - beside <= of && of <= to + beside;
            let numbers = numbers.as_primitive::<Float64Type>();
            numbers.iter().flatten().all(is_in)
        })
    }

    fn rows_that_show(&self, table: &RecordBatch) -> u64 {
        let columns = &table.columns()[self.statistics_at..];
        let shows = |row: &usize| columns.is_empty() || columns.iter().any(|of| !of.is_null(*row));
        (0..table.num_rows()).filter(shows).count() as u64
    }

    /// Bits of the lists of values; none where a list is longer than it can be.
    fn listing(&self, table: &RecordBatch) -> Option<f64> {
        let mut all = 0.0;
        for (key, listed) in self.listed.iter().enumerate().take(self.keys) {
            let Some(most) = listed else { continue };
            let column = table.column(key);
            let (values, bits) = distinct(column, self.key_bits[key])?;
            if values > *most {
                return None;
            }
            all += bits;
        }
        Some(all)
    }
}

/// How many values a column has, and their bits.
fn distinct(column: &ArrayRef, bits_each: f64) -> Option<(u64, f64)> {
    if *column.data_type() == DataType::Utf8 {
        let texts: std::collections::BTreeSet<&str> =
            column.as_string_opt::<i32>()?.iter().flatten().collect();
        let bits = texts
            .iter()
            .map(|text| LENGTH_BITS + 8.0 * text.len() as f64);
        return Some((texts.len() as u64, bits.sum()));
    }
    let texts = cast(column, &DataType::Utf8).ok()?;
    let texts = texts.as_string_opt::<i32>()?.iter().flatten();
    let count = texts.collect::<std::collections::BTreeSet<&str>>().len();
    Some((count as u64, count as f64 * bits_each))
}

/// The range of a statistic over so many rows, where it has one.
fn range(of: Statistic, span: Option<Span>, rows: u64) -> Option<(f64, f64)> {
    let rows = rows as f64;
    match (of, span) {
        (
            Statistic::Sum,
            Some(Span {
                of_row: (from, to), ..
            }),
        ) => {
            let (from, to) = (from.min(0.0) * rows, to.max(0.0) * rows);
            (from.is_finite() && to.is_finite()).then_some((from, to))
        }
        _ => None,
    }
}

fn values_of(
    of: Statistic,
    range: Option<(f64, f64)>,
    (is_whole, rows): (bool, u64),
    policy: &Policy,
) -> Values {
    let digits = policy.significant_digits();
    match (of, range) {
        (Statistic::Rows { .. } | Statistic::Units { .. }, _) => Values::Steps {
            from: 0.0,
            // Rounded up it may be a step more.
            to: rows as f64 + policy.count_base() as f64,
            step: policy.count_base() as f64,
        },
        (Statistic::Sum, Some((from, to))) if is_whole && digits < DIGITS_ALL => {
            let side = |most: f64| of_digits(most.max(0.0), digits);
            Values::Steps {
                from: 0.0,
                to: side(to) + side(-from),
                step: 1.0,
            }
        }
        (Statistic::Sum, Some((from, to))) if is_whole => Values::Steps {
            from,
            to,
            step: 1.0,
        },
        _ => Values::Digits(u32::try_from(digits).unwrap_or(u32::MAX)),
    }
}

/// How many whole numbers from 1 to `most` have no more than so many significant digits, roughly: never too few.
fn of_digits(most: f64, digits: u64) -> f64 {
    let all = 10_f64.powi(digits as i32);
    if most < all {
        return most.floor();
    }
    let decades = (most.log10() - digits as f64).ceil().max(0.0);
    all + decades * 0.9 * all
}

/// Bits of a value of this type.
fn value_bits(data_type: &DataType) -> f64 {
    match released_type(data_type) {
        Ok(DataType::Utf8) | Err(_) => TEXT_BITS + LENGTH_BITS,
        Ok(DataType::Boolean) => 1.0,
        Ok(of) => of
            .primitive_width()
            .map_or(TEXT_BITS, |bytes| 8.0 * bytes as f64),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is no number of bits is all there are"
)]
fn whole(bits: f64) -> u64 {
    if bits.is_nan() {
        u64::MAX
    } else {
        bits.ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    const ROWS: u64 = 48;

    fn key(levels: Levels) -> Key {
        Key {
            levels,
            ..Key::open()
        }
    }

    fn closed(values: &[&str]) -> Key {
        key(Levels::Closed(Arc::new(StringArray::from(values.to_vec()))))
    }

    fn code(keys: Vec<Key>, statistics: Vec<Statistic>, spans: Vec<Option<Span>>) -> Code {
        let public = Public {
            rows: ROWS,
            types: vec![DataType::Utf8; keys.len()],
            counts: vec![None; keys.len()],
            spans,
        };
        let shape = Shape::plain(keys, statistics);
        Code::new(&shape, &public, &Policy::built_in_default())
    }

    const COUNT: Statistic = Statistic::Rows { evidence: None };

    fn bit() -> Option<Span> {
        Some(Span {
            of_row: (0.0, 1.0),
            is_whole: true,
        })
    }

    #[test]
    fn a_sum_of_ones_is_one_of_as_many_numbers_as_there_are_rows() {
        // 0 to 48, null, withheld.
        let sum = code(Vec::new(), vec![Statistic::Sum], vec![bit()]);
        assert_eq!(sum.bits_max(), 6);
        assert_eq!(sum.bits_min(), 6);
        // Multiples of five from 0 to 53, null, withheld.
        let count = code(Vec::new(), vec![COUNT], vec![None]);
        assert_eq!(count.bits_max(), 4);
    }

    #[test]
    fn whatever_is_not_declared_is_as_wide_as_its_format() {
        let declared = code(Vec::new(), vec![Statistic::Sum], vec![bit()]);
        let open = code(Vec::new(), vec![Statistic::Sum], vec![None]);
        assert!(open.bits_max() > 3 * declared.bits_max());
        let closed = code(vec![closed(&["a", "b"])], vec![COUNT], vec![None]);
        let open = code(vec![Key::open()], vec![COUNT], vec![None]);
        assert!(open.bits_max() > 100 * closed.bits_max());
        assert!(open.bits_min() < open.bits_max() && closed.bits_min() == closed.bits_max());
    }

    #[test]
    fn that_a_cell_is_withheld_is_a_bit_of_the_table() {
        let pattern = code(vec![closed(&["a", "b", "c"])], Vec::new(), Vec::new());
        assert_eq!(pattern.bits_max(), 4, "three values and null");
    }

    fn table(keys: &[&str], counts: &[Option<i64>]) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("k", Arc::new(StringArray::from(keys.to_vec())) as ArrayRef),
            ("n", Arc::new(Int64Array::from(counts.to_vec())) as ArrayRef),
        ])
        .unwrap()
    }

    #[test]
    fn what_a_table_did_not_say_is_not_charged() {
        let open = code(vec![Key::open()], vec![COUNT], vec![None]);
        let two = table(&["a", "b"], &[Some(10), Some(15)]);
        let three = table(&["a", "b", "c"], &[Some(10), Some(15), Some(10)]);
        let bits = |of: &RecordBatch, same| open.bits(of, same, false).unwrap();
        assert!(open.bits_min() < bits(&two, 0) && bits(&two, 0) < bits(&three, 0));
        assert!(bits(&three, 0) < open.bits_max());
        assert!(bits(&three, 2) < bits(&three, 0));
    }

    #[test]
    fn the_same_again_is_free_and_its_pattern_is_not() {
        let closed = code(vec![closed(&["a", "b"])], vec![COUNT], vec![None]);
        let shown = table(&["a", "b"], &[Some(10), None]);
        assert_eq!(closed.bits(&shown, 1, true), Some(0));
        assert!(closed.bits(&shown, 1, false).unwrap() > 0, "`b` is missing");
        assert!(closed.bits(&shown, 0, true).unwrap() > 0);
    }

    #[test]
    fn what_the_manifest_does_not_allow_does_not_fit() {
        let sum = code(vec![Key::open()], vec![Statistic::Sum], vec![bit()]);
        assert!(sum.bits(&table(&["a"], &[Some(40)]), 0, false).is_some());
        assert!(sum.bits(&table(&["a"], &[Some(400)]), 0, false).is_none());
        let names: Vec<String> = (0..41).map(|at| at.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let many = table(&names, &vec![Some(10); names.len()]);
        assert!(
            sum.bits(&many, 0, false).is_none(),
            "more than `levels_max`"
        );
        let long = "x".repeat(10_000);
        let bits = sum.bits(&table(&[&long], &[Some(40)]), 0, false);
        assert!(bits.unwrap() > 80_000, "a text counts what it is");
    }

    #[test]
    fn numbers_of_few_digits_are_few() {
        for most in [1.0, 99.0, 9_999.0, 10_000.0, 123_456.0, 9e15] {
            let counted = of_digits(most, 2);
            let decades = f64::from((most as u64).checked_ilog10().unwrap_or(0));
            let exact = match most {
                most if most < 100.0 => most,
                // From 10^d up there are 90 numbers of two digits in each full decade.
                most => {
                    99.0 + 90.0 * (decades - 2.0) + (most / 10_f64.powf(decades - 1.0)).floor()
                        - 9.0
                }
            };
            assert!(counted >= exact, "{most}: {counted} {exact}");
            assert!(counted <= exact + 100.0, "{most}: {counted} {exact}");
        }
    }
}
