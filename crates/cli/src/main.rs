//! `weir`: the command line of a domain, for its staff, its operators and its auditors.
//!
//! **For**: turning arguments into calls of `weir-client` (or, for `init` and `serve`, of `weir-server`) and answers into
//! tables, JSON or CSV.
//!
//! **Not for**: any logic another client would need: that belongs to `client` or behind the contract.
//!
//! **Invariants**: results go to standard output and nothing else does; progress and errors go to standard error; the
//! exit code is 0 on success, 1 on a refusal or failure, 2 on wrong usage.

mod args;
mod commands;
mod error;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    commands::keep_panics_silent();
    commands::start_logging(&args);
    match commands::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
