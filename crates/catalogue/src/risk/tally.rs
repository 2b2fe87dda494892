//! Counting the units of one combination.

use std::collections::{HashMap, HashSet};

/// Hashes come out of a keyed hash already.
pub(super) type Hashed<V> = HashMap<u64, V, ahash::RandomState>;

/// The units of one combination of values.
#[derive(Clone, Copy)]
struct Entry {
    /// Distinct units, not counted beyond what `u32` holds.
    units: u32,
    unit_last: u32,
}

/// Counts units by combination of values. Rows come sorted by unit.
#[derive(Default)]
pub(super) struct Tally {
    entries: Hashed<Entry>,
    /// Units that are unique on a part of the combination, in the order they came.
    inherited: Vec<u32>,
}

/// What a tally comes to.
pub(super) struct Counted {
    pub(super) k: u64,
    pub(super) unique_units: u64,
    pub(super) minimal_units: u64,
    pub(super) classes: u64,
    /// The combinations of values that one unit alone has, and no part of which is such.
    pub(super) uniques: HashSet<u64, ahash::RandomState>,
}

impl Tally {
    /// Takes in a row that is unique on no part of the combination.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, unit: u32) {
        let entry = self.entries.entry(hash).or_insert(Entry {
            units: 0,
            unit_last: unit,
        });
        if entry.units == 0 || entry.unit_last != unit {
            entry.units = entry.units.saturating_add(1);
            entry.unit_last = unit;
        }
    }

    /// Takes in a row that is unique on a part of the combination.
    #[inline]
    pub(super) fn inherit(&mut self, unit: u32) {
        if self.inherited.last() != Some(&unit) {
            self.inherited.push(unit);
        }
    }

    /// What it holds, in entries.
    pub(super) fn size(&self) -> usize {
        // A unit takes a quarter of an entry.
        self.entries.len() + self.inherited.len() / 4
    }

    pub(super) fn count(self) -> Counted {
        let is_unique = |entry: &Entry| entry.units == 1;
        let alone = self.entries.iter().filter(|(_, entry)| is_unique(entry));
        let uniques: HashSet<u64, ahash::RandomState> =
            alone.clone().map(|(hash, _)| *hash).collect();
        let mut minimal: Vec<u32> = alone.map(|(_, entry)| entry.unit_last).collect();
        minimal.sort_unstable();
        minimal.dedup();
        let mut all = self.inherited;
        let inherits = !all.is_empty();
        all.extend_from_slice(&minimal);
        all.sort_unstable();
        all.dedup();
        let fewest = self.entries.values().map(|entry| entry.units).min();
        Counted {
            k: if inherits {
                1
            } else {
                fewest.unwrap_or(0).into()
            },
            unique_units: all.len() as u64,
            minimal_units: minimal.len() as u64,
            classes: self.entries.len() as u64,
            uniques,
        }
    }
}
