//! The arguments of `weir bench`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    /// The subset that is done within ten minutes, on smaller data; writes no report unless --out names a folder
    #[arg(long)]
    pub(crate) quick: bool,
    /// What is printed: a table, or one array of {workload, measured, goal, unit, ok}
    #[arg(long, value_enum, default_value_t = BenchFormat::Table)]
    pub(crate) format: BenchFormat,
    /// Measure this alone; may be given several times [default: all]
    #[arg(long, value_enum, value_name = "WORKLOAD")]
    pub(crate) only: Vec<BenchWorkload>,
    /// Scale of the generated data: 1 is six million rows [default: 5, in a quick run 1]
    #[arg(long, value_name = "N")]
    pub(crate) scale: Option<f64>,
    /// Rows of the largest table of `scale`, `memory` and `models` [default: 100,000,000, in a quick run the scale's]
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<u64>,
    /// Turns that count [default: 7, in a quick run 3]
    #[arg(long, value_name = "N")]
    pub(crate) turns: Option<usize>,
    /// Earlier cells of the largest ledger [default: 1,000,000, in a quick run 10,000]
    #[arg(long, value_name = "N")]
    pub(crate) ledger_cells: Option<u64>,
    /// How long each number of clients sends small runs, in seconds [default: 15, in a quick run 5]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) service_seconds: Option<f64>,
    /// Who is protected in the generated data
    #[arg(long, value_enum, default_value_t = BenchUnit::Order)]
    pub(crate) unit: BenchUnit,
    /// The Python whose packages are measured beside Weir (duckdb, pyarrow, opendp[polars], acro)
    #[arg(long, default_value = "python3", value_name = "PATH")]
    pub(crate) python: PathBuf,
    /// The program that runs arrow-udf-runtime (see benches/README.md)
    #[arg(
        long,
        default_value = "benches/arrow-udf/target/release/weir-bench-arrow-udf",
        value_name = "PATH"
    )]
    pub(crate) arrow_udf: PathBuf,
    /// Folder for generated data and sealed snapshots, which later runs find again
    #[arg(long, default_value = "target/bench-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Folder for the report: README.md, charts, report.json [default: benches/results/VERSION]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The report.json of an earlier run: says what became worse, and fails where something did
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// Measure nothing: put the report.json of runs of single workloads together into one report; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) join: Vec<PathBuf>,
    /// What another process of this program asked for
    #[arg(long, hide = true, value_name = "TASK")]
    pub(crate) task: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchFormat {
    /// For reading
    Table,
    /// For programs
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchUnit {
    /// The order, of four rows
    Order,
    /// The customer, of forty rows
    Customer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchWorkload {
    /// Ten reporting queries, all checks on
    Queries,
    /// Scoring with row isolation
    Models,
    /// Registration
    Registration,
    /// Small runs over gRPC, 1 to 64 clients
    Service,
    /// A ledger with a history
    Ledger,
    /// Rows and threads
    Scale,
    /// Largest resident memory
    Memory,
    /// Noise
    Noise,
    /// Disclosure checks on real data
    Disclosure,
}
