//! Binding parameters to the columns of a schema.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int8Array, Int32Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type, Schema, TimeUnit};
use insta::assert_snapshot;
use weir_model::{BoundColumn, Family};

use crate::examples::{DISRUPTION, PACE};
use crate::support::{brief, compile, component, evaluate, integer_model, table, texts};

fn schema(columns: &[(&str, DataType)]) -> Schema {
    Schema::new(
        columns
            .iter()
            .map(|(name, ty)| Field::new(*name, ty.clone(), true))
            .collect::<Vec<_>>(),
    )
}

fn refusal(model: &[u8], columns: &[(&str, DataType)]) -> String {
    let error = compile(model).unwrap().bind(&schema(columns)).unwrap_err();
    assert_eq!(error.family(), Family::Caller);
    format!("{}: {error}", error.code())
}

#[test]
fn parameters_find_their_columns_by_name() {
    let schema = schema(&[
        ("hour", DataType::Int8),
        ("carrier", DataType::Utf8),
        ("arr_delay", DataType::Float32),
        ("distance", DataType::UInt16),
        ("dep_delay", DataType::Float64),
    ]);
    let binding = compile(DISRUPTION).unwrap().bind(&schema).unwrap();
    let found: Vec<_> = binding
        .columns()
        .iter()
        .map(|bound| (bound.column.as_str(), bound.index))
        .collect();
    assert_eq!(
        found,
        [
            ("dep_delay", 4),
            ("arr_delay", 2),
            ("distance", 3),
            ("hour", 0)
        ]
    );
    let distance = BoundColumn {
        column: "distance".to_owned(),
        index: 3,
        source_type: DataType::UInt16,
        data_type: DataType::Int32,
    };
    assert_eq!(binding.columns()[2], distance);
}

#[test]
fn what_does_not_fit_is_named() {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    let found = |distance: DataType, air_time: DataType| {
        brief(&refusal(
            PACE,
            &[("distance", distance), ("air_time", air_time)],
        ))
    };
    assert_snapshot!(refusal(PACE, &[("distanse", DataType::Int32), ("air_time", DataType::Float64)]), @"MODEL_MISSING_COLUMN: the model reads column `distance`, which the dataset does not have: nearest by name are `distanse`, `air_time`");
    assert_snapshot!(refusal(PACE, &[]), @"MODEL_MISSING_COLUMN: the model reads column `distance`, which the dataset does not have: it has no columns");
    assert_snapshot!(refusal(PACE, &[("distance", DataType::Int64), ("air_time", DataType::Float64)]), @"MODEL_COLUMN_TYPE: column `distance` is Int64, but the model takes `s32`: without loss it takes signed integers of up to 32 bits, unsigned ones of up to 16, and dates; change the parameter's type, or cast the column");
    let lines = [
        found(DataType::Utf8, DataType::Float64),
        found(DataType::UInt32, DataType::Float64),
        found(DataType::Int32, DataType::Int64),
        found(DataType::Int32, timestamp),
    ];
    assert_snapshot!(lines.join("\n"), @"
    MODEL_COLUMN_TYPE: column `distance` is Utf8, but the model takes `s32`
    MODEL_COLUMN_TYPE: column `distance` is UInt32, but the model takes `s32`
    MODEL_COLUMN_TYPE: column `air_time` is Int64, but the model takes `f64`
    MODEL_COLUMN_TYPE: column `air_time` is Timestamp(ms), but the model takes `f64`
    ");
    let twice = [
        ("distance", DataType::Int32),
        ("air_time", DataType::Float64),
        ("pace", DataType::Utf8),
    ];
    assert_snapshot!(refusal(PACE, &twice), @"MODEL_OUTPUT_EXISTS: the model returns column `pace`, which the dataset has already: rename the model's field, or leave the column out");
}

#[test]
fn columns_come_in_their_own_type_or_cast_already() {
    let model = compile(&integer_model("", "local.get $x")).unwrap();
    let narrow: ArrayRef = Arc::new(Int8Array::from(vec![Some(-5), None, Some(7)]));
    let dictionary = cast(
        &narrow,
        &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Int8)),
    )
    .unwrap();
    let wide = cast(&narrow, &DataType::Int32).unwrap();
    for column in [&narrow, &dictionary, &wide] {
        let binding = model
            .bind(&schema(&[("x", column.data_type().clone())]))
            .unwrap();
        for given in [column, &wide] {
            let answer = binding
                .evaluator()
                .evaluate(&[Arc::clone(given)], 3)
                .unwrap();
            let values: Vec<_> = answer
                .column(0)
                .as_primitive::<Int32Type>()
                .iter()
                .collect();
            assert_eq!(values, [Some(-5), None, Some(7)]);
        }
    }
}

#[test]
fn strings_come_in_every_layout() {
    let world = "enum side { left, right } export row: func(x: side) -> side;";
    let module = r#"(module (func (export "row") (param i32) (result i32) (i32.sub (i32.const 1) (local.get 0))))"#;
    let model = compile(&component(world, module)).unwrap();
    let plain: ArrayRef = Arc::new(StringArray::from(vec![
        Some("left"),
        None,
        Some("right"),
        Some("up"),
        Some(""),
    ]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    for ty in [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary,
    ] {
        let answer = evaluate(&model, &[("x", cast(&plain, &ty).unwrap())]);
        let found = texts(answer.column(0));
        let values: Vec<_> = found.iter().collect();
        assert_eq!(
            values,
            [Some("right"), None, Some("left"), None, None],
            "{ty}"
        );
    }
}

#[test]
fn other_columns_than_those_bound_are_an_internal_error() {
    let binding = compile(PACE).unwrap().bind(&schema(&[
        ("distance", DataType::Int32),
        ("air_time", DataType::Float64),
    ]));
    let binding = binding.unwrap();
    let integers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let floats = cast(&integers, &DataType::Float64).unwrap();
    assert!(
        binding
            .evaluator()
            .evaluate(&[Arc::clone(&integers), Arc::clone(&floats)], 2)
            .is_ok()
    );
    let refused = |columns: &[ArrayRef], rows| {
        let error = binding.evaluator().evaluate(columns, rows).unwrap_err();
        assert_eq!(
            (error.code(), error.family()),
            ("MODEL_COLUMNS", Family::Bug)
        );
        error.to_string()
    };
    assert_snapshot!(refused(&[Arc::clone(&integers)], 2), @"internal error: the columns given to the model are not those it was bound to (1 are given, 2 are bound)");
    assert_snapshot!(refused(&[Arc::clone(&floats), Arc::clone(&floats)], 2), @"internal error: the columns given to the model are not those it was bound to (column `distance` has another type)");
    assert_snapshot!(refused(&[Arc::clone(&integers), floats], 3), @"internal error: the columns given to the model are not those it was bound to (column `distance` has another number of rows)");
}

#[test]
fn integers_widen_into_floats() {
    let world = "export row: func(x: f64) -> f64;";
    let module = r#"(module (func (export "row") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2))))"#;
    let model = compile(&component(world, module)).unwrap();
    let answer = evaluate(
        &model,
        &[("x", Arc::new(Int32Array::from(vec![i32::MAX, i32::MIN])))],
    );
    assert_eq!(
        answer.column(0).as_primitive::<Float64Type>().value(0),
        f64::from(i32::MAX) / 2.0
    );
    assert_snapshot!(table(&answer), @"
    value
    1073741823.5
    -1073741824.0
    ");
    assert!(answer.fields()[0].is_nullable() && !answer.is_empty());
}

/// The answers of a model that returns its parameter, for a column of some type.
fn returned(ty: &str, core: &str, column: ArrayRef) -> Vec<Option<i64>> {
    let model = compile(&component(
        &format!("export row: func(x: {ty}) -> {ty};"),
        &format!(r#"(module (func (export "row") (param {core}) (result {core}) local.get 0))"#),
    ))
    .unwrap();
    let answer = evaluate(&model, &[("x", column)]);
    let wide = cast(answer.column(0), &DataType::Int64).unwrap();
    wide.as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn dates_and_times_and_decimals_have_whole_numbers() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)]));
    let wanted = [Some(-1), None, Some(20_000)];
    assert_eq!(returned("s32", "i32", Arc::clone(&days)), wanted);
    assert_eq!(returned("s64", "i64", days), wanted);
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![
        Some(i64::MIN),
        None,
        Some(1_700_000_000_123_456),
    ]));
    assert_eq!(
        returned("s64", "i64", times),
        [Some(i64::MIN), None, Some(1_700_000_000_123_456)]
    );
    let decimals = Decimal128Array::from(vec![Some(-12_345), None, Some(999_999_999_999_999_999)]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(18, 2).unwrap());
    assert_eq!(
        returned("s64", "i64", decimals),
        [Some(-12_345), None, Some(999_999_999_999_999_999)]
    );
}

#[test]
fn what_would_lose_something_does_not_bind() {
    let refused = |ty: &str, core: &str, column: DataType| {
        let model = compile(&component(
            &format!("export row: func(x: {ty}) -> {ty};"),
            &format!(
                r#"(module (func (export "row") (param {core}) (result {core}) local.get 0))"#
            ),
        ))
        .unwrap();
        model
            .bind(&Schema::new(vec![Field::new("x", column, true)]))
            .is_err()
    };
    use TimeUnit::{Microsecond, Nanosecond, Second};
    assert!(refused("s64", "i64", DataType::Timestamp(Second, None)));
    assert!(refused("s64", "i64", DataType::Timestamp(Nanosecond, None)));
    assert!(refused(
        "s64",
        "i64",
        DataType::Timestamp(Microsecond, Some("Asia/Shanghai".into()))
    ));
    assert!(refused(
        "s32",
        "i32",
        DataType::Timestamp(Microsecond, None)
    ));
    assert!(refused("u32", "i32", DataType::Date32));
    assert!(refused("f64", "f64", DataType::Decimal128(4, 2)));
    assert!(refused("s64", "i64", DataType::Decimal128(19, 2)));
    assert!(refused("s64", "i64", DataType::Decimal128(4, -2)));
    assert!(refused("s32", "i32", DataType::Decimal128(4, 2)));
    let coded = DataType::Dictionary(
        Box::new(DataType::Int8),
        Box::new(DataType::Decimal128(4, 2)),
    );
    assert!(refused("s64", "i64", coded));
}
