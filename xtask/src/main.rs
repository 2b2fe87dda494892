//! Repository tasks, run as `cargo xtask TASK`.
//!
//! - `check` is what continuous integration runs: format, housekeeping rules, dependency rules, lints, tests.
//! - `fix` mends what a machine can mend.
//! - `tidy` runs the housekeeping rules alone; the tests of this crate run them too.
//! - `soak` runs small queries at full load for some minutes and says how many, and whether memory grows; with `--mixed`
//!   many clients make calls of every kind while the server is killed: nothing is lost, nothing is done twice.
//! - `sequences` plays thousands of random sequences of calls against the rules of who may do what.
//! - `attacks` attacks a domain in every way we know and writes the scoreboard; `utility` reports what the defences cost.
//! - `models` rebuilds the example models and compares them with the committed files.
//!
//! A task never touches the network on its own account: cargo fetches crates where they are not there yet, and the
//! model toolchains are the developer's to install.

mod attacks;
mod cargo;
mod check;
mod fix;
mod models;
mod soak;
mod tally;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks for working on this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything that continuous integration checks; the first failure ends it
    Check,
    /// Format, apply the lints' own suggestions and remove trailing whitespace
    Fix,
    /// Run the housekeeping rules alone
    Tidy,
    /// Small runs at full load for some minutes: how many a minute, how long an append takes, whether memory grows
    Soak {
        /// For how long
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
        /// Instead: calls of every kind by many clients, and a server that is killed in between
        #[arg(long)]
        mixed: bool,
        /// Clients at once, with --mixed
        #[arg(long, default_value_t = 200)]
        clients: u64,
        /// Calls in all, with --mixed
        #[arg(long, default_value_t = 10_000)]
        calls: u64,
        /// Kills in between, with --mixed
        #[arg(long, default_value_t = 5)]
        kills: u64,
        /// What the calls and the moments of the kills follow from, with --mixed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Measure optimised code
        #[arg(long)]
        release: bool,
        /// Kill server, witnesses and clients at random meanwhile, and show that nothing is lost
        #[arg(long)]
        kill: bool,
    },
    /// Random sequences of calls by everybody, held against the rules written down a second time
    Sequences {
        /// How many; a thousand take about a quarter of an hour
        #[arg(long, default_value_t = 2_000)]
        count: u32,
        /// What they follow from; it is printed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Of tables in the airlock, instead of applications, grants, products and models
        #[arg(long)]
        airlock: bool,
    },
    /// Run every attack under every defence and write `tests/attacks/SCOREBOARD.md`; fails where one gets through that may not
    Attacks {
        /// Only the attacks whose name has this in it; nothing is written then
        #[arg(long)]
        only: Option<String>,
    },
    /// Report the share of cells and units that reasonable questions get, in `tests/attacks/UTILITY.md`
    Utility,
    /// Rebuild the example models from their sources
    Models {
        /// Compare with the committed files instead of writing them
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let root = repository_root();
    let outcome = match Arguments::parse().task {
        Task::Check => check::run(&root),
        Task::Fix => fix::run(&root),
        Task::Tidy => tidy::run(&root),
        Task::Soak {
            mixed: true,
            clients,
            calls,
            kills,
            seed,
            release,
            ..
        } => {
            let of = soak::Mixed {
                clients,
                calls,
                kills,
                seed,
            };
            soak::mixed(&root, of, release)
        }
        Task::Soak {
            minutes,
            release,
            kill,
            ..
        } => soak::run(&root, minutes, release, kill),
        Task::Sequences {
            count,
            seed,
            airlock,
        } => soak::sequences(&root, (count, seed), airlock),
        Task::Attacks { only } => attacks::scoreboard(&root, only.as_deref()),
        Task::Utility => attacks::utility(&root),
        Task::Models { check } => models::run(check),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository: the folder above this crate's. Cargo names the crate's folder at run time; the path compiled in
/// serves a binary that is started by hand.
fn repository_root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or(xtask.clone(), PathBuf::from)
}
