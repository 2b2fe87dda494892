//! That the gate and the second implementation say the same, and the laws that follow.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use weir_gate::{GateError, Released, Verdict, judge_without_history};
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
    let verdict = judge_without_history(unreleased(query, rows, cells)?, policy)?;
    let review = matches!(verdict, Verdict::Review(_));
    Ok((release(approved(verdict)).0, review))
}

/// So many random tables; `PROPTEST_CASES` asks for more.
fn random(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        max_shrink_iters: std::env::var("PROPTEST_MAX_SHRINK_ITERS").map_or(500, |_| 0),
        ..ProptestConfig::with_cases(asked.and_then(|cases| cases.parse().ok()).unwrap_or(cases))
    }
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
    #![proptest_config(random(2_000))]

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
    #![proptest_config(random(300))]

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

/// Random tables are worth nothing where a rule is never what decides.
#[test]
fn random_tables_meet_every_rule() {
    let mut runner = TestRunner::deterministic();
    let mut by: Vec<(&str, u64)> = Vec::new();
    let mut seen = |name: &'static str, count: u64| match by.iter_mut().find(|of| of.0 == name) {
        Some(of) => of.1 += count,
        None => by.push((name, count)),
    };
    for _ in 0..600 {
        let (query, rows) = world().new_tree(&mut runner).unwrap().current();
        let limits = limits().new_tree(&mut runner).unwrap().current();
        let cells = cells(&query, &rows);
        let verdict = match judge_without_history(
            unreleased(&query, &rows, &cells).ok().unwrap(),
            &limits.policy(),
        ) {
            Ok(verdict) => verdict,
            Err(error) => {
                seen(error.code(), 1);
                continue;
            }
        };
        seen("review", u64::from(matches!(verdict, Verdict::Review(_))));
        let record = verdict.record().clone();
        let withheld = record.withheld_by;
        seen("released", record.cells_released);
        seen("units", withheld.units);
        seen("rows", withheld.rows);
        seen("dominance", withheld.dominance);
        seen("p_ratio", withheld.p_ratio);
        seen("homogeneity", withheld.homogeneity);
        seen("fit", withheld.fit);
        seen("quantile", withheld.quantile);
        seen("off_domain", withheld.off_domain);
        seen("complement", withheld.complement);
        seen("class_disclosure", withheld.class_disclosure);
        let table = as_table(&read(&query, release(approved(verdict)).0.batch()));
        let own = query.stats.iter().position(|stat| !stat.is_additive());
        let derived = shown(&table).filter(|(cell, _)| query.sets[cell.set].contains(&false));
        for (_, numbers) in derived {
            seen("derived", 1);
            if let Some(at) = own {
                seen("own number shown", u64::from(numbers[at].is_some()));
                seen("own number withheld", u64::from(numbers[at].is_none()));
            }
        }
        let empty = table
            .values()
            .filter(|numbers| numbers.iter().all(Option::is_none));
        seen("completed", empty.count() as u64);
    }
    println!("{by:?}");
    assert!(by.iter().all(|(_, count)| *count >= 10), "{by:?}");
    assert_eq!(by.len(), 18, "{by:?}");
}
