//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::compute::GROUPS_MAX;

use super::layout::{Arguments, Groups, Layout, Sum};

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
    groups: Groups,
}

impl Evidence {
    pub(super) fn new(layout: Layout, groups: usize) -> Self {
        Self {
            layout,
            groups: Groups::empty(layout, groups),
        }
    }

    /// Counts the rows of cells, and checks the order everything else rests on.
    fn update_cells(&mut self, units: &UInt32Array, groups: &[usize]) -> Result<()> {
        for (unit, group) in units.values().iter().zip(groups) {
            let cell = &mut self.groups.cells[*group];
            if cell.rows == 0 {
                self.groups.firsts[*group] = *unit;
            } else if *unit < cell.unit {
                return Err(DataFusionError::External(Box::new(OutOfOrder)));
            }
            if cell.row(*unit) {
                self.groups.first_units.push(*group, *unit);
            }
        }
        Ok(())
    }

    /// The finished evidence of the first groups, or of all.
    fn finish(&mut self, emit_to: EmitTo) -> Groups {
        let mut finished = self.groups.take(emit_to);
        finished.sums.iter_mut().flatten().for_each(Sum::fold);
        finished
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
        self.groups.grow(total_num_groups);
        self.update_cells(arguments.units, group_indices)?;
        let units = arguments.units.values();
        let (named_counts, named_sums) = self.layout.named();
        let named = &mut self.groups.named;
        let counts = self.groups.counts.iter_mut().zip(arguments.counted());
        for ((counts, has_value), name) in counts.zip(named_counts) {
            for (row, group) in group_indices.iter().enumerate() {
                if has_value.value(row)
                    && counts[*group].row(units[row])
                    && let Some(name) = name
                {
                    named[name].push(*group, units[row]);
                }
            }
        }
        let sums = self.groups.sums.iter_mut().zip(arguments.summed());
        for ((sums, column), name) in sums.zip(named_sums) {
            for (row, group) in group_indices.iter().enumerate() {
                if column.is_valid(row)
                    && sums[*group].row(units[row], column.value(row))
                    && let Some(name) = name
                {
                    named[name].push(*group, units[row]);
                }
            }
        }
        for (values, tags) in self.groups.values.iter_mut().zip(arguments.tagged()) {
            for (tag, group) in tags.iter().zip(group_indices) {
                if let Some(tag) = tag {
                    values.see(*group, tag);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.finish(emit_to).columns(self.layout)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.finish(emit_to).state(self.layout)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        bounded(total_num_groups, self.layout)?;
        self.groups.grow(total_num_groups);
        self.groups.add(self.layout, values, group_indices)
    }

    fn convert_to_state(
        &self,
        _values: &[ArrayRef],
        _opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        internal_err!("no row is a part of its own")
    }

    fn size(&self) -> usize {
        self.groups.size()
    }
}

#[cfg(test)]
mod tests;
