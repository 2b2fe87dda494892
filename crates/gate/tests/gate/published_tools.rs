//! One function per tool: reads its case, asks the gate the same, compares cell by cell.

use serde_json::Value as Json;

use crate::extract::{
    Asked, Extract, alone, keys_of, named, number, released, text, texts, with_margins,
};
use crate::plain;
use crate::published::Outcome;
use crate::table::{Cell, Value};

type Case = Result<Outcome, &'static str>;

fn count(value: &Json) -> u64 {
    value.as_u64().unwrap()
}

fn find<'a>(cells: &'a [Cell], keys: &[String]) -> Option<&'a Cell> {
    let keys = named(keys);
    cells.iter().find(|cell| cell.keys == keys)
}

/// Rows and contributors, each rule, and whether the cell is released from the whole table.
pub(crate) fn acro(case: &Json, extract: &Extract) -> Case {
    let limits = &case["thresholds"];
    let summed = case["value_column"].as_str();
    let asked = Asked {
        dominance: summed.map(|_| (count(&limits["nk_n"]), limits["nk_k"].as_f64().unwrap())),
        p_ratio: summed.map(|_| limits["p_ratio"].as_f64().unwrap()),
        rows_min: count(&limits["min_count"]),
        zeros_are_disclosive: limits["zeros_are_disclosive"].as_bool().unwrap(),
        ..Asked::count(count(&limits["min_count"]))
    };
    let policy = asked.policy()?;
    let group_by = texts(&case["group_by"]);
    let cells = plain::cells(&extract.rows(&group_by, None, summed));
    let kept = released(&cells, &policy);

    let mut outcome = Outcome::default();
    let expected = case["cells"].as_array().unwrap();
    outcome.compare("number of cells", &cells.len(), &expected.len());
    for theirs in expected {
        let keys = keys_of(theirs, &group_by);
        let name = keys.join(", ");
        if theirs["versions_agree"].as_bool() == Some(false) {
            outcome
                .left_out
                .push(format!("{name}: the tool's versions disagree"));
            continue;
        }
        let Some(cell) = find(&cells, &keys) else {
            outcome.differ.push(format!("{name}: no such cell"));
            continue;
        };
        let by = alone(cell, &policy).withheld_by;
        let mut broken: Vec<&str> = Vec::new();
        broken.extend((by.dominance > 0).then_some("nk-rule"));
        broken.extend((by.p_ratio > 0).then_some("p-ratio"));
        broken.extend((by.units + by.rows > 0).then_some("threshold"));
        let contributors = cell
            .measures
            .first()
            .map_or(cell.units, |sum| sum.unit_sums.len() as u64);
        outcome.compare(
            &name,
            &(cell.rows, contributors, broken, !kept.contains(&cell.keys)),
            &(
                count(&theirs["n_rows"]),
                count(&theirs["n_contributors"]),
                texts(&theirs["rules"]),
                theirs["suppress"].as_bool().unwrap(),
            ),
        );
    }
    Ok(outcome)
}

/// Primary suppression. The secondary pattern is one of many and is not compared.
pub(crate) fn gauss(case: &Json, extract: &Extract) -> Case {
    let call = text(&case["call"]);
    if let (Some(largest), true) = (
        number(call, "maxN"),
        call.starts_with("SuppressSmallCounts("),
    ) {
        return gauss_counts(case, extract, largest as u64 + 1);
    }
    match number(call, "pPercent") {
        Some(percent) if !call.contains("contributorVar") => {
            gauss_p_percent(case, extract, percent)
        }
        _ => Err("another rule than small counts and the p % rule"),
    }
}

/// A cell that no row is in is primary there and absent here: both withhold it.
fn gauss_counts(case: &Json, extract: &Extract, count_min: u64) -> Case {
    let policy = Asked::count(count_min).policy()?;
    let group_by = texts(&case["group_by"]);
    let cells = plain::cells(&with_margins(&extract.rows(&group_by, None, None)));
    let kept = released(&cells, &policy);
    let mut outcome = Outcome::default();
    for theirs in case["cells"].as_array().unwrap() {
        let keys = keys_of(theirs, &group_by);
        outcome.compare(
            &keys.join(", "),
            &(
                find(&cells, &keys).map_or(0, |cell| cell.rows),
                !kept.contains(&named(&keys)),
            ),
            &(count(&theirs["freq"]), theirs["primary"].as_bool().unwrap()),
        );
    }
    Ok(outcome)
}

fn gauss_p_percent(case: &Json, extract: &Extract, percent: f64) -> Case {
    let asked = Asked {
        p_ratio: Some(percent / 100.0),
        ..Asked::count(3)
    };
    let policy = asked.policy()?;
    let group_by = texts(&case["group_by"]);
    let summed = text(&case["value_column"]);
    let cells = plain::cells(&with_margins(&extract.rows(&group_by, None, Some(summed))));
    let mut outcome = Outcome::default();
    for theirs in case["cells"].as_array().unwrap() {
        let keys = keys_of(theirs, &group_by);
        let name = keys.join(", ");
        let Some(cell) = find(&cells, &keys) else {
            // Nothing can be learned of a cell without rows, and none reaches the gate.
            outcome.left_out.push(format!("{name}: no row in it"));
            continue;
        };
        let sum: f64 = cell.measures[0].unit_sums.iter().sum();
        let theirs_sum = theirs[summed].as_f64().unwrap();
        outcome.compare(
            &name,
            &(true, alone(cell, &policy).withheld_by.p_ratio > 0),
            &(
                (sum - theirs_sum).abs() < 0.01,
                theirs["primary"].as_bool().unwrap(),
            ),
        );
    }
    Ok(outcome)
}

/// Suppression on distinct units. There is no threshold on rows in that tool, so the laxest here.
pub(crate) fn diffix(case: &Json, extract: &Extract) -> Case {
    let Some(units_min) = case["thresholds"]["low_count_min_threshold"].as_u64() else {
        return Err("another rule than a threshold on units");
    };
    let policy = Asked::count(units_min).policy()?;
    let group_by = texts(&case["group_by"]);
    let cells = plain::cells(&extract.rows(&group_by, Some(text(&case["entity_column"])), None));
    let kept = released(&cells, &policy);
    let mut outcome = Outcome::default();
    let expected = case["cells"].as_array().unwrap();
    outcome.compare("number of cells", &cells.len(), &expected.len());
    for theirs in expected {
        let keys = keys_of(theirs, &group_by);
        let (rows, units) = find(&cells, &keys).map_or((0, 0), |cell| (cell.rows, cell.units));
        outcome.compare(
            &keys.join(", "),
            &(rows, units, !kept.contains(&named(&keys))),
            &(
                count(&theirs["n_rows"]),
                count(&theirs["n_distinct_entities"]),
                theirs["suppress"].as_bool().unwrap(),
            ),
        );
    }
    Ok(outcome)
}

/// Classes of fewer than k records are the cells that a threshold of k withholds.
pub(crate) fn kanon(case: &Json, extract: &Extract) -> Case {
    let cells = plain::cells(&extract.rows(&texts(&case["quasi_identifiers"]), None, None));
    let smallest = cells.iter().map(|cell| cell.rows).min().unwrap();
    let mut outcome = Outcome::default();
    let expected = &case["expected"];
    outcome.compare("k", &smallest, &count(&expected["k"]));
    outcome.compare(
        "classes",
        &(cells.len() as u64),
        &count(&expected["n_equivalence_classes"]),
    );
    for (k, theirs) in case["groups_below"].as_object().unwrap() {
        let Ok(policy) = Asked::count(k.parse().unwrap()).policy() else {
            outcome
                .left_out
                .push(format!("classes below {k}: below the compiled-in floor"));
            continue;
        };
        let kept: Vec<Vec<Value>> = released(&cells, &policy);
        // Both are in the order of their keys.
        let mut kept = kept.iter().peekable();
        let withheld: Vec<&Cell> = cells
            .iter()
            .filter(|cell| kept.next_if(|keys| **keys == cell.keys).is_none())
            .collect();
        outcome.compare(
            &format!("classes below {k}, their records"),
            &(
                withheld.len() as u64,
                withheld.iter().map(|cell| cell.rows).sum::<u64>(),
            ),
            &(count(&theirs["classes"]), count(&theirs["records"])),
        );
    }
    outcome
        .left_out
        .push("l-diversity and t-closeness: not among the rules yet".to_owned());
    Ok(outcome)
}
