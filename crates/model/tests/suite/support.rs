//! Components made from WebAssembly text, and models run over columns made in place.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_model::{Limits, Model, ModelError, Runtime, admit};

pub(crate) use crate::targets::package;

/// A component of one core module with the signature `world`: the body of a WIT world.
pub(crate) fn component(world: &str, module: &str) -> Vec<u8> {
    let module = wat::parse_str(module).expect("WAT of the test");
    package(world, module).expect("component of the test")
}

/// A component written out in text.
pub(crate) fn component_text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("WAT of the test")
}

/// A model `row: func(x: s32) -> s32` whose body is `body`; `items` are further items of the core module.
pub(crate) fn integer_model(items: &str, body: &str) -> Vec<u8> {
    component(
        "export row: func(x: s32) -> s32;",
        &format!(r#"(module {items} (func (export "row") (param $x i32) (result i32) {body}))"#),
    )
}

/// The runtime all tests share, with the default limits.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(&Limits::default()).unwrap())
}

pub(crate) fn compile(bytes: &[u8]) -> Result<Model, ModelError> {
    runtime().compile(&admit(bytes, &Limits::default())?)
}

/// Runs a model over named columns in one batch: by the woven module, by the woven module with all state compared after
/// every row, and by fresh instances. All three must agree.
pub(crate) fn evaluate(model: &Model, columns: &[(&str, ArrayRef)]) -> StructArray {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let binding = model.bind(&Schema::new(fields)).unwrap();
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let bound: Vec<ArrayRef> = binding
        .columns()
        .iter()
        .map(|bound| Arc::clone(&columns[bound.index].1))
        .collect();
    let answer = binding.evaluator().evaluate(&bound, rows).unwrap();
    let checked = binding.checking_evaluator().evaluate(&bound, rows).unwrap();
    let reference = binding
        .reference_evaluator()
        .evaluate(&bound, rows)
        .unwrap();
    assert_eq!(answer, reference, "woven and fresh instances disagree");
    assert_eq!(checked, reference, "a batch and single rows disagree");
    answer
}

/// The answers of an integer model to integers, one batch.
pub(crate) fn integers(component: &[u8], inputs: &[i32]) -> Vec<Option<i32>> {
    let model = compile(component).unwrap();
    let column: ArrayRef = Arc::new(arrow::array::Int32Array::from(inputs.to_vec()));
    let answer = evaluate(&model, &[("x", column)]);
    let values =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(answer.column(0));
    values.iter().collect()
}

/// A column of strings, however they are stored.
pub(crate) fn texts(column: &ArrayRef) -> arrow::array::StringArray {
    let plain = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
    arrow::array::AsArray::as_string::<i32>(&plain).clone()
}

/// One line per row, cells between bars, nulls as `∅`.
pub(crate) fn table(answer: &StructArray) -> String {
    let options = FormatOptions::new().with_null("∅");
    let columns: Vec<ArrayFormatter<'_>> = answer
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let line = |row| {
        columns
            .iter()
            .map(|column| column.value(row).to_string())
            .collect::<Vec<_>>()
            .join(" | ")
    };
    let mut text = answer.column_names().join(" | ");
    for row in 0..answer.len() {
        text = format!("{text}\n{}", line(row));
    }
    text
}

/// `Display` and code of the error a component is refused with.
pub(crate) fn refusal(bytes: &[u8]) -> String {
    refusal_under(bytes, &Limits::default())
}

/// The same for several components, a line each, without the advice that follows.
pub(crate) fn refusals(components: &[Vec<u8>]) -> String {
    let lines: Vec<String> = components
        .iter()
        .map(|bytes| brief(&refusal(bytes)))
        .collect();
    lines.join("\n")
}

/// Code and fault, without the advice.
pub(crate) fn brief(message: &str) -> String {
    message.split(": ").take(2).collect::<Vec<_>>().join(": ")
}

/// The refusal under given limits.
pub(crate) fn refusal_under(bytes: &[u8], limits: &Limits) -> String {
    let error = admit(bytes, limits).expect_err("to be refused");
    format!("{}: {error}", error.code())
}

/// Cases of a property test: as many as the environment asks for (`PROPTEST_CASES`), or what fits a test run.
pub(crate) fn cases(default: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(default)
}

/// An evaluator may move to another thread between batches.
#[test]
fn evaluators_are_send() {
    fn is_send<T: Send>() {}
    is_send::<weir_model::Evaluator>();
}
