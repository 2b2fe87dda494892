//! The rows that a model is vetted on, and how those that fail are explained.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use insta::assert_snapshot;
use weir_model::{DatasetView, Limits, admit, danger::Tracer};

use crate::support::{component, integer_model};
use crate::units::integer_units;
use crate::vetting::report_over;

/// Fails but for sixteen numbers that no constant of its own gives away.
fn choosy() -> Vec<u8> {
    let body =
        "(if (i32.ne (i32.shr_u (local.get $x) (i32.const 4)) (i32.const 6251)) (then unreachable))
        (local.get $x)";
    integer_model("", body)
}

/// A dataset with a column `x`, of which a manifest says that it has those sixteen numbers.
fn declaring(name: &str, ty: &DataType) -> DatasetView {
    let columns = [("x".to_owned(), ty.clone(), "measure".to_owned())];
    let values: ArrayRef = Arc::new(Int32Array::from_iter_values(100_016..100_032));
    let sample = match arrow::compute::cast(&values, ty) {
        Ok(values) => RecordBatch::try_from_iter([("y", Arc::clone(&values)), ("x", values)]),
        Err(error) => Err(error),
    };
    DatasetView::new(name, columns).with_sample(sample.unwrap())
}

#[test]
fn half_of_the_values_are_such_as_manifests_declare() {
    let without = report_over(&choosy(), &[]);
    assert!(without.tests.failed_rows > without.tests.rows * 9 / 10);
    assert!(without.tests.declared_by.is_empty());
    let fitting = declaring("wanted", &DataType::Int16);
    assert!(report_over(&choosy(), &[fitting]).tests.failed_rows > without.tests.rows * 9 / 10);
    let with = report_over(
        &choosy(),
        &[
            declaring("other", &DataType::Utf8),
            declaring("wanted", &DataType::Int32),
        ],
    );
    assert_eq!(with.tests.declared_by, ["wanted"]);
    let failed = with.tests.failed_rows * 100 / with.tests.rows;
    assert!((35..65).contains(&failed), "{failed} in a hundred fail");
    assert!(
        with.to_string()
            .contains("(half of their values as declared by wanted)"),
        "{with}"
    );
    assert_eq!(
        with.to_json(),
        report_over(
            &choosy(),
            &[
                declaring("other", &DataType::Utf8),
                declaring("wanted", &DataType::Int32),
            ]
        )
        .to_json()
    );
}

/// Units of one, two and three rows, of which the model takes no more than two.
#[test]
fn units_are_traced_with_all_their_rows() {
    let body = "(if (i32.gt_u (local.get $count) (i32.const 2)) (then unreachable))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
            (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))
        (local.get $i)";
    let admitted = admit(&integer_units("", body), &Limits::default()).unwrap();
    let limits = Limits {
        unit_rows_max: 4,
        ..Limits::default()
    };
    let column: ArrayRef = Arc::new(Int32Array::from(vec![
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        Some(5),
        Some(6),
        None,
        Some(8),
        Some(9),
    ]));
    let tracer = Tracer::new(&admitted, &limits).unwrap();
    let traces = tracer
        .trace_units(&[column], [0..1, 1..3, 3..6, 5..7, 1..6])
        .unwrap();
    let reasons: Vec<&str> = traces
        .iter()
        .map(|trace| {
            trace
                .failure
                .as_ref()
                .map_or("answered", |failure| &failure.reason)
        })
        .collect();
    assert_snapshot!(reasons.join("\n"), @"
    answered
    answered
    wasm trap: wasm `unreachable` instruction executed
    not called: `x` is null (take `option<s32>` to be given nulls), in row 2 of the unit
    not called: the unit has 5 rows, the limit is 4 (`unit_rows_max`)
    ");
    assert!(traces[1].fuel > traces[0].fuel, "more rows take more");
}

#[test]
fn the_reason_gives_the_limit_and_what_there_was() {
    let model = component(
        "enum side { left, right } export row: func(a: string, b: side, c: s32) -> s32;",
        r#"(module (memory (export "memory") 2)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
            (func (export "row") (param i32 i32 i32 i32) (result i32)
                (loop (br_if 0 (i32.eq (local.get 3) (i32.const 9)))) (local.get 3)))"#,
    );
    let text =
        |values: [Option<&str>; 6]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let long = "x".repeat(65_537);
    let fine = Some("");
    let columns = [
        text([fine, Some(&long), None, fine, fine, fine]),
        text([
            Some("left"),
            Some("left"),
            Some("left"),
            Some("up"),
            None,
            Some("right"),
        ]),
        Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5, 9])),
    ];
    let admitted = admit(&model, &Limits::default()).unwrap();
    let tracer = Tracer::new(&admitted, &Limits::default()).unwrap();
    let traces = tracer.trace(&columns, 0..6).unwrap();
    let reasons: Vec<&str> = traces
        .iter()
        .map(|trace| {
            trace
                .failure
                .as_ref()
                .map_or("answered", |failure| &failure.reason)
        })
        .collect();
    assert_snapshot!(reasons.join("\n"), @"
    answered
    not called: `a` has 65537 bytes, the limit is 65536 (`string_input_bytes_max`)
    not called: `a` is null (take `option<string>` to be given nulls)
    not called: `b` is no case of the enum `side`
    not called: `b` is null (take `option<side>` to be given nulls)
    out of fuel: it takes more than 1000000 units (`row_fuel`)
    ");
}

/// A column of the sample that cannot be read as the dataset's is no reason to fail.
#[test]
fn a_sample_without_the_column_is_left_out() {
    let schema = Schema::new(vec![Field::new("z", DataType::Int32, true)]);
    let view = DatasetView::new(
        "bare",
        [("x".to_owned(), DataType::Int32, "measure".to_owned())],
    )
    .with_sample(RecordBatch::new_empty(Arc::new(schema)));
    let report = report_over(&choosy(), &[view]);
    assert!(report.tests.rows > 0 && report.tests.declared_by.is_empty());
}
