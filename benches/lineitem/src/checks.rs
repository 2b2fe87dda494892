//! Aggregates with every check of the default policy, beside the plain engine and beside what one would write by hand.
//!
//! Weir's side is all of a run between the snapshot and the released table: planning, computing with evidence and sets of
//! units, judging, asking an empty ledger and recording in it, rounding. *Alone* is the same with every check of the table by
//! itself and without what the ledger compares: no sets of units. The plain engine's side is the same aggregate over the same sealed files, without a check, with as many
//! partitions as the machine has threads. DuckDB's side is k-anonymity and dominance as a careful analyst would write them:
//! `HAVING count(DISTINCT unit) >= 10` and the two largest units of each group, over plain Parquet.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::Runtime;
use weir_gate::{GateError, Past, Verdict};
use weir_inside::{
    ColumnRights, Declared, Depth, Limits, Plan, Query, RelationSource, Sources, UnitSource,
};
use weir_ledger::rounding::CoinKey;
use weir_ledger::{Ledger, LedgerKey};
use weir_policy::Policy;
use weir_vault::Source;

use crate::{Result, data, measure, scan};

/// What is asked, by how many cells it has, about: keys, and numbers over them.
const QUERIES: [(&str, &str, &str); 3] = [
    (
        "4 cells",
        "l_returnflag, l_linestatus",
        "SUM(l_quantity), AVG(l_extendedprice), COUNT(*)",
    ),
    (
        "588 cells",
        "date_trunc('month', l_shipdate), l_shipmode",
        "SUM(l_extendedprice), COUNT(*)",
    ),
    (
        "1,000 cells",
        "l_suppkey % 1000",
        "SUM(l_quantity), COUNT(*)",
    ),
];

/// DuckDB's side: the same numbers for groups of 10 units or more, of which the two largest hold less than 90 %.
const DUCKDB: &str = r#"
import duckdb, sys, time
clear, threads = sys.argv[1:3]
con = duckdb.connect()
con.execute(f"SET threads={threads}; SET enable_progress_bar=false")
con.execute(f"CREATE VIEW lineitem AS SELECT * FROM read_parquet('{clear}')")
for line in sys.stdin:
    start = time.time()
    rows = con.execute(line).fetchall()
    print(time.time() - start, len(rows), flush=True)
"#;

/// The ten-unit threshold and the dominance of two, by hand.
fn by_hand(keys: &str, numbers: &str, summed: &str) -> String {
    format!(
        "WITH per_unit AS (SELECT {keys_named}, weir_unit, abs(sum({summed})) AS part FROM lineitem GROUP BY ALL), \
         largest AS (SELECT {names}, sum(part) AS total, list_sum(max(part, 2)) AS top2 FROM per_unit GROUP BY {names}), \
         cells AS (SELECT {keys_named}, {numbers} FROM lineitem GROUP BY {names} HAVING count(DISTINCT weir_unit) >= 10) \
         SELECT cells.* FROM cells JOIN largest USING ({names}) WHERE top2 < 0.9 * total",
        keys_named = named(keys),
        names = names(keys),
    )
}

fn named(keys: &str) -> String {
    let keys = split(keys);
    let named = keys
        .iter()
        .enumerate()
        .map(|(at, key)| format!("{key} AS k{at}"));
    named.collect::<Vec<_>>().join(", ")
}

fn names(keys: &str) -> String {
    let names = (0..split(keys).len()).map(|at| format!("k{at}"));
    names.collect::<Vec<_>>().join(", ")
}

/// Keys at the commas outside parentheses.
fn split(keys: &str) -> Vec<String> {
    let (mut found, mut depth) = (vec![String::new()], 0);
    for character in keys.chars() {
        depth += i32::from(character == '(') - i32::from(character == ')');
        match (character, depth, found.last_mut()) {
            (',', 0, _) => found.push(String::new()),
            (_, _, Some(key)) => key.push(character),
            _ => {}
        }
    }
    found.iter().map(|key| key.trim().to_owned()).collect()
}

/// What is asked.
pub(crate) struct Asked {
    /// How the names of the queries begin that are asked.
    pub(crate) only: String,
    /// One that is asked instead of all.
    pub(crate) instead: Option<String>,
}

impl Asked {
    /// Each by its name, as Weir and the plain engine are asked, and by hand.
    fn queries(&self) -> Vec<(&str, String, Option<String>)> {
        if let Some(sql) = &self.instead {
            return vec![("asked", sql.clone(), None)];
        }
        let of = |(name, keys, numbers): (&'static str, &str, &str)| {
            let sql = format!("SELECT {keys}, {numbers} FROM lineitem GROUP BY {keys}");
            let summed = numbers.split(['(', ')']).nth(1).unwrap_or_default();
            (name, sql, Some(by_hand(keys, numbers, summed)))
        };
        let queries = QUERIES.into_iter();
        let queries = queries.filter(|(name, ..)| name.starts_with(&self.only));
        queries.map(of).collect()
    }
}

/// Registers, and aggregates in turns.
pub(crate) fn compare(
    folder: &Path,
    (rows, unit): (u64, &str),
    turns: usize,
    python: Option<&Path>,
    asked: &Asked,
) -> Result<()> {
    let (csv, unit) = match unit {
        "order" => (data::csv(folder, rows)?, "l_orderkey"),
        "customer" => (data::csv_with_customers(folder, rows)?, data::CUSTOMER),
        other => return Err(format!("the unit is `order` or `customer`, not `{other}`").into()),
    };
    let (vault, place) = measure::new_vault(folder)?;
    let manifest = data::manifest(unit)?;
    let mut carry_on = |_| std::ops::ControlFlow::Continue(());
    let staged = vault.ingest(&manifest, &Source::file(&csv), 0, &mut carry_on)?;
    let table = vault.table(&staged.commit()?.id)?;
    let threads = std::thread::available_parallelism()?.get();
    // Threads of their own for each side, so that a profile tells them apart.
    let named = |name: &str| {
        tokio::runtime::Builder::new_multi_thread()
            .thread_name(name)
            .enable_all()
            .build()
    };
    let (runtime, plain_runtime) = (named("checked")?, named("plain")?);
    runtime.block_on(async {
        let plain = SessionContext::new_with_config(
            SessionConfig::new()
                .with_target_partitions(threads)
                .with_round_robin_repartition(false),
        );
        plain.register_table("lineitem", Arc::clone(&table))?;
        let mut duckdb = match python {
            Some(python) => {
                let clear = place.join("clear");
                scan::write_clear_of(&plain, "lineitem", &clear).await?;
                Some(Duckdb::start(python, &clear.join("*.parquet"), threads)?)
            }
            None => None,
        };
        println!("{rows} rows asked for, unit {unit}, {threads} threads");
        if asked.only.is_empty() && asked.instead.is_none() {
            refused(&table, unit).await?;
        }
        for (name, sql, by_hand) in asked.queries() {
            let (mut to_plain, mut to_duckdb, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
            let (mut computed, mut alone) = (Vec::new(), Vec::new());
            let mut to_plain_cpu = Vec::new();
            for _ in 0..turns {
                let begun_s = measure::processor_s()?;
                let (computed_s, checked_s, cells) = checked(&sql, &table, unit).await?;
                let between_s = measure::processor_s()?;
                let (plain_s, plain_cells) = plainly(&plain_runtime, &plain, &sql).await?;
                let ended_s = measure::processor_s()?;
                to_plain_cpu.push((between_s - begun_s) / (ended_s - between_s));
                to_plain.push(checked_s / plain_s);
                computed.push(computed_s / plain_s);
                alone.push(checked_alone(&sql, &table, unit).await? / plain_s);
                seconds.push(checked_s);
                if cells > plain_cells {
                    return Err("more cells were released than there are".into());
                }
                if let (Some(duckdb), Some(by_hand)) = (&mut duckdb, &by_hand) {
                    let (duckdb_s, duckdb_cells) = duckdb.ask(by_hand)?;
                    to_duckdb.push(duckdb_s / checked_s);
                    if duckdb_cells < cells {
                        return Err("more cells were released than pass by hand".into());
                    }
                }
            }
            println!(
                "{name:<12} checked {:>7.3} s   checked ÷ plain {}   of it before the ledger {}   checks alone ÷ plain {}   by processor time {}   by hand in DuckDB ÷ checked {}",
                median(&mut seconds).0,
                spread(&mut to_plain),
                spread(&mut computed),
                spread(&mut alone),
                spread(&mut to_plain_cpu),
                spread(&mut to_duckdb)
            );
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    plain_runtime.shutdown_background();
    Ok(())
}

fn median(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
    (
        at(values.len() / 2),
        at(0),
        at(values.len().saturating_sub(1)),
    )
}

fn spread(values: &mut [f64]) -> String {
    if values.is_empty() {
        return "–".to_owned();
    }
    let (median, low, high) = median(values);
    format!("{median:.2} ({low:.2}–{high:.2})")
}

/// A key for each row: more groups than a run may make. Tells how soon that is refused, and the memory it took.
async fn refused(table: &Arc<dyn TableProvider>, unit: &str) -> Result<()> {
    let before_mib = measure::peak_mib()?;
    let start = Instant::now();
    let plan = planned(
        "SELECT l_orderkey, l_linenumber, l_comment, COUNT(*) FROM lineitem GROUP BY 1, 2, 3"
            .replace(
                "l_orderkey",
                if unit == "l_orderkey" {
                    "l_partkey"
                } else {
                    "l_orderkey"
                },
            )
            .as_str(),
        table,
        unit,
        depth(),
    )?;
    match plan.compute(Limits::default()).await {
        Err(error) => println!(
            "a key for each row: {} in {:.2} s, peak {:.0} MiB (before: {before_mib:.0})",
            error.code(),
            start.elapsed().as_secs_f64(),
            measure::peak_mib()?
        ),
        Ok(_) => return Err("so many groups were made".into()),
    }
    Ok(())
}

/// A run from the snapshot to the released table; tells the time until the gate has its cells, the whole, and how many
/// cells it released.
async fn checked(
    sql: &str,
    table: &Arc<dyn TableProvider>,
    unit: &str,
) -> Result<(f64, f64, usize)> {
    let start = Instant::now();
    let plan = planned(sql, table, unit, depth())?;
    let unreleased = plan.compute(Limits::default()).await?;
    let computed_s = start.elapsed().as_secs_f64();
    let mut ledger = Ledger::in_memory([7; 16]);
    let mut past = Past {
        history: &mut ledger,
        coins: &CoinKey::new(&LedgerKey::new([7; 32]))?,
        snapshots: [7; 32],
        release: "run".to_owned(),
    };
    let cells = match weir_gate::judge(unreleased, &Policy::built_in_default(), &mut past)? {
        Verdict::Release(judged) => {
            let recorded = judged.record_units(&mut ledger)?;
            recorded.record().cells_released
        }
        Verdict::Review(_) => return Err(GateError::Review.into()),
    };
    let checked_s = start.elapsed().as_secs_f64();
    Ok((computed_s, checked_s, usize::try_from(cells)?))
}

/// The time of a run whose table is judged by itself.
async fn checked_alone(sql: &str, table: &Arc<dyn TableProvider>, unit: &str) -> Result<f64> {
    let start = Instant::now();
    let plan = planned(sql, table, unit, depth().without_history())?;
    let unreleased = plan.compute(Limits::default()).await?;
    match weir_gate::judge_without_history(unreleased, &Policy::built_in_default())? {
        Verdict::Release(_) => Ok(start.elapsed().as_secs_f64()),
        Verdict::Review(_) => Err(GateError::Review.into()),
    }
}

/// What the default policy wants to know of each cell.
fn depth() -> Depth {
    Depth::of(&Policy::built_in_default())
}

fn planned(sql: &str, table: &Arc<dyn TableProvider>, unit: &str, depth: Depth) -> Result<Plan> {
    let query = Query::parse(sql)?;
    let columns = table.schema();
    let rights = columns.fields().iter().map(|field| ColumnRights {
        name: field.name().clone(),
        read: true,
        group: true,
        compare: true,
        is_public: false,
        is_sensitive: false,
        // Every key of the queries is declared: how many levels a key may have is not what is measured.
        declared: Declared::Bounds(None),
        bounds: None,
    });
    let sources = Sources {
        relations: vec![RelationSource {
            dataset: "lineitem".to_owned(),
            table: Arc::clone(table),
            units: vec![UnitSource {
                identifier: unit.to_owned(),
                population: "units".to_owned(),
            }],
            rights: rights.collect(),
            structural: Vec::new(),
            model: None,
        }],
    };
    Ok(Plan::new(&query, &sources, depth)?)
}

async fn plainly(on: &Runtime, plain: &SessionContext, sql: &str) -> Result<(f64, usize)> {
    let start = Instant::now();
    let answer = plain.sql(sql).await?.collect();
    let batches = on.spawn(answer).await??;
    let cells = batches.iter().map(RecordBatch::num_rows).sum();
    Ok((start.elapsed().as_secs_f64(), cells))
}

/// DuckDB in a process of its own, which answers one query a line.
struct Duckdb {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Duckdb {
    fn start(python: &Path, clear: &Path, threads: usize) -> Result<Self> {
        let mut process = Command::new(python)
            .args(["-c", DUCKDB])
            .arg(clear)
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = process.stdin.take().ok_or("no way to ask DuckDB")?;
        let answers = process.stdout.take().ok_or("no way to hear DuckDB")?;
        Ok(Self {
            process,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// Seconds and cells.
    fn ask(&mut self, sql: &str) -> Result<(f64, usize)> {
        writeln!(self.questions, "{sql}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let (seconds, cells) = answer
            .trim()
            .split_once(' ')
            .ok_or("DuckDB did not answer")?;
        Ok((seconds.parse()?, cells.parse()?))
    }
}

impl Drop for Duckdb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
