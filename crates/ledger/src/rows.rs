//! Which rows the units of a cell have.
//!
//! A number of rows, or a sum over them, is made of the rows that a cell has of each unit, so that numbers of cells in which
//! a unit has rows add up row by row and not unit by unit: "the first half of the year" and "the second" have everybody
//! twice, and everybody's rows once. So beside the sets of units, sums of rows are looked at: each row weighs something by a
//! hash, and what a unit weighs in a cell is the sum of its rows there. Where numbers add up, so do weights; where they do
//! not, weights do not by chance either, as numbers of rows would: the months of a year have a row of everybody.
//!
//! A unit's first row weighs one modulo 3, and each other row one or two. Nothing has to be written down of units that have
//! their first row alone, and of others what they weigh modulo 3, which is what combinations are looked for in
//! ([`crate::span`]); and of all together, exactly, what they weigh. A third of the units with several rows weigh nothing modulo
//! 3, so that a combination of small cells may leave few columns and many units. Of cells with few such units it is known what
//! each weighs, and so exactly who is left ([`left`]).

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::sketch::{Buckets, Mixer, Sketch};
use crate::span::{Columns, Vector};
use crate::trits::Trit;
use crate::words::{CONTAINER_WORDS, Words, places};

/// Which rows the units of a cell have. Where there is nothing in it, each unit has its first row alone.
///
/// It has no `Debug`: the sets are raw data.
#[derive(Clone)]
pub struct Rows {
    /// Units whose rows weigh two modulo 3.
    pub twos: Arc<RoaringBitmap>,
    /// Units whose rows weigh nothing modulo 3.
    pub threes: Arc<RoaringBitmap>,
    /// What all rows weigh ([`row_weight`]), modulo 2⁶⁴; zero where each unit has its first row alone, which weighs what it does.
    pub weight: u64,
    /// Units that have other rows than their first, ascending, and what each weighs; none where they are many.
    pub noted: Option<Arc<[(u32, u64)]>>,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows {
            twos: Arc::default(),
            threes: Arc::default(),
            weight: 0,
            noted: Some(Arc::default()),
        }
    }
}

impl Rows {
    /// Whether a unit has other rows than its first.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.weight != 0 || !self.twos.is_empty() || !self.threes.is_empty()
    }
}

/// What a row weighs, given its unit and what tells it from others of its unit, which is zero for the first. Less than 2⁴¹, so
/// that what a unit weighs modulo 3 is right for eight million rows.
///
/// It needs no key: who asks does not know which number a unit has. The mixing is the finaliser of SplitMix64 (Steele, Lea,
/// Flood 2014).
#[inline]
#[must_use]
pub const fn row_weight(unit: u32, row: u32) -> u64 {
    let mut z = ((unit as u64) << 32 | row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let is_another = (row != 0) as u64;
    3 * (z >> 25) + 1 + (z & is_another)
}

/// A cell in a combination: its units, those that are noted, and how often its rows are in it, modulo 3.
pub(crate) struct Part {
    pub(crate) units: Arc<RoaringBitmap>,
    pub(crate) noted: Option<Arc<[(u32, u64)]>>,
    pub(crate) factor: Trit,
}

/// Of combinations of so many cells it is tried how often each is in them; of more, what is 1 modulo 3 is 1, and 2 is −1.
const LIFTED_MAX: usize = 5;
/// Of so many units in all it is computed who is left.
const LEFT_UNITS_MAX: u64 = 1 << 20;

/// How many units a combination leaves, at least, as far as these cells tell; none where they do not.
pub(crate) fn left(parts: &[Part]) -> Option<usize> {
    let mut weights = HashMap::<u32, Vec<(usize, u64)>>::new();
    if parts.iter().map(|part| part.units.len()).sum::<u64>() > LEFT_UNITS_MAX {
        return None;
    }
    for (at, part) in parts.iter().enumerate() {
        let noted = part.noted.as_ref()?;
        for unit in &*part.units {
            let known = noted.binary_search_by_key(&unit, |(unit, _)| *unit);
            let weight = known.map_or_else(|_| row_weight(unit, 0), |at| noted[at].1);
            weights.entry(unit).or_default().push((at, weight));
        }
    }
    let lifted = match parts.len() <= LIFTED_MAX {
        true => 1_u32 << parts.len(),
        false => 1,
    };
    let factor = |at: usize, lifted: u32| -> i64 {
        // Modulo 3 the same: 1 or −2, −1 or 2.
        match (parts[at].factor, lifted >> at & 1) {
            (1, 0) => 1,
            (1, _) => -2,
            (_, 0) => -1,
            _ => 2,
        }
    };
    let is_left = |of: &Vec<(usize, u64)>, lifted: u32| {
        let sum = of.iter().map(|(at, weight)| {
            let times = factor(*at, lifted) as u64;
            weight.wrapping_mul(times)
        });
        sum.fold(0, u64::wrapping_add) != 0
    };
    let count = |lifted: u32| weights.values().filter(|of| is_left(of, lifted)).count();
    (0..lifted).map(count).min()
}

impl Mixer {
    /// The rows of these units among the columns.
    pub(crate) fn rows_vector(self, units: &RoaringBitmap, rows: &Rows, width: u32) -> Vector {
        self.with_rows::<false>(units, rows, width).1
    }

    /// The sketch of units, and their rows among the columns: most of both is to go through the units.
    pub(crate) fn sketch_and_rows(
        self,
        units: &RoaringBitmap,
        rows: &Rows,
        width: u32,
    ) -> (Sketch, Vector) {
        let (buckets, vector) = self.with_rows::<true>(units, rows, width);
        (self.sketch_of(buckets, units), vector)
    }

    fn with_rows<const SKETCHES: bool>(
        self,
        units: &RoaringBitmap,
        rows: &Rows,
        width: u32,
    ) -> (Sketch, Vector) {
        let is_weighed = rows.has_several();
        let (words, positions) = (Words::of(units), self.positions());
        let [twos, threes] = [&rows.twos, &rows.threes].map(|units| Words::of(units));
        let parts = words.by_parts(|part| {
            let mut columns = Columns::new(self, width);
            let (mut buckets, mut sum) = (Buckets::new(self, &positions), 0_u64);
            let (mut twos, mut threes) = (Container::of(&twos), Container::of(&threes));
            for container in part {
                let first = words.first_word(container);
                twos.begin(first);
                threes.begin(first);
                words.for_each_in(container, |word, bits| {
                    let (two, three) = (twos.at(word), threes.at(word));
                    columns.add(word, bits & !two & !three, bits & two);
                    if SKETCHES {
                        buckets.add(word, bits);
                    }
                    if !is_weighed {
                        let first = word * u64::BITS;
                        let weights = places(bits).map(|place| row_weight(first + place as u32, 0));
                        sum = weights.fold(sum, u64::wrapping_add);
                    }
                });
            }
            (columns, (buckets.sketch(), sum))
        });
        let (columns, rest): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let add = |(buckets, sum): (Sketch, u64), (more, also): &(Sketch, u64)| {
            (buckets.and(more), sum.wrapping_add(*also))
        };
        let (buckets, sum) = rest.iter().fold((Sketch::empty(), rows.weight), add);
        let columns = Columns::all(columns);
        (buckets, Vector { columns, sum })
    }
}

/// The words of one container of a set after the other.
struct Container<'a> {
    of: &'a Words,
    /// That whose words these are, where the set has any.
    at: Option<usize>,
    words: Vec<u64>,
}

impl Container<'_> {
    fn of(words: &Words) -> Container<'_> {
        let length = if words.containers() == 0 {
            0
        } else {
            CONTAINER_WORDS
        };
        Container {
            of: words,
            at: None,
            words: vec![0; length],
        }
    }

    /// Goes on with the container that has a word.
    fn begin(&mut self, word: u32) {
        if let Some(at) = self.at.take() {
            let words = &mut self.words;
            self.of
                .for_each_in(at, |word, _| words[word as usize % CONTAINER_WORDS] = 0);
        }
        self.at = self.of.container_with(word);
        if let Some(at) = self.at {
            let words = &mut self.words;
            self.of.for_each_in(at, |word, bits| {
                words[word as usize % CONTAINER_WORDS] |= bits
            });
        }
    }

    /// A word of this container.
    #[inline(always)]
    fn at(&self, word: u32) -> u64 {
        let at = word as usize % CONTAINER_WORDS;
        self.words.get(at).copied().unwrap_or(0)
    }
}
