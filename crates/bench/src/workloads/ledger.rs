//! Questions to a ledger that knows a thousand, ten thousand … earlier cells.

use std::sync::Arc;
use std::time::Instant;

use weir_ledger::{
    Cell, History, Ledger, Question, Release, RoaringBitmap, Rows, Selection, Statistic, Verdict,
};

use crate::bench::Bench;
use crate::error::{Result, failed};
use crate::figure::Figure;
use crate::report::{Chart, Drawn, Section, Table, grouped};
use crate::samples::Samples;

mod releases;

/// Units of the population.
const UNITS: u32 = 1_000_000;
/// Cells of a table that reads every row and is grouped by columns of the data.
const CELLS: u32 = 1_000;
/// Cells of a table that a condition chose: what it can be combined to is looked at cell by cell.
const CHOSEN: u32 = 50;
/// Numbers of a print, as the default policy has them.
const BUCKETS: usize = 32;
/// Earlier cells that are looked at first.
const LEAST: u64 = 1_000;

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("ledger", "A ledger with a history");
    section.say(format!(
        "How long a ledger takes for a new table over a population of {} units, by how many cells were released before: a table of {} cells that reads every row, and one of {CHOSEN} cells that a condition chose, \
         of which every sum with earlier ones is looked at. Tables are groupings that have nothing to do with each other, their cells from half to one and a half times as large as the mean. \
         They are asked and not recorded, so that the history stays as large. In memory; what the disk adds is a durable append of each release.",
        grouped(u64::from(UNITS)),
        grouped(u64::from(CELLS)),
    ));
    let mut random = Random(1);
    let mut ledger = Ledger::in_memory([7; 16]);
    let kinds = [
        ("a table of 1,000 cells", CELLS),
        ("50 chosen cells", CHOSEN),
    ];
    let asked: Vec<Vec<Question>> = kinds
        .iter()
        .map(|(_, cells)| {
            (0..bench.options.turns())
                .map(|_| table(&mut random, *cells))
                .collect()
        })
        .collect();
    let mut known = 0;
    let mut sizes = Table::new(&[
        "earlier cells",
        "a table of 1,000 cells, ms",
        "50 chosen cells, ms",
    ]);
    let mut series: Vec<(String, Vec<(f64, f64)>)> = kinds
        .iter()
        .map(|(name, _)| ((*name).to_owned(), Vec::new()))
        .collect();
    let most = bench.options.ledger_cells();
    for target in std::iter::successors(Some(LEAST), |cells| Some(cells * 10)) {
        if target > most {
            break;
        }
        bench.say(&format!("a ledger of {target} earlier cells"));
        while known < target {
            release(&mut ledger, table(&mut random, CELLS))?;
            known += u64::from(CELLS);
        }
        let mut row = vec![grouped(known)];
        for (((name, _), asked), (_, points)) in kinds.iter().zip(&asked).zip(&mut series) {
            let ms = asked_for(&mut ledger, asked)?;
            row.push(ms.spread(1));
            points.push((known as f64, ms.median()));
            section.keep(format!("{name}, {known} earlier cells, ms"), &ms);
            let name = format!("ledger, {name} after {}", grouped(known));
            section.figures.push(Figure::told(&name, &ms, "ms", true));
        }
        sizes.row(row);
    }
    section.tables.push(sizes);
    releases::beside_releases(bench, &mut section)?;
    section.charts.push(Chart {
        name: "ledger".to_owned(),
        title: "Asking the ledger".to_owned(),
        drawn: Drawn::Lines {
            across: "earlier cells".to_owned(),
            unit: "ms".to_owned(),
            series,
        },
        goal: None,
    });
    Ok(section)
}

/// Milliseconds for each of these questions.
fn asked_for(ledger: &mut Ledger, asked: &[Question]) -> Result<Samples> {
    let mut ms = Samples::default();
    for question in asked {
        let question = question.clone();
        let start = Instant::now();
        let asked = ledger.ask(question).map_err(failed("asking the ledger"))?;
        ms.push(start.elapsed().as_secs_f64() * 1e3);
        drop(asked);
    }
    Ok(ms)
}

/// A grouping of units that has nothing to do with any other; of as many cells as a whole table has, of all units.
fn table(random: &mut Random, count: u32) -> Question {
    let is_plain = count == CELLS;
    let mut order: Vec<u32> = (0..UNITS).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place as u64 + 1) as usize);
    }
    let mean = UNITS / CELLS;
    let mut left = order.as_slice();
    let mut cells = Vec::new();
    for group in 0..count {
        let size = mean / 2 + random.below(u64::from(mean)) as u32;
        let spare = (CELLS - group - 1) as usize * 20;
        let (units, rest) = left.split_at((size as usize).min(left.len().saturating_sub(spare)));
        left = rest;
        let mut units = units.to_vec();
        units.sort_unstable();
        let print = (0..BUCKETS).map(|_| random.next() as u32 | 1);
        cells.push(Cell {
            units: Arc::new(units.into_iter().collect::<RoaringBitmap>()),
            // One of each.
            rows: Some(Rows::default()),
            statistics: vec![Statistic {
                kind: [1; 32],
                print: print.collect(),
                column: None,
            }],
            group,
            is_chosen: !is_plain,
            ..Cell::default()
        });
    }
    let mut selection = [0; 32];
    selection[..8].copy_from_slice(&random.next().to_le_bytes());
    Question {
        population: "units".to_owned(),
        population_units: None,
        snapshots: [100; 32],
        policy: [200; 32],
        units_min: 10,
        selection: Selection {
            digest: selection,
            is_plain,
        },
        cells,
    }
}

fn release(ledger: &mut Ledger, question: Question) -> Result<()> {
    let asked = ledger.ask(question).map_err(failed("asking the ledger"))?;
    let answered = |verdict: &Verdict| (*verdict == Verdict::Fresh).then(|| b"1".to_vec());
    let answers = asked.verdicts().iter();
    let answers = answers.map(|cell| cell.iter().map(answered).collect());
    let release = Release {
        id: format!("release {}", ledger.releases()),
        answers: answers.collect(),
    };
    ledger
        .record(asked, release)
        .map_err(failed("recording in the ledger"))
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
