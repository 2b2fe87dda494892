//! `cargo xtask soak` and `sequences`: small runs at full load, or calls of every kind and a server that is killed.

use std::path::Path;

use crate::cargo;

/// The test that does it, in `tests/tests/e2e/soak.rs`.
const TEST: [&str; 2] = ["e2e", "soak::small_runs_for_some_minutes"];

/// The one that kills, in `crates/cli/tests/cli/soak.rs`.
const KILLING: [&str; 2] = [
    "cli",
    "soak::full_load_while_everything_is_killed_at_random",
];

/// The test with calls of every kind, in `crates/cli/tests/cli/mixed.rs`.
const MIXED: &str = "mixed::many_clients_and_a_server_that_is_killed";

/// How many of what, in a soak of calls of every kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixed {
    pub(crate) clients: u64,
    pub(crate) calls: u64,
    pub(crate) kills: u64,
    pub(crate) seed: u64,
}

/// Runs small queries for so many minutes and shows what came of it.
///
/// # Errors
/// Where memory grew, a run failed, or something was lost.
pub(crate) fn run(root: &Path, minutes: f64, release: bool, kill: bool) -> Result<(), String> {
    let [target, name] = if kill { KILLING } else { TEST };
    let mut arguments = test(target, release);
    arguments.extend(["--", "--ignored", "--nocapture", "--exact", name]);
    let mut command = cargo::command(root, &arguments);
    ended(command.env("WEIR_SOAK_MINUTES", minutes.to_string()))
}

/// Has many clients make calls of every kind while the server is killed now and then.
///
/// # Errors
/// Where something was lost or done twice, or registry and log do not agree.
pub(crate) fn mixed(root: &Path, of: Mixed, release: bool) -> Result<(), String> {
    let mut arguments = test("cli", release);
    arguments.extend(["--", "--nocapture", "--exact", MIXED]);
    let mut command = cargo::command(root, &arguments);
    command
        .env("WEIR_MIXED_CLIENTS", of.clients.to_string())
        .env("WEIR_MIXED_CALLS", of.calls.to_string())
        .env("WEIR_MIXED_KILLS", of.kills.to_string())
        .env("WEIR_MIXED_SEED", of.seed.to_string());
    ended(&mut command)
}

/// The tests with random sequences, in `tests/tests/e2e/sequences.rs` and `airlock_sequences.rs`.
const SEQUENCES: &str = "sequences::no_sequence_of_calls_gets_around_the_rules";
const AIRLOCK_SEQUENCES: &str =
    "airlock_sequences::no_sequence_of_calls_lets_a_table_go_without_two";

/// Plays so many random sequences of calls that follow from a seed.
///
/// # Errors
/// Where the server and the rules do not agree, or the log does not hold.
pub(crate) fn sequences(
    root: &Path,
    (count, seed): (u32, u64),
    airlock: bool,
) -> Result<(), String> {
    let name = if airlock {
        AIRLOCK_SEQUENCES
    } else {
        SEQUENCES
    };
    let mut arguments = test("e2e", false);
    arguments.extend(["--", "--nocapture", "--exact", name]);
    let mut command = cargo::command(root, &arguments);
    command
        .env("WEIR_SEQUENCES", count.to_string())
        .env("WEIR_SEED", seed.to_string());
    ended(&mut command)
}

fn test(of: &'static str, release: bool) -> Vec<&'static str> {
    let mut arguments = vec!["test", "--locked", "--workspace", "--test", of];
    if release {
        arguments.push("--release");
    }
    arguments
}

fn ended(command: &mut std::process::Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}
