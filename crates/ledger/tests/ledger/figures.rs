//! How long a question takes. Ignored by default: `cargo test -p weir-ledger --test ledger -- --ignored --nocapture
//! figures`.

use std::time::{Duration, Instant};

use weir_ledger::{Cell, History, Ledger, LedgerKey, Question};

use crate::rows::cell_of;
use crate::support::{KEY, Random, digest, question, record, release, set};

const UNITS: u32 = 1_000_000;

/// The same as a table over all rows, that nobody chose.
fn plain(mut question: Question) -> Question {
    question.selection.is_plain = true;
    question
}

/// A table of `count` cells over the population, by a grouping that has nothing to do with the others: of cells of one
/// size, or of sizes as in life.
fn table(random: &mut Random, count: u32, alike: bool) -> Question {
    let mut order: Vec<u32> = (0..UNITS).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place as u64 + 1) as usize);
    }
    let mut cells = Vec::new();
    let mut left = order.as_slice();
    for cell in 0..count {
        let size = if alike {
            UNITS / count
        } else {
            // From a few hundred to a few thousand.
            (UNITS / count) / 2 + random.below(u64::from(UNITS / count)) as u32
        };
        let size = (size as usize).min(left.len() - (count - cell - 1) as usize * 20);
        let (units, rest) = left.split_at(size);
        left = rest;
        cells.push(Cell {
            units: set(units.iter().copied()),
            partition: 0,
            statistics: vec![digest(1).into()],
            rows: None,
            part_of: None,
            grouping: 0,
            group: 0,
            is_chosen: false,
        });
    }
    question(cells)
}

/// Tables that somebody chose, with a condition: sums over their cells are looked at with all others. The whole
/// population each, and cells that have nothing to do with the others': what fills the sums most.
#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_chosen_cells() {
    let mut random = Random(1);
    let mut ledger = Ledger::in_memory(KEY);
    let tables = std::env::var("LEDGER_TABLES").map_or(4, |most| most.parse().unwrap());
    for earlier in 0..tables {
        let asked = table(&mut random, 1_000, false);
        let started = Instant::now();
        let asked = ledger.ask(asked).unwrap();
        let taken = started.elapsed();
        let verdicts = asked.verdicts().iter().flatten();
        let fresh = verdicts
            .filter(|of| **of == weir_ledger::Verdict::Fresh)
            .count();
        println!("{earlier},000 chosen cells: {taken:?} for 1,000 more, {fresh} fresh");
        record(&mut ledger, asked).unwrap();
        let started = Instant::now();
        while ledger.prepare().unwrap() {}
        let prepared = started.elapsed();
        let few = table(&mut random, 28, false);
        let started = Instant::now();
        let _asked = ledger.ask(few).unwrap();
        println!(
            "after them {:?} for 28 more, with {prepared:?} when nobody asked",
            started.elapsed()
        );
    }
}

/// A table that somebody chose, where each unit has four rows in any of the cells: its rows are looked at too.
#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_rows_in_several_cells() {
    let mut random = Random(1);
    let mut ledger = Ledger::in_memory(KEY);
    for earlier in 0..2 {
        let mut rows = vec![Vec::new(); 1_000];
        for unit in 0..UNITS {
            (0..4).for_each(|row| rows[random.below(1_000) as usize].push((unit, row)));
        }
        let cells = rows.into_iter().map(|rows| cell_of(0, rows));
        let asked = question(cells.collect());
        let started = Instant::now();
        let asked = ledger.ask(asked).unwrap();
        println!(
            "{earlier},000 chosen cells: {:?} for 1,000 with rows of a unit in several",
            started.elapsed()
        );
        record(&mut ledger, asked).unwrap();
    }
}

/// A chosen table of six million rows, four of a unit, asked of a ledger that knows chosen cells, and of a new one.
#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_large_chosen_tables() {
    let mut random = Random(1);
    let mut known = Ledger::in_memory(KEY);
    let tables = std::env::var("LEDGER_TABLES").map_or(10, |most| most.parse().unwrap());
    for _ in 0..tables {
        let mut rows = vec![Vec::new(); 1_000];
        for unit in 0..UNITS {
            rows[random.below(1_000) as usize].push((unit, random.below(2) as u32));
        }
        let cells = rows.into_iter().map(|rows| cell_of(0, rows));
        let asked = known.ask(question(cells.collect())).unwrap();
        record(&mut known, asked).unwrap();
    }
    while known.prepare().unwrap() {}
    let mut new = Ledger::in_memory(KEY);
    let mut times = vec![Vec::new(); 2];
    for _ in 0..20 {
        let mut rows = vec![Vec::new(); 28];
        for unit in 0..1_500_000 {
            (0..4).for_each(|row| rows[random.below(28) as usize].push((unit, row)));
        }
        let cells = rows.into_iter().map(|rows| cell_of(0, rows));
        let asked = question(cells.collect());
        for (ledger, times) in [&mut known, &mut new].into_iter().zip(&mut times) {
            let asked = asked.clone();
            let started = Instant::now();
            let _asked = ledger.ask(asked).unwrap();
            times.push(started.elapsed());
        }
    }
    let [known, new] = [0, 1].map(|at| median(times[at].clone()));
    println!(
        "28 chosen cells of six million rows: {known:?} after {tables},000 cells, {new:?} after none"
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn measure(alike: bool, most: u64) {
    let mut random = Random(1);
    let mut ledger = Ledger::in_memory(KEY);
    let mut cells = 0;
    let mut next = |alike: bool| plain(table(&mut random, 1000, alike));
    let asked: Vec<Question> = (0..5).map(|_| next(alike)).collect();
    for target in [1_000, 10_000, 100_000, 1_000_000] {
        if target > most {
            break;
        }
        while cells < target {
            release(&mut ledger, next(alike));
            cells += 1000;
        }
        let time = |question: &Question| {
            let started = Instant::now();
            let asked = ledger.ask(question.clone()).unwrap();
            assert_eq!(asked.verdicts().len(), 1000);
            started.elapsed()
        };
        let times: Vec<Duration> = asked.iter().map(time).collect();
        println!("alike {alike}: {cells} earlier cells: {:?}", median(times));
    }
}

#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_cells_as_in_life() {
    measure(false, most());
}

#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_cells_of_one_size() {
    measure(true, most());
}

/// Bytes a cell on the disk, the time of a record, and the time of opening.
#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_the_disk() {
    let mut random = Random(1);
    let folder = tempfile::tempdir().unwrap();
    let key = || LedgerKey::new([1; 32]);
    Ledger::create(&folder.path().join("ledger"), &key()).unwrap();
    let mut ledger = Ledger::open(&folder.path().join("ledger"), key()).unwrap();
    let tables = most() / 1000;
    let mut times = Vec::new();
    for _ in 0..tables {
        let asked = ledger.ask(plain(table(&mut random, 1000, false))).unwrap();
        let started = Instant::now();
        record(&mut ledger, asked).unwrap();
        times.push(started.elapsed());
    }
    println!("record of 1,000 cells: {:?}", median(times));
    let cells = ledger.sets() - tables;
    println!(
        "{cells} cells of 1,000 units: {} bytes a cell",
        ledger.bytes() / cells
    );
    let asked = plain(table(&mut random, 1000, false));
    drop(ledger);
    let started = Instant::now();
    let mut ledger = Ledger::open(&folder.path().join("ledger"), key()).unwrap();
    println!("opened in {:?}", started.elapsed());
    for time in ["first", "second"] {
        let started = Instant::now();
        let _asked = ledger.ask(asked.clone()).unwrap();
        println!("{time} question in {:?}", started.elapsed());
    }
}

/// A million cells take minutes and a gigabyte.
fn most() -> u64 {
    std::env::var("LEDGER_CELLS").map_or(100_000, |most| most.parse().unwrap())
}

/// Tables of six million rows, four of a unit, that a new ledger is asked for.
#[test]
#[ignore = "takes a minute; a figure, not a test"]
fn figures_of_large_tables() {
    let mut random = Random(1);
    let only = std::env::var("LEDGER_CELLS").map_or(0, |cells| cells.parse().unwrap());
    for (cells, is_plain) in [(1, false), (7, true), (12, true), (28, true), (581, true)] {
        if only != 0 && only != cells {
            continue;
        }
        let told = cells;
        let mut rows = vec![Vec::new(); cells];
        for unit in 0..1_500_000 {
            let cells = cells.max(7) as u64;
            for row in 0..4 {
                if let Some(rows) = rows.get_mut(random.below(cells) as usize) {
                    rows.push((unit, row));
                }
            }
        }
        let cells = rows
            .into_iter()
            .map(|rows| cell_of(0, rows))
            .map(|cell| Cell {
                rows: cell.rows.filter(|_| told <= 64),
                ..cell
            });
        let mut asked = question(cells.collect());
        asked.selection.is_plain = is_plain;
        let count = asked.cells.len();
        let mut bytes = 0;
        let time = |_| {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("ledger");
            let key = || LedgerKey::new([7; 32]);
            Ledger::create(&place, &key()).unwrap();
            let mut ledger = Ledger::open(&place, key()).unwrap();
            let question = asked.clone();
            let started = Instant::now();
            let asked = ledger.ask(question).unwrap();
            let taken = started.elapsed();
            record(&mut ledger, asked).unwrap();
            bytes = ledger.bytes();
            (taken, started.elapsed())
        };
        let (asked, recorded): (Vec<_>, Vec<_>) = (0..20).map(time).unzip();
        println!(
            "{count} cells, plain {is_plain}: asked {:?}, recorded {:?}, {bytes} bytes",
            median(asked),
            median(recorded)
        );
    }
}
