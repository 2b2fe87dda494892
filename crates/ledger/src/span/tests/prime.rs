//! The same modulo a prime of 31 bits, a column for each unit: another implementation to compare with.

use std::sync::Arc;

use super::super::Adds;

const COLUMNS: usize = 8_192;
const COMBINED_MAX: usize = 1_024;
/// 2³¹ − 1, a prime: two values and their product fit 64 bits.
const PRIME: u64 = (1 << 31) - 1;

type Vector = Vec<u32>;

/// All combinations of sets.
#[derive(Clone, Default)]
pub(super) struct Span {
    forms: [Form; 2],
}

/// Sets in reduced echelon form.
#[derive(Clone, Default)]
struct Form {
    rows: Vec<Row>,
}

#[derive(Clone)]
struct Row {
    pivot: usize,
    values: Arc<Vector>,
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

/// A set of units below [`COLUMNS`].
pub(super) fn vector(units: &[u32], column: impl Fn(u32) -> usize) -> Vector {
    let mut vector = vec![0; COLUMNS];
    for unit in units {
        // Factors that differ, so that what a combination leaves is not all alike.
        vector[column(*unit)] =
            modulo(1 + u64::from(*unit).wrapping_mul(0x9e37_79b9) % 1_000_003) as u32;
    }
    vector
}

impl Span {
    pub(super) fn adds(&self, set: &Vector, k: u64) -> Adds {
        let rests = self.forms.each_ref().map(|form| form.rest(set));
        let is_zero = |rest: &Vector| rest.iter().all(|value| *value == 0);
        if rests.iter().any(is_zero) {
            return Adds::Nothing;
        }
        let mut forms = self.forms.iter().zip(&rests);
        if forms.any(|(form, rest)| form.leaves_few(rest, k as usize)) {
            Adds::AFew
        } else {
            Adds::Itself
        }
    }

    pub(super) fn add(&mut self, set: &Vector) {
        for (form, backwards) in self.forms.iter_mut().zip([false, true]) {
            form.add(set, backwards);
        }
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
