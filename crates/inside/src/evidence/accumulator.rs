//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Float64Array};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::compute::GROUPS_MAX;

use super::groups::Groups;
use super::layout::{Arguments, Layout};
use super::runs::{Arranged, Order};
use super::several::Weighed;

/// Arranged of a group came in another order than that of units.
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

/// Where there are no more groups than this, rows are added as they come.
const GROUPS_AT_ONCE: usize = if cfg!(test) { 3 } else { 64 };

/// Where there are more, rows wait until there are as many: of each of a thousand groups some thirty, while what is looked up
/// of them all still lies in a processor's second cache. What is kept of a group is fetched once for all of its rows that
/// are added together. The engine's batches are smaller, as all that it does with few groups is faster so.
const ROWS_TOGETHER: usize = if cfg!(test) { 60 } else { 32_768 };

/// The evidence of every group so far.
#[derive(Debug)]
pub(super) struct Evidence {
    layout: Layout,
    groups: Groups,
    /// Batches that are not added yet, and the group of each of their rows.
    waiting: Vec<Vec<ArrayRef>>,
    waiting_groups: Vec<u32>,
    waiting_bytes: usize,
    order: Order,
    /// The rows that are added.
    all: Arranged,
    /// Those in which an argument has a value, where that is not all.
    some: Arranged,
    column: Column,
}

/// A column of the rows that are added, in their order.
#[derive(Debug, Default)]
struct Column {
    has_value: Vec<bool>,
    values: Vec<f64>,
    /// What the values of each unit of a group add up to.
    by_unit: Vec<f64>,
    /// The numbers of the rows, and of those in which an argument has a value.
    numbers: Vec<u32>,
    some_numbers: Vec<u32>,
    weighed: Weighed,
}

impl Column {
    /// Keeps the numbers of rows that have a value.
    fn keep_numbers(&mut self) {
        kept(&self.numbers, &self.has_value, &mut self.some_numbers);
    }
}

/// The numbers of rows that have a value; none where rows have no numbers.
fn kept(numbers: &[u32], has_value: &[bool], into: &mut Vec<u32>) {
    into.clear();
    let rows = numbers.iter().zip(has_value);
    into.extend(
        rows.filter(|(_, has_value)| **has_value)
            .map(|(number, _)| *number),
    );
}

fn out_of_order() -> DataFusionError {
    DataFusionError::External(Box::new(OutOfOrder))
}

/// Whether each row has a value, of columns that follow each other.
fn has_value(parts: impl Iterator<Item = (usize, Option<BooleanBuffer>)>) -> Vec<bool> {
    let mut all = Vec::new();
    for (rows, has_value) in parts {
        match has_value {
            Some(has_value) => all.extend(&has_value),
            None => all.resize(all.len() + rows, true),
        }
    }
    all
}

impl Evidence {
    pub(super) fn new(layout: Layout, groups: usize) -> Self {
        Self {
            layout,
            groups: Groups::empty(layout, groups),
            waiting: Vec::new(),
            waiting_groups: Vec::new(),
            waiting_bytes: 0,
            order: Order::default(),
            all: Arranged::default(),
            some: Arranged::default(),
            column: Column::default(),
        }
    }

    /// Adds the batches that wait.
    fn add(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let batches = waiting
            .iter()
            .map(|values| Arguments::new(self.layout, values, None))
            .collect::<Result<Vec<_>>>()?;
        if batches.is_empty() {
            return Ok(());
        }
        let total = self.groups.cells.counts.len();
        self.order.arrange(&self.waiting_groups, total);
        let units = batches.iter().map(|batch| batch.units.values().as_ref());
        self.all.take(&self.order, units);
        self.part(&batches);
        if !self.groups.cells.update(&self.all) {
            return Err(out_of_order());
        }
        if !self.layout.tells_rows(total) {
            self.groups.forget_rows();
        }
        if let Some(several) = &mut self.groups.cells.several
            && self.layout.has_numbers()
        {
            let numbers = batches.iter().filter_map(|batch| batch.numbers);
            self.order.put(
                numbers.map(|of| of.values().as_ref()),
                &mut self.column.numbers,
            );
            let Column {
                numbers, weighed, ..
            } = &mut self.column;
            several.update(&self.all, numbers, weighed);
        }
        self.update_counts(&batches)?;
        self.update_sums(&batches)?;
        for (at, values) in self.groups.values.iter_mut().enumerate() {
            let tags = batches.iter().flat_map(|batch| batch.tagged(at));
            for (tag, group) in tags.zip(&self.waiting_groups) {
                if let Some(tag) = tag {
                    values.see(*group as usize, tag);
                }
            }
        }
        self.waiting_groups.clear();
        Ok(())
    }

    /// Gives arguments that are null somewhere here rows and units of their own, which were the cell's so far.
    fn part(&mut self, batches: &[Arguments<'_>]) {
        for at in 0..self.layout.counts {
            let is_null = |batch: &Arguments<'_>| batch.counted(at).has_false();
            if batches.iter().any(is_null) {
                self.groups.part_counted(self.layout, at);
            }
        }
        for at in 0..self.layout.sums {
            let is_null = |batch: &Arguments<'_>| batch.summed(at).null_count() > 0;
            if batches.iter().any(is_null) {
                self.groups.part_summed(self.layout, at);
            }
        }
    }

    /// Counts the rows in which a counted argument has a value.
    fn update_counts(&mut self, batches: &[Arguments<'_>]) -> Result<()> {
        for (at, own) in self.groups.counts.iter_mut().enumerate() {
            let Some(own) = own else {
                continue;
            };
            let parts = batches.iter().map(|batch| batch.counted(at));
            let flags = has_value(parts.map(|of| (of.len(), Some(of.values().clone()))));
            let flags = std::iter::once(flags.as_slice());
            self.order.put(flags, &mut self.column.has_value);
            self.some.keep(&self.all, &self.column.has_value);
            if !own.update(&self.some) {
                return Err(out_of_order());
            }
            if let Some(several) = &mut own.several
                && self.layout.has_numbers()
            {
                self.column.keep_numbers();
                let Column {
                    some_numbers,
                    weighed,
                    ..
                } = &mut self.column;
                several.update(&self.some, some_numbers, weighed);
            }
        }
        Ok(())
    }

    /// Adds up the values of the summed arguments.
    fn update_sums(&mut self, batches: &[Arguments<'_>]) -> Result<()> {
        let sums = self.groups.sums.iter_mut();
        let sums = sums.zip(&mut self.groups.contributions);
        for (at, (own, contributions)) in sums.enumerate() {
            let Column {
                has_value: flags,
                values,
                by_unit,
                numbers,
                some_numbers,
                weighed,
            } = &mut self.column;
            let columns = || batches.iter().map(|batch| batch.summed(at));
            self.order
                .put(columns().map(|column| column.values().as_ref()), values);
            let (mut rows, mut numbers) = (&self.all, numbers.as_slice());
            if columns().any(|column| column.null_count() > 0) {
                let nulls = |column: &Float64Array| column.nulls().map(|of| of.inner().clone());
                let unordered = has_value(columns().map(|column| (column.len(), nulls(column))));
                self.order.put(std::iter::once(unordered.as_slice()), flags);
                self.some.keep(&self.all, flags);
                let has_value = flags.as_slice();
                let mut flags = has_value.iter();
                values.retain(|_| flags.next() == Some(&true));
                rows = &self.some;
                kept(numbers, has_value, some_numbers);
                numbers = some_numbers;
            }
            if let Some(own) = own {
                if !own.update(rows) {
                    return Err(out_of_order());
                }
                if let Some(several) = &mut own.several
                    && self.layout.has_numbers()
                {
                    several.update(rows, numbers, weighed);
                }
            }
            contributions.update(rows, values, by_unit);
        }
        Ok(())
    }

    /// The finished evidence of the first groups, or of all.
    fn finish(&mut self, emit_to: EmitTo) -> Result<Groups> {
        self.add()?;
        let mut finished = self.groups.take(emit_to);
        finished.end();
        Ok(finished)
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
        // What the engine hands over behind the arguments is not used.
        let (arguments, _) = values.split_at(self.layout.columns());
        let bytes = arguments.iter().map(|of| of.get_buffer_memory_size());
        self.waiting_bytes += bytes.sum::<usize>();
        self.waiting.push(arguments.to_vec());
        self.waiting_groups
            .extend(group_indices.iter().map(|group| *group as u32));
        if total_num_groups > GROUPS_AT_ONCE && self.waiting_groups.len() < ROWS_TOGETHER {
            return Ok(());
        }
        self.add()
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.finish(emit_to)?.columns(self.layout)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.finish(emit_to)?.state(self.layout)
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
        let numbers = self.column.values.capacity() + self.column.by_unit.capacity();
        self.groups.size()
            + self.waiting_bytes
            + size_of::<u32>() * self.waiting_groups.capacity()
            + self.order.size()
            + self.all.size()
            + self.some.size()
            + size_of::<f64>() * numbers
            + self.column.has_value.capacity()
            + size_of::<u32>()
                * (self.column.numbers.capacity() + self.column.some_numbers.capacity())
            + self.column.weighed.size()
    }
}

#[cfg(test)]
mod tests;
