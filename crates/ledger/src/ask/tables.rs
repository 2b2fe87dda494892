//! The cells of a question, table by table.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::limits::{COMBINED_TABLE_MAX, SUMMED_TABLE_MAX};
use crate::near::{NewSet, Whole};
use crate::parallel;
use crate::question::{Cell, Question};
use crate::rows::Rows;
use crate::sketch::Mixer;
use crate::union::united;

use super::sums::RESTS_AT_ONCE;

/// The cells of a question, made ready to be compared; with their rows among so many columns, where these will be looked at.
pub(crate) fn prepared(
    question: &Question,
    whole: Option<&Whole>,
    mixer: Mixer,
    width: u32,
) -> Vec<NewSet> {
    let has_several = |cell: &Cell| cell.rows.as_ref().is_some_and(Rows::has_several);
    let is_chosen = |cell: &Cell| !question.selection.is_plain || cell.is_chosen;
    let cells = &question.cells;
    let is_summed = cells.len() <= SUMMED_TABLE_MAX
        || cells.len() <= RESTS_AT_ONCE && cells.iter().any(is_chosen);
    let is_summed = is_summed && cells.iter().any(has_several);
    let of_cell = |cell: &Cell| {
        let units = Arc::clone(&cell.units);
        match cell.rows.as_ref().filter(|_| is_summed) {
            Some(rows) => NewSet::with_rows(units, (rows, width), whole, mixer),
            None => NewSet::new(units, whole, mixer),
        }
    };
    let units: u64 = question.cells.iter().map(|cell| cell.units.len()).sum();
    parallel::of_units(units, &question.cells, of_cell)
}

/// The cells of one partition that are not withheld already.
pub(crate) struct Table {
    pub(super) cells: Vec<usize>,
    /// Whether they are looked at together with others one by one: those that were chosen, and those of small tables.
    pub(super) is_combined: bool,
    /// Whether their rows are: of larger tables too. These are known.
    pub(super) is_summed: bool,
    /// Whether no unit is in two of them; known where they are looked at together.
    pub(super) is_apart: bool,
    /// All units, where they were needed already.
    pub(super) united: Option<RoaringBitmap>,
}

impl Table {
    /// All of a question's, in the order of judging. Where sets are combined, it is said how many cells a table may have that
    /// nobody chose, and whose rows are.
    pub(crate) fn all(
        question: &Question,
        cells: &[NewSet],
        withheld: &[bool],
        summed_max: Option<usize>,
    ) -> Vec<Table> {
        let mut order: Vec<usize> = (0..cells.len()).filter(|cell| !withheld[*cell]).collect();
        order.sort_by_key(|cell| question.cells[*cell].partition);
        let partition = |cell: &usize| question.cells[*cell].partition;
        let partitions = order.chunk_by(|one, other| partition(one) == partition(other));
        let table = |partition: &[usize]| Table::of(question, cells, partition, summed_max);
        partitions.map(table).collect()
    }

    fn of(
        question: &Question,
        cells: &[NewSet],
        partition: &[usize],
        summed_max: Option<usize>,
    ) -> Table {
        let is_plain =
            |cell: &usize| question.selection.is_plain && !question.cells[*cell].is_chosen;
        let is_chosen = !partition.iter().all(is_plain);
        let is_up_to = |most: usize| is_chosen || partition.len() <= most;
        let is_combined = summed_max.is_some() && is_up_to(COMBINED_TABLE_MAX);
        let has_rows = |cell: &usize| question.cells[*cell].rows.is_some();
        let is_summed = summed_max.is_some_and(is_up_to) && partition.iter().all(has_rows);
        let united = (is_combined || is_summed).then(|| {
            let sets = partition.iter().map(|cell| &*cells[*cell].units);
            united(&sets.collect::<Vec<_>>())
        });
        let units: u64 = partition.iter().map(|cell| cells[*cell].units.len()).sum();
        Table {
            cells: partition.to_vec(),
            is_combined,
            is_summed,
            is_apart: united.as_ref().is_some_and(|of| of.len() == units),
            united,
        }
    }

    /// Whether the rows of its cells are something else than their units.
    pub(crate) fn has_rows(&self, question: &Question) -> bool {
        let rows = self.cells.iter().map(|cell| &question.cells[*cell].rows);
        let mut rows = rows.flatten();
        self.is_summed && (!self.is_apart || rows.any(Rows::has_several))
    }
}
