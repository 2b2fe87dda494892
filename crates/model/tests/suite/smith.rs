//! Generated modules: admission never panics on them, and whatever is admitted is row-independent.

use std::sync::{Arc, OnceLock};

use arbitrary::Unstructured;
use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, StructArray,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use wasm_smith::{Config, Module};
use weir_model::{Binding, Family, Limits, Runtime, admit};

use crate::support::package;

/// A signature, and the core module's exports that it takes.
pub(crate) struct World {
    pub(crate) wit: &'static str,
    exports: &'static str,
}

pub(crate) const WORLDS: [World; 3] = [
    World {
        wit: "export row: func(a: s32, b: s64, c: f64) -> s64;",
        exports: r#"(module (memory (export "memory") 1 3)
            (func (export "row") (param i32 i64 f64) (result i64) unreachable))"#,
    },
    World {
        wit: "record outcome { p: option<f32>, q: s64, r: u8 } export row: func(a: s32, b: option<s64>, c: f64) -> outcome;",
        exports: r#"(module (memory (export "memory") 1 3)
            (func (export "row") (param i32 i32 i64 f64) (result i32) unreachable)
            (func (export "cabi_post_row") (param i32) unreachable))"#,
    },
    World {
        wit: "export row: func(d: string, a: s32) -> string;",
        exports: r#"(module (memory (export "memory") 1 3)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "row") (param i32 i32 i32) (result i32) unreachable))"#,
    },
];

/// A module with the exports of a world, made from random bytes.
pub(crate) fn module(world: &World, seed: &[u8]) -> Option<Vec<u8>> {
    let mut config = Config {
        exports: Some(wat::parse_str(world.exports).unwrap()),
        max_imports: 0,
        max_funcs: 12,
        max_instructions: 200,
        // Beside the one that is exported.
        max_memories: 0,
        max_tables: 2,
        max_table_elements: 100,
        max_data_segments: 6,
        max_element_segments: 4,
        max_globals: 8,
        allow_start_export: false,
        bulk_memory_enabled: true,
        // With them most modules have external references, which models may not: now and then only.
        reference_types_enabled: seed.first().is_some_and(|byte| byte % 8 == 0),
        simd_enabled: true,
        ..Config::default()
    };
    config.gc_enabled = false;
    config.exceptions_enabled = false;
    config.tail_call_enabled = false;
    config.threads_enabled = false;
    config.relaxed_simd_enabled = false;
    config.memory64_enabled = false;
    config.wide_arithmetic_enabled = false;
    config.custom_page_sizes_enabled = false;
    Some(
        Module::new(config, &mut Unstructured::new(seed))
            .ok()?
            .to_bytes(),
    )
}

pub(crate) fn limits() -> Limits {
    Limits {
        // Endless loops are common here, and end the sooner.
        row_fuel: 20_000,
        ..Limits::default()
    }
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(&limits()).unwrap())
}

pub(crate) type Row = (i32, Option<i64>, f64, String);

/// The columns that the binding takes, of all that a row has.
pub(crate) fn columns(binding: &Binding, rows: &[Row]) -> Vec<ArrayRef> {
    let all: [ArrayRef; 4] = [
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.3))),
    ];
    let bound = binding.columns().iter();
    bound.map(|bound| Arc::clone(&all[bound.index])).collect()
}

pub(crate) fn schema() -> Schema {
    let field = |name, ty| Field::new(name, ty, true);
    Schema::new(vec![
        field("a", DataType::Int32),
        field("b", DataType::Int64),
        field("c", DataType::Float64),
        field("d", DataType::Utf8),
    ])
}

/// Every row alone, in an instance of its own.
fn alone(binding: &Binding, columns: &[ArrayRef], rows: usize) -> StructArray {
    let answers: Vec<ArrayRef> = (0..rows)
        .map(|row| {
            let one: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
            Arc::new(binding.evaluator().evaluate(&one, 1).unwrap()) as ArrayRef
        })
        .collect();
    let answers: Vec<&dyn Array> = answers.iter().map(AsRef::as_ref).collect();
    concat(&answers)
        .unwrap()
        .as_any()
        .downcast_ref::<StructArray>()
        .unwrap()
        .clone()
}

/// Fresh instances must say the same; but woven code is longer, so a metered row may fail in it alone.
pub(crate) fn agrees(woven: &StructArray, fresh: &StructArray, metered: bool) -> bool {
    let failed = |answer: &StructArray, row: usize| {
        answer.columns().iter().all(|column| column.is_null(row))
    };
    (0..woven.len())
        .all(|row| woven.slice(row, 1) == fresh.slice(row, 1) || metered && failed(woven, row))
}

fn row() -> impl Strategy<Value = Row> {
    (
        any::<i32>(),
        any::<Option<i64>>(),
        any::<f64>(),
        "[a-zé]{0,12}",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(crate::support::cases(40)) })]

    #[test]
    fn whatever_is_admitted_is_row_independent(
        world in 0..WORLDS.len(),
        seed in prop::collection::vec(any::<u8>(), 100..3_000),
        rows in prop::collection::vec(row(), 2..8),
    ) {
        let world = &WORLDS[world];
        let Some(component) = module(world, &seed).and_then(|module| package(world.wit, module)) else {
            return Ok(());
        };
        let Ok(admitted) = admit(&component, &limits()) else {
            return Ok(());
        };
        let model = match runtime().compile(&admitted) {
            Ok(model) => model,
            Err(error) => {
                prop_assert_eq!(error.family(), Family::Model, "{}", error);
                return Ok(());
            }
        };
        let binding = model.bind(&schema()).unwrap();
        let columns = columns(&binding, &rows);
        let batch = binding.evaluator().evaluate(&columns, rows.len()).unwrap();
        prop_assert_eq!(&batch, &alone(&binding, &columns, rows.len()));
        let checked = binding.checking_evaluator().evaluate(&columns, rows.len()).unwrap();
        prop_assert_eq!(&batch, &checked);
        let fresh = binding.reference_evaluator().evaluate(&columns, rows.len()).unwrap();
        let metered = model.tier().row_cost_max.is_none();
        prop_assert!(agrees(&batch, &fresh, metered), "{:?}\n{:?}", batch, fresh);
    }

    #[test]
    fn admission_never_panics(seed in prop::collection::vec(any::<u8>(), 100..6_000)) {
        // Every feature and any shape: most are refused, each for a reason of its own.
        if let Ok(module) = Module::new(Config::default(), &mut Unstructured::new(&seed)) {
            let module = module.to_bytes();
            prop_assert!(admit(&module, &limits()).is_err());
            for world in &WORLDS {
                if let Some(component) = package(world.wit, module.clone()) {
                    let _ = admit(&component, &limits());
                }
            }
        }
    }
}

/// The generator must not come to make only modules that are refused.
#[test]
fn most_generated_modules_are_admitted() {
    let mut state = 1_u64;
    let mut admitted = 0;
    for world in WORLDS.iter().cycle().take(60) {
        let seed: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(1_500)
        .collect();
        let component = module(world, &seed).and_then(|module| package(world.wit, module));
        admitted += usize::from(component.is_some_and(|bytes| admit(&bytes, &limits()).is_ok()));
    }
    assert!(admitted > 30, "{admitted} of 60");
}
