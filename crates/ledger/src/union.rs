//! The union of many sets.

use roaring::{MultiOps, RoaringBitmap};

use crate::parallel::{self, PARALLEL_UNITS_MIN};
use crate::words::{CONTAINER_WORDS, Words};

/// Of so many sets a thread makes one.
const UNITED_TOGETHER: usize = 64;

/// So many containers are united at once where sets are sparse: their bits are 64 KiB.
const CONTAINERS_TOGETHER: u32 = 8;

/// And so many units, more or less, as they are copied: 32 MiB.
const UNITS_TOGETHER: u64 = if cfg!(test) { 1 << 18 } else { 1 << 24 };

/// A container of 65,536 numbers has fewer than this, or is kept as bits.
const LIST_MAX: u64 = 4_096;

/// The union of sets.
pub(crate) fn united(sets: &[&RoaringBitmap]) -> RoaringBitmap {
    let units: u64 = sets.iter().map(|units| units.len()).sum();
    if units < PARALLEL_UNITS_MIN {
        return sets.iter().copied().union();
    }
    let last = sets.iter().filter_map(|set| set.max()).max().unwrap_or(0);
    let containers = u64::from(last >> 16) + 1;
    if units / containers / (sets.len() as u64) < LIST_MAX {
        let together = sets.len() as u64 * UNITS_TOGETHER / units;
        let parts = sets.chunks(together.max(1) as usize);
        return parts.map(|part| united_by_ranges(part, last)).union();
    }
    let parts: Vec<_> = sets.chunks(UNITED_TOGETHER).collect();
    let unions = parallel::each(&parts, |part| part.iter().copied().union());
    unions.into_iter().union()
}

/// The union of sets of which most containers are lists. Set by set, each would go through the bits of all numbers, for a
/// few of each container; here all sets go through a few bits.
fn united_by_ranges(sets: &[&RoaringBitmap], last: u32) -> RoaringBitmap {
    let sets = parallel::each(sets, |set| Words::of(set));
    let parts = last / (CONTAINERS_TOGETHER << 16);
    let parts: Vec<u32> = (0..=parts).collect();
    let unions = parallel::each(&parts, |part| {
        let first = part * CONTAINERS_TOGETHER * CONTAINER_WORDS as u32;
        let mut words = vec![0_u64; CONTAINERS_TOGETHER as usize * CONTAINER_WORDS];
        for set in &sets {
            for container in set.containers_in(first..first + words.len() as u32) {
                set.for_each_in(container, |word, bits| {
                    words[(word - first) as usize] |= bits
                });
            }
        }
        let mut bytes = vec![0; 8 * words.len()];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        RoaringBitmap::from_lsb0_bytes(first * u64::BITS, &bytes)
    });
    unions.into_iter().union()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_has_what_any_set_has() {
        let last = (12 * CONTAINERS_TOGETHER) << 16;
        for (sets, step) in [(2, 3), (40, 61), (300, 997)] {
            let of = |set: u32| (set..last).step_by(step).collect::<RoaringBitmap>();
            let all: Vec<RoaringBitmap> = (0..sets).map(of).collect();
            let all: Vec<&RoaringBitmap> = all.iter().collect();
            let units: u64 = all.iter().map(|set| set.len()).sum();
            assert!(units >= PARALLEL_UNITS_MIN);
            let expected = all.iter().copied().union();
            assert_eq!(united(&all), expected);
            assert_eq!(united_by_ranges(&all, last), expected);
        }
        let ends: RoaringBitmap = [0, u32::MAX].into_iter().collect();
        assert_eq!(united_by_ranges(&[&ends], u32::MAX), ends);
    }
}
