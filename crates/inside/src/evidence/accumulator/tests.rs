//! The running update agrees with a naive computation, in whatever batches rows come.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use datafusion::arrow::array::{AsArray, Float64Array, StructArray, UInt32Array, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type, UInt32Type, UInt64Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Accumulator;
use weir_gate::{TOP_UNITS, row_weight};

use super::super::layout::RowsOf;
use super::super::prints::{Prints, bytes_of};
use super::super::sets::tests::set_of;
use super::super::unordered::Unordered;
use super::super::whole::Whole;
use super::*;

/// A row: group, unit, what is counted, what is summed, and a value.
type Row = (usize, u32, bool, Option<i16>, Option<u64>);

const GROUPS: usize = 5;
const LAYOUT: Layout = Layout {
    counts: 1,
    sums: 1,
    values: 1,
    named: (1, 1),
    history: true,
    with_set: (0, 0),
    with_print: (0, 0),
    buckets: 32,
    set_units_min: 0,
    units_kept: 3,
    values_kept: 2,
    rows: RowsOf::One,
};

fn columns(rows: &[Row]) -> (Vec<ArrayRef>, Vec<usize>) {
    let values: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.1).collect::<UInt32Array>()),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.2)))),
        Arc::new(
            rows.iter()
                .map(|row| row.3.map(f64::from))
                .collect::<Float64Array>(),
        ),
        Arc::new(rows.iter().map(|row| row.4).collect::<UInt64Array>()),
    ];
    (values, rows.iter().map(|row| row.0).collect())
}

/// One number per field of the layout, by group; of the list of units, each. Sets and prints have tests of their own.
fn computed(rows: &[Row], batch_rows: usize) -> Vec<Vec<f64>> {
    let mut evidence = Evidence::new(LAYOUT, 0);
    for batch in rows.chunks(batch_rows) {
        let (values, groups) = columns(batch);
        evidence
            .update_batch(&values, &groups, None, GROUPS)
            .unwrap();
    }
    evidence.groups.grow(GROUPS);
    table(evidence.evaluate(EmitTo::All).unwrap().as_struct())
}

fn table(evidence: &StructArray) -> Vec<Vec<f64>> {
    let numbers = |column: &ArrayRef, row: usize| match column.data_type() {
        DataType::Boolean => vec![f64::from(u8::from(column.as_boolean().value(row)))],
        DataType::UInt64 => vec![column.as_primitive::<UInt64Type>().value(row) as f64],
        DataType::List(_) => {
            let units = column.as_list::<i32>().value(row);
            let units = units.as_primitive::<UInt32Type>();
            units.values().iter().map(|unit| f64::from(*unit)).collect()
        }
        _ => vec![column.as_primitive::<Float64Type>().value(row)],
    };
    let names = evidence.column_names();
    let is_number = |name: &str| {
        let of_members = ["set_", "print_", "twos_", "threes_", "weight_", "noted_"];
        !of_members.iter().any(|of| name.starts_with(of))
    };
    (0..evidence.len())
        .map(|row| {
            let columns = names.iter().zip(evidence.columns());
            columns
                .filter(|(name, _)| is_number(name))
                .flat_map(|(_, column)| numbers(column, row))
                .collect()
        })
        .collect()
}

fn naive(rows: &[Row]) -> Vec<Vec<f64>> {
    (0..GROUPS)
        .map(|group| {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.0 == group).collect();
            let counted: Vec<&Row> = rows.iter().copied().filter(|row| row.2).collect();
            let summed: Vec<&Row> = rows.iter().copied().filter(|row| row.3.is_some()).collect();
            let units = |rows: &[&Row]| rows.iter().map(|row| row.1).collect::<BTreeSet<_>>().len();
            let mut sums = BTreeMap::<u32, f64>::new();
            for row in &summed {
                *sums.entry(row.1).or_default() += f64::from(row.3.unwrap());
            }
            let mut contributions: Vec<f64> = sums.values().map(|sum| sum.abs()).collect();
            contributions.sort_by(|left, right| right.total_cmp(left));
            contributions.resize(contributions.len().max(TOP_UNITS), 0.0);
            let mut fields = Vec::new();
            fields.extend([rows.len() as f64, units(&rows) as f64]);
            let named: BTreeSet<u32> = rows.iter().map(|row| row.1).collect();
            fields.extend(named.iter().take(3).map(|unit| f64::from(*unit)));
            for rows in [&counted, &summed] {
                fields.extend([rows.len() as f64, units(rows) as f64]);
            }
            fields.push(sums.values().sum());
            fields.push(contributions.iter().sum());
            fields.extend(&contributions[..TOP_UNITS]);
            fields.push(f64::from(u8::from(sums.values().any(|sum| *sum < 0.0))));
            for rows in [&counted, &summed] {
                let named: BTreeSet<u32> = rows.iter().map(|row| row.1).collect();
                fields.extend(named.iter().take(3).map(|unit| f64::from(*unit)));
            }
            let distinct: BTreeSet<u64> = rows.iter().filter_map(|row| row.4).collect();
            for rows in [&rows, &counted] {
                let mut of_units = BTreeMap::<u32, f64>::new();
                for row in rows {
                    *of_units.entry(row.1).or_default() += 1.0;
                }
                fields.push(of_units.into_values().fold(0.0, f64::max));
            }
            fields.push(distinct.len().min(2) as f64);
            fields
        })
        .collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        0..GROUPS,
        0_u32..12,
        any::<bool>(),
        proptest::option::of(-100_i16..100),
        proptest::option::of(0_u64..4),
    );
    proptest::collection::vec(row, 0..200).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.1);
        rows
    })
}

proptest! {
    #[test]
    fn one_pass_agrees_with_the_naive_count_in_any_batches(rows in rows(), batch_rows in 1_usize..50) {
        prop_assert_eq!(computed(&rows, batch_rows), naive(&rows));
    }

    #[test]
    fn rows_in_any_order_are_counted_as_exactly(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        batch_rows in 1_usize..50,
        first in 0..GROUPS,
    ) {
        let mut evidence = Unordered::new(LAYOUT, 0);
        for batch in shuffled.chunks(batch_rows) {
            let (values, groups) = columns(batch);
            evidence.update_batch(&values, &groups, None, GROUPS).unwrap();
        }
        if shuffled.is_empty() {
            evidence = Unordered::new(LAYOUT, GROUPS);
        }
        let mut emitted = table(evidence.evaluate(EmitTo::First(first)).unwrap().as_struct());
        emitted.extend(table(evidence.evaluate(EmitTo::All).unwrap().as_struct()));
        prop_assert_eq!(emitted, naive(&rows));
    }

    /// Parts whose units do not overlap add up to the whole, whatever is in them.
    #[test]
    fn parts_of_whole_units_add_up(rows in rows(), cuts in proptest::collection::vec(0_u32..12, 0..4)) {
        let mut cuts = cuts;
        cuts.extend([0, 12]);
        cuts.sort_unstable();
        let mut whole = Evidence::new(LAYOUT, GROUPS);
        for part in cuts.windows(2) {
            let rows: Vec<Row> = rows.iter().filter(|row| (part[0]..part[1]).contains(&row.1)).copied().collect();
            let mut counted = Evidence::new(LAYOUT, 0);
            let (values, groups) = columns(&rows);
            counted.update_batch(&values, &groups, None, GROUPS).unwrap();
            let state = counted.state(EmitTo::All).unwrap();
            whole.merge_batch(&state, &(0..GROUPS).collect::<Vec<_>>(), GROUPS).unwrap();
        }
        prop_assert_eq!(table(whole.evaluate(EmitTo::All).unwrap().as_struct()), naive(&rows));
    }

    #[test]
    fn emitting_the_first_groups_leaves_the_others_whole(rows in rows(), first in 0..GROUPS) {
        let mut evidence = Evidence::new(LAYOUT, 0);
        let (values, groups) = columns(&rows);
        evidence.update_batch(&values, &groups, None, GROUPS).unwrap();
        let mut emitted = table(evidence.evaluate(EmitTo::First(first)).unwrap().as_struct());
        emitted.extend(table(evidence.evaluate(EmitTo::All).unwrap().as_struct()));
        prop_assert_eq!(emitted, naive(&rows));
    }
}

#[test]
fn an_order_that_is_not_as_promised_is_noticed() {
    let (values, groups) = columns(&[
        (0, 2, true, None, None),
        (1, 1, true, None, None),
        (0, 1, true, None, None),
    ]);
    // At once, or when rows that waited are added.
    for total in [GROUPS_AT_ONCE, GROUPS] {
        let mut evidence = Evidence::new(LAYOUT, 0);
        let added = evidence.update_batch(&values, &groups, None, total);
        assert!(added.and_then(|()| evidence.evaluate(EmitTo::All)).is_err());
    }
}

#[test]
fn parts_that_share_a_unit_are_noticed() {
    let part = |unit| {
        let (values, groups) = columns(&[(0, unit, true, Some(1), None)]);
        let mut evidence = Evidence::new(LAYOUT, 0);
        evidence.update_batch(&values, &groups, None, 1).unwrap();
        evidence.state(EmitTo::All).unwrap()
    };
    let mut whole = Evidence::new(LAYOUT, 0);
    whole.merge_batch(&part(3), &[0], 1).unwrap();
    assert!(whole.merge_batch(&part(3), &[0], 1).is_err());
    let mut whole = Evidence::new(LAYOUT, 0);
    whole.merge_batch(&part(3), &[0], 1).unwrap();
    assert!(whole.merge_batch(&part(2), &[0], 1).is_err());
    whole.merge_batch(&part(4), &[0], 1).unwrap();
}

#[test]
fn what_is_no_number_makes_the_total_none() {
    let values: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(vec![1, 2])),
        Arc::new(Float64Array::from(vec![f64::NAN, 1.0])),
    ];
    let mut whole = Whole::new(Evidence::new(
        Layout {
            counts: 0,
            values: 0,
            named: (0, 0),
            ..LAYOUT
        },
        1,
    ));
    whole.update_batch(&values).unwrap();
    let evidence = whole.evaluate().unwrap().to_array().unwrap();
    assert!(
        table(evidence.as_struct())[0][7].is_nan(),
        "the gate withholds a cell whose total is no number"
    );
}

#[test]
fn nothing_is_a_cell_of_nobody() {
    let nothing = |evidence: ScalarValue| {
        assert_eq!(
            table(evidence.to_array().unwrap().as_struct()),
            vec![vec![0.0; 15]]
        );
    };
    nothing(Whole::new(Evidence::new(LAYOUT, 1)).evaluate().unwrap());
    nothing(Whole::new(Unordered::new(LAYOUT, 1)).evaluate().unwrap());
}

const WITH_MEMBERS: Layout = Layout {
    with_set: (1, 1),
    with_print: (1, 1),
    rows: RowsOf::Numbered {
        groups_max: usize::MAX,
    },
    ..LAYOUT
};

/// Which units weigh two modulo 3, which nothing, what all weigh, and what each does.
type Weighed = (BTreeSet<u32>, BTreeSet<u32>, u64, Vec<u8>);

/// Per group the sets, what its prints are, and what rows weigh.
type Members = Vec<(Vec<BTreeSet<u32>>, Vec<Vec<u8>>, Vec<Weighed>)>;

/// The number of a row among those of its unit, if it had one.
fn number(row: &Row) -> u32 {
    row.4.map_or(0, |value| value as u32 % 4)
}

/// As [`columns`], with numbers.
fn numbered(rows: &[Row]) -> (Vec<ArrayRef>, Vec<usize>) {
    let (mut values, groups) = columns(rows);
    let numbers: UInt32Array = rows.iter().map(number).collect();
    values.insert(1, Arc::new(numbers));
    (values, groups)
}

fn members(evidence: &StructArray) -> Members {
    // Null throughout where the argument has a value in every row: then it is the cell's.
    let column = |what: &str, at: usize| {
        let own = evidence.column_by_name(&format!("{what}_{at}")).unwrap();
        match own.null_count() {
            0 => own,
            nulls if nulls == own.len() => evidence.column_by_name(&format!("{what}_0")).unwrap(),
            _ => panic!("some are null"),
        }
    };
    let set = |at: usize, group: usize| {
        let units = set_of(column("set", at), group);
        units.into_iter().collect::<BTreeSet<u32>>()
    };
    let print = |at: usize, group: usize| bytes_of(column("print", at), group).to_vec();
    let weighed = |at: usize, group: usize| {
        let set = |what: &str| set_of(column(what, at), group).into_iter().collect();
        let weight = column("weight", at)
            .as_primitive::<UInt64Type>()
            .value(group);
        // The cell's, where the weights are.
        let own = evidence.column_by_name(&format!("weight_{at}")).unwrap();
        let at = if own.null_count() == 0 { at } else { 0 };
        let noted = evidence.column_by_name(&format!("noted_{at}")).unwrap();
        let noted = noted.as_binary::<i32>().value(group).to_vec();
        (set("twos"), set("threes"), weight, noted)
    };
    (0..evidence.len())
        .map(|group| {
            let sets = (0..3).map(|at| set(at, group)).collect();
            let weighed = (0..3).map(|at| weighed(at, group)).collect();
            (sets, (0..3).map(|at| print(at, group)).collect(), weighed)
        })
        .collect()
}

/// The same from the definition: of the rows, of those counted, and of those summed.
fn naive_members(rows: &[Row]) -> Members {
    let of_group = |group: usize| {
        let mut all = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
        for row in rows.iter().filter(|row| row.0 == group) {
            let summed = row.3.map(f64::from);
            let contributions = [Some(1.0), row.2.then_some(1.0), summed];
            for (of, contribution) in all.iter_mut().zip(contributions) {
                if let Some(contribution) = contribution {
                    *of.entry(row.1).or_insert(0.0) += contribution;
                }
            }
        }
        let sets = all.iter().map(|of| of.keys().copied().collect());
        let prints = all.iter().map(|of| {
            let mut print = Prints::new(32);
            print.grow(1);
            of.iter().for_each(|(unit, sum)| print.add(0, *unit, *sum));
            bytes_of(&print.column().unwrap(), 0).to_vec()
        });
        let of_rows = |has_value: fn(&Row) -> bool| {
            let mut weights = BTreeMap::<u32, u64>::new();
            for row in rows.iter().filter(|row| row.0 == group && has_value(row)) {
                *weights.entry(row.1).or_default() += row_weight(row.1, number(row));
            }
            let left = |left: u64| {
                let of = weights
                    .iter()
                    .filter(move |(_, weight)| **weight % 3 == left);
                of.map(|(unit, _)| *unit).collect()
            };
            let all = weights.values().copied().fold(0, u64::wrapping_add);
            let others = weights.iter();
            let others = others.filter(|(unit, of)| **of != row_weight(**unit, 0));
            let noted = others.flat_map(|(unit, of)| {
                [unit.to_le_bytes().to_vec(), of.to_le_bytes().to_vec()].concat()
            });
            let noted = noted.collect();
            (left(2), left(0), all, noted)
        };
        let weighed = vec![
            of_rows(|_| true),
            of_rows(|row| row.2),
            of_rows(|row| row.3.is_some()),
        ];
        (sets.collect(), prints.collect(), weighed)
    };
    (0..GROUPS).map(of_group).collect()
}

proptest! {
    /// In any batches, in parts, in the order of units and in none.
    #[test]
    fn the_units_behind_each_number_are_those_of_the_rows(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        batch_rows in 1_usize..50,
        cut in 0_u32..12,
    ) {
        let expected = naive_members(&rows);
        let mut ordered = Evidence::new(WITH_MEMBERS, GROUPS);
        let mut whole = Evidence::new(WITH_MEMBERS, GROUPS);
        let mut unordered = Unordered::new(WITH_MEMBERS, GROUPS);
        for batch in rows.chunks(batch_rows) {
            let (values, groups) = numbered(batch);
            ordered.update_batch(&values, &groups, None, GROUPS).unwrap();
        }
        for batch in shuffled.chunks(batch_rows) {
            let (values, groups) = numbered(batch);
            unordered.update_batch(&values, &groups, None, GROUPS).unwrap();
        }
        for is_first in [true, false] {
            let part: Vec<Row> = rows.iter().filter(|row| (row.1 < cut) == is_first).copied().collect();
            let (values, groups) = numbered(&part);
            let mut counted = Evidence::new(WITH_MEMBERS, GROUPS);
            counted.update_batch(&values, &groups, None, GROUPS).unwrap();
            let state = counted.state(EmitTo::All).unwrap();
            whole.merge_batch(&state, &(0..GROUPS).collect::<Vec<_>>(), GROUPS).unwrap();
        }
        for evidence in [&mut ordered as &mut dyn GroupsAccumulator, &mut whole, &mut unordered] {
            let evidence = evidence.evaluate(EmitTo::All).unwrap();
            prop_assert_eq!(members(evidence.as_struct()), expected.clone());
        }
    }
}

#[test]
fn rows_are_told_apart_up_to_so_many_groups() {
    let layout = Layout {
        rows: RowsOf::Numbered { groups_max: 1 },
        ..WITH_MEMBERS
    };
    for (groups, is_told) in [(1, true), (2, false)] {
        let rows: Vec<Row> = (0..40)
            .map(|row| (row % groups, row as u32 / 4, true, Some(1), None))
            .collect();
        let mut ordered = Evidence::new(layout, 0);
        let mut unordered = Unordered::new(layout, 0);
        let (values, of_rows) = numbered(&rows);
        for evidence in [&mut ordered as &mut dyn GroupsAccumulator, &mut unordered] {
            evidence
                .update_batch(&values, &of_rows, None, groups)
                .unwrap();
            let evidence = evidence.evaluate(EmitTo::All).unwrap();
            let weights = evidence.as_struct().column_by_name("weight_0").unwrap();
            assert_eq!(weights.null_count() == 0, is_told);
        }
    }
}
