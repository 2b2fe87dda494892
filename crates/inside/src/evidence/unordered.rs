//! The exact table: for rows in any order, what each unit adds to each group.
//!
//! It costs an entry for each pair of group and unit, where the running update costs one for each group. The entry's
//! position is looked up by hash; everything is folded in the order of units, so that float sums are the same in every
//! run over the same rows.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use weir_gate::row_weight;

use super::accumulator::bounded;
use super::groups::Groups;
use super::kept::Values;
use super::layout::{Arguments, Layout};

/// A unit in a group.
type Member = (usize, u32);

/// The rows of one unit in one group.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    rows: u64,
    weight: u64,
}

impl Counted {
    fn add(&mut self, weight: u64) {
        self.rows += 1;
        self.weight = self.weight.wrapping_add(weight);
    }
}

/// What one unit has summed up in one group.
#[derive(Debug, Clone, Copy, Default)]
struct Partial {
    of: Counted,
    sum: f64,
}

/// The evidence of every group so far, by unit.
#[derive(Debug)]
pub(super) struct Unordered {
    layout: Layout,
    groups: usize,
    positions: HashMap<Member, usize>,
    members: Vec<Member>,
    rows: Vec<Counted>,
    /// One vector per counted argument, by position.
    counts: Vec<Vec<Counted>>,
    /// One vector per summed argument, by position.
    sums: Vec<Vec<Partial>>,
    /// One for each argument whose distinct values are counted, by group.
    values: Vec<Values>,
    /// Groups that other parts have counted.
    others: Option<Groups>,
}

impl Unordered {
    pub(super) fn new(layout: Layout, groups: usize) -> Self {
        let mut values = vec![Values::new(layout.values_kept); layout.values];
        values.iter_mut().for_each(|values| values.grow(groups));
        Self {
            layout,
            groups,
            positions: HashMap::new(),
            members: Vec::new(),
            rows: Vec::new(),
            counts: vec![Vec::new(); layout.counts],
            sums: vec![Vec::new(); layout.sums],
            values,
            others: None,
        }
    }

    fn position(&mut self, member: Member) -> usize {
        let next = self.members.len();
        let position = *self.positions.entry(member).or_insert(next);
        if position == next {
            self.members.push(member);
            self.rows.push(Counted::default());
            self.counts
                .iter_mut()
                .for_each(|counts| counts.push(Counted::default()));
            self.sums
                .iter_mut()
                .for_each(|sums| sums.push(Partial::default()));
        }
        position
    }

    /// The finished evidence of the first groups; the others become the first.
    fn emit(&mut self, groups: usize) -> Groups {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_unstable_by_key(|position| self.members[*position]);
        let mut emitted = Groups::empty(self.layout, groups);
        (0..self.layout.counts).for_each(|at| emitted.part_counted(self.layout, at));
        (0..self.layout.sums).for_each(|at| emitted.part_summed(self.layout, at));
        let mut kept = Self::new(self.layout, self.groups - groups);
        for position in order {
            let (group, unit) = self.members[position];
            if group < groups {
                self.fold(position, group, &mut emitted);
            } else {
                let moved = kept.position((group - groups, unit));
                kept.rows[moved] = self.rows[position];
                for (to, from) in kept.counts.iter_mut().zip(&self.counts) {
                    to[moved] = from[position];
                }
                for (to, from) in kept.sums.iter_mut().zip(&self.sums) {
                    to[moved] = from[position];
                }
            }
        }
        let first = EmitTo::First(groups);
        emitted.values = self.values.iter_mut().map(|v| v.take(first)).collect();
        kept.values = std::mem::take(&mut self.values);
        *self = kept;
        if !self.layout.tells_rows(groups) {
            emitted.forget_rows();
        }
        emitted.end();
        emitted
    }

    /// The evidence of the first groups, or of all.
    fn finish(&mut self, emit_to: EmitTo) -> Result<Groups> {
        if let Some(others) = &mut self.others {
            return Ok(others.take(emit_to));
        }
        match emit_to {
            EmitTo::All => Ok(self.emit(self.groups)),
            EmitTo::First(groups) if groups <= self.groups => Ok(self.emit(groups)),
            EmitTo::First(_) => internal_err!("more groups are asked for than there are"),
        }
    }

    fn fold(&self, position: usize, group: usize, into: &mut Groups) {
        let unit = self.members[position].1;
        let Counted { rows, weight } = self.rows[position];
        into.cells.unit(group, unit, rows, weight);
        for (own, by_unit) in into.counts.iter_mut().zip(&self.counts) {
            if let (
                Some(own),
                Counted {
                    rows: rows @ 1..,
                    weight,
                },
            ) = (own, by_unit[position])
            {
                own.unit(group, unit, rows, weight);
            }
        }
        let sums = into.sums.iter_mut().zip(&mut into.contributions);
        for ((own, contributions), by_unit) in sums.zip(&self.sums) {
            let Partial { of, sum } = by_unit[position];
            if let (
                Some(own),
                Counted {
                    rows: rows @ 1..,
                    weight,
                },
            ) = (own, of)
            {
                own.unit(group, unit, rows, weight);
                contributions.unit(group, unit, sum);
            }
        }
    }
}

impl GroupsAccumulator for Unordered {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let arguments = Arguments::new(self.layout, values, opt_filter)?;
        bounded(total_num_groups, self.layout)?;
        self.groups = total_num_groups;
        for values in &mut self.values {
            values.grow(total_num_groups);
        }
        // A row that names no unit of this kind has no position.
        let positions: Vec<Option<usize>> = arguments
            .units
            .iter()
            .zip(group_indices)
            .map(|(unit, group)| unit.map(|unit| self.position((*group, unit))))
            .collect();
        // A row without a number is the only one of its unit.
        let weights: Vec<u64> = (0..positions.len())
            .map(|row| {
                let number = arguments.numbers.map_or(0, |numbers| numbers.value(row));
                row_weight(arguments.units.value(row), number)
            })
            .collect();
        for (position, weight) in positions.iter().zip(&weights) {
            if let Some(position) = position {
                self.rows[*position].add(*weight);
            }
        }
        for (at, counts) in self.counts.iter_mut().enumerate() {
            let has_value = arguments.counted(at);
            for (row, position) in positions.iter().enumerate() {
                if let (Some(position), true) = (position, has_value.value(row)) {
                    counts[*position].add(weights[row]);
                }
            }
        }
        for (at, sums) in self.sums.iter_mut().enumerate() {
            let column = arguments.summed(at);
            for (row, position) in positions.iter().enumerate() {
                if let (Some(position), true) = (position, column.is_valid(row)) {
                    sums[*position].of.add(weights[row]);
                    sums[*position].sum += column.value(row);
                }
            }
        }
        for (at, values) in self.values.iter_mut().enumerate() {
            let tags = arguments.tagged(at);
            for (row, group) in group_indices.iter().enumerate() {
                // A row that names no unit of this kind says nothing about one.
                if positions[row].is_some() && tags.is_valid(row) {
                    values.see(*group, tags.value(row));
                }
            }
        }
        Ok(())
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
        let layout = self.layout;
        let others = self.others.get_or_insert_with(|| Groups::empty(layout, 0));
        others.grow(total_num_groups);
        others.add(layout, values, group_indices)
    }

    fn convert_to_state(
        &self,
        _values: &[ArrayRef],
        _opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        internal_err!("no row is a part of its own")
    }

    fn size(&self) -> usize {
        let entry = size_of::<Member>()
            + size_of::<u64>() * (1 + self.layout.counts)
            + size_of::<Partial>() * self.layout.sums;
        // A hash map keeps a byte beside each entry, and a position.
        let looked_up = size_of::<Member>() + size_of::<usize>() + 1;
        self.members.capacity() * entry
            + self.positions.capacity() * looked_up
            + self.others.as_ref().map_or(0, Groups::size)
            + self.values.iter().map(Values::size).sum::<usize>()
    }
}
