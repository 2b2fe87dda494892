//! What one step costs: evidence beside the plain aggregate, the gate, the ledger, the log. `cargo bench`.
//!
//! Figures are for whoever changes one of them; what Weir costs as a whole is measured by `weir bench`. The first four are
//! held by their instructions in `tests/counts`.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod steps;

use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::Runtime;
use weir_audit::{Actor, Entry, Event, Log, LogKey, Timestamp};
use weir_inside::Limits;
use weir_ledger::History;
use weir_policy::Policy;

const UNITS: u32 = 50_000;
const ROWS: u32 = UNITS * steps::ROWS_PER_UNIT;
/// Of the tables.
const CELLS: [i64; 3] = [4, 100, 1_000];

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Runtime::new().expect("threads")
}

/// The aggregate with its evidence: units, largest contributions, sets and prints.
#[divan::bench(args = CELLS)]
fn evidence(bencher: Bencher<'_, '_>, cells: i64) {
    let (plan, runtime) = (steps::plan(UNITS, cells), runtime());
    let bencher = bencher.counter(ItemsCount::new(ROWS));
    bencher.bench_local(|| runtime.block_on(plan.compute(Limits::default())).is_ok());
}

/// The same aggregate without.
#[divan::bench(args = CELLS)]
fn plain(bencher: Bencher<'_, '_>, cells: i64) {
    let (plain, runtime) = (steps::Plain::new(UNITS, cells), runtime());
    let bencher = bencher.counter(ItemsCount::new(ROWS));
    bencher.bench_local(|| runtime.block_on(plain.asked()));
}

/// Every rule on every cell, rounding, the table built anew.
#[divan::bench(args = CELLS)]
fn gate(bencher: Bencher<'_, '_>, cells: i64) {
    let (plan, runtime) = (steps::plan(UNITS, cells), runtime());
    let policy = Policy::built_in_default();
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
    let mut ledger = steps::ledger(UNITS, known);
    bencher
        .counter(ItemsCount::new(steps::ASKED_CELLS))
        .with_inputs(|| steps::question(UNITS, known))
        .bench_local_values(|question| ledger.ask(question).is_ok());
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
