//! Guests that hide a row where the next may find it. All attack row independence.

use std::sync::Arc;

use arrow::array::{AsArray, Int32Array, StringArray};
use arrow::datatypes::{Int32Type, UInt32Type};

use super::{finds, finds_nothing, finds_nothing_after};
use crate::support::{compile, component, evaluate, integer_model, integers};

const MEMORY: &str = "(memory 1)";
const LOAD: &str = "(i32.load (i32.const 512))";
const STORE: &str = "(i32.store (i32.const 512) (local.get $x))";

#[test]
fn in_memory() {
    finds_nothing(MEMORY, LOAD, STORE);
}

#[test]
fn in_its_own_constants() {
    finds(
        r#"(memory 1) (data (i32.const 512) "\2a")"#,
        LOAD,
        STORE,
        42,
    );
}

#[test]
fn in_an_integer_global() {
    finds_nothing(
        "(global $g (mut i32) (i32.const 0))",
        "(global.get $g)",
        "(global.set $g (local.get $x))",
    );
    finds_nothing(
        "(global $g (mut i64) (i64.const 0))",
        "(i32.wrap_i64 (i64.shr_u (global.get $g) (i64.const 32)))",
        "(global.set $g (i64.shl (i64.extend_i32_u (local.get $x)) (i64.const 32)))",
    );
}

#[test]
fn in_the_bits_of_a_float_global() {
    finds_nothing(
        "(global $g (mut f64) (f64.const 0))",
        "(i32.wrap_i64 (i64.reinterpret_f64 (global.get $g)))",
        "(global.set $g (f64.reinterpret_i64 (i64.extend_i32_u (local.get $x))))",
    );
    finds_nothing(
        "(global $g (mut f32) (f32.const 0))",
        "(i32.reinterpret_f32 (global.get $g))",
        "(global.set $g (f32.reinterpret_i32 (local.get $x)))",
    );
}

#[test]
fn in_a_vector_global() {
    finds_nothing(
        "(global $g (mut v128) (v128.const i32x4 0 0 0 0))",
        "(i32x4.extract_lane 3 (global.get $g))",
        "(global.set $g (i32x4.splat (local.get $x)))",
    );
}

#[test]
fn in_which_function_a_global_refers_to() {
    finds(
        "(global $g (mut funcref) (ref.null func)) (func $f) (export \"f\" (func $f))",
        "(ref.is_null (global.get $g))",
        "(global.set $g (ref.func $f))",
        1,
    );
}

#[test]
fn in_a_table() {
    finds(
        "(table $t 4 funcref) (elem declare func $f) (func $f)",
        "(ref.is_null (table.get $t (i32.const 2)))",
        "(table.set $t (local.get $x) (ref.func $f))",
        1,
    );
}

#[test]
fn in_the_size_of_a_table() {
    finds(
        "(table $t 4 funcref)",
        "(table.size $t)",
        "(drop (table.grow $t (ref.null func) (local.get $x)))",
        4,
    );
}

#[test]
fn in_a_dropped_data_segment() {
    // A dropped segment cannot be copied from: the guest would trap on every row but the first.
    finds(
        r#"(memory 1) (data $d "x")"#,
        "(block (result i32) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (i32.load8_u (i32.const 0)))",
        "(data.drop $d)",
        120,
    );
}

#[test]
fn in_a_dropped_element_segment() {
    finds(
        "(table $t 4 funcref) (elem $e func $f) (func $f)",
        "(block (result i32) (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) (table.size $t))",
        "(elem.drop $e)",
        4,
    );
}

#[test]
fn below_the_stack_pointer() {
    // As compiled code does it: a frame is taken, written, and given back; what was in it stays.
    let items = "(memory 1) (global $sp (mut i32) (i32.const 4096))";
    let take = "(global.set $sp (i32.sub (global.get $sp) (i32.const 64)))";
    let give = "(global.set $sp (i32.add (global.get $sp) (i32.const 64)))";
    finds_nothing(
        items,
        "(i32.load offset=8 (i32.sub (global.get $sp) (i32.const 64)))",
        &format!("{take} (i32.store offset=8 (global.get $sp) (local.get $x)) {give}"),
    );
}

#[test]
fn in_a_frame_that_is_never_given_back() {
    finds(
        "(memory 1) (global $sp (mut i32) (i32.const 4096))",
        "(global.get $sp)",
        "(global.set $sp (i32.sub (global.get $sp) (i32.const 64))) (i32.store (global.get $sp) (local.get $x))",
        4096,
    );
}

#[test]
fn in_the_return_area() {
    let model = compile(&component(
        "record outcome { first: s32, second: s32 } export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1)
            (func (export "row") (param $x i32) (result i32)
                (i32.store (i32.const 64) (i32.load (i32.const 68)))
                (i32.store (i32.const 68) (local.get $x))
                (i32.const 64)))"#,
    ))
    .unwrap();
    let answer = evaluate(&model, &[("x", Arc::new(Int32Array::from(vec![5, 6, 7])))]);
    let first = answer.column(0).as_primitive::<Int32Type>();
    assert_eq!(first.values(), &[0, 0, 0]);
}

/// Takes a string; its allocator never gives the same place twice, and takes more than it is asked for.
fn hoarder(row: &str) -> Vec<u8> {
    component(
        "export row: func(x: string) -> u32;",
        &format!(
            r#"(module (memory (export "memory") 1) (global $heap (mut i32) (i32.const 1024))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.get $heap)
                    (global.set $heap (i32.add (global.get $heap) (i32.const 48))))
                (func (export "row") (param $at i32) (param $length i32) (result i32) {row}))"#
        ),
    )
}

fn of_strings(model: &[u8]) -> Vec<u32> {
    let texts = StringArray::from(vec!["a longer string of text", "short", "", "middling"]);
    let answer = evaluate(&compile(model).unwrap(), &[("x", Arc::new(texts))]);
    answer
        .column(0)
        .as_primitive::<UInt32Type>()
        .values()
        .to_vec()
}

#[test]
fn in_the_padding_of_a_string_buffer() {
    let find = "(i32.load8_u offset=40 (local.get $at))
        (i32.store8 offset=40 (local.get $at) (i32.const 1))";
    assert_eq!(of_strings(&hoarder(find)), [0; 4]);
}

#[test]
fn in_the_rest_of_a_longer_string() {
    // The second string is shorter than the first; behind it the first must not be found.
    assert_eq!(
        of_strings(&hoarder(
            "(i32.load8_u (i32.add (local.get $at) (local.get $length)))"
        )),
        [0; 4]
    );
}

#[test]
fn in_the_state_of_the_allocator() {
    assert_eq!(of_strings(&hoarder("(local.get $at)")), [1024; 4]);
}

#[test]
fn while_cleaning_up() {
    let model = compile(&component(
        "record outcome { a: s32, b: s32 } export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0))
            (func (export "cabi_post_row") (param i32)
                (global.set $g (i32.load (local.get 0))) (i32.store (i32.const 900) (i32.const 1)))
            (func (export "row") (param $x i32) (result i32)
                (i32.store (i32.const 64) (i32.add (local.get $x) (i32.load (i32.const 900))))
                (i32.store (i32.const 68) (global.get $g))
                (i32.const 64)))"#,
    ))
    .unwrap();
    let answer = evaluate(&model, &[("x", Arc::new(Int32Array::from(vec![5, 6, 7])))]);
    assert_eq!(
        answer.column(0).as_primitive::<Int32Type>().values(),
        &[5, 6, 7]
    );
    assert_eq!(
        answer.column(1).as_primitive::<Int32Type>().values(),
        &[0, 0, 0]
    );
}

#[test]
fn before_the_first_row() {
    // What the start function leaves is the state every row begins with, also where rows write over it.
    let items = "(memory 1) (global $g (mut i32) (i32.const 1))
        (func $s (global.set $g (i32.const 5)) (i32.store (i32.const 60) (i32.const 6)) (i32.store (i32.const 64) (i32.const 7)))
        (start $s)";
    let body = "(local $found i32)
        (local.set $found (i32.add (global.get $g) (i32.mul (i32.const 10)
            (i32.add (i32.load (i32.const 60)) (i32.mul (i32.const 10) (i32.load (i32.const 64)))))))
        (global.set $g (local.get $x))
        (i64.store (i32.const 60) (i64.const -1))
        (local.get $found)";
    assert_eq!(
        integers(&integer_model(items, body), &[1, 2, 3]),
        [Some(765); 3]
    );
}

#[test]
fn and_trap_before_it_can_be_cleaned_away() {
    finds_nothing_after(MEMORY, LOAD, STORE, "unreachable");
}

#[test]
fn and_spin_before_it_can_be_cleaned_away() {
    finds_nothing_after(MEMORY, LOAD, STORE, "(loop $l (br $l))");
}

#[test]
fn on_every_frame_of_an_endless_recursion() {
    let items = "(memory 1) (global $depth (mut i32) (i32.const 0))
        (func $deep (param i32)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (i32.store (i32.and (i32.mul (global.get $depth) (i32.const 68)) (i32.const 0xfffc)) (local.get 0))
            (call $deep (local.get 0)))";
    let find = "(i32.add (global.get $depth) (i32.add (i32.load (i32.const 68)) (i32.load (i32.const 6800))))";
    finds_nothing_after(items, find, "(call $deep (local.get $x))", "");
}

#[test]
fn to_answer_the_next_row_with_the_last() {
    let body = "(i32.load (i32.const 0)) (i32.store (i32.const 0) (local.get $x))";
    let rows: Vec<i32> = (1..3_000).collect();
    let found = integers(&integer_model(MEMORY, body), &rows);
    assert!(found.iter().all(|answer| *answer == Some(0)));
}
