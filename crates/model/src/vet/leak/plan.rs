//! What is done to the rows.

use crate::vet::prng::Prng;

/// Rows that are dropped, or doubled, one after the other.
const PICKED_MAX: usize = 8;
/// Sizes of batches tried.
const BATCHES: [usize; 4] = [2, 3, 7, 64];
/// Threads at work at once.
const THREADS: usize = 4;
/// Other rows between two canaries.
const CANARY_EVERY: usize = 4;

/// Batches of row positions, run by one evaluator after the other or by several threads.
pub(super) struct Trial {
    pub(super) name: &'static str,
    pub(super) batches: Vec<Vec<u32>>,
    pub(super) threads: usize,
}

impl Trial {
    fn new(name: &'static str, batches: Vec<Vec<u32>>) -> Self {
        Self {
            name,
            batches,
            threads: 1,
        }
    }

    /// Rows evaluated in it.
    pub(super) fn rows(&self) -> u64 {
        self.batches.iter().map(|batch| batch.len() as u64).sum()
    }
}

/// Every trial over `rows` rows, of which the last `canaries` are canaries.
pub(super) fn trials(rows: usize, canaries: usize, prng: &mut Prng) -> Vec<Trial> {
    let plain: Vec<u32> = (0..(rows - canaries.min(rows)) as u32).collect();
    let canaries: Vec<u32> = (plain.len() as u32..rows as u32).collect();
    let picked = picked(plain.len(), prng);
    vec![
        Trial::new("all rows in one batch", vec![plain.clone()]),
        Trial::new("the same batch again", vec![plain.clone(); 3]),
        Trial::new(
            "one row at a time",
            plain.iter().map(|row| vec![*row]).collect(),
        ),
        Trial::new("other batch sizes", sizes(&plain)),
        Trial::new(
            "one row dropped",
            picked.iter().map(|row| without(&plain, *row)).collect(),
        ),
        Trial::new(
            "one row doubled",
            picked.iter().map(|row| with(&plain, *row, prng)).collect(),
        ),
        Trial::new("rows in another order", orders(&plain, prng)),
        Trial::new("rows among canaries", among(&plain, &canaries)),
        Trial {
            name: "several threads",
            batches: threads(&plain, prng),
            threads: THREADS,
        },
    ]
}

/// The first, the last, and some between.
fn picked(rows: usize, prng: &mut Prng) -> Vec<u32> {
    let mut picked: Vec<u32> = [0, rows.saturating_sub(1)].map(|row| row as u32).into();
    picked.extend((2..PICKED_MAX).map(|_| prng.below(rows) as u32));
    picked
}

fn sizes(rows: &[u32]) -> Vec<Vec<u32>> {
    let cut = |size: &usize| rows.chunks(*size).map(<[u32]>::to_vec).collect::<Vec<_>>();
    BATCHES.iter().flat_map(cut).collect()
}

fn without(rows: &[u32], dropped: u32) -> Vec<u32> {
    rows.iter().copied().filter(|row| *row != dropped).collect()
}

/// The row once more, beside itself and far from itself.
fn with(rows: &[u32], doubled: u32, prng: &mut Prng) -> Vec<u32> {
    let mut batch = rows.to_vec();
    batch.insert(doubled as usize, doubled);
    batch.insert(prng.below(batch.len()), doubled);
    batch
}

fn orders(rows: &[u32], prng: &mut Prng) -> Vec<Vec<u32>> {
    let mut shuffled = rows.to_vec();
    let mut orders = vec![rows.iter().rev().copied().collect()];
    for _ in 0..3 {
        prng.shuffle(&mut shuffled);
        orders.push(shuffled.clone());
    }
    orders
}

/// Canaries before every few rows; then canaries alone, and the rows after them.
fn among(rows: &[u32], canaries: &[u32]) -> Vec<Vec<u32>> {
    let mut mixed = Vec::new();
    let mut next = canaries.iter().cycle();
    for chunk in rows.chunks(CANARY_EVERY) {
        mixed.extend(next.next());
        mixed.extend(chunk);
    }
    vec![mixed, canaries.to_vec(), rows.to_vec()]
}

fn threads(rows: &[u32], prng: &mut Prng) -> Vec<Vec<u32>> {
    let mut shuffled = rows.to_vec();
    prng.shuffle(&mut shuffled);
    let size = rows.len().div_ceil(THREADS * 4).max(1);
    let mut batches: Vec<Vec<u32>> = shuffled.chunks(size).map(<[u32]>::to_vec).collect();
    batches.extend(rows.chunks(size).map(<[u32]>::to_vec));
    batches
}
