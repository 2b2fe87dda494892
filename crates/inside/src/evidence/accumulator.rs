//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::compute::GROUPS_MAX;

use super::groups::Groups;
use super::layout::{Arguments, Layout};
use super::runs::{Runs, Segments};

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
    /// The rows of the batch that is added, by group and unit.
    all: Cut,
    /// Those in which an argument has a value, where that is not all.
    some: Cut,
}

/// Rows of a batch, by group and unit.
#[derive(Debug, Default)]
struct Cut {
    runs: Runs,
    segments: Segments,
}

impl Cut {
    /// Takes those rows of others that have a value.
    fn keep(&mut self, all: &Self, has_value: &BooleanBuffer, units: &[u32]) {
        self.runs.keep(&all.runs, has_value);
        self.segments.cut(&self.runs, units);
    }

    fn size(&self) -> usize {
        self.runs.size() + self.segments.size()
    }
}

fn out_of_order() -> DataFusionError {
    DataFusionError::External(Box::new(OutOfOrder))
}

impl Evidence {
    pub(super) fn new(layout: Layout, groups: usize) -> Self {
        Self {
            layout,
            groups: Groups::empty(layout, groups),
            all: Cut::default(),
            some: Cut::default(),
        }
    }

    /// Gives arguments that are null somewhere in this batch rows and units of their own, which were the cell's so far.
    fn part(&mut self, arguments: &Arguments<'_>) {
        for (at, has_value) in arguments.counted().enumerate() {
            if has_value.true_count() < has_value.len() {
                self.groups.part_counted(self.layout, at);
            }
        }
        for (at, column) in arguments.summed().enumerate() {
            if column.null_count() > 0 {
                self.groups.part_summed(self.layout, at);
            }
        }
    }

    /// Counts the rows in which a counted argument has a value.
    fn update_counts(&mut self, arguments: &Arguments<'_>) -> Result<()> {
        let counts = self.groups.counts.iter_mut().zip(arguments.counted());
        for (own, has_value) in counts {
            let Some(own) = own else {
                continue;
            };
            self.some
                .keep(&self.all, has_value.values(), arguments.units.values());
            if !own.update(&self.some.segments) {
                return Err(out_of_order());
            }
        }
        Ok(())
    }

    /// Adds up the values of the summed arguments.
    fn update_sums(&mut self, arguments: &Arguments<'_>) -> Result<()> {
        let sums = self.groups.sums.iter_mut();
        let sums = sums.zip(&mut self.groups.contributions);
        for ((own, contributions), column) in sums.zip(arguments.summed()) {
            let mut cut = &self.all;
            if let Some(own) = own {
                if let Some(nulls) = column.nulls() {
                    self.some
                        .keep(&self.all, nulls.inner(), arguments.units.values());
                    cut = &self.some;
                }
                if !own.update(&cut.segments) {
                    return Err(out_of_order());
                }
            }
            contributions.update((&cut.runs, &cut.segments), column.values());
        }
        Ok(())
    }

    /// The finished evidence of the first groups, or of all.
    fn finish(&mut self, emit_to: EmitTo) -> Groups {
        let mut finished = self.groups.take(emit_to);
        finished.end();
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
        self.part(&arguments);
        self.all.runs.arrange(group_indices, total_num_groups);
        self.all
            .segments
            .cut(&self.all.runs, arguments.units.values());
        if !self.groups.cells.update(&self.all.segments) {
            return Err(out_of_order());
        }
        self.update_counts(&arguments)?;
        self.update_sums(&arguments)?;
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
        self.groups.size() + self.all.size() + self.some.size()
    }
}

#[cfg(test)]
mod tests;
