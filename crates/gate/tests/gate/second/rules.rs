//! Each check on one cell, as its definition reads.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Domain, Limits, Query, Row};

/// A cell: its grouping set and its keys; a key that the set leaves out is none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct CellOf {
    pub(super) set: usize,
    pub(super) keys: Vec<Option<i64>>,
}

/// The rows of a cell.
pub(super) fn rows_of<'a>(query: &Query, rows: &'a [Row], cell: &CellOf) -> Vec<&'a Row> {
    rows.iter()
        .filter(|row| {
            (0..query.keys.len())
                .all(|key| !query.sets[cell.set][key] || row.keys[key] == cell.keys[key])
        })
        .collect()
}

/// The cells of a grouping set.
pub(super) fn cells_of(query: &Query, rows: &[Row], set: usize) -> BTreeSet<CellOf> {
    let in_set = |row: &Row, key: usize| query.sets[set][key].then_some(row.keys[key]).flatten();
    rows.iter()
        .map(|row| CellOf {
            set,
            keys: (0..query.keys.len()).map(|key| in_set(row, key)).collect(),
        })
        .collect()
}

fn units(rows: &[&Row], kind: usize) -> BTreeSet<u32> {
    rows.iter().filter_map(|row| row.units[kind]).collect()
}

/// Whether the cell may not leave.
pub(super) fn is_withheld(query: &Query, rows: &[Row], cell: &CellOf, limits: &Limits) -> bool {
    let of_cell = rows_of(query, rows, cell);
    (0..query.kinds).any(|kind| {
        breaks_alone(query, &of_cell, kind, limits)
            || breaks_complement(query, rows, cell, kind, limits)
    }) || is_off_domain(query, cell)
        || (limits.class_disclosure && discloses_class(query, rows, cell))
}

/// Everything that is seen on the cell alone, for one kind of unit. Rows that name no unit of the kind are not looked at.
fn breaks_alone(query: &Query, rows: &[&Row], kind: usize, limits: &Limits) -> bool {
    let rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.units[kind].is_some())
        .collect();
    let amounts: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.amount.is_some())
        .collect();
    let others: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.other.is_some())
        .collect();
    let notes: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.note.is_some())
        .collect();
    let too_few = |rows: &Vec<&Row>| {
        units(rows, kind).len() < limits.units_min || rows.len() < limits.rows_min
    };
    let secrets: BTreeSet<u8> = rows.iter().map(|row| row.secret).collect();
    let fitted: Vec<&Row> = amounts
        .iter()
        .copied()
        .filter(|row| row.other.is_some())
        .collect();
    [&rows, &amounts, &others, &notes].into_iter().any(too_few)
        || breaks_sum(&amounts, kind, |row| row.amount, limits)
        || breaks_sum(&others, kind, |row| row.other, limits)
        || secrets.len() < limits.sensitive_values_min
        || query.parameters.is_some_and(|parameters| {
            let (units, parameters) = (units(&fitted, kind).len(), parameters as usize);
            units < parameters + limits.residual_dof_min
                || 10_000 * parameters > limits.parameters_share_max * units
        })
        || query.quantiles.is_some_and(|count| {
            units(&amounts, kind).len() <= limits.quantile_units_min * count as usize
        })
}

fn breaks_sum(
    rows: &[&Row],
    kind: usize,
    number: fn(&Row) -> Option<i32>,
    limits: &Limits,
) -> bool {
    let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
    for row in rows {
        *sums.entry(row.units[kind].unwrap()).or_default() += i128::from(number(row).unwrap());
    }
    let mut largest_first: Vec<i128> = sums.into_values().map(i128::abs).collect();
    largest_first.sort_unstable_by_key(|size| -size);
    let total: i128 = largest_first.iter().sum();
    let of_largest = |n: usize| largest_first.iter().take(n).sum::<i128>();
    let dominated = (1..=3).any(|n| match limits.share_max[n - 1] {
        Some(share) => total > 0 && 10_000 * of_largest(n) >= share * total,
        None => false,
    });
    let deducible = if total == 0 || rows.len() <= 1 {
        limits.zeros_are_disclosive
    } else {
        10_000 * (total - of_largest(2)) < limits.ratio_min * of_largest(1)
    };
    dominated || deducible
}

fn is_off_domain(query: &Query, cell: &CellOf) -> bool {
    (0..query.keys.len()).any(|key| match &query.keys[key].domain {
        Domain::Closed(values) => query.sets[cell.set][key] && !values.contains(&cell.keys[key]),
        Domain::Open | Domain::Bounded => false,
    })
}

/// Every way to drop keys of the cell, but those that the query fixes.
fn droppings(query: &Query, cell: &CellOf) -> Vec<Vec<usize>> {
    let loose: Vec<usize> = (0..query.keys.len())
        .filter(|key| query.sets[cell.set][*key] && !query.keys[*key].fixed)
        .collect();
    (1..1_usize << loose.len())
        .map(|choice| {
            let chosen = |place: &usize| choice >> place & 1 == 1;
            (0..loose.len())
                .filter(chosen)
                .map(|place| loose[place])
                .collect()
        })
        .collect()
}

/// The rows of the margin that are not in the cell.
fn outside<'a>(query: &Query, rows: &'a [Row], cell: &CellOf, dropped: &[usize]) -> Vec<&'a Row> {
    let agrees =
        |row: &Row, key: usize| !query.sets[cell.set][key] || row.keys[key] == cell.keys[key];
    rows.iter()
        .filter(|row| {
            (0..query.keys.len()).all(|key| dropped.contains(&key) || agrees(row, key))
                && !(0..query.keys.len()).all(|key| agrees(row, key))
        })
        .collect()
}

fn breaks_complement(
    query: &Query,
    rows: &[Row],
    cell: &CellOf,
    kind: usize,
    limits: &Limits,
) -> bool {
    // Those with a row, and those with a value in each argument that can be null.
    let counted: [fn(&Row) -> bool; 4] = [
        |_| true,
        |row| row.amount.is_some(),
        |row| row.other.is_some(),
        |row| row.note.is_some(),
    ];
    droppings(query, cell).iter().any(|dropped| {
        let outside = outside(query, rows, cell, dropped);
        counted.iter().any(|is_counted| {
            let counted: Vec<&Row> = outside
                .iter()
                .copied()
                .filter(|row| is_counted(row))
                .collect();
            let outside = units(&counted, kind).len();
            outside > 0 && outside < limits.complement_units_min
        })
    })
}

fn discloses_class(query: &Query, rows: &[Row], cell: &CellOf) -> bool {
    droppings(query, cell).iter().any(|dropped| {
        let is_known = |key: &usize| {
            let structural = query.structural.iter().any(|combination| {
                let kept = |other: &usize| query.sets[cell.set][*other] && !dropped.contains(other);
                combination.contains(key)
                    && (combination.iter().any(kept)
                        || combination.iter().all(|other| other == key))
            });
            query.keys[*key].public || structural
        };
        outside(query, rows, cell, dropped).is_empty() && !dropped.iter().all(is_known)
    })
}
