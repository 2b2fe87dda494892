//! Sums over rows: units that have several, in one cell or in several.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_ledger::{Cell, Ledger, LedgerKey, Question, Rows, Statistic, Verdict, row_weight};

use crate::support::{KEY, Random, cell, digest, question, release, release_one, set};

/// A cell of rows, each given by its unit and its number among the unit's rows.
pub(crate) fn cell_of(partition: u32, rows: impl IntoIterator<Item = (u32, u32)>) -> Cell {
    let mut of_unit = BTreeMap::<u32, u64>::new();
    for (unit, row) in rows {
        *of_unit.entry(unit).or_default() += row_weight(unit, row);
    }
    let with = |left: u64| {
        let units = of_unit.iter();
        units
            .filter(move |(_, weight)| **weight % 3 == left)
            .map(|(unit, _)| *unit)
    };
    let others = of_unit.iter().map(|(unit, weight)| (*unit, *weight));
    let others = others.filter(|(unit, weight)| *weight != row_weight(*unit, 0));
    let rows = Rows {
        twos: set(with(2)),
        threes: set(with(0)),
        weight: match others.clone().next() {
            Some(_) => of_unit.values().copied().fold(0, u64::wrapping_add),
            None => 0,
        },
        noted: (others.clone().count() <= 64).then(|| others.collect()),
    };
    Cell {
        rows: Some(rows),
        ..cell(partition, of_unit.into_keys())
    }
}

/// The groups of one grouping, each of which is asked for another column.
fn table(mut cells: Vec<Cell>, column: u8) -> Question {
    for (group, of) in (0..).zip(&mut cells) {
        (of.grouping, of.group, of.partition) = (0, group, 0);
        of.statistics = vec![Statistic {
            kind: digest(1),
            print: Arc::from([u32::from(column) << 8 | group]),
            column: Some(digest(column)),
        }];
    }
    question(cells)
}

/// A year's rows of persons, some of whom have rows in both halves; by unit and number.
fn half(second: bool) -> impl Iterator<Item = (u32, u32)> {
    let units = if second { 400..1_000 } else { 0..600 };
    units.map(move |unit| (unit, u32::from(second && unit < 600)))
}

fn year() -> impl Iterator<Item = (u32, u32)> {
    half(false).chain(half(true))
}

fn without(unit: u32, rows: impl Iterator<Item = (u32, u32)>) -> impl Iterator<Item = (u32, u32)> {
    rows.filter(move |of| of.0 != unit)
}

/// "The first half", "the second half", and "the year, without the one who is meant". Counts of rows add up to that one's
/// rows, and no sets of units do: whoever is in both halves is twice in the sum of the sets.
#[test]
fn rows_of_units_in_several_cells_do_not_leave_one_unit() {
    // Who is in both halves, in the first one, in the second.
    for unit in [500, 100, 900] {
        let mut ledger = Ledger::in_memory(KEY);
        for second in [false, true] {
            release(&mut ledger, question(vec![cell_of(0, half(second))]));
        }
        let mut last = |rows| release_one(&mut ledger, question(vec![rows])).remove(0);
        assert_eq!(last(cell_of(0, without(unit, year()))), Verdict::Isolates);
        // The whole year adds nothing that is not known.
        assert_eq!(last(cell_of(0, year())), Verdict::Fresh);
    }
}

#[test]
fn nor_in_any_order_and_not_in_two_tables_either() {
    let mut ledger = Ledger::in_memory(KEY);
    let mut one = |rows| release_one(&mut ledger, question(vec![rows])).remove(0);
    assert_eq!(one(cell_of(0, without(500, year()))), Verdict::Fresh);
    assert_eq!(one(cell_of(0, half(false))), Verdict::Fresh);
    assert_eq!(one(cell_of(0, half(true))), Verdict::Isolates);
    // Both halves as one table, its cells with units in common.
    let halves = || vec![cell_of(0, half(false)), cell_of(0, half(true))];
    for is_first in [true, false] {
        let mut ledger = Ledger::in_memory(KEY);
        let year = question(vec![cell_of(0, without(500, year()))]);
        let questions = if is_first {
            [table(halves(), 1), year]
        } else {
            [year, table(halves(), 1)]
        };
        let verdicts = questions.map(|question| release_one(&mut ledger, question));
        let last: Vec<&Verdict> = verdicts[1].iter().collect();
        assert!(last.contains(&&Verdict::Isolates), "{verdicts:?}");
        assert!(verdicts[0].iter().all(|of| *of == Verdict::Fresh));
    }
}

/// The parts of a table add up to what was asked as a whole, and one row of a person is left.
#[test]
fn a_row_of_a_person_with_several_is_not_left_by_parts_of_a_table() {
    // Everybody has three rows of one kind.
    let rows: Vec<(u32, u32)> = (0..3_000).map(|row| (row % 1_000, row / 1_000)).collect();
    let kind = |kinds: &'static [u32], but: Option<usize>| {
        let rows = rows.iter().enumerate();
        let rows =
            rows.filter(move |(at, (unit, _))| kinds.contains(&(unit % 5)) && Some(*at) != but);
        rows.map(|(_, row)| *row).collect::<Vec<_>>()
    };
    for (but, expected) in [(None, Verdict::Fresh), (Some(1_234), Verdict::Isolates)] {
        let mut ledger = Ledger::in_memory(KEY);
        let first = release_one(
            &mut ledger,
            question(vec![cell_of(0, kind(&[0, 3, 4], None))]),
        );
        assert_eq!(first, [Verdict::Fresh]);
        let parts = [&[0][..], &[3], &[4]].map(|kinds| cell_of(0, kind(kinds, but)));
        let parts = release_one(&mut ledger, table(parts.to_vec(), 1));
        assert_eq!(
            parts.contains(&Verdict::Isolates),
            expected == Verdict::Isolates
        );
    }
}

/// Districts and the cities that they are in, by two queries without a condition: one row of one person is of no district.
#[test]
fn a_row_is_not_left_by_groupings_that_nobody_chose() {
    let mut random = Random(3);
    let (cities, districts) = (4, 20_u64);
    // Whoever travels has rows in several districts, and in several cities.
    let rows: Vec<(u32, u32, u32)> = (0..30_000)
        .map(|row| (row % 3_000, row / 3_000, random.below(districts) as u32))
        .collect();
    let of = |is_in: &dyn Fn(usize, u32) -> bool| -> Vec<(u32, u32)> {
        let rows = rows.iter().enumerate();
        let rows = rows.filter(|(at, (_, _, district))| is_in(*at, *district));
        rows.map(|(_, (unit, row, _))| (*unit, *row)).collect()
    };
    for lost in [None, Some(7), Some(12_345)] {
        let of_city = |city: u32| cell_of(0, of(&|_, district| district % cities == city));
        let of_district =
            |this: u32| cell_of(0, of(&|at, district| district == this && Some(at) != lost));
        let by_city: Vec<Cell> = (0..cities).map(of_city).collect();
        let by_district: Vec<Cell> = (0..districts as u32).map(of_district).collect();
        for cities_first in [true, false] {
            let mut ledger = Ledger::in_memory(KEY);
            let mut tables = [table(by_city.clone(), 1), table(by_district.clone(), 1)];
            for table in &mut tables {
                table.selection.is_plain = true;
            }
            if !cities_first {
                tables.reverse();
            }
            let [first, last] = tables.map(|table| release_one(&mut ledger, table));
            let is_all = |verdicts: &[Verdict]| verdicts.iter().all(|of| *of == Verdict::Fresh);
            assert!(is_all(&first), "{lost:?}");
            assert_eq!(is_all(&last), lost.is_none(), "{lost:?}: {last:?}");
        }
    }
}

/// Nearly everybody has a row a month: units and numbers of rows are nearly the same, and rows are others.
#[test]
fn months_of_one_table_may_have_nearly_the_same_rows() {
    let mut ledger = Ledger::in_memory(KEY);
    let month = |region: u32, month: u32| {
        let units = region * 1_000..(region + 1) * 1_000;
        let here = units.filter(move |unit| !(unit * 31 + month * 17).is_multiple_of(20));
        here.map(move |unit| (unit, month))
    };
    let months = |region: u32| {
        (0..6)
            .map(move |of| cell_of(0, month(region, of)))
            .collect()
    };
    for region in 0..4 {
        let verdicts = release_one(&mut ledger, table(months(region), 1));
        assert!(
            verdicts.iter().all(|of| *of == Verdict::Fresh),
            "{verdicts:?}"
        );
    }
    // Another column, and what all months come to.
    for region in 0..4 {
        let verdicts = release_one(&mut ledger, table(months(region), 2));
        assert!(!verdicts.contains(&Verdict::Review), "{verdicts:?}");
        let all = (0..6).flat_map(|of| month(region, of));
        let verdicts = release_one(&mut ledger, question(vec![cell_of(0, all)]));
        assert_ne!(verdicts, [Verdict::Review]);
    }
}

#[test]
fn rows_are_found_after_the_ledger_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, key) = (folder.path().join("ledger"), || LedgerKey::new([5; 32]));
    Ledger::create(&folder, &key()).unwrap();
    let ask = |rows: Cell| {
        let mut ledger = Ledger::open(&folder, key()).unwrap();
        let verdict = release_one(&mut ledger, question(vec![rows])).remove(0);
        ledger.check().unwrap();
        verdict
    };
    // The year first, which has several rows of some.
    assert_eq!(ask(cell_of(0, year())), Verdict::Fresh);
    assert_eq!(ask(cell_of(0, half(false))), Verdict::Fresh);
    assert_eq!(ask(cell_of(0, without(500, half(true)))), Verdict::Isolates);
    assert_eq!(ask(cell_of(0, half(true))), Verdict::Fresh);
}

/// Rows of persons with three properties each; tables of some of them by one property, and then what is left of everything,
/// with or without the rows of a few persons. Held against what the numbers of rows say by definition.
#[test]
fn what_is_left_of_everything_is_let_go_only_where_nobody_is_left() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let mut numbers = BTreeMap::<u32, u32>::new();
        let rows: Vec<[u32; 5]> = (0..4_000)
            .map(|_| {
                let [unit, one, other, third] = [900, 3, 3, 3].map(|of| random.below(of) as u32);
                let number = numbers.entry(unit).or_default();
                *number += 1;
                [unit, one, other, third, *number - 1]
            })
            .collect();
        let mut ledger = Ledger::in_memory(KEY);
        let property = 1 + random.below(3) as usize;
        let of = |value: u32| {
            let rows = rows.iter().filter(move |row| row[property] == value);
            rows.map(|row| (row[0], row[4]))
        };
        for value in 0..2 {
            let verdict = release_one(&mut ledger, question(vec![cell_of(0, of(value))]));
            assert_eq!(verdict, [Verdict::Fresh], "seed {seed}");
        }
        let all = release_one(
            &mut ledger,
            question(vec![cell_of(0, rows.iter().map(|row| (row[0], row[4])))]),
        );
        assert_eq!(all, [Verdict::Fresh], "seed {seed}");
        let few = 1 + random.below(9) as u32;
        let some: Vec<u32> = (0..few).map(|_| random.below(900) as u32).collect();
        let left = of(2).filter(|row| !some.contains(&row.0));
        let are_there = of(2).any(|row| some.contains(&row.0));
        let verdict = release_one(&mut ledger, question(vec![cell_of(0, left)])).remove(0);
        assert_eq!(
            verdict == Verdict::Fresh,
            !are_there,
            "seed {seed}: {verdict:?}"
        );
        let last = release_one(&mut ledger, question(vec![cell_of(0, of(2))]));
        assert_eq!(last, [Verdict::Fresh], "seed {seed}");
    }
}

/// Cells of ten people with three rows each: of a third of them nothing is left modulo 3, and that is nobody's row.
#[test]
fn small_cells_are_not_taken_for_fewer_people_than_they_have() {
    let mut ledger = Ledger::in_memory(KEY);
    for round in 0..10 {
        let rows = |cell: u32| {
            let units = cell * 10..(cell + 1) * 10;
            units.flat_map(move |unit| (0..3).map(move |row| (unit, 3 * round + row)))
        };
        let cells = (0..20).map(|of| cell_of(0, rows(of))).collect();
        let verdicts = release_one(&mut ledger, table(cells, round as u8));
        let isolates = |of: &&Verdict| **of == Verdict::Isolates;
        assert_eq!(
            verdicts.iter().filter(isolates).count(),
            0,
            "{round}: {verdicts:?}"
        );
    }
}
