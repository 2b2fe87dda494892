//! That the gate and the second implementation say the same, and the laws that follow.

use proptest::prelude::*;
use weir_gate::{GateError, Released, Verdict, judge};
use weir_policy::Policy;

use super::handed_over::{as_table, cells, read, shape, unreleased};
use super::naive::{Outcome, Table, outcome};
use super::rules::CellOf;
use super::world::{Limits, Query, Row, limits, query, rows_for, world};
use crate::table::{approved, release};

/// A table through the gate: what leaves, and whether people had to look at it.
fn through(
    query: &Query,
    rows: &[Row],
    cells: &[CellOf],
    policy: &Policy,
) -> Result<(Released, bool), GateError> {
    let verdict = judge(unreleased(query, rows, cells)?, policy)?;
    let review = matches!(verdict, Verdict::Review(_));
    Ok((release(approved(verdict)).0, review))
}

fn by_gate(query: &Query, rows: &[Row], policy: &Policy) -> Outcome {
    match through(query, rows, &cells(query, rows), policy) {
        Ok((released, review)) => Outcome::Table {
            table: as_table(&read(query, released.batch())),
            review,
        },
        Err(error) => Outcome::Refused(error.code()),
    }
}

/// The rows that show something, without those that complete a domain.
fn shown(table: &Table) -> impl Iterator<Item = (&CellOf, &Vec<Option<String>>)> {
    table
        .iter()
        .filter(|(_, numbers)| numbers.iter().any(Option::is_some))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn both_implementations_say_the_same((query, rows) in world(), limits in limits()) {
        prop_assert_eq!(
            by_gate(&query, &rows, &limits.policy()),
            outcome(&query, &rows, &limits)
        );
    }
}

/// Limits that many random tables meet.
fn lax(limits: &Limits) -> Limits {
    Limits {
        sensitive_values_min: 1,
        cells_max: 50_000,
        levels_max: 40,
        ..limits.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// A further layer never shows a number that was not shown without it.
    #[test]
    fn a_further_layer_never_shows_more((query, rows) in world(), one in limits(), other in limits()) {
        let (one, other) = (lax(&one), lax(&other));
        let alone = by_gate(&query, &rows, &one.policy());
        let both = by_gate(&query, &rows, &one.policy().tighten(&other.policy()));
        let (Outcome::Table { table: alone, .. }, Outcome::Table { table: both, .. }) = (alone, both) else {
            return Err(TestCaseError::fail("lax limits refuse no table"));
        };
        for (cell, numbers) in shown(&both) {
            let before = alone.get(cell);
            prop_assert!(before.is_some());
            for (now, before) in numbers.iter().zip(before.unwrap()) {
                prop_assert!(now.is_none() || before.is_some(), "{:?}", cell);
            }
        }
    }

    #[test]
    fn totals_are_the_sums_of_the_released_parts((query, rows) in world(), limits in limits()) {
        let Outcome::Table { table, .. } = by_gate(&query, &rows, &lax(&limits).policy()) else {
            return Err(TestCaseError::fail("lax limits refuse no table"));
        };
        let below = |smaller: usize, larger: usize| {
            let (small, large) = (&query.sets[smaller], &query.sets[larger]);
            small != large && small.iter().zip(large).all(|(small, large)| *large || !small)
        };
        let sets = 0..query.sets.len();
        for (at, stat) in query.stats.iter().enumerate().filter(|(_, stat)| stat.is_additive()) {
            for (cell, numbers) in shown(&table) {
                let finest = |set: &usize| !sets.clone().any(|other| below(*set, other));
                let Some(parent) = sets.clone().filter(finest).find(|set| below(cell.set, *set)) else {
                    continue;
                };
                let is_part = |part: &&CellOf| part.set == parent
                    && (0..query.keys.len()).all(|key| !query.sets[cell.set][key] || part.keys[key] == cell.keys[key]);
                let parts = table.keys().filter(is_part).filter_map(|part| table[part][at].as_ref());
                let sum: f64 = parts.map(|part| part.parse::<f64>().unwrap()).sum();
                let total: f64 = numbers[at].as_ref().unwrap().parse().unwrap();
                prop_assert!((sum - total).abs() <= 1e-9 * sum.abs(), "{:?} {} {}", stat, sum, total);
            }
        }
    }

    /// Neither the order in which cells come, nor what withheld cells hold, is in the bytes.
    #[test]
    fn the_order_of_the_input_does_not_show(
        (query, rows, seed) in world().prop_flat_map(|(query, rows)| {
            let cells = cells(&query, &rows);
            (Just(query), Just(rows), Just(cells).prop_shuffle())
        }),
        limits in limits(),
    ) {
        let policy = lax(&limits).policy();
        let (first, _) = through(&query, &rows, &cells(&query, &rows), &policy).unwrap();
        let (second, _) = through(&query, &rows, &seed, &policy).unwrap();
        prop_assert_eq!(first.arrow_ipc(), second.arrow_ipc());
    }

    /// Two tables of one query have one schema, whatever is in them; their rows come in the order of set and keys; and
    /// where both are refused, it is for reasons that the shape and the policy name.
    #[test]
    fn schema_and_order_do_not_depend_on_the_data(
        (query, rows, others) in query().prop_flat_map(|query| {
            let (rows, others) = (rows_for(&query), rows_for(&query));
            (Just(query), rows, others)
        }),
        limits in limits(),
    ) {
        let policy = limits.policy();
        let pass = |rows: &[Row]| through(&query, rows, &cells(&query, rows), &policy);
        match (pass(&rows), pass(&others)) {
            (Ok((first, _)), Ok((second, _))) => {
                prop_assert_eq!(first.batch().schema(), second.batch().schema());
                let keys: Vec<CellOf> = read(&query, first.batch()).into_iter().map(|(cell, _)| cell).collect();
                prop_assert!(keys.is_sorted());
            }
            (Err(first), Err(second)) if first.code() == second.code() => {
                prop_assert_eq!(first.to_string(), second.to_string());
            }
            _ => {}
        }
    }

    /// A row that completes a closed domain looks the same whether its cell has no unit or too few.
    #[test]
    fn what_is_withheld_leaves_no_trace((query, rows) in world(), limits in limits()) {
        let policy = lax(&limits).policy();
        let (released, _) = through(&query, &rows, &cells(&query, &rows), &policy).unwrap();
        let shape = shape(&query);
        for (cell, numbers) in read(&query, released.batch()) {
            let missing = numbers.iter().filter(|number| number.is_none()).count();
            let complete = shape.statistics.iter().zip(&numbers);
            let own = complete.filter(|(statistic, _)| matches!(
                statistic,
                weir_gate::Statistic::Real | weir_gate::Statistic::Units { .. }
            ));
            let own_missing = own.filter(|(_, number)| number.is_none()).count();
            prop_assert!(missing == numbers.len() || missing == own_missing, "{:?}", cell);
        }
    }
}
