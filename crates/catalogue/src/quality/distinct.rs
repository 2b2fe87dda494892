//! Counting distinct values in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::Distinct;

/// Hashes that were seen lately, to pass over a value that repeats.
const RECENT: usize = 1024;

/// Counts distinct 64-bit hashes: exactly while they are few, and from the smallest ones afterwards.
///
/// Of `n` hashes spread evenly over `[0, 2^64)`, the `k`-th smallest lies near `k/n` of the range; so it tells `n`
/// (bottom-k: Bar-Yossef et al., "Counting distinct elements in a data stream", 2002).
pub(super) struct Counter {
    kept: HashSet<u64, BuildHasherDefault<AsIs>>,
    /// Only smaller hashes are kept; `u64::MAX` while all are.
    below: u64,
    kept_max: usize,
    recent: Box<[u64; RECENT]>,
}

impl Counter {
    /// Exact up to `exact_max` values.
    pub(super) fn new(exact_max: usize) -> Self {
        Self {
            kept: HashSet::default(),
            below: u64::MAX,
            kept_max: exact_max.max(2),
            recent: Box::new([0; RECENT]),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        // 0 marks an empty slot of `recent`; no value is lost by moving one hash of 2^64.
        let hash = hash.max(1);
        if hash >= self.below {
            return;
        }
        let slot = &mut self.recent[hash as usize % RECENT];
        if *slot == hash {
            return;
        }
        *slot = hash;
        if self.kept.insert(hash) && self.kept.len() > self.kept_max {
            self.halve();
        }
    }

    /// Keeps the smaller half.
    fn halve(&mut self) {
        let mut hashes: Vec<u64> = self.kept.drain().collect();
        let half = self.kept_max / 2;
        let (_, bound, _) = hashes.select_nth_unstable(half);
        self.below = *bound;
        hashes.truncate(half);
        self.kept.extend(hashes);
    }

    pub(super) fn count(&self) -> Distinct {
        let kept = self.kept.len() as u64;
        if self.below == u64::MAX {
            return Distinct {
                count: kept,
                exact: true,
            };
        }
        let range = self.below as f64 / u64::MAX as f64;
        Distinct {
            count: (kept as f64 / range).round() as u64,
            exact: false,
        }
    }
}

/// A hash is its own hash.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
