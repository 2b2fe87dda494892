//! Measures Weir beside what people would use instead: on the same data, in the same run, in turns.
//!
//! **For**: [`run`], which `weir bench` calls: it makes its own data, starts the peers that are there, checks that all systems
//! answer alike, times them in turns, and answers a [`Report`] with ratios, spreads, every sample and what has a goal.
//!
//! **Not for**: anything of a domain. It opens no vault, log or registry but those that it makes itself in its own folder, of
//! generated or bundled public data; so it may read answers that no log speaks of. What one function costs is measured by
//! `cargo bench` (`benches/micro.rs`).
//!
//! **How it is laid out**: `workloads/` has a module for each workload, `peers/` what speaks to the peers, whose own programs
//! are in `py/`; `data/` makes and keeps tables, `checked.rs` is Weir's side of a query and `plain.rs` the bare engine's,
//! `child.rs` what runs in a process of its own, `report/` what becomes of it.
//!
//! **Invariants**
//! - Nothing is timed whose answer was not compared with that of the others first.
//! - Contenders take turns, and who goes first changes; ratios are taken within a turn.
//! - A peer that is not there is a line in the report, never an error, and never a met goal.
//! - A report names processors and versions, never a machine.

mod bench;
mod checked;
mod child;
mod data;
mod equal;
mod error;
mod figure;
mod machine;
mod memory;
mod options;
mod peers;
mod plain;
mod report;
mod samples;
mod workloads;

pub use bench::Say;
pub use child::child;
pub use error::{BenchError, Family, Result};
pub use figure::{Figure, Goal};
pub use machine::Machine;
pub use options::{Options, ROWS_AT_SCALE_1, UnitOf, Workload};
pub use report::{Change, Chart, Comparison, Drawn, Report, Section, Table};
pub use samples::Samples;

use std::time::Instant;

use chrono::{SecondsFormat, Utc};

/// Measures what is asked for. `say` hears what is being done. Blocks for as long as it takes, and starts threads of its own:
/// not to be called on a thread that drives asynchronous work.
///
/// # Errors
/// [`BenchError`]: where answers differ, a peer breaks, or the folder cannot be used.
pub fn run(options: &Options, say: Say<'_>) -> Result<Report> {
    let (start, began) = (Instant::now(), Utc::now());
    data::made(&options.data)?;
    let bench = bench::Bench::new(options, say)?;
    let mut sections = Vec::new();
    for workload in &options.workloads {
        bench.say(&format!("workload `{}`", workload.name()));
        sections.push(workloads::run(&bench, *workload)?);
    }
    Ok(Report {
        form: report::FORM,
        began: began.to_rfc3339_opts(SecondsFormat::Secs, true),
        took_s: start.elapsed().as_secs_f64(),
        runs: 1,
        options: options.clone(),
        machine: Machine::here(),
        versions: bench.versions.into_inner(),
        skipped: bench.skipped.into_inner(),
        sections,
    })
}
