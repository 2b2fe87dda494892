//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::compute::GROUPS_MAX;

use super::layout::{Arguments, Groups, Layout, Places};

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

/// Where the first units, the sets and the prints of arguments are kept.
struct Kept {
    named: Places,
    sets: Places,
    prints: Places,
}

impl Kept {
    fn new(layout: Layout) -> Self {
        Self {
            named: layout.named(),
            sets: layout.sets(),
            prints: layout.prints(),
        }
    }
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
            if cell.begins(*unit) {
                if let Some((ended, rows)) = cell.end() {
                    self.groups.prints[0].add(*group, ended, rows as f64);
                }
                cell.begin(*unit);
                self.groups.first_units.push(*group, *unit);
                self.groups.sets[0].add(*group, *unit);
            }
            cell.row();
        }
        Ok(())
    }

    /// Counts the rows in which a counted argument has a value.
    fn update_counts(&mut self, arguments: &Arguments<'_>, places: &Kept, groups: &[usize]) {
        let units = arguments.units.values();
        let kept = &mut self.groups;
        let counts = kept.counts.iter_mut().zip(arguments.counted());
        for (at, (counts, has_value)) in counts.enumerate() {
            let (name, set) = (places.named.counts[at], places.sets.counts[at]);
            let print = places.prints.counts[at];
            for (row, group) in groups.iter().enumerate() {
                if !has_value.value(row) {
                    continue;
                }
                let (count, unit) = (&mut counts[*group], units[row]);
                if count.begins(unit) {
                    if let (Some((ended, rows)), Some(print)) = (count.end(), print) {
                        kept.prints[print].add(*group, ended, rows as f64);
                    }
                    count.begin(unit);
                    if let Some(name) = name {
                        kept.named[name].push(*group, unit);
                    }
                    if let Some(set) = set {
                        kept.sets[set].add(*group, unit);
                    }
                }
                count.row();
            }
        }
    }

    /// Adds up the values of the summed arguments.
    fn update_sums(&mut self, arguments: &Arguments<'_>, places: &Kept, groups: &[usize]) {
        let units = arguments.units.values();
        let kept = &mut self.groups;
        let sums = kept.sums.iter_mut().zip(arguments.summed());
        for (at, (sums, column)) in sums.enumerate() {
            let (name, set) = (places.named.sums[at], places.sets.sums[at]);
            let print = places.prints.sums[at];
            for (row, group) in groups.iter().enumerate() {
                if column.is_null(row) {
                    continue;
                }
                let (sum, unit) = (&mut sums[*group], units[row]);
                if sum.count.begins(unit) {
                    if let (Some((ended, of_unit)), Some(print)) = (sum.end(), print) {
                        kept.prints[print].add(*group, ended, of_unit);
                    }
                    sum.count.begin(unit);
                    if let Some(name) = name {
                        kept.named[name].push(*group, unit);
                    }
                    if let Some(set) = set {
                        kept.sets[set].add(*group, unit);
                    }
                }
                sum.row(column.value(row));
            }
        }
    }

    /// The finished evidence of the first groups, or of all.
    fn finish(&mut self, emit_to: EmitTo) -> Groups {
        let mut finished = self.groups.take(emit_to);
        finished.end(self.layout);
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
        let places = Kept::new(self.layout);
        self.update_counts(&arguments, &places, group_indices);
        self.update_sums(&arguments, &places, group_indices);
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
