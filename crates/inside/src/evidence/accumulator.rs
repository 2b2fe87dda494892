//! The running update: one pass over rows sorted by unit.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, StructArray, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type, UInt32Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use weir_gate::TOP_UNITS;

/// What is computed of each group: the cell itself, then each counted argument, then each summed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    /// Arguments whose values are counted.
    pub(crate) counts: usize,
    /// Arguments whose values are summed.
    pub(crate) sums: usize,
}

impl Layout {
    /// Names and types of what a group ends in.
    pub(crate) fn fields(self) -> Fields {
        let count = |name: String| Field::new(name, DataType::UInt64, false);
        let float = |name: String| Field::new(name, DataType::Float64, false);
        let mut fields = vec![count("rows".to_owned()), count("units".to_owned())];
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
        fields.into()
    }
}

/// Rows and units that had a value, and the unit we are in.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    rows: u64,
    units: u64,
    unit: u32,
}

impl Count {
    /// Counts a row; true where it begins another unit.
    fn row(&mut self, unit: u32) -> bool {
        let begins = self.rows == 0 || self.unit != unit;
        self.rows += 1;
        self.units += u64::from(begins);
        self.unit = unit;
        begins
    }
}

/// Contributions of units to a sum.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: Count,
    /// Sum of the unit we are in.
    current: f64,
    total: f64,
    top: [f64; TOP_UNITS],
    negative: bool,
}

impl Sum {
    fn row(&mut self, unit: u32, value: f64) {
        if self.count.row(unit) {
            self.fold();
        }
        self.current += value;
    }

    /// Ends the unit we were in.
    fn fold(&mut self) {
        let contribution = self.current.abs();
        self.negative |= self.current < 0.0;
        self.total += contribution;
        let mut rest = contribution;
        for kept in &mut self.top {
            if rest > *kept {
                std::mem::swap(&mut rest, kept);
            }
        }
        self.current = 0.0;
    }
}

/// The evidence of every group so far.
#[derive(Debug)]
pub(crate) struct Evidence {
    layout: Layout,
    cells: Vec<Count>,
    /// One vector per counted argument, indexed by group.
    counts: Vec<Vec<Count>>,
    /// One vector per summed argument, indexed by group.
    sums: Vec<Vec<Sum>>,
}

impl Evidence {
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            cells: Vec::new(),
            counts: vec![Vec::new(); layout.counts],
            sums: vec![Vec::new(); layout.sums],
        }
    }

    fn grow(&mut self, groups: usize) {
        self.cells.resize(groups, Count::default());
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
                return internal_err!("rows are not in the order of units");
            }
            cell.row(*unit);
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
        let (Some(units), None) = (
            values
                .first()
                .and_then(|units| units.as_primitive_opt::<UInt32Type>()),
            opt_filter,
        ) else {
            return internal_err!("evidence is computed of units, unfiltered");
        };
        // Behind the arguments the engine hands over what it orders by, here the unit once more.
        let arguments = values.get(1..1 + self.layout.counts + self.layout.sums);
        let (Some(arguments), 0) = (arguments, units.null_count()) else {
            return internal_err!("evidence is computed of its arguments");
        };
        self.grow(total_num_groups);
        self.update_cells(units, group_indices)?;
        let units = units.values();
        let (counted, summed) = arguments.split_at(self.layout.counts);
        for (counts, column) in self.counts.iter_mut().zip(counted) {
            let has_value = column.as_boolean();
            for (row, group) in group_indices.iter().enumerate() {
                if has_value.value(row) {
                    counts[*group].row(units[row]);
                }
            }
        }
        for (sums, column) in self.sums.iter_mut().zip(summed) {
            let column = column.as_primitive::<Float64Type>();
            for (row, group) in group_indices.iter().enumerate() {
                if column.is_valid(row) {
                    sums[*group].row(units[row], column.value(row));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let cells = emit_to.take_needed(&mut self.cells);
        let mut columns = count_columns(&cells).to_vec();
        for counts in &mut self.counts {
            columns.extend(count_columns(&emit_to.take_needed(counts)));
        }
        for sums in &mut self.sums {
            let mut sums = emit_to.take_needed(sums);
            sums.iter_mut().for_each(Sum::fold);
            columns.extend(sum_columns(&sums));
        }
        Ok(Arc::new(StructArray::try_new(
            self.layout.fields(),
            columns,
            None,
        )?))
    }

    fn state(&mut self, _emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        one_partition()
    }

    fn merge_batch(
        &mut self,
        _values: &[ArrayRef],
        _group_indices: &[usize],
        _total_num_groups: usize,
    ) -> Result<()> {
        one_partition()
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

/// Inside runs on one partition, so that float sums are the same everywhere; partial results are never merged.
fn one_partition<T>() -> Result<T> {
    internal_err!("evidence is computed in one partition")
}

fn count_columns(counts: &[Count]) -> [ArrayRef; 2] {
    let column = |count: fn(&Count) -> u64| counts.iter().map(count).collect::<UInt64Array>();
    [
        Arc::new(column(|count| count.rows)),
        Arc::new(column(|count| count.units)),
    ]
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

/// The evidence of a table without keys: one group, there from the start.
#[derive(Debug)]
pub(crate) struct Whole(Evidence);

impl Whole {
    pub(crate) fn new(layout: Layout) -> Self {
        let mut evidence = Evidence::new(layout);
        evidence.grow(1);
        Self(evidence)
    }
}

impl Accumulator for Whole {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |units| units.len());
        self.0.update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        one_partition()
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        one_partition()
    }
}

#[cfg(test)]
mod tests;
