//! `arrow-udf-runtime`: a program of its own, as it brings another WebAssembly runtime and another Arrow.

use std::process::Command;

use serde::Deserialize;

use crate::bench::Bench;
use crate::error::{BenchError, Result};

const NAME: &str = "arrow-udf-runtime";
const INSTALL: &str = "`cd benches/arrow-udf && rustup target add wasm32-wasip1 && \
                       cargo build --release -p guest --target wasm32-wasip1 && cargo build --release` builds it";

/// What the program measured: Weir and the peer in turns, in one process.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    pub(crate) version: String,
    /// Nanoseconds a row, turn by turn.
    pub(crate) weir_ns: Vec<f64>,
    pub(crate) peer_ns: Vec<f64>,
}

/// Runs it; none where it was not built, which is noted.
pub(crate) fn measured(bench: &Bench<'_>) -> Result<Option<Measured>> {
    let program = &bench.options.arrow_udf;
    if !program.exists() {
        bench.skip(&format!(
            "{NAME} is not measured: there is no `{}`. {INSTALL}; `--arrow-udf PATH` names it elsewhere",
            program.display()
        ));
        return Ok(None);
    }
    bench.say("scoring beside arrow-udf-runtime");
    let turns = bench.options.turns().to_string();
    let output = Command::new(program)
        .args(["--json", "--turns", &turns])
        .output()
        .map_err(|error| BenchError::peer(NAME, error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(BenchError::peer(NAME, said.trim()));
    }
    let measured: Measured = serde_json::from_slice(&output.stdout)
        .map_err(|_| BenchError::peer(NAME, "its answer is no JSON"))?;
    bench.note_version(NAME, &measured.version);
    Ok(Some(measured))
}
