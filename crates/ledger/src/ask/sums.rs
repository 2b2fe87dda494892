//! The sums over several sets: what the combinations of all that is shown leave of a release.

use roaring::RoaringBitmap;

use super::{Judging, Near};
use crate::index::Work;
use crate::limits::COMBINED_TABLE_MAX;
use crate::near::{Found, NewSet, Stop};
use crate::span::{Adds, Rest, Span};
use crate::union::united;

/// Units that are put among the columns for the work of one visit.
const VISITS_PER_WORK: u64 = 16;

/// Of how many cells at a time it is computed what the combinations leave of them.
const RESTS_AT_ONCE: usize = 512;

/// All combinations once a partition is among them.
pub(super) struct WithSums {
    pub(super) span: Span,
    /// What was added, in order: cells, and none for the union.
    pub(super) added: Vec<Option<usize>>,
}

impl Judging<'_> {
    /// Whether the cells of a partition are looked at together with others one by one: those that were chosen, and those of
    /// small tables. Where a unit is in several cells, none of them has all that the unit contributes, and a sum over sets
    /// says nothing of a sum of their numbers; then it is the union that is looked at.
    pub(super) fn may_be_combined(&mut self, partition: &[usize]) -> bool {
        self.united = None;
        let is_plain = |cell: &usize| {
            self.question.selection.is_plain && !self.question.cells[*cell].is_chosen
        };
        if !self.against.combines
            || (partition.iter().all(is_plain) && partition.len() > COMBINED_TABLE_MAX)
        {
            return false;
        }
        let sets = partition.iter().map(|cell| &*self.cells[*cell].units);
        let sets: Vec<&RoaringBitmap> = sets.collect();
        let units: u64 = sets.iter().map(|units| units.len()).sum();
        let united = united(&sets);
        let are_apart = units == united.len();
        self.united = Some(united);
        are_apart
    }

    /// What is found near a cell, and whether its sums are looked at together with others.
    pub(super) fn found_with_sums(
        &mut self,
        cell: usize,
        next: &[usize],
        work: &mut Work,
    ) -> std::result::Result<(Found, Near, bool), Stop> {
        let (mut found, near) = self.found(&self.cells[cell], Some(cell), work)?;
        // Of sets that are near to each other, numbers decide or the earlier answer is given: one of them is combined.
        let is_near = !found.close.is_empty() || !near.is_empty();
        if is_near || !self.are_combined {
            return Ok((found, near, false));
        }
        if self.rests[cell].is_none() {
            self.take_rests(next, work)?;
        }
        work.visits(self.span.work_to_look())?;
        let rest = self.rests[cell].as_ref().ok_or(Stop::Exhausted)?;
        match self.span.adds(rest, self.against.k) {
            Adds::Unclear => return Err(Stop::Exhausted),
            Adds::NoRoom if !self.question.selection.is_plain => return Err(Stop::Exhausted),
            adds => found.isolates |= adds == Adds::AFew,
        }
        Ok((found, near, true))
    }

    /// What the combinations leave of the next cells, several at a time.
    fn take_rests(&mut self, next: &[usize], work: &mut Work) -> std::result::Result<(), Stop> {
        let of_cell = |cell: &usize| &self.cells[*cell];
        let next = next.iter().copied();
        let next: Vec<usize> = next.take(RESTS_AT_ONCE).collect();
        let units: u64 = next
            .iter()
            .map(|cell| of_cell(cell).sketch.cardinality)
            .sum();
        let visits = self.span.work() * next.len() as u64;
        work.visits(visits + units / VISITS_PER_WORK)?;
        let sets: Vec<&RoaringBitmap> = next.iter().map(|cell| &*of_cell(cell).units).collect();
        let rests = self.span.rests(self.against.mixer, &sets);
        for (cell, rest) in next.into_iter().zip(rests) {
            self.rests[cell] = Some(rest);
        }
        Ok(())
    }

    /// All combinations once a partition is among them; where some of them leave fewer than k units, the cells that
    /// complete these, and none for the union.
    pub(super) fn with_sums(
        &self,
        cells: &[usize],
        union: Option<&NewSet>,
        work: &mut Work,
    ) -> std::result::Result<std::result::Result<WithSums, Vec<Option<usize>>>, Stop> {
        let (against, is_plain) = (self.against, self.question.selection.is_plain);
        let of_cell = |cell: &usize| Some((Some(*cell), self.rests[*cell].clone()?));
        let (mut sets, mut rests): (Vec<Option<usize>>, Vec<Rest>) =
            cells.iter().filter_map(of_cell).unzip();
        let looked_at = rests.len();
        if let Some(union) = union.filter(|_| against.combines) {
            work.visits(self.span.work() + union.sketch.cardinality / VISITS_PER_WORK)?;
            rests.extend(self.span.rests(against.mixer, &[&union.units]));
            sets.push(None);
        }
        work.visits(self.span.work_of(rests.len()))?;
        let mut span = self.span.clone();
        let adds = span.extend(rests, looked_at, against.k);
        if adds.contains(&Adds::AFew) {
            let few = sets.into_iter().zip(adds);
            let few = few.filter(|(_, adds)| *adds == Adds::AFew);
            return Ok(Err(few.map(|(set, _)| set).collect()));
        }
        if adds.contains(&Adds::Unclear) || (adds.contains(&Adds::NoRoom) && !is_plain) {
            return Err(Stop::Exhausted);
        }
        Ok(Ok(WithSums { span, added: sets }))
    }
}
