//! Which rows a unit has in a group, where it is not its first row alone.
//!
//! Sums over the rows of cells add up row by row, and sets of units do not say so where a unit has rows in several cells.
//! So each row weighs something ([`weir_gate::row_weight`]), and of units that weigh something else than their first row it is
//! written down what they weigh modulo 3, of all together what they weigh, and of few what each weighs. Where units have one
//! row each, all of this stays empty.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, UInt64Array, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;
use weir_gate::row_weight;

use super::runs::Arranged;
use super::sets::Sets;

/// The units of each group that weigh something else than their first row.
#[derive(Debug, Clone, Default)]
pub(super) struct Several {
    /// Those that weigh two modulo 3.
    twos: Sets,
    /// Those that weigh nothing modulo 3.
    threes: Sets,
    of: Vec<Weight>,
    /// Groups, units and what these weigh, of groups that have no more than [`NOTED_MAX`]. Those of a group in ascending order.
    noted: Vec<(u32, u32, u64)>,
}

/// Of so many units of a group it is noted what each weighs.
const NOTED_MAX: u32 = 64;

/// What the rows of a group weigh.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// All of units that came to their end.
    all: u64,
    /// Those of the unit we are in.
    current: u64,
    /// The unit we are in.
    unit: u32,
    is_in: bool,
    /// How many units weigh something else than their first row: no longer counted once they are too many for noting them.
    units: u32,
}

impl Weight {
    /// Adds what all rows of units weigh, which come in ascending order, where there are too many for noting them. Says which
    /// of them weigh two and which nothing modulo 3: neither are those that weigh what their first row does.
    fn add_unnoted<'a>(
        &mut self,
        units: &[u32],
        sums: &[u64],
        [twos, threes]: [&'a mut Vec<u32>; 2],
    ) -> [&'a [u32]; 2] {
        // Nothing is cleared that is written anyway.
        for room in [&mut *twos, &mut *threes] {
            room.resize(room.len().max(units.len()), 0);
        }
        let (mut twos_end, mut threes_end) = (0, 0);
        // Each is written down, and kept where it is one of them: what a unit weighs cannot be foreseen, and no branch depends
        // on it.
        for (unit, sum) in units.iter().zip(sums) {
            self.all = self.all.wrapping_add(*sum);
            let modulo = *sum % 3;
            twos[twos_end] = *unit;
            twos_end += usize::from(modulo == 2);
            threes[threes_end] = *unit;
            threes_end += usize::from(modulo == 0);
        }
        [&twos[..twos_end], &threes[..threes_end]]
    }
}

/// Room for what rows weigh.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// What all rows up to each one weigh together.
    totals: Vec<u64>,
    /// What each unit of a group weighs.
    sums: Vec<u64>,
    twos: Vec<u32>,
    threes: Vec<u32>,
}

impl Weighed {
    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        size_of::<u64>() * (self.totals.capacity() + self.sums.capacity())
            + size_of::<u32>() * (self.twos.capacity() + self.threes.capacity())
    }
}

/// What is handed over of it.
#[derive(Clone, Copy)]
pub(super) struct Columns<T> {
    pub(super) twos: T,
    pub(super) threes: T,
    pub(super) weights: T,
    /// Units, and what each weighs, four bytes and eight; null where there are too many.
    pub(super) noted: T,
}

/// Bytes of a unit that is noted.
const NOTED_BYTES: usize = size_of::<u32>() + size_of::<u64>();

/// Names of [`Columns`], in the order of [`Columns::in_order`].
pub(super) const NAMES: [&str; 4] = ["twos", "threes", "weight", "noted"];

impl<T> Columns<T> {
    pub(super) fn in_order(self) -> [T; 4] {
        [self.twos, self.threes, self.weights, self.noted]
    }
}

impl Columns<ArrayRef> {
    /// Of groups of which nothing is known.
    pub(super) fn unknown(groups: usize) -> Self {
        let sets = new_null_array(&Sets::data_type(), groups);
        Self {
            twos: Arc::clone(&sets),
            threes: sets,
            weights: new_null_array(&DataType::UInt64, groups),
            noted: new_null_array(&DataType::Binary, groups),
        }
    }
}

impl Several {
    pub(super) fn grow(&mut self, groups: usize) {
        self.twos.grow(groups);
        self.threes.grow(groups);
        self.of.resize(groups, Weight::default());
    }

    /// Adds rows, given the number of each.
    pub(super) fn update(&mut self, rows: &Arranged, numbers: &[u32], weighed: &mut Weighed) {
        let mut total = 0_u64;
        let each = rows.units().iter().zip(numbers);
        weighed.totals.clear();
        weighed.totals.extend(each.map(|(unit, number)| {
            total = total.wrapping_add(row_weight(*unit, *number));
            total
        }));
        for of in rows.iter() {
            let mut weight = self.of[of.group];
            rows.by_unit_of_totals(&of, &weighed.totals, &mut weighed.sums);
            let (mut units, mut sums) = (of.units, weighed.sums.as_slice());
            if weight.is_in && weight.unit == units[0] {
                weight.current = weight.current.wrapping_add(sums[0]);
                (units, sums) = (&units[1..], &sums[1..]);
            }
            if let (Some((last, units)), Some((of_last, sums))) =
                (units.split_last(), sums.split_last())
            {
                self.end_unit(of.group, &mut weight);
                if weight.units <= NOTED_MAX {
                    for (unit, sum) in units.iter().zip(sums) {
                        self.add(of.group, &mut weight, *unit, *sum);
                    }
                } else {
                    let room = [&mut weighed.twos, &mut weighed.threes];
                    let [twos, threes] = weight.add_unnoted(units, sums, room);
                    self.twos.extend(of.group, twos);
                    self.threes.extend(of.group, threes);
                }
                weight.unit = *last;
                weight.is_in = true;
                weight.current = *of_last;
            }
            self.of[of.group] = weight;
        }
    }

    fn end_unit(&mut self, group: usize, weight: &mut Weight) {
        if std::mem::take(&mut weight.is_in) {
            let (unit, sum) = (weight.unit, std::mem::take(&mut weight.current));
            self.add(group, weight, unit, sum);
        }
    }

    /// Adds what all rows of a unit weigh; units of a group come in ascending order.
    #[inline]
    fn add(&mut self, group: usize, weight: &mut Weight, unit: u32, sum: u64) {
        weight.all = weight.all.wrapping_add(sum);
        if sum == row_weight(unit, 0) {
            return;
        }
        if weight.units < NOTED_MAX {
            self.noted.push((group as u32, unit, sum));
        }
        weight.units = weight.units.saturating_add(1);
        match sum % 3 {
            2 => self.twos.extend(group, &[unit]),
            0 => self.threes.extend(group, &[unit]),
            _ => {}
        }
    }

    /// Adds all rows of a unit at once, by what they weigh.
    pub(super) fn unit(&mut self, group: usize, unit: u32, sum: u64) {
        let mut weight = self.of[group];
        self.add(group, &mut weight, unit, sum);
        self.of[group] = weight;
    }

    /// Adds what a group of another part has of other units.
    pub(super) fn merge(&mut self, group: usize, part: Columns<&ArrayRef>, row: usize) {
        self.twos.merge(group, part.twos, row);
        self.threes.merge(group, part.threes, row);
        let all = part.weights.as_primitive::<UInt64Type>().value(row);
        let weight = &mut self.of[group];
        weight.all = weight.all.wrapping_add(all);
        let noted = part.noted.as_binary::<i32>();
        if noted.is_null(row) {
            weight.units = NOTED_MAX + 1;
            return;
        }
        let (noted, _) = noted.value(row).as_chunks::<NOTED_BYTES>();
        for [a, b, c, d, sum @ ..] in noted {
            let unit = u32::from_le_bytes([*a, *b, *c, *d]);
            if weight.units < NOTED_MAX {
                self.noted
                    .push((group as u32, unit, u64::from_le_bytes(*sum)));
            }
            weight.units = weight.units.saturating_add(1);
        }
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let of = emit_to.take_needed(&mut self.of);
        let groups = of.len() as u32;
        let (noted, later) = std::mem::take(&mut self.noted)
            .into_iter()
            .partition(|(group, _, _)| *group < groups);
        self.noted = later;
        self.noted
            .iter_mut()
            .for_each(|(group, _, _)| *group -= groups);
        Self {
            twos: self.twos.take(emit_to),
            threes: self.threes.take(emit_to),
            of,
            noted,
        }
    }

    /// Ends the unit that each group is in: nothing is added from here on.
    pub(super) fn end(&mut self) {
        for group in 0..self.of.len() {
            let mut weight = self.of[group];
            self.end_unit(group, &mut weight);
            self.of[group] = weight;
        }
        self.twos.end();
        self.threes.end();
    }

    /// Sets as [`Sets::column`] says, and what all rows weigh.
    pub(super) fn columns(&self, is_asked: impl Fn(usize) -> bool) -> Result<Columns<ArrayRef>> {
        let weights = self.of.iter().map(|of| of.all);
        Ok(Columns {
            twos: self.twos.column(&is_asked)?,
            threes: self.threes.column(&is_asked)?,
            weights: Arc::new(weights.collect::<UInt64Array>()),
            noted: self.noted_column(),
        })
    }

    fn noted_column(&self) -> ArrayRef {
        let mut noted = self.noted.clone();
        // Those of a group stay in their order.
        noted.sort_by_key(|(group, _, _)| *group);
        let mut noted = noted.into_iter().peekable();
        let mut column = BinaryBuilder::new();
        for (group, weight) in self.of.iter().enumerate() {
            let mut of_group = Vec::new();
            while let Some((_, unit, sum)) = noted.next_if(|(of, _, _)| *of as usize == group) {
                of_group.extend(unit.to_le_bytes());
                of_group.extend(sum.to_le_bytes());
            }
            match weight.units <= NOTED_MAX {
                true => column.append_value(of_group),
                false => column.append_null(),
            }
        }
        Arc::new(column.finish())
    }

    /// Bytes held, about.
    pub(super) fn size(&self) -> usize {
        self.twos.size()
            + self.threes.size()
            + size_of::<Weight>() * self.of.capacity()
            + size_of::<(u32, u32, u64)>() * self.noted.capacity()
    }
}
