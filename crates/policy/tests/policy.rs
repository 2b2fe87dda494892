//! Policies as their authors meet them: what a file means, what is refused and how it is said, and the laws of merging.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use weir_policy::{
    BYTES_MAX_CEILING, BYTES_MAX_FLOOR, CELLS_MAX_CEILING, CELLS_MAX_FLOOR, DEFAULT_TOML, Family,
    POLICY_BYTES_MAX, Policy, PolicyError, ROWS_MIN_FLOOR, THRESHOLD_CEILING, UNITS_MIN_FLOOR,
};

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
    for key in ["units_min", "rows_min", "cells_max", "bytes_max"] {
        assert!(
            DEFAULT_TOML.contains(&format!("\n{key} = ")),
            "`{key}` is not written out in the shipped policy"
        );
    }
}

#[test]
fn a_key_left_out_takes_its_default() {
    let policy = Policy::from_toml("name = \"x\"\n[cell]\nunits_min = 25\n", "p.toml").unwrap();
    assert_eq!(
        (policy.units_min(), policy.rows_min(), policy.cells_max()),
        (25, 10, 5_000)
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
        "p.toml:2:1: `units_min` is not a policy key; did you mean `cell.units_min`?",
    );
    check(
        "name = \"x\"\nepsilon = 1\n",
        "POLICY_UNKNOWN_KEY",
        "p.toml:2:1: `epsilon` is not a policy key; the keys are `name`, `cell.units_min`, `cell.rows_min`, \
         `table.cells_max`, `table.bytes_max`",
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
    assert!(refused(&long_key).to_string().len() < 400);
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
        "sha256:935ffe78ec3dbdea4e58772a31e43878f8527ca8659132a3b0f7d33178ed2d1d"
    );
    assert_eq!(
        shipped.canonical(),
        "# weir policy, canonical form 1\nname = \"default\"\n\n[cell]\nunits_min = 10\nrows_min = 10\n\n[table]\n\
         cells_max = 5000\nbytes_max = 16777216\n"
    );
}

fn toml([units, rows, cells, bytes]: [u64; 4]) -> String {
    named("x", [units, rows, cells, bytes])
}

fn named(name: &str, [units, rows, cells, bytes]: [u64; 4]) -> String {
    format!(
        "name = \"{name}\"\n[cell]\nunits_min = {units}\nrows_min = {rows}\n[table]\ncells_max = {cells}\nbytes_max = {bytes}\n"
    )
}

prop_compose! {
    fn policy()(
        name in "[a-c][a-z0-9-]{0,3}",
        units in UNITS_MIN_FLOOR..40,
        rows in ROWS_MIN_FLOOR..40,
        cells in CELLS_MAX_FLOOR..40,
        bytes in BYTES_MAX_FLOOR..BYTES_MAX_FLOOR + 40,
    ) -> Policy {
        Policy::from_toml(&named(&name, [units, rows, cells, bytes]), "random").unwrap()
    }
}

proptest! {
    #[test]
    fn tightening_is_commutative_associative_and_idempotent(a in policy(), b in policy(), c in policy()) {
        prop_assert_eq!(a.tighten(&b), b.tighten(&a));
        prop_assert_eq!(a.tighten(&b).tighten(&c), a.tighten(&b.tighten(&c)));
        prop_assert_eq!(a.tighten(&a), a.clone());
        prop_assert_eq!(a.tighten(&b).digest(), b.tighten(&a).digest());
    }

    #[test]
    fn tightening_is_monotone_and_never_laxer_than_either_side(a in policy(), b in policy(), c in policy()) {
        let both = a.tighten(&b);
        prop_assert!(both.is_no_laxer_than(&a) && both.is_no_laxer_than(&b));
        prop_assert!(both.units_min() >= a.units_min() && both.rows_min() >= a.rows_min());
        prop_assert!(both.cells_max() <= a.cells_max() && both.bytes_max() <= a.bytes_max());
        // A stricter layer never makes the fold laxer.
        prop_assert!(both.tighten(&c).is_no_laxer_than(&a.tighten(&c)));
        // And it is the laxest policy that satisfies both: nothing is tightened beyond what a layer asked for.
        prop_assert!([a.units_min(), b.units_min()].contains(&both.units_min()));
        prop_assert!([a.cells_max(), b.cells_max()].contains(&both.cells_max()));
    }

    #[test]
    fn laxness_is_seen_in_every_key(a in policy(), b in policy()) {
        let no_laxer = a.units_min() >= b.units_min()
            && a.rows_min() >= b.rows_min()
            && a.cells_max() <= b.cells_max()
            && a.bytes_max() <= b.bytes_max();
        prop_assert_eq!(a.is_no_laxer_than(&b), no_laxer);
    }

    #[test]
    fn the_canonical_form_reads_back_as_the_same_policy(a in policy(), b in policy()) {
        let both = a.tighten(&b);
        let read = Policy::from_toml(&both.canonical(), "canonical").unwrap();
        prop_assert_eq!(read.digest(), both.digest());
        prop_assert_eq!(read, both);
    }

    #[test]
    fn different_limits_have_different_digests(a in policy(), b in policy()) {
        prop_assert_eq!(a == b, a.digest() == b.digest());
    }

    #[test]
    fn no_text_panics_and_whatever_is_accepted_respects_the_floors(
        text in prop_oneof![
            any::<String>(),
            "(name = \"x\"\n)?(\\[?(cell|table|name)\\]?\n?\\.?(units_min|cells_max|x) ?= ?(-?[0-9]{1,20}|\".*\"|\\[)\n?){0,3}",
        ]
    ) {
        if let Ok(policy) = Policy::from_toml(&text, "random") {
            prop_assert!(policy.units_min() >= UNITS_MIN_FLOOR && policy.rows_min() >= ROWS_MIN_FLOOR);
            prop_assert!(policy.cells_max() <= CELLS_MAX_CEILING && policy.bytes_max() <= BYTES_MAX_CEILING);
        }
    }
}
