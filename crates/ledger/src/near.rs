//! Which known sets a set is near to, exactly.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::index::{Exhausted, Index, Work};
use crate::margin::{self, Margins};
use crate::rows::Rows;
use crate::sketch::{Mixer, Sketch, is_small, is_small_indexed};
use crate::span::Vector;
use crate::{LedgerError, Result};

/// Where the exact sets of an index are.
pub(crate) trait Sets: Sync {
    /// The set at this place of the index.
    fn units(&self, set: u32) -> Result<Arc<RoaringBitmap>>;

    /// One of the sets that are kept beside those of the index, and never compared with.
    ///
    /// # Errors
    /// That there is none.
    fn beside(&self, _set: u32) -> Result<Arc<RoaringBitmap>> {
        Err(LedgerError::Internal {
            action: "finding a set beside the index",
        })
    }
}

/// Sets that are in memory: those of the release that is asked about.
#[derive(Default)]
pub(crate) struct InMemory(pub(crate) Vec<Arc<RoaringBitmap>>);

impl Sets for InMemory {
    fn units(&self, set: u32) -> Result<Arc<RoaringBitmap>> {
        let units = self.0.get(set as usize).map(Arc::clone);
        units.ok_or(LedgerError::Internal {
            action: "finding a set",
        })
    }
}

/// A set that is compared.
pub(crate) struct NewSet {
    pub(crate) units: Arc<RoaringBitmap>,
    pub(crate) sketch: Sketch,
    /// Of the units of the population that are not in the set, where the whole counts as released.
    rest: Option<Rest>,
    /// Its rows among so many columns, where they were put there with its sketch.
    rows: Option<(u32, Vector)>,
}

struct Rest {
    population_units: u64,
    sketch: Sketch,
}

/// All units of a population, where their total counts as released.
pub(crate) struct Whole {
    pub(crate) units: u32,
    pub(crate) sketch: Sketch,
}

/// What a comparison has to stop for.
pub(crate) enum Stop {
    Exhausted,
    Failed(LedgerError),
}

impl From<Exhausted> for Stop {
    fn from(_: Exhausted) -> Stop {
        Stop::Exhausted
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Stop {
        Stop::Failed(error)
    }
}

/// Which sets of an index count.
#[derive(Clone, Copy)]
pub(crate) struct Counting<'a> {
    /// Whether a set was taken back.
    pub(crate) taken_back: &'a dyn Fn(u32) -> bool,
    /// Whether a set is a part that nobody chose.
    pub(crate) is_part: &'a dyn Fn(u32) -> bool,
    /// Whether numbers decide about a set that is near, and not the set.
    pub(crate) by_number: &'a dyn Fn(u32) -> bool,
    /// Whether the set that is compared is known from elsewhere.
    pub(crate) is_known: bool,
    /// Which sets have to be further away than k.
    pub(crate) margins: Option<Margins<'a>>,
}

/// What was found near a set.
#[derive(Default)]
pub(crate) struct Found {
    /// Whether comparing the set with a known one, or with what is left of the population, isolates 1 to k − 1 units.
    pub(crate) isolates: bool,
    /// The known sets that differ by fewer than k units and their margin, with the number of units, in no order.
    pub(crate) close: Vec<(u32, u64)>,
    /// Whether exactly this set is known, and not as a part alone.
    pub(crate) is_known: bool,
}

impl NewSet {
    pub(crate) fn new(units: Arc<RoaringBitmap>, whole: Option<&Whole>, mixer: Mixer) -> NewSet {
        let sketch = mixer.sketch(&units);
        NewSet::sketched(units, sketch, whole, mixer)
    }

    /// The same, with its rows among so many columns.
    pub(crate) fn with_rows(
        units: Arc<RoaringBitmap>,
        (rows, width): (&Rows, u32),
        whole: Option<&Whole>,
        mixer: Mixer,
    ) -> NewSet {
        let (sketch, vector) = mixer.sketch_and_rows(&units, rows, width);
        let set = NewSet::sketched(units, sketch, whole, mixer);
        NewSet {
            rows: Some((width, vector)),
            ..set
        }
    }

    /// Its rows among so many columns, where they are there already.
    pub(crate) fn rows_vector(&self, width: u32) -> Option<&Vector> {
        let rows = self.rows.as_ref().filter(|(of, _)| *of == width);
        rows.map(|(_, vector)| vector)
    }

    /// The union of sets, whose sketch is the sum of theirs where they share no unit.
    pub(crate) fn union(
        units: RoaringBitmap,
        sets: &[&NewSet],
        whole: Option<&Whole>,
        mixer: Mixer,
    ) -> NewSet {
        let sum: u64 = sets.iter().map(|set| set.sketch.cardinality).sum();
        if sum != units.len() || is_small_indexed(sum) {
            return NewSet::new(Arc::new(units), whole, mixer);
        }
        let sketches = sets.iter().map(|set| &set.sketch);
        let sketch = sketches.fold(Sketch::empty(), |sum, of| sum.and(of));
        NewSet::sketched(Arc::new(units), sketch, whole, mixer)
    }

    fn sketched(
        units: Arc<RoaringBitmap>,
        sketch: Sketch,
        whole: Option<&Whole>,
        mixer: Mixer,
    ) -> NewSet {
        let rest = whole.map(|whole| Rest::of(&units, &sketch, whole, mixer));
        NewSet {
            units,
            sketch,
            rest,
            rows: None,
        }
    }

    /// Whether all but 1 to k − 1 units of the population are in the set.
    pub(crate) fn is_nearly_all(&self, k: u64) -> bool {
        let rest = self.rest.as_ref().map(|rest| rest.sketch.cardinality);
        rest.is_some_and(|rest| (1..k).contains(&rest))
    }

    /// Compares with all sets of an index that count. The set has at least k units: the index finds no others.
    pub(crate) fn compare(
        &self,
        index: &Index,
        sets: &dyn Sets,
        k: u64,
        work: &mut Work,
        counting: Counting<'_>,
    ) -> std::result::Result<Found, Stop> {
        let is_live = |set: &u32| !(counting.taken_back)(*set);
        let mut found = Found::default();
        let far = k + counting.margins.map_or(0, |_| margin::most(k));
        for set in candidates(index, &self.sketch, far, work)?
            .into_iter()
            .filter(is_live)
        {
            work.compare()?;
            let distance = self.units.symmetric_difference_len(&*sets.units(set)?);
            let applies = |of: &Margins<'_>| (of.applies)(set) && !(counting.by_number)(set);
            let margins = counting.margins.filter(|of| distance >= k && applies(of));
            let margin = margins.map_or(0, |of| of.of(index.sketch(set), &self.sketch, k));
            if distance < k + margin {
                found.close.push((set, distance));
            }
        }
        let same = |(set, distance): &(u32, u64)| *distance == 0 && !(counting.is_part)(*set);
        found.is_known = counting.is_known || found.close.iter().any(same);
        // What a known set and its parts tell together was told when it became known.
        let is_known = found.is_known;
        let counts = |set: u32| !(is_known && (counting.is_part)(set));
        found
            .close
            .retain(|(set, distance)| *distance == 0 || counts(*set));
        let isolates = |(set, distance): &(u32, u64)| *distance > 0 && !(counting.by_number)(*set);
        found.isolates = found.close.iter().any(isolates);
        let rest = self.rest.as_ref();
        let Some(rest) = rest.filter(|rest| rest.sketch.cardinality >= k) else {
            return Ok(found);
        };
        for set in candidates(index, &rest.sketch, k, work)?
            .into_iter()
            .filter(|set| is_live(set) && counts(*set))
        {
            work.compare()?;
            let other = sets.units(set)?;
            let in_both = self.units.intersection_len(&other);
            let in_either = self.sketch.cardinality + other.len() - in_both;
            // Units beyond the population are not in it: the caller said so.
            let distance = in_both + rest.population_units.saturating_sub(in_either);
            found.isolates |= (1..k).contains(&distance);
        }
        Ok(found)
    }
}

impl Rest {
    fn of(units: &RoaringBitmap, sketch: &Sketch, whole: &Whole, mixer: Mixer) -> Rest {
        let mut rest = whole.sketch.without(sketch);
        if is_small(rest.cardinality) {
            // Its lowest units are needed.
            let mut left = RoaringBitmap::new();
            left.insert_range(0..whole.units);
            left -= units;
            rest = mixer.sketch(&left);
        }
        Rest {
            population_units: u64::from(whole.units),
            sketch: rest,
        }
    }
}

fn candidates(
    index: &Index,
    target: &Sketch,
    k: u64,
    work: &mut Work,
) -> std::result::Result<Vec<u32>, Exhausted> {
    let mut sets = Vec::new();
    index.candidates(target, k, work, &mut |set| sets.push(set))?;
    Ok(sets)
}
