//! The union of many sets.

use roaring::{MultiOps, RoaringBitmap};

use crate::parallel::{self, PARALLEL_UNITS_MIN};
use crate::sketch::{for_each_within, ranges};

/// Of so many sets a thread makes one.
const UNITED_TOGETHER: usize = 64;

/// So many numbers are united at once where sets are sparse: their bits are 64 KiB.
const NUMBERS_TOGETHER: u32 = 1 << 19;

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
        return united_by_ranges(sets, last);
    }
    let parts: Vec<_> = sets.chunks(UNITED_TOGETHER).collect();
    let unions = parallel::each(&parts, |part| part.iter().copied().union());
    unions.into_iter().union()
}

/// The union of sets of which most containers are lists. Set by set, each would go through the bits of all numbers, for a
/// few of each container; here all sets go through a few bits.
fn united_by_ranges(sets: &[&RoaringBitmap], last: u32) -> RoaringBitmap {
    let unions = parallel::each(&ranges(last, NUMBERS_TOGETHER), |range| {
        let mut bits = vec![0_u8; NUMBERS_TOGETHER as usize / 8];
        for set in sets {
            for_each_within(set, range.clone(), |unit| {
                let at = unit - range.start();
                bits[at as usize / 8] |= 1 << (at % 8);
            });
        }
        RoaringBitmap::from_lsb0_bytes(*range.start(), &bits)
    });
    unions.into_iter().union()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_has_what_any_set_has() {
        let last = 12 * NUMBERS_TOGETHER;
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
