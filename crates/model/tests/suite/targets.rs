//! Targets for fuzzing, each a function of arbitrary bytes that panics where something is wrong. `fuzz/` drives them by
//! coverage, `fuzz.rs` beside this by random bytes among the other tests.

use std::sync::{Arc, OnceLock};

use arbitrary::Unstructured;
use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use wasm_smith::{Config, Module};
use weir_model::{Binding, Family, Limits, Runtime, admit};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const GOOD: [&[u8]; 4] = [
    include_bytes!("../../../../examples/flights/models/disruption/disruption.wasm"),
    include_bytes!("../../../../examples/flights/models/pace/pace.wasm"),
    include_bytes!("../../../../examples/flights/models/strain/strain.wasm"),
    include_bytes!("../../../../examples/flights/models/business/business.wasm"),
];

/// Admission answers, and refuses as the model's fault, whatever the bytes are: themselves, or edits to a good model.
pub(crate) fn admission(bytes: &[u8]) {
    let check = |bytes: &[u8]| match admit(bytes, &limits()) {
        Ok(admitted) => drop(admitted.signature().to_string()),
        Err(error) => assert_eq!(error.family(), Family::Model, "{error}"),
    };
    check(bytes);
    check(&[b"\0asm\x0d\0\x01\0", bytes].concat());
    for good in GOOD {
        let mut edited = good.to_vec();
        for edit in bytes.chunks_exact(4).take(8) {
            let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % edited.len();
            match edit[2] % 4 {
                0 => edited[at] = edit[3],
                1 => edited[at] ^= 1 << (edit[3] % 8),
                2 => edited.truncate(at.max(8)),
                _ => edited.insert(at, edit[3]),
            }
            check(&edited);
        }
    }
}

/// The woven model and the component as it is agree on every first row. Returns whether there was a model.
pub(crate) fn instrumenter(bytes: &[u8]) -> bool {
    let (Some(first), Some(seed)) = (bytes.first(), bytes.get(9..)) else {
        return false;
    };
    let world = &WORLDS[usize::from(*first) % WORLDS.len()];
    let component = module(world, seed).and_then(|module| package(world.wit, module));
    let admitted = component.and_then(|component| admit(&component, &limits()).ok());
    let Some(model) = admitted.and_then(|admitted| match runtime().compile(&admitted) {
        Ok(model) => Some(model),
        Err(error) => {
            assert_eq!(error.family(), Family::Model, "{error}");
            None
        }
    }) else {
        return false;
    };
    let number = i64::from_le_bytes(bytes[1..9].try_into().unwrap());
    let rows: [Row; 3] = [
        (0, None, 0.0, String::new()),
        (
            number as i32,
            Some(number),
            f64::from_bits(number.cast_unsigned()),
            "ab".to_owned(),
        ),
        (-1, Some(i64::MIN), f64::NAN, "é".repeat(9)),
    ];
    let binding = model.bind(&schema()).unwrap();
    let columns = columns(&binding, &rows);
    let metered = model.tier().row_cost_max.is_none();
    for row in 0..rows.len() {
        let one: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        let woven = binding.evaluator().evaluate(&one, 1).unwrap();
        let original = binding.reference_evaluator().evaluate(&one, 1).unwrap();
        assert!(
            agrees(&woven, &original, metered),
            "{woven:?}\n{original:?}"
        );
    }
    true
}

/// A signature, and the core module's exports that it takes.
pub(crate) struct World {
    /// The body of a WIT world.
    pub(crate) wit: &'static str,
    /// A module in text with those exports.
    pub(crate) exports: &'static str,
}

/// Signatures that modules are made for.
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

/// The default limits, but for fuel.
pub(crate) fn limits() -> Limits {
    Limits {
        // Endless loops are common here, and end the sooner.
        row_fuel: 20_000,
        ..Limits::default()
    }
}

/// One runtime for all.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(&limits()).unwrap())
}

/// Values for the columns that models of the worlds may read.
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

/// Those columns.
pub(crate) fn schema() -> Schema {
    let field = |name, ty| Field::new(name, ty, true);
    Schema::new(vec![
        field("a", DataType::Int32),
        field("b", DataType::Int64),
        field("c", DataType::Float64),
        field("d", DataType::Utf8),
    ])
}

/// A component of a core module with the signature `world`, the body of a WIT world; nothing when the two do not fit.
pub(crate) fn package(world: &str, mut module: Vec<u8>) -> Option<Vec<u8>> {
    let mut resolve = Resolve::default();
    let text = format!("package test:model; world model {{ {world} }}");
    let package = resolve
        .push_str("model.wit", &text)
        .expect("WIT of the test");
    let world = resolve.select_world(&[package], None).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).ok()?;
    let mut encoder = ComponentEncoder::default().module(&module).ok()?;
    encoder.encode().ok()
}

/// Fresh instances must say the same; but woven code is longer, so a metered row may fail in it alone.
pub(crate) fn agrees(woven: &StructArray, fresh: &StructArray, metered: bool) -> bool {
    let failed = |answer: &StructArray, row: usize| {
        answer.columns().iter().all(|column| column.is_null(row))
    };
    (0..woven.len())
        .all(|row| woven.slice(row, 1) == fresh.slice(row, 1) || metered && failed(woven, row))
}
