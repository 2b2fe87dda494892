//! A few hundred bytes that find which sets a set has to be compared with.
//!
//! Units fall into buckets by a keyed hash; of each bucket a sketch has the wrapping sum of its units' values. A value is the
//! product of two keyed hashes, of the unit's word and of its place there, and a word's units are in all buckets in turn:
//! so there is one hash for the units of a word, and yet each bucket has some of whichever units a set has. Two sets
//! that differ by fewer than k units differ in fewer than k buckets, so among any k buckets one is equal. For small sets
//! that says little, because their buckets are mostly empty; of them the k units with the lowest hashes are kept: two
//! sets that differ by fewer than k units share one of those. (Let u be the unit with the lowest hash that both have.
//! Every unit of A before u is one that B lacks, and there are fewer than k.)
//!
//! The hash is no cryptography. It is keyed so that nobody can write queries that all fall into one place of the index,
//! and correctness does not depend on it.

use fearless_simd::dispatch;
use roaring::RoaringBitmap;

use crate::trits;
use crate::words::{Words, places};

/// How many buckets the units fall into, and the largest k for which the index is more than a scan.
pub(crate) const BUCKETS: usize = 32;
/// Sets below this size are found by their lowest units, the others by their buckets.
pub(crate) const SMALL: u64 = 256;

/// Units that follow each other are hashed together, so many as a word has bits, by other hashes than those of any unit below
/// these.
const WORDS: u32 = 1 << 29;
const POSITIONS: u32 = 3 << 30;
/// So many words are added to the buckets at once.
const TOGETHER: usize = 64;

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

/// The hashes of the places that a unit can have in its word.
pub(crate) struct Positions {
    of: [u64; 2 * BUCKETS],
    all: u64,
    /// As many bits of each as a bucket has.
    values: [u32; 2 * BUCKETS],
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
        let (words, positions) = (Words::of(units), self.positions());
        let parts = words.by_parts(|part| {
            let mut buckets = Buckets::new(self, &positions);
            for container in part {
                words.for_each_in(container, |word, bits| buckets.add(word, bits));
            }
            buckets.sketch()
        });
        parts
            .iter()
            .fold(Sketch::empty(), |sum, part| sum.and(part))
    }

    /// The hash of a word of units.
    #[inline(always)]
    pub(crate) fn word(self, word: u32) -> u64 {
        self.hash(word | WORDS)
    }

    /// The hashes of the places in a word.
    pub(crate) fn positions(self) -> Positions {
        let of = std::array::from_fn(|place| self.hash(place as u32 | POSITIONS));
        Positions {
            of,
            all: of.iter().copied().fold(0, u64::wrapping_add),
            values: of.map(|hash| hash as u32),
        }
    }

    /// The sketch of the units `0..units`.
    pub(crate) fn whole(self, units: u32) -> Sketch {
        let positions = self.positions();
        let mut buckets = Buckets::new(self, &positions);
        for word in 0..units.div_ceil(u64::BITS) {
            let here = (units - word * u64::BITS).min(u64::BITS);
            buckets.add(word, u64::MAX >> (u64::BITS - here));
        }
        Sketch {
            cardinality: u64::from(units),
            ..buckets.sketch()
        }
    }
}

impl Positions {
    /// What units of a word add up to, of which this is the hash.
    #[inline(always)]
    pub(crate) fn sum(&self, hash: u64, bits: u64) -> u64 {
        let sum = |bits| places(bits).map(|place| self.of[place]);
        let sum = |bits| sum(bits).fold(0, u64::wrapping_add);
        let sum = match bits.count_ones() > u64::BITS / 2 {
            true => self.all.wrapping_sub(sum(!bits)),
            false => sum(bits),
        };
        sum.wrapping_mul(hash | 1)
    }
}

/// What the units of each bucket add up to.
pub(crate) struct Buckets<'a> {
    mixer: Mixer,
    positions: &'a Positions,
    sums: [u32; BUCKETS],
    /// Hashes and units of words that are not added yet, so that many are at once.
    words: [(u64, u64); TOGETHER],
    waiting: usize,
}

impl Buckets<'_> {
    pub(crate) fn new(mixer: Mixer, positions: &Positions) -> Buckets<'_> {
        Buckets {
            mixer,
            positions,
            sums: [0; BUCKETS],
            words: [(0, 0); TOGETHER],
            waiting: 0,
        }
    }

    /// Adds units of a word.
    #[inline(always)]
    pub(crate) fn add(&mut self, word: u32, bits: u64) {
        let hash = self.mixer.word(word);
        let bits = bits.rotate_left((hash >> 58) as u32);
        if bits.is_power_of_two() {
            let place = bits.trailing_zeros() as usize;
            let value = self.positions.values[place].wrapping_mul(factor(hash));
            let sum = &mut self.sums[place % BUCKETS];
            *sum = sum.wrapping_add(value);
            return;
        }
        self.words[self.waiting % TOGETHER] = (hash, bits);
        self.waiting += 1;
        if self.waiting == TOGETHER {
            self.add_words();
        }
    }

    fn add_words(&mut self) {
        let words = &self.words[..std::mem::take(&mut self.waiting)];
        add_words(&mut self.sums, words, &self.positions.values);
    }

    /// A sketch of buckets alone.
    pub(crate) fn sketch(mut self) -> Sketch {
        self.add_words();
        Sketch {
            buckets: self.sums,
            ..Sketch::empty()
        }
    }
}

/// What the values of a word's units are multiples of, given its hash.
fn factor(hash: u64) -> u32 {
    hash as u32 | 1
}

fn add_words(sums: &mut [u32; BUCKETS], words: &[(u64, u64)], values: &[u32; 2 * BUCKETS]) {
    dispatch!(trits::level(), _ => add_words_inlined(sums, words, values));
}

/// Inlined where it is dispatched to, or it would be compiled for the smallest registers alone.
#[inline(always)]
fn add_words_inlined(sums: &mut [u32; BUCKETS], words: &[(u64, u64)], values: &[u32; 2 * BUCKETS]) {
    let (of_low, of_high) = values.split_at(BUCKETS);
    for (hash, bits) in words {
        let [low, high] = [*bits as u32, (bits >> 32) as u32];
        let factor = factor(*hash);
        // Of all places, as it cannot be foreseen which ones have units.
        for (at, (sum, (of_low, of_high))) in
            sums.iter_mut().zip(of_low.iter().zip(of_high)).enumerate()
        {
            let of = |bits: u32, value: u32| value & 0_u32.wrapping_sub(bits >> at & 1);
            let value = of(low, *of_low).wrapping_add(of(high, *of_high));
            *sum = sum.wrapping_add(value.wrapping_mul(factor));
        }
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
    use proptest::prelude::*;

    use super::*;

    fn mixer() -> Mixer {
        Mixer::new([9; 16])
    }

    proptest! {
        #[test]
        fn buckets_are_what_their_units_add_up_to(
            ranges in proptest::collection::vec((0_u32..300_000, 1_u32..20_000, 1_usize..90), 1..5),
        ) {
            let of_range = |(start, length, step): (u32, u32, usize)| (start..start + length).step_by(step);
            let units: RoaringBitmap = ranges.into_iter().flat_map(of_range).collect();
            let mut expected = [0_u32; BUCKETS];
            for unit in &units {
                let hash = mixer().hash((unit / 64) | WORDS);
                let place = (unit + (hash >> 58) as u32) % 64;
                let value = (hash | 1).wrapping_mul(mixer().hash(place | POSITIONS));
                let bucket = &mut expected[place as usize % BUCKETS];
                *bucket = bucket.wrapping_add(value as u32);
            }
            let sketch = mixer().sketch(&units);
            prop_assert_eq!(sketch.buckets, expected);
            prop_assert_eq!(sketch.cardinality, units.len());
        }

        #[test]
        fn the_whole_is_every_unit_of_it(units in 0_u32..3_000) {
            let every: RoaringBitmap = (0..units).collect();
            prop_assert!(mixer().whole(units).is_like(&mixer().sketch(&every)));
        }
    }

    /// As many as a large set has, wherever they are.
    #[test]
    fn each_bucket_has_units_of_a_large_set() {
        for (start, step) in [(0, 1), (70, 1), (3, 32), (3, 64), (5, 1_000), (0, 6)] {
            let units: RoaringBitmap = (0..SMALL as u32).map(|at| start + at * step).collect();
            let sketch = mixer().sketch(&units);
            let empty = sketch.buckets.iter().filter(|bucket| **bucket == 0).count();
            assert!(empty <= 2, "{empty} of units from {start}, every {step}th");
        }
    }
}
