//! Hostile models: each fails on its own rows, alike, and carries nothing from row to row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use insta::assert_snapshot;
use weir_model::{Family, Limits, ModelError, Runtime, admit};

use crate::support::{compile, component, evaluate, integer_model, integers, texts};

/// What a model does with row 3, between rows that it answers.
fn only_on_three(items: &str, misdeed: &str) -> Vec<Option<i32>> {
    let body =
        format!("(if (i32.eq (local.get $x) (i32.const 3)) (then {misdeed})) (local.get $x)");
    integers(&integer_model(items, &body), &[1, 2, 3, 4, 3])
}

const FAILED_ON_THREE: [Option<i32>; 5] = [Some(1), Some(2), None, Some(4), None];

#[test]
fn failures_stay_with_their_row_and_look_alike() {
    let memory = "(memory 1)";
    let recursion = "(func $deeper (param i32) (result i32)
        (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    assert_eq!(only_on_three("", "unreachable"), FAILED_ON_THREE);
    assert_eq!(
        only_on_three("", "(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three("", "(loop $spin (br $spin))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three(recursion, "(drop (call $deeper (i32.const 0)))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three(memory, "(drop (i32.load (i32.const 65533)))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three(memory, "(i32.store (i32.const -4) (i32.const 1))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three(
            memory,
            "(memory.fill (i32.const 1) (i32.const 0) (i32.const 65536))"
        ),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three("(table 1 funcref)", "(call_indirect (i32.const 0))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three("(table 1 funcref)", "(call_indirect (i32.const 9))"),
        FAILED_ON_THREE
    );
    assert_eq!(
        only_on_three("", "(drop (i32.trunc_f64_s (f64.const nan)))"),
        FAILED_ON_THREE
    );
}

#[test]
fn a_model_that_always_spins_answers_nothing_and_ends() {
    let start = Instant::now();
    let answers = integers(
        &integer_model("", "(loop $spin (br $spin)) (i32.const 1)"),
        &[0; 100],
    );
    assert_eq!(answers, [None; 100]);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "took {:?}",
        start.elapsed()
    );
}

#[test]
fn bulk_work_costs_fuel_too() {
    // 16 MiB filled a thousand times per row is an hour of work for a thousand rows, unless it is metered.
    let fill = "(local $i i32)
        (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 1000))))
        (local.get $i)";
    let start = Instant::now();
    assert_eq!(
        integers(&integer_model("(memory 256)", fill), &[0; 2]),
        [None; 2]
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "took {:?}",
        start.elapsed()
    );
}

#[test]
fn growth_is_refused_past_the_limit_without_an_error() {
    let grow = |pages: i64| format!("(memory.grow (i32.const {pages}))");
    assert_eq!(
        integers(&integer_model("(memory 1)", &grow(255)), &[0, 0]),
        [Some(1), Some(1)]
    );
    assert_eq!(
        integers(&integer_model("(memory 1)", &grow(256)), &[0, 0]),
        [Some(-1), Some(-1)]
    );
    assert_eq!(
        integers(&integer_model("(memory 1 2)", &grow(2)), &[0]),
        [Some(-1)]
    );
    assert_eq!(
        integers(&integer_model("(memory 1)", &grow(65_535)), &[0]),
        [Some(-1)]
    );
    assert_eq!(
        integers(&integer_model("(memory 1)", &grow(-1)), &[0]),
        [Some(-1)]
    );
    // More than 4 GiB after a growth that worked: the engine refuses it by another way.
    let twice = format!("(drop {}) {}", grow(1), grow(65_536));
    assert_eq!(
        integers(&integer_model("(memory 1)", &twice), &[0]),
        [Some(-1)]
    );
    let table = |elements: u32| format!("(table.grow (ref.null func) (i32.const {elements}))");
    assert_eq!(
        integers(&integer_model("(table 1 funcref)", &table(9_999)), &[0, 0]),
        [Some(1), Some(1)]
    );
    assert_eq!(
        integers(&integer_model("(table 1 funcref)", &table(10_000)), &[0]),
        [Some(-1)]
    );
    assert_eq!(
        integers(&integer_model("(table 1 2 funcref)", &table(2)), &[0]),
        [Some(-1)]
    );
}

fn start_refusal(items: &str) -> String {
    let error = compile(&integer_model(items, "local.get $x")).unwrap_err();
    assert_eq!(error.family(), Family::Model);
    format!("{}: {error}", error.code())
}

#[test]
fn a_model_must_start() {
    assert_snapshot!(start_refusal("(func $s (loop $spin (br $spin))) (start $s)"), @"MODEL_START: the model does not start: preparing an instance (data, elements, start function) must end without a trap within 1000000 units of fuel");
    assert_eq!(
        start_refusal("(func $s unreachable) (start $s)"),
        start_refusal("(func $s (call $s)) (start $s)")
    );
    assert_eq!(
        start_refusal("(memory 1) (data (i32.const 65536) \"x\")")
            .split(':')
            .next(),
        Some("MODEL_START")
    );
    assert_eq!(
        start_refusal("(table 1 funcref) (elem (i32.const 1) $f) (func $f)")
            .split(':')
            .next(),
        Some("MODEL_START")
    );
    let started =
        "(global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 5))) (start $s)";
    assert_eq!(
        integers(&integer_model(started, "(global.get $g)"), &[0, 0]),
        [Some(5), Some(5)]
    );
}

/// A model with state must answer every row as if it were the first.
fn always_the_first(items: &str, body: &str, first: i32) {
    assert_eq!(
        integers(&integer_model(items, body), &[7; 5]),
        [Some(first); 5],
        "{body}"
    );
}

#[test]
fn nothing_is_left_from_the_last_row() {
    always_the_first(
        "(global $g (mut i32) (i32.const 0))",
        "(global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)",
        1,
    );
    let count = |at: u32| {
        format!(
            "(i32.store (i32.const {at}) (i32.add (i32.load (i32.const {at})) (i32.const 1)))
             (i32.load (i32.const {at}))"
        )
    };
    always_the_first("(memory 1)", &count(0), 1);
    always_the_first("(memory 1)", &count(65_532), 1);
    // Beyond what is set back by copying: pages the kernel takes back.
    always_the_first("(memory 256)", &count(9_000_000), 1);
    always_the_first("(memory 1) (data (i32.const 8) \"\\28\")", &count(8), 41);
    always_the_first("(memory 1)", "(memory.grow (i32.const 1))", 1);
    always_the_first(
        "(memory 1)",
        "(drop (memory.grow (i32.const 9))) (i32.store (i32.const 600000) (i32.const 1)) (memory.size)",
        10,
    );
    always_the_first(
        "(table 1 funcref)",
        "(table.grow (ref.null func) (i32.const 1))",
        1,
    );
    always_the_first(
        "(table $t 1 funcref) (elem declare func $f) (func $f)",
        "(ref.is_null (table.get $t (i32.const 0))) (table.set $t (i32.const 0) (ref.func $f))",
        1,
    );
    always_the_first(
        "(memory 1) (data $d \"\\05\")",
        "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d) (i32.load (i32.const 0))",
        5,
    );
    always_the_first(
        "(table $t 1 funcref) (elem $e func $f) (func $f)",
        "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e) (table.size $t)",
        1,
    );
}

#[test]
fn a_trap_does_not_save_state() {
    // Counts, and traps on three: the row after a trap must not see the count.
    let items = "(global $g (mut i32) (i32.const 0)) (memory 1)";
    let body = "(global.set $g (i32.add (global.get $g) (i32.const 1)))
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (if (i32.eq (local.get $x) (i32.const 3)) (then unreachable))
        (i32.add (global.get $g) (i32.load (i32.const 0)))";
    assert_eq!(
        integers(&integer_model(items, body), &[1, 3, 1, 3, 1]),
        [Some(2), None, Some(2), None, Some(2)]
    );
}

/// A model with a record result at the address that row `x` gives.
fn record_at(x: i32) -> Option<Vec<Option<String>>> {
    let model = compile(&component(
        "enum side { left, right } record outcome { side: side, text: string }
         export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1)
            (data (i32.const 16) "\00\00\00\00\40\00\00\00\02\00\00\00")
            (data (i32.const 32) "\02\00\00\00\40\00\00\00\02\00\00\00")
            (data (i32.const 48) "\01\00\00\00\00\00\01\00\01\00\00\00")
            (data (i32.const 64) "ok\ff\fe")
            (data (i32.const 80) "\01\00\00\00\42\00\00\00\02\00\00\00")
            (data (i32.const 96) "\01\00\00\00\40\00\00\00\ff\ff\ff\ff")
            (func (export "row") (param i32) (result i32) (local.get 0)))"#,
    ))
    .unwrap();
    let answer = evaluate(&model, &[("x", Arc::new(Int32Array::from(vec![x])))]);
    let cell = |column: &ArrayRef| {
        column
            .is_valid(0)
            .then(|| texts(column).value(0).to_owned())
    };
    let cells: Vec<_> = answer.columns().iter().map(cell).collect();
    cells.iter().any(Option::is_some).then_some(cells)
}

#[test]
fn invalid_results_fail_their_row() {
    assert_eq!(
        record_at(16),
        Some(vec![Some("left".to_owned()), Some("ok".to_owned())])
    );
    assert_eq!(record_at(32), None, "a case the enum has not");
    assert_eq!(record_at(48), None, "a string outside the memory");
    assert_eq!(record_at(80), None, "a string that is not UTF-8");
    assert_eq!(record_at(96), None, "a string of 4 GiB");
    assert_eq!(
        record_at(65_532),
        None,
        "a record across the end of the memory"
    );
    assert_eq!(record_at(-4), None, "a record outside the memory");
    assert_eq!(record_at(17), None, "a record out of alignment");
}

#[test]
fn a_wild_allocator_fails_its_row() {
    for (body, works) in [
        ("(i32.const 64)", true),
        ("(i32.const -1)", false),
        ("unreachable", false),
        ("(loop $l (br $l)) (i32.const 0)", false),
    ] {
        let model = compile(&component(
            "export row: func(x: string) -> u32;",
            &format!(
                r#"(module (memory (export "memory") 1)
                    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {body})
                    (func (export "row") (param i32 i32) (result i32) (local.get 1)))"#
            ),
        ))
        .unwrap();
        let answer = evaluate(
            &model,
            &[("x", Arc::new(arrow::array::StringArray::from(vec!["four"])))],
        );
        assert_eq!(answer.column(0).is_valid(0), works, "{body}");
    }
}

#[test]
fn a_post_return_that_traps_fails_its_row() {
    let model = compile(&component(
        "export row: func(x: s32) -> string;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_post_row") (param i32) (if (i32.eq (local.get 0) (i32.const 8)) (then unreachable)))
            (func (export "row") (param i32) (result i32) (local.get 0)))"#,
    ))
    .unwrap();
    let answer = evaluate(
        &model,
        &[("x", Arc::new(Int32Array::from(vec![16, 8, 16])))],
    );
    let values: Vec<_> = answer.column(0).as_string::<i32>().iter().collect();
    assert_eq!(values, [Some(""), None, Some("")]);
}

#[test]
fn a_machine_without_room_is_an_error_and_no_answer() {
    let limits = Limits {
        instances_max: 0,
        ..Limits::default()
    };
    let admitted = admit(&integer_model("(memory 1)", "local.get $x"), &limits).unwrap();
    let error = Runtime::new(&limits)
        .and_then(|runtime| runtime.compile(&admitted))
        .unwrap_err();
    assert!(matches!(error, ModelError::Environment { .. }), "{error:?}");
    assert_eq!(error.family(), Family::Environment);
}

#[test]
fn admitted_mutants_compile_or_are_refused() {
    let seed = crate::examples::PACE;
    let mutants = (0..seed.len() * 8).filter_map(|position| {
        let mut bytes = seed.to_vec();
        bytes[position / 8] ^= 1 << (position % 8);
        admit(&bytes, &Limits::default())
            .ok()
            .filter(|_| position % 16 == 0)
    });
    for mutant in mutants.take(40) {
        if let Err(error) = crate::support::runtime().compile(&mutant) {
            assert_eq!(error.family(), Family::Model, "{error}");
        }
    }
}
