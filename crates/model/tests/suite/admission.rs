//! What is admitted, what is refused, and with which words.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use weir_model::{Family, Limits, admit};

use crate::examples::{DISRUPTION, PACE};
use crate::support::{component, component_text, integer_model, refusal, refusals};

const ADD_ONE: &str = "(i32.add (local.get $x) (i32.const 1))";

#[test]
fn the_signature_is_read_from_the_bytes() {
    let admitted = admit(DISRUPTION, &Limits::default()).unwrap();
    assert_snapshot!(admitted.signature(), @"
    package weir:disruption@1.0.0;
    world model {
      enum band { on-time, minor, major, severe, cancelled }
      record outcome { band: band, score: f64 }
      export row: func(dep-delay: option<f64>, arr-delay: option<f64>, distance: s32, hour: s32) -> outcome;
    }
    ");
    assert_snapshot!(admit(PACE, &Limits::default()).unwrap().signature(), @"
    package weir:pace@1.0.0;
    world model {
      enum pace { slow, typical, fast }
      record outcome { pace: option<pace>, ground-speed-mph: option<f64> }
      export row: func(distance: s32, air-time: option<f64>) -> outcome;
    }
    ");
    assert_snapshot!(admit(&integer_model("", ADD_ONE), &Limits::default()).unwrap().signature(), @"
    world model {
      export row: func(x: s32) -> s32;
    }
    ");
    assert_eq!(admitted.bytes(), DISRUPTION);
    assert_eq!(admitted.digest().len(), 64);
    let band = admitted.signature().outputs[0].ty.domain().unwrap();
    assert_eq!(
        band.cases,
        ["on-time", "minor", "major", "severe", "cancelled"]
    );
}

#[test]
fn what_is_no_component_is_told_apart() {
    assert_snapshot!(refusal(b""), @r#"MODEL_NOT_WASM: the model is not WebAssembly (the first bytes are not `\0asm`): submit the built `.wasm` component, not its source or an archive"#);
    assert_snapshot!(refusal(&component_text("(module)")), @"MODEL_CORE_MODULE: the model is a core WebAssembly module without its signature (no custom section `component-type`): give its WIT with `--wit model.wit`, or write it in with `weir model pack FILE --wit model.wit`");
    assert_snapshot!(refusals(&[
        b"PK\x03\x04".to_vec(),
        b"fn main() {}".to_vec(),
        b"\0as".to_vec(),
        b"\0asm".to_vec(),
        b"\0asm\x0d\0\x01\0".to_vec(),
    ]), @r#"
    MODEL_NOT_WASM: the model is not WebAssembly (the first bytes are not `\0asm`)
    MODEL_NOT_WASM: the model is not WebAssembly (the first bytes are not `\0asm`)
    MODEL_NOT_WASM: the model is not WebAssembly (the first bytes are not `\0asm`)
    MODEL_INVALID: the model does not validate at byte 4
    MODEL_EXPORTS: the model exports no function `row` or `unit`
    "#);
}

#[test]
fn a_hundred_megabytes_are_refused_by_their_length() {
    let mut bytes = DISRUPTION.to_vec();
    bytes.resize(100 << 20, 0);
    assert_snapshot!(refusal(&bytes), @"MODEL_TOO_LARGE: the model is 104857600 bytes long, the limit is 4194304: build it optimised and stripped of debug information");
    // The best of some: whatever else the machine does at the time is not what is measured.
    let took = (0..5).map(|_| {
        let start = Instant::now();
        refusal(&bytes);
        start.elapsed()
    });
    let best = took.min().unwrap();
    assert!(best < Duration::from_millis(50), "took {best:?}");
}

#[test]
fn truncation_anywhere_is_refused_or_loses_only_labels() {
    let whole = admit(DISRUPTION, &Limits::default()).unwrap();
    for length in 0..DISRUPTION.len() {
        if let Ok(shorter) = admit(&DISRUPTION[..length], &Limits::default()) {
            assert_eq!(
                shorter.signature().inputs,
                whole.signature().inputs,
                "cut at {length}"
            );
            assert_eq!(
                shorter.signature().outputs,
                whole.signature().outputs,
                "cut at {length}"
            );
            assert_ne!(shorter.digest(), whole.digest());
        }
    }
}

#[test]
fn no_flipped_bit_makes_admission_panic() {
    let mut admitted = 0;
    for position in 0..DISRUPTION.len() * 8 {
        let mut bytes = DISRUPTION.to_vec();
        bytes[position / 8] ^= 1 << (position % 8);
        match admit(&bytes, &Limits::default()) {
            Ok(_) => admitted += 1,
            Err(error) => assert_eq!(error.family(), Family::Model, "{error}"),
        }
    }
    assert!(admitted > 0, "flips in constants and labels leave a model");
}

#[test]
fn nothing_is_imported() {
    let world = |import: &str, module: &str| {
        component(
            &format!("{import} export row: func(x: s32) -> s32;"),
            &format!(
                r#"(module {module} (func (export "row") (param i32) (result i32) local.get 0))"#
            ),
        )
    };
    let clock = world(
        "import clock: func() -> u64;",
        r#"(import "$root" "clock" (func (result i64)))"#,
    );
    assert_snapshot!(refusal(&clock), @"MODEL_IMPORT: the model imports `clock` (a function): a model imports nothing; build it without a standard library that needs a host (no WASI, no clock, no logging)");
    assert_snapshot!(refusals(&[
        world("import host: interface { log: func(text: u32); }", r#"(import "host" "log" (func (param i32)))"#),
        component_text(r#"(component (import "peer" (component)))"#),
        component_text(r#"(component (import "code" (core module)))"#),
        component_text(r#"(component (import "handle" (type (sub resource))))"#),
        component_text(r#"(component (core module (import "env" "abort" (func))))"#),
    ]), @"
    MODEL_IMPORT: the model imports `host` (an interface)
    MODEL_IMPORT: the model imports `peer` (a component)
    MODEL_IMPORT: the model imports `code` (a core module)
    MODEL_IMPORT: the model imports `handle` (a resource)
    MODEL_IMPORT: the model imports `env.abort` (from its core module)
    ");
}

const MODULE: &str =
    r#"(core module $m (func (export "row") (param i32) (result i32) local.get 0))"#;
const LIFTED: &str = r#"(core instance $i (instantiate $m))
    (func $row (param "x" s32) (result s32) (canon lift (core func $i "row")))"#;

#[test]
fn only_the_plain_shape_is_taken() {
    let with = |items: &str| component_text(&format!("(component {MODULE} {LIFTED} {items})"));
    assert!(admit(&with(r#"(export "row" (func $row))"#), &Limits::default()).is_ok());
    assert_snapshot!(refusal(&with(r#"(core module) (export "row" (func $row))"#)), @"MODEL_SHAPE: the model has 2 core modules, 1 instances of them and 1 lifted functions, where one each is allowed: package one core module as one component, as `wasm-tools component new` does");
    assert_snapshot!(refusals(&[
        with(r#"(core instance (instantiate $m)) (export "row" (func $row))"#),
        with(r#"(component) (export "row" (func $row))"#),
        with(r#"(instance $s (export "row" (func $row))) (export "a:b/c" (instance $s))"#),
        with(r#"(core func (canon lower (func $row))) (export "row" (func $row))"#),
        with(r#"(type $r (resource (rep i32))) (core func (canon resource.new $r)) (export "row" (func $row))"#),
    ]), @"
    MODEL_SHAPE: the model has 1 core modules, 2 instances of them and 1 lifted functions, where one each is allowed
    MODEL_SHAPE: the model contains another component
    MODEL_SHAPE: the model makes an instance of a component
    MODEL_SHAPE: the model uses resources or built-in functions of the component model
    MODEL_SHAPE: the model uses resources or built-in functions of the component model
    ");
}

#[test]
fn row_is_the_only_function() {
    let with = |items: &str| component_text(&format!("(component {MODULE} {LIFTED} {items})"));
    assert_snapshot!(refusal(&component_text("(component)")), @"MODEL_EXPORTS: the model exports no function `row` or `unit`: a model exports one function, `row` or `unit`, and beside it only the types of its signature");
    assert_snapshot!(refusals(&[
        with(""),
        with(r#"(export "score" (func $row))"#),
        with(r#"(export "row" (func $row)) (export "peek" (func $row))"#),
        with(r#"(export "row" (func $row)) (export "code" (core module $m))"#),
    ]), @"
    MODEL_EXPORTS: the model exports no function `row` or `unit`
    MODEL_EXPORTS: the model exports the function `score`
    MODEL_EXPORTS: the model exports the function `peek`
    MODEL_EXPORTS: the model exports the module `code`
    ");
}

/// A component with the given signature. Its code is never run.
fn with_signature(types: &str, params: &str, core_params: &str, core_result: &str) -> Vec<u8> {
    component(
        &format!("{types} export row: func({params};"),
        &format!(
            r#"(module (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "row") {core_params} {core_result} unreachable))"#
        ),
    )
}

#[test]
fn types_without_a_column_are_refused_by_name() {
    let param = |types: &str, ty: &str, core: &str| {
        with_signature(
            types,
            &format!("x: {ty}) -> f64"),
            &format!("(param {core})"),
            "(result f64)",
        )
    };
    assert_snapshot!(refusal(&param("", "list<u8>", "i32 i32")), @"MODEL_TYPE: parameter `x` has type `list<u8>`: use `bool`, an integer, `f32`, `f64`, `string`, an `enum`, or an `option` of one of these");
    assert_snapshot!(refusals(&[
        param("", "char", "i32"),
        param("", "tuple<s32, s32>", "i32 i32"),
        param("", "option<option<f64>>", "i32 i32 f64"),
        param("", "option<list<list<list<u8>>>>", "i32 i32 i32"),
        param("", "result<s32, string>", "i32 i32 i32"),
        param("record point { x: s32, y: s32 }", "point", "i32 i32"),
        param("variant shape { circle(f64), none }", "shape", "i32 f64"),
        param("flags days { mon, tue }", "days", "i32"),
    ]), @"
    MODEL_TYPE: parameter `x` has type `char`
    MODEL_TYPE: parameter `x` has type `tuple<…>`
    MODEL_TYPE: parameter `x` has type `option<option<f64>>`
    MODEL_TYPE: parameter `x` has type `option<list<list<…>>>`
    MODEL_TYPE: parameter `x` has type `result<s32, string>`
    MODEL_TYPE: parameter `x` has type `record point`
    MODEL_TYPE: parameter `x` has type `variant shape`
    MODEL_TYPE: parameter `x` has type `flags days`
    ");

    let result = |types: &str, ty: &str| {
        with_signature(
            types,
            &format!("x: s32) -> {ty}"),
            "(param i32)",
            "(result i32)",
        )
    };
    assert_snapshot!(refusal(&result("", "list<f64>")), @"MODEL_TYPE: the result of `row` has type `list<f64>`: return a `record` of columns, or a single value: `bool`, an integer, `f32`, `f64`, `string`, an `enum`, or an `option` of one of these");
    assert_snapshot!(refusals(&[
        result("record inner { a: s32 } record outcome { inner: inner, b: f64 }", "outcome"),
        result("record inner { a: s32, b: s32 }", "option<inner>"),
        result("", "tuple<s32, s32>"),
    ]), @"
    MODEL_TYPE: result field `inner` has type `record inner`
    MODEL_TYPE: the result of `row` has type `option<record inner>`
    MODEL_TYPE: the result of `row` has type `tuple<…>`
    ");
    assert_snapshot!(refusal(&with_signature("", "x: s32)", "(param i32)", "")), @"MODEL_NO_RESULT: the model's function returns nothing: return a record, or a single value, which becomes the column `value`");
}

#[test]
fn features_outside_the_list_are_refused() {
    let refused = |items: &str| {
        let text = format!("(component (core module {items}))");
        let message = refusal(&component_text(&text));
        assert!(message.starts_with("MODEL_INVALID: "), "{items}: {message}");
    };
    refused("(memory 1 1 shared)");
    refused("(memory i64 1)");
    refused("(memory 1) (memory 1)");
    refused("(memory 1 (pagesize 1))");
    refused("(tag)");
    refused("(table 0 externref)");
    refused("(type (struct))");
    refused("(type $f (func)) (func (param (ref $f)))");
    refused("(func $f return_call $f)");
    refused("(func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))");
    refused(
        "(func (result i64 i64) (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))",
    );
    assert_snapshot!(refusal(&component_text("(component (core module (memory 1 1 shared)))")), @"MODEL_INVALID: the model does not validate at byte 21: threads must be enabled for shared memories. Models may use WebAssembly 2.0 with vectors; threads, relaxed SIMD, garbage collection, exceptions, tail calls, 64-bit and multiple memories, and async are refused");
    assert_snapshot!(refusal(&component_text("(component (core module (func i32.add drop)))")), @"MODEL_INVALID: the model does not validate at byte 33: type mismatch: expected i32 but nothing on stack. Models may use WebAssembly 2.0 with vectors; threads, relaxed SIMD, garbage collection, exceptions, tail calls, 64-bit and multiple memories, and async are refused");
}

#[test]
fn a_label_is_shown_only_when_it_looks_like_one() {
    let labelled = |name: &str, version: &[u8]| {
        let mut bytes = DISRUPTION.to_vec();
        let mut names = wasm_encoder::ComponentNameSection::new();
        names.component(name);
        wasm_encoder::ComponentSection::append_to_component(&names, &mut bytes);
        let section = wasm_encoder::CustomSection {
            name: "version".into(),
            data: version.into(),
        };
        wasm_encoder::ComponentSection::append_to_component(&section, &mut bytes);
        admit(&bytes, &Limits::default())
            .unwrap()
            .signature()
            .package
            .clone()
    };
    assert_eq!(labelled("a:b", b"1.2.3").as_deref(), Some("a:b@1.2.3"));
    assert_eq!(labelled("a:b", b"1.2\n.3").as_deref(), Some("a:b"));
    assert_eq!(labelled("a:\x1b[31mb", b"1.2.3"), None);
    assert_eq!(labelled(&"a:".repeat(100), b"1"), None);
    assert_eq!(labelled("a:b", b"\xff").as_deref(), Some("a:b"));
}
