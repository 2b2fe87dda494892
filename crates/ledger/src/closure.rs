//! Unions of cells: what a partition gives away together with another one.
//!
//! A new cell near to a union of earlier cells, and an earlier cell near to a union of new ones, subtract to a few units
//! as two cells do. Both are found for every union of cells of one partition (see `partition.rs`). What is not looked
//! for: unions over several partitions on both sides at once, and sums over cells that share units. For these there are
//! the union of each partition and the budget of bits.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::{MultiOps, RoaringBitmap};

use crate::index::Work;
use crate::near::{Sets, Stop};
use crate::partition::{COARSE, Distances, EXACT, FINE, Labels, distances};

/// A partition that was released, earlier or in the same release.
pub(crate) struct Partition {
    /// The sets' places in their index.
    pub(crate) cells: Vec<u32>,
    pub(crate) fine: Labels,
    pub(crate) coarse: Labels,
}

impl Partition {
    pub(crate) fn new(cells: Vec<u32>, fine: Labels) -> Partition {
        let coarse = fine.coarser(COARSE);
        Partition {
            cells,
            fine,
            coarse,
        }
    }

    fn sets(&self, sets: &dyn Sets, work: &mut Work) -> Result<Vec<Arc<RoaringBitmap>>, Stop> {
        let mut all = Vec::with_capacity(self.cells.len());
        for cell in &self.cells {
            work.compare()?;
            all.push(sets.units(*cell)?);
        }
        Ok(all)
    }
}

/// A partition that is about to be released.
pub(crate) struct New {
    pub(crate) sets: Vec<Arc<RoaringBitmap>>,
    pub(crate) fine: Labels,
    levels: Vec<Level>,
    exact: Option<Level>,
    units: u64,
}

struct Level {
    labels: Labels,
    members: Vec<Vec<u32>>,
}

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

impl New {
    /// A partition of these sets; none where they share units.
    pub(crate) fn of(sets: Vec<Arc<RoaringBitmap>>) -> Option<New> {
        let units: u64 = sets.iter().map(|set| set.len()).sum();
        if sets.iter().map(|set| &**set).union().len() != units {
            return None;
        }
        let fine = Labels::new(FINE, &sets)?;
        let level = |labels: Labels| Level {
            members: labels.members(),
            labels,
        };
        let levels = vec![level(fine.coarser(COARSE)), level(fine.clone())];
        Some(New {
            sets,
            fine,
            levels,
            exact: None,
            units,
        })
    }

    /// Compares with a known partition, exactly where samples do not settle it.
    pub(crate) fn compare(
        &mut self,
        known: &Partition,
        sets: &dyn Sets,
        k: u64,
        work: &mut Work,
    ) -> Result<Hits, Stop> {
        for (level, known) in self.levels.iter().zip([&known.coarse, &known.fine]) {
            let (of_new, of_known) = level.distances(known, work)?;
            if of_new.all_far(k) && of_known.all_far(k) {
                return Ok(Hits::default());
            }
        }
        // Reading and labelling what is known.
        work.visits(self.units + known.fine.count() * u64::from(FINE))?;
        let known_sets = known.sets(sets, work)?;
        let exact = Labels::new(EXACT, &known_sets).ok_or(Stop::Exhausted)?;
        let (of_new, of_known) = self.exact()?.distances(&exact, work)?;
        let few = |distance: &u64| (1..k).contains(distance);
        let near = |of: &Distances| -> BTreeSet<usize> {
            let cells = of.cells.iter().enumerate();
            cells
                .filter(|(_, distance)| few(distance))
                .map(|(cell, _)| cell)
                .collect()
        };
        let mut hits = Hits {
            cells: near(&of_new),
            union: few(&of_new.union),
            known: Vec::new(),
        };
        for cell in near(&of_known) {
            hits.known.push((*known_sets[cell]).clone());
        }
        if few(&of_known.union) {
            hits.known.push(known_sets.iter().map(|set| &**set).union());
        }
        Ok(hits)
    }

    fn exact(&mut self) -> Result<&Level, Stop> {
        if self.exact.is_none() {
            let labels = Labels::new(EXACT, &self.sets).ok_or(Stop::Exhausted)?;
            let members = labels.members();
            self.exact = Some(Level { labels, members });
        }
        self.exact.as_ref().ok_or(Stop::Exhausted)
    }
}

impl Level {
    fn distances(&self, known: &Labels, work: &mut Work) -> Result<(Distances, Distances), Stop> {
        work.visits(self.labels.count() + known.sizes.len() as u64)?;
        Ok(distances(known, &self.labels, &self.members))
    }
}
