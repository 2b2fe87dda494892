//! Cells that share no unit, as labels on units: what is found about all unions of them at once.
//!
//! Numbers of cells without common units add up, so a release of a partition is a release of every union of its cells.
//! Of all unions, the one nearest to a set T takes every cell that has more than half of its units in T, and differs
//! from T by
//!
//! ```text
//! d(T) = |T \ U| + Σ over cells P of min(|P ∩ T|, |P \ T|),   U the union of all cells
//! ```
//! because each cell is taken or left on its own. T isolates somebody where 1 ≤ d(T) < k. Every other union differs from
//! the nearest by whole cells, and so isolates nobody unless the nearest does.
//!
//! The same sum over some of the units, in T and in the cells alike, is never larger. So most pairs of partitions are
//! settled by every 32nd or every 8th unit, which are kept in memory; only what is left is counted exactly.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::words::{Words, places};

/// The label of a unit in no cell.
pub(crate) const NO_CELL: u16 = u16::MAX;
/// The strides of the samples: every 32nd unit, and every 8th.
pub(crate) const COARSE: u32 = 32;
pub(crate) const FINE: u32 = 8;

/// Which cell each unit is in, of those units whose id is a multiple of the stride.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) stride: u32,
    of: Of,
    /// Per cell how many units have its label.
    pub(crate) sizes: Vec<u32>,
}

/// Labels by unit id over stride.
#[derive(Clone, PartialEq, Eq)]
enum Of {
    /// One for each, [`NO_CELL`] where there is none.
    Dense(Vec<u16>),
    /// Those there are, in the order of the ids.
    Sparse(Vec<(u32, u16)>),
}

/// The distances between a partition and the sets of another: at most the real ones, and equal to them where all units
/// are counted.
pub(crate) struct Distances {
    /// Per cell of the other partition.
    pub(crate) cells: Vec<u64>,
    /// Of the other partition's union.
    pub(crate) union: u64,
}

impl Labels {
    /// The labels of cells; none where two of them share a unit that is counted, or there are too many.
    pub(crate) fn new(stride: u32, cells: &[Arc<RoaringBitmap>]) -> Option<Labels> {
        let mut named = Vec::new();
        // A word's units that are counted: strides are powers of two up to a word.
        let counted = (0..u64::BITS).step_by(stride as usize);
        let counted = counted.fold(0_u64, |counted, place| counted | 1 << place);
        for (label, cell) in cells.iter().enumerate() {
            let name = u16::try_from(label)
                .ok()
                .filter(|label| *label != NO_CELL)?;
            Words::of(cell).for_each(|word, bits| {
                for place in places(bits & counted) {
                    let unit = word * u64::BITS + place as u32;
                    named.push((unit / stride, name));
                }
            });
        }
        let last = named.iter().map(|(at, _)| *at).max();
        let length = last.map_or(0, |last| last as usize + 1);
        if is_sparse(named.len(), length) {
            named.sort_unstable();
            let twice = named.windows(2).any(|pair| pair[0].0 == pair[1].0);
            return (!twice).then(|| Labels::counted(stride, Of::Sparse(named), cells.len()));
        }
        let mut of = vec![NO_CELL; length];
        for (at, name) in named {
            if std::mem::replace(&mut of[at as usize], name) != NO_CELL {
                return None;
            }
        }
        Some(Labels::counted(stride, Of::Dense(of), cells.len()))
    }

    /// The same with fewer units.
    pub(crate) fn coarser(&self, stride: u32) -> Labels {
        let step = (stride / self.stride).max(1);
        let of = match &self.of {
            Of::Dense(of) => Of::Dense(of.iter().step_by(step as usize).copied().collect()),
            Of::Sparse(of) => {
                let kept = of.iter().filter(|(at, _)| at % step == 0);
                Of::Sparse(kept.map(|(at, label)| (at / step, *label)).collect())
            }
        };
        Labels::counted(stride, of, self.sizes.len())
    }

    /// Labels that were kept as pairs of unit id over stride and label; none where they are not in order.
    pub(crate) fn from_pairs(stride: u32, pairs: Vec<(u32, u16)>, cells: usize) -> Option<Labels> {
        let in_order = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let named = pairs.iter().all(|(_, label)| usize::from(*label) < cells);
        if !in_order || !named {
            return None;
        }
        let length = pairs.last().map_or(0, |(at, _)| *at as usize + 1);
        let of = if is_sparse(pairs.len(), length) {
            Of::Sparse(pairs)
        } else {
            let mut of = vec![NO_CELL; length];
            pairs
                .iter()
                .for_each(|(at, label)| of[*at as usize] = *label);
            Of::Dense(of)
        };
        Some(Labels::counted(stride, of, cells))
    }

    fn counted(stride: u32, of: Of, cells: usize) -> Labels {
        let mut labels = Labels {
            stride,
            of,
            sizes: Vec::new(),
        };
        let mut sizes = vec![0; cells];
        labels.for_each(|_, label| sizes[usize::from(label)] += 1);
        labels.sizes = sizes;
        labels
    }

    /// How many units are counted.
    pub(crate) fn count(&self) -> u64 {
        self.sizes.iter().copied().map(u64::from).sum()
    }

    /// Hands out all labels, by unit id over stride.
    pub(crate) fn for_each(&self, mut of: impl FnMut(u32, u16)) {
        match &self.of {
            Of::Dense(all) => {
                for (at, label) in all.iter().enumerate() {
                    if *label != NO_CELL {
                        of(at as u32, *label);
                    }
                }
            }
            Of::Sparse(all) => all.iter().for_each(|(at, label)| of(*at, *label)),
        }
    }

    /// All labels as pairs of unit id over stride and label.
    pub(crate) fn pairs(&self) -> Vec<(u32, u16)> {
        let mut pairs = Vec::with_capacity(self.count() as usize);
        self.for_each(|at, label| pairs.push((at, label)));
        pairs
    }

    #[inline]
    fn at(&self, at: u32) -> u16 {
        match &self.of {
            Of::Dense(of) => of.get(at as usize).copied().unwrap_or(NO_CELL),
            Of::Sparse(of) => {
                let found = of.binary_search_by_key(&at, |(at, _)| *at);
                found.map_or(NO_CELL, |found| of[found].1)
            }
        }
    }

    /// Per cell its units' ids over stride.
    pub(crate) fn members(&self) -> Vec<Vec<u32>> {
        self.members_of(&vec![true; self.sizes.len()])
    }

    /// Per cell its units' ids over stride; none for the others.
    pub(crate) fn members_of(&self, cells: &[bool]) -> Vec<Vec<u32>> {
        let sizes = self.sizes.iter().zip(cells);
        let mut members: Vec<Vec<u32>> = sizes
            .map(|(size, wanted)| Vec::with_capacity(if *wanted { *size as usize } else { 0 }))
            .collect();
        for (at, label) in self.labelled(cells) {
            members[usize::from(label)].push(at);
        }
        members
    }

    /// The labels of some cells. Mostly they are few of many, and nobody can say which unit is next: so every label is
    /// written, and the next one over it where it is not wanted.
    fn labelled(&self, cells: &[bool]) -> Vec<(u32, u16)> {
        let sizes = self.sizes.iter().zip(cells);
        let sizes = sizes.map(|(size, wanted)| if *wanted { *size as usize } else { 0 });
        let length = sizes.sum::<usize>();
        let mut labelled = vec![(0, 0); length + 1];
        let mut next = 0;
        let mut wanted = cells.to_vec();
        wanted.resize(self.sizes.len() + 1, false);
        let none = self.sizes.len();
        let mut put = |at: u32, label: u16| {
            labelled[next] = (at, label);
            next += usize::from(wanted[usize::from(label).min(none)]);
        };
        match &self.of {
            Of::Dense(all) => (0..).zip(all).for_each(|(at, label)| put(at, *label)),
            Of::Sparse(all) => all.iter().for_each(|(at, label)| put(*at, *label)),
        }
        labelled.truncate(length);
        labelled
    }

    /// How far a set, given by its units' ids over stride, is from the nearest union of the cells.
    pub(crate) fn distance(&self, members: &[u32], counts: &mut Vec<u32>) -> u64 {
        counts.resize(self.sizes.len(), 0);
        let mut touched: Vec<u16> = Vec::new();
        let mut distance = 0;
        for at in members {
            let label = self.at(*at);
            if label == NO_CELL {
                distance += 1;
                continue;
            }
            if counts[usize::from(label)] == 0 {
                touched.push(label);
            }
            counts[usize::from(label)] += 1;
        }
        for label in touched.into_iter().map(usize::from) {
            let both = std::mem::take(&mut counts[label]);
            distance += u64::from(both.min(self.sizes[label] - both));
        }
        distance
    }
}

/// Whether pairs take less room than a label for each.
fn is_sparse(pairs: usize, length: usize) -> bool {
    pairs < length / 4
}

/// The distances of `new`'s sets from the unions of `old`'s cells, and the other way round. `members` are `new`'s.
pub(crate) fn distances(
    old: &Labels,
    new: &Labels,
    members: &[Vec<u32>],
) -> (Distances, Distances) {
    let mut counts = vec![0_u32; old.sizes.len()];
    let mut in_new = vec![0_u32; old.sizes.len()];
    let mut touched: Vec<u16> = Vec::new();
    let mut of_new = Distances::none(new.sizes.len());
    let mut of_old = Distances::none(old.sizes.len());
    for (cell, members) in members.iter().enumerate() {
        let mut outside = 0;
        for at in members {
            let label = old.at(*at);
            if label == NO_CELL {
                outside += 1;
                continue;
            }
            if counts[usize::from(label)] == 0 {
                touched.push(label);
            }
            counts[usize::from(label)] += 1;
        }
        let size = new.sizes[cell];
        for label in touched.drain(..).map(usize::from) {
            let both = std::mem::take(&mut counts[label]);
            of_new.cells[cell] += u64::from(both.min(old.sizes[label] - both));
            of_old.cells[label] += u64::from(both.min(size - both));
            in_new[label] += both;
        }
        of_new.cells[cell] += outside;
        of_new.union += outside;
        let inside = u64::from(size) - outside;
        of_old.union += inside.min(outside);
    }
    for (label, size) in old.sizes.iter().enumerate() {
        let left = u64::from(size - in_new[label]);
        of_old.cells[label] += left;
        of_old.union += left;
        of_new.union += u64::from(in_new[label]).min(left);
    }
    (of_new, of_old)
}

impl Distances {
    fn none(cells: usize) -> Distances {
        Distances {
            cells: vec![0; cells],
            union: 0,
        }
    }

    /// The cells whose distance is below k.
    pub(crate) fn below(&self, k: u64) -> Vec<usize> {
        let cells = self.cells.iter().enumerate();
        cells
            .filter(|(_, distance)| **distance < k)
            .map(|(cell, _)| cell)
            .collect()
    }

    /// Whether everything is at least k apart.
    pub(crate) fn all_far(&self, k: u64) -> bool {
        self.union >= k && self.cells.iter().all(|distance| *distance >= k)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests fail by panicking")]

    use super::*;

    /// All units.
    const EXACT: u32 = 1;

    fn cells(of: &[&[u32]]) -> Vec<Arc<RoaringBitmap>> {
        of.iter()
            .map(|units| Arc::new(units.iter().copied().collect()))
            .collect()
    }

    /// The nearest of all unions, by trying all.
    fn nearest(cells: &[Arc<RoaringBitmap>], set: &RoaringBitmap) -> u64 {
        let unions = 0..1_u32 << cells.len();
        let distance = |taken: u32| {
            let mut union = RoaringBitmap::new();
            for (at, cell) in cells.iter().enumerate() {
                if taken >> at & 1 == 1 {
                    union |= &**cell;
                }
            }
            union.symmetric_difference_len(set)
        };
        unions.map(distance).min().unwrap_or(0)
    }

    fn random_cells(seed: &mut u64, units: u32) -> Vec<Arc<RoaringBitmap>> {
        let mut next = || {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *seed >> 40
        };
        let count = 1 + next() % 6;
        let mut of = vec![Vec::new(); count as usize];
        for unit in 0..units {
            // Neighbours are mostly together, so that unions come near to cells.
            let cell = if next() % 8 == 0 {
                next()
            } else {
                u64::from(unit) * 7 / u64::from(units)
            };
            if let Some(cell) = of.get_mut((cell % (count + 1)) as usize) {
                cell.push(unit);
            }
        }
        of.iter()
            .map(|units| Arc::new(units.iter().copied().collect()))
            .collect()
    }

    #[test]
    fn the_distance_is_that_of_the_nearest_union() {
        let mut seed = 3;
        for _ in 0..300 {
            let (old, new) = (random_cells(&mut seed, 60), random_cells(&mut seed, 70));
            let labels = |cells| Labels::new(EXACT, cells).expect("no unit is in two cells");
            let (old_labels, new_labels) = (labels(&old), labels(&new));
            let (of_new, of_old) = distances(&old_labels, &new_labels, &new_labels.members());
            let union = |cells: &[Arc<RoaringBitmap>]| {
                cells
                    .iter()
                    .fold(RoaringBitmap::new(), |all, cell| all | &**cell)
            };
            for (cell, distance) in new.iter().zip(&of_new.cells) {
                assert_eq!(*distance, nearest(&old, cell));
            }
            let mut counts = Vec::new();
            let members = old_labels.members();
            for (at, distance) in of_old.cells.iter().enumerate() {
                assert_eq!(*distance, nearest(&new, &old[at]));
                assert_eq!(*distance, new_labels.distance(&members[at], &mut counts));
            }
            assert_eq!(of_new.union, nearest(&old, &union(&new)));
            assert_eq!(of_old.union, nearest(&new, &union(&old)));
            let some = |labels: &Labels| labels.coarser(4);
            let (fewer, _) = distances(
                &some(&old_labels),
                &some(&new_labels),
                &some(&new_labels).members(),
            );
            assert!(
                fewer
                    .cells
                    .iter()
                    .zip(&of_new.cells)
                    .all(|(fewer, all)| fewer <= all)
            );
        }
    }

    #[test]
    fn cells_that_share_a_unit_have_no_labels() {
        assert!(Labels::new(EXACT, &cells(&[&[1, 2], &[2, 3]])).is_none());
        let labels = Labels::new(EXACT, &cells(&[&[1, 2], &[3]])).expect("labels");
        let pairs: Vec<(u32, u16)> = labels.pairs();
        assert_eq!(
            (pairs, labels.sizes),
            (vec![(1, 0), (2, 0), (3, 1)], vec![2, 1])
        );
    }

    #[test]
    fn labels_come_back_from_their_pairs() {
        for of in [
            cells(&[&[1, 2], &[3, 5]]),
            cells(&[&[1, 2, 70_000], &[90_000]]),
        ] {
            for stride in [EXACT, 2] {
                let labels = Labels::new(stride, &of).expect("labels");
                let pairs: Vec<(u32, u16)> = labels.pairs();
                assert!(Labels::from_pairs(stride, pairs.clone(), 2).as_ref() == Some(&labels));
                assert!(pairs.iter().all(|(at, label)| labels.at(*at) == *label));
                assert!(Labels::from_pairs(stride, pairs, 0).is_none());
            }
        }
        assert!(Labels::from_pairs(1, vec![(2, 0), (2, 0)], 1).is_none());
    }
}
