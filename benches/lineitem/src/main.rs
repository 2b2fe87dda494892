//! Registration, scans and checked aggregates over generated line items, measured beside what one would use instead.
//!
//! **For**: `compare`, registering generated line items of TPC-H from CSV (parse, check, code units, sort,
//! seal) beside DuckDB's `COPY (SELECT … ORDER BY unit) TO parquet`; `scan`, reading a sealed snapshot
//! beside the same Parquet in the clear; `checks`, aggregates with every check of the default policy beside the plain
//! engine over the same sealed file, and beside k-anonymity written by hand for DuckDB. Each measurement of `compare` is a process of its own, so that its peak memory is its own.
//!
//! **Not for**: the cost of models, which has a harness of its own.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's output"
)]

mod checks;
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
    /// Aggregate with every check beside the plain engine and beside DuckDB, taking turns
    Checks {
        /// Rows, about
        #[arg(long, default_value_t = 3_000_000)]
        rows: u64,
        /// The unit: `order`, or `customer`, joined in at registration
        #[arg(long, default_value = "order")]
        unit: String,
        /// Turns
        #[arg(long, default_value_t = 5)]
        turns: usize,
        /// A Python with the package duckdb; without it DuckDB is left out
        #[arg(long)]
        python: Option<PathBuf>,
        /// Only the queries whose name begins so, such as `4 cells`
        #[arg(long, default_value = "")]
        only: String,
        /// Another query instead, such as `SELECT l_shipmode, COUNT(*) FROM lineitem GROUP BY 1`, without DuckDB
        #[arg(long)]
        ask: Option<String>,
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
        Command::Checks {
            rows,
            unit,
            turns,
            python,
            only,
            ask,
        } => {
            let asked = checks::Asked { only, instead: ask };
            checks::compare(&data, (rows, &unit), turns, python.as_deref(), &asked)
        }
        Command::Register { csv, unit } => measure::register(&data, &csv, &unit),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lineitem: {error}");
            ExitCode::FAILURE
        }
    }
}
