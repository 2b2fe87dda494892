//! Core modules that carry their signature, as toolchains emit them.

use proptest::prelude::*;
use weir_model::{Family, Limits, ModelError, admit, embed, package, receive};

use crate::support::{cases, compile};

const WIT: &str = "package test:band@1.2.0; world model { enum band { low, high } record outcome { band: band, score: f64 } export row: func(x: f64, code: option<s32>) -> outcome; }";
const MODULE: &str = r#"(module (memory (export "memory") 1)
    (func (export "row") (param f64 i32 i32) (result i32)
      (i32.store8 (i32.const 16) (f64.gt (local.get 0) (f64.const 1)))
      (f64.store (i32.const 24) (local.get 0)) i32.const 16))"#;

fn module() -> Vec<u8> {
    embed(&wat::parse_str(MODULE).unwrap(), WIT).unwrap()
}

#[test]
fn a_core_module_with_its_signature_is_packaged() {
    let received = receive(&module(), &Limits::default()).unwrap();
    assert!(received.packaged);
    assert_ne!(received.submitted_digest, received.admitted.digest());
    let signature = received.admitted.signature();
    assert_eq!(signature.package.as_deref(), Some("test:band@1.2.0"));
    assert_eq!(signature.inputs.len(), 2);
    compile(received.admitted.bytes()).unwrap();
}

#[test]
fn a_component_is_taken_as_it_is() {
    let component = package(&module(), &Limits::default()).unwrap().into_owned();
    let received = receive(&component, &Limits::default()).unwrap();
    assert!(!received.packaged);
    assert_eq!(received.submitted_digest, received.admitted.digest());
}

#[test]
fn packaging_gives_the_same_bytes_each_time() {
    let once = package(&module(), &Limits::default()).unwrap().into_owned();
    assert_eq!(package(&module(), &Limits::default()).unwrap(), once);
}

fn refusal(bytes: &[u8]) -> String {
    let error = receive(bytes, &Limits::default()).unwrap_err();
    assert_eq!(error.family(), Family::Model);
    format!("{}: {error}", error.code())
}

#[test]
fn what_cannot_be_packaged_says_what_to_do() {
    let text = refusal(b"  (module (func))");
    assert!(text.starts_with("MODEL_TEXT: "), "{text}");
    let bare = refusal(&wat::parse_str(MODULE).unwrap());
    assert!(bare.starts_with("MODEL_CORE_MODULE: "), "{bare}");
    assert!(bare.contains("--wit"), "{bare}");
    let misfit = embed(
        &wat::parse_str(r#"(module (func (export "row") (param i32)))"#).unwrap(),
        WIT,
    );
    let misfit = refusal(&misfit.unwrap());
    assert!(misfit.starts_with("MODEL_PACKAGE: "), "{misfit}");
    let importing = MODULE.replace("(module", r#"(module (import "env" "log" (func))"#);
    let importing = embed(&wat::parse_str(importing).unwrap(), WIT).unwrap();
    assert!(refusal(&importing).starts_with("MODEL_IMPORT: "));
}

#[test]
fn wit_that_makes_no_sense_is_refused_with_its_place() {
    let error = embed(&wat::parse_str(MODULE).unwrap(), "world model { export").unwrap_err();
    assert!(matches!(error, ModelError::Package { .. }), "{error}");
}

/// A core module with a custom section of these bytes.
fn with_section(name: &str, content: &[u8]) -> Vec<u8> {
    let mut module = wat::parse_str(MODULE).unwrap();
    let length = |value: usize| {
        let mut value = value;
        let mut bytes = Vec::new();
        loop {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                bytes.push(byte);
                return bytes;
            }
            bytes.push(byte | 0x80);
        }
    };
    let mut body = length(name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    module.push(0);
    module.extend(length(body.len()));
    module.extend(body);
    module
}

/// Bytes of a component whose one type is nested this deep.
fn nested(depth: usize) -> Vec<u8> {
    let mut types = vec![1];
    for _ in 0..depth {
        types.extend([0x41, 0x01, 0x01]);
    }
    types.extend([0x41, 0x00]);
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.push(7);
    let mut length = types.len();
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            bytes.push(byte);
            break;
        }
        bytes.push(byte | 0x80);
    }
    bytes.extend(types);
    bytes
}

/// Readers call themselves once per level; a million levels would end the process.
#[test]
fn types_nested_without_end_are_refused_before_they_are_read() {
    for depth in [129, 80_000] {
        let module = refusal(&with_section("component-type:x", &nested(depth)));
        assert!(module.starts_with("MODEL_LIMIT: "), "{module}");
    }
    for depth in [129, 1_000_000] {
        let component = admit(&nested(depth), &Limits::default()).unwrap_err();
        assert_eq!(component.code(), "MODEL_LIMIT", "{component}");
    }
}

/// Within the limits everything is read, and there is room on a test's stack for it.
#[test]
fn types_nested_to_the_limit_are_read() {
    for depth in [10, 127] {
        let bytes = nested(depth);
        admit(&bytes, &Limits::default()).unwrap_err();
        let _ = refusal(&with_section("component-type", &bytes));
    }
}

#[test]
fn type_information_has_a_size_and_a_number() {
    let large = refusal(&with_section("component-type", &vec![0; 300 << 10]));
    assert!(large.starts_with("MODEL_LIMIT: "), "{large}");
    let mut many = module();
    for _ in 0..20 {
        let empty = with_section("component-type", &[]);
        many.extend(&empty[wat::parse_str(MODULE).unwrap().len()..]);
    }
    assert!(refusal(&many).starts_with("MODEL_LIMIT: "));
}

/// A type of types of types, each twice the last: small in bytes, endless written out.
#[test]
fn types_that_double_end() {
    let mut wit = "package a:b; world model { type t0 = tuple<s32, s32>;".to_owned();
    for level in 1..60 {
        wit.push_str(&format!("type t{level} = tuple<t{0}, t{0}>;", level - 1));
    }
    wit.push_str("export row: func(x: t59) -> s32; }");
    match embed(&wat::parse_str(MODULE).unwrap(), &wit) {
        Ok(module) => assert_eq!(
            receive(&module, &Limits::default()).unwrap_err().family(),
            Family::Model
        ),
        Err(error) => assert_eq!(error.family(), Family::Model),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(cases(300)) })]

    /// Every change of a byte is answered: with another model, or with a refusal.
    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = module();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = receive(&bytes, &Limits::default()) {
            prop_assert_eq!(error.family(), Family::Model, "{}", error);
        }
    }

    #[test]
    fn cut_bytes_never_panic(length in any::<prop::sample::Index>()) {
        let bytes = module();
        let cut = &bytes[..length.index(bytes.len())];
        if let Err(error) = receive(cut, &Limits::default()) {
            prop_assert_eq!(error.family(), Family::Model, "{}", error);
        }
    }
}
