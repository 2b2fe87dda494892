//! Every type there and back, and what makes a row fail.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use insta::assert_snapshot;
use weir_model::{Family, Limits};

use crate::support::{compile, component, evaluate, integer_model, table};

/// A model that returns its parameter.
fn identity(ty: &str, core: &str) -> Vec<u8> {
    component(
        &format!("export row: func(x: {ty}) -> {ty};"),
        &format!(r#"(module (func (export "row") (param {core}) (result {core}) local.get 0))"#),
    )
}

/// A model that returns its optional parameter.
fn optional_identity(ty: &str, core: &str, store: &str) -> Vec<u8> {
    component(
        &format!("export row: func(x: option<{ty}>) -> option<{ty}>;"),
        &format!(
            r#"(module (memory (export "memory") 1)
                (func (export "row") (param i32 {core}) (result i32)
                    (i32.store8 (i32.const 16) (local.get 0))
                    ({store} (i32.const 24) (local.get 1))
                    (i32.const 16)))"#
        ),
    )
}

/// Returns its string parameter, whole.
fn echo() -> Vec<u8> {
    component(
        "export row: func(x: string) -> string;",
        r#"(module (memory (export "memory") 4)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "row") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0))
                (i32.store (i32.const 20) (local.get 1))
                (i32.const 16)))"#,
    )
}

fn unchanged(component: &[u8], column: ArrayRef) {
    let answer = evaluate(&compile(component).unwrap(), &[("x", Arc::clone(&column))]);
    assert_eq!(answer.column_names(), ["value"]);
    assert_eq!(answer.column(0), &column);
}

#[test]
fn every_type_comes_back_at_its_bounds() {
    unchanged(
        &identity("bool", "i32"),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
    );
    unchanged(
        &identity("s8", "i32"),
        Arc::new(Int8Array::from(vec![Some(i8::MIN), Some(i8::MAX), None])),
    );
    unchanged(
        &identity("s16", "i32"),
        Arc::new(Int16Array::from(vec![Some(i16::MIN), Some(i16::MAX), None])),
    );
    unchanged(
        &identity("s32", "i32"),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None])),
    );
    unchanged(
        &identity("s64", "i64"),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None])),
    );
    unchanged(
        &identity("u8", "i32"),
        Arc::new(UInt8Array::from(vec![Some(0), Some(u8::MAX), None])),
    );
    unchanged(
        &identity("u16", "i32"),
        Arc::new(UInt16Array::from(vec![Some(0), Some(u16::MAX), None])),
    );
    unchanged(
        &identity("u32", "i32"),
        Arc::new(UInt32Array::from(vec![Some(0), Some(u32::MAX), None])),
    );
    unchanged(
        &identity("u64", "i64"),
        Arc::new(UInt64Array::from(vec![Some(0), Some(u64::MAX), None])),
    );
    unchanged(
        &identity("f32", "f32"),
        Arc::new(Float32Array::from(vec![
            Some(f32::MIN),
            Some(f32::INFINITY),
            None,
        ])),
    );
    unchanged(
        &identity("f64", "f64"),
        Arc::new(Float64Array::from(vec![Some(5e-324), Some(-0.0), None])),
    );
    unchanged(
        &echo(),
        Arc::new(StringArray::from(vec![Some("堰 weir"), Some(""), None])),
    );
}

#[test]
fn options_carry_nulls_both_ways() {
    unchanged(
        &optional_identity("s64", "i64", "i64.store"),
        Arc::new(Int64Array::from(vec![Some(-1), None, Some(i64::MAX)])),
    );
    unchanged(
        &optional_identity("f64", "f64", "f64.store"),
        Arc::new(Float64Array::from(vec![
            Some(0.5),
            None,
            Some(f64::NEG_INFINITY),
        ])),
    );
}

#[test]
fn nan_leaves_in_one_form() {
    let payload_f64 = f64::from_bits(0xfff8_dead_beef_cafe);
    let answer = evaluate(
        &compile(&identity("f64", "f64")).unwrap(),
        &[(
            "x",
            Arc::new(Float64Array::from(vec![payload_f64, f64::NAN])),
        )],
    );
    for row in 0..2 {
        let bits = answer
            .column(0)
            .as_primitive::<Float64Type>()
            .value(row)
            .to_bits();
        assert_eq!(bits, 0x7ff8_0000_0000_0000);
    }
    let payload_f32 = f32::from_bits(0xffc1_2345);
    let answer = evaluate(
        &compile(&identity("f32", "f32")).unwrap(),
        &[("x", Arc::new(Float32Array::from(vec![payload_f32])))],
    );
    assert_eq!(
        answer
            .column(0)
            .as_primitive::<Float32Type>()
            .value(0)
            .to_bits(),
        0x7fc0_0000
    );
}

#[test]
fn a_record_becomes_columns() {
    let model = compile(&component(
        "enum side { left, right-hand }
         record outcome { side: option<side>, score: f64, whole-count: u8 }
         export row: func(x: s32) -> outcome;",
        r#"(module (memory (export "memory") 1)
            (func (export "row") (param i32) (result i32)
                (i32.store8 (i32.const 16) (i32.gt_s (local.get 0) (i32.const 0)))
                (i32.store8 (i32.const 17) (i32.gt_s (local.get 0) (i32.const 9)))
                (f64.store (i32.const 24) (f64.convert_i32_s (local.get 0)))
                (i32.store8 (i32.const 32) (local.get 0))
                (i32.const 16)))"#,
    ))
    .unwrap();
    let answer = evaluate(
        &model,
        &[(
            "x",
            Arc::new(Int32Array::from(vec![Some(-1), Some(5), Some(10), None])),
        )],
    );
    assert_snapshot!(table(&answer), @"
    side | score | whole_count
    ∅ | -1.0 | 255
    left | 5.0 | 5
    right-hand | 10.0 | 10
    ∅ | ∅ | ∅
    ");
    assert_eq!(answer.fields(), &model.output_fields());
    assert!(answer.fields().iter().all(|field| field.is_nullable()));
}

#[test]
fn strings_over_a_limit_fail_their_row_only() {
    let limits = Limits::default();
    let text = |bytes: usize| "x".repeat(bytes);
    let model = compile(&echo()).unwrap();
    let strings = [
        text(limits.string_output_bytes_max),
        text(limits.string_output_bytes_max + 1),
        text(limits.string_input_bytes_max),
        text(limits.string_input_bytes_max + 1),
        "é".repeat(limits.string_output_bytes_max / 2),
    ];
    let answer = evaluate(
        &model,
        &[("x", Arc::new(StringArray::from(strings.to_vec())))],
    );
    let lengths: Vec<_> = answer
        .column(0)
        .as_string::<i32>()
        .iter()
        .map(|value| value.map(str::len))
        .collect();
    assert_eq!(lengths, [Some(1024), None, None, None, Some(1024)]);
}

#[test]
fn a_model_may_take_nothing() {
    let constant = component(
        "export row: func() -> u8;",
        r#"(module (func (export "row") (result i32) i32.const 7))"#,
    );
    let binding = compile(&constant).unwrap().bind(&Schema::empty()).unwrap();
    let answer = binding.evaluator().evaluate(&[], 3).unwrap();
    assert_eq!(
        answer.column(0).as_ref(),
        &UInt8Array::from(vec![7, 7, 7]) as &dyn Array
    );
    assert_eq!(binding.evaluator().evaluate(&[], 0).unwrap().len(), 0);
}

#[test]
fn a_batch_whose_strings_may_not_fit_a_column_is_refused() {
    let schema = Schema::new(vec![Field::new("x", DataType::Boolean, true)]);
    let world = "export row: func(x: bool) -> string;";
    let module = r#"(module (memory (export "memory") 1) (func (export "row") (param i32) (result i32) i32.const 0))"#;
    let binding = compile(&component(world, module))
        .unwrap()
        .bind(&schema)
        .unwrap();
    let rows = (1 << 21) + 1;
    let column: ArrayRef = Arc::new(BooleanArray::new_null(rows));
    let error = binding.evaluator().evaluate(&[column], rows).unwrap_err();
    assert_snapshot!(error, @"2097153 rows in one batch exceed what a string column can hold, the limit for this model is 2097151");
    assert_eq!(error.family(), Family::Bug);
}

#[test]
fn nulls_for_a_required_parameter_never_reach_the_model() {
    // The model answers 0 with 1: a null read as 0 would show.
    let answer = evaluate(
        &compile(&integer_model("", "(i32.add (local.get $x) (i32.const 1))")).unwrap(),
        &[("x", Arc::new(Int32Array::from(vec![Some(0), None])))],
    );
    assert_snapshot!(table(&answer), @"
    value
    1
    ∅
    ");
}
