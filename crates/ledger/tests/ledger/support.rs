//! Questions in few words.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use weir_ledger::{
    Answers, Asked, Cell, Digest, History, Ledger, Question, Release, Result, RoaringBitmap,
    Selection, Verdict,
};

static NEXT_GROUPING: AtomicU32 = AtomicU32::new(0);

pub(crate) const KEY: [u8; 16] = [7; 16];

pub(crate) fn digest(name: u8) -> Digest {
    [name; 32]
}

pub(crate) fn set(units: impl IntoIterator<Item = u32>) -> Arc<RoaringBitmap> {
    Arc::new(units.into_iter().collect())
}

pub(crate) fn cell(partition: u32, units: impl IntoIterator<Item = u32>) -> Cell {
    Cell {
        units: set(units),
        partition,
        statistics: vec![digest(1).into()],
        rows: None,
        part_of: None,
        // Each a grouping of its own: sets decide.
        grouping: NEXT_GROUPING.fetch_add(1, Ordering::Relaxed),
        group: 0,
        is_chosen: false,
    }
}

/// A selection that no other release has.
pub(crate) fn unique() -> Digest {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    digest
}

pub(crate) fn question(cells: Vec<Cell>) -> Question {
    Question {
        population: "persons".to_owned(),
        population_units: None,
        snapshots: digest(100),
        policy: digest(200),
        units_min: 10,
        selection: Selection {
            digest: unique(),
            is_plain: false,
        },
        cells,
    }
}

/// An answer that says which release, cell and statistic it is of.
pub(crate) fn answers(verdicts: &[Vec<Verdict>], release: u64) -> Answers {
    let fresh = |cell: usize, statistic: usize, verdict: &Verdict| {
        (*verdict == Verdict::Fresh).then(|| format!("{release}/{cell}/{statistic}").into_bytes())
    };
    let of_cell = |(cell, verdicts): (usize, &Vec<Verdict>)| {
        let verdicts = verdicts.iter().enumerate();
        verdicts
            .map(|(statistic, verdict)| fresh(cell, statistic, verdict))
            .collect()
    };
    verdicts.iter().enumerate().map(of_cell).collect()
}

pub(crate) fn record(ledger: &mut Ledger, asked: Asked) -> Result<()> {
    let number = ledger.releases();
    let answers = answers(asked.verdicts(), number);
    let id = format!("release {number}");
    ledger.record(asked, Release { id, answers })
}

/// Asks, records, and returns the verdicts.
pub(crate) fn release(ledger: &mut Ledger, question: Question) -> Vec<Vec<Verdict>> {
    let asked = ledger.ask(question).expect("an answer");
    let verdicts = asked.verdicts().to_vec();
    record(ledger, asked).expect("recorded");
    verdicts
}

/// As [`release`], for cells of one statistic.
pub(crate) fn release_one(ledger: &mut Ledger, question: Question) -> Vec<Verdict> {
    let verdicts = release(ledger, question);
    verdicts
        .into_iter()
        .map(|of_cell| of_cell[0].clone())
        .collect()
}

/// Numbers that look random and are the same each time (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
