//! `cargo xtask soak`: small runs at full load.

use std::path::Path;

use crate::cargo;

/// The test that does it, in `tests/tests/e2e/soak.rs`.
const TEST: [&str; 2] = ["e2e", "soak::small_runs_for_some_minutes"];

/// The one that kills, in `crates/cli/tests/cli/soak.rs`.
const KILLING: [&str; 2] = [
    "cli",
    "soak::full_load_while_everything_is_killed_at_random",
];

/// Runs small queries for so many minutes and shows what came of it.
///
/// # Errors
/// Where memory grew, a run failed, or something was lost.
pub(crate) fn run(root: &Path, minutes: f64, release: bool, kill: bool) -> Result<(), String> {
    let [target, test] = if kill { KILLING } else { TEST };
    let mut arguments = vec!["test", "--locked", "--workspace", "--test", target];
    if release {
        arguments.push("--release");
    }
    arguments.extend(["--", "--ignored", "--nocapture", "--exact", test]);
    let status = cargo::command(root, &arguments)
        .env("WEIR_SOAK_MINUTES", minutes.to_string())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}
