//! Packaging: from what a toolchain emits, a core module that carries its WIT signature in a custom section, to the
//! component that is admitted and runs.
//!
//! The section is foreign bytes for a large decoder, so it is measured before it is decoded, and the decoder's panics,
//! of which there should be none, are caught: they refuse the model and nothing else.

mod guard;
mod label;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ring::digest::{SHA256, digest};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::admit::{Admitted, admit};
use crate::error::{ModelError, quoted};
use crate::limits::Limits;

/// Name under which a core module carries its signature; toolchains append a colon and words of their own.
const TYPE_SECTION: &str = "component-type";

/// A model that came in: what was submitted, and the component made of it that runs.
#[derive(Clone, Debug)]
pub struct Received {
    /// The component, admitted.
    pub admitted: Admitted,
    /// SHA-256 of the bytes as submitted, as 64 hexadecimal digits. That of the component where a component was submitted.
    pub submitted_digest: String,
    /// Whether a core module was submitted and packaged here.
    pub packaged: bool,
}

/// Takes in a submitted model: a component as it is, a core module packaged first. The first fault is the answer.
///
/// # Errors
/// The reason, fit to be shown to whoever submitted the model; all belong to [`Family::Model`](crate::Family::Model).
pub fn receive(bytes: &[u8], limits: &Limits) -> Result<Received, ModelError> {
    let component = package(bytes, limits)?;
    Ok(Received {
        admitted: admit(&component, limits)?,
        submitted_digest: hex::encode(digest(&SHA256, bytes)),
        packaged: matches!(component, Cow::Owned(_)),
    })
}

/// The component of a submitted model: the bytes themselves, or what a core module with its signature is packaged to.
/// The same bytes are packaged alike on every machine.
///
/// # Errors
/// As [`receive`].
pub fn package<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, ModelError> {
    if bytes.len() > limits.component_bytes_max {
        return Err(ModelError::TooLarge {
            actual: bytes.len(),
            limit: limits.component_bytes_max,
        });
    }
    if looks_like_text(bytes) {
        return Err(ModelError::Text);
    }
    if !wasmparser::Parser::is_core_wasm(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    guard::check(bytes, limits)?;
    caught(|| encode(bytes)).map(Cow::Owned)
}

/// Gives a core module its signature: the WIT text of one world that exports `row`. The result is still a core module,
/// and [`package`] makes the component of it.
///
/// # Errors
/// [`ModelError::Package`] when the text is no WIT, holds several worlds, or the module is none.
pub fn embed(module: &[u8], wit: &str) -> Result<Vec<u8>, ModelError> {
    if looks_like_text(module) {
        return Err(ModelError::Text);
    }
    caught(|| {
        let mut resolve = Resolve::default();
        let package = resolve
            .push_str("model.wit", wit)
            .map_err(|error| refused(&error))?;
        let world = resolve
            .select_world(&[package], None)
            .map_err(|error| refused(&error))?;
        let mut module = module.to_vec();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| refused(&error))?;
        Ok(module)
    })
}

fn encode(module: &[u8]) -> Result<Vec<u8>, ModelError> {
    let label = label::of(module);
    // What comes out is validated by admission, under the features that models may use.
    let component = ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(false).encode())
        .map_err(|error| refused(&error))?;
    Ok(label::write(component, label))
}

/// Runs a decoder whose panics are the model's fault.
fn caught<T>(work: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(ModelError::Package {
            reason: "its type information makes no sense".to_owned(),
        })
    })
}

fn refused(error: &impl std::fmt::Display) -> ModelError {
    ModelError::Package {
        reason: quoted(&format!("{error:#}")),
    }
}

/// Whether this is WebAssembly written out in text: it begins with a parenthesis or a comment.
fn looks_like_text(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    [&b"(module"[..], b"(component", b";;", b"(;"]
        .iter()
        .any(|mark| start.starts_with(mark))
}
