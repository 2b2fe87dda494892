//! Guests that return what is no value, or more than a value. They attack the border: what comes out is of the
//! declared type, in one form, or nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, StringArray, StructArray};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};

use crate::support::{compile, component, evaluate, integers, refusal, table, texts};

fn over(rows: Vec<i32>, model: &[u8]) -> StructArray {
    evaluate(
        &compile(model).unwrap(),
        &[("x", Arc::new(Int32Array::from(rows)))],
    )
}

#[test]
fn payloads_of_nan() {
    let model = component(
        "record outcome { wide: f64, narrow: f32 } export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1)
            (func (export "row") (param $x i32) (result i32)
                (i64.store (i32.const 16) (i64.or (i64.const 0x7ff8000000000000) (i64.extend_i32_u (local.get $x))))
                (i32.store (i32.const 24) (i32.or (i32.const 0xff800000) (local.get $x)))
                (i32.const 16)))"#,
    );
    let answer = over(vec![1, 2, 3], &model);
    for row in 0..3 {
        let wide = answer.column(0).as_primitive::<Float64Type>().value(row);
        let narrow = answer.column(1).as_primitive::<Float32Type>().value(row);
        assert_eq!(
            (wide.to_bits(), narrow.to_bits()),
            (0x7ff8 << 48, 0x7fc0_0000)
        );
    }
}

/// Negative zero and the smallest numbers are values like others; what they may carry is the gate's business. They
/// must come through unchanged, or an answer would differ from its replay.
#[test]
fn negative_zero_and_denormals() {
    let model = component(
        "export row: func(x: f64) -> f64;",
        r#"(module (func (export "row") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 1))))"#,
    );
    let values = vec![-0.0, 5e-324, -5e-324, f64::MIN_POSITIVE / 2.0];
    let column: ArrayRef = Arc::new(Float64Array::from(values.clone()));
    let answer = evaluate(&compile(&model).unwrap(), &[("x", column)]);
    let found = answer.column(0).as_primitive::<Float64Type>().values();
    for (found, value) in found.iter().zip(values) {
        assert_eq!(found.to_bits(), value.to_bits());
    }
}

#[test]
fn a_case_that_the_enum_has_not() {
    let model = component(
        "enum side { left, right } export row: func(x: s32) -> side;",
        r#"(module (func (export "row") (param i32) (result i32) (local.get 0)))"#,
    );
    let answer = over(vec![0, 1, 2, 256, -1, 1], &model);
    let found = texts(answer.column(0));
    assert_eq!(
        found.iter().collect::<Vec<_>>(),
        [Some("left"), Some("right"), None, None, None, Some("right")]
    );
}

#[test]
fn a_bool_of_many_bits() {
    let model = component(
        "export row: func(x: s32) -> bool;",
        r#"(module (func (export "row") (param i32) (result i32) (local.get 0)))"#,
    );
    let answer = over(
        vec![0, 1, 2, 256, -1, 0x8000_0000_u32.cast_signed()],
        &model,
    );
    let found: Vec<_> = answer.column(0).as_boolean().iter().flatten().collect();
    assert_eq!(found, [false, true, true, true, true, true]);
}

#[test]
fn bits_above_a_narrow_integer() {
    let model = component(
        "record outcome { a: u8, b: s16 } export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1) (func (export "row") (param i32) (result i32)
            (i32.store (i32.const 16) (i32.const 0x7fff00)) (i32.store8 (i32.const 16) (local.get 0)) (i32.const 16)))"#,
    );
    assert_eq!(
        table(&over(vec![7, 300], &model)),
        "a | b\n7 | 127\n44 | 127"
    );
    let flat = component(
        "export row: func(x: s32) -> u8;",
        r#"(module (func (export "row") (param i32) (result i32) (local.get 0)))"#,
    );
    assert_eq!(table(&over(vec![7, 300, -1], &flat)), "value\n7\n44\n255");
}

/// An option whose first byte is neither 0 nor 1.
#[test]
fn options_between_some_and_none() {
    let model = component(
        "export row: func(x: s32) -> option<s64>;",
        r#"(module (memory (export "memory") 1) (func (export "row") (param i32) (result i32)
            (i32.store8 (i32.const 16) (local.get 0)) (i64.store (i32.const 24) (i64.const 5)) (i32.const 16)))"#,
    );
    let answer = over(vec![0, 1, 2, 255, 1], &model);
    let found: Vec<_> = answer
        .column(0)
        .as_primitive::<Int64Type>()
        .iter()
        .collect();
    assert_eq!(found, [None, Some(5), None, None, Some(5)]);
}

/// What an option without a value carries, and what a failed row has already written, is not in the column's memory.
#[test]
fn values_under_nulls() {
    let model = component(
        "record outcome { a: option<s64>, b: f64, c: option<string> } export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1) (data (i32.const 100) "secret")
            (func (export "row") (param $x i32) (result i32)
                (i64.store (i32.const 24) (i64.const 1234567))
                (f64.store (i32.const 32) (f64.const 7654321))
                (i32.store8 (i32.const 16) (i32.eq (local.get $x) (i32.const 9)))
                (i32.store (i32.const 44) (i32.const 100)) (i32.store (i32.const 48) (i32.const 6))
                (if (i32.eq (local.get $x) (i32.const 2)) (then (i32.store8 (i32.const 40) (i32.const 7))))
                (i32.const 16)))"#,
    );
    let answer = over(vec![1, 2, 1], &model);
    assert_eq!(
        answer.column(0).as_primitive::<Int64Type>().values(),
        &[0, 0, 0]
    );
    let scores = answer.column(1).as_primitive::<Float64Type>();
    assert_eq!((scores.value(1), scores.is_null(1)), (0.0, true));
    assert!(answer.column(2).as_string::<i32>().value_data().is_empty());
}

/// Takes a string, and puts it where its allocator says.
fn allocator(body: &str) -> Vec<Option<u32>> {
    let model = component(
        "export row: func(x: string) -> u32;",
        &format!(
            r#"(module (memory (export "memory") 1)
                (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32) {body})
                (func (export "row") (param $at i32) (param $length i32) (result i32) (local.get $at)))"#
        ),
    );
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["four", "", "sixteen letters!"]));
    let answer = evaluate(&compile(&model).unwrap(), &[("x", texts)]);
    answer
        .column(0)
        .as_primitive::<arrow::datatypes::UInt32Type>()
        .iter()
        .collect()
}

#[test]
fn wild_places_for_strings() {
    assert_eq!(allocator("(i32.const -1)"), [None; 3]);
    assert_eq!(allocator("(i32.const 65536)"), [None, Some(65_536), None]);
    assert_eq!(
        allocator("(i32.const 65532)"),
        [Some(65_532), Some(65_532), None]
    );
    assert_eq!(
        allocator("(i32.sub (i32.const 65536) (local.get $new))"),
        [Some(65_532), Some(65_536), Some(65_520)]
    );
    assert_eq!(allocator("unreachable"), [None; 3]);
}

/// Seventeen parameters are passed in memory, at the place that the allocator gives.
fn many(place: u32, ty: &str) -> Vec<u8> {
    let params: Vec<String> = (0..17).map(|n| format!("p{n}: {ty}")).collect();
    component(
        &format!("export row: func({}, x: s32) -> s64;", params.join(", ")),
        &format!(
            r#"(module (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (i32.const {place}))
                (func (export "row") (param $at i32) (result i64)
                    (i64.add (i64.load (local.get $at))
                        (i64.add (i64.load offset=128 (local.get $at))
                            (i64.extend_i32_u (i32.mul (global.get $calls) (i32.const 1000)))))))"#
        ),
    )
}

#[test]
fn wild_places_for_arguments() {
    let row = |model: &[u8]| {
        let column: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![5, 6]));
        let x: ArrayRef = Arc::new(Int32Array::from(vec![1, 1]));
        let names: Vec<String> = (0..17).map(|n| format!("p{n}")).collect();
        let mut columns: Vec<(&str, ArrayRef)> = names
            .iter()
            .map(|name| (name.as_str(), Arc::clone(&column)))
            .collect();
        columns.push(("x", x));
        let answer = evaluate(&compile(model).unwrap(), &columns);
        answer
            .column(0)
            .as_primitive::<Int64Type>()
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(row(&many(64, "s64")), [Some(1_010), Some(1_012)]);
    assert_eq!(row(&many(60, "s64")), [None, None], "out of alignment");
    assert_eq!(row(&many(65_400, "s64")), [None, None], "over the end");
    // An option in memory is a byte, and its value only where it is there.
    assert_eq!(row(&many(64, "option<s64>")).len(), 2);
}

fn text(address: &str, length: &str) -> Vec<Option<String>> {
    let model = component(
        "export row: func(x: s32) -> string;",
        &format!(
            r#"(module (memory (export "memory") 1) (data (i32.const 64) "text\ff\c3\a9\ed\a0\80")
                (func (export "row") (param $x i32) (result i32)
                    (i32.store (i32.const 16) (i32.const {address}))
                    (i32.store (i32.const 20) (i32.const {length}))
                    (i32.const 16)))"#
        ),
    );
    let answer = over(vec![1, 2], &model);
    answer
        .column(0)
        .as_string::<i32>()
        .iter()
        .map(|text| text.map(String::from))
        .collect()
}

#[test]
fn wild_strings() {
    let fine = |text: &str| vec![Some(text.to_owned()); 2];
    assert_eq!(text("64", "4"), fine("text"));
    assert_eq!(text("69", "2"), fine("é"));
    assert_eq!(text("65536", "0"), fine(""));
    for (address, length, what) in [
        ("64", "5", "no UTF-8"),
        ("69", "1", "half a character"),
        ("71", "3", "half a surrogate pair"),
        ("65535", "2", "over the end"),
        ("65537", "0", "nothing, beyond the end"),
        ("-1", "1", "the last byte of 4 GiB"),
        ("64", "-1", "4 GiB"),
        ("-1", "-1", "around"),
        ("64", "1025", "over the limit"),
    ] {
        assert_eq!(text(address, length), [None, None], "{what}");
    }
}

/// A guest cannot say where the driver's memory, globals or functions are: what it cannot name it cannot reach.
#[test]
fn names_beyond_its_own() {
    let row = |items: &str, body: &str| {
        format!(
            r#"(component (core module $m {items} (func (export "row") (param i32) (result i32) {body} (local.get 0)))
                (core instance $i (instantiate $m))
                (func (export "row") (param "x" s32) (result s32) (canon lift (core func $i "row"))))"#
        )
    };
    for (items, body) in [
        ("(memory 1)", "(i32.store 1 (i32.const 0) (i32.const 1))"),
        (
            "(memory 1)",
            "(memory.copy 1 0 (i32.const 0) (i32.const 0) (i32.const 1))",
        ),
        ("(memory 1) (memory 1)", ""),
        ("(memory 1)", "(drop (global.get 0))"),
        ("(memory 1)", "(call 1 (i32.const 0))"),
        ("(memory 1) (table 1 funcref) (elem (i32.const 0) 1)", ""),
    ] {
        let module = wat::parse_str(row(items, body)).unwrap();
        assert!(
            refusal(&module).starts_with("MODEL_INVALID"),
            "{items} {body}"
        );
    }
}

/// Exports of the guest's own under the names that the driver uses change nothing.
#[test]
fn names_that_the_driver_uses() {
    let model = component(
        "export row: func(x: s32) -> s32;",
        r#"(module (memory (export "driver") 1) (global (export "global0") (mut i32) (i32.const 0))
            (func (export "run") (param i32 i32)) (func (export "restore")) (func (export "commit"))
            (func (export "reserve") (result i32) (i32.const 0)) (func (export "start") unreachable)
            (func (export "row") (param $x i32) (result i32)
                (i32.store (i32.const 0) (local.get $x)) (global.set 0 (local.get $x)) (local.get $x)))"#,
    );
    assert_eq!(integers(&model, &[1, 2]), [Some(1), Some(2)]);
}
