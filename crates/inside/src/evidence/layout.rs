//! What the evidence of a group is made of, the same for rows in any order.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, StructArray, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type, UInt32Type, UInt64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;
use weir_gate::TOP_UNITS;

use super::kept::{FirstUnits, Values};
use super::members::{Prints, Sets};

/// What is computed of each group: the cell itself, then each counted argument, each summed one, and each one whose
/// distinct values are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    /// Arguments whose values are counted.
    pub(crate) counts: usize,
    /// Arguments whose values are summed.
    pub(crate) sums: usize,
    /// Arguments whose distinct values are counted.
    pub(crate) values: usize,
    /// Which of the counted and of the summed arguments have their own first units kept, a bit for each.
    pub(crate) named: (u64, u64),
    /// Which of them have the set of their units kept, likewise. The cell always has.
    pub(crate) with_set: (u64, u64),
    /// Which of them have a print, likewise. The cell always has, of the rows of each unit.
    pub(crate) with_print: (u64, u64),
    /// How many buckets a print has, a power of two.
    pub(crate) buckets: usize,
    /// Sets of fewer units than this are not handed over at the end.
    pub(crate) set_units_min: u64,
    /// How many of a group's first units are kept.
    pub(crate) units_kept: usize,
    /// How far distinct values are counted.
    pub(crate) values_kept: usize,
}

impl Layout {
    /// How many arguments have their own first units kept.
    pub(crate) const fn names(self) -> usize {
        (self.named.0.count_ones() + self.named.1.count_ones()) as usize
    }

    /// For each counted argument, and for each summed one, where its first units are kept, if they are.
    pub(crate) fn named(self) -> Places {
        self.places(self.named, 0)
    }

    /// Likewise where the set of its units is; at 0 is that of the cell.
    pub(crate) fn sets(self) -> Places {
        self.places(self.with_set, 1)
    }

    /// Likewise where its print is; at 0 is that of the cell.
    pub(crate) fn prints(self) -> Places {
        self.places(self.with_print, 1)
    }

    fn places(self, which: (u64, u64), from: usize) -> Places {
        let mut next = from;
        let mut of = |set: u64, arguments: usize| {
            (0..arguments)
                .map(|at| {
                    let is_in = at < 64 && set >> at & 1 == 1;
                    next += usize::from(is_in);
                    is_in.then(|| next - 1)
                })
                .collect()
        };
        Places {
            counts: of(which.0, self.counts),
            sums: of(which.1, self.sums),
        }
    }

    /// How many sets a group has.
    pub(crate) const fn sets_kept(self) -> usize {
        1 + (self.with_set.0.count_ones() + self.with_set.1.count_ones()) as usize
    }

    /// How many prints a group has.
    pub(crate) const fn prints_kept(self) -> usize {
        1 + (self.with_print.0.count_ones() + self.with_print.1.count_ones()) as usize
    }

    /// Bytes that are kept of the units and values of one group, without the sets.
    pub(super) const fn kept_bytes(self) -> usize {
        (1 + self.names()) * self.units_kept * size_of::<u32>()
            + self.prints_kept() * self.buckets * size_of::<u32>()
            + self.values * self.values_kept * size_of::<u64>()
    }

    /// Names and types of what a group ends in.
    pub(crate) fn fields(self) -> Fields {
        let count = |name: String| Field::new(name, DataType::UInt64, false);
        let float = |name: String| Field::new(name, DataType::Float64, false);
        let mut fields = vec![
            count("rows".to_owned()),
            count("units".to_owned()),
            Field::new("first_units", FirstUnits::data_type(), false),
        ];
        for index in 0..self.counts {
            fields.extend(["rows", "units"].map(|what| count(format!("count_{index}_{what}"))));
        }
        for index in 0..self.sums {
            fields.extend(["rows", "units"].map(|what| count(format!("sum_{index}_{what}"))));
            fields.push(float(format!("sum_{index}_total")));
            fields.extend((0..TOP_UNITS).map(|rank| float(format!("sum_{index}_top_{rank}"))));
            fields.push(Field::new(
                format!("sum_{index}_negative"),
                DataType::Boolean,
                false,
            ));
        }
        fields.extend(
            (0..self.names())
                .map(|index| Field::new(format!("named_{index}"), FirstUnits::data_type(), false)),
        );
        fields.extend(
            (0..self.sets_kept())
                .map(|index| Field::new(format!("set_{index}"), Sets::DATA_TYPE, false)),
        );
        let print = Prints::data_type(self.buckets);
        fields.extend(
            (0..self.prints_kept())
                .map(|index| Field::new(format!("print_{index}"), print.clone(), false)),
        );
        fields.push(count("most".to_owned()));
        fields.extend((0..self.counts).map(|index| count(format!("count_{index}_most"))));
        fields.extend((0..self.values).map(|index| count(format!("value_{index}"))));
        fields.into()
    }
}

impl Layout {
    /// Names and types of what half an aggregate hands over: what a group would end in, the range of its units, and the
    /// values instead of how many there are.
    pub(crate) fn state_fields(self) -> Fields {
        let unit = |name: &str| Field::new(name, DataType::UInt32, false);
        let mut fields: Vec<_> = self.fields().iter().cloned().collect();
        fields.truncate(fields.len() - self.values);
        fields.push(unit("unit_first").into());
        fields.push(unit("unit_last").into());
        let values = |index| Field::new(format!("values_{index}"), Values::data_type(), false);
        fields.extend((0..self.values).map(|index| values(index).into()));
        fields.into()
    }
}

/// Where something is kept of an argument, if it is.
pub(crate) struct Places {
    /// Of each counted argument.
    pub(crate) counts: Vec<Option<usize>>,
    /// Of each summed argument.
    pub(crate) sums: Vec<Option<usize>>,
}

/// The arguments of an evidence function over one batch.
pub(super) struct Arguments<'a> {
    pub(super) units: &'a UInt32Array,
    arguments: &'a [ArrayRef],
    layout: Layout,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(
        layout: Layout,
        values: &'a [ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Self> {
        // Behind the arguments the engine hands over what it orders by, which may be the unit once more.
        let units = values
            .first()
            .and_then(|units| units.as_primitive_opt::<UInt32Type>());
        let arguments = values.get(1..1 + layout.counts + layout.sums + layout.values);
        match (units, arguments, filter) {
            (Some(units), Some(arguments), None) => Ok(Self {
                units,
                arguments,
                layout,
            }),
            _ => internal_err!("evidence is computed of units and its arguments, unfiltered"),
        }
    }

    /// For each counted argument, whether a row has a value in it.
    pub(super) fn counted(&self) -> impl Iterator<Item = &'a BooleanArray> {
        self.arguments[..self.layout.counts]
            .iter()
            .map(|column| column.as_boolean())
    }

    /// The values of each summed argument.
    pub(super) fn summed(&self) -> impl Iterator<Item = &'a Float64Array> {
        let Layout { counts, sums, .. } = self.layout;
        self.arguments[counts..counts + sums]
            .iter()
            .map(|column| column.as_primitive::<Float64Type>())
    }

    /// The tags of the values of each argument whose distinct values are counted.
    pub(super) fn tagged(&self) -> impl Iterator<Item = &'a UInt64Array> {
        self.arguments[self.layout.counts + self.layout.sums..]
            .iter()
            .map(|column| column.as_primitive::<UInt64Type>())
    }
}

/// Rows and units that had a value, and the unit we are in.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count {
    pub(super) rows: u64,
    pub(super) units: u64,
    /// Rows of the unit that has most, without the one we are in.
    pub(super) most: u64,
    /// Rows of the unit we are in.
    current: u32,
    pub(super) unit: u32,
}

impl Count {
    /// Counts all rows of a unit at once.
    pub(super) fn unit(&mut self, rows: u64) {
        self.rows += rows;
        self.units += u64::from(rows > 0);
        self.most = self.most.max(rows);
    }

    /// Whether a row of this unit begins another unit.
    pub(super) const fn begins(&self, unit: u32) -> bool {
        self.rows == 0 || self.unit != unit
    }

    /// Counts a row of the unit we are in.
    pub(super) fn row(&mut self) {
        self.rows += 1;
        self.current = self.current.saturating_add(1);
    }

    /// Ends the unit we were in, if we were in one, and says which it was and how many rows it had.
    pub(super) fn end(&mut self) -> Option<(u32, u64)> {
        let rows = u64::from(std::mem::take(&mut self.current));
        self.most = self.most.max(rows);
        (rows > 0).then_some((self.unit, rows))
    }

    /// Begins a unit.
    pub(super) fn begin(&mut self, unit: u32) {
        self.units += 1;
        self.unit = unit;
    }

    /// Adds what others counted of units that were not counted here.
    pub(super) fn add(&mut self, rows: u64, units: u64, most: u64) {
        self.rows += rows;
        self.units += units;
        self.most = self.most.max(most);
    }
}

/// Contributions of units to a sum.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) count: Count,
    /// Sum of the unit we are in.
    pub(super) current: f64,
    pub(super) total: f64,
    top: [f64; TOP_UNITS],
    pub(super) negative: bool,
}

impl Sum {
    /// Adds a row of the unit we are in.
    pub(super) fn row(&mut self, value: f64) {
        self.count.row();
        self.current += value;
    }

    /// Ends the unit we were in, if we were in one, and says which it was and what it summed up to.
    pub(super) fn end(&mut self) -> Option<(u32, f64)> {
        let (unit, _) = self.count.end()?;
        let sum = self.current;
        self.fold();
        Some((unit, sum))
    }

    /// Counts all rows of a unit at once, with their sum.
    pub(super) fn unit(&mut self, rows: u64, sum: f64) {
        self.count.unit(rows);
        self.current = sum;
        self.fold();
    }

    fn fold(&mut self) {
        self.negative |= self.current < 0.0;
        self.total += self.current.abs();
        self.rank(self.current.abs());
        self.current = 0.0;
    }

    /// Keeps a contribution that is among the largest.
    pub(super) fn rank(&mut self, contribution: f64) {
        let mut rest = contribution;
        for kept in &mut self.top {
            if rest > *kept {
                std::mem::swap(&mut rest, kept);
            }
        }
    }
}

/// The evidence of a run of groups.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) cells: Vec<Count>,
    /// The first unit of each group; the last one is the cell's.
    pub(super) firsts: Vec<u32>,
    pub(super) first_units: FirstUnits,
    /// The same of each argument that has its own.
    pub(super) named: Vec<FirstUnits>,
    /// One vector per counted argument.
    pub(super) counts: Vec<Vec<Count>>,
    /// One vector per summed argument.
    pub(super) sums: Vec<Vec<Sum>>,
    /// One for each argument whose distinct values are counted.
    pub(super) values: Vec<Values>,
    /// Of the cell, and of each argument that has its own.
    pub(super) sets: Vec<Sets>,
    /// Likewise.
    pub(super) prints: Vec<Prints>,
}

impl Groups {
    /// `groups` groups without a row.
    pub(super) fn empty(layout: Layout, groups: usize) -> Self {
        let mut first_units = FirstUnits::new(layout.units_kept);
        first_units.grow(groups);
        let named = vec![first_units.clone(); layout.names()];
        let mut values = vec![Values::new(layout.values_kept); layout.values];
        values.iter_mut().for_each(|values| values.grow(groups));
        let mut sets = vec![Sets::default(); layout.sets_kept()];
        sets.iter_mut().for_each(|sets| sets.grow(groups));
        let mut prints = vec![Prints::new(layout.buckets); layout.prints_kept()];
        prints.iter_mut().for_each(|prints| prints.grow(groups));
        Self {
            cells: vec![Count::default(); groups],
            firsts: vec![0; groups],
            first_units,
            named,
            counts: vec![vec![Count::default(); groups]; layout.counts],
            sums: vec![vec![Sum::default(); groups]; layout.sums],
            values,
            sets,
            prints,
        }
    }

    /// So many groups, the new ones without a row.
    pub(super) fn grow(&mut self, groups: usize) {
        self.cells.resize(groups, Count::default());
        self.firsts.resize(groups, 0);
        self.first_units.grow(groups);
        for named in &mut self.named {
            named.grow(groups);
        }
        for counts in &mut self.counts {
            counts.resize(groups, Count::default());
        }
        for sums in &mut self.sums {
            sums.resize(groups, Sum::default());
        }
        for values in &mut self.values {
            values.grow(groups);
        }
        for sets in &mut self.sets {
            sets.grow(groups);
        }
        for prints in &mut self.prints {
            prints.grow(groups);
        }
    }

    /// Takes the first groups, or all; the others become the first.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let counts = self.counts.iter_mut();
        let sums = self.sums.iter_mut();
        let values = self.values.iter_mut();
        let named = self.named.iter_mut();
        let sets = self.sets.iter_mut();
        let prints = self.prints.iter_mut();
        Self {
            cells: emit_to.take_needed(&mut self.cells),
            firsts: emit_to.take_needed(&mut self.firsts),
            first_units: self.first_units.take(emit_to),
            named: named.map(|named| named.take(emit_to)).collect(),
            counts: counts.map(|counts| emit_to.take_needed(counts)).collect(),
            sums: sums.map(|sums| emit_to.take_needed(sums)).collect(),
            values: values.map(|values| values.take(emit_to)).collect(),
            sets: sets.map(|sets| sets.take(emit_to)).collect(),
            prints: prints.map(|prints| prints.take(emit_to)).collect(),
        }
    }

    /// Ends the unit that each group and argument is in, and the sets.
    pub(super) fn end(&mut self, layout: Layout) {
        self.sets.iter_mut().for_each(Sets::end);
        let prints = layout.prints();
        let mut end = |counts: &mut Vec<Count>, print: Option<usize>| {
            for (group, count) in counts.iter_mut().enumerate() {
                if let (Some((unit, rows)), Some(print)) = (count.end(), print) {
                    self.prints[print].add(group, unit, rows as f64);
                }
            }
        };
        end(&mut self.cells, Some(0));
        for (counts, print) in self.counts.iter_mut().zip(prints.counts) {
            end(counts, print);
        }
        for (sums, print) in self.sums.iter_mut().zip(prints.sums) {
            for (group, sum) in sums.iter_mut().enumerate() {
                if let (Some((unit, sum)), Some(print)) = (sum.end(), print) {
                    self.prints[print].add(group, unit, sum);
                }
            }
        }
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        let counts = self.counts.iter().map(Vec::capacity).sum::<usize>() + self.cells.capacity();
        let sums = self.sums.iter().map(Vec::capacity).sum::<usize>();
        counts * size_of::<Count>()
            + sums * size_of::<Sum>()
            + self.firsts.capacity() * size_of::<u32>()
            + self.first_units.size()
            + self.named.iter().map(FirstUnits::size).sum::<usize>()
            + self.values.iter().map(Values::size).sum::<usize>()
            + self.sets.iter().map(Sets::size).sum::<usize>()
            + self.prints.iter().map(Prints::size).sum::<usize>()
    }

    /// What the groups are handed over as.
    pub(super) fn state(&self, layout: Layout) -> Result<Vec<ArrayRef>> {
        let ended = self.columns(Layout {
            set_units_min: 0,
            ..layout
        })?;
        let mut columns = ended.columns().to_vec();
        columns.truncate(columns.len() - layout.values);
        columns.push(Arc::new(UInt32Array::from(self.firsts.clone())));
        let last = self.cells.iter().map(|cell| cell.unit);
        columns.push(Arc::new(last.collect::<UInt32Array>()));
        for values in &self.values {
            columns.push(values.lists()?);
        }
        Ok(columns)
    }

    /// Of each set how many units a group has in it.
    fn units_of_sets(&self, layout: Layout) -> Vec<Box<dyn Fn(usize) -> u64 + '_>> {
        let places = layout.sets();
        let is_kept = |place: &Option<usize>| place.is_some();
        let mut units: Vec<Box<dyn Fn(usize) -> u64 + '_>> =
            vec![Box::new(|group| self.cells[group].units)];
        for (counts, _) in self
            .counts
            .iter()
            .zip(places.counts)
            .filter(|(_, at)| is_kept(at))
        {
            units.push(Box::new(|group| counts[group].units));
        }
        for (sums, _) in self
            .sums
            .iter()
            .zip(places.sums)
            .filter(|(_, at)| is_kept(at))
        {
            units.push(Box::new(|group| sums[group].count.units));
        }
        units
    }

    pub(super) fn columns(&self, layout: Layout) -> Result<StructArray> {
        let mut columns = count_columns(&self.cells).to_vec();
        columns.push(self.first_units.column()?);
        columns.extend(self.counts.iter().flat_map(|counts| count_columns(counts)));
        columns.extend(self.sums.iter().flat_map(|sums| sum_columns(sums)));
        for named in &self.named {
            columns.push(named.column()?);
        }
        for (sets, units) in self.sets.iter().zip(self.units_of_sets(layout)) {
            columns.push(sets.column(|group| units(group) >= layout.set_units_min)?);
        }
        for prints in &self.prints {
            columns.push(prints.column()?);
        }
        columns.push(most(&self.cells));
        columns.extend(self.counts.iter().map(|counts| most(counts)));
        columns.extend(self.values.iter().map(Values::column));
        Ok(StructArray::try_new(layout.fields(), columns, None)?)
    }
}

fn count_columns(counts: &[Count]) -> [ArrayRef; 2] {
    let column = |count: fn(&Count) -> u64| counts.iter().map(count).collect::<UInt64Array>();
    [
        Arc::new(column(|count| count.rows)),
        Arc::new(column(|count| count.units)),
    ]
}

fn most(counts: &[Count]) -> ArrayRef {
    let most = counts.iter().map(|count| count.most);
    Arc::new(most.collect::<UInt64Array>())
}

fn sum_columns(sums: &[Sum]) -> Vec<ArrayRef> {
    let counts: Vec<Count> = sums.iter().map(|sum| sum.count).collect();
    let mut columns = count_columns(&counts).to_vec();
    let float = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    columns.push(float(sums.iter().map(|sum| sum.total).collect()));
    columns
        .extend((0..TOP_UNITS).map(|rank| float(sums.iter().map(|sum| sum.top[rank]).collect())));
    columns.push(Arc::new(BooleanArray::from_iter(
        sums.iter().map(|sum| Some(sum.negative)),
    )));
    columns
}
