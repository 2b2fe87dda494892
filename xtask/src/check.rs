//! `cargo xtask check`: everything that must hold before a change is merged, cheapest first.

use std::path::Path;
use std::time::Instant;

use crate::tally::Tally;
use crate::{cargo, tidy};

/// Each step has the order of the time it takes: seconds for the first three, minutes for the last two. The tests
/// come last so that the output closes with their summary.
const STEPS: [(&str, Step); 5] = [
    ("format", format),
    ("tidy", tidy::run),
    ("deny", deny),
    ("clippy", clippy),
    ("test", test),
];

type Step = fn(&Path) -> Result<(), String>;

/// Runs all steps and stops at the first that fails.
///
/// # Errors
/// Names the step that failed and how to run it alone.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    for (index, (name, step)) in STEPS.iter().enumerate() {
        let number = index + 1;
        println!("[{number}/{}] {name}", STEPS.len());
        let start = Instant::now();
        step(root).map_err(|problem| format!("`{name}` failed: {problem}"))?;
        // Nothing is printed after the last step: the sum of the tests closes the output.
        if number < STEPS.len() {
            let seconds = start.elapsed().as_secs_f64();
            println!("[{number}/{}] {name}: done in {seconds:.1} s", STEPS.len());
        }
    }
    Ok(())
}

fn format(root: &Path) -> Result<(), String> {
    cargo::run(root, &["fmt", "--all", "--check"])
        .map_err(|problem| format!("{problem}, or mend it with `cargo xtask fix`"))
}

/// Licences, banned crates and sources. Advisories are left to a job with a network: they change without a commit.
fn deny(root: &Path) -> Result<(), String> {
    if !cargo::has_subcommand(root, "deny") {
        println!(
            "skipped: cargo-deny is not installed; `cargo install cargo-deny --locked` installs it"
        );
        return Ok(());
    }
    cargo::run(root, &["deny", "check", "bans", "licenses", "sources"])
}

fn clippy(root: &Path) -> Result<(), String> {
    cargo::run(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )
}

/// Goes on after a failing test binary, so that one run shows every failure, and closes with the sum of all.
fn test(root: &Path) -> Result<(), String> {
    let mut tally = Tally::default();
    let tested = cargo::run_heard(
        root,
        &["test", "--workspace", "--locked", "--no-fail-fast"],
        |line| tally.add(line),
    );
    println!("{}", tally.summary());
    tested
}
