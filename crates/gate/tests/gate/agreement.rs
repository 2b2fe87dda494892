//! A second implementation of the rules over plain rows, too simple to be wrong the same way: it sums per unit itself,
//! and compares whole numbers by multiplication, without division, rounding or a policy object.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use proptest::prelude::*;
use weir_policy::Policy;

use crate::plain::{self, Row};
use crate::table::{Shape, Value, rows};

/// What a policy file says, in parts per 10,000 where it is a fraction.
#[derive(Clone, Debug)]
struct Limits {
    units_min: usize,
    rows_min: usize,
    share_max: [Option<i128>; 3],
    ratio_min: i128,
    zeros_are_disclosive: bool,
}

impl Limits {
    fn policy(&self) -> Policy {
        let fraction = |parts: i128| format!("{}.{:04}", parts / 10_000, parts % 10_000);
        let shares: String = self
            .share_max
            .iter()
            .zip(1..)
            .filter_map(|(share, n)| Some(format!("top{n}_share_max = {}\n", fraction((*share)?))))
            .collect();
        let text = format!(
            "name = \"x\"\n[cell]\nunits_min = {}\nrows_min = {}\n[dominance]\n{shares}[p_ratio]\nratio_min = {}\n\
             zeros_are_disclosive = {}\n",
            self.units_min,
            self.rows_min,
            fraction(self.ratio_min),
            self.zeros_are_disclosive
        );
        Policy::from_toml(&text, "x").unwrap()
    }

    /// Whether a cell made of these rows is withheld.
    fn withholds(&self, rows: &[Raw]) -> bool {
        let everyone: BTreeSet<u8> = rows.iter().map(|row| row.unit).collect();
        everyone.len() < self.units_min
            || rows.len() < self.rows_min
            || (0..2).any(|column| self.withholds_sum(rows, column))
    }

    fn withholds_sum(&self, rows: &[Raw], column: usize) -> bool {
        let mut sums: BTreeMap<u8, i128> = BTreeMap::new();
        let mut count = 0;
        for row in rows {
            if let Some(number) = row.numbers[column] {
                *sums.entry(row.unit).or_default() += i128::from(number);
                count += 1;
            }
        }
        let mut largest_first: Vec<i128> = sums.into_values().map(i128::abs).collect();
        largest_first.sort_unstable_by_key(|size| -size);
        let total: i128 = largest_first.iter().sum();
        let of_largest = |n: usize| largest_first.iter().take(n).sum::<i128>();

        let dominated = (1..=3).any(|n| match self.share_max[n - 1] {
            Some(share) => total > 0 && 10_000 * of_largest(n) >= share * total,
            None => false,
        });
        let deducible = if total == 0 || count <= 1 {
            self.zeros_are_disclosive
        } else {
            10_000 * (total - of_largest(2)) < self.ratio_min * of_largest(1)
        };
        largest_first.len() < self.units_min || count < self.rows_min || dominated || deducible
    }
}

/// One row of raw data in whole numbers: cell, unit and two columns that may be null.
#[derive(Clone, Debug)]
struct Raw {
    cell: u8,
    unit: u8,
    numbers: [Option<i32>; 2],
}

fn row() -> impl Strategy<Value = Raw> {
    let number = || {
        prop_oneof![
            1 => Just(None),
            2 => Just(Some(0)),
            8 => (-4..12_i32).prop_map(Some),
            1 => (-300..2_000_i32).prop_map(Some),
        ]
    };
    (0..4_u8, 0..14_u8, [number(), number()]).prop_map(|(cell, unit, numbers)| Raw {
        cell,
        unit,
        numbers,
    })
}

/// A table of up to four cells, in some of which a column is zero throughout.
fn table() -> impl Strategy<Value = Vec<Raw>> {
    let zero = proptest::array::uniform8(proptest::bool::weighted(0.2));
    (proptest::collection::vec(row(), 0..90), zero).prop_map(|(mut rows, zero)| {
        for row in &mut rows {
            for (column, number) in row.numbers.iter_mut().enumerate() {
                if zero[usize::from(row.cell) * 2 + column] {
                    *number = number.map(|_| 0);
                }
            }
        }
        rows
    })
}

/// Round limits, which small whole numbers meet exactly, and any others.
fn limits() -> impl Strategy<Value = Limits> {
    let share = || {
        prop_oneof![
            proptest::sample::select(vec![5_000_i128, 6_000, 7_500, 9_000, 9_500]),
            4_000..=9_500_i128
        ]
    };
    let ratio = prop_oneof![
        proptest::sample::select(vec![500_i128, 1_000, 2_500, 5_000, 10_000]),
        500..=10_000_i128
    ];
    (
        3..8_usize,
        3..10_usize,
        (
            proptest::option::of(share()),
            share(),
            proptest::option::of(share()),
        ),
        ratio,
        any::<bool>(),
    )
        .prop_map(
            |(units_min, rows_min, (one, two, three), ratio_min, zeros_are_disclosive)| Limits {
                units_min,
                rows_min,
                share_max: [one, Some(two), three],
                ratio_min,
                zeros_are_disclosive,
            },
        )
}

fn plain(raw: &[Raw]) -> Vec<Row> {
    raw.iter()
        .map(|row| Row {
            keys: vec![row.cell.to_string()],
            unit: row.unit.to_string(),
            numbers: row
                .numbers
                .iter()
                .map(|number| number.map(f64::from))
                .collect(),
        })
        .collect()
}

/// The cells that the gate releases.
fn released(raw: &[Raw], policy: &Policy) -> Vec<String> {
    let shape = Shape {
        keys: vec![("cell", DataType::Utf8)],
        values: vec![],
    };
    let (released, _) = shape.pass(&plain::cells(&plain(raw)), policy);
    rows(released.batch())
        .into_iter()
        .flatten()
        .map(|key| match key {
            Value::Text(key) => key,
            other => panic!("a key that is no text: {other:?}"),
        })
        .collect()
}

/// The cells that the second implementation releases.
fn expected(raw: &[Raw], limits: &Limits) -> Vec<String> {
    let cells: BTreeSet<u8> = raw.iter().map(|row| row.cell).collect();
    cells
        .into_iter()
        .filter(|cell| {
            let rows: Vec<Raw> = raw
                .iter()
                .filter(|row| row.cell == *cell)
                .cloned()
                .collect();
            !limits.withholds(&rows)
        })
        .map(|cell| cell.to_string())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_gate_and_the_second_implementation_agree(
        raw in table(),
        limits in limits(),
    ) {
        prop_assert_eq!(released(&raw, &limits.policy()), expected(&raw, &limits));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Exact, not only monotone: the fold of two layers releases what both release.
    #[test]
    fn the_fold_of_two_layers_releases_what_both_release(
        raw in table(),
        one in limits(),
        other in limits(),
    ) {
        let both: Vec<String> = expected(&raw, &one)
            .into_iter()
            .filter(|cell| expected(&raw, &other).contains(cell))
            .collect();
        prop_assert_eq!(released(&raw, &one.policy().tighten(&other.policy())), both);
    }
}
