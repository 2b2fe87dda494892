//! Everything that was released on one population, as far as it is kept in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::Result;
use crate::closure::Partition;
use crate::index::Index;
use crate::near::{Sets, Whole};
use crate::question::{Digest, Selection, Statistic};
use crate::repeat::{Answers, Shown};
use crate::rows::Rows;
use crate::sketch::Mixer;
use crate::span::{Span, Vector};

use combinations::Combinations;

mod combinations;

/// What was released on one population. The exact sets are elsewhere, by their places in the index.
pub(crate) struct Population {
    pub(crate) index: Index,
    /// The answers given for each set, oldest first. Unions have none.
    answers: HashMap<u32, Vec<Given>>,
    names: HashMap<Digest, u32>,
    answers_given: u64,
    whole: Option<Whole>,
    partitions: Vec<Partition>,
    /// The cells of all partitions, so that each is kept once.
    partitioned: HashSet<Vec<u32>>,
    /// Sets that are known as parts of others alone.
    parts: HashSet<u32>,
    is_chosen: bool,
    /// Sets that are unions of what a release showed.
    unions: HashSet<u32>,
    /// How the cells of each set were selected, from which snapshots.
    selections: HashMap<u32, Vec<(Selection, Digest)>>,
    /// Sets whose sums are looked at together.
    units: Combinations<u32>,
    is_combined: HashSet<u32>,
    /// Cells whose rows are looked at together, whether or not they have units in common.
    rows: Combinations<Summed>,
    is_summed: HashSet<(u32, u64)>,
    /// Whether the rows of a cell may be something else than its units.
    has_rows: bool,
    /// What was shown of each question.
    shown: HashMap<Digest, Answers>,
}

/// A cell whose rows are looked at together with those of others.
pub(crate) struct Summed {
    pub(crate) set: u32,
    /// Where it is said which of its units have several rows.
    pub(crate) several: Option<Several>,
}

/// Which units have other rows than their first: two sets beside those of the index, by their places, and the weight.
pub(crate) struct Several {
    pub(crate) twos: u32,
    pub(crate) threes: u32,
    pub(crate) weight: u64,
    pub(crate) noted: Option<Arc<[(u32, u64)]>>,
}

impl Summed {
    /// The units with other rows than their first, where these are few.
    pub(crate) fn noted(&self) -> Option<Arc<[(u32, u64)]>> {
        match &self.several {
            Some(several) => several.noted.clone(),
            None => Some(Arc::default()),
        }
    }

    /// Tells it from others.
    fn name(&self) -> (u32, u64) {
        (self.set, self.several.as_ref().map_or(0, |of| of.weight))
    }

    pub(crate) fn vector(&self, mixer: Mixer, sets: &dyn Sets, width: u32) -> Result<Vector> {
        let mut rows = Rows::default();
        if let Some(several) = &self.several {
            rows = Rows {
                twos: sets.beside(several.twos)?,
                threes: sets.beside(several.threes)?,
                weight: several.weight,
                noted: None,
            };
        }
        Ok(mixer.rows_vector(&*sets.units(self.set)?, &rows, width))
    }
}

/// An answer that was given.
struct Given {
    /// How many were given before it on the population.
    order: u64,
    statistic: Statistic,
    snapshots: u32,
    policy: u32,
    answer: Arc<[u8]>,
}

impl Population {
    pub(crate) fn new() -> Population {
        Population {
            index: Index::default(),
            answers: HashMap::new(),
            names: HashMap::new(),
            answers_given: 0,
            whole: None,
            partitions: Vec::new(),
            partitioned: HashSet::new(),
            parts: HashSet::new(),
            is_chosen: false,
            unions: HashSet::new(),
            selections: HashMap::new(),
            units: Combinations::new(Span::new),
            is_combined: HashSet::new(),
            rows: Combinations::new(Span::of_rows),
            is_summed: HashSet::new(),
            has_rows: false,
            shown: HashMap::new(),
        }
    }

    /// Notes that sums over a set are to be looked at together with sums over others.
    pub(crate) fn combine(&mut self, set: u32) {
        if self.is_combined.insert(set) {
            self.units.note(set);
        }
    }

    /// Notes that sums over the rows of a cell are to be looked at together with sums over others.
    pub(crate) fn sum_up(&mut self, cell: Summed) {
        self.has_rows |= cell.several.is_some();
        if self.is_summed.insert(cell.name()) {
            self.rows.note(cell);
        }
    }

    /// Whether the rows of a cell were noted so, by the cell's [`Summed::name`].
    pub(crate) fn is_summed(&self, name: (u32, u64)) -> bool {
        self.is_summed.contains(&name)
    }

    /// Notes that some unit is in several of the cells of a table.
    pub(crate) fn share_units(&mut self) {
        self.has_rows = true;
    }

    /// Whether the rows of a cell may be something else than its units.
    pub(crate) fn has_rows(&self) -> bool {
        self.has_rows
    }

    /// Brings all combinations up to what is known, so many sets being asked about; those of rows where they are asked for.
    pub(crate) fn catch_up(
        &mut self,
        more: usize,
        with_rows: bool,
        mixer: Mixer,
        sets: &dyn Sets,
    ) -> Result<()> {
        self.units.catch_up(more, |set, width| {
            Ok(mixer.vector(&*sets.units(*set)?, width))
        })?;
        if !with_rows {
            return Ok(());
        }
        self.rows
            .catch_up(more, |cell, width| cell.vector(mixer, sets, width))
    }

    /// Whether there is much that questions would wait for.
    pub(crate) fn is_behind(&self) -> bool {
        self.units.is_behind() || (self.has_rows && self.rows.is_behind())
    }

    /// Does a part of what questions would wait for. Whether there was something to do.
    pub(crate) fn prepare(&mut self, mixer: Mixer, sets: &dyn Sets) -> Result<bool> {
        let of_set = |set: &u32, width| Ok(mixer.vector(&*sets.units(*set)?, width));
        Ok(self.units.prepare(of_set)?
            || self.has_rows
                && self
                    .rows
                    .prepare(|cell, width| cell.vector(mixer, sets, width))?)
    }

    /// How many sets and how many cells were noted so.
    pub(crate) fn combined(&self) -> (usize, usize) {
        (self.units.of().len(), self.rows.of().len())
    }

    /// Takes combinations that were made while a release was judged, where they are what bringing them up would come to:
    /// where these sets, in this order, are what was noted since there were so many.
    pub(crate) fn bring_up(
        &mut self,
        before: (usize, usize),
        (added, summed): (&[u32], usize),
        with: (Span, Option<Span>),
    ) {
        let is_all = self
            .units
            .of()
            .get(before.0..)
            .is_some_and(|of| of == added);
        if is_all {
            self.units.bring_up(before.0, with.0);
        }
        let is_all = self.rows.of().len() == before.1 + summed;
        if let Some(rows) = with.1.filter(|_| is_all) {
            self.rows.bring_up(before.1, rows);
        }
    }

    /// A cell whose rows are looked at together with others, by its place among them.
    pub(crate) fn summed(&self, place: u32) -> Option<&Summed> {
        self.rows.of().get(place as usize)
    }

    /// All combinations of sets that are known, as far as they were brought up.
    pub(crate) fn units(&self) -> &Span {
        self.units.span()
    }

    /// Likewise of rows.
    pub(crate) fn rows(&self) -> &Span {
        self.rows.span()
    }

    /// What was shown of exactly this question.
    pub(crate) fn shown(&self, question: &Digest) -> Option<Answers> {
        self.shown.get(question).map(Arc::clone)
    }

    /// Notes what was shown of a question. What was shown first is what is shown.
    pub(crate) fn show(&mut self, shown: Shown) {
        self.shown.entry(shown.question).or_insert(shown.answers);
    }

    /// Notes that a set is the union of what a release showed.
    pub(crate) fn add_union(&mut self, set: u32) {
        self.unions.insert(set);
    }

    /// Whether a cell of this selection is compared with a set by its numbers: cells of one selection have no row in
    /// common, and what nobody chose leaves nobody out. Sums over several cells have no numbers that could be compared.
    pub(crate) fn by_number(&self, set: u32, selection: &Selection, snapshots: &Digest) -> bool {
        let alike = |(other, of): &(Selection, Digest)| {
            of == snapshots && (other == selection || (other.is_plain && selection.is_plain))
        };
        let selections = self.selections.get(&set).into_iter().flatten();
        !self.unions.contains(&set) && selections.into_iter().any(alike)
    }

    /// Whether anything is known that somebody chose.
    pub(crate) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Notes that something is known that somebody chose.
    pub(crate) fn choose(&mut self) {
        self.is_chosen = true;
    }

    /// Whether nobody chose a set, as far as is known: it is a cell of a table over all rows, or a union.
    pub(crate) fn is_plain(&self, set: u32) -> bool {
        let selections = self.selections.get(&set).into_iter().flatten();
        self.unions.contains(&set) || selections.into_iter().any(|(of, _)| of.is_plain)
    }

    /// Notes how a cell with these units was selected.
    pub(crate) fn selected(&mut self, set: u32, selection: Selection, snapshots: &Digest) {
        let of_set = self.selections.entry(set).or_default();
        if !of_set.contains(&(selection, *snapshots)) {
            of_set.push((selection, *snapshots));
        }
    }

    /// Whether a set is known as a part of another alone.
    pub(crate) fn is_part(&self, set: u32) -> bool {
        self.parts.contains(&set)
    }

    /// Notes that a new set is a part of another.
    pub(crate) fn add_part(&mut self, set: u32) {
        self.parts.insert(set);
    }

    /// Notes that a set is more than a part.
    pub(crate) fn chosen(&mut self, set: u32) {
        self.parts.remove(&set);
    }

    /// The partitions that were released, oldest first.
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Whether a partition of these cells was released.
    pub(crate) fn is_partition(&self, cells: &[u32]) -> bool {
        self.partitioned.contains(cells)
    }

    /// Adds a partition.
    pub(crate) fn add_partition(&mut self, partition: Partition) {
        if self.partitioned.insert(partition.cells.clone()) {
            self.partitions.push(partition);
        }
    }

    /// Counts the whole population, anew where it has grown.
    pub(crate) fn count(&mut self, units: u32, mixer: Mixer) {
        if self.whole.as_ref().is_none_or(|whole| whole.units != units) {
            let sketch = mixer.whole(units);
            self.whole = Some(Whole { units, sketch });
        }
    }

    /// The whole population as it was last counted.
    pub(crate) fn whole(&self) -> Option<&Whole> {
        self.whole.as_ref()
    }

    /// The answer that was given for exactly this.
    pub(crate) fn same(
        &self,
        set: u32,
        statistic: &Statistic,
        snapshots: &Digest,
        policy: &Digest,
    ) -> Option<Arc<[u8]>> {
        let name = |digest| self.names.get(digest).copied();
        let (snapshots, policy) = (name(snapshots)?, name(policy)?);
        let given = self.answers.get(&set)?.iter().find(|given| {
            given.statistic.is(statistic) && given.snapshots == snapshots && given.policy == policy
        });
        given.map(|given| Arc::clone(&given.answer))
    }

    /// Whether an answer was given for this set, that has so many other units, to a statistic that may differ from this one
    /// in the contributions of 1 to k − 1 units.
    pub(crate) fn nearly_same(
        &self,
        (set, distance): (u32, u64),
        statistic: &Statistic,
        k: u64,
        by_number: bool,
    ) -> bool {
        let given = self.answers.get(&set).into_iter().flatten();
        let is_near = |given: &Given| given.statistic.is_near(statistic, distance, k, by_number);
        given.into_iter().any(is_near)
    }

    /// The oldest answer that was given to this statistic, but for the contributions of fewer than k units, of one of
    /// these sets, with its set.
    pub(crate) fn oldest(
        &self,
        sets: impl Iterator<Item = (u32, u64, bool)>,
        statistic: &Statistic,
        k: u64,
    ) -> Option<(u32, Arc<[u8]>)> {
        let of_set = |(set, distance, by_number): (u32, u64, bool)| {
            let given = self.answers.get(&set)?;
            let near = |given: &&Given| {
                given.statistic.is(statistic)
                    || given.statistic.is_near(statistic, distance, k, by_number)
            };
            let given = given.iter().find(near)?;
            Some((given.order, set, Arc::clone(&given.answer)))
        };
        sets.filter_map(of_set)
            .min_by_key(|(order, _, _)| *order)
            .map(|(_, set, answer)| (set, answer))
    }

    /// Adds an answer.
    pub(crate) fn give(
        &mut self,
        set: u32,
        statistic: Statistic,
        snapshots: &Digest,
        policy: &Digest,
        answer: Arc<[u8]>,
    ) {
        let given = Given {
            order: self.answers_given,
            statistic,
            snapshots: self.name(snapshots),
            policy: self.name(policy),
            answer,
        };
        self.answers_given += 1;
        self.answers.entry(set).or_default().push(given);
    }

    fn name(&mut self, digest: &Digest) -> u32 {
        let next = self.names.len() as u32;
        *self.names.entry(*digest).or_insert(next)
    }
}
