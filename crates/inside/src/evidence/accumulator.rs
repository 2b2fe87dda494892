//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::compute::GROUPS_MAX;

use super::finished::{self, Finished};
use super::kept::{FirstUnits, Values};
use super::layout::{Arguments, Count, Groups, Layout, Sum, one_partition};

/// Rows of a group came in another order than that of units.
#[derive(Debug, thiserror::Error)]
#[error("rows are not in the order of units")]
pub(crate) struct OutOfOrder;

/// More groups than a run may make. Noticed here, where a group begins to cost memory, and not when all are made.
#[derive(Debug, thiserror::Error)]
#[error("more groups than a run may make")]
pub(crate) struct TooManyGroups;

/// Most bytes of what is kept of units and values, for all groups together. They are reserved before the engine's own
/// accounting sees them.
const KEPT_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Whether so many groups may be made.
pub(super) fn bounded(groups: usize, layout: Layout) -> Result<()> {
    if groups > GROUPS_MAX || groups.saturating_mul(layout.kept_bytes()) > KEPT_BYTES_MAX {
        return Err(DataFusionError::External(Box::new(TooManyGroups)));
    }
    Ok(())
}

/// The evidence of every group so far.
#[derive(Debug)]
pub(super) struct Evidence {
    layout: Layout,
    cells: Vec<Count>,
    first_units: FirstUnits,
    /// One vector per counted argument, indexed by group.
    counts: Vec<Vec<Count>>,
    /// One vector per summed argument, indexed by group.
    sums: Vec<Vec<Sum>>,
    /// One for each argument whose distinct values are counted.
    values: Vec<Values>,
    /// Groups that another has finished.
    finished: Finished,
}

impl Evidence {
    pub(super) fn new(layout: Layout, groups: usize) -> Self {
        let mut evidence = Self {
            layout,
            cells: Vec::new(),
            first_units: FirstUnits::new(layout.units_kept),
            counts: vec![Vec::new(); layout.counts],
            sums: vec![Vec::new(); layout.sums],
            values: vec![Values::new(layout.values_kept); layout.values],
            finished: Finished::default(),
        };
        evidence.grow(groups);
        evidence
    }

    fn grow(&mut self, groups: usize) {
        self.cells.resize(groups, Count::default());
        self.first_units.grow(groups);
        self.values
            .iter_mut()
            .for_each(|values| values.grow(groups));
        self.counts
            .iter_mut()
            .for_each(|counts| counts.resize(groups, Count::default()));
        self.sums
            .iter_mut()
            .for_each(|sums| sums.resize(groups, Sum::default()));
    }

    /// Counts the rows of cells, and checks the order everything else rests on.
    fn update_cells(&mut self, units: &UInt32Array, groups: &[usize]) -> Result<()> {
        for (unit, group) in units.values().iter().zip(groups) {
            let cell = &mut self.cells[*group];
            if cell.rows > 0 && *unit < cell.unit {
                return Err(DataFusionError::External(Box::new(OutOfOrder)));
            }
            if cell.row(*unit) {
                self.first_units.push(*group, *unit);
            }
        }
        Ok(())
    }
}

impl GroupsAccumulator for Evidence {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let arguments = Arguments::new(self.layout, values, opt_filter)?;
        if arguments.units.null_count() > 0 {
            return internal_err!("every row has a unit of the first kind");
        }
        bounded(total_num_groups, self.layout)?;
        self.grow(total_num_groups);
        self.update_cells(arguments.units, group_indices)?;
        let units = arguments.units.values();
        for (counts, has_value) in self.counts.iter_mut().zip(arguments.counted()) {
            for (row, group) in group_indices.iter().enumerate() {
                if has_value.value(row) {
                    counts[*group].row(units[row]);
                }
            }
        }
        for (sums, column) in self.sums.iter_mut().zip(arguments.summed()) {
            for (row, group) in group_indices.iter().enumerate() {
                if column.is_valid(row) {
                    sums[*group].row(units[row], column.value(row));
                }
            }
        }
        for (values, tags) in self.values.iter_mut().zip(arguments.tagged()) {
            for (tag, group) in tags.iter().zip(group_indices) {
                if let Some(tag) = tag {
                    values.see(*group, tag);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        if self.finished.is_used() {
            return self.finished.evaluate(emit_to, self.layout);
        }
        let cells = emit_to.take_needed(&mut self.cells);
        let counts = self.counts.iter_mut();
        let counts = counts.map(|counts| emit_to.take_needed(counts)).collect();
        let sums = self.sums.iter_mut().map(|sums| {
            let mut sums = emit_to.take_needed(sums);
            sums.iter_mut().for_each(Sum::fold);
            sums
        });
        let values = self.values.iter_mut();
        let groups = Groups {
            cells,
            first_units: self.first_units.take(emit_to),
            counts,
            sums: sums.collect(),
            values: values.map(|values| values.take(emit_to)).collect(),
        };
        Ok(Arc::new(groups.columns(self.layout)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        finished::state(&self.evaluate(emit_to)?)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        bounded(total_num_groups, self.layout)?;
        self.finished
            .take_over(values, group_indices, total_num_groups)
    }

    fn convert_to_state(
        &self,
        _values: &[ArrayRef],
        _opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        one_partition()
    }

    fn size(&self) -> usize {
        self.cells.capacity() * size_of::<Count>()
            + self.finished.size()
            + self.first_units.size()
            + self.values.iter().map(Values::size).sum::<usize>()
            + self
                .counts
                .iter()
                .map(|counts| counts.capacity() * size_of::<Count>())
                .sum::<usize>()
            + self
                .sums
                .iter()
                .map(|sums| sums.capacity() * size_of::<Sum>())
                .sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
