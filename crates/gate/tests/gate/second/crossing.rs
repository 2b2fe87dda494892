//! Cells that one grouping withholds to hide those of another one over the same rows.

use std::collections::{BTreeMap, BTreeSet};

use weir_gate::{Verdict, judge_without_history};

use super::handed_over::{as_table, read};
use super::naive::{Table, raw};
use super::rules::{CellOf, cells_of, is_withheld, rows_of};
use super::world::{Domain, KeyOf, Limits, Query, Row, Stat};
use crate::table::release;

/// The cells that pass and are withheld to hide others.
pub(super) fn hiding(
    query: &Query,
    rows: &[Row],
    finest: &[usize],
    limits: &Limits,
) -> BTreeSet<CellOf> {
    let mut hiding = BTreeSet::new();
    let passes = |cell: &CellOf| !is_withheld(query, rows, cell, limits);
    for of in finest {
        for other in finest.iter().filter(|other| *other != of) {
            let shared = |cell: &CellOf| -> Vec<Option<i64>> {
                let keys = 0..query.keys.len();
                let shared = keys.filter(|key| query.sets[*of][*key] && query.sets[*other][*key]);
                shared.map(|key| cell.keys[key]).collect()
            };
            let groups: BTreeSet<Vec<Option<i64>>> =
                cells_of(query, rows, *of).iter().map(shared).collect();
            for group in groups {
                let in_group = |set: usize| -> Vec<CellOf> {
                    let cells = cells_of(query, rows, set).into_iter();
                    cells.filter(|cell| shared(cell) == group).collect()
                };
                let hidden: Vec<CellOf> = in_group(*of)
                    .into_iter()
                    .filter(|cell| !passes(cell))
                    .collect();
                if hidden.is_empty() {
                    continue;
                }
                let largest = |cell: &CellOf| sizes(query, rows, cell, |all| all.into_iter().max());
                let needed: Vec<i128> = (0..query.kinds)
                    .flat_map(|kind| {
                        let of = |argument: usize| -> i128 {
                            hidden
                                .iter()
                                .map(|cell| largest(cell)[3 * kind + 1 + argument])
                                .sum()
                        };
                        [limits.units_min as i128, of(0), of(1)]
                    })
                    .collect();
                let mut smallest_first = in_group(*other);
                smallest_first.sort_by_key(|cell| totals(query, rows, cell)[0]);
                let enough = (0..smallest_first.len()).find(|count| {
                    is_enough(query, rows, &smallest_first[..*count], &needed, limits)
                });
                hiding.extend(smallest_first.drain(..enough.unwrap_or(smallest_first.len())));
            }
        }
    }
    hiding
}

fn is_enough(
    query: &Query,
    rows: &[Row],
    cells: &[CellOf],
    needed: &[i128],
    limits: &Limits,
) -> bool {
    let all: Vec<Vec<i128>> = cells
        .iter()
        .map(|cell| totals(query, rows, cell))
        .filter(|of| {
            of.iter()
                .step_by(3)
                .all(|units| *units >= limits.units_min as i128)
        })
        .collect();
    let had = |at: usize| all.iter().map(|of| of[at]).sum::<i128>();
    needed
        .iter()
        .enumerate()
        .all(|(at, needed)| had(at) >= *needed)
}

fn totals(query: &Query, rows: &[Row], cell: &CellOf) -> Vec<i128> {
    sizes(query, rows, cell, |all| Some(all.into_iter().sum()))
}

/// For each kind of unit how many there are, and of both arguments what their contributions come to.
fn sizes(
    query: &Query,
    rows: &[Row],
    cell: &CellOf,
    come_to: fn(Vec<i128>) -> Option<i128>,
) -> Vec<i128> {
    let rows = rows_of(query, rows, cell);
    let of_kind = |kind: usize| {
        let units: BTreeSet<u32> = rows.iter().filter_map(|row| row.units[kind]).collect();
        let of = |number: fn(&Row) -> Option<i32>| {
            let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
            for row in &rows {
                if let (Some(unit), Some(number)) = (row.units[kind], number(row)) {
                    *sums.entry(unit).or_default() += i128::from(number);
                }
            }
            come_to(sums.into_values().map(i128::abs).collect()).unwrap_or(0)
        };
        [
            units.len() as i128,
            of(|row| row.amount),
            of(|row| row.other),
        ]
    };
    (0..query.kinds).flat_map(of_kind).collect()
}

/// A policy that knows of units and dominance.
fn limits() -> Limits {
    Limits {
        units_min: 10,
        rows_min: 10,
        complement_units_min: 3,
        class_disclosure: false,
        sensitive_values_min: 1,
        share_max: [None, Some(9_000), None],
        ratio_min: 1_000,
        zeros_are_disclosive: false,
        residual_dof_min: 10,
        parameters_share_max: 3_300,
        quantile_units_min: 10,
        negatives_are_reviewed: false,
        count_base: 5,
        significant_digits: 5,
        cells_max: 1_000,
        levels_max: 100,
    }
}

/// Three regions and two sexes, twenty units in each of both; of the first region one unit has nearly everything.
fn rows() -> Vec<Row> {
    let row = |unit: u32| {
        let (region, sex) = (i64::from(unit / 40), i64::from(unit % 2));
        let amount = match (region, unit) {
            (0, 0) => 1_000_000,
            (0, _) => 100,
            _ => 100_000,
        };
        Row {
            keys: [Some(region), Some(sex), None],
            units: [Some(unit), None],
            amount: Some(amount),
            other: Some(1),
            note: Some(true),
            secret: 0,
        }
    };
    (0..120).map(row).collect()
}

fn two_groupings() -> Query {
    let key = || KeyOf {
        domain: Domain::Open,
        fixed: false,
        public: false,
    };
    Query {
        keys: vec![key(), key()],
        sets: vec![vec![true, false], vec![false, true]],
        stats: vec![Stat::SumWhole],
        structural: Vec::new(),
        quantiles: None,
        parameters: None,
        kinds: 1,
    }
}

/// What both sexes have that the regions which are shown have not; none where something of it is not shown.
fn the_attack(table: &Table) -> Option<i128> {
    let sum = |set: usize| {
        let of_set = table.iter().filter(|(cell, _)| cell.set == set);
        let numbers: Option<Vec<i128>> = of_set
            .map(|(_, of)| of[0].as_deref()?.parse().ok())
            .collect();
        numbers
    };
    let (regions, sexes) = (sum(0)?, sum(1)?);
    let all = regions.len() == 2 && sexes.len() == 2;
    all.then(|| sexes.iter().sum::<i128>() - regions.iter().sum::<i128>())
}

#[test]
fn what_one_grouping_withholds_does_not_come_out_of_another() {
    let (query, rows, limits) = (two_groupings(), rows(), limits());
    // Each cell by itself, as it was before: the largest contribution comes out.
    let mut table = Table::new();
    for set in [0, 1] {
        for cell in cells_of(&query, &rows, set) {
            if !is_withheld(&query, &rows, &cell, &limits) {
                let number = raw(Stat::SumWhole, &rows_of(&query, &rows, &cell));
                table.insert(cell, vec![Some(number)]);
            }
        }
    }
    let found = the_attack(&table).unwrap();
    assert!(found.abs_diff(1_000_000) < 10_000, "{found}");

    let unreleased = super::handed_over(&query, &rows).unwrap();
    let judged =
        judge_without_history(unreleased, &limits.policy()).and_then(Verdict::without_review);
    let released = release(judged.unwrap()).0;
    let table = as_table(&read(&query, released.batch()));
    assert_eq!(the_attack(&table), None);
    // One of the sexes hides the region, and nothing else is withheld.
    let shown = |set: usize| table.keys().filter(|cell| cell.set == set).count();
    assert_eq!((shown(0), shown(1)), (2, 1));
}
