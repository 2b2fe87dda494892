//! Guests that keep what changes state out of sight of the analysis. All attack row independence.
//!
//! A function that no row comes to is taken out, and does not count; so these come to theirs by every way there is.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use weir_model::{Isolation, Tier};

use super::finds;
use crate::support::{compile, component, evaluate, integer_model};

/// Answers what it finds and puts `x` there.
const STASH: &str = "(func $stash (param $x i32) (result i32)
    (i32.load (i32.const 512)) (i32.store (i32.const 512) (local.get $x)))";

fn finds_nothing_by(items: &str, call: &str) {
    finds(&format!("(memory 1) {STASH} {items}"), call, "", 0);
}

#[test]
fn behind_a_chain_of_calls() {
    finds_nothing_by(
        "(func $a (param i32) (result i32) (call $b (local.get 0)))
         (func $b (param i32) (result i32) (call $stash (local.get 0)))",
        "(call $a (local.get $x))",
    );
}

#[test]
fn behind_a_cycle_of_calls() {
    finds_nothing_by(
        "(func $a (param i32) (result i32) (if (result i32) (local.get 0)
            (then (call $b (local.get 0))) (else (i32.const 0))))
         (func $b (param i32) (result i32) (drop (call $a (i32.const 0))) (call $stash (local.get 0)))",
        "(call $a (local.get $x))",
    );
}

#[test]
fn in_a_table() {
    finds_nothing_by(
        "(type $f (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $stash)",
        "(call_indirect (type $f) (local.get $x) (i32.const 0))",
    );
}

#[test]
fn in_a_table_behind_a_call() {
    finds_nothing_by(
        "(type $f (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $b)
         (func $a (param i32) (result i32) (call_indirect (type $f) (local.get 0) (i32.const 0)))
         (func $b (param i32) (result i32) (call $stash (local.get 0)))",
        "(call $a (local.get $x))",
    );
}

#[test]
fn in_dead_code_that_is_not_dead() {
    finds_nothing_by(
        "",
        "(block (result i32) (br_if 0 (call $stash (local.get $x)) (i32.const 0)))",
    );
}

/// Whatever no row comes to costs nothing: it is not there.
#[test]
fn where_no_row_comes() {
    let hidden = "(memory 1 9) (table 4 funcref) (data $d \"x\") (global $g (mut i32) (i32.const 0))
        (func $never (export \"never\") (param i32)
            (i32.store (i32.const 512) (local.get 0)) (drop (memory.grow (i32.const 1)))
            (global.set $g (local.get 0)) (data.drop $d) (table.set 0 (i32.const 0) (ref.func $never))
            (loop (br 0)) (call $never (i32.const 0)))";
    let tier = compile(&integer_model(hidden, "(local.get $x)"))
        .unwrap()
        .tier();
    assert_eq!(
        tier,
        Tier {
            isolation: Isolation::Pure,
            row_cost_max: Some(2)
        }
    );
    finds(hidden, "(i32.load (i32.const 512))", "", 0);
}

/// An allocator is called for strings. Where there are none, what it does is not what a row does.
#[test]
fn in_an_allocator() {
    let module = |params: &str, row: &str| {
        format!(
            r#"(module (memory (export "memory") 1 3)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (drop (memory.grow (i32.const 1)))
                    (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
                    (i32.const 0))
                (func (export "row") (param $x i32) {params} (result i32)
                    (i32.store (i32.const 16) {row}) (i32.store (i32.const 20) (memory.size)) (i32.const 16)))"#
        )
    };
    let outcome = "record outcome { a: s32, b: s32 }";
    let load = "(i32.load (i32.const 512))";
    let without = component(
        &format!("{outcome} export row: func(x: s32) -> outcome;"),
        &module("", load),
    );
    let with = component(
        &format!("{outcome} export row: func(x: s32, y: string) -> outcome;"),
        &module("(param i32 i32)", load),
    );
    let x: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let y: ArrayRef = Arc::new(StringArray::from(vec!["one", "two", "three"]));
    for (model, metered, first) in [(without, false, [0, 1]), (with, true, [1, 2])] {
        let model = compile(&model).unwrap();
        assert_eq!(model.tier().row_cost_max.is_none(), metered);
        let answer = evaluate(&model, &[("x", Arc::clone(&x)), ("y", Arc::clone(&y))]);
        for (column, first) in first.iter().enumerate() {
            let found = answer.column(column).as_primitive::<Int32Type>();
            assert_eq!(found.values(), &[*first; 3]);
        }
    }
}
