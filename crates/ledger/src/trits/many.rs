//! Many combinations of the same vectors, added to many others.
//!
//! Of four vectors each of the 3⁴ combinations is made once (the method of four Russians), for a stretch of words that
//! stays in the processor's cache while it is added to all others.

use fearless_simd::dispatch;

use super::{Trit, Trits, level};

/// Of how many vectors all combinations are made.
pub(crate) const TOGETHER: usize = 4;
/// How many combinations they have.
pub(crate) const NUMBERS: usize = 3_usize.pow(TOGETHER as u32);
/// How many times so many vectors are added at a time, and how many of their words: 648 KiB.
const PARTS: usize = 16;
const WORDS: usize = 32;
/// Words that are added at a time: those of the widest registers.
const REGISTER: usize = 8;
/// For fewer others, combinations are not made, as making them all is as much work as adding each vector by itself to so many.
const OTHERS_MIN: usize = 48;

/// The factors that a number stands for, as digits to the base 3.
pub(crate) fn digits(number: u8) -> impl Iterator<Item = Trit> {
    (0..TOGETHER as u32).map(move |place| number / 3_u8.pow(place) % 3)
}

/// Adds combinations of vectors to others: to each with a number for every [`TOGETHER`] of the vectors, in order, whose
/// digits are their factors, and zero beyond the last vector.
pub(crate) fn add_many(others: &mut [(&mut Trits, &[u8])], vectors: &[&Trits]) {
    if others.len() < OTHERS_MIN {
        // Each vector is read once: there may be far more of them than a cache holds.
        for (at, some) in vectors.chunks(TOGETHER).enumerate() {
            for (other, numbers) in &mut *others {
                let factors = digits(numbers[at]);
                some.iter()
                    .zip(factors)
                    .for_each(|(vector, factor)| other.add(factor, vector));
            }
        }
        return;
    }
    let length = |vector: &Trits| vector.lo.len();
    let words = vectors.iter().map(|vector| length(vector)).max();
    let words = words.unwrap_or(0);
    for (other, numbers) in &mut *others {
        if numbers.iter().any(|number| *number != 0) {
            other.lengthen(words);
        }
    }
    let mut made = Made::default();
    // A stretch of all others stays in the cache too, where they are not too many.
    for first in (0..words).step_by(WORDS) {
        for (place, some) in vectors.chunks(TOGETHER * PARTS).enumerate() {
            made.make(some, first);
            let parts = place * PARTS..place * PARTS + some.len().div_ceil(TOGETHER);
            for (other, numbers) in &mut *others {
                made.add_to(other, &numbers[parts.clone()], first);
            }
        }
    }
}

/// A stretch of words.
type Stretch = [u64; WORDS];
/// The same, some words at a time.
type Registers = [[u64; REGISTER]; WORDS / REGISTER];

/// All combinations of some vectors, for a stretch of words.
#[derive(Default)]
struct Made {
    of: Vec<(Registers, Registers)>,
}

impl Made {
    fn make(&mut self, vectors: &[&Trits], first: usize) {
        let count = vectors.len().div_ceil(TOGETHER) * NUMBERS;
        let none: Registers = [[0; REGISTER]; WORDS / REGISTER];
        self.of.resize(count, (none, none));
        for (some, made) in vectors.chunks(TOGETHER).zip(self.of.chunks_mut(NUMBERS)) {
            made[0] = (none, none);
            let mut done = 1;
            for vector in some {
                let (lo, hi) = (stretch(&vector.lo, first), stretch(&vector.hi, first));
                for number in done..3 * done {
                    // Once more than the number that has it once less.
                    made[number] = made[number - done];
                    let (of_lo, of_hi) = &mut made[number];
                    let (of_lo, of_hi) = (of_lo.as_flattened_mut(), of_hi.as_flattened_mut());
                    super::add(of_lo, of_hi, &lo, &hi);
                }
                done *= 3;
            }
        }
    }

    fn add_to(&self, other: &mut Trits, numbers: &[u8], first: usize) {
        let end = other.lo.len().min(first + WORDS);
        let (Some(lo), Some(hi)) = (other.lo.get_mut(first..end), other.hi.get_mut(first..end))
        else {
            return;
        };
        if let (Ok(lo), Ok(hi)) = (<&mut Stretch>::try_from(&mut *lo), hi.try_into()) {
            dispatch!(level(), _ => self.add_words_to(lo, hi, numbers));
            return;
        }
        let (mut all_lo, mut all_hi) = (stretch(lo, 0), stretch(hi, 0));
        dispatch!(level(), _ => self.add_words_to(&mut all_lo, &mut all_hi, numbers));
        lo.copy_from_slice(&all_lo[..lo.len()]);
        hi.copy_from_slice(&all_hi[..hi.len()]);
    }

    /// Inlined where it is dispatched to. A few words at a time, so that what is added to stays in registers.
    #[inline(always)]
    fn add_words_to(&self, lo: &mut Stretch, hi: &mut Stretch, numbers: &[u8]) {
        let (lo, hi) = (lo.as_chunks_mut().0, hi.as_chunks_mut().0);
        for (at, (lo, hi)) in lo.iter_mut().zip(hi).enumerate() {
            let (mut of_lo, mut of_hi): ([u64; REGISTER], [u64; REGISTER]) = (*lo, *hi);
            for (made, number) in self.of.chunks_exact(NUMBERS).zip(numbers) {
                let made = &made[usize::from(*number)];
                let (made_lo, made_hi) = (&made.0[at], &made.1[at]);
                for place in 0..REGISTER {
                    let (lo, hi) = (of_lo[place], of_hi[place]);
                    let both = (lo | made_hi[place]) ^ (hi | made_lo[place]);
                    of_lo[place] = (hi | made_hi[place]) ^ both;
                    of_hi[place] = (lo | made_lo[place]) ^ both;
                }
            }
            (*lo, *hi) = (of_lo, of_hi);
        }
    }
}

/// A stretch of words, zero where there are none.
fn stretch(words: &[u64], first: usize) -> Stretch {
    let mut of = [0; WORDS];
    let words = words.iter().skip(first);
    of.iter_mut().zip(words).for_each(|(to, from)| *to = *from);
    of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_adding_one_by_one_is() {
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed >> 33
        };
        for (vectors, others) in [
            (0_usize, 40),
            (1, 1),
            (3, 40),
            (4, 40),
            (45, 10),
            (45, 50),
            (70, 33),
            (70, 60),
        ] {
            let mut vector = || {
                let length = next() % 9_000;
                let numbers: Vec<i8> = (0..length).map(|_| (next() % 3) as i8).collect();
                Trits::of(&numbers)
            };
            let of: Vec<Trits> = (0..vectors).map(|_| vector()).collect();
            let mut added: Vec<Trits> = (0..others).map(|_| vector()).collect();
            let parts = vectors.div_ceil(TOGETHER);
            // Of vectors that are not there there is nothing.
            let highest = |part: usize| 3_u64.pow((vectors - part * TOGETHER).min(TOGETHER) as u32);
            let numbers: Vec<Vec<u8>> = (0..others)
                .map(|_| {
                    (0..parts)
                        .map(|part| (next() % highest(part)) as u8)
                        .collect()
                })
                .collect();
            let mut one_by_one = added.clone();
            for (other, numbers) in one_by_one.iter_mut().zip(&numbers) {
                let factors = numbers.iter().flat_map(|number| digits(*number));
                of.iter()
                    .zip(factors)
                    .for_each(|(vector, factor)| other.add(factor, vector));
            }
            let mut all: Vec<(&mut Trits, &[u8])> = added
                .iter_mut()
                .zip(numbers.iter().map(Vec::as_slice))
                .collect();
            add_many(&mut all, &of.iter().collect::<Vec<_>>());
            let is_same = |(one, other): (&Trits, &Trits)| one.places().eq(other.places());
            assert!(
                one_by_one.iter().zip(&added).all(is_same),
                "{vectors}, {others}"
            );
        }
    }
}
