//! Sums over several sets: whether any linear combination of what was released leaves fewer than k units.
//!
//! "Those below", "those above" and "everybody" are far from each other, and one plus the other less the third is one
//! person. Whatever is computed from sums over sets is a linear combination of the sets' indicator vectors, so the question
//! is whether their span has a vector with 1 to k − 1 places that are not zero (Chin and Ozsoyoglu, *Auditing and inference
//! control in statistical databases*, 1982). Vectors as long as the population are too long: each unit falls into one of
//! [`COLUMNS`] columns and gets a factor, both by a keyed hash, and sets become sums modulo a prime. A combination that
//! leaves few units leaves few columns. One that leaves many, and has them all cancel in a column, is as likely as a guess
//! of 31 bits.
//!
//! The sets are kept in reduced echelon form. A new set minus what the kept ones say of it is its *rest*, which is zero in
//! every pivot column. A combination with few columns is the rest with few rows, one for each of its columns that is a
//! pivot, so trying the rest alone and with each row finds every combination that meets at most one pivot. Two forms with
//! pivots chosen differently are kept: one unit is found always, and of several it is missed only where both forms have two
//! of their columns as pivots.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::limits::COMBINED_MAX;
use crate::sketch::{Mixer, for_each};

/// Columns of a form: with at most a quarter of them pivots, few columns of a combination are.
pub(crate) const COLUMNS: usize = 4_096;
/// 2³¹ − 1, a prime: two values and their product fit 64 bits.
const PRIME: u64 = (1 << 31) - 1;

/// What a set is among the columns.
pub(crate) type Vector = Vec<u32>;

/// All combinations of sets.
#[derive(Clone, Default)]
pub(crate) struct Span {
    forms: [Form; 2],
}

/// Sets in reduced echelon form.
#[derive(Clone, Default)]
struct Form {
    rows: Vec<Row>,
}

#[derive(Clone)]
struct Row {
    /// Where this row is one and all others are zero.
    pivot: usize,
    values: Arc<Vector>,
}

/// What a set adds to all combinations.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Adds {
    /// Nothing: it is a combination of those that are there.
    Nothing,
    /// A combination that leaves fewer than k units.
    AFew,
    /// It is independent of the others, as far as is looked for.
    Itself,
    /// As [`Adds::Itself`], and there is no room for it.
    Unknown,
}

fn modulo(number: u64) -> u64 {
    let once = (number & PRIME) + (number >> 31);
    let twice = (once & PRIME) + (once >> 31);
    if twice >= PRIME { twice - PRIME } else { twice }
}

fn inverse(number: u64) -> u64 {
    // Fermat: a^(p − 2).
    let (mut power, mut exponent, mut result) = (number, PRIME - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = modulo(result * power);
        }
        power = modulo(power * power);
        exponent >>= 1;
    }
    result
}

/// Adds a multiple of one vector to another.
fn add_multiple(to: &mut [u32], factor: u64, of: &[u32]) {
    for (to, of) in to.iter_mut().zip(of) {
        *to = modulo(u64::from(*to) + factor * u64::from(*of)) as u32;
    }
}

impl Mixer {
    /// A set among the columns. Units with numbers near to each other are in columns of their own.
    pub(crate) fn vector(self, units: &RoaringBitmap) -> Vector {
        let mut sums = vec![0_u64; COLUMNS];
        for_each(units, |unit| {
            let (column, factor) = self.place(unit);
            sums[column] += factor;
        });
        sums.into_iter().map(|sum| modulo(sum) as u32).collect()
    }

    fn place(self, unit: u32) -> (usize, u64) {
        let block = self.hash((unit / COLUMNS as u32) | (1 << 31)) as u32;
        let column = unit.wrapping_mul(block | 1).wrapping_add(block >> 16) as usize % COLUMNS;
        (column, 1 + modulo(self.hash(unit) >> 33) % (PRIME - 1))
    }
}

impl Span {
    /// What a set would add, k being the fewest units that may be left.
    pub(crate) fn adds(&self, set: &Vector, k: u64) -> Adds {
        let rests = self.forms.each_ref().map(|form| form.rest(set));
        if rests
            .iter()
            .any(|rest| rest.iter().all(|value| *value == 0))
        {
            return Adds::Nothing;
        }
        let mut forms = self.forms.iter().zip(&rests);
        if forms.any(|(form, rest)| form.leaves_few(rest, k as usize)) {
            Adds::AFew
        } else if self
            .forms
            .iter()
            .any(|form| form.rows.len() >= COMBINED_MAX)
        {
            Adds::Unknown
        } else {
            Adds::Itself
        }
    }

    /// Adds a set where there is room.
    pub(crate) fn add(&mut self, set: &Vector) {
        for (form, backwards) in self.forms.iter_mut().zip([false, true]) {
            form.add(set, backwards);
        }
    }

    /// How much work it is to look at a set, in visits.
    pub(crate) fn work(&self) -> u64 {
        let rows: usize = self.forms.iter().map(|form| form.rows.len()).sum();
        (rows * COLUMNS / 16) as u64
    }

    /// Whether there is no room for another set.
    pub(crate) fn is_full(&self) -> bool {
        self.forms
            .iter()
            .any(|form| form.rows.len() >= COMBINED_MAX)
    }
}

impl Form {
    fn rest(&self, set: &Vector) -> Vector {
        let mut rest = set.clone();
        for row in &self.rows {
            let value = u64::from(rest[row.pivot]);
            if value != 0 {
                add_multiple(&mut rest, PRIME - value, &row.values);
            }
        }
        rest
    }

    /// Whether the rest leaves fewer than k columns, alone or with a row.
    fn leaves_few(&self, rest: &Vector, k: usize) -> bool {
        let is_set = |(_, value): &(usize, &u32)| **value != 0;
        let places: Vec<usize> = rest
            .iter()
            .enumerate()
            .filter(is_set)
            .map(|(at, _)| at)
            .collect();
        if places.len() < k {
            return true;
        }
        self.rows.iter().any(|row| {
            // Of any k − 1 places of the rest, the row has to undo one: its pivot is left, and k − 2 others at most.
            places
                .iter()
                .take(k - 1)
                .any(|place| undoes(rest, row, *place, k))
        })
    }

    fn add(&mut self, set: &Vector, backwards: bool) {
        if self.rows.len() >= COMBINED_MAX {
            return;
        }
        let mut rest = self.rest(set);
        let mut places = rest.iter().enumerate().filter(|(_, value)| **value != 0);
        let place = if backwards {
            places.next_back()
        } else {
            places.next()
        };
        let Some((pivot, value)) = place else {
            return;
        };
        let factor = inverse(u64::from(*value));
        for value in &mut rest {
            *value = modulo(factor * u64::from(*value)) as u32;
        }
        for row in &mut self.rows {
            let value = u64::from(row.values[pivot]);
            if value != 0 {
                let values: &mut Vector = Arc::make_mut(&mut row.values);
                add_multiple(values, PRIME - value, &rest);
            }
        }
        let values = Arc::new(rest);
        self.rows.push(Row { pivot, values });
    }
}

/// Whether the rest plus that multiple of a row which is zero at a place has fewer than k columns.
fn undoes(rest: &Vector, row: &Row, place: usize, k: usize) -> bool {
    let (of_rest, of_row) = (u64::from(rest[place]), u64::from(row.values[place]));
    if of_row == 0 {
        return false;
    }
    let mut left = 0;
    for (rest, row) in rest.iter().zip(row.values.iter()) {
        // Without a division: a ÷ b = c ÷ d where a · d = c · b.
        let differs = modulo(u64::from(*rest) * of_row) != modulo(u64::from(*row) * of_rest);
        left += usize::from(differs);
        if left >= k {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mixer() -> Mixer {
        Mixer::new([9; 16])
    }

    fn vector(units: impl IntoIterator<Item = u32>) -> Vector {
        mixer().vector(&units.into_iter().collect())
    }

    #[test]
    fn what_is_below_and_above_and_everybody() {
        let mut span = Span::default();
        span.add(&vector(0..400));
        span.add(&vector(401..1_000));
        assert_eq!(span.adds(&vector(0..1_000), 10), Adds::AFew);
        assert_eq!(
            span.adds(&vector((0..400).chain(401..1_000)), 10),
            Adds::Nothing
        );
        assert_eq!(
            span.adds(&vector((0..400).chain(420..1_000)), 10),
            Adds::Itself
        );
        assert_eq!(span.adds(&vector(200..900), 10), Adds::Itself);
    }

    #[test]
    fn a_place_is_a_columns_own_among_neighbours() {
        for start in [0, 4_096, 40_960] {
            let mut places: Vec<usize> = (start..start + 4_096)
                .map(|unit| mixer().place(unit).0)
                .collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), COLUMNS);
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_unknown() {
        let mut span = Span::default();
        for set in 0..COMBINED_MAX as u32 {
            span.add(&vector(set * 11..set * 11 + 20));
        }
        assert!(span.is_full());
        assert_eq!(span.adds(&vector(90_000..91_000), 10), Adds::Unknown);
        assert_eq!(span.adds(&vector(0..20), 10), Adds::Nothing);
    }

    /// The fewest units that any combination with coefficients of −1, 0 and 1 leaves, the last set not left out.
    fn fewest(sets: &[Vec<u32>], units: u32) -> u32 {
        let combinations = 3_usize.pow(sets.len() as u32 - 1);
        let left = |mut chosen: usize| {
            let mut sums = vec![0_i32; units as usize];
            for (at, set) in sets.iter().rev().enumerate() {
                let factor = if at == 0 { 1 } else { (chosen % 3) as i32 - 1 };
                chosen /= if at == 0 { 1 } else { 3 };
                set.iter().for_each(|unit| sums[*unit as usize] += factor);
            }
            sums.iter().filter(|sum| **sum != 0).count() as u32
        };
        (0..combinations).map(left).min().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

        /// Blocks of people put together in different ways, one person more or less here and there.
        #[test]
        fn combinations_that_leave_somebody_are_found(
            sets in proptest::collection::vec((1_u32..63, proptest::collection::vec(0_u32..120, 0..2)), 2..6),
        ) {
            let units = 120;
            let sets: Vec<Vec<u32>> = sets.into_iter().map(|(blocks, changed)| {
                let in_block = |unit: &u32| (blocks >> (unit / 20) & 1 == 1) != changed.contains(unit);
                (0..units).filter(in_block).collect()
            }).collect();
            let mut span = Span::default();
            for (at, set) in sets.iter().enumerate() {
                let set = vector(set.iter().copied());
                let adds = span.adds(&set, 10);
                match fewest(&sets[..=at], units) {
                    0 => prop_assert_eq!(adds, Adds::Nothing),
                    1..=2 => prop_assert_eq!(adds, Adds::AFew),
                    // More of them can be pivots of both forms.
                    _ => {}
                }
                span.add(&set);
            }
        }
    }
}
