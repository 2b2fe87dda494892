//! Hostile models over units, by what they attack.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray};

use super::{answers, column, integer_units, over_units, values};
use crate::support::{compile, component, texts};

const UNITS: [&[i32]; 5] = [&[1, 2], &[3], &[3, 3], &[4], &[1, 2]];

/// What a model does with units that begin with 3, between others that it counts.
fn only_on_three(misdeed: &str) -> Vec<Option<i32>> {
    let body = format!(
        "(if (i32.eq (i32.load (local.get $at)) (i32.const 3)) (then {misdeed})) (local.get $count)"
    );
    answers(&integer_units("", &body), &UNITS)
}

#[test]
fn failures_stay_with_their_unit_and_look_alike() {
    for misdeed in [
        "unreachable",
        "(loop $spin (br $spin))",
        "(drop (i32.load (i32.const -4)))",
        "(i32.store (i32.const 131070) (i32.const 1))",
        "(memory.fill (i32.const 0) (i32.const 9) (i32.const 131072)) unreachable",
    ] {
        let found = only_on_three(misdeed);
        assert_eq!(found, [Some(2), None, None, Some(1), Some(2)], "{misdeed}");
    }
}

#[test]
fn rows_of_the_unit_before_are_not_in_memory() {
    // Beyond the list's end lies what an earlier, longer unit had there.
    let peek = integer_units(
        "",
        "(i32.load (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))",
    );
    let found = answers(&peek, &[&[5, 6, 7, 8], &[9], &[5, 6], &[7]]);
    assert_eq!(found, [Some(0); 4]);
}

/// A record has holes, which no field is written over: what one unit hides there, in every record, the next must not find.
#[test]
fn the_padding_of_records() {
    let model = component(
        "record item { x: s32, y: option<u8>, z: s64 } export unit: func(items: list<item>) -> s32;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "unit") (param $at i32) (param $count i32) (result i32)
                (local $found i32) (local $end i32)
                (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 4))))
                (loop $next
                    (local.set $found (i32.add (local.get $found) (i32.load16_u offset=6 (local.get $at))))
                    (i32.store16 offset=6 (local.get $at) (i32.const 1))
                    (br_if $next (i32.lt_u
                        (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
                (local.get $found)))"#,
    );
    let units = column([1, 1, 1, 2, 3, 3, 3, 3]);
    let x = Arc::clone(&units);
    let y: ArrayRef = Arc::new(arrow::array::UInt8Array::from_iter(
        (0..8).map(|n| (n % 2 > 0).then_some(n)),
    ));
    let z: ArrayRef = Arc::new(arrow::array::Int64Array::from_iter_values(0..8));
    let found = over_units(
        &compile(&model).unwrap(),
        &units,
        &[("x", x), ("y", y), ("z", z)],
    );
    assert_eq!(values(&found), [Some(0); 3]);
}

#[test]
fn an_allocator_that_always_gives_the_same_place() {
    let model = component(
        "record item { x: s32 } export unit: func(items: list<item>) -> s32;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func (export "unit") (param i32 i32) (result i32)
                (i32.load (i32.const 4104))))"#,
    );
    let found = answers(&model, &[&[1, 2, 3], &[4], &[5, 6], &[7, 8, 9, 10]]);
    assert_eq!(found, [Some(3), Some(0), Some(0), Some(9)]);
}

#[test]
fn wild_lists() {
    for place in [
        "(i32.const -4)",
        "(i32.const 2)",
        "(i32.const 65532)",
        "unreachable",
        "(memory.grow (i32.const 70000))",
    ] {
        let model = component(
            "record item { x: s32, y: f64 } export unit: func(items: list<item>) -> s32;",
            &format!(
                r#"(module (memory (export "memory") 1)
                    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {place})
                    (func (export "unit") (param i32 i32) (result i32) (local.get 1)))"#
            ),
        );
        let y: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
        let found = over_units(
            &compile(&model).unwrap(),
            &column([1, 2]),
            &[("x", column([1, 2])), ("y", y)],
        );
        assert_eq!(values(&found), [None, None], "{place}");
    }
}

#[test]
fn a_list_that_does_not_fit_the_memory() {
    // 100,000 records of 4 bytes, and two pages of memory: no room for the list.
    let rows: Vec<i32> = vec![1; 100_000];
    let found = answers(
        &integer_units("", "(local.get $count)"),
        &[&[1], &rows, &[1, 1]],
    );
    assert_eq!(found, [Some(1), None, Some(2)]);
}

#[test]
fn memory_grown_for_one_unit_is_gone_for_the_next() {
    let grows = integer_units("", "(drop (memory.grow (i32.const 1))) (memory.size)");
    assert_eq!(answers(&grows, &UNITS), [Some(3); 5]);
}

#[test]
fn tables_run_fresh() {
    let model = integer_units(
        "(table $t 1 9 funcref)",
        "(drop (table.grow $t (ref.null func) (i32.const 1))) (table.size $t)",
    );
    assert_eq!(answers(&model, &UNITS), [Some(2); 5]);
    assert_eq!(
        compile(&model).unwrap().tier().isolation,
        weir_model::Isolation::Fresh
    );
}

#[test]
fn a_unit_that_burns_its_fuel_takes_nothing_from_the_next() {
    // Every unit takes most of what one row has: none may pay for another.
    let spin = integer_units(
        "",
        "(local.set $acc (i32.const 70000))
         (loop $turn
            (local.set $acc (i32.sub (local.get $acc) (i32.const 1)))
            (br_if $turn (i32.gt_s (local.get $acc) (i32.const 0))))
         (local.get $count)",
    );
    let units: Vec<&[i32]> = (0..60)
        .map(|n| if n % 3 == 0 { &[1, 1][..] } else { &[1][..] })
        .collect();
    let wanted: Vec<_> = units.iter().map(|rows| Some(rows.len() as i32)).collect();
    assert_eq!(answers(&spin, &units), wanted);
}

#[test]
fn results_are_checked_as_for_rows() {
    let model = component(
        "enum side { left, right } record item { x: s32 } export unit: func(items: list<item>) -> side;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
            (func (export "unit") (param i32 i32) (result i32) (i32.load (local.get 0))))"#,
    );
    let found = over_units(
        &compile(&model).unwrap(),
        &column([1, 2, 3]),
        &[("x", column([1, 2, 0]))],
    );
    assert_eq!(
        texts(found.outputs.column(0)),
        StringArray::from(vec![Some("right"), None, Some("left")])
    );
}
