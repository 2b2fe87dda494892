//! Findings: what a valid file says that cannot have been meant, with its place.

use weir_policy::{Checked, Policy, Weight};

fn findings(text: &str) -> Vec<(Weight, String)> {
    let text = format!("name = \"x\"\n{text}");
    let checked = Checked::domain(&text, "p.toml").unwrap();
    let findings = checked.findings().into_iter();
    findings
        .map(|finding| (finding.weight, finding.to_string()))
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = findings(text).into_iter().map(|found| found.1).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn limits_that_cannot_bite_are_pointed_at() {
    check(
        "cell.rows_min = 5",
        &[
            "p.toml:2:17: warning: `cell.rows_min` can never bite: a cell of 10 units (`cell.units_min`) has at least 10 \
             rows. Write 10 or more",
        ],
    );
    check(
        "[dominance]\ntop1_share_max = 0.92\ntop2_share_max = 0.9",
        &[
            "p.toml:3:18: warning: `dominance.top1_share_max` can never bite: where fewer units hold this share, more \
             units hold it too, and `dominance.top2_share_max` withholds from 0.90 on. Write less than 0.90",
        ],
    );
    check(
        "[table]\ncells_max = 1\nlevels_max = 1",
        &[
            "p.toml:3:13: warning: `table.cells_max` leaves grand totals only: a table with a group column has at least 2 \
             cells. Write 2 or more",
            "p.toml:4:14: warning: `table.levels_max` can never bite: a column with more values makes a table of more \
             than 1 cells (`table.cells_max`). Write less than 1",
        ],
    );
    check(
        "[table]\nbytes_max = 4096",
        &[
            "p.toml:3:13: warning: `table.bytes_max` leaves no room for the 5000 cells of `table.cells_max`: one number \
             takes 8 bytes. Write 40000 or more, or lower `table.cells_max`",
        ],
    );
    check(
        "quantile.units_min = 5",
        &[
            "p.toml:2:22: warning: `quantile.units_min` can never bite for a single quantile: every cell has 10 units \
             (`cell.units_min`). Write 10 or more",
        ],
    );
    check(
        "cell.complement_units_min = 4",
        &[
            "p.toml:2:29: warning: `cell.complement_units_min` is below `cell.units_min`, which is 10: what a cell leaves \
             of a margin is a cell too, found by subtraction, and could then have 4 units. Write 10 or more",
        ],
    );
    check(
        "cell.sensitive_values_min = 11",
        &[
            "p.toml:2:29: warning: `cell.sensitive_values_min` is more than `cell.units_min`, which is 10: a cell of 10 \
             units with one row each never has 11 values. Raise `cell.units_min` to 11 or lower this",
        ],
    );
    check(
        "fit.residual_dof_min = 6",
        &[
            "p.toml:2:24: note: `fit.residual_dof_min` can never bite: a model of 10 units or more (`cell.units_min`) with \
             at most 0.33 parameters for each (`fit.parameters_share_max`) has 6 residual degrees of freedom",
        ],
    );
}

#[test]
fn rounding_that_hides_nothing_is_pointed_at() {
    check(
        "cell.units_min = 7\nrounding.count_base = 5",
        &[
            "p.toml:3:23: warning: `rounding.count_base` gives the smallest counts away: beside `cell.units_min`, which is \
             7, a count shown as 5 is 7 and no other. Choose `cell.units_min` so that 5 stands for more",
        ],
    );
    check(
        "cell.units_min = 6\nrounding.count_base = 5",
        &[
            "p.toml:3:23: note: `rounding.count_base` hides the smallest counts little: beside `cell.units_min`, which is \
             6, a count shown as 5 is 6–7",
        ],
    );
    check(
        "rounding.count_base = 50",
        &[
            "p.toml:2:23: warning: `rounding.count_base` is so coarse that a cell of 10 units (`cell.units_min`) shows the \
             count 0. Write a smaller base, or raise `cell.units_min`",
        ],
    );
}

#[test]
fn the_two_rules_on_contributions_are_held_against_each_other() {
    let found = findings("dominance.top2_share_max = 0.95\np_ratio.ratio_min = 0.2");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .1
            .starts_with("p.toml:2:28: note: `dominance.top2_share_max` can never bite beside")
    );
    // Just where the formula stops holding: 2 (1 − 0.95) / 0.95 = 0.10526…
    assert_eq!(
        findings("dominance.top2_share_max = 0.95\np_ratio.ratio_min = 0.1052"),
        []
    );
    let found = findings("dominance.top2_share_max = 0.9\np_ratio.ratio_min = 0.1");
    assert!(
        found[0]
            .1
            .starts_with("p.toml:3:21: note: `p_ratio.ratio_min` withholds no cell"),
        "{found:?}"
    );
    assert_eq!(
        findings("dominance.top2_share_max = 0.9\np_ratio.ratio_min = 0.1112"),
        []
    );
}

/// The claim behind those two notes, on a grid of contributions: whatever the one withholds the other does too.
#[test]
fn a_rule_said_to_add_nothing_adds_nothing() {
    for (share, ratio) in [
        (0.9, 0.1),
        (0.95, 0.2),
        (0.85, 0.15),
        (0.95, 0.1),
        (0.8, 0.5),
    ] {
        let text = format!(
            "name = \"x\"\ndominance.top2_share_max = {share}\np_ratio.ratio_min = {ratio}"
        );
        let found = Checked::domain(&text, "p").unwrap().findings();
        let said = |key: &str| found.iter().any(|finding| finding.key == key);
        let (mut dominance_alone, mut ratio_alone) = (0, 0);
        for second in 0..=100 {
            for rest in 0..=400 {
                let (first, second, rest) = (100.0, f64::from(second), f64::from(rest));
                let dominated = first + second >= share * (first + second + rest);
                let too_close = rest < ratio * first;
                dominance_alone += u32::from(dominated && !too_close);
                ratio_alone += u32::from(too_close && !dominated);
            }
        }
        assert!(
            !said("dominance.top2_share_max") || dominance_alone == 0,
            "{text}"
        );
        assert!(!said("p_ratio.ratio_min") || ratio_alone == 0, "{text}");
    }
}

#[test]
fn a_key_that_the_file_does_not_name_is_not_found_fault_with() {
    assert_eq!(findings("cell.units_min = 20"), []);
    assert_eq!(findings(""), []);
}

#[test]
fn a_layer_is_told_where_the_layers_below_are_stricter() {
    let text = "name = \"x\"\n[cell]\nunits_min = 5\nrows_min = 30\n[table]\nlevels_max = 50";
    let checked = Checked::layer(text, "l.toml").unwrap();
    let found: Vec<String> = checked
        .findings_over(&Policy::built_in_default())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "l.toml:3:13: warning: `cell.units_min` has no effect: the domain asks for 10, and a layer can only tighten. \
             Write a stricter value, or leave the key out",
            "l.toml:6:14: warning: `table.levels_max` has no effect: the domain asks for 40, and a layer can only \
             tighten. Write a stricter value, or leave the key out",
        ]
    );
}
