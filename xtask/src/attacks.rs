//! `cargo xtask attacks` and `cargo xtask utility`: the long tests of `tests/tests/attacks`, which write pages.

use std::path::Path;

use crate::cargo;

/// Runs every attack, or those that `only` names.
///
/// # Errors
/// When an attack gets through that may not, or cargo fails.
pub(crate) fn scoreboard(root: &Path, only: Option<&str>) -> Result<(), String> {
    run(root, "scoreboard", only)
}

/// Reports what the defences cost.
///
/// # Errors
/// When cargo fails.
pub(crate) fn utility(root: &Path) -> Result<(), String> {
    run(root, "utility::utility", None)
}

fn run(root: &Path, test: &str, only: Option<&str>) -> Result<(), String> {
    let arguments = [
        "test",
        "--locked",
        "--workspace",
        "--test",
        "attacks",
        "--",
        "--ignored",
        "--exact",
        "--nocapture",
        test,
    ];
    let mut command = cargo::command(root, &arguments);
    command.env("WEIR_ATTACK", only.unwrap_or_default());
    let failed = |error: std::io::Error| format!("cargo could not be started: {error}");
    let status = command.status().map_err(failed)?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("it ended with {status}")),
    }
}
