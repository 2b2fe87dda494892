//! Registration, in a process of its own, beside DuckDB in one of its own.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use weir_vault::{MasterKey, Source, Vault};

use crate::{Result, data};

/// What one process took.
#[derive(Debug, Serialize, Deserialize)]
struct Taken {
    seconds: f64,
    rows: u64,
    /// Largest resident memory of the process, in MiB.
    peak_mib: f64,
    /// Size of what was written, in MiB.
    written_mib: f64,
}

/// DuckDB's side: the same file, sorted by the unit, to Parquet.
const DUCKDB: &str = r#"
import duckdb, json, os, resource, sys, time
csv, out, unit, threads = sys.argv[1:5]
con = duckdb.connect()
con.execute(f"SET threads={threads}; SET enable_progress_bar=false")
start = time.time()
con.execute(f"COPY (SELECT * FROM read_csv('{csv}') ORDER BY {unit}) TO '{out}' (FORMAT parquet)")
seconds = time.time() - start
rows = con.execute(f"SELECT count(*) FROM '{out}'").fetchone()[0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(dict(seconds=seconds, rows=rows, peak_mib=peak, written_mib=os.path.getsize(out) / 2**20)))
"#;

/// Takes turns and prints a line for each.
pub(crate) fn compare(
    folder: &Path,
    rows: u64,
    unit: &str,
    turns: usize,
    python: Option<&Path>,
) -> Result<()> {
    let csv = data::csv(folder, rows)?;
    let csv_mib = csv.metadata()?.len() as f64 / f64::from(1 << 20);
    let threads = std::thread::available_parallelism()?;
    println!("{rows} rows asked for, {csv_mib:.0} MiB of CSV, unit {unit}, {threads} threads");
    println!("turn  who     seconds    rows      rows/s  peak MiB  written MiB");
    let mut ratios = Vec::new();
    for turn in 1..=turns {
        let weir = taken(
            Command::new(std::env::current_exe()?)
                .arg("--data")
                .arg(folder)
                .arg("register")
                .args([csv.as_os_str(), unit.as_ref()]),
        )?;
        line(turn, "weir", &weir);
        let Some(python) = python else { continue };
        let out = folder.join("duckdb.parquet");
        let duckdb = taken(
            Command::new(python)
                .args(["-c", DUCKDB])
                .args([csv.as_os_str(), out.as_os_str(), unit.as_ref()])
                .arg(threads.to_string()),
        )?;
        line(turn, "duckdb", &duckdb);
        if duckdb.rows != weir.rows {
            return Err("the two did not write the same number of rows".into());
        }
        ratios.push(weir.seconds / duckdb.seconds);
    }
    ratios.sort_by(f64::total_cmp);
    if let (Some(low), Some(high)) = (ratios.first(), ratios.last()) {
        let median = ratios[ratios.len() / 2];
        println!("weir ÷ duckdb: {median:.2} ({low:.2}–{high:.2})");
    }
    Ok(())
}

fn line(turn: usize, who: &str, taken: &Taken) {
    println!(
        "{turn:>4}  {who:<6} {:>8.1} {:>9} {:>9.0} {:>9.0} {:>9.0}",
        taken.seconds,
        taken.rows,
        taken.rows as f64 / taken.seconds,
        taken.peak_mib,
        taken.written_mib
    );
}

fn taken(command: &mut Command) -> Result<Taken> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Registers one file into a new vault and prints what it took.
pub(crate) fn register(folder: &Path, csv: &Path, unit: &str) -> Result<()> {
    let manifest = data::manifest(unit)?;
    let (vault, _) = new_vault(folder)?;
    let start = Instant::now();
    let mut carry_on = |_| ControlFlow::Continue(());
    let staged = vault.ingest(&manifest, &Source::file(csv), 0, &mut carry_on)?;
    let meta = staged.commit()?;
    let seconds = start.elapsed().as_secs_f64();
    let taken = Taken {
        seconds,
        rows: meta.rows,
        peak_mib: peak_mib()?,
        written_mib: meta.bytes as f64 / f64::from(1 << 20),
    };
    println!("{}", serde_json::to_string(&taken)?);
    Ok(())
}

/// An empty vault where the last one was, and the folder it lies in.
pub(crate) fn new_vault(folder: &Path) -> Result<(Vault, std::path::PathBuf)> {
    let place = folder.join("vault");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir_all(&place)?;
    let key = MasterKey::create(&place.join("master.key"))?;
    Ok((Vault::create(&place.join("vault"), key)?, place))
}

/// Largest resident memory of this process so far, as Linux counts it.
pub(crate) fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmHWM")?.trim().parse::<f64>()? / 1024.0)
}

/// Processor time of this process so far, in seconds, to a hundredth.
pub(crate) fn processor_s() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold spaces, the 12th and 13th field are ticks of a hundredth of a second.
    let (_, fields) = status.rsplit_once(')').ok_or("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks
        .map(str::parse::<f64>)
        .sum::<std::result::Result<f64, _>>()?;
    Ok(ticks / 100.0)
}
