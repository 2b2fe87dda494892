//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::compute::GROUPS_MAX;

use super::layout::{Arguments, Groups, Layout, Places};
use super::runs::Runs;

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
    /// The rows of the batch that is added, and the unit of each in the order of the runs.
    runs: Runs,
    units: Vec<u32>,
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
            runs: Runs::default(),
            units: Vec::new(),
        }
    }

    /// Counts the rows of cells, and checks the order everything else rests on.
    fn update_cells(&mut self) -> Result<()> {
        let kept = &mut self.groups;
        for (group, rows) in self.runs.iter() {
            let units = &self.units[rows];
            let mut cell = kept.cells[group];
            let first = *units.first().unwrap_or(&cell.unit);
            if cell.rows == 0 {
                kept.firsts[group] = first;
            }
            if !units.is_sorted() || (cell.rows > 0 && first < cell.unit) {
                return Err(DataFusionError::External(Box::new(OutOfOrder)));
            }
            let mut print = kept.prints[0].of(group);
            let set = kept.sets[0].of(group);
            for unit in units {
                if cell.begins(*unit) {
                    if let Some((ended, rows)) = cell.end() {
                        print.add(ended, rows as f64);
                    }
                    cell.begin(*unit);
                    kept.first_units.push(group, *unit);
                    set.add(*unit);
                }
                cell.row();
            }
            kept.cells[group] = cell;
        }
        Ok(())
    }

    /// Counts the rows in which a counted argument has a value.
    fn update_counts(&mut self, arguments: &Arguments<'_>, places: &Kept) {
        let kept = &mut self.groups;
        let counts = kept.counts.iter_mut().zip(arguments.counted());
        for (at, (counts, has_value)) in counts.enumerate() {
            let mut name = places.named.counts[at].map(|name| &mut kept.named[name]);
            let mut set = places.sets.counts[at].map(|set| &mut kept.sets[set]);
            let mut print = places.prints.counts[at].map(|print| &mut kept.prints[print]);
            for (group, rows) in self.runs.iter() {
                let mut count = counts[group];
                for (row, unit) in self.runs.rows(rows.clone()).zip(&self.units[rows]) {
                    if !has_value.value(row) {
                        continue;
                    }
                    if count.begins(*unit) {
                        if let (Some((ended, rows)), Some(print)) = (count.end(), &mut print) {
                            print.add(group, ended, rows as f64);
                        }
                        count.begin(*unit);
                        if let Some(name) = &mut name {
                            name.push(group, *unit);
                        }
                        if let Some(set) = &mut set {
                            set.add(group, *unit);
                        }
                    }
                    count.row();
                }
                counts[group] = count;
            }
        }
    }

    /// Adds up the values of the summed arguments.
    fn update_sums(&mut self, arguments: &Arguments<'_>, places: &Kept) {
        let kept = &mut self.groups;
        let sums = kept.sums.iter_mut().zip(arguments.summed());
        for (at, (sums, column)) in sums.enumerate() {
            let mut name = places.named.sums[at].map(|name| &mut kept.named[name]);
            let mut set = places.sets.sums[at].map(|set| &mut kept.sets[set]);
            let mut print = places.prints.sums[at].map(|print| &mut kept.prints[print]);
            let (values, nulls) = (column.values(), column.nulls());
            for (group, rows) in self.runs.iter() {
                let mut sum = sums[group];
                let mut print = print.as_mut().map(|print| print.of(group));
                for (row, unit) in self.runs.rows(rows.clone()).zip(&self.units[rows]) {
                    if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                        continue;
                    }
                    if sum.count.begins(*unit) {
                        if let (Some((ended, of_unit)), Some(print)) = (sum.end(), &mut print) {
                            print.add(ended, of_unit);
                        }
                        sum.count.begin(*unit);
                        if let Some(name) = &mut name {
                            name.push(group, *unit);
                        }
                        if let Some(set) = &mut set {
                            set.add(group, *unit);
                        }
                    }
                    sum.row(values[row]);
                }
                sums[group] = sum;
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
        self.runs.arrange(group_indices, total_num_groups);
        let units = arguments.units.values();
        self.units.clear();
        self.units
            .extend(self.runs.rows(0..units.len()).map(|row| units[row]));
        self.update_cells()?;
        let places = Kept::new(self.layout);
        self.update_counts(&arguments, &places);
        self.update_sums(&arguments, &places);
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
        self.groups.size() + self.runs.size() + self.units.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests;
