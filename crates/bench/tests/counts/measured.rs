//! What is counted, and what the counts come to.
//!
//! Each step is done at three sizes. The first makes what a process makes once; a figure is what the third takes more than the
//! second, so that what a run costs before it sees a row is no part of it. Steps run on one thread, and what the ledger is asked
//! is smaller than what it uses several for.

use weir_inside::Limits;
use weir_ledger::History;
use weir_policy::Policy;

use crate::bounds::Figure;
use crate::{counted, steps};

/// Of one round of steps.
struct Size {
    /// Units of the aggregates' tables.
    units: u32,
    /// Cells that the gate judges.
    judged: i64,
    /// Cells that the ledger knows.
    known: u64,
}

const SIZES: [Size; 3] = [
    Size {
        units: 400,
        judged: 4,
        known: 0,
    },
    Size {
        units: 4_000,
        judged: 50,
        known: 200,
    },
    Size {
        units: 20_000,
        judged: 250,
        known: 800,
    },
];
/// Steps of a round: plain, evidence, gate, ledger.
const STEPS: usize = 4;
/// How many counts there are.
pub(crate) const COUNTS: usize = STEPS * SIZES.len();

/// Cells of the aggregates.
const CELLS: i64 = 20;
/// Units behind what the gate judges and the ledger is asked.
const UNITS: u32 = 10_000;

/// Does every step at every size.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a thread");
    let policy = Policy::built_in_default();
    for size in SIZES {
        let plain = steps::Plain::new(size.units, CELLS);
        counted(&mut || assert_eq!(runtime.block_on(plain.asked()), CELLS as usize));

        let plan = steps::plan(size.units, CELLS);
        counted(&mut || assert!(runtime.block_on(plan.compute(Limits::default())).is_ok()));

        let cells = steps::plan(UNITS, size.judged);
        let mut cells = Some(runtime.block_on(cells.compute(Limits::default())));
        counted(&mut || {
            let cells = cells.take().expect("cells once").expect("cells");
            assert!(weir_gate::judge_without_history(cells, &policy).is_ok());
        });

        let mut ledger = steps::ledger(UNITS, size.known);
        let mut question = Some(steps::question(UNITS, size.known));
        counted(&mut || {
            let question = question.take().expect("a question once");
            assert!(ledger.ask(question).is_ok());
        });
    }
}

/// What the counts come to.
pub(crate) fn figures(counts: &[f64]) -> [Figure; 6] {
    let [_, small, large] = SIZES;
    let step = |size: usize, step: usize| counts[size * STEPS + step];
    let per = |of: usize, more: f64| (step(2, of) - step(1, of)) / more;
    let rows = f64::from((large.units - small.units) * steps::ROWS_PER_UNIT);
    let [plain, evidence] = [per(0, rows), per(1, rows)];
    let gate = per(2, (large.judged - small.judged) as f64);
    let ledger = per(3, (large.known - small.known) as f64);
    let rest = step(1, 1) - evidence * f64::from(small.units * steps::ROWS_PER_UNIT);
    [
        Figure::new("plain aggregate, of a row", plain),
        Figure::new("evidence, of a row", evidence),
        Figure::new("evidence ÷ plain aggregate, of a row", evidence / plain),
        Figure::new("evidence, of a run besides its rows", rest),
        Figure::new("gate, of a cell", gate),
        Figure::new("ledger, of a cell known earlier, for 100 asked", ledger),
    ]
}
