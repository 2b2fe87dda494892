//! Tasks that are done in a process of their own: its largest resident memory is theirs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::bench::runtime;
use crate::checked::{Asker, new_ledger};
use crate::data::{self, Sealed};
use crate::error::{BenchError, Result, failed};
use crate::machine::threads;
use crate::memory;
use crate::options::UnitOf;
use crate::plain;
use crate::workloads::{REPORTING, models};

/// A task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "task")]
pub(crate) enum Task {
    /// Register a CSV file into a new vault in a folder.
    Register {
        csv: PathBuf,
        folder: PathBuf,
        unit: UnitOf,
    },
    /// Run a query, checked or plain, some times.
    Query {
        data: PathBuf,
        rows: u64,
        unit: UnitOf,
        /// Threads to compute on; none for all.
        threads: Option<usize>,
        /// Which of the ten; none for all, one after the other.
        query: Option<usize>,
        checked: bool,
        turns: usize,
    },
    /// Run a model over all rows, with all checks.
    Score {
        data: PathBuf,
        rows: u64,
        unit: UnitOf,
        turns: usize,
    },
}

/// What a task took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// Of each turn.
    pub(crate) seconds: Vec<f64>,
    /// Rows that were read or written.
    pub(crate) rows: u64,
    /// Of the process, in MiB.
    pub(crate) peak_mib: f64,
    /// Size of what was written, in bytes.
    pub(crate) written_bytes: u64,
}

/// Does the task that another process of this program asked for, and answers what it took, as JSON.
///
/// # Errors
/// As the task's workload.
pub fn child(task: &str) -> Result<String> {
    let task: Task = serde_json::from_str(task).map_err(failed("reading a task"))?;
    serde_json::to_string(&done(&task)?).map_err(failed("writing what a task took"))
}

/// Has it done in a process of its own.
pub(crate) fn start(program: &PathBuf, arguments: &[String], task: &Task) -> Result<Taken> {
    let what = "a task in a process of its own";
    let text = serde_json::to_string(task).map_err(failed(what))?;
    let output = Command::new(program)
        .args(arguments)
        .arg(text)
        .output()
        .map_err(|error| BenchError::file(program, error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(what)(said));
    }
    serde_json::from_slice(&output.stdout).map_err(failed(what))
}

/// Does it in this process.
pub(crate) fn done(task: &Task) -> Result<Taken> {
    memory::forget_peak();
    match task {
        Task::Register { csv, folder, unit } => register(csv, folder, *unit),
        Task::Query {
            data,
            rows,
            unit,
            threads: asked,
            query,
            checked,
            turns,
        } => {
            let sealed = Sealed::line_items(data, *rows, *unit, &|_| {})?;
            let threads = asked.unwrap_or_else(threads);
            let queries = match query {
                Some(at) => std::slice::from_ref(&REPORTING[*at % REPORTING.len()]),
                None => &REPORTING,
            };
            let sql: Vec<String> = queries.iter().map(|query| query.plain()).collect();
            match checked {
                true => asked_of_weir(
                    &Asker::new(&sealed, None)?,
                    &sealed,
                    &sql,
                    (threads, *turns),
                ),
                false => asked_plainly(&sealed, &sql, (threads, *turns)),
            }
        }
        Task::Score {
            data,
            rows,
            unit,
            turns,
        } => {
            let sealed = Sealed::line_items(data, *rows, *unit, &|_| {})?;
            let asker = Asker::new(&sealed, Some(models::source()?))?;
            let sql = [models::CHECKED.to_owned()];
            asked_of_weir(&asker, &sealed, &sql, (threads(), *turns))
        }
    }
}

fn asked_of_weir(
    asker: &Asker,
    sealed: &Sealed,
    sql: &[String],
    (threads, turns): (usize, usize),
) -> Result<Taken> {
    let runtime = runtime(threads)?;
    let mut seconds = Vec::new();
    // The first does not count.
    for _ in 0..=turns {
        let mut sum = 0.0;
        for sql in sql {
            let folder = sealed.folder.join(format!("ledger-{}", std::process::id()));
            let mut ledger = new_ledger(&folder)?;
            sum += runtime.block_on(asker.ask(sql, &mut ledger))?.whole_s;
            drop(ledger);
            std::fs::remove_dir_all(&folder).map_err(|error| BenchError::file(&folder, error))?;
        }
        seconds.push(sum);
    }
    taken(seconds, sealed)
}

fn asked_plainly(
    sealed: &Sealed,
    sql: &[String],
    (threads, turns): (usize, usize),
) -> Result<Taken> {
    let runtime = runtime(threads)?;
    let context = plain::session(sealed, threads)?;
    let mut seconds = Vec::new();
    for _ in 0..=turns {
        let mut sum = 0.0;
        for sql in sql {
            sum += runtime.block_on(plain::asked(&context, sql))?.0;
        }
        seconds.push(sum);
    }
    taken(seconds, sealed)
}

fn taken(mut seconds: Vec<f64>, sealed: &Sealed) -> Result<Taken> {
    if seconds.len() > 1 {
        seconds.remove(0);
    }
    Ok(Taken {
        seconds,
        rows: sealed.meta.rows,
        peak_mib: memory::peak_mib()?,
        written_bytes: 0,
    })
}

fn register(csv: &std::path::Path, folder: &std::path::Path, unit: UnitOf) -> Result<Taken> {
    data::empty(folder)?;
    let manifest = data::manifest(unit)?;
    let vault = data::new_vault(folder)?;
    let start = Instant::now();
    let mut carry_on = |_| std::ops::ControlFlow::Continue(());
    let source = weir_vault::Source::file(csv);
    let staged = vault.ingest(&manifest, &source, 0, &mut carry_on);
    let meta = staged.map_err(failed("registering"))?.commit();
    let meta = meta.map_err(failed("registering"))?;
    Ok(Taken {
        seconds: vec![start.elapsed().as_secs_f64()],
        rows: meta.rows,
        peak_mib: memory::peak_mib()?,
        written_bytes: meta.bytes,
    })
}
