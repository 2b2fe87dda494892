//! Admission: from untrusted bytes to a component whose shape, features, limits and signature are known.
//!
//! Everything here reads bytes; nothing is compiled, and the bytes are read once.

mod bounds;
mod package;
mod parts;
mod shape;
mod signature;

use ring::digest::{SHA256, digest};

use crate::error::ModelError;
use crate::limits::Limits;
use crate::signature::Signature;
pub(crate) use bounds::{at_most, check_nesting};
pub(crate) use parts::Parts;
pub(crate) use shape::{imported, invalid};

/// A component that passed admission. Only [`admit`] makes one.
#[derive(Clone, Debug)]
pub struct Admitted {
    digest: String,
    bytes: Vec<u8>,
    signature: Signature,
    parts: Option<Parts>,
}

impl Admitted {
    /// SHA-256 of the bytes as 64 hexadecimal digits: the model's identity.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The component as submitted.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the model takes and returns.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The core module's place and the names of its functions; none when the component is oddly made.
    pub(crate) fn parts(&self) -> Option<&Parts> {
        self.parts.as_ref()
    }
}

/// Checks a submitted model on its bytes alone: size, kind, validity under an allow-list of features, shape, limits,
/// imports, exports and signature, in this order. The first fault is the answer.
///
/// # Errors
/// The reason, fit to be shown to whoever submitted the model; all belong to [`Family::Model`](crate::Family::Model).
pub fn admit(bytes: &[u8], limits: &Limits) -> Result<Admitted, ModelError> {
    if bytes.len() > limits.component_bytes_max {
        return Err(ModelError::TooLarge {
            actual: bytes.len(),
            limit: limits.component_bytes_max,
        });
    }
    check_kind(bytes)?;
    let shape = shape::examine(bytes, limits)?;
    let signature = signature::read(&shape, limits)?;
    Ok(Admitted {
        digest: hex::encode(digest(&SHA256, bytes)),
        bytes: bytes.to_vec(),
        signature,
        parts: shape.parts,
    })
}

/// Tells what is no component by its first bytes, so that the message can say what to do.
fn check_kind(bytes: &[u8]) -> Result<(), ModelError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(ModelError::NotWasm);
    }
    if wasmparser::Parser::is_core_wasm(bytes) {
        return Err(ModelError::CoreModule);
    }
    Ok(())
}
