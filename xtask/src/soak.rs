//! `cargo xtask soak`: small runs at full load.

use std::path::Path;

use crate::cargo;

/// The test that does it, in `tests/tests/e2e/soak.rs`.
const TEST: &str = "soak::small_runs_for_some_minutes";

/// Runs small queries for so many minutes and shows what came of it.
///
/// # Errors
/// Where memory grew, or a run failed.
pub(crate) fn run(root: &Path, minutes: f64, release: bool) -> Result<(), String> {
    let mut arguments = vec!["test", "--locked", "--workspace", "--test", "e2e"];
    if release {
        arguments.push("--release");
    }
    arguments.extend(["--", "--ignored", "--nocapture", "--exact", TEST]);
    let status = cargo::command(root, &arguments)
        .env("WEIR_SOAK_MINUTES", minutes.to_string())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}
