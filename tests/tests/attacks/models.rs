//! Hostile models as components.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A model that returns one whole number for a row, from the parameters named in its signature.
pub(crate) fn model(parameters: &str, code: &str) -> Vec<u8> {
    let count = parameters.split(',').count();
    let wit =
        format!("package test:model;\nworld model {{ export row: func({parameters}) -> s32; }}");
    let wat = format!(
        "(module (func (export \"row\") (param {}) (result i32) {code}))",
        "i32 ".repeat(count)
    );
    let mut resolve = Resolve::default();
    let package = resolve.push_str("model.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap();
    let mut encoder = encoder;
    encoder.encode().unwrap()
}
