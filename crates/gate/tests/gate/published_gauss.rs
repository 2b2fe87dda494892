//! GaussSuppression: primary suppression exactly. Its secondary pattern is one of many and is not compared; what it is
//! for holds here by other means: a total is the sum of released parts, so it tells of no cell that is not there.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use serde_json::Value as Json;
use weir_gate::{
    EvidenceColumns, Key, Levels, Shape, Statistic, Unreleased, judge_without_history,
};
use weir_policy::Policy;

use crate::extract::{
    Asked, Extract, alone, keys_of, name, named, number, numbers, released, text, texts,
    with_margins,
};
use crate::plain::{self, Row};
use crate::published::Outcome;
use crate::published_tools::{Case, count, find};
use crate::table::{Cell, Value, approved, release, rows, strangers};

const MARGIN: &str = "Total";

pub(crate) fn gauss(case: &Json, extract: &Extract) -> Case {
    let call = text(&case["call"]);
    if let Some(largest) = number(call, "maxN") {
        return if call.starts_with("SuppressSmallCounts(") {
            small_counts(case, extract, largest as u64 + 1)
        } else if name(call, "contributorVar").is_some() {
            few_contributors(case, extract, largest as u64 + 1)
        } else {
            Err("a threshold on something else than rows or contributors")
        };
    }
    if name(call, "sWeightVar").is_some() {
        return Err("a rule on weighted contributions");
    }
    if let Some(percent) = number(call, "pPercent") {
        let asked = Asked {
            p_ratio: Some(percent / 100.0),
            ..Asked::count(3)
        };
        return magnitude(case, extract, &asked, "p-ratio");
    }
    match (numbers(call, "n"), numbers(call, "k")) {
        (Some(n), Some(k)) if n.len() == k.len() => {
            let rules = n.iter().zip(&k).map(|(n, k)| (*n as u64, k / 100.0));
            let asked = Asked {
                dominance: rules.collect(),
                ..Asked::count(3)
            };
            magnitude(case, extract, &asked, "nk-rule")
        }
        _ => Err("another rule than small counts, few contributors, dominance and the p % rule"),
    }
}

/// The units of a case: those of the column it names, or the rows.
fn unit(case: &Json) -> Option<String> {
    name(text(&case["call"]), "contributorVar")
}

/// A cell that no row is in is primary there, unless it is told otherwise, and absent here: both withhold it.
fn small_counts(case: &Json, extract: &Extract, count_min: u64) -> Case {
    let asked = Asked::count(count_min);
    if !asked.beyond().is_empty() {
        return Err("a threshold below the compiled-in floor");
    }
    let zeros_are_shown = text(&case["call"]).contains("protectZeros=FALSE")
        || text(&case["call"]).contains("protectZeros = FALSE");
    let group_by = texts(&case["group_by"]);
    let plain_rows = extract.rows(&group_by, None, None);
    let cells = plain::cells(&with_margins(&plain_rows, MARGIN));
    let kept = released(&cells, &asked.policy());
    let mut outcome = Outcome::default();
    for theirs in case["cells"].as_array().unwrap() {
        let keys = keys_of(theirs, &group_by);
        let rows = find(&cells, &keys).map_or(0, |cell| cell.rows);
        outcome.compare(&keys.join(", "), &rows, &count(&theirs["freq"]));
        if rows == 0 && zeros_are_shown {
            outcome
                .left_out
                .push(format!("{}: no row in it", keys.join(", ")));
            continue;
        }
        let primary = theirs["primary"].as_bool().unwrap();
        outcome.compare(&keys.join(", "), &!kept.contains(&named(&keys)), &primary);
    }
    outcome.compare(
        "totals are sums of released cells",
        &totals_tell_of_nobody_else(&plain_rows, &asked.policy()),
        &true,
    );
    Ok(outcome)
}

fn few_contributors(case: &Json, extract: &Extract, count_min: u64) -> Case {
    let asked = Asked::count(count_min);
    if !asked.beyond().is_empty() {
        return Err("a threshold below the compiled-in floor");
    }
    let group_by = texts(&case["group_by"]);
    let rows = extract.rows(&group_by, unit(case).as_deref(), None);
    let cells = plain::cells(&with_margins(&rows, MARGIN));
    each_cell(case, &cells, |cell, theirs| {
        let few = alone(cell, &asked.policy()).withheld_by.units > 0;
        ((few, true), theirs["primary"].as_bool().unwrap())
    })
}

fn magnitude(case: &Json, extract: &Extract, asked: &Asked, rule: &str) -> Case {
    if !asked.beyond().is_empty() {
        return Err("a limit beyond the compiled-in floors");
    }
    let group_by = texts(&case["group_by"]);
    let named = || name(text(&case["call"]), "dominanceVar");
    let summed = case["value_column"].as_str().map(str::to_owned);
    let summed = summed.or_else(named).ok_or("no column is summed")?;
    let rows = extract.rows(&group_by, unit(case).as_deref(), Some(&summed));
    let cells = plain::cells(&with_margins(&rows, MARGIN));
    each_cell(case, &cells, |cell, theirs| {
        let (with, without) = (
            alone(cell, &asked.policy()).withheld_by,
            alone(cell, &asked.without_dominance()).withheld_by,
        );
        let primary = theirs["primary"].as_bool().unwrap();
        let sum: f64 = cell.measures[0].unit_sums.iter().sum();
        let same_sum = theirs[summed.as_str()]
            .as_f64()
            .is_none_or(|of_theirs| (sum - of_theirs).abs() < 0.01 + 1e-9 * sum.abs());
        let broken = match rule {
            "p-ratio" => with.p_ratio > 0,
            // The laxest rule on two units is always asked too; where it alone may decide, nothing is said.
            _ if without.dominance > 0 => primary,
            _ => with.dominance > 0,
        };
        ((broken, same_sum), primary)
    })
}

/// Primary or not as the gate has it, whether the sums agree, and primary or not as the tool has it.
fn each_cell(
    case: &Json,
    cells: &[Cell],
    judged: impl Fn(&Cell, &Json) -> ((bool, bool), bool),
) -> Case {
    let group_by = texts(&case["group_by"]);
    let mut outcome = Outcome::default();
    for theirs in case["cells"].as_array().unwrap() {
        let keys = keys_of(theirs, &group_by);
        let Some(cell) = find(cells, &keys) else {
            // Nothing can be learned of a cell without rows, and none reaches the gate.
            let left_out = format!("{}: no row in it", keys.join(", "));
            outcome.left_out.push(left_out);
            continue;
        };
        let (ours, primary) = judged(cell, theirs);
        outcome.compare(&keys.join(", "), &ours, &(primary, true));
    }
    Ok(outcome)
}

/// Counts with every margin, through the gate in one table: whether each total is the sum of the cells that are there.
fn totals_tell_of_nobody_else(of: &[Row], policy: &Policy) -> bool {
    let keys = of.first().map_or(0, |row| row.keys.len());
    // The finest set first, then those that drop a key.
    let sets: Vec<Vec<bool>> = (0..1_u32 << keys)
        .map(|dropped| (0..keys).map(|key| dropped >> key & 1 == 0).collect())
        .collect();
    let mut cells: Vec<(usize, Vec<Option<String>>, u64)> = Vec::new();
    for (set, in_set) in sets.iter().enumerate() {
        let mut projected = of.to_vec();
        for row in &mut projected {
            row.keys = row
                .keys
                .iter()
                .zip(in_set)
                .filter(|of| *of.1)
                .map(|of| of.0.clone())
                .collect();
        }
        for cell in plain::cells(&projected) {
            let mut own = cell.keys.iter();
            let key = |in_set: &bool| match in_set.then(|| own.next().unwrap()) {
                Some(Value::Text(key)) => Some(key.clone()),
                _ => None,
            };
            cells.push((set, in_set.iter().map(key).collect(), cell.rows));
        }
    }
    let released = through_the_gate(keys, sets.clone(), &cells, policy);
    let finest: Vec<&Vec<Value>> = released
        .iter()
        .filter(|row| row[keys] == Value::Int(0))
        .collect();
    released.iter().all(|total| {
        let is_part = |part: &&&Vec<Value>| {
            (0..keys).all(|key| matches!(total[key], Value::Null) || total[key] == part[key])
        };
        let count = |row: &&&Vec<Value>| match row[keys + 1] {
            Value::Int(count) => count,
            _ => i64::MIN,
        };
        let sum: i64 = finest.iter().filter(is_part).map(|part| count(&part)).sum();
        sum == count(&&total)
    }) && !finest.is_empty()
}

/// Keys, set and count of the released rows.
fn through_the_gate(
    keys: usize,
    sets: Vec<Vec<bool>>,
    cells: &[(usize, Vec<Option<String>>, u64)],
    policy: &Policy,
) -> Vec<Vec<Value>> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for key in 0..keys {
        columns.push(Arc::new(
            cells
                .iter()
                .map(|cell| cell.1[key].as_deref())
                .collect::<StringArray>(),
        ));
        fields.push(format!("k{key}"));
    }
    columns.push(Arc::new(
        cells
            .iter()
            .map(|cell| Some(cell.0 as u32))
            .collect::<UInt32Array>(),
    ));
    columns.push(Arc::new(
        cells
            .iter()
            .map(|cell| Some(cell.2 as i64))
            .collect::<Int64Array>(),
    ));
    fields.extend(["set".to_owned(), "count".to_owned()]);
    let fields: Vec<Field> = fields
        .iter()
        .zip(&columns)
        .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let counts: UInt64Array = cells.iter().map(|cell| Some(cell.2)).collect();
    let first = strangers(cells.iter().map(|cell| cell.2));
    let key = Key {
        levels: Levels::Bounded,
        fixed: false,
        public: true,
    };
    let shape = Shape {
        sets,
        ..Shape::plain(vec![key; keys], vec![Statistic::Rows { evidence: None }])
    };
    let evidence = EvidenceColumns::of_counts(counts.clone(), counts, first);
    let table = Unreleased::new(batch, shape, vec![evidence]).ok().unwrap();
    rows(
        release(approved(judge_without_history(table, policy).ok().unwrap()))
            .0
            .batch(),
    )
}
