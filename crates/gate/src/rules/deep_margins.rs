//! Margins that drop two keys and more, for cells that single keys leave open.
//!
//! Sets of keys that cannot matter are left out first: where a region follows from the town, dropping the region and not
//! the town changes nothing. Then there are two ways to the same answer. Pair by pair: the other cells are grouped by the keys in which they differ from the cell;
//! of these sets of keys the smallest ones decide, since whoever else is in their margins differs in just these keys.
//! Margin by margin: level by level over the sets of keys all of whose subsets leave nobody outside. The first costs the
//! square of the cells, the second the number of margins; the cheaper is taken, and a bound on both refuses the table.

use std::collections::{HashMap, HashSet};

use super::complement::{Complement, Outside};
use super::margins::Neighbours;
use crate::error::GateError;

/// Most pairs of cells that are compared.
const PAIRS_MAX: usize = 1 << 23;
/// Most steps margin by margin; a step is one cell in one margin.
const STEPS_MAX: usize = 1 << 23;

/// A cell, and the keys of which each alone leaves nobody outside when it is dropped. Bits count the loose keys; keys that
/// say the same are one.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) cell: u32,
    pub(super) keys: u64,
}

/// Those of the open cells that have too few outside in some margin.
///
/// # Errors
/// [`GateError::TooManyMargins`] where it would take too long to know.
pub(super) fn judge_deep(
    of: &Neighbours<'_>,
    loose: &[Vec<usize>],
    complement: &mut Complement<'_>,
    open: Vec<Open>,
) -> Result<Vec<u32>, GateError> {
    let open = that_matter(of, loose, open);
    if open.len().saturating_mul(of.cells.len()) <= PAIRS_MAX {
        let few = |open: &Open| has_few_by_pairs(of, loose, complement, *open);
        Ok(open
            .iter()
            .copied()
            .filter(few)
            .map(|open| open.cell)
            .collect())
    } else {
        by_levels(of, loose, complement, open, STEPS_MAX)
    }
}

/// Takes from each cell the keys that cannot matter, and leaves out the cells that are settled then. A key that follows
/// from another matters only where the other is dropped with it: who differs in it differs in the other.
fn that_matter(of: &Neighbours<'_>, loose: &[Vec<usize>], mut open: Vec<Open>) -> Vec<Open> {
    if open.is_empty() {
        return open;
    }
    let groups = |keys: &[usize]| of.codes.runs(keys.iter().copied(), of.cells).len();
    // Per key the keys that it follows from.
    let mut causes = vec![0_u64; loose.len()];
    for (cause, of_cause) in loose.iter().enumerate() {
        let alone = groups(&of_cause[..1]);
        for (key, of_key) in loose.iter().enumerate().filter(|(key, _)| *key != cause) {
            if groups(&[of_cause[0], of_key[0]]) == alone {
                causes[key] |= 1 << cause;
            }
        }
    }
    for open in &mut open {
        loop {
            let matters = |key: &usize| causes[*key] & !open.keys == 0;
            let kept = (0..loose.len()).filter(|key| open.keys >> key & 1 == 1);
            let kept = kept.filter(matters).fold(0, |keys, key| keys | 1 << key);
            if kept == open.keys {
                break;
            }
            open.keys = kept;
        }
    }
    open.retain(|open| open.keys.count_ones() > 1);
    open
}

/// Units that differ from a cell in the same keys.
#[derive(Default)]
struct Differing {
    enough: bool,
    names: HashSet<u32>,
}

fn has_few_by_pairs(
    of: &Neighbours<'_>,
    loose: &[Vec<usize>],
    complement: &Complement<'_>,
    open: Open,
) -> bool {
    let mut by_keys: HashMap<u64, Differing> = HashMap::new();
    for other in of.cells.iter().copied() {
        if other == open.cell || complement.units(other) == 0 {
            continue;
        }
        // A difference in another key is settled: dropping that key alone leaves enough outside.
        let Some(keys) = difference(of, loose, open, other) else {
            continue;
        };
        let differing = by_keys.entry(keys).or_default();
        differing.enough |= complement.is_enough(other);
        if !differing.enough {
            differing.names.extend(complement.names(other));
            differing.enough = complement.suffices(differing.names.len());
        }
    }
    let is_smallest = |keys: u64| by_keys.keys().all(|of| *of == keys || of & keys != *of);
    by_keys
        .iter()
        .any(|(keys, differing)| !differing.enough && is_smallest(*keys))
}

/// The open keys in which two cells differ; none where they differ in another.
fn difference(of: &Neighbours<'_>, loose: &[Vec<usize>], open: Open, other: u32) -> Option<u64> {
    let differ =
        |key: usize| of.codes.at(key, open.cell as usize) != of.codes.at(key, other as usize);
    let mut differing = 0;
    for (bit, keys) in loose.iter().enumerate() {
        if differ(keys[0]) {
            differing |= 1 << bit;
            if differing & !open.keys != 0 {
                return None;
            }
        }
    }
    let mut fixed = of.keys.iter().filter(|key| of.shape.keys[**key].fixed);
    (!fixed.any(|key| differ(*key))).then_some(differing)
}

/// Level by level: `nobody` has for each cell the sets of so many keys that leave nobody outside.
pub(super) fn by_levels(
    of: &Neighbours<'_>,
    loose: &[Vec<usize>],
    complement: &mut Complement<'_>,
    open: Vec<Open>,
    mut steps_left: usize,
) -> Result<Vec<u32>, GateError> {
    let mut few: HashSet<u32> = HashSet::new();
    let mut nobody: HashMap<u32, Vec<u64>> = HashMap::new();
    for open in open {
        let single = (0..64).map(|bit| 1_u64 << bit);
        let single = single.filter(|key| open.keys & key != 0);
        nobody.insert(open.cell, single.collect());
    }
    while !nobody.is_empty() {
        let mut asked: HashMap<u64, HashSet<u32>> = HashMap::new();
        for (cell, smaller) in &nobody {
            let larger = next_level(smaller);
            let cost = smaller.len().saturating_add(larger.len());
            steps_left = steps_left
                .checked_sub(cost)
                .ok_or(GateError::TooManyMargins)?;
            for keys in larger {
                asked.entry(keys).or_default().insert(*cell);
            }
        }
        nobody.clear();
        for (keys, cells) in asked {
            steps_left = steps_left
                .checked_sub(of.cells.len())
                .ok_or(GateError::TooManyMargins)?;
            let bits = loose.iter().enumerate();
            let dropped: Vec<usize> = bits
                .filter(|(bit, _)| keys >> bit & 1 == 1)
                .flat_map(|(_, keys)| keys.iter().copied())
                .collect();
            for margin in of.codes.runs(of.without(&dropped), of.cells).iter() {
                let asked = |cell| cells.contains(&cell);
                complement.judge(margin, asked, |cell, outside| match outside {
                    Outside::Enough => {}
                    Outside::Few => {
                        few.insert(cell);
                    }
                    Outside::Nobody => nobody.entry(cell).or_default().push(keys),
                });
            }
        }
        nobody.retain(|cell, _| !few.contains(cell));
    }
    Ok(few.into_iter().collect())
}

/// The sets with one key more all of whose subsets with one key less are among these.
fn next_level(smaller: &[u64]) -> Vec<u64> {
    let known: HashSet<u64> = smaller.iter().copied().collect();
    let all = smaller.iter().fold(0, |all, keys| all | keys);
    let mut larger = Vec::new();
    for keys in smaller {
        for bit in (0..64).filter(|bit| all >> bit & 1 == 1) {
            let joined = keys | 1 << bit;
            // Each set once: the key that is added is its highest.
            if joined >> bit != 1 || joined == *keys {
                continue;
            }
            let mut bits = (0..=bit).filter(|bit| joined >> bit & 1 == 1);
            if bits.all(|bit| known.contains(&(joined & !(1 << bit)))) {
                larger.push(joined);
            }
        }
    }
    larger
}

#[cfg(test)]
mod tests {
    use super::next_level;

    #[test]
    fn a_set_of_keys_is_looked_at_where_all_smaller_ones_are_open() {
        assert_eq!(next_level(&[0b001, 0b010]), [0b011]);
        assert_eq!(next_level(&[0b001]), Vec::<u64>::new());
        assert_eq!(next_level(&[0b011, 0b101, 0b110]), [0b111]);
        assert_eq!(next_level(&[0b011, 0b101]), Vec::<u64>::new());
        let four: Vec<u64> = vec![1 << 63, 1 << 3, 1];
        let mut pairs = next_level(&four);
        pairs.sort_unstable();
        assert_eq!(pairs, [0b1001, 1 << 63 | 1, 1 << 63 | 0b1000]);
    }
}
