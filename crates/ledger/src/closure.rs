//! Unions of cells: what a partition gives away together with another one.
//!
//! A new cell near to a union of earlier cells, and an earlier cell near to a union of new ones, subtract to a few units
//! as two cells do. So do a new cell and an earlier one that make up an earlier union: a tracker. The first two are found for every union of cells of one partition (see `partition.rs`). What is not looked
//! for: unions over several partitions on both sides at once, and sums over cells that share units. For these there are
//! the union of each partition and the budget of bits.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::index::{Exhausted, Index, Work};
use crate::near::{NewSet, Sets, Stop};
use crate::parallel;
use crate::partition::{COARSE, Distances, FINE, Labels, distances};
use crate::sketch::{Mixer, Sketch, is_small};
use crate::union;

/// A partition that was released, earlier or in the same release.
pub(crate) struct Partition {
    /// The sets' places in their index.
    pub(crate) cells: Vec<u32>,
    sizes: Vec<u64>,
    /// Of the union, without its lowest units.
    union: Sketch,
    fine: Labels,
    coarse: Labels,
}

/// A partition that is about to be released.
pub(crate) struct New {
    sets: Vec<Arc<RoaringBitmap>>,
    sizes: Vec<u64>,
    union: Sketch,
    pub(crate) fine: Labels,
    fine_members: Vec<Vec<u32>>,
    coarse: Level,
}

struct Level {
    labels: Labels,
    members: Vec<Vec<u32>>,
}

/// Of how many known partitions samples are looked at at a time, so that work that is too much ends.
const SAMPLED_AT_ONCE: usize = 64;
/// From so many units in samples on, several threads look at them.
const SAMPLED_PARALLEL_MIN: u64 = 100_000;

/// What samples do not settle of two partitions: the distances of the new one's sets and of the known one's.
type Unsettled = std::result::Result<Option<(Distances, Distances)>, Exhausted>;

/// What a new partition and a known one give away together.
#[derive(Default)]
pub(crate) struct Hits {
    /// New cells that isolate somebody with a union of known ones.
    pub(crate) cells: BTreeSet<usize>,
    /// Whether the union of all new cells does.
    pub(crate) union: bool,
    /// Known cells, and the union of all of them, that isolate somebody with a union of new ones.
    pub(crate) known: Vec<RoaringBitmap>,
}

impl Partition {
    /// The partition of these sets.
    pub(crate) fn new<'a>(
        cells: Vec<u32>,
        sketches: impl Iterator<Item = &'a Sketch> + Clone,
        fine: Labels,
    ) -> Partition {
        Partition {
            cells,
            sizes: sketches.clone().map(|sketch| sketch.cardinality).collect(),
            union: sketches.fold(Sketch::empty(), |all, sketch| all.and(sketch)),
            coarse: fine.coarser(COARSE),
            fine,
        }
    }
}

/// Whether a set is what a known set leaves of the union of a known partition, but for 1 to k − 1 units: a tracker.
/// Union minus known set minus this set is then left with those units, added and subtracted.
pub(crate) fn is_tracker(
    set: &NewSet,
    partitions: &[Partition],
    index: &Index,
    sets: &dyn Sets,
    mixer: Mixer,
    k: u64,
    work: &mut Work,
) -> Result<bool, Stop> {
    let size = set.sketch.cardinality;
    let mut seen: HashSet<&[u32]> = HashSet::new();
    for partition in partitions {
        work.visit()?;
        let rest = partition
            .union
            .cardinality
            .checked_sub(size)
            .filter(|rest| *rest >= k);
        let Some(rest) = rest else {
            continue;
        };
        if !index.has_size_near(rest, k) || !seen.insert(&partition.union.buckets) {
            continue;
        }
        let mut target = partition.union.without(&set.sketch);
        let union = || -> Result<RoaringBitmap, Stop> {
            let cells = partition.cells.iter().map(|cell| Ok(sets.units(*cell)?));
            Ok(united(&cells.collect::<Result<Vec<_>, Stop>>()?))
        };
        if is_small(rest) {
            work.comparisons(partition.cells.len() as u64)?;
            let left = union()? - &*set.units;
            if left.len() >= rest + k {
                // As many units of the set are outside the union.
                continue;
            }
            target = mixer.sketch(&left);
        }
        let mut candidates = Vec::new();
        index.candidates(&target, k, work, &mut |known| candidates.push(known))?;
        if candidates.is_empty() {
            continue;
        }
        work.comparisons(partition.cells.len() as u64)?;
        let union = union()?;
        for known in candidates {
            work.compare()?;
            let known = sets.units(known)?;
            let both = &*known & &*set.units;
            let either = &*known | &*set.units;
            let distance = union.difference_len(&either)
                + known.difference_len(&union)
                + set.units.difference_len(&union)
                + both.intersection_len(&union);
            if (1..k).contains(&distance) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl New {
    /// A partition of these sets, given their union where that is known; none where they share units.
    pub(crate) fn of(cells: &[&NewSet], union: Option<&NewSet>) -> Option<New> {
        let sizes: Vec<u64> = cells.iter().map(|cell| cell.sketch.cardinality).collect();
        let sets: Vec<Arc<RoaringBitmap>> =
            cells.iter().map(|cell| Arc::clone(&cell.units)).collect();
        let units: u64 = sizes.iter().sum();
        let all = union.map_or_else(|| united(&sets).len(), |union| union.sketch.cardinality);
        if all != units {
            return None;
        }
        let fine = Labels::new(FINE, &sets)?;
        let labels = fine.coarser(COARSE);
        let coarse = Level {
            members: labels.members(),
            labels,
        };
        let sketches = cells.iter().map(|cell| &cell.sketch);
        Some(New {
            sets,
            sizes,
            union: sketches.fold(Sketch::empty(), |all, sketch| all.and(sketch)),
            fine_members: fine.members(),
            fine,
            coarse,
        })
    }

    /// Compares with known partitions, each with where its sets are: what any of them gives away.
    pub(crate) fn compare_all(
        &self,
        known: &[(&Partition, &dyn Sets)],
        k: u64,
        work: &mut Work,
    ) -> Result<Hits, Stop> {
        let mut all = Hits::default();
        for some in known.chunks(SAMPLED_AT_ONCE) {
            let partitions: Vec<&Partition> = some.iter().map(|(known, _)| *known).collect();
            let sampled = self.sampled(&partitions, k, work);
            for ((known, sets), (unsettled, visits)) in some.iter().zip(sampled) {
                work.visits(visits)?;
                let hits = match unsettled? {
                    Some(unsettled) => self.compare(known, unsettled, *sets, k, work)?,
                    None => continue,
                };
                all.cells.extend(hits.cells);
                all.union |= hits.union;
                all.known.extend(hits.known);
            }
        }
        Ok(all)
    }

    /// What the samples leave open of each partition, and the visits it took: those of one are not taken from the others'.
    fn sampled(&self, known: &[&Partition], k: u64, work: &Work) -> Vec<(Unsettled, u64)> {
        let of_one = |known: &&Partition| {
            let mut left = Work {
                visits: work.visits,
                comparisons: 0,
            };
            let unsettled = self.unsettled(known, k, &mut left);
            (unsettled, work.visits - left.visits)
        };
        let units = self.coarse.labels.count() * known.len() as u64;
        if units < SAMPLED_PARALLEL_MIN {
            return known.iter().map(of_one).collect();
        }
        parallel::each(known, of_one)
    }

    /// Compares with a known partition exactly, where samples do not settle it.
    fn compare(
        &self,
        known: &Partition,
        (of_new, of_known): (Distances, Distances),
        sets: &dyn Sets,
        k: u64,
        work: &mut Work,
    ) -> Result<Hits, Stop> {
        let mut hits = Hits::default();
        let few = |distance: u64| (1..k).contains(&distance);
        let mut here = |at: usize| Ok(Arc::clone(&self.sets[at]));
        let mut there = |at: usize| Ok(sets.units(known.cells[at])?);
        for cell in of_new.below(k) {
            let distance = nearest(&self.sets[cell], &known.sizes, &mut there, k, work)?;
            if few(distance) {
                hits.cells.insert(cell);
            }
        }
        for cell in of_known.below(k) {
            let set = there(cell)?;
            if few(nearest(&set, &self.sizes, &mut here, k, work)?) {
                hits.known.push((*set).clone());
            }
        }
        // Equal unions are as far as their sketches tell, and those of tables over one dataset mostly are.
        if self.union.is_like(&known.union) {
            return Ok(hits);
        }
        if of_new.union < k {
            let union = united(&self.sets);
            hits.union = few(nearest(&union, &known.sizes, &mut there, k, work)?);
        }
        if of_known.union < k {
            let all: Result<Vec<_>, Stop> = (0..known.cells.len()).map(there).collect();
            let union = united(&all?);
            if few(nearest(&union, &self.sizes, &mut here, k, work)?) {
                hits.known.push(union);
            }
        }
        Ok(hits)
    }

    /// The distances as far as the samples tell, unless they settle everything.
    fn unsettled(&self, known: &Partition, k: u64, work: &mut Work) -> Unsettled {
        work.visits(self.coarse.labels.count() + known.sizes.len() as u64)?;
        let (mut of_new, mut of_known) =
            distances(&known.coarse, &self.coarse.labels, &self.coarse.members);
        if of_new.all_far(k) && of_known.all_far(k) {
            return Ok(None);
        }
        let mut counts = Vec::new();
        for cell in of_new.below(k) {
            let members = &self.fine_members[cell];
            work.visits(members.len() as u64)?;
            of_new.cells[cell] = known.fine.distance(members, &mut counts);
        }
        // A small cell has too few units in the sample to settle anything, and is soon counted.
        let far = |cell: &usize| known.sizes[*cell] >= 2 * k * u64::from(FINE);
        let unsettled: Vec<usize> = of_known.below(k).into_iter().filter(far).collect();
        if unsettled.is_empty() {
            return Ok(Some((of_new, of_known)));
        }
        let mut wanted = vec![false; known.sizes.len()];
        unsettled.iter().for_each(|cell| wanted[*cell] = true);
        work.visits(known.fine.count() / 8)?;
        let members = known.fine.members_of(&wanted);
        counts.clear();
        for cell in unsettled {
            work.visits(members[cell].len() as u64)?;
            of_known.cells[cell] = self.fine.distance(&members[cell], &mut counts);
        }
        Ok(Some((of_new, of_known)))
    }
}

fn united(sets: &[Arc<RoaringBitmap>]) -> RoaringBitmap {
    union::united(&sets.iter().map(|set| &**set).collect::<Vec<_>>())
}

/// How far a set is from the nearest union of cells that share no unit, or k where it is at least that.
///
/// A cell that has k units more than the set has k units outside it, and so is not in a union that is nearer than k.
fn nearest(
    set: &RoaringBitmap,
    sizes: &[u64],
    cell: &mut dyn FnMut(usize) -> Result<Arc<RoaringBitmap>, Stop>,
    k: u64,
    work: &mut Work,
) -> Result<u64, Stop> {
    let mut distance = set.len();
    let small = |at: &usize| sizes[*at] < set.len() + k;
    let candidates: Vec<usize> = (0..sizes.len()).filter(small).collect();
    let mut left: u64 = candidates.iter().map(|at| sizes[*at]).sum();
    for at in candidates {
        if distance >= left + k {
            return Ok(k);
        }
        left -= sizes[at];
        work.compare()?;
        let inside = set.intersection_len(&*cell(at)?);
        let outside = sizes[at] - inside;
        distance = distance.saturating_sub(inside.saturating_sub(outside));
    }
    Ok(distance.min(k))
}
