//! What one step costs: evidence beside the plain aggregate, the gate, the ledger, the log. `cargo bench`.
//!
//! Figures are for whoever changes one of them; what Weir costs as a whole is measured by `weir bench`.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::Runtime;
use weir_audit::{Actor, Entry, Event, Log, LogKey, Timestamp};
use weir_inside::{
    ColumnRights, Declared, Depth, Limits, Plan, Query, RelationSource, Sources, UnitSource,
};
use weir_ledger::{Cell, History, Ledger, Question, Release, RoaringBitmap, Selection, Verdict};
use weir_policy::Policy;

const UNITS: u32 = 50_000;
const ROWS_PER_UNIT: u32 = 4;
const ROWS: u32 = UNITS * ROWS_PER_UNIT;
/// Of the tables.
const CELLS: [i64; 3] = [4, 100, 1_000];

fn main() {
    divan::main();
}

/// Rows in the order of their units, in four partitions of whole units.
fn table() -> Arc<MemTable> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("weir_unit", DataType::UInt32, false),
        Field::new("k", DataType::Int64, true),
        Field::new("v", DataType::Float64, true),
    ]));
    let partition = |part: u32| {
        let rows = part * (ROWS / 4)..(part + 1) * (ROWS / 4);
        let spread = |row: u32| i64::from(row.wrapping_mul(2_654_435_761) >> 8);
        let columns: [arrow::array::ArrayRef; 3] = [
            Arc::new(UInt32Array::from_iter_values(
                rows.clone().map(|row| row / ROWS_PER_UNIT),
            )),
            Arc::new(Int64Array::from_iter_values(rows.clone().map(spread))),
            Arc::new(Float64Array::from_iter_values(
                rows.map(|row| f64::from(row % 977)),
            )),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.to_vec()).expect("columns");
        (0..batch.num_rows())
            .step_by(8_192)
            .map(|at| batch.slice(at, 8_192.min(batch.num_rows() - at)))
            .collect()
    };
    let partitions = (0..4).map(partition).collect();
    Arc::new(MemTable::try_new(Arc::clone(&schema), partitions).expect("a table"))
}

fn sql(cells: i64) -> String {
    format!("SELECT k % {cells} AS k0, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY 1")
}

fn plan(cells: i64) -> Plan {
    let right = |name: &str| ColumnRights {
        name: name.to_owned(),
        read: true,
        group: true,
        compare: true,
        is_public: false,
        is_sensitive: false,
        declared: Declared::Bounds(None),
        bounds: None,
    };
    let sources = Sources {
        relations: vec![RelationSource {
            dataset: "t".to_owned(),
            table: table(),
            units: vec![UnitSource {
                identifier: "id".to_owned(),
                population: "units".to_owned(),
            }],
            rights: vec![right("k"), right("v")],
            structural: Vec::new(),
            model: None,
        }],
    };
    let query = Query::parse(&sql(cells)).expect("a query");
    Plan::new(&query, &sources, Depth::of(&Policy::built_in_default())).expect("a plan")
}

fn runtime() -> Runtime {
    Runtime::new().expect("threads")
}

/// The aggregate with its evidence: units, largest contributions, sets and prints.
#[divan::bench(args = CELLS)]
fn evidence(bencher: Bencher<'_, '_>, cells: i64) {
    let (plan, runtime) = (plan(cells), runtime());
    let bencher = bencher.counter(ItemsCount::new(ROWS));
    bencher.bench_local(|| runtime.block_on(plan.compute(Limits::default())).is_ok());
}

/// The same aggregate without.
#[divan::bench(args = CELLS)]
fn plain(bencher: Bencher<'_, '_>, cells: i64) {
    let runtime = runtime();
    let config = SessionConfig::new().with_round_robin_repartition(false);
    let context = SessionContext::new_with_config(config);
    context.register_table("t", table()).expect("a table");
    let ask = || async { context.sql(&sql(cells)).await?.collect().await };
    let bencher = bencher.counter(ItemsCount::new(ROWS));
    bencher.bench_local(|| runtime.block_on(ask()).expect("an answer"));
}

/// Every rule on every cell, rounding, the table built anew.
#[divan::bench(args = CELLS)]
fn gate(bencher: Bencher<'_, '_>, cells: i64) {
    let (plan, runtime, policy) = (plan(cells), runtime(), Policy::built_in_default());
    bencher
        .counter(ItemsCount::new(cells as u64))
        .with_inputs(|| {
            runtime
                .block_on(plan.compute(Limits::default()))
                .expect("cells")
        })
        .bench_local_values(|cells| weir_gate::judge_without_history(cells, &policy).is_ok());
}

/// A table of a hundred cells, asked of a ledger that knows as many as this.
#[divan::bench(args = [1_000, 10_000])]
fn ledger(bencher: Bencher<'_, '_>, known: u64) {
    let mut ledger = Ledger::in_memory([7; 16]);
    for table in 0..known / 100 {
        let asked = ledger.ask(question(table)).expect("an answer");
        let answer = |verdict: &Verdict| (*verdict == Verdict::Fresh).then(|| vec![1]);
        let answers = asked.verdicts().iter();
        let answers = answers
            .map(|cell| cell.iter().map(answer).collect())
            .collect();
        let id = table.to_string();
        ledger
            .record(asked, Release { id, answers })
            .expect("recorded");
    }
    bencher
        .counter(ItemsCount::new(100_u64))
        .with_inputs(|| question(known))
        .bench_local_values(|question| ledger.ask(question).is_ok());
}

/// A hundred cells of every hundredth unit, in an order that hangs on the table.
fn question(table: u64) -> Question {
    let step = 2 * table as u32 + 1;
    let cell = |group: u32| Cell {
        units: Arc::new(
            (0..UNITS)
                .filter(|unit| {
                    unit.wrapping_mul(step).wrapping_mul(0x9e37_79b9) >> 16 & 127 == group
                })
                .collect::<RoaringBitmap>(),
        ),
        statistics: vec![[1; 32].into()],
        group,
        ..Cell::default()
    };
    let mut selection = [0; 32];
    selection[..8].copy_from_slice(&table.to_le_bytes());
    Question {
        population: "units".to_owned(),
        population_units: None,
        snapshots: [1; 32],
        policy: [2; 32],
        units_min: 10,
        selection: Selection {
            digest: selection,
            is_plain: true,
        },
        cells: (0..100).map(cell).collect(),
    }
}

/// One entry, durable when it returns.
#[divan::bench]
fn log_append(bencher: Bencher<'_, '_>) {
    // Not where a machine keeps its temporary files, which may be memory.
    let folder = tempfile::tempdir_in(".").expect("a folder");
    let key = LogKey::generate("bench.example/log").expect("a key");
    let mut log = Log::create(&folder.path().join("log"), key).expect("a log");
    let entry = Entry::new(
        Timestamp::parse("2026-01-01T00:00:00.000Z").expect("a time"),
        Actor {
            person: "wang".to_owned(),
            organisation: "Data Bureau".to_owned(),
            role: "bureau".to_owned(),
        },
        Event::DomainInitialised {
            domain: "bench".to_owned(),
            origin: "bench.example/log".to_owned(),
        },
    );
    bencher.bench_local(|| log.append(&entry).expect("appended"));
}
