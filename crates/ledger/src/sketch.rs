//! A few hundred bytes that find which sets a set has to be compared with.
//!
//! Units fall into buckets by a keyed hash; of each bucket a sketch has the wrapping sum of its units' hashes. Two sets
//! that differ by fewer than k units differ in fewer than k buckets, so among any k buckets one is equal. For small sets
//! that says little, because their buckets are mostly empty; of them the k units with the lowest hashes are kept: two
//! sets that differ by fewer than k units share one of those. (Let u be the unit with the lowest hash that both have.
//! Every unit of A before u is one that B lacks, and there are fewer than k.)
//!
//! The hash is no cryptography. It is keyed so that nobody can write queries that all fall into one place of the index,
//! and correctness does not depend on it.

use std::ops::RangeInclusive;

use roaring::RoaringBitmap;

use crate::parallel::{self, PARALLEL_UNITS_MIN};

/// How many buckets the units fall into, and the largest k for which the index is more than a scan.
pub(crate) const BUCKETS: usize = 32;
/// Sets below this size are found by their lowest units, the others by their buckets.
pub(crate) const SMALL: u64 = 256;

/// Of a large set a thread goes through so many numbers at once.
const NUMBERS_TOGETHER: u32 = 1 << 18;

/// The keyed hash of units.
#[derive(Clone, Copy)]
pub(crate) struct Mixer {
    add: u64,
    xor: u64,
}

/// What the index keeps of a set.
#[derive(Clone)]
pub(crate) struct Sketch {
    pub(crate) cardinality: u64,
    pub(crate) buckets: [u32; BUCKETS],
    /// The units with the lowest hashes, lowest first, at most [`BUCKETS`]; none where the set is not small.
    pub(crate) lowest: Box<[u32]>,
}

impl Mixer {
    pub(crate) fn new(key: [u8; 16]) -> Mixer {
        let half = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&key[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        Mixer {
            add: half(0),
            xor: half(8),
        }
    }

    /// The finaliser of SplitMix64 (Steele, Lea, Flood 2014), keyed before and within.
    pub(crate) fn hash(self, unit: u32) -> u64 {
        let mut z = u64::from(unit)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(self.add);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ self.xor;
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The keyed hash of two sets, by their sketches.
    pub(crate) fn pair(self, one: &Sketch, other: &Sketch) -> u64 {
        let of = |sketch: &Sketch| {
            [sketch.cardinality as u32]
                .into_iter()
                .chain(sketch.buckets)
        };
        of(one).chain(of(other)).fold(0, |all: u64, word| {
            // Not linear in the words, as the buckets are in the units.
            let mixed = self.hash(word ^ (all >> 32) as u32);
            (all.rotate_left(29) ^ mixed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }) >> 16
    }

    pub(crate) fn sketch(self, units: &RoaringBitmap) -> Sketch {
        self.sketch_of(self.buckets(units), units)
    }

    /// The sketch of units, of which there are the buckets.
    pub(crate) fn sketch_of(self, buckets: Sketch, units: &RoaringBitmap) -> Sketch {
        let mut sketch = buckets;
        sketch.cardinality = units.len();
        if is_small_indexed(sketch.cardinality) {
            let mut by_hash: Vec<(u64, u32)> =
                units.iter().map(|unit| (self.hash(unit), unit)).collect();
            by_hash.sort_unstable();
            sketch.lowest = by_hash
                .iter()
                .take(BUCKETS)
                .map(|(_, unit)| *unit)
                .collect();
        }
        sketch
    }

    fn buckets(self, units: &RoaringBitmap) -> Sketch {
        let parts = by_ranges(units, |range| {
            let mut sketch = Sketch::empty();
            for_each_within(units, range, |unit| sketch.add(self.hash(unit)));
            sketch
        });
        parts
            .iter()
            .fold(Sketch::empty(), |sum, part| sum.and(part))
    }

    /// The sketch of the units `0..units`.
    pub(crate) fn whole(self, units: u32) -> Sketch {
        let mut sketch = Sketch::empty();
        sketch.cardinality = u64::from(units);
        for unit in 0..units {
            sketch.add(self.hash(unit));
        }
        sketch
    }
}

impl Sketch {
    pub(crate) fn empty() -> Sketch {
        Sketch {
            cardinality: 0,
            buckets: [0; BUCKETS],
            lowest: Box::default(),
        }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, hash: u64) {
        let bucket = (hash >> 59) as usize;
        self.buckets[bucket] = self.buckets[bucket].wrapping_add(hash as u32);
    }

    /// The sketch of what is left of this set without a subset of it; without its lowest units.
    pub(crate) fn without(&self, subset: &Sketch) -> Sketch {
        let mut left = Sketch::empty();
        left.cardinality = self.cardinality.saturating_sub(subset.cardinality);
        for (bucket, left) in left.buckets.iter_mut().enumerate() {
            *left = self.buckets[bucket].wrapping_sub(subset.buckets[bucket]);
        }
        left
    }

    /// The sketch of the union with a set that has none of the units; without its lowest units.
    pub(crate) fn and(&self, other: &Sketch) -> Sketch {
        let mut both = Sketch::empty();
        both.cardinality = self.cardinality + other.cardinality;
        for (bucket, both) in both.buckets.iter_mut().enumerate() {
            *both = self.buckets[bucket].wrapping_add(other.buckets[bucket]);
        }
        both
    }

    /// Whether two sets are the same, for all that size and buckets say: 1,024 bits under a key.
    pub(crate) fn is_like(&self, other: &Sketch) -> bool {
        self.cardinality == other.cardinality && self.buckets == other.buckets
    }

    /// Whether two sets can differ by fewer than `k` units, for all that the buckets say.
    pub(crate) fn may_be_near(&self, other: &Sketch, k: u64) -> bool {
        if self.cardinality.abs_diff(other.cardinality) >= k {
            return false;
        }
        let pairs = self.buckets.iter().zip(&other.buckets);
        (pairs.filter(|(one, other)| one != other).count() as u64) < k
    }
}

/// Calls with each unit of a set, lowest first.
#[inline]
pub(crate) fn for_each(units: &RoaringBitmap, call: impl FnMut(u32)) {
    for_each_within(units, 0..=u32::MAX, call);
}

/// What the ranges come to that a set's numbers are in: one, or where it is large, several that threads share.
pub(crate) fn by_ranges<R: Send>(
    units: &RoaringBitmap,
    within: impl Fn(RangeInclusive<u32>) -> R + Sync,
) -> Vec<R> {
    if units.len() < PARALLEL_UNITS_MIN {
        return vec![within(0..=u32::MAX)];
    }
    let ranges = ranges(units.max().unwrap_or(0), NUMBERS_TOGETHER);
    parallel::each(&ranges, |range| within(range.clone()))
}

/// All numbers up to a last one, in ranges of so many, a power of two.
pub(crate) fn ranges(last: u32, numbers: u32) -> Vec<RangeInclusive<u32>> {
    let starts = (0..=last).step_by(numbers as usize);
    starts.map(|start| start..=start | (numbers - 1)).collect()
}

/// Calls with each unit of a set within a range, lowest first.
#[inline]
pub(crate) fn for_each_within(
    units: &RoaringBitmap,
    range: RangeInclusive<u32>,
    mut call: impl FnMut(u32),
) {
    let many_of = |range: RangeInclusive<u32>, call: &mut dyn FnMut(&[u32])| {
        let (mut rest, mut many) = (units.range(range), [0; 256]);
        loop {
            let read = rest.next_many(&mut many);
            if read.is_empty() {
                return;
            }
            call(read);
        }
    };
    let mut call_many = |many: &[u32]| many.iter().for_each(|unit| call(*unit));
    let (Some(first), Some(last)) = (units.min(), units.max()) else {
        return;
    };
    let (first, last) = (first.max(*range.start()), last.min(*range.end()));
    let containers = || (first >> 16..=last >> 16).map(|upper| upper << 16..=upper << 16 | 0xffff);
    let is_full =
        |container: &RangeInclusive<u32>| units.range_cardinality(container.clone()) == FULL;
    // Of roaring 0.12 it leaves out containers that are full.
    if units.len() < FULL || !containers().any(|container| is_full(&container)) {
        many_of(range, &mut call_many);
        return;
    }
    for container in containers() {
        let within = first.max(*container.start())..=last.min(*container.end());
        if is_full(&container) {
            within.for_each(|unit| call_many(&[unit]));
        } else {
            many_of(within, &mut call_many);
        }
    }
}

/// How many units a container has if it is full.
const FULL: u64 = 1 << 16;

/// Whether a set of this size is found by its lowest units.
pub(crate) fn is_small(cardinality: u64) -> bool {
    cardinality < SMALL
}

/// Whether a set of this size can be near to one that is found by its lowest units.
pub(crate) fn is_small_indexed(cardinality: u64) -> bool {
    cardinality < SMALL + BUCKETS as u64
}

/// Whether a set of this size can be near to one that is found by its buckets.
pub(crate) fn is_large_indexed(cardinality: u64) -> bool {
    cardinality >= SMALL - BUCKETS as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_called_with_whatever_the_containers_are() {
        let sets: [Vec<u32>; 6] = [
            vec![],
            (0..300_000).step_by(7).collect(),
            (0..200_000).filter(|unit| unit % 5 > 0).collect(),
            (0..65_536).chain(100_000..100_100).collect(),
            (65_530..3 * 65_536).collect(),
            vec![0, 65_535, 65_536, u32::MAX],
        ];
        for expected in sets {
            let mut called = Vec::new();
            let units: RoaringBitmap = expected.iter().copied().collect();
            for_each(&units, |unit| called.push(unit));
            assert_eq!(called, expected);
            let mut optimised = units.clone();
            optimised.optimize();
            called.clear();
            for_each(&optimised, |unit| called.push(unit));
            assert_eq!(called, expected);
        }
    }
}
