//! The units of a set, sixty-four at a time.
//!
//! Most of what is made of a set costs as much for sixty-four units that follow each other as for one of them. A set tells
//! its units one by one; in its portable form (<https://github.com/RoaringBitmap/RoaringFormatSpec>) those of a dense set
//! stand as bits, and to bring it into that form is to copy it. So it is the portable form that is read here.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::parallel;

/// The words of a container: the units of one are those whose upper sixteen bits are the same.
pub(crate) const CONTAINER_WORDS: usize = 1 << 10;

/// From so many containers on, threads share them, so many at a time.
const CONTAINERS_PARALLEL: usize = 128;
const CONTAINERS_TOGETHER: usize = 32;

/// What the portable form begins with where no container is made of runs, and where some are.
const WITHOUT_RUNS: u32 = 12_346;
const WITH_RUNS: u32 = 12_347;
/// With runs, offsets follow from so many containers on.
const OFFSETS_MIN: usize = 4;
/// A container with more units is kept as bits.
const LIST_MAX: usize = 4_096;

/// A set in its portable form.
pub(crate) struct Words {
    bytes: Vec<u8>,
    containers: Vec<Container>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Container {
    /// The upper sixteen bits of its units.
    upper: u16,
    form: Form,
    /// Where it is among the bytes.
    at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Units, by their lower sixteen bits.
    List,
    Bits,
    /// First units and how many follow them.
    Runs,
}

impl Words {
    pub(crate) fn of(set: &RoaringBitmap) -> Words {
        let mut bytes = Vec::with_capacity(set.serialized_size());
        // Nothing keeps a vector from being written to.
        let written = set.serialize_into(&mut bytes).is_ok();
        match containers(&bytes).filter(|_| written) {
            Some(containers) => Words { bytes, containers },
            None => Words::listed(set),
        }
    }

    /// The same unit by unit: whatever form a set is written in.
    fn listed(set: &RoaringBitmap) -> Words {
        let mut bytes = Vec::with_capacity(set.len() as usize * 2);
        let mut containers: Vec<Container> = Vec::new();
        for unit in set {
            let (upper, start) = ((unit >> 16) as u16, bytes.len());
            bytes.extend_from_slice(&(unit as u16).to_le_bytes());
            match containers.last_mut() {
                Some(last) if last.upper == upper => last.at.end = bytes.len(),
                _ => containers.push(Container {
                    upper,
                    form: Form::List,
                    at: start..bytes.len(),
                }),
            }
        }
        Words { bytes, containers }
    }

    /// Calls with words and the units that these have, lowest first: unit `u` is bit `u % 64` of word `u / 64`. Where units are
    /// few, the same word may come several times.
    pub(crate) fn for_each(&self, mut call: impl FnMut(u32, u64)) {
        for container in 0..self.containers.len() {
            self.for_each_in(container, &mut call);
        }
    }

    /// The same for the words of a container, by its number.
    #[inline(always)]
    pub(crate) fn for_each_in(&self, container: usize, mut call: impl FnMut(u32, u64)) {
        let container = &self.containers[container];
        let bytes = &self.bytes[container.at.clone()];
        let first = u32::from(container.upper) << 10;
        match container.form {
            Form::Bits => {
                let words = (first..).zip(bytes.as_chunks().0);
                for (at, bits) in words {
                    match u64::from_le_bytes(*bits) {
                        0 => {}
                        bits => call(at, bits),
                    }
                }
            }
            Form::List => {
                for unit in shorts(bytes) {
                    // Whether the next one is in the same word could not be foreseen.
                    call(first + unit / 64, 1 << (unit % 64));
                }
            }
            Form::Runs => {
                let runs = bytes.as_chunks::<4>().0;
                for run in runs {
                    let mut ends = shorts(run);
                    let (Some(start), Some(more)) = (ends.next(), ends.next()) else {
                        continue;
                    };
                    let last = start + more;
                    for at in start / 64..=last / 64 {
                        let from = start.saturating_sub(at * 64);
                        let until = (last - at * 64).min(63);
                        let bits = u64::MAX << from & u64::MAX >> (63 - until);
                        call(first + at, bits);
                    }
                }
            }
        }
    }

    /// How many containers there are.
    pub(crate) fn containers(&self) -> usize {
        self.containers.len()
    }

    /// The first word of a container.
    pub(crate) fn first_word(&self, container: usize) -> u32 {
        u32::from(self.containers[container].upper) << 10
    }

    /// The container that has a word, if any has.
    pub(crate) fn container_with(&self, word: u32) -> Option<usize> {
        let upper = |container: &Container| u32::from(container.upper);
        self.containers
            .binary_search_by_key(&(word >> 10), upper)
            .ok()
    }

    /// The containers whose words are among these.
    pub(crate) fn containers_in(&self, words: Range<u32>) -> Range<usize> {
        let before = |word: u32| {
            self.containers
                .partition_point(|of| u32::from(of.upper) << 10 < word)
        };
        before(words.start)..before(words.end)
    }

    /// What the containers come to: all at once, or where they are many, some and some, by several threads.
    pub(crate) fn by_parts<R: Send>(&self, of: impl Fn(Range<usize>) -> R + Sync) -> Vec<R> {
        let all = self.containers();
        if all < CONTAINERS_PARALLEL {
            return vec![of(0..all)];
        }
        let starts = (0..all).step_by(CONTAINERS_TOGETHER);
        let parts: Vec<Range<usize>> = starts
            .map(|start| start..(start + CONTAINERS_TOGETHER).min(all))
            .collect();
        parallel::each(&parts, |part| of(part.clone()))
    }
}

/// The places of the bits of a word that are set, lowest first.
#[inline(always)]
pub(crate) fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (place < u64::BITS).then_some(place as usize)
    })
}

fn shorts(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let shorts = bytes.as_chunks().0;
    shorts.iter().map(|of| u32::from(u16::from_le_bytes(*of)))
}

/// The containers of a set in its portable form; none where it is in another one.
fn containers(bytes: &[u8]) -> Option<Vec<Container>> {
    let mut rest = bytes;
    let cookie = u32::from_le_bytes(*rest.split_off(..4)?.as_array()?);
    let (count, runs) = if cookie == WITHOUT_RUNS {
        let count = u32::from_le_bytes(*rest.split_off(..4)?.as_array()?);
        (count as usize, None)
    } else if cookie as u16 == WITH_RUNS as u16 {
        let count = (cookie >> 16) as usize + 1;
        (count, Some(rest.split_off(..count.div_ceil(8))?))
    } else {
        return None;
    };
    let about: Vec<u32> = shorts(rest.split_off(..4 * count)?).collect();
    if runs.is_none() || count >= OFFSETS_MIN {
        rest.split_off(..4 * count)?;
    }
    let of_container = |(number, about): (usize, &[u32; 2])| {
        let [upper, units] = [about[0], about[1] + 1];
        let is_runs = runs.is_some_and(|runs| runs[number / 8] >> (number % 8) & 1 == 1);
        let (form, length) = if is_runs {
            let count = rest.split_off(..2)?;
            (Form::Runs, 4 * shorts(count).next()? as usize)
        } else if units as usize > LIST_MAX {
            (Form::Bits, 8 * CONTAINER_WORDS)
        } else {
            (Form::List, 2 * units as usize)
        };
        let start = bytes.len() - rest.len();
        rest.split_off(..length)?;
        Some(Container {
            upper: upper as u16,
            form,
            at: start..start + length,
        })
    };
    let containers = about.as_chunks().0.iter().enumerate();
    containers.map(of_container).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn units(words: &Words) -> Vec<u32> {
        let mut units = Vec::new();
        let mut last = None;
        words.for_each(|word, bits| {
            assert!(bits != 0 && last <= Some(word), "in order");
            last = Some(word);
            units.extend(places(bits).map(|place| word * 64 + place as u32));
        });
        units
    }

    fn check(set: &RoaringBitmap) {
        let expected: Vec<u32> = set.iter().collect();
        let mut bytes = Vec::new();
        set.serialize_into(&mut bytes).unwrap();
        assert!(containers(&bytes).is_some());
        assert_eq!(units(&Words::of(set)), expected);
        assert_eq!(units(&Words::listed(set)), expected);
        let mut with_runs = set.clone();
        with_runs.optimize();
        assert_eq!(units(&Words::of(&with_runs)), expected);
    }

    #[test]
    fn each_unit_is_in_its_word_whatever_the_containers_are() {
        let sets: [Vec<u32>; 8] = [
            vec![],
            (0..300_000).step_by(7).collect(),
            (0..200_000).filter(|unit| unit % 5 > 0).collect(),
            (0..65_536).chain(100_000..100_100).collect(),
            (65_530..3 * 65_536).collect(),
            vec![0, 65_535, 65_536, u32::MAX],
            (0..20).map(|upper| upper << 16 | 7).collect(),
            (0..70_000).filter(|unit| unit % 66 > 2).collect(),
        ];
        for set in sets {
            check(&set.into_iter().collect());
        }
    }

    proptest! {
        #[test]
        fn any_units_are_in_their_words(
            ranges in proptest::collection::vec((0_u32..400_000, 1_u32..9_000, 1_usize..9), 0..9)
        ) {
            let units = |(start, length, step): (u32, u32, usize)| (start..start + length).step_by(step);
            check(&ranges.into_iter().flat_map(units).collect());
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), of in 0..3) {
            let cookie = [WITHOUT_RUNS, WITH_RUNS, WITH_RUNS | 5 << 16].get(of as usize).copied();
            for (byte, of) in bytes.iter_mut().zip(cookie.unwrap_or_default().to_le_bytes()) {
                *byte = of;
            }
            if let Some(containers) = containers(&bytes) {
                prop_assert!(containers.iter().all(|of| of.at.end <= bytes.len()));
            }
        }
    }

    #[test]
    fn threads_share_what_has_many_containers() {
        let containers = 3 * CONTAINERS_PARALLEL as u32;
        let set: RoaringBitmap = (0..containers).map(|upper| upper << 16 | upper).collect();
        let words = Words::of(&set);
        let parts = words.by_parts(|part| part);
        assert!(parts.len() > 1);
        assert!(parts.into_iter().flatten().eq(0..words.containers()));
    }
}
