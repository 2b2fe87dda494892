//! Guests that want more than they are given. They attack the bounds, and row independence by way of them: what one
//! row uses up must not be missing to another.

use std::time::{Duration, Instant};

use weir_model::{Limits, ModelError, admit};

use super::answers;
use crate::support::{integer_model, integers, refusal};

fn count_to(steps: &str) -> String {
    format!(
        "(local $i i32)
        (loop $next
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) {steps})))
        (local.get $i)"
    )
}

/// Each row takes most of a row's fuel: a batch on the fuel of one row runs dry at every row, and none may fail.
#[test]
fn every_row_takes_nearly_all() {
    let rows = [0; 40];
    let found = integers(&integer_model("", &count_to("(i32.const 100000)")), &rows);
    assert_eq!(found, [Some(100_000); 40]);
}

/// Rows of every cost up to the limit and beyond: who fails does not depend on who stands before.
#[test]
fn the_last_row_pays_for_the_others() {
    let model = integer_model("", &count_to("(local.get $x)"));
    let mut rows: Vec<i32> = (0..200).map(|row| (row * 7_919) % 300_000).collect();
    // Close to the limit woven and fresh instances may differ, so none is.
    rows.retain(|steps| !(100_000..250_000).contains(steps));
    let found = integers(&model, &rows);
    for (steps, answer) in rows.iter().zip(found) {
        assert_eq!(answer.is_some(), *steps < 200_000, "{steps}");
    }
}

#[test]
fn one_row_spins() {
    let body = "(if (i32.eq (local.get $x) (i32.const 2)) (then (loop $l (br $l)))) (local.get $x)";
    assert_eq!(
        answers("", body),
        [Some(1), None, Some(3), Some(1), None, Some(3)]
    );
}

#[test]
fn one_row_traps() {
    let body = "(i32.div_s (i32.const 6) (i32.sub (local.get $x) (i32.const 2)))";
    assert_eq!(
        answers("", body),
        [Some(-6), None, Some(6), Some(-6), None, Some(6)]
    );
}

#[test]
fn every_row_traps() {
    let start = Instant::now();
    let found = integers(
        &integer_model(
            "(memory 1)",
            "(i32.store (i32.const 0) (i32.const 1)) unreachable",
        ),
        &[1; 500],
    );
    assert_eq!(found, [None; 500]);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn one_row_recurses_forever() {
    let items =
        "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    let body = "(if (i32.eq (local.get $x) (i32.const 2)) (then (drop (call $deep (i32.const 0))))) (local.get $x)";
    assert_eq!(
        answers(items, body),
        [Some(1), None, Some(3), Some(1), None, Some(3)]
    );
}

/// How deep a row may recurse is the same wherever it stands in a batch.
#[test]
fn depth_is_the_same_for_all() {
    let items = "(func $deep (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))";
    let model = integer_model(items, "(call $deep (local.get $x))");
    let rows: Vec<i32> = (0..64).map(|row| 500 * (row % 16)).collect();
    let found = integers(&model, &rows);
    for (row, answer) in found.iter().enumerate() {
        assert_eq!(*answer, found[row % 16], "row {row}");
    }
    assert_eq!(found[1], Some(500));
}

/// Thirty functions without a loop that take a billion calls: no loop does not mean no cost.
#[test]
fn a_bomb_without_a_loop() {
    let items: String = (0..30)
        .map(|level| format!("(func $f{level} call $f{0} call $f{0})", level + 1))
        .collect();
    let start = Instant::now();
    let found = integers(
        &integer_model(&format!("{items} (func $f30)"), "(call $f0) (local.get $x)"),
        &[1, 2],
    );
    assert_eq!(found, [None, None]);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn marking_lines_costs_fuel() {
    // 16 MiB of lines marked a hundred times a row would take minutes for a thousand rows.
    let body = "(memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216)) (local.get $x)";
    let start = Instant::now();
    assert_eq!(
        integers(&integer_model("(memory 256)", body), &[1; 8]),
        [None; 8]
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn ten_thousand_functions() {
    let functions = |count: usize| "(func)".repeat(count);
    let most = integer_model(&functions(9_999), "local.get $x");
    assert!(admit(&most, &Limits::default()).is_ok());
    let many = integer_model(&functions(999), "local.get $x");
    assert_eq!(integers(&many, &[5]), [Some(5)]);
    assert!(refusal(&integer_model(&functions(10_000), "local.get $x")).starts_with("MODEL_LIMIT"));
}

#[test]
fn a_branch_table_of_a_megabyte() {
    let table = |targets: usize| {
        let targets = "0 ".repeat(targets);
        integer_model(
            "",
            &format!("(block (br_table {targets} (local.get $x))) (local.get $x)"),
        )
    };
    assert_eq!(integers(&table(10_000), &[5]), [Some(5)]);
    assert!(refusal(&table(1 << 20)).starts_with("MODEL_LIMIT"));
}

/// Blocks nested deep are refused or run, and neither the validator, the compiler nor this code recurses over them.
#[test]
fn thousands_of_blocks_deep() {
    let module = nested(4_000);
    match admit(&module, &Limits::default()) {
        Ok(_) => assert_eq!(integers(&module, &[5]), [Some(5)]),
        Err(error) => assert!(matches!(error, ModelError::Invalid { .. }), "{error}"),
    }
}

/// Flat text would itself be nested; so the body is written instruction after instruction.
fn nested(depth: usize) -> Vec<u8> {
    let body = format!(
        "{} {} local.get $x",
        "block ".repeat(depth),
        "end ".repeat(depth)
    );
    integer_model("(memory 1)", &body)
}

/// Each function declares what it may in a few bytes, and is called.
#[test]
fn two_hundred_thousand_locals() {
    let functions: String = (0..20)
        .map(|_| {
            format!(
                "(func (result i32) (local {}) (local.get 9000))",
                "i64 ".repeat(9_000) + &"i32 ".repeat(1_000)
            )
        })
        .collect();
    let calls: String = (0..20).map(|n| format!("(call {n}) i32.add ")).collect();
    let start = Instant::now();
    let found = integers(
        &integer_model(&functions, &format!("local.get $x {calls}")),
        &[5, 6],
    );
    assert_eq!(found, [Some(5), Some(6)]);
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_function_of_nothing_but_stores() {
    let stores = "(i32.store (local.get $x) (local.get $x))".repeat(3_000);
    let start = Instant::now();
    let body = format!("{stores} (i32.load (i32.const 2))");
    assert_eq!(
        integers(&integer_model("(memory 1)", &body), &[2, 3]),
        [Some(2), Some(0x300)]
    );
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}
