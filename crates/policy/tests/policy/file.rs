//! One file per case: what it means, what is refused, and how that is said.

use weir_policy::{
    BYTES_MAX_CEILING, BYTES_MAX_FLOOR, CELLS_MAX_CEILING, CELLS_MAX_FLOOR, COUNT_BASES,
    DEFAULT_TOML, Family, POLICY_BYTES_MAX, Policy, PolicyError, RATIO_MIN_CEILING_PARTS,
    RATIO_MIN_FLOOR_PARTS, ROWS_MIN_FLOOR, SHARE_MAX_CEILING_PARTS, SHARE_MAX_FLOOR_PARTS,
    THRESHOLD_CEILING, UNITS_MIN_FLOOR,
};

use crate::text::{contribution_limits, toml};

fn refused(text: &str) -> PolicyError {
    Policy::from_toml(text, "p.toml").unwrap_err()
}

/// The code and the whole message, as they reach a person.
#[track_caller]
fn check(text: &str, code: &str, message: &str) {
    let error = refused(text);
    assert_eq!(error.code(), code);
    assert_eq!(error.to_string(), message);
    assert_eq!(error.family(), Family::Caller);
}

#[test]
fn the_shipped_default_is_the_compiled_in_default() {
    let shipped = Policy::from_toml(DEFAULT_TOML, "policies/default.toml").unwrap();
    assert_eq!(shipped, Policy::built_in_default());
    assert_eq!((shipped.units_min(), shipped.rows_min()), (10, 10));
    assert_eq!(
        (shipped.cells_max(), shipped.bytes_max()),
        (5_000, 16 * 1024 * 1024)
    );
    assert_eq!(shipped.top_share_max(), [None, Some(0.9), None]);
    assert_eq!(
        (shipped.p_ratio_min(), shipped.zeros_are_disclosive()),
        (0.1, true)
    );
    assert_eq!(
        (shipped.complement_units_min(), shipped.class_disclosure()),
        (10, true)
    );
    assert_eq!(
        (
            shipped.sensitive_values_min(),
            shipped.quantile_units_min(),
            shipped.levels_max()
        ),
        (2, 10, 40)
    );
    assert_eq!(
        (shipped.residual_dof_min(), shipped.parameters_share_max()),
        (10, 0.33)
    );
    assert!(shipped.negatives_are_reviewed());
    assert_eq!((shipped.count_base(), shipped.significant_digits()), (5, 4));
}

#[test]
fn the_shipped_default_writes_every_key_that_is_set() {
    for limit in Policy::built_in_default().limits() {
        let (_, name) = limit.key.split_once('.').unwrap();
        let line = match &limit.value {
            Some(value) => format!("\n{name} = {value}\n"),
            None => format!("\n# {name} = "),
        };
        assert!(DEFAULT_TOML.contains(&line), "`{}` is missing", limit.key);
    }
}

#[test]
fn counts_are_rounded_to_bases_that_are_read_at_a_glance() {
    check(
        "name = \"x\"\nrounding.count_base = 7",
        "POLICY_NOT_A_BASE",
        "p.toml:2:23: `rounding.count_base` is `7`, but counts are rounded to one of 1, 2, 5, 10, 20, 50, 100, 200, \
         500, 1000",
    );
    for (base, code) in [
        ("0", "POLICY_BELOW_FLOOR"),
        ("-5", "POLICY_BELOW_FLOOR"),
        ("2000", "POLICY_ABOVE_CEILING"),
        ("5.0", "POLICY_WRONG_TYPE"),
    ] {
        let text = format!("name = \"x\"\nrounding.count_base = {base}");
        assert_eq!(refused(&text).code(), code, "{text}");
    }
    for base in COUNT_BASES {
        let text = format!("name = \"x\"\nrounding.count_base = {base}");
        assert_eq!(
            Policy::from_toml(&text, "p.toml").unwrap().count_base(),
            base
        );
    }
}

#[test]
fn a_rounding_of_17_digits_is_allowed_and_of_18_is_not() {
    check(
        "name = \"x\"\nrounding.significant_digits = 18",
        "POLICY_ABOVE_CEILING",
        "p.toml:2:31: `rounding.significant_digits` is `18`, but the ceiling is 17: 17 digits tell any two numbers \
         apart, so that nothing is rounded. Write 17 or less",
    );
    let none = Policy::from_toml("name = \"x\"\nrounding.significant_digits = 17", "p").unwrap();
    assert_eq!(none.significant_digits(), 17);
    assert_eq!(
        none.tighten(&Policy::built_in_default())
            .significant_digits(),
        4
    );
}

#[test]
fn a_key_left_out_takes_its_default() {
    let policy = Policy::from_toml("name = \"x\"\n[cell]\nunits_min = 25\n", "p.toml").unwrap();
    assert_eq!(
        (policy.units_min(), policy.rows_min(), policy.cells_max()),
        (25, 10, 5_000)
    );
    let one = Policy::from_toml("name = \"x\"\ndominance.top1_share_max = 0.5", "p.toml").unwrap();
    assert_eq!(
        one.top_share_max(),
        [Some(0.5), Some(0.9), None],
        "a rule for one unit does not replace the default rule for two"
    );
    let bare = Policy::from_toml("name = \"default\"", "p.toml").unwrap();
    assert_eq!(bare, Policy::built_in_default());
}

#[test]
fn values_outside_floor_and_ceiling_are_refused_with_the_reason() {
    check(
        "name = \"x\"\n[cell]\nunits_min = 2\n",
        "POLICY_BELOW_FLOOR",
        "p.toml:3:13: `cell.units_min` is `2`, but the floor is 3: a cell of 1–2 units shows one unit's value to the \
         other. Write 3 or more",
    );
    check(
        "name = \"x\"\ntable.cells_max = 5_000_000",
        "POLICY_ABOVE_CEILING",
        "p.toml:2:19: `table.cells_max` is `5000000`, but the ceiling is 50000: a table nearly as fine as the data is \
         the data. Write 50000 or less",
    );
    assert_eq!(
        refused("name = \"x\"\n[cell]\nrows_min = -1").code(),
        "POLICY_BELOW_FLOOR"
    );
    let digits = "9".repeat(60);
    assert_eq!(
        refused(&format!("name = \"x\"\n[cell]\nrows_min = {digits}")).code(),
        "POLICY_ABOVE_CEILING"
    );
    assert_eq!(
        refused(&format!("name = \"x\"\n[cell]\nrows_min = -{digits}")).code(),
        "POLICY_BELOW_FLOOR"
    );
}

#[test]
fn fractions_are_bounded_and_held_exactly() {
    check(
        "name = \"x\"\n[dominance]\ntop2_share_max = 0.951\n",
        "POLICY_ABOVE_CEILING",
        "p.toml:3:18: `dominance.top2_share_max` is `0.951`, but the ceiling is 0.95: above it the second largest unit \
         knows the largest one's value to within about a tenth. Write 0.95 or less",
    );
    check(
        "name = \"x\"\n[p_ratio]\nratio_min = 0\n",
        "POLICY_BELOW_FLOOR",
        "p.toml:3:13: `p_ratio.ratio_min` is `0`, but the floor is 0.05: below it the second largest unit knows the \
         largest one's value to within a twentieth. Write 0.05 or more",
    );
    check(
        "name = \"x\"\n[p_ratio]\nratio_min = 0.123_456\n",
        "POLICY_TOO_PRECISE",
        "p.toml:3:13: `p_ratio.ratio_min` is `0.123456`, but a policy holds 4 decimals. Write `0.1235` or another \
         number with at most 4",
    );
    for (value, code) in [
        ("nan", "POLICY_WRONG_TYPE"),
        ("-nan", "POLICY_WRONG_TYPE"),
        ("inf", "POLICY_ABOVE_CEILING"),
        ("-inf", "POLICY_BELOW_FLOOR"),
        ("-0.0", "POLICY_BELOW_FLOOR"),
        ("1e-300", "POLICY_BELOW_FLOOR"),
        ("1e300", "POLICY_ABOVE_CEILING"),
        ("0.9500001", "POLICY_ABOVE_CEILING"),
        ("true", "POLICY_WRONG_TYPE"),
        ("\"0.9\"", "POLICY_WRONG_TYPE"),
    ] {
        for key in ["top1_share_max", "top2_share_max", "top3_share_max"] {
            let text = format!("name = \"x\"\ndominance.{key} = {value}");
            assert_eq!(refused(&text).code(), code, "{text}");
        }
    }
    let ratio = |text: &str| {
        Policy::from_toml(&format!("name = \"x\"\np_ratio.ratio_min = {text}"), "p")
            .unwrap()
            .p_ratio_min()
    };
    assert_eq!(
        [ratio("1"), ratio("1.0"), ratio("5e-2"), ratio("0.1234")],
        [1.0, 1.0, 0.05, 0.1234]
    );
}

#[test]
fn a_switch_is_true_or_false() {
    check(
        "name = \"x\"\n[p_ratio]\nzeros_are_disclosive = 1\n",
        "POLICY_WRONG_TYPE",
        "p.toml:3:24: `p_ratio.zeros_are_disclosive` is a whole number, but must be `true` or `false`",
    );
    let off = Policy::from_toml(
        "name = \"default\"\np_ratio.zeros_are_disclosive = false",
        "p",
    )
    .unwrap();
    assert!(!off.zeros_are_disclosive());
    assert!(
        off.tighten(&Policy::built_in_default())
            .zeros_are_disclosive()
    );
}

#[test]
fn floors_and_ceilings_themselves_are_accepted() {
    for (cell, cells, bytes) in [
        (
            UNITS_MIN_FLOOR.max(ROWS_MIN_FLOOR),
            CELLS_MAX_FLOOR,
            BYTES_MAX_FLOOR,
        ),
        (THRESHOLD_CEILING, CELLS_MAX_CEILING, BYTES_MAX_CEILING),
    ] {
        let policy = Policy::from_toml(&toml([cell, cell, cells, bytes]), "p.toml").unwrap();
        assert_eq!(
            (policy.units_min(), policy.cells_max(), policy.bytes_max()),
            (cell, cells, bytes)
        );
    }
    for (share, ratio) in [
        (SHARE_MAX_FLOOR_PARTS, RATIO_MIN_CEILING_PARTS),
        (SHARE_MAX_CEILING_PARTS, RATIO_MIN_FLOOR_PARTS),
    ] {
        let policy = Policy::from_toml(
            &format!(
                "name = \"x\"\n{}",
                contribution_limits([Some(share), Some(share), Some(share)], ratio, true)
            ),
            "p.toml",
        )
        .unwrap();
        assert_eq!(policy.top_share_max(), [Some(share as f64 / 1e4); 3]);
        assert_eq!(policy.p_ratio_min(), ratio as f64 / 1e4);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    check(
        "name = \"x\"\n\n[cell]\nrows_min = 10\nunit_min = 10\n",
        "POLICY_UNKNOWN_KEY",
        "p.toml:5:1: `cell.unit_min` is not a policy key; did you mean `cell.units_min`?",
    );
    check(
        "name = \"x\"\nunits_min = 10\n",
        "POLICY_UNKNOWN_KEY",
        "p.toml:2:1: `units_min` is not a policy key; did you mean `cell.units_min` or `quantile.units_min` or `history.units_min`?",
    );
    check(
        "name = \"x\"\nepsilon = 1\n",
        "POLICY_UNKNOWN_KEY",
        "p.toml:2:1: `epsilon` is not a policy key; the keys are `name`, `cell.units_min`, `cell.rows_min`, \
         `cell.complement_units_min`, `cell.class_disclosure`, `cell.sensitive_values_min`, \
         `dominance.top1_share_max`, `dominance.top2_share_max`, `dominance.top3_share_max`, `p_ratio.ratio_min`, \
         `p_ratio.zeros_are_disclosive`, `fit.residual_dof_min`, `fit.parameters_share_max`, `quantile.units_min`, \
         `review.negative_contributions`, `rounding.count_base`, `rounding.significant_digits`, `rounding.leave_one_out`, \
         `rounding.keyed`, `rounding.model_leave_one_out`, `rounding.model_keyed`, `history.units_min`, `table.cells_max`, \
         `table.bytes_max`, `table.levels_max`, `bits.run_max`, `bits.per_unit`, `bits.chosen_per_unit`",
    );
}

#[test]
fn wrong_types_and_broken_toml_are_refused_with_their_place() {
    check(
        "name = \"x\"\n[cell]\nunits_min = \"ten\"\n",
        "POLICY_WRONG_TYPE",
        "p.toml:3:13: `cell.units_min` is a text, but must be a whole number, such as `10`",
    );
    check(
        "name = \"x\"\n[cell]\nunits_min = 10.5\n",
        "POLICY_WRONG_TYPE",
        "p.toml:3:13: `cell.units_min` is a number with a fraction, but must be a whole number, such as `10`",
    );
    check(
        "name = \"x\"\ncell = 3\n",
        "POLICY_WRONG_TYPE",
        "p.toml:2:8: `cell` is a whole number, but must be a table, such as `[cell]` on a line of its own",
    );
    let syntax = refused("name = \"x\"\n[cell]\nunits_min = ten\n");
    assert_eq!(syntax.code(), "POLICY_SYNTAX");
    assert!(
        syntax
            .to_string()
            .starts_with("p.toml:3:13: not valid TOML: "),
        "{syntax}"
    );
    // The column counts characters, not bytes.
    assert_eq!(
        refused("name = \"x\"\ncell = { \"门槛\" = 1, x = 2 }\n")
            .to_string()
            .split(' ')
            .next(),
        Some("p.toml:2:20:"),
    );
    assert_eq!(
        refused("name = \"x\"\n[cell]\nunits_min = 10\nunits_min = 3\n").code(),
        "POLICY_SYNTAX"
    );
}

#[test]
fn a_policy_has_a_usable_name() {
    check(
        "[cell]\nunits_min = 10\n",
        "POLICY_NAME_MISSING",
        "p.toml: the policy has no name; begin the file with a line such as `name = \"health\"`",
    );
    for name in [
        "",
        "Health",
        "a b",
        "-a",
        "a+",
        "健康",
        "a\\nb",
        &"a".repeat(65),
    ] {
        assert_eq!(
            refused(&format!("name = \"{name}\"")).code(),
            "POLICY_NAME_INVALID",
            "{name}"
        );
    }
    assert_eq!(refused("name = 3").code(), "POLICY_WRONG_TYPE");
}

#[test]
fn an_oversized_or_deep_text_is_refused() {
    assert_eq!(
        refused(&"#".repeat(POLICY_BYTES_MAX + 1)).code(),
        "POLICY_TOO_LARGE"
    );
    assert_eq!(
        refused(&format!("name = {}", "[".repeat(60_000))).code(),
        "POLICY_SYNTAX"
    );
    let long_key = format!("{} = 1", "k".repeat(60_000));
    assert!(refused(&long_key).to_string().len() < 1_000);
}

#[test]
fn control_characters_of_a_file_do_not_reach_an_error() {
    let message = refused("\"unit\\u001b[31m\\nforged\" = 1").to_string();
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

#[test]
fn the_digest_is_of_the_meaning_and_is_pinned() {
    let shipped = Policy::from_toml(DEFAULT_TOML, "a").unwrap();
    let reordered = Policy::from_toml("[table]\n[cell]\nrows_min = 0x0A\n", "b").unwrap_err();
    assert_eq!(reordered.code(), "POLICY_NAME_MISSING");
    let terse = Policy::from_toml(
        "name='default'\ntable={cells_max=5000}\ncell={rows_min=0x0A}",
        "b",
    )
    .unwrap();
    assert_eq!(terse.digest(), shipped.digest());
    // Pinned: digests stand in audit logs for decades. Another value here needs another number in the canonical form.
    assert_eq!(
        shipped.digest(),
        "sha256:107c7bf9c360a542251197c2b9607e2fd13e406fa16bb87011066b08a91f6f22"
    );
    assert_eq!(
        shipped.canonical(),
        "# weir policy, canonical form 5\nname = \"default\"\n\n[cell]\nunits_min = 10\nrows_min = 10\n\
         complement_units_min = 10\nclass_disclosure = true\nsensitive_values_min = 2\n\n[dominance]\n\
         top2_share_max = 0.90\n\n[p_ratio]\nratio_min = 0.10\nzeros_are_disclosive = true\n\n[fit]\n\
         residual_dof_min = 10\nparameters_share_max = 0.33\n\n[quantile]\nunits_min = 10\n\n[review]\n\
         negative_contributions = true\n\n[rounding]\ncount_base = 5\nsignificant_digits = 4\n\
         leave_one_out = false\nkeyed = false\nmodel_leave_one_out = true\nmodel_keyed = true\n\n[history]\nunits_min = 10\n\n[table]\n\
         cells_max = 5000\nbytes_max = 16777216\nlevels_max = 40\n\n\
         [bits]\nrun_max = 131072\nper_unit = 16.00\nchosen_per_unit = 0.25\n"
    );
}
