//! Vectors modulo 3, sixty-four places to a word: each place is two bits, `lo` where it is 1 and `hi` where it is 2.
//!
//! Seven operations on words add sixty-four places (Kawahara, Aoki, Takagi, *Faster implementation of η_T pairing over
//! GF(3^m)*, 2008). A vector is as long as its last place that is not zero wants it; what lies beyond is zero. Words are
//! added in the widest registers that the processor has.

use std::ops::Range;
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
const HEAD: usize = 32;
/// How many places [`Head`] has.
pub(crate) const HEAD_PLACES: usize = 64 * HEAD;

/// The first places of a vector.
#[derive(Clone)]
pub(crate) struct Head {
    lo: [u64; HEAD],
    hi: [u64; HEAD],
}

/// How many words at least [`Fronts`] have of each, and at a time.
const FRONT: usize = 4;

/// The first words of many heads, or the last ones, one behind the other: fewer than a [`Head`] has, so that those of all stay
/// in a cache.
#[derive(Clone)]
pub(crate) struct Fronts {
    /// How many words of 1, and of 2.
    words: usize,
    /// The first of these.
    start: usize,
    of: Vec<u64>,
}

/// The other one of 1 and 2.
pub(crate) fn negative(trit: Trit) -> Trit {
    (3 - trit) % 3
}

impl Trits {
    /// The vector of these numbers, modulo 3.
    #[cfg(test)]
    pub(crate) fn of(numbers: &[i8]) -> Trits {
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

    /// As long as so many places want it, for [`Trits::add_word`].
    pub(crate) fn zero(places: usize) -> Trits {
        let words = vec![0; places.div_ceil(64)];
        Trits {
            lo: words.clone(),
            hi: words,
        }
    }

    /// Adds ones and twos to sixty-four places within its length.
    #[inline(always)]
    pub(crate) fn add_word(&mut self, word: usize, ones: u64, twos: u64) {
        let words = word..word + 1;
        let (lo, hi) = (&mut self.lo[words.clone()], &mut self.hi[words]);
        add_words(lo, hi, &[ones], &[twos]);
    }

    /// The same with other places: the first ones of each word, so many, come before all others. As long as its last place
    /// that is not zero wants it.
    pub(crate) fn with_first(&self, places: u32) -> Trits {
        let mut with = Trits {
            lo: with_first(&self.lo, places),
            hi: with_first(&self.hi, places),
        };
        let words = with.lo.iter().zip(&with.hi);
        let beyond = words.rev().position(|(lo, hi)| lo | hi != 0);
        let length = beyond.map_or(0, |beyond| with.lo.len() - beyond);
        with.lo.truncate(length);
        with.hi.truncate(length);
        with
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
        places(&self.lo, &self.hi)
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
    /// What is at a place, which is one of the first.
    pub(crate) fn at(&self, place: usize) -> Trit {
        let bit = |of: &[u64; HEAD]| (of[place / 64] >> (place % 64) & 1) as u8;
        bit(&self.lo) | bit(&self.hi) << 1
    }

    /// The places that are not zero, the first one first, with what is there.
    pub(crate) fn places(&self) -> impl DoubleEndedIterator<Item = (usize, Trit)> {
        places(&self.lo, &self.hi)
    }

    /// Turns 1 into 2 and 2 into 1.
    pub(crate) fn negate(&mut self) {
        std::mem::swap(&mut self.lo, &mut self.hi);
    }

    /// Adds a multiple of another one.
    pub(crate) fn add(&mut self, factor: Trit, of: &Head) {
        match factor {
            1 => add(&mut self.lo, &mut self.hi, &of.lo, &of.hi),
            2 => add(&mut self.lo, &mut self.hi, &of.hi, &of.lo),
            _ => {}
        }
    }

    /// Adds multiples of others.
    pub(crate) fn add_all<'a>(&mut self, of: impl Iterator<Item = (Trit, &'a Head)>) {
        dispatch!(level(), _ => add_heads(self, of));
    }

    /// Adds of one so much to each of others that they have nothing at a place where it is 1.
    pub(crate) fn clear(&self, place: usize, others: &mut [Head]) {
        dispatch!(level(), _ => clear_heads(self, place, others));
    }

    /// As [`Trits::nearly_cancels`], as far as the first places tell.
    pub(crate) fn nearly_cancels(&self, other: &Head, most: usize) -> bool {
        nearly_cancels((&self.lo, &self.hi), (&other.lo, &other.hi), most)
    }
}

impl Fronts {
    /// How many vectors there are.
    pub(crate) fn len(&self) -> usize {
        self.of.len() / (2 * self.words)
    }

    /// The places of each vector that there are.
    pub(crate) fn places(&self) -> Range<usize> {
        64 * self.start..64 * (self.start + self.words)
    }

    /// Twice as many of these.
    pub(crate) fn wider<'a>(&self, heads: impl Iterator<Item = &'a Head>) -> Fronts {
        Fronts::of(heads, (2 * self.words).min(HEAD), self.start > 0)
    }

    /// As few of these as there can be, from the end or from the beginning.
    pub(crate) fn narrow<'a>(heads: impl Iterator<Item = &'a Head>, backwards: bool) -> Fronts {
        Fronts::of(heads, FRONT, backwards)
    }

    fn of<'a>(heads: impl Iterator<Item = &'a Head>, words: usize, backwards: bool) -> Fronts {
        let start = if backwards { HEAD - words } else { 0 };
        let part = start..start + words;
        let of = heads.flat_map(|head| head.lo[part.clone()].iter().chain(&head.hi[part.clone()]));
        Fronts {
            words,
            start,
            of: of.copied().collect(),
        }
    }

    /// Adds of one so much to each that it has nothing at a place where the one is 1.
    pub(crate) fn clear(&mut self, place: usize, by: &Head) {
        dispatch!(level(), _ => clear_fronts(self, place, by));
    }

    /// Which nearly cancel with a vector, as far as they tell.
    pub(crate) fn near<'a>(
        &'a self,
        head: &'a Head,
        most: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let words = self.words;
        let part = self.start..self.start + words;
        let (lo, hi) = (&head.lo[part.clone()], &head.hi[part]);
        let near = self.of.chunks_exact(2 * words).enumerate();
        let near = near.filter(move |(_, of)| nearly_cancels((lo, hi), of.split_at(words), most));
        near.map(|(at, _)| at)
    }
}

/// The first bits of each word, and behind them the others.
fn with_first(words: &[u64], first: u32) -> Vec<u64> {
    let mut with = Vec::with_capacity(words.len() + 1);
    let (mut last, mut filled) = (0_u64, 0);
    let mut push = |bits: u64, count: u32| {
        last |= bits << filled;
        filled += count;
        if filled >= u64::BITS {
            with.push(last);
            filled -= u64::BITS;
            last = if filled == 0 {
                0
            } else {
                bits >> (count - filled)
            };
        }
    };
    let mask = (1 << first) - 1;
    words.iter().for_each(|word| push(word & mask, first));
    words
        .iter()
        .for_each(|word| push(word >> first, u64::BITS - first));
    with
}

/// The places that are not zero, the first one first, with what is there.
fn places(lo: &[u64], hi: &[u64]) -> impl DoubleEndedIterator<Item = (usize, Trit)> {
    let words = lo.iter().zip(hi).enumerate();
    let words = words.filter(|(_, (lo, hi))| **lo | **hi != 0);
    words.flat_map(|(at, (lo, hi))| {
        let is_set = move |bit: &usize| (lo | hi) >> bit & 1 == 1;
        let of_bit = move |bit: usize| (at * 64 + bit, 1 + (hi >> bit & 1) as Trit);
        (0..64).filter(is_set).map(of_bit)
    })
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
pub(crate) fn level() -> Level {
    static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);
    *LEVEL
}

/// Inlined where it is dispatched to, as [`add_words`].
#[inline(always)]
fn add_heads<'a>(head: &mut Head, of: impl Iterator<Item = (Trit, &'a Head)>) {
    let (mut lo, mut hi) = (head.lo, head.hi);
    for (factor, of) in of {
        match factor {
            1 => add_words(&mut lo, &mut hi, &of.lo, &of.hi),
            2 => add_words(&mut lo, &mut hi, &of.hi, &of.lo),
            _ => {}
        }
    }
    *head = Head { lo, hi };
}

/// Inlined where it is dispatched to, as [`add_words`].
#[inline(always)]
fn clear_heads(by: &Head, place: usize, others: &mut [Head]) {
    for Head { lo, hi } in others {
        let (word, bit) = (place / 64, place % 64);
        if lo[word] >> bit & 1 == 1 {
            add_words(lo, hi, &by.hi, &by.lo);
        } else if hi[word] >> bit & 1 == 1 {
            add_words(lo, hi, &by.lo, &by.hi);
        }
    }
}

/// Inlined where it is dispatched to, as [`add_words`].
#[inline(always)]
fn clear_fronts(fronts: &mut Fronts, place: usize, by: &Head) {
    let (words, part) = (fronts.words, fronts.start..fronts.start + fronts.words);
    let (word, bit) = (place / 64 - fronts.start, place % 64);
    let (by_lo, by_hi) = (
        by.lo[part.clone()].as_chunks::<FRONT>().0,
        by.hi[part].as_chunks::<FRONT>().0,
    );
    for of in fronts.of.chunks_exact_mut(2 * words) {
        let (lo, hi) = of.split_at_mut(words);
        let (by_lo, by_hi) = if lo[word] >> bit & 1 == 1 {
            (by_hi, by_lo)
        } else if hi[word] >> bit & 1 == 1 {
            (by_lo, by_hi)
        } else {
            continue;
        };
        let lo = lo.as_chunks_mut::<FRONT>().0.iter_mut();
        let hi = hi.as_chunks_mut::<FRONT>().0.iter_mut();
        for (((lo, hi), by_lo), by_hi) in lo.zip(hi).zip(by_lo).zip(by_hi) {
            add_words(lo, hi, by_lo, by_hi);
        }
    }
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

    fn numbers() -> impl Strategy<Value = Vec<i8>> {
        proptest::collection::vec(-4_i8..5, 0..200)
    }

    proptest! {
        #[test]
        fn it_is_arithmetic_modulo_3(one in numbers(), other in numbers(), factor in 0_u8..3) {
            let mut sum = Trits::of(&one);
            sum.add(factor, &Trits::of(&other));
            let number = |of: &[i8], at: usize| i32::from(of.get(at).copied().unwrap_or(0));
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
        fn the_first_places_of_each_word_come_first(words in 1_usize..9, first in 1_u32..64, of in numbers()) {
            let mut trits = Trits::zero(64 * words);
            for (word, of) in of.chunks(64).enumerate().take(words) {
                let of = Trits::of(of);
                let word_of = |words: &[u64]| words.first().copied().unwrap_or(0);
                trits.add_word(word, word_of(&of.lo), word_of(&of.hi));
            }
            let (first, all) = (first as usize, 64 * words);
            let mut order: Vec<usize> = (0..all).filter(|place| place % 64 < first).collect();
            order.extend((0..all).filter(|place| place % 64 >= first));
            let with = trits.with_first(first as u32);
            for (at, place) in order.into_iter().enumerate() {
                prop_assert_eq!(with.at(at), trits.at(place));
            }
            prop_assert!(with.lo.last().zip(with.hi.last()).is_none_or(|(lo, hi)| lo | hi != 0));
        }

        #[test]
        fn what_nearly_cancels(one in numbers(), changed in 0..200_usize, negated: bool, most in 1..12_usize) {
            let mut other = one.clone();
            for number in other.iter_mut().take(changed) {
                *number += 1;
            }
            let fewest = [1, -1].map(|factor| {
                let left = one.iter().zip(&other).map(|(one, other)| i32::from(*one) + factor * i32::from(*other));
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
