//! The sums over several sets: what the combinations of all that is shown leave of a release.
//!
//! They are looked at twice. Units: cells that share none, and the unions of tables. Rows: which rows each unit has in a cell
//! ([`crate::Rows`]), so that cells with units in common add up to what their numbers add up to. The second is left out where
//! rows are nothing else than units, in all that is known and asked.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::index::Work;
use crate::near::{Found, NewSet, Stop};
use crate::rows::{Part, Rows, left};
use crate::span::{Adds, IsFew, Rest, Span};
use crate::trits::Trit;

use super::tables::Table;
use super::{Judging, Near};

/// Units that are put among the columns for the work of one visit.
const VISITS_PER_WORK: u64 = 16;

/// In combinations of more other cells than these, few columns are few units.
const OTHERS_MAX: usize = 64;

/// Of how many cells at a time it is computed what the combinations leave of them.
pub(super) const RESTS_AT_ONCE: usize = 512;

/// All combinations, and what they leave of the cells that are looked at.
pub(super) struct Sums {
    /// Of what is known and of what the tables show that were judged so far.
    pub(super) span: Span,
    /// Per cell what they leave of it.
    pub(super) rests: Vec<Option<Rest>>,
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Units,
    Rows,
}

/// All combinations once a table is among them.
pub(super) struct WithSums {
    pub(super) units: Span,
    /// What was added, in order: cells, and none for the union.
    pub(super) added: Vec<Option<usize>>,
    pub(super) rows: Option<Span>,
}

/// Cells whose rows are looked at together with others.
#[derive(Default)]
pub(crate) struct Summed {
    /// Whether some unit is in several cells of one table.
    pub(crate) shares_units: bool,
    pub(crate) cells: Vec<usize>,
}

/// Cells of which combinations leave fewer than k units, and none for the union of a table.
type Few = Vec<Option<usize>>;

impl Sums {
    pub(super) fn new(span: &Span, cells: usize) -> Sums {
        Sums {
            span: span.clone(),
            rests: vec![None; cells],
        }
    }
}

impl Judging<'_> {
    /// Begins with a table.
    pub(super) fn begin(&mut self, table: &mut Table) {
        self.united = table.united.take();
        // Where a unit is in several cells, none of them has all of it: then it is the union that is looked at, and rows.
        self.is_combined = table.is_combined && table.is_apart;
        self.is_summed = table.is_summed;
        self.shares_units = !table.is_apart;
    }

    /// What is found near a cell, and whether the sums of its units are looked at together with others.
    pub(super) fn found_with_sums(
        &mut self,
        cell: usize,
        next: &[usize],
        work: &mut Work,
    ) -> Result<(Found, Near, bool), Stop> {
        let (mut found, near) = self.found(&self.cells[cell], Some(cell), work)?;
        if self.is_summed && self.rows.is_some() {
            found.isolates |= self.adds_a_few(Of::Rows, cell, next, work)?;
        }
        // Of sets that are near to each other, numbers decide or the earlier answer is given: one of them is combined.
        let is_near = !found.close.is_empty() || !near.is_empty();
        let is_combined = self.is_combined && !is_near;
        if is_combined {
            found.isolates |= self.adds_a_few(Of::Units, cell, next, work)?;
        }
        Ok((found, near, is_combined))
    }

    /// Whether some combination with a cell leaves a few units.
    fn adds_a_few(
        &mut self,
        of: Of,
        cell: usize,
        next: &[usize],
        work: &mut Work,
    ) -> Result<bool, Stop> {
        if self.sums(of)?.rests[cell].is_none() {
            self.take_rests(of, next, work)?;
        }
        let sums = self.sums(of)?;
        work.visits(sums.span.work_to_look())?;
        let rest = sums.rests[cell].as_ref().ok_or(Stop::Exhausted)?;
        let is_few = |others: &[(u32, Trit)]| self.is_few(cell, (&[], u32::MAX), others);
        let is_few: Option<IsFew<'_>> = match of {
            Of::Units => None,
            Of::Rows => Some(&is_few),
        };
        match sums.span.adds(rest, self.against.k, is_few) {
            Adds::Unclear => Err(Stop::Exhausted),
            Adds::NoRoom if !self.question.selection.is_plain => Err(Stop::Exhausted),
            adds => Ok(adds == Adds::AFew),
        }
    }

    /// Whether the rows of a cell leave few units in a combination with others that leaves few columns: unless it is known
    /// that they leave more ([`left`]). Whoever is in one of the cells alone is left.
    ///
    /// `beside` are cells of the same table, whose names begin where it says.
    fn is_few(&self, cell: usize, beside: (&[usize], u32), others: &[(u32, Trit)]) -> bool {
        if others.len() > OTHERS_MAX {
            return true;
        }
        let own = self.part_here(cell, 1);
        let others = others.iter();
        let others = others.map(|(name, factor)| self.part(*name, *factor, beside));
        let Some(parts) = std::iter::once(own)
            .chain(others)
            .collect::<Option<Vec<Part>>>()
        else {
            return true;
        };
        let (mut once, mut more) = (RoaringBitmap::new(), RoaringBitmap::new());
        for part in &parts {
            more |= &once & &*part.units;
            once |= &*part.units;
        }
        let k = self.against.k;
        once.difference_len(&more) < k && left(&parts).is_none_or(|left| (left as u64) < k)
    }

    /// A cell of a combination, by its name.
    fn part(&self, name: u32, factor: Trit, beside: (&[usize], u32)) -> Option<Part> {
        let population = self.against.population;
        let known = population.combined().1 as u32;
        let here = match (name.checked_sub(beside.1), name.checked_sub(known)) {
            (Some(at), _) => Some(beside.0.get(at as usize)?),
            (None, Some(at)) => Some(self.summed.cells.get(at as usize)?),
            (None, None) => None,
        };
        if let Some(cell) = here {
            return self.part_here(*cell, factor);
        }
        let cell = population.summed(name)?;
        Some(Part {
            units: self.against.sets.units(cell.set).ok()?,
            noted: cell.noted(),
            factor,
        })
    }

    fn part_here(&self, cell: usize, factor: Trit) -> Option<Part> {
        let cell = &self.question.cells[cell];
        Some(Part {
            units: Arc::clone(&cell.units),
            noted: cell.rows.as_ref()?.noted.clone(),
            factor,
        })
    }

    fn sums(&self, of: Of) -> Result<&Sums, Stop> {
        match of {
            Of::Units => Ok(&self.units),
            Of::Rows => self.rows.as_ref().ok_or(Stop::Exhausted),
        }
    }

    /// What the combinations leave of the next cells, several at a time.
    fn take_rests(&mut self, of: Of, next: &[usize], work: &mut Work) -> Result<(), Stop> {
        let next = next.iter().copied();
        let next: Vec<usize> = next.take(RESTS_AT_ONCE).collect();
        let units = next.iter().map(|cell| self.cells[*cell].units.len()).sum();
        let work_each = self.sums(of)?.span.work();
        work.visits(work_each * next.len() as u64 + units / VISITS_PER_WORK)?;
        let (question, mixer, k) = (self.question, self.against.mixer, self.against.k);
        let sets = self.cells;
        let sums = match of {
            Of::Units => &mut self.units,
            Of::Rows => self.rows.as_mut().ok_or(Stop::Exhausted)?,
        };
        let rests = sums.span.rests(&next, (units, k), |at, width| {
            let cell = &question.cells[*at];
            match (of, sets[*at].rows_vector(width), &cell.rows) {
                (Of::Units, _, _) => mixer.vector(&cell.units, width),
                (Of::Rows, Some(vector), _) => vector.clone(),
                (Of::Rows, None, Some(rows)) => mixer.rows_vector(&cell.units, rows, width),
                (Of::Rows, None, None) => mixer.rows_vector(&cell.units, &Rows::default(), width),
            }
        });
        for (cell, rest) in next.into_iter().zip(rests) {
            sums.rests[cell] = Some(rest);
        }
        Ok(())
    }

    /// All combinations once a table is among them, or what it is that leaves a few.
    pub(super) fn with_sums(
        &self,
        cells: &[usize],
        union: Option<&NewSet>,
        work: &mut Work,
    ) -> Result<Result<WithSums, Few>, Stop> {
        let (units, added) = match self.with_units(cells, union, work)? {
            Ok(with_units) => with_units,
            Err(few) => return Ok(Err(few)),
        };
        Ok(self
            .with_rows(cells, work)?
            .map(|rows| WithSums { units, added, rows }))
    }

    fn with_units(
        &self,
        cells: &[usize],
        union: Option<&NewSet>,
        work: &mut Work,
    ) -> Result<Result<(Span, Few), Few>, Stop> {
        let mut span = self.units.span.clone();
        let of_cell = |cell: &usize| Some((Some(*cell), self.units.rests[*cell].clone()?));
        let (mut sets, mut rests): (Few, Vec<Rest>) = cells.iter().filter_map(of_cell).unzip();
        let looked_at = rests.len();
        if let Some(union) = union.filter(|_| self.against.combines) {
            work.visits(span.work() + union.sketch.cardinality / VISITS_PER_WORK)?;
            let mixer = self.against.mixer;
            let units = union.sketch.cardinality;
            let of = (units, self.against.k);
            rests.extend(span.rests(&[&*union.units], of, |set, width| mixer.vector(set, width)));
            sets.push(None);
        }
        let with = self.extended(span, rests, looked_at, |_| None, work)?;
        Ok(match with {
            Ok(span) => Ok((span, sets)),
            Err(few) => Err(few.into_iter().map(|at| sets[at]).collect()),
        })
    }

    fn with_rows(
        &self,
        cells: &[usize],
        work: &mut Work,
    ) -> Result<Result<Option<Span>, Few>, Stop> {
        let Some(Sums { span, rests }) = self.rows.as_ref().filter(|_| self.is_summed) else {
            return Ok(Ok(None));
        };
        let of_cell = |cell: &usize| Some((*cell, rests[*cell].clone()?));
        let (cells, mut rests): (Vec<usize>, Vec<Rest>) = cells.iter().filter_map(of_cell).unzip();
        let known = self.against.population.combined().1 + self.summed.cells.len();
        for (name, rest) in (known as u32..).zip(&mut rests) {
            rest.name = name;
        }
        // Those of this table, which have names from here on, are together with the cell.
        let is_few: Vec<_> = (0..cells.len())
            .map(|at| {
                let cells = &cells;
                move |others: &[(u32, Trit)]| self.is_few(cells[at], (cells, known as u32), others)
            })
            .collect();
        let looked_at = rests.len();
        let with = span.clone();
        let with = self.extended(with, rests, looked_at, |at| Some(&is_few[at]), work)?;
        Ok(match with {
            Ok(span) => Ok(Some(span)),
            Err(few) => Err(few.into_iter().map(|at| Some(cells[at])).collect()),
        })
    }

    /// Notes whose rows are looked at together with others from here on.
    pub(super) fn sum_up(&mut self, partition: &[usize]) {
        if self.is_summed {
            let own = self.own(partition);
            self.summed.shares_units |= self.shares_units && own.len() > 1;
            self.summed.cells.extend(own);
        }
    }

    /// These combinations with more, or which of the latter leave a few.
    fn extended<'a>(
        &self,
        mut with: Span,
        rests: Vec<Rest>,
        looked_at: usize,
        is_few: impl Fn(usize) -> Option<IsFew<'a>> + Sync,
        work: &mut Work,
    ) -> Result<Result<Span, Vec<usize>>, Stop> {
        work.visits(with.work_of(rests.len()))?;
        let adds = with.extend(rests, looked_at, self.against.k, is_few);
        Ok(match self.few(&adds)? {
            few if few.is_empty() => Ok(with),
            few => Err(few),
        })
    }

    /// Which of some sets leave a few.
    fn few(&self, adds: &[Adds]) -> Result<Vec<usize>, Stop> {
        let few = adds.iter().enumerate();
        let few = few.filter(|(_, adds)| **adds == Adds::AFew);
        let few: Vec<usize> = few.map(|(at, _)| at).collect();
        let is_plain = self.question.selection.is_plain;
        let is_open = adds.contains(&Adds::Unclear) || (adds.contains(&Adds::NoRoom) && !is_plain);
        match few.is_empty() && is_open {
            true => Err(Stop::Exhausted),
            false => Ok(few),
        }
    }
}
