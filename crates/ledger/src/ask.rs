//! The verdicts on the cells of one release.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::Result;
use crate::closure::{Hits, New, Partition, is_tracker};
use crate::history::Population;
use crate::index::{Index, Work};
use crate::margin::{self, Margins};
use crate::near::{Counting, Found, InMemory, NewSet, Sets, Stop, Whole};
use crate::partition::Labels;
use crate::question::{Question, Verdict};
use crate::sketch::Mixer;
use crate::span::Span;
use crate::union::united;
pub(crate) use sums::Summed;
use sums::{Sums, WithSums};
pub(crate) use tables::{Table, prepared};

mod sums;
mod tables;

/// Cells of the release that is asked about, with the number of units that are others.
type Near = Vec<(usize, u64)>;

/// What there is to compare with, and the bounds of doing so.
pub(crate) struct Against<'a> {
    pub(crate) population: &'a Population,
    pub(crate) sets: &'a dyn Sets,
    pub(crate) whole: Option<&'a Whole>,
    pub(crate) mixer: Mixer,
    pub(crate) k: u64,
    /// Whether sums over several sets are looked for.
    pub(crate) combines: bool,
    /// And sums over their rows, which are something else.
    pub(crate) with_rows: bool,
    /// Whether pairs of sets have margins.
    pub(crate) has_margins: bool,
}

/// The verdict on each statistic of each cell, and the union of each partition's released cells.
pub(crate) struct Judgement {
    pub(crate) verdicts: Vec<Vec<Verdict>>,
    pub(crate) unions: Vec<NewSet>,
    /// The released cells of each partition whose cells share no unit.
    pub(crate) partitions: Vec<(Vec<usize>, Labels)>,
    /// All combinations of units with those of this release, what they were added for, and those of rows.
    pub(crate) sums: Option<(Span, Vec<Added>, Option<Span>)>,
    /// Cells whose rows are looked at together with others from here on.
    pub(crate) summed: Summed,
}

/// What is added to the combinations.
#[derive(Clone, Copy)]
pub(crate) enum Added {
    Cell(usize),
    /// By its place among the unions.
    Union(usize),
}

impl Judgement {
    /// That of a question whose answers are all known: nothing is added.
    pub(crate) fn without_more(verdicts: Vec<Vec<Verdict>>) -> Judgement {
        Judgement {
            verdicts,
            unions: Vec::new(),
            partitions: Vec::new(),
            sums: None,
            summed: Summed::default(),
        }
    }
}

/// Judges the cells of a release, except those that are withheld already.
pub(crate) fn judge(
    question: &Question,
    cells: &[NewSet],
    tables: Vec<Table>,
    against: &Against<'_>,
    work: &mut Work,
) -> Result<Judgement> {
    let population = against.population;
    let rows = against.with_rows.then(|| population.rows());
    let mut judging = Judging {
        question,
        cells,
        against,
        verdicts: question
            .cells
            .iter()
            .map(|cell| vec![Verdict::Isolates; cell.statistics.len()])
            .collect(),
        answered_by: vec![Vec::new(); cells.len()],
        released: Released::new(against),
        partitions: Vec::new(),
        units: Sums::new(population.units(), cells.len()),
        rows: rows.map(|span| Sums::new(span, cells.len())),
        added: Vec::new(),
        unions: 0,
        summed: Summed::default(),
        is_combined: false,
        is_summed: false,
        shares_units: false,
        united: None,
    };
    let mut unions = Vec::new();
    for mut table in tables {
        judging.begin(&mut table);
        for at in 0..table.cells.len() {
            judging.judge(&table.cells[at..], work)?;
        }
        unions.extend(judging.unite(&table.cells, work)?);
    }
    let rows = judging.rows.map(|rows| rows.span);
    let sums = (judging.units.span, judging.added, rows);
    Ok(Judgement {
        verdicts: judging.verdicts,
        unions,
        partitions: judging.partitions,
        sums: against.combines.then_some(sums),
        summed: judging.summed,
    })
}

struct Judging<'a> {
    question: &'a Question,
    cells: &'a [NewSet],
    against: &'a Against<'a>,
    verdicts: Vec<Vec<Verdict>>,
    /// Per cell the recorded sets whose answers are given instead of its own.
    answered_by: Vec<Vec<u32>>,
    released: Released,
    partitions: Vec<(Vec<usize>, Labels)>,
    /// All combinations of units; and of rows, where these are something else.
    units: Sums,
    rows: Option<Sums>,
    /// What was added to the combinations of units, and how many unions there are.
    added: Vec<Added>,
    unions: usize,
    summed: Summed,
    /// Whether the units of the cells of the table that is judged are looked at together with others; and their rows.
    is_combined: bool,
    is_summed: bool,
    /// Whether a unit is in several of them.
    shares_units: bool,
    /// The union of all its cells, where it was needed already.
    united: Option<RoaringBitmap>,
}

/// The sets of this release that are released so far: cells and unions.
struct Released {
    index: Index,
    sets: InMemory,
    /// The cell of each; none for a union.
    cells: Vec<Option<usize>>,
    /// Whether it is a part of a cell.
    is_part: Vec<bool>,
    taken_back: Vec<bool>,
    partitions: Vec<Partition>,
}

impl Released {
    fn new(against: &Against<'_>) -> Released {
        let mut index = Index::default();
        let margin = margin::most(against.k);
        index.prepare(against.k + if against.has_margins { margin } else { 0 });
        Released {
            index,
            sets: InMemory::default(),
            cells: Vec::new(),
            is_part: Vec::new(),
            taken_back: Vec::new(),
            partitions: Vec::new(),
        }
    }

    fn add(&mut self, cell: Option<usize>, set: &NewSet, is_part: bool) {
        self.index.add(set.sketch.clone());
        self.sets.0.push(Arc::clone(&set.units));
        self.cells.push(cell);
        self.is_part.push(is_part);
        self.taken_back.push(false);
    }

    fn take_back(&mut self, cell: usize) {
        for (set, of) in self.cells.iter().enumerate() {
            self.taken_back[set] |= *of == Some(cell);
        }
    }

    /// Whether something is too near to a set, and the cells that are near by their sets, with the number of other units.
    fn found(
        &self,
        set: &NewSet,
        k: u64,
        is_known: bool,
        by_number: &dyn Fn(usize) -> bool,
        margins: Option<(Mixer, &dyn Fn(usize) -> bool)>,
        work: &mut Work,
    ) -> std::result::Result<(bool, Vec<(usize, u64)>), Stop> {
        let flag = |flags: &[bool], set: u32| flags.get(set as usize).copied().unwrap_or(false);
        let applies = |set: u32| {
            let cell = self.cells.get(set as usize).copied().flatten();
            let of_cell = margins.map(|(_, of_cell)| of_cell);
            !flag(&self.is_part, set) && cell.zip(of_cell).is_some_and(|(cell, of)| of(cell))
        };
        let counting = Counting {
            taken_back: &|set| flag(&self.taken_back, set),
            is_part: &|set| flag(&self.is_part, set),
            by_number: &|set| {
                let cell = self.cells.get(set as usize).copied().flatten();
                !flag(&self.is_part, set) && cell.is_some_and(by_number)
            },
            is_known,
            margins: margins.map(|(mixer, _)| Margins {
                mixer,
                applies: &applies,
            }),
        };
        let found = set.compare(&self.index, &self.sets, k, work, counting)?;
        let close = found.close.iter();
        let cells = close.filter_map(|(set, distance)| {
            let cell = self.cells.get(*set as usize)?;
            Some(((*cell)?, *distance))
        });
        let mut cells: Vec<(usize, u64)> = cells.collect();
        cells.sort_unstable();
        Ok((found.isolates, cells))
    }
}

impl Judging<'_> {
    /// Judges the first of these cells; the others come next.
    fn judge(&mut self, cells: &[usize], work: &mut Work) -> Result<()> {
        let Some(&cell) = cells.first() else {
            return Ok(());
        };
        if self.cells[cell].sketch.cardinality < self.against.k {
            // A cell of nobody looks like a cell of a few: withheld, and not answered by a neighbour either.
            return Ok(());
        }
        if let Some(whole) = self.question.cells[cell].part_of {
            if self.verdicts[whole].iter().any(Verdict::is_own) {
                self.released.add(Some(cell), &self.cells[cell], true);
            }
            return Ok(());
        }
        let (verdicts, is_combined) = match self.found_with_sums(cell, cells, work) {
            Ok((found, near, is_combined)) => (self.by_statistic(cell, &found, &near), is_combined),
            Err(Stop::Exhausted) => {
                let statistics = self.question.cells[cell].statistics.len();
                (vec![Verdict::Review; statistics], false)
            }
            Err(Stop::Failed(error)) => return Err(error),
        };
        let is_own = verdicts.iter().any(Verdict::is_own);
        if is_own {
            self.released.add(Some(cell), &self.cells[cell], false);
        }
        if !is_own || !is_combined {
            self.units.rests[cell] = None;
        }
        if let Some(rows) = self.rows.as_mut().filter(|_| !is_own) {
            rows.rests[cell] = None;
        }
        self.verdicts[cell] = verdicts;
        Ok(())
    }

    /// What is recorded near a set, and the near cells of this release; it isolates too where something of this release or
    /// the set alone does. The set is that of a cell, or a union.
    fn found(
        &self,
        set: &NewSet,
        cell: Option<usize>,
        work: &mut Work,
    ) -> std::result::Result<(Found, Near), Stop> {
        let (against, question) = (self.against, self.question);
        let (selection, snapshots) = (&question.selection, &question.snapshots);
        let population = against.population;
        let is_chosen = |cell: usize| question.cells[cell].is_chosen;
        // Within a query it is only what is less than a group that somebody chose.
        let is_plain = selection.is_plain && !cell.is_some_and(is_chosen);
        let applies = |set: u32| !(population.is_part(set) || is_plain && population.is_plain(set));
        let counting = Counting {
            taken_back: &|_| false,
            is_part: &|set| population.is_part(set),
            by_number: &|set| {
                cell.is_some_and(|cell| !question.cells[cell].is_chosen)
                    && population.by_number(set, selection, snapshots)
            },
            is_known: false,
            margins: against.has_margins.then_some(Margins {
                mixer: against.mixer,
                applies: &applies,
            }),
        };
        let index = &population.index;
        let mut found = set.compare(index, against.sets, against.k, work, counting)?;
        let beside = |other: usize| cell.is_some_and(|cell| self.is_beside(cell, other));
        let known = found.is_known;
        let applies = |other: usize| cell.is_some_and(|cell| is_chosen(cell) || is_chosen(other));
        let margins: Option<(Mixer, &dyn Fn(usize) -> bool)> =
            against.has_margins.then_some((against.mixer, &applies));
        let released = &self.released;
        let (here, near) = released.found(set, against.k, known, &beside, margins, work)?;
        found.isolates = found.isolates
            || here
            || set.is_nearly_all(against.k)
            || is_tracker(
                set,
                against.population.partitions(),
                &against.population.index,
                against.sets,
                against.mixer,
                against.k,
                work,
            )?;
        Ok((found, near))
    }

    /// Whether two cells of this release have no row in common, or nobody chose either.
    fn is_beside(&self, cell: usize, other: usize) -> bool {
        let of = |cell: usize| &self.question.cells[cell];
        let (cell, other) = (of(cell), of(other));
        let is_plain = self.question.selection.is_plain;
        (cell.grouping == other.grouping && cell.group != other.group)
            || (is_plain && !cell.is_chosen && !other.is_chosen)
    }

    fn by_statistic(&mut self, cell: usize, found: &Found, near: &[(usize, u64)]) -> Vec<Verdict> {
        let mut answered_by = Vec::new();
        let mut verdicts: Vec<Verdict> = Vec::new();
        for at in 0..self.question.cells[cell].statistics.len() {
            let verdict = self.verdict((cell, at), &verdicts, found, near, &mut answered_by);
            verdicts.push(verdict);
        }
        self.answered_by[cell] = answered_by;
        verdicts
    }

    /// The verdict on one statistic, after those before it in its cell.
    fn verdict(
        &self,
        (cell, at): (usize, usize),
        before: &[Verdict],
        found: &Found,
        near: &[(usize, u64)],
        answered_by: &mut Vec<u32>,
    ) -> Verdict {
        let (question, population) = (self.question, self.against.population);
        let (statistic, k) = (&question.cells[cell].statistics[at], self.against.k);
        let mut close = found.close.iter();
        let same = close.clone().find_map(|(set, distance)| {
            let (snapshots, policy) = (&question.snapshots, &question.policy);
            population
                .same(*set, statistic, snapshots, policy)
                .filter(|_| *distance == 0)
        });
        if let Some(answer) = same {
            return Verdict::Same(answer);
        }
        // In this release: the statistics before it in its cell, and those of near cells.
        let beside = near
            .iter()
            .map(|(other, distance)| (*other, *distance, self.verdicts[*other].as_slice()));
        let here = std::iter::once((cell, 0, before)).chain(beside);
        let mut like = here.flat_map(|(of, distance, verdicts)| {
            let statistics = question.cells[of].statistics.iter().enumerate();
            let by_number = of != cell && self.is_beside(cell, of);
            let near =
                statistics.filter(move |(_, of)| of.is_near(statistic, distance, k, by_number));
            near.filter_map(move |(at, _)| Some((of, at, verdicts.get(at)?)))
        });
        // What is answered by another number says nothing of its own.
        let like = like.find(|(_, _, verdict)| verdict.is_own());
        let by_number = |set: u32| {
            !question.cells[cell].is_chosen
                && population.by_number(set, &question.selection, &question.snapshots)
        };
        let differs =
            close.any(|near| population.nearly_same(*near, statistic, k, by_number(near.0)));
        if !found.isolates && !differs && like.is_none() {
            return Verdict::Fresh;
        }
        let close = found.close.iter();
        let close = close.map(|(set, distance)| (*set, *distance, by_number(*set)));
        match (population.oldest(close, statistic, k), like) {
            (Some((set, answer)), _) => {
                answered_by.push(set);
                Verdict::Near(answer)
            }
            (None, Some((of, at, _))) => Verdict::Like(of, at),
            _ => Verdict::Isolates,
        }
    }

    /// The union of what a partition releases. Where it, or any union of its cells, is too near to anything, further
    /// cells are withheld until it is not: a cell has at least k units, so that one is mostly enough.
    fn unite(&mut self, partition: &[usize], work: &mut Work) -> Result<Option<NewSet>> {
        loop {
            let Some(union) = self.union(partition)? else {
                return Ok(None);
            };
            let mut sums = None;
            let withheld = match self.too_much(partition, &union, &mut sums, work) {
                Ok(cells) => self.withhold(&cells, &Verdict::Isolates),
                Err(Stop::Exhausted) => self.withhold(partition, &Verdict::Review),
                Err(Stop::Failed(error)) => return Err(error),
            };
            if !withheld {
                if let Some(WithSums { units, added, rows }) = sums {
                    self.units.span = units;
                    let union = self.unions;
                    let added = added.into_iter();
                    self.added
                        .extend(added.map(|cell| cell.map_or(Added::Union(union), Added::Cell)));
                    if let (Some(sums), Some(rows)) = (&mut self.rows, rows) {
                        sums.span = rows;
                    }
                    self.sum_up(partition);
                }
                self.unions += 1;
                // What is left is far from everything, or was released before.
                self.released.add(None, &union, false);
                return Ok(Some(union));
            }
        }
    }

    /// The cells of a partition that are released with their own numbers.
    fn own(&self, partition: &[usize]) -> Vec<usize> {
        let own = |cell: &usize| self.verdicts[*cell].iter().any(Verdict::is_own);
        partition.iter().copied().filter(own).collect()
    }

    /// The cells of a partition that cannot be released beside the others.
    fn too_much(
        &mut self,
        partition: &[usize],
        union: &NewSet,
        sums: &mut Option<WithSums>,
        work: &mut Work,
    ) -> std::result::Result<Vec<usize>, Stop> {
        let (cells, new, hits) = self.unions_of_cells(partition, union, work)?;
        let too_near = hits.cells.iter().map(|cell| cells[*cell]);
        let too_near: Vec<usize> = too_near.filter(|cell| self.is_fresh(*cell)).collect();
        if !too_near.is_empty() {
            return Ok(too_near);
        }
        let (found, _) = self.found(union, None, work)?;
        if hits.union || found.isolates {
            return Ok(self.smallest(partition, |_| true));
        }
        for known in &hits.known {
            let mostly_in = |cell: usize| {
                let units = &self.cells[cell].units;
                2 * units.intersection_len(known) > units.len()
            };
            let smallest = self.smallest(&cells, mostly_in);
            if !smallest.is_empty() {
                return Ok(smallest);
            }
        }
        let union = Some(union).filter(|_| !found.is_known);
        match self.with_sums(&cells, union, work)? {
            Ok(with_sums) => *sums = Some(with_sums),
            Err(few) => {
                let few = few.into_iter().flatten();
                let few: Vec<usize> = few.filter(|cell| self.is_fresh(*cell)).collect();
                let smallest = || self.smallest(partition, |_| true);
                return Ok(if few.is_empty() { smallest() } else { few });
            }
        }
        if let Some(new) = new {
            self.keep(cells, new);
        }
        Ok(Vec::new())
    }

    /// The cells of a partition that are released with their own numbers, and what unions of them and of the cells of
    /// known partitions give away.
    fn unions_of_cells(
        &self,
        partition: &[usize],
        union: &NewSet,
        work: &mut Work,
    ) -> std::result::Result<(Vec<usize>, Option<New>, Hits), Stop> {
        let cells = self.own(partition);
        let sets: Vec<&NewSet> = cells.iter().map(|cell| &self.cells[*cell]).collect();
        // What others answer for is in the union too, and the size of that says nothing of these cells.
        let is_theirs = partition.iter().all(|of| self.answered_by[*of].is_empty());
        let Some(new) = New::of(&sets, Some(union).filter(|_| is_theirs)) else {
            return Ok((cells, None, Hits::default()));
        };
        let (against, released) = (self.against, &self.released);
        let earlier = against
            .population
            .partitions()
            .iter()
            .map(|known| (known, against.sets));
        let here = released.partitions.iter();
        let here = here.map(|known| (known, &released.sets as &dyn Sets));
        let known: Vec<(&Partition, &dyn Sets)> = earlier.chain(here).collect();
        let all = new.compare_all(&known, against.k, work)?;
        Ok((cells, Some(new), all))
    }

    /// Keeps a partition that is released, for those after it and for the record.
    fn keep(&mut self, cells: Vec<usize>, new: New) {
        // Each of them was added when it was judged.
        let added = self.released.cells.iter().enumerate();
        let places: HashMap<usize, u32> = added
            .filter_map(|(place, cell)| Some(((*cell)?, place as u32)))
            .collect();
        let places = cells
            .iter()
            .filter_map(|cell| places.get(cell).copied())
            .collect();
        let sketches = cells.iter().map(|cell| &self.cells[*cell].sketch);
        let partition = Partition::new(places, sketches, new.fine.clone());
        self.released.partitions.push(partition);
        self.partitions.push((cells, new.fine));
    }

    /// All units whose numbers the partition shows: its own cells', and those of the cells that answer for others.
    fn union(&mut self, partition: &[usize]) -> Result<Option<NewSet>> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for cell in partition {
            if self.verdicts[*cell].iter().any(Verdict::is_own) {
                own.push(&self.cells[*cell]);
            }
            for set in &self.answered_by[*cell] {
                others.push(self.against.sets.units(*set)?);
            }
        }
        if own.is_empty() && others.is_empty() {
            return Ok(None);
        }
        let is_all = own.len() == partition.len() && others.is_empty();
        let units = self.united.take().filter(|_| is_all).unwrap_or_else(|| {
            let sets = own.iter().map(|set| &set.units).chain(&others);
            united(&sets.map(|units| &**units).collect::<Vec<_>>())
        });
        let (whole, mixer) = (self.against.whole, self.against.mixer);
        Ok(Some(if others.is_empty() {
            NewSet::union(units, &own, whole, mixer)
        } else {
            NewSet::new(Arc::new(units), whole, mixer)
        }))
    }

    fn is_fresh(&self, cell: usize) -> bool {
        self.verdicts[cell].contains(&Verdict::Fresh)
    }

    /// The smallest of some cells that would be answered afresh, the last one of several.
    fn smallest(&self, cells: &[usize], is_one: impl Fn(usize) -> bool) -> Vec<usize> {
        let cells = cells.iter().rev().copied();
        let cells = cells.filter(|cell| self.is_fresh(*cell) && is_one(*cell));
        let smallest = cells.min_by_key(|cell| self.cells[*cell].sketch.cardinality);
        smallest.into_iter().collect()
    }

    /// Withholds what would be answered afresh. False where there is nothing.
    fn withhold(&mut self, cells: &[usize], instead: &Verdict) -> bool {
        let mut withheld = false;
        for cell in cells {
            for verdict in &mut self.verdicts[*cell] {
                if *verdict == Verdict::Fresh {
                    *verdict = instead.clone();
                    withheld = true;
                }
            }
            if !self.verdicts[*cell].iter().any(Verdict::is_own) {
                self.released.take_back(*cell);
            }
        }
        withheld
    }
}
