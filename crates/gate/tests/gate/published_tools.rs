//! One function per tool: reads its case, asks the gate the same, compares cell by cell. GaussSuppression is in
//! `published_gauss`.

use serde_json::Value as Json;

use crate::extract::{
    Asked, Extract, alone, decision, keys_of, named, released, text, texts, under_review,
    with_margins,
};
use crate::plain;
use crate::published::Outcome;
use crate::table::{Cell, Value};

pub(crate) type Case = Result<Outcome, &'static str>;

pub(crate) fn count(value: &Json) -> u64 {
    value.as_u64().unwrap()
}

pub(crate) fn find<'a>(cells: &'a [Cell], keys: &[String]) -> Option<&'a Cell> {
    let keys = named(keys);
    cells.iter().find(|cell| cell.keys == keys)
}

/// Rows and contributors, each rule, and whether the cell is released from the whole table.
pub(crate) fn acro(case: &Json, extract: &Extract) -> Case {
    let summed = case["value_column"].as_str();
    let asked = asked_of_acro(case, summed);
    let (policy, beyond) = (asked.policy(), asked.beyond());
    let group_by = texts(&case["group_by"]);
    let expected = case["cells"].as_array().unwrap();
    let mut rows = extract.rows(&group_by, None, summed);
    if expected
        .iter()
        .any(|cell| keys_of(cell, &group_by).iter().any(|key| key == "All"))
    {
        rows = with_margins(&rows, "All");
    }
    let cells = plain::cells(&rows);
    let kept = released(&cells, &policy);
    let has_negative = |cell: &Json| texts(&cell["rules"]).contains(&"negative");
    let reviewed = expected.iter().any(has_negative);

    let mut outcome = Outcome::default();
    for rule in &beyond {
        outcome
            .left_out
            .push(format!("{rule}: beyond the compiled-in floors"));
    }
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
        let contributors = cell
            .measures
            .first()
            .map_or(cell.units, |sum| sum.unit_sums.len() as u64);
        outcome.compare(
            &name,
            &(cell.rows, contributors),
            &(count(&theirs["n_rows"]), count(&theirs["n_contributors"])),
        );
        if reviewed {
            // The tool leaves such a table to people, and its other rules are not for negative values.
            match under_review(cell) {
                Some(review) => outcome.compare(&name, &review, &has_negative(theirs)),
                None => outcome
                    .left_out
                    .push(format!("{name}: withheld by the floors")),
            }
            continue;
        }
        compare_rules(&mut outcome, cell, &asked, theirs);
        if beyond.is_empty() && !floor_alone_dominates(cell, &asked) {
            let suppressed = theirs["suppress"].as_bool().unwrap();
            outcome.compare(&name, &!kept.contains(&cell.keys), &suppressed);
        }
    }
    Ok(outcome)
}

fn asked_of_acro(case: &Json, summed: Option<&str>) -> Asked {
    let limits = &case["thresholds"];
    let number = |name: &str| limits[name].as_f64();
    let dominance = summed.and_then(|_| Some((limits["nk_n"].as_u64()?, number("nk_k")?)));
    Asked {
        dominance: dominance.into_iter().collect(),
        p_ratio: summed.and_then(|_| number("p_ratio")),
        rows_min: count(&limits["min_count"]),
        zeros_are_disclosive: limits["zeros_are_disclosive"].as_bool().unwrap_or(true),
        ..Asked::count(count(&limits["min_count"]))
    }
}

/// Whether the cell breaks the laxest rule on two units that a policy can have, and perhaps no rule of the case: a tool
/// has no such floor.
fn floor_alone_dominates(cell: &Cell, asked: &Asked) -> bool {
    alone(cell, &asked.without_dominance())
        .withheld_by
        .dominance
        > 0
}

fn compare_rules(outcome: &mut Outcome, cell: &Cell, asked: &Asked, theirs: &Json) {
    let by = alone(cell, &asked.policy()).withheld_by;
    let mut broken: Vec<&str> = Vec::new();
    broken.extend((by.dominance > 0).then_some("nk-rule"));
    broken.extend((by.p_ratio > 0).then_some("p-ratio"));
    broken.extend((by.units + by.rows > 0).then_some("threshold"));
    let mut expected = texts(&theirs["rules"]);
    let mut incomparable = asked.beyond();
    if floor_alone_dominates(cell, asked) && !expected.contains(&"nk-rule") {
        incomparable.push("nk-rule");
    }
    let known = ["nk-rule", "p-ratio", "threshold"];
    broken.retain(|rule| !incomparable.contains(rule));
    expected.retain(|rule| known.contains(rule) && !incomparable.contains(rule));
    expected.sort_unstable();
    let name = keys_of_cell(cell);
    outcome.compare(&name, &broken, &expected);
}

fn keys_of_cell(cell: &Cell) -> String {
    format!("{:?}", cell.keys)
}

/// Suppression on distinct units. There is no threshold on rows in that tool, so the laxest here.
pub(crate) fn diffix(case: &Json, extract: &Extract) -> Case {
    let Some(units_min) = case["thresholds"]["low_count_min_threshold"].as_u64() else {
        return Err("another rule than a threshold on units");
    };
    let asked = Asked::count(units_min);
    let group_by = texts(&case["group_by"]);
    let cells = plain::cells(&extract.rows(&group_by, Some(text(&case["entity_column"])), None));
    let kept = released(&cells, &asked.policy());
    let mut outcome = Outcome::default();
    let expected = case["cells"].as_array().unwrap();
    outcome.compare("number of cells", &cells.len(), &expected.len());
    for theirs in expected {
        let keys = keys_of(theirs, &group_by);
        let (rows, units) = find(&cells, &keys).map_or((0, 0), |cell| (cell.rows, cell.units));
        let counts = (
            count(&theirs["n_rows"]),
            count(&theirs["n_distinct_entities"]),
        );
        outcome.compare(&keys.join(", "), &(rows, units), &counts);
        let suppressed = theirs["suppress"].as_bool().unwrap();
        if asked.beyond().is_empty() {
            outcome.compare(
                &keys.join(", "),
                &!kept.contains(&named(&keys)),
                &suppressed,
            );
        } else if suppressed {
            // Below the floor: the gate withholds these and more.
            outcome.compare(&keys.join(", "), &kept.contains(&named(&keys)), &false);
        }
    }
    Ok(outcome)
}

/// Classes of fewer than k records are the cells that a threshold of k withholds; the classes are l-diverse as long as no
/// cell breaks the homogeneity rule.
pub(crate) fn kanon(case: &Json, extract: &Extract) -> Case {
    let quasi = texts(&case["quasi_identifiers"]);
    let sensitive = case["sensitive"]
        .as_array()
        .map_or(vec![], |_| texts(&case["sensitive"]));
    let cells = plain::cells(&extract.rows_with(&quasi, None, None, &sensitive));
    let smallest = cells.iter().map(|cell| cell.rows).min().unwrap();
    let mut outcome = Outcome::default();
    let expected = &case["expected"];
    outcome.compare("k", &smallest, &count(&expected["k"]));
    outcome.compare(
        "classes",
        &(cells.len() as u64),
        &count(&expected["n_equivalence_classes"]),
    );
    for (k, theirs) in case["groups_below"].as_object().into_iter().flatten() {
        let asked = Asked::count(k.parse().unwrap());
        if !asked.beyond().is_empty() {
            outcome
                .left_out
                .push(format!("classes below {k}: below the compiled-in floor"));
            continue;
        }
        let kept: Vec<Vec<Value>> = released(&without_secrets(&cells), &asked.policy());
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
    if let Some(l) = expected["l_diversity"].as_u64() {
        let alike = |values_min: u64| {
            let asked = Asked {
                values_min,
                ..Asked::count(3)
            };
            decision(&cells, &asked.policy()).withheld_by.homogeneity
        };
        let diverse = (alike(l.clamp(1, 100)), l >= 100 || alike(l + 1) > 0);
        outcome.compare("l-diversity", &diverse, &(0, true));
    }
    for measure in ["entropy_l", "alpha", "t_closeness"] {
        if !expected[measure].is_null() {
            outcome.left_out.push(format!("{measure}: no such rule"));
        }
    }
    Ok(outcome)
}

fn without_secrets(cells: &[Cell]) -> Vec<Cell> {
    let without = |cell: &Cell| Cell {
        sensitive: vec![],
        ..cell.clone()
    };
    cells.iter().map(without).collect()
}
