//! Every limit: its name, its default as the documents give it, and what happens one beyond it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, StringArray};
use arrow::datatypes::{Field, Schema};
use insta::assert_snapshot;
use weir_model::{Family, Limits, ModelError, Runtime, admit, embed, receive};

use crate::support::{component, integer_model};

/// A model that uses a little of everything that is counted.
const WORLD: &str = "enum band { low, medium, high } record outcome { band: band, score: f64 }
    export row: func(first-column: s32, second: band) -> outcome;";
const MODULE: &str = r#"(module
    (memory (export "memory") 2) (table 3 funcref) (table 1 funcref)
    (global i32 (i32.const 0)) (global (mut i64) (i64.const 0))
    (data "one") (data "two") (elem func 0 0) (elem func 0 0 0)
    (func (param i32 i32) (local i32 i64) (local f64) (i32.store (i32.const 0) (i32.const 1)))
    (func (export "row") (param i32 i32) (result i32) (local i64) (call 0 (local.get 0) (local.get 1)) (i32.const 16)))"#;

fn module() -> Vec<u8> {
    let wit = format!("package test:model; world model {{ {WORLD} }}");
    embed(&wat::parse_str(MODULE).unwrap(), &wit).unwrap()
}

/// Sets a limit so low that the model is over it.
type Lower = fn(&mut Limits);

/// Limits that are checked on bytes.
const REFUSED: &[(&str, Lower)] = &[
    ("component_bytes_max", |limits| {
        limits.component_bytes_max = 100
    }),
    ("params_max", |limits| limits.params_max = 1),
    ("outputs_max", |limits| limits.outputs_max = 1),
    ("enum_cases_max", |limits| limits.enum_cases_max = 2),
    ("name_bytes_max", |limits| limits.name_bytes_max = 11),
    ("type_nesting_max", |limits| limits.type_nesting_max = 1),
    ("type_section_bytes_max", |limits| {
        limits.type_section_bytes_max = 10
    }),
    ("type_sections_max", |limits| limits.type_sections_max = 0),
    ("types_max", |limits| limits.types_max = 1),
    ("functions_max", |limits| limits.functions_max = 1),
    ("function_bytes_max", |limits| limits.function_bytes_max = 1),
    ("locals_max", |limits| limits.locals_max = 2),
    ("module_locals_max", |limits| limits.module_locals_max = 3),
    ("exports_max", |limits| limits.exports_max = 1),
    ("segments_max", |limits| limits.segments_max = 1),
    ("globals_max", |limits| limits.globals_max = 1),
    ("tables_max", |limits| limits.tables_max = 1),
    ("table_elements_max", |limits| limits.table_elements_max = 2),
    ("memory_pages_max", |limits| limits.memory_pages_max = 1),
];

#[test]
fn what_is_refused_says_how_much_and_how_much_may_be() {
    receive(&module(), &Limits::default()).unwrap();
    let mut lines = Vec::new();
    for (name, lower) in REFUSED {
        let mut limits = Limits::default();
        lower(&mut limits);
        let error = receive(&module(), &limits).expect_err(name);
        assert_eq!(error.family(), Family::Model);
        let message = error.to_string();
        let fault = message.split(": ").next().unwrap_or_default();
        lines.push(format!("{name}: {} {fault}", error.code()));
    }
    assert_snapshot!(lines.join("\n"));
}

/// At its limit a model passes, one beyond it does not; where the limit is a default, with the default.
#[test]
fn the_defaults_are_where_the_limits_are() {
    let limits = Limits::default();
    let passes = |items: &str| match admit(&integer_model(items, "local.get $x"), &limits) {
        Ok(_) => true,
        Err(error) => {
            let over = matches!(error, ModelError::Limit { actual, limit, .. } if actual > limit);
            assert!(over, "{error}");
            false
        }
    };
    let repeated = |item: &str, count: u32| item.repeat(count as usize);
    let types = |count: u32| {
        let params =
            |n: u32| (0..16).map(move |bit| if n >> bit & 1 == 1 { "i32 " } else { "f32 " });
        (0..count)
            .map(|n| format!("(type (func (param {})))", params(n).collect::<String>()))
            .collect::<String>()
    };
    let locals = |count: u32, functions: u32| {
        repeated(
            &format!("(func (local {}))", repeated("i32 ", count)),
            functions,
        )
    };
    let elements = |count: usize| format!("(elem func {}) (func)", "0 ".repeat(count));
    let exports = |count: u32| {
        (0..count)
            .map(|n| format!("(func (export \"f{n}\"))"))
            .collect::<String>()
    };
    let cases = [
        ("memory", passes("(memory 256)"), passes("(memory 257)")),
        (
            "maximum",
            passes("(memory 1 256)"),
            passes("(memory 1 257)"),
        ),
        (
            "table",
            passes("(table 10000 funcref)"),
            passes("(table 10001 funcref)"),
        ),
        (
            "tables",
            passes(&repeated("(table 1 funcref)", 4)),
            passes(&repeated("(table 1 funcref)", 5)),
        ),
        (
            "globals",
            passes(&repeated("(global i32 (i32.const 0))", 1_000)),
            passes(&repeated("(global i32 (i32.const 0))", 1_001)),
        ),
        (
            "functions",
            passes(&repeated("(func)", 9_999)),
            passes(&repeated("(func)", 10_000)),
        ),
        ("types", passes(&types(9_999)), passes(&types(10_000))),
        (
            "locals",
            passes(&locals(10_000, 1)),
            passes(&locals(10_001, 1)),
        ),
        (
            "locals together",
            passes(&locals(10_000, 20)),
            passes(&locals(10_000, 21)),
        ),
        (
            "data segments",
            passes(&repeated("(data \"\")", 1_000)),
            passes(&repeated("(data \"\")", 1_001)),
        ),
        (
            "element segments",
            passes(&repeated("(elem func)", 1_000)),
            passes(&repeated("(elem func)", 1_001)),
        ),
        (
            "elements",
            passes(&elements(10_000)),
            passes(&elements(10_001)),
        ),
        ("exports", passes(&exports(999)), passes(&exports(1_000))),
    ];
    for (what, at, beyond) in cases {
        assert!(
            at && !beyond,
            "{what}: {at} at the limit, {beyond} beyond it"
        );
    }
}

/// Which of some rows have an answer, under given limits.
fn answered(component: &[u8], column: ArrayRef, limits: &Limits) -> Vec<bool> {
    let admitted = admit(component, limits).unwrap();
    let model = Runtime::new(limits).unwrap().compile(&admitted).unwrap();
    let schema = Schema::new(vec![Field::new("x", column.data_type().clone(), true)]);
    let binding = model.bind(&schema).unwrap();
    let rows = column.len();
    let woven = binding
        .evaluator()
        .evaluate(&[Arc::clone(&column)], rows)
        .unwrap();
    let fresh = binding
        .reference_evaluator()
        .evaluate(&[column], rows)
        .unwrap();
    assert_eq!(woven, fresh);
    (0..rows).map(|row| woven.column(0).is_valid(row)).collect()
}

fn numbers(numbers: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(numbers.to_vec()))
}

/// Answers how many bytes it was given, as a string of as many.
fn echo() -> Vec<u8> {
    component(
        "export row: func(x: string) -> string;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "row") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)))"#,
    )
}

/// Limits whose excess makes a row null; each case shows rows below and above.
#[test]
fn what_is_over_at_run_time_is_null() {
    let spin =
        "(loop (br_if 0 (local.tee $x (i32.sub (local.get $x) (i32.const 1))))) (i32.const 1)";
    let fuel = Limits {
        row_fuel: 1_000,
        ..Limits::default()
    };
    assert_eq!(
        answered(&integer_model("", spin), numbers(&[9, 900, 20]), &fuel),
        [true, false, true]
    );

    let deep = "(func $deep (param i32) (result i32) (if (result i32) (local.get 0)
        (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))";
    let stack = Limits {
        stack_bytes_max: 16 << 10,
        ..Limits::default()
    };
    let model = integer_model(deep, "(call $deep (local.get $x))");
    assert_eq!(
        answered(&model, numbers(&[9, 9_000, 20]), &stack),
        [true, false, true]
    );

    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1234", "12345", "123456", ""]));
    let given = Limits {
        string_input_bytes_max: 5,
        ..Limits::default()
    };
    assert_eq!(
        answered(&echo(), Arc::clone(&texts), &given),
        [true, true, false, true]
    );
    let returned = Limits {
        string_output_bytes_max: 4,
        ..Limits::default()
    };
    assert_eq!(
        answered(&echo(), texts, &returned),
        [true, false, false, true]
    );
}

#[test]
fn a_start_is_fuelled_and_instances_are_counted() {
    let items = "(func $s (local i32) (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 500))))) (start $s)";
    let model = integer_model(items, "local.get $x");
    let starts = |start_fuel: u64| {
        let limits = Limits {
            start_fuel,
            ..Limits::default()
        };
        Runtime::new(&limits)
            .unwrap()
            .compile(&admit(&model, &limits).unwrap())
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(starts(10_000), None);
    assert_snapshot!(starts(1_000).unwrap(), @"the model does not start: preparing an instance (data, elements, start function) must end without a trap within 1000 units of fuel");
    let limits = Limits {
        instances_max: 0,
        ..Limits::default()
    };
    let error = Runtime::new(&limits)
        .unwrap()
        .compile(&admit(&model, &limits).unwrap())
        .unwrap_err();
    assert_snapshot!(error, @"the machine could not run the model: 0 instances are in use, the limit is 0");
}

/// A limit that no test here or in `units` goes beyond has no place among them.
#[test]
fn no_limit_is_left_out() {
    let mut tested: BTreeSet<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    tested.extend([
        "row_fuel",
        "stack_bytes_max",
        "string_input_bytes_max",
        "string_output_bytes_max",
    ]);
    tested.extend([
        "start_fuel",
        "instances_max",
        "unit_rows_max",
        "unit_string_bytes_max",
    ]);
    let named = Limits::default().named();
    assert_eq!(tested, named.iter().map(|(name, _)| *name).collect());
}

/// The documents name each limit, in a line that holds its default.
#[test]
fn the_documents_say_the_defaults() {
    let text = include_str!("../../../../docs/models.md");
    for (name, value) in Limits::default().named() {
        let digits = value.to_string();
        let mut grouped = String::new();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let said = text.lines().any(|line| {
            let words = line
                .split([' ', '(', ')'])
                .map(|word| word.trim_end_matches(','));
            line.contains(&format!("`{name}`")) && words.into_iter().any(|word| word == grouped)
        });
        assert!(said, "docs/models.md: `{name}` is {grouped}");
    }
}
