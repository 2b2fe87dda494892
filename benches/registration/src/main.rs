//! Registration and scans of the vault, measured beside what one would use instead.
//!
//! **For**: `registration compare`, registering generated line items of TPC-H from CSV (parse, check, code units, sort,
//! seal) beside DuckDB's `COPY (SELECT … ORDER BY unit) TO parquet`; `registration scan`, reading a sealed snapshot
//! beside the same Parquet in the clear. Each measurement is a process of its own, so that its peak memory is its own.
//!
//! **Not for**: the cost of models or of evidence; those have harnesses of their own.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's output"
)]

mod data;
mod measure;
mod scan;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every part here returns: a message for the terminal.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
struct Args {
    /// Folder for generated files, vaults and outputs
    #[arg(long, default_value = "target/bench-data")]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register beside DuckDB, taking turns
    Compare {
        /// Rows, about: the scale of TPC-H is rows / 6,000,000
        #[arg(long, default_value_t = 3_000_000)]
        rows: u64,
        /// The column that names the unit
        #[arg(long, default_value = "l_orderkey")]
        unit: String,
        /// Turns
        #[arg(long, default_value_t = 3)]
        turns: usize,
        /// A Python with the package duckdb; without it Weir is measured alone
        #[arg(long)]
        python: Option<PathBuf>,
    },
    /// Scan a sealed snapshot and the same Parquet in the clear, taking turns
    Scan {
        /// Rows, about
        #[arg(long, default_value_t = 3_000_000)]
        rows: u64,
        /// Turns
        #[arg(long, default_value_t = 9)]
        turns: usize,
    },
    /// Register one file and print what it took (what `compare` starts)
    #[command(hide = true)]
    Register {
        /// The CSV file
        csv: PathBuf,
        /// The column that names the unit
        unit: String,
    },
}

fn main() -> ExitCode {
    let Args { data, command } = Args::parse();
    let done = match command {
        Command::Compare {
            rows,
            unit,
            turns,
            python,
        } => measure::compare(&data, rows, &unit, turns, python.as_deref()),
        Command::Scan { rows, turns } => scan::compare(&data, rows, turns),
        Command::Register { csv, unit } => measure::register(&data, &csv, &unit),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("registration: {error}");
            ExitCode::FAILURE
        }
    }
}
