//! Models as files on this machine.

use std::path::{Path, PathBuf};

use weir_model::Limits;

use crate::commands::read_text;
use crate::error::CliError;
use crate::output::print;

/// Bytes of a file beyond any model: what is longer is not read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads a model. With `wit`, that signature is written into it first.
pub(super) fn read(file: &Path, wit: Option<&Path>) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| CliError::file(file, &error);
    let bytes = std::fs::metadata(file).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(CliError::File {
            file: file.to_owned(),
            reason: format!("{bytes} bytes are more than any model has"),
        });
    }
    let module = std::fs::read(file).map_err(failed)?;
    match wit {
        Some(wit) => Ok(weir_model::embed(&module, &read_text(wit)?)?),
        None => Ok(module),
    }
}

/// `weir model pack`: the component of a core module and its signature.
pub(super) fn pack(file: &Path, wit: Option<&Path>, out: Option<PathBuf>) -> Result<(), CliError> {
    let module = read(file, wit)?;
    let limits = Limits::default();
    let received = weir_model::receive(&module, &limits)?;
    let out = out.unwrap_or_else(|| file.with_extension("component.wasm"));
    std::fs::write(&out, received.admitted.bytes())
        .map_err(|error| CliError::file(&out, &error))?;
    print(&format!(
        "{} (sha256:{})\n{}\n",
        out.display(),
        received.admitted.digest(),
        received.admitted.signature()
    ))
}
