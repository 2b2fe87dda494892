//! Evidence in parts: where rows are read in several parts, each part counts for itself, and the parts are added.
//!
//! Counts of units may be added because no unit is in two parts: each part hands over the range of a group's units, and a
//! range that does not lie behind the one before it ends the run.

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, UInt64Array};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, internal_err};
use weir_gate::TOP_UNITS;

use super::accumulator::OutOfOrder;
use super::layout::{Groups, Layout, Sum};
use super::members::bytes_of;

impl Groups {
    /// Adds groups that another part has counted.
    pub(super) fn add(
        &mut self,
        layout: Layout,
        state: &[ArrayRef],
        groups: &[usize],
    ) -> Result<()> {
        if state.len() != layout.state_fields().len() {
            return internal_err!("evidence is handed over as it is laid out");
        }
        let mut columns = state.iter();
        let mut column = || match columns.next() {
            Some(column) => Ok(column),
            None => internal_err!("evidence is handed over as it is laid out"),
        };
        let (rows, units, first_units) = (numbers(column()?), numbers(column()?), column()?);
        let counts = (0..layout.counts)
            .map(|_| Ok((numbers(column()?), numbers(column()?))))
            .collect::<Result<Vec<_>>>()?;
        let sums = (0..layout.sums)
            .map(|_| {
                Ok(SumState {
                    rows: numbers(column()?),
                    units: numbers(column()?),
                    total: floats(column()?),
                    top: (0..TOP_UNITS)
                        .map(|_| Ok(floats(column()?)))
                        .collect::<Result<Vec<_>>>()?,
                    negative: column()?.as_boolean(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let of_arguments = (0..layout.names())
            .map(|_| Ok(column()?.as_list::<i32>()))
            .collect::<Result<Vec<_>>>()?;
        let sets = (0..layout.sets_kept())
            .map(|_| column())
            .collect::<Result<Vec<_>>>()?;
        let prints = (0..layout.prints_kept())
            .map(|_| column())
            .collect::<Result<Vec<_>>>()?;
        let most = numbers(column()?);
        let counts_most = (0..layout.counts)
            .map(|_| Ok(numbers(column()?)))
            .collect::<Result<Vec<_>>>()?;
        let (first, last) = (column()?, column()?);
        let (first, last) = (
            first.as_primitive::<UInt32Type>(),
            last.as_primitive::<UInt32Type>(),
        );
        for (row, group) in groups.iter().enumerate() {
            if rows.value(row) == 0 {
                continue;
            }
            let cell = &mut self.cells[*group];
            if cell.rows == 0 {
                self.firsts[*group] = first.value(row);
            } else if first.value(row) <= cell.unit {
                return Err(DataFusionError::External(Box::new(OutOfOrder)));
            }
            cell.add(rows.value(row), units.value(row), most.value(row));
            cell.unit = last.value(row);
            let named = first_units.as_list::<i32>().value(row);
            for unit in named.as_primitive::<UInt32Type>().values() {
                self.first_units.push(*group, *unit);
            }
            for (names, lists) in self.named.iter_mut().zip(&of_arguments) {
                let units = lists.value(row);
                for unit in units.as_primitive::<UInt32Type>().values() {
                    names.push(*group, *unit);
                }
            }
            let counted = self.counts.iter_mut().zip(&counts).zip(&counts_most);
            for ((count, (rows, units)), most) in counted {
                count[*group].add(rows.value(row), units.value(row), most.value(row));
            }
            for (sets, of_part) in self.sets.iter_mut().zip(&sets) {
                sets.merge(*group, bytes_of(of_part, row));
            }
            for (prints, of_part) in self.prints.iter_mut().zip(&prints) {
                prints.merge(*group, bytes_of(of_part, row));
            }
            for (sum, state) in self.sums.iter_mut().zip(&sums) {
                state.add_to(row, &mut sum[*group]);
            }
        }
        for values in &mut self.values {
            let lists = column()?;
            let lists = lists.as_list::<i32>();
            for (row, group) in groups.iter().enumerate() {
                let tags = lists.value(row);
                for tag in tags.as_primitive::<UInt64Type>().values() {
                    values.see(*group, *tag);
                }
            }
        }
        Ok(())
    }
}

/// What a part says of one summed argument.
struct SumState<'a> {
    rows: &'a UInt64Array,
    units: &'a UInt64Array,
    total: &'a Float64Array,
    top: Vec<&'a Float64Array>,
    negative: &'a BooleanArray,
}

impl SumState<'_> {
    fn add_to(&self, row: usize, sum: &mut Sum) {
        let (rows, units) = (self.rows.value(row), self.units.value(row));
        sum.count.add(rows, units, 0);
        sum.total += self.total.value(row);
        for top in &self.top {
            sum.rank(top.value(row));
        }
        sum.negative |= self.negative.value(row);
    }
}

fn numbers(column: &ArrayRef) -> &UInt64Array {
    column.as_primitive::<UInt64Type>()
}

fn floats(column: &ArrayRef) -> &Float64Array {
    column.as_primitive::<Float64Type>()
}
