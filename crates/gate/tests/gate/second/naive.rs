//! The released table, row by row.

use std::collections::{BTreeMap, BTreeSet};

use super::crossing::hiding;
use super::rounding;
use super::rules::{CellOf, cells_of, is_withheld, rows_of};
use super::world::{Domain, Limits, Query, Row, Stat};

/// What comes of a table.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Outcome {
    /// A refusal, by its code.
    Refused(&'static str),
    /// A table; whether people look at it first.
    Table { table: Table, review: bool },
}

/// Per row its grouping set, its keys, its numbers as texts; a number is none where it is not shown.
pub(super) type Table = BTreeMap<CellOf, Vec<Option<String>>>;

pub(super) fn outcome(query: &Query, rows: &[Row], limits: &Limits) -> Outcome {
    let mut table = Table::new();
    let finest: Vec<usize> = (0..query.sets.len())
        .filter(|set| is_finest(query, *set))
        .collect();
    let hiding = hiding(query, rows, &finest, limits);
    for set in &finest {
        for cell in cells_of(query, rows, *set) {
            if !is_withheld(query, rows, &cell, limits) && !hiding.contains(&cell) {
                let of_cell = rows_of(query, rows, &cell);
                let numbers = query.stats.iter().map(|stat| own(*stat, &of_cell, limits));
                table.insert(cell, numbers.collect());
            }
        }
    }
    if too_many_levels(query, &table, limits) {
        return Outcome::Refused("GATE_TOO_MANY_LEVELS");
    }
    let review = limits.negatives_are_reviewed
        && table
            .keys()
            .any(|cell| has_negative(query, &rows_of(query, rows, cell)));
    for set in (0..query.sets.len()).filter(|set| !finest.contains(set)) {
        let is_above = |other: &&usize| contains(&query.sets[**other], &query.sets[set]);
        let parent = *finest.iter().find(is_above).unwrap();
        let totals = derived(query, rows, set, parent, &table, limits);
        table.extend(totals);
    }
    complete(query, &mut table, limits);
    if table.len() > limits.cells_max {
        return Outcome::Refused("GATE_TOO_MANY_CELLS");
    }
    Outcome::Table { table, review }
}

fn contains(larger: &[bool], smaller: &[bool]) -> bool {
    smaller
        .iter()
        .zip(larger)
        .all(|(of_smaller, of_larger)| !of_smaller || *of_larger)
}

/// A set that no other contains; of equal ones the first.
pub(super) fn is_finest(query: &Query, set: usize) -> bool {
    (0..query.sets.len()).all(|other| {
        other == set
            || !contains(&query.sets[other], &query.sets[set])
            || (query.sets[other] == query.sets[set] && set < other)
    })
}

fn too_many_levels(query: &Query, table: &Table, limits: &Limits) -> bool {
    (0..query.keys.len()).any(|key| {
        let shown = table.keys().filter(|cell| query.sets[cell.set][key]);
        let levels: BTreeSet<Option<i64>> = shown.map(|cell| cell.keys[key]).collect();
        matches!(query.keys[key].domain, Domain::Open) && levels.len() > limits.levels_max
    })
}

/// Whether the sum of some unit is negative.
fn has_negative(query: &Query, rows: &[&Row]) -> bool {
    (0..query.kinds).any(|kind| {
        let mut amounts: BTreeMap<u32, i64> = BTreeMap::new();
        let mut others: BTreeMap<u32, i64> = BTreeMap::new();
        for row in rows {
            let Some(unit) = row.units[kind] else {
                continue;
            };
            *amounts.entry(unit).or_default() += i64::from(row.amount.unwrap_or(0));
            *others.entry(unit).or_default() += i64::from(row.other.unwrap_or(0));
        }
        amounts.values().chain(others.values()).any(|sum| *sum < 0)
    })
}

/// The statistic of these rows, before rounding, in plain decimal notation.
pub(super) fn raw(stat: Stat, rows: &[&Row]) -> String {
    let sum: i64 = rows
        .iter()
        .map(|row| i64::from(row.amount.unwrap_or(0)))
        .sum();
    match stat {
        Stat::CountRows => rows.len().to_string(),
        Stat::CountNotes => rows
            .iter()
            .filter(|row| row.note.is_some())
            .count()
            .to_string(),
        Stat::CountUnits(kind) => {
            let units: BTreeSet<u32> = rows.iter().filter_map(|row| row.units[kind]).collect();
            units.len().to_string()
        }
        // Decimals are told by their whole number of hundredths.
        Stat::SumWhole | Stat::SumDecimal => sum.to_string(),
        Stat::SumTenths => (sum as f64 / 10.0).to_string(),
        Stat::Other => other(sum, rows.len()).to_string(),
    }
}

/// Some number with many digits.
pub(super) fn other(sum: i64, rows: usize) -> f64 {
    sum as f64 / (7 * rows.max(1)) as f64
}

fn own(stat: Stat, rows: &[&Row], limits: &Limits) -> Option<String> {
    let text = raw(stat, rows);
    Some(match stat {
        Stat::CountRows | Stat::CountNotes | Stat::CountUnits(_) => {
            rounding::count(text.parse().unwrap(), limits).to_string()
        }
        Stat::SumWhole | Stat::SumDecimal => rounding::digits(&text, limits),
        Stat::SumTenths | Stat::Other => float(&rounding::digits(&text, limits)),
    })
}

/// One form for each float.
fn float(text: &str) -> String {
    let number: f64 = text.parse().unwrap();
    format!("{}", if number == 0.0 { 0.0 } else { number })
}

fn derived(
    query: &Query,
    rows: &[Row],
    set: usize,
    parent: usize,
    table: &Table,
    limits: &Limits,
) -> Table {
    let mut totals = Table::new();
    for cell in cells_of(query, rows, set) {
        let is_part = |part: &CellOf| {
            (0..query.keys.len())
                .all(|key| !query.sets[set][key] || part.keys[key] == cell.keys[key])
        };
        let parts: Vec<CellOf> = cells_of(query, rows, parent)
            .into_iter()
            .filter(is_part)
            .collect();
        let released: Vec<&Vec<Option<String>>> =
            parts.iter().filter_map(|part| table.get(part)).collect();
        if released.is_empty() {
            continue;
        }
        let whole = released.len() == parts.len() && !is_withheld(query, rows, &cell, limits);
        let of_cell = rows_of(query, rows, &cell);
        let number = |(at, stat): (usize, &Stat)| {
            if stat.is_additive() {
                Some(total(
                    *stat,
                    released
                        .iter()
                        .map(|numbers| numbers[at].as_deref().unwrap()),
                ))
            } else if whole {
                own(*stat, &of_cell, limits)
            } else {
                None
            }
        };
        let numbers = query.stats.iter().enumerate().map(number).collect();
        totals.insert(cell, numbers);
    }
    totals
}

fn total<'a>(stat: Stat, parts: impl Iterator<Item = &'a str>) -> String {
    if stat != Stat::SumTenths {
        return parts
            .map(|part| part.parse::<i64>().unwrap())
            .sum::<i64>()
            .to_string();
    }
    // Tenths have one place: in tenths the sum is exact.
    let tenths: i64 = parts
        .map(|part| (part.parse::<f64>().unwrap() * 10.0).round() as i64)
        .sum();
    float(&(tenths as f64 / 10.0).to_string())
}

/// Every combination of closed domains, while there is room for all of them.
fn complete(query: &Query, table: &mut Table, limits: &Limits) {
    let mut room = limits.cells_max;
    for set in 0..query.sets.len() {
        let mut combinations = vec![vec![]];
        let mut is_closed = query.sets[set].contains(&true);
        for key in 0..query.keys.len() {
            let values = match &query.keys[key].domain {
                _ if !query.sets[set][key] => vec![None],
                Domain::Closed(values) => {
                    let distinct: BTreeSet<Option<i64>> = values.iter().copied().collect();
                    distinct.into_iter().collect()
                }
                Domain::Open | Domain::Bounded => {
                    is_closed = false;
                    vec![]
                }
            };
            let extend = |combination: &Vec<Option<i64>>| {
                let longer = |value: &Option<i64>| [combination.as_slice(), &[*value]].concat();
                values.iter().map(longer).collect::<Vec<_>>()
            };
            combinations = combinations.iter().flat_map(extend).collect();
        }
        if is_closed && combinations.len() <= room {
            room -= combinations.len();
            for keys in combinations {
                table
                    .entry(CellOf { set, keys })
                    .or_insert(vec![None; query.stats.len()]);
            }
        }
    }
}
