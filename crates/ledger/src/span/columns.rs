//! Sets among the columns.
//!
//! Sixty-four units that follow each other are in sixty-four columns that do, turned by a keyed hash and each with a sign of
//! its own, so that they are added at once, as bits; units of which there are fewer than columns are in columns of their own.
//! Some columns of each sixty-four come before all others, so that whichever units a set has, some of them are among the first
//! columns ([`Head`](crate::trits::Head)).

use roaring::RoaringBitmap;

use crate::sketch::Mixer;
use crate::trits::Trits;
use crate::words::Words;

use super::Vector;

/// Columns and units are looked at so many at a time.
const WORD: u32 = u64::BITS;
/// Where the words of the lowest units end: a small population takes few columns.
const LEVELS: [u32; 2] = [512 / WORD, 4_096 / WORD];

/// So many columns at most are of the first ones of each word: those of the smallest populations follow, and are among the
/// first columns too.
const FIRST_MAX: u32 = 1_536;

/// Signs are by another hash than that of any unit below it.
const SIGNS: u32 = 1 << 30;

impl Mixer {
    /// A set among the columns.
    pub(crate) fn vector(self, units: &RoaringBitmap, width: u32) -> Vector {
        let (words, positions) = (Words::of(units), self.positions());
        let parts = words.by_parts(|part| {
            let (mut columns, mut sum) = (Columns::new(self, width), 0_u64);
            for container in part {
                words.for_each_in(container, |word, bits| {
                    sum = sum.wrapping_add(positions.sum(self.word(word), bits));
                    columns.add(word, bits, 0);
                });
            }
            (columns, sum)
        });
        let (columns, sums): (Vec<Columns>, Vec<u64>) = parts.into_iter().unzip();
        Vector {
            columns: Columns::all(columns),
            sum: sums.into_iter().fold(0, u64::wrapping_add),
        }
    }
}

/// What the units of each column come to, modulo 3.
pub(crate) struct Columns {
    mixer: Mixer,
    width: u32,
    block: Block,
    sums: Trits,
}

impl Columns {
    pub(crate) fn new(mixer: Mixer, width: u32) -> Columns {
        Columns {
            mixer,
            width,
            block: Block::of(mixer, 0, width),
            sums: Trits::zero(width as usize),
        }
    }

    /// Adds units of a word, once and twice; in any order, and they cost least in theirs.
    #[inline(always)]
    pub(crate) fn add(&mut self, word: u32, once: u64, twice: u64) {
        if !self.block.has(word) {
            self.block = Block::of(self.mixer, word, self.width);
        }
        let (signs, turn) = signs(self.mixer, word);
        // A sign turns one into two, modulo 3.
        let one = once & !signs | twice & signs;
        let two = once & signs | twice & !signs;
        let at = self.block.column(word);
        self.sums
            .add_word(at, one.rotate_left(turn), two.rotate_left(turn));
    }

    /// All together.
    pub(crate) fn all(parts: Vec<Columns>) -> Trits {
        let all = parts.into_iter().reduce(|mut all, part| {
            all.sums.add(1, &part.sums);
            all
        });
        all.map_or_else(Trits::default, |all| all.sums.with_first(first(all.width)))
    }
}

/// How many columns of each word come first.
fn first(width: u32) -> u32 {
    FIRST_MAX / (width / WORD)
}

/// Which units of a word count as minus one, and by how much they are turned.
#[inline(always)]
fn signs(mixer: Mixer, word: u32) -> (u64, u32) {
    let signs = mixer.hash(word | SIGNS);
    (signs, signs as u32 % WORD)
}

/// Words of units that have words of columns of their own.
struct Block {
    /// Of the units, and of their columns.
    start: u32,
    first: u32,
    length: u32,
    factor: u32,
    shift: u32,
    /// 2⁶⁴ over the length, rounded up.
    inverse: u64,
}

impl Block {
    /// The block that a word is in, of so many columns.
    #[cold]
    fn of(mixer: Mixer, word: u32, width: u32) -> Block {
        let width = width / WORD;
        let (start, first, length) = if word >= width {
            (word / width * width, 0, width)
        } else {
            let start = LEVELS.into_iter().rfind(|end| word >= *end).unwrap_or(0);
            let end = LEVELS.into_iter().find(|end| word < *end).unwrap_or(width);
            (start, start, end - start)
        };
        let hash = mixer.hash(start | 1 << 31);
        // No factor of a length: 2, 3, 5 and 7 are all there are.
        let mut factor = (hash as u32 % length) | 1;
        while [3, 5, 7].iter().any(|prime| factor.is_multiple_of(*prime)) {
            factor += 2;
        }
        Block {
            start,
            first,
            length,
            factor,
            shift: (hash >> 32) as u32 % length,
            inverse: (u64::MAX / u64::from(length)).wrapping_add(1),
        }
    }

    #[inline]
    fn has(&self, word: u32) -> bool {
        word.wrapping_sub(self.start) < self.length
    }

    /// The word of columns.
    #[inline]
    fn column(&self, word: u32) -> usize {
        // Fits 32 bits, so that what a division leaves comes of two multiplications (Lemire, Kaser, Kurz, *Faster remainder by
        // direct computation*, 2019).
        let place = u64::from(word - self.start) * u64::from(self.factor) + u64::from(self.shift);
        let part = u128::from(self.inverse.wrapping_mul(place));
        self.first as usize + ((part * u128::from(self.length)) >> 64) as usize
    }
}

/// The column of a unit.
#[cfg(test)]
pub(super) fn column(mixer: Mixer, unit: u32, width: u32) -> usize {
    let (word, (_, turn)) = (unit / WORD, signs(mixer, unit / WORD));
    let word = Block::of(mixer, word, width).column(word) as u32;
    let (at, first) = ((unit % WORD + turn) % WORD, first(width));
    let column = match at.checked_sub(first) {
        None => word * first + at,
        Some(at) => width / WORD * first + word * (WORD - first) + at,
    };
    column as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::WIDTHS;
    use super::*;
    use crate::rows::{Rows, row_weight};
    use crate::trits::{HEAD_PLACES, Trit};

    fn mixer() -> Mixer {
        Mixer::new([9; 16])
    }

    #[test]
    fn a_place_is_a_columns_own_among_neighbours() {
        for width in WIDTHS {
            for start in [0, 512, 4_096, width, 25 * width] {
                let block = Block::of(mixer(), start / WORD, width);
                let words = block.start..block.start + block.length;
                assert!(
                    words.contains(&(start / WORD)) && words.clone().all(|word| block.has(word))
                );
                assert!(!block.has(words.end));
                let naive = |word: u32| {
                    let place = u64::from(word - block.start) * u64::from(block.factor);
                    u64::from(block.first)
                        + (place + u64::from(block.shift)) % u64::from(block.length)
                };
                assert!(
                    words
                        .clone()
                        .all(|word| block.column(word) as u64 == naive(word))
                );
                let units = words.start * WORD..words.end * WORD;
                let mut columns: Vec<usize> =
                    units.map(|unit| column(mixer(), unit, width)).collect();
                columns.sort_unstable();
                columns.dedup();
                assert_eq!(columns.len() as u32, block.length * WORD, "{start}");
                assert!(columns.iter().all(|column| *column < width as usize));
            }
        }
    }

    #[test]
    fn a_small_population_takes_few_columns() {
        for (units, most) in [(512, HEAD_PLACES / 64), (4_096, 90)] {
            let columns = mixer().vector(&(0..units).collect(), WIDTHS[0]).columns;
            let places: Vec<usize> = columns.places().map(|(at, _)| at).collect();
            assert_eq!(places.len() as u32, units);
            assert!(places.iter().all(|at| *at < most * 64));
        }
    }

    /// Whoever is in it, some are among those that are compared first.
    #[test]
    fn a_few_neighbours_are_among_the_first_columns() {
        for (width, units) in [(WIDTHS[0], 100), (WIDTHS[1], 300)] {
            for start in (0..50_000).step_by(77) {
                let columns = mixer()
                    .vector(&(start..start + units).collect(), width)
                    .columns;
                assert!(columns.head().places().next().is_some(), "{start}");
            }
        }
    }

    /// Unit by unit.
    fn naive(units: &RoaringBitmap, times: impl Fn(u32) -> i64, width: u32) -> Vec<Trit> {
        let mut sums = vec![0_i64; width as usize];
        for unit in units {
            let is_minus = signs(mixer(), unit / WORD).0 >> (unit % WORD) & 1 == 1;
            let times = if is_minus { -times(unit) } else { times(unit) };
            sums[column(mixer(), unit, width)] += times;
        }
        sums.into_iter()
            .map(|sum| sum.rem_euclid(3) as Trit)
            .collect()
    }

    fn all(columns: &Trits, width: u32) -> Vec<Trit> {
        (0..width as usize).map(|place| columns.at(place)).collect()
    }

    proptest! {
        #[test]
        fn a_column_is_what_all_of_its_units_come_to(
            ranges in proptest::collection::vec((0_u32..300_000, 1_u32..20_000, 1_usize..9), 1..9),
            modulus in 1_u32..7,
            is_wide in any::<bool>(),
        ) {
            let width = WIDTHS[usize::from(is_wide)];
            let of_range = |(start, length, step): (u32, u32, usize)| (start..start + length).step_by(step);
            let units: RoaringBitmap = ranges.into_iter().flat_map(of_range).collect();
            let vector = mixer().vector(&units, width);
            prop_assert!(all(&vector.columns, width) == naive(&units, |_| 1, width));
            let times = |unit: u32| i64::from(unit / 3 % modulus % 3) + 1;
            let of = |this: i64| {
                let of_times = units.iter().filter(|unit| times(*unit) == this);
                Arc::new(of_times.collect::<RoaringBitmap>())
            };
            let rows = Rows { twos: of(2), threes: of(3), weight: 5, noted: None };
            let (sketch, vector) = mixer().sketch_and_rows(&units, &rows, width);
            prop_assert!(sketch.is_like(&mixer().sketch(&units)));
            prop_assert!(all(&vector.columns, width) == naive(&units, times, width));
            prop_assert_eq!(vector.sum, 5);
            let vector = mixer().rows_vector(&units, &Rows::default(), width);
            prop_assert!(all(&vector.columns, width) == naive(&units, |_| 1, width));
            let first = units.iter().map(|unit| row_weight(unit, 0));
            prop_assert_eq!(vector.sum, first.fold(0, u64::wrapping_add));
        }

        /// So that where sums agree, so do sets.
        #[test]
        fn the_sum_of_a_set_is_that_of_its_parts(
            units in proptest::collection::btree_set(0_u32..3_000, 1..900),
            is_dense in any::<bool>(),
            split in 0_u32..3_000,
        ) {
            let units: RoaringBitmap = (0..3_000).filter(|unit| units.contains(unit) != is_dense).collect();
            let sum = |units: &RoaringBitmap| mixer().vector(units, WIDTHS[0]).sum;
            let part = |is_low: bool| units.iter().filter(|unit| (*unit < split) == is_low).collect();
            prop_assert_eq!(sum(&units), sum(&part(true)).wrapping_add(sum(&part(false))));
            let mut one_by_one = 0_u64;
            for unit in &units {
                one_by_one = one_by_one.wrapping_add(sum(&[unit].into_iter().collect()));
            }
            prop_assert_eq!(sum(&units), one_by_one);
        }
    }
}
