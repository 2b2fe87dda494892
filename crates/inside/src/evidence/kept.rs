//! A few things that a group keeps of its many rows: its first units, and its first distinct values.
//!
//! Both are arrays of a fixed number of places for each group, so that a million groups are two allocations.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, UInt32Array, UInt64Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

/// Up to so many places for each group, filled from the first.
#[derive(Debug, Clone)]
struct Places<T> {
    kept: usize,
    taken: Vec<u32>,
    values: Vec<T>,
}

impl<T: Copy + Default + PartialEq> Places<T> {
    const fn new(kept: usize) -> Self {
        Self {
            kept,
            taken: Vec::new(),
            values: Vec::new(),
        }
    }

    fn grow(&mut self, groups: usize) {
        self.taken.resize(groups, 0);
        self.values.resize(groups * self.kept, T::default());
    }

    fn push(&mut self, group: usize, value: T) {
        let taken = self.taken[group] as usize;
        if taken < self.kept {
            self.values[group * self.kept + taken] = value;
            self.taken[group] += 1;
        }
    }

    /// Fills the places that are left.
    #[inline]
    fn extend(&mut self, group: usize, values: &[T]) {
        let taken = self.taken[group] as usize;
        let left = self.kept - taken;
        if left > 0 {
            let values = &values[..left.min(values.len())];
            let from = group * self.kept + taken;
            self.values[from..from + values.len()].copy_from_slice(values);
            self.taken[group] += values.len() as u32;
        }
    }

    fn of(&self, group: usize) -> &[T] {
        let from = group * self.kept;
        &self.values[from..from + self.taken[group] as usize]
    }

    fn take(&mut self, emit_to: EmitTo) -> Self {
        let groups = match emit_to {
            EmitTo::All => self.taken.len(),
            EmitTo::First(groups) => groups,
        };
        Self {
            kept: self.kept,
            taken: emit_to.take_needed(&mut self.taken),
            values: EmitTo::First(groups * self.kept).take_needed(&mut self.values),
        }
    }

    fn all(&self) -> impl Iterator<Item = T> {
        (0..self.taken.len())
            .flat_map(|group| self.of(group))
            .copied()
    }

    /// A list for each group, of all values.
    fn lists(&self, item: Field, values: ArrayRef) -> Result<ArrayRef> {
        let lengths = self.taken.iter().map(|taken| *taken as usize);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(Arc::new(item), offsets, values, None)?;
        Ok(Arc::new(lists))
    }

    fn size(&self) -> usize {
        self.taken.capacity() * size_of::<u32>() + self.values.capacity() * size_of::<T>()
    }
}

/// The first units of each group: all of them where there are few.
#[derive(Debug, Clone)]
pub(super) struct FirstUnits(Places<u32>);

impl FirstUnits {
    pub(super) const fn new(kept: usize) -> Self {
        Self(Places::new(kept))
    }

    /// Numbers of units, a list for each group.
    pub(super) fn data_type() -> DataType {
        DataType::List(Arc::new(item(DataType::UInt32)))
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.0.grow(groups);
    }

    /// Keeps units that the group did not have before, as far as there is room.
    #[inline]
    pub(super) fn extend(&mut self, group: usize, units: &[u32]) {
        self.0.extend(group, units);
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        Self(self.0.take(emit_to))
    }

    pub(super) fn size(&self) -> usize {
        self.0.size()
    }

    pub(super) fn column(&self) -> Result<ArrayRef> {
        let ids: UInt32Array = self.0.all().collect();
        self.0.lists(item(DataType::UInt32), Arc::new(ids))
    }
}

fn item(data_type: DataType) -> Field {
    Field::new("item", data_type, false)
}

/// The first distinct values of each group, by tag. Two values of one tag count as one, which withholds.
#[derive(Debug, Clone)]
pub(super) struct Values(Places<u64>);

impl Values {
    pub(super) const fn new(kept: usize) -> Self {
        Self(Places::new(kept))
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.0.grow(groups);
    }

    pub(super) fn see(&mut self, group: usize, tag: u64) {
        if !self.0.of(group).contains(&tag) {
            self.0.push(group, tag);
        }
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        Self(self.0.take(emit_to))
    }

    pub(super) fn size(&self) -> usize {
        self.0.size()
    }

    /// Tags, a list for each group.
    pub(super) fn data_type() -> DataType {
        DataType::List(Arc::new(item(DataType::UInt64)))
    }

    pub(super) fn lists(&self) -> Result<ArrayRef> {
        let tags: UInt64Array = self.0.all().collect();
        self.0.lists(item(DataType::UInt64), Arc::new(tags))
    }

    pub(super) fn column(&self) -> ArrayRef {
        let counts = self.0.taken.iter().map(|taken| u64::from(*taken));
        Arc::new(counts.collect::<UInt64Array>())
    }
}
