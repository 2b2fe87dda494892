//! Vectors modulo 3, sixty-four places to a word: each place is two bits, `lo` where it is 1 and `hi` where it is 2.
//!
//! Seven operations on words add sixty-four places (Kawahara, Aoki, Takagi, *Faster implementation of η_T pairing over
//! GF(3^m)*, 2008). A vector is as long as its last place that is not zero wants it; what lies beyond is zero. Words are
//! added in the widest registers that the processor has.

use std::sync::LazyLock;

use fearless_simd::{Level, dispatch};

pub(crate) use many::{NUMBERS, TOGETHER, add_many, digits};

mod many;

/// A place: 0, 1 or 2.
pub(crate) type Trit = u8;

/// A vector modulo 3.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Trits {
    lo: Vec<u64>,
    hi: Vec<u64>,
}

/// How many words [`Head`] has of 1 and of 2.
const HEAD: usize = 8;
/// How many places [`Head`] has.
pub(crate) const HEAD_PLACES: usize = 64 * HEAD;

/// The first places of a vector.
#[derive(Clone)]
pub(crate) struct Head {
    lo: [u64; HEAD],
    hi: [u64; HEAD],
}

/// The other one of 1 and 2.
pub(crate) fn negative(trit: Trit) -> Trit {
    (3 - trit) % 3
}

impl Trits {
    /// The vector of these numbers, modulo 3.
    pub(crate) fn of(numbers: &[i32]) -> Trits {
        let mut trits = Trits::default();
        for (at, of) in numbers.chunks(64).enumerate() {
            let (mut lo, mut hi) = (0, 0);
            // Without a branch, as what is left of a number cannot be foreseen.
            for (bit, number) in of.iter().enumerate() {
                let left = number.rem_euclid(3);
                lo |= u64::from(left == 1) << bit;
                hi |= u64::from(left == 2) << bit;
            }
            if lo | hi != 0 {
                trits.lengthen(at + 1);
                (trits.lo[at], trits.hi[at]) = (lo, hi);
            }
        }
        trits
    }

    fn lengthen(&mut self, words: usize) {
        if self.lo.len() < words {
            self.lo.resize(words, 0);
            self.hi.resize(words, 0);
        }
    }

    /// What is at a place.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> Trit {
        let bit = |of: &[u64]| {
            of.get(place / 64)
                .map_or(0, |word| word >> (place % 64) & 1) as u8
        };
        bit(&self.lo) | bit(&self.hi) << 1
    }

    /// Sets a place that is zero.
    pub(crate) fn set(&mut self, place: usize, trit: Trit) {
        self.lengthen(place / 64 + 1);
        self.lo[place / 64] |= u64::from(trit & 1) << (place % 64);
        self.hi[place / 64] |= u64::from(trit >> 1) << (place % 64);
    }

    /// Adds a multiple of another vector.
    pub(crate) fn add(&mut self, factor: Trit, of: &Trits) {
        if factor == 0 {
            return;
        }
        self.lengthen(of.lo.len());
        match factor {
            1 => add(&mut self.lo, &mut self.hi, &of.lo, &of.hi),
            2 => add(&mut self.lo, &mut self.hi, &of.hi, &of.lo),
            _ => {}
        }
    }

    /// Turns 1 into 2 and 2 into 1.
    pub(crate) fn negate(&mut self) {
        std::mem::swap(&mut self.lo, &mut self.hi);
    }

    /// Whether all places are zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.lo.iter().zip(&self.hi).all(|(lo, hi)| lo | hi == 0)
    }

    /// The places that are not zero, the first one first, with what is there.
    pub(crate) fn places(&self) -> impl DoubleEndedIterator<Item = (usize, Trit)> {
        let words = self.lo.iter().zip(&self.hi).enumerate();
        let words = words.filter(|(_, (lo, hi))| **lo | **hi != 0);
        words.flat_map(|(at, (lo, hi))| {
            let is_set = move |bit: &usize| (lo | hi) >> bit & 1 == 1;
            let of_bit = move |bit: usize| (at * 64 + bit, 1 + (hi >> bit & 1) as Trit);
            (0..64).filter(is_set).map(of_bit)
        })
    }

    /// Whether this plus or minus another vector has fewer places than `most` that are not zero.
    pub(crate) fn nearly_cancels(&self, other: &Trits, most: usize) -> bool {
        let shorter = self.lo.len().min(other.lo.len());
        let beyond = |of: &Trits| {
            let words = of.lo.iter().zip(&of.hi).skip(shorter);
            words
                .map(|(lo, hi)| (lo | hi).count_ones() as usize)
                .sum::<usize>()
        };
        let left = most.saturating_sub(beyond(self) + beyond(other));
        nearly_cancels((&self.lo, &self.hi), (&other.lo, &other.hi), left)
    }

    /// The first places.
    pub(crate) fn head(&self) -> Head {
        let first = |of: &[u64]| {
            let mut words = [0; HEAD];
            words.iter_mut().zip(of).for_each(|(word, of)| *word = *of);
            words
        };
        Head {
            lo: first(&self.lo),
            hi: first(&self.hi),
        }
    }
}

impl Head {
    /// Adds a multiple of another one.
    pub(crate) fn add(&mut self, factor: Trit, of: &Head) {
        match factor {
            1 => add(&mut self.lo, &mut self.hi, &of.lo, &of.hi),
            2 => add(&mut self.lo, &mut self.hi, &of.hi, &of.lo),
            _ => {}
        }
    }

    /// As [`Trits::nearly_cancels`], as far as the first places tell.
    pub(crate) fn nearly_cancels(&self, other: &Head, most: usize) -> bool {
        nearly_cancels((&self.lo, &self.hi), (&other.lo, &other.hi), most)
    }
}

/// Whether the sum or the difference has fewer places than `most` that are not zero.
fn nearly_cancels(
    (lo, hi): (&[u64], &[u64]),
    (other_lo, other_hi): (&[u64], &[u64]),
    most: usize,
) -> bool {
    let (mut sum, mut difference) = (0, 0);
    let words = lo.iter().zip(hi).zip(other_lo.iter().zip(other_hi));
    for ((lo, hi), (other_lo, other_hi)) in words {
        sum += ((lo ^ other_hi) | (hi ^ other_lo)).count_ones() as usize;
        difference += ((lo ^ other_lo) | (hi ^ other_hi)).count_ones() as usize;
        if sum >= most && difference >= most {
            return false;
        }
    }
    most > 0
}

/// Which registers there are.
fn level() -> Level {
    static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);
    *LEVEL
}

fn add(lo: &mut [u64], hi: &mut [u64], of_lo: &[u64], of_hi: &[u64]) {
    dispatch!(level(), _ => add_words(lo, hi, of_lo, of_hi));
}

/// Inlined where it is dispatched to, or it would be compiled for the smallest registers alone.
#[inline(always)]
fn add_words(lo: &mut [u64], hi: &mut [u64], of_lo: &[u64], of_hi: &[u64]) {
    for (((lo, hi), of_lo), of_hi) in lo.iter_mut().zip(hi).zip(of_lo).zip(of_hi) {
        let both = (*lo | of_hi) ^ (*hi | of_lo);
        let next = (*hi | of_hi) ^ both;
        *hi = (*lo | of_lo) ^ both;
        *lo = next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = Vec<i32>> {
        proptest::collection::vec(-4_i32..5, 0..200)
    }

    proptest! {
        #[test]
        fn it_is_arithmetic_modulo_3(one in numbers(), other in numbers(), factor in 0_u8..3) {
            let mut sum = Trits::of(&one);
            sum.add(factor, &Trits::of(&other));
            let number = |of: &[i32], at: usize| of.get(at).copied().unwrap_or(0);
            let of_factor = |factor: i32| move |at: usize| -> i32 {
                number(&one, at) + factor * number(&other, at)
            };
            let expected = of_factor(i32::from(factor));
            for at in 0..200 {
                prop_assert_eq!(i32::from(sum.at(at)), expected(at).rem_euclid(3));
            }
            let places: Vec<(usize, Trit)> = sum.places().collect();
            let is_set = |at: &usize| expected(*at).rem_euclid(3) != 0;
            prop_assert_eq!(places.len(), (0..200).filter(is_set).count());
            prop_assert!(places.iter().all(|(at, trit)| sum.at(*at) == *trit));
            prop_assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert_eq!(sum.is_zero(), places.is_empty());
            let mut negated = sum.clone();
            negated.negate();
            negated.add(1, &sum);
            prop_assert!(negated.is_zero());
        }

        #[test]
        fn what_nearly_cancels(one in numbers(), changed in 0..200_usize, negated: bool, most in 1..12_usize) {
            let mut other = one.clone();
            for number in other.iter_mut().take(changed) {
                *number += 1;
            }
            let fewest = [1, -1].map(|factor| {
                let left = one.iter().zip(&other).map(|(one, other)| one + factor * other);
                left.filter(|left| left.rem_euclid(3) != 0).count()
            });
            let mut other = Trits::of(&other);
            if negated {
                other.negate();
            }
            let is_near = Trits::of(&one).nearly_cancels(&other, most);
            prop_assert_eq!(is_near, fewest.iter().any(|left| *left < most));
        }
    }
}
