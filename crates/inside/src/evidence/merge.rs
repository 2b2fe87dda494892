//! Evidence in parts: where rows are read in several parts, each part counts for itself, and the parts are added.
//!
//! Counts of units may be added because no unit is in two parts: each part hands over the range of a group's units, and a
//! range that does not lie behind the one before it ends the run.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, internal_err};
use weir_gate::TOP_UNITS;

use super::accumulator::OutOfOrder;
use super::contributions::Sum;
use super::groups::Groups;
use super::layout::Layout;
use super::presence::Presence;
use super::prints::bytes_of;
use super::several::Columns;

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
        let part = Part::new(layout, &mut state.iter())?;
        // Before the cells have anything of this part: what was theirs so far is the argument's, and no more.
        for (at, own) in part.counts.iter().enumerate() {
            if own.is_some() {
                self.part_counted(layout, at);
            }
        }
        for (at, own) in part.sums.iter().enumerate() {
            if own.is_some() {
                self.part_summed(layout, at);
            }
        }
        for (row, group) in groups.iter().enumerate() {
            if part.cells.rows.value(row) == 0 {
                continue;
            }
            let (first, last) = (part.first.value(row), part.last.value(row));
            let cell = &mut self.cells.counts[*group];
            if cell.rows == 0 {
                cell.first = first;
            } else if first <= cell.unit {
                return Err(DataFusionError::External(Box::new(OutOfOrder)));
            }
            cell.unit = last;
            part.cells.add_to(row, *group, &mut self.cells);
            let counted = self.counts.iter_mut().zip(&part.counts);
            let summed = self.sums.iter_mut().zip(&part.sums);
            for (own, of_part) in counted.chain(summed) {
                if let Some(own) = own {
                    let of_part = of_part.as_ref().unwrap_or(&part.cells);
                    of_part.add_to(row, *group, own);
                }
            }
            for (own, of_part) in self.contributions.iter_mut().zip(&part.contributions) {
                of_part.add_to(row, &mut own.of[*group]);
                if let (Some(print), Some(of_part)) = (&mut own.print, of_part.print) {
                    print.merge(*group, bytes_of(of_part, row));
                }
            }
        }
        for (values, lists) in self.values.iter_mut().zip(&part.values) {
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

/// What a part says of its groups.
struct Part<'a> {
    cells: Rows<'a>,
    /// None where they are the cell's.
    counts: Vec<Option<Rows<'a>>>,
    sums: Vec<Option<Rows<'a>>>,
    contributions: Vec<Contributed<'a>>,
    first: &'a UInt32Array,
    last: &'a UInt32Array,
    values: Vec<&'a ListArray>,
}

impl<'a> Part<'a> {
    /// Takes the columns in the order in which [`Layout::state_fields`] has them.
    fn new(layout: Layout, columns: &mut dyn Iterator<Item = &'a ArrayRef>) -> Result<Self> {
        let mut column = || match columns.next() {
            Some(column) => Ok(column),
            None => internal_err!("evidence is handed over as it is laid out"),
        };
        let mut cells = Rows::new(column()?, column()?);
        cells.first_units = Some(column()?.as_list());
        let mut counts = Vec::new();
        for _ in 0..layout.counts {
            counts.push(Rows::new(column()?, column()?));
        }
        let (mut sums, mut contributions) = (Vec::new(), Vec::new());
        for _ in 0..layout.sums {
            sums.push(Rows::new(column()?, column()?));
            contributions.push(Contributed {
                sum: floats(column()?),
                total: floats(column()?),
                top: (0..TOP_UNITS)
                    .map(|_| Ok(floats(column()?)))
                    .collect::<Result<Vec<_>>>()?,
                negative: column()?.as_boolean(),
                print: None,
            });
        }
        let (named, sets, prints) = (layout.named(), layout.sets(), layout.prints());
        for of in with(&mut counts, &named.counts).chain(with(&mut sums, &named.sums)) {
            of.first_units = Some(column()?.as_list());
        }
        if layout.history {
            cells.set = Some(column()?);
        }
        for of in with(&mut counts, &sets.counts).chain(with(&mut sums, &sets.sums)) {
            of.set = Some(column()?);
        }
        let mut several = || {
            let of = Columns {
                twos: column()?,
                threes: column()?,
                weights: column()?,
                noted: column()?,
            };
            Ok::<_, DataFusionError>(Some(of).filter(|of| of.weights.null_count() == 0))
        };
        if layout.history {
            cells.several = several()?;
        }
        for of in with(&mut counts, &sets.counts).chain(with(&mut sums, &sets.sums)) {
            of.several = several()?;
        }
        if layout.history {
            cells.print = Some(column()?);
        }
        for of in with(&mut counts, &prints.counts) {
            of.print = Some(column()?);
        }
        for of in with(&mut contributions, &prints.sums) {
            of.print = Some(column()?);
        }
        cells.most = Some(numbers(column()?));
        for of in &mut counts {
            of.most = Some(numbers(column()?));
        }
        let (first, last) = (column()?.as_primitive(), column()?.as_primitive());
        let values = (0..layout.values).map(|_| Ok(column()?.as_list()));
        Ok(Self {
            first,
            last,
            values: values.collect::<Result<_>>()?,
            cells,
            counts: counts.into_iter().map(Rows::unless_the_cells).collect(),
            sums: sums.into_iter().map(Rows::unless_the_cells).collect(),
            contributions,
        })
    }
}

/// Those that have a place.
fn with<'a, T>(of: &'a mut [T], places: &'a [Option<usize>]) -> impl Iterator<Item = &'a mut T> {
    let placed = of.iter_mut().zip(places);
    placed
        .filter(|(_, place)| place.is_some())
        .map(|(of, _)| of)
}

/// What a part says of the rows of a cell, or of those in which an argument has a value.
struct Rows<'a> {
    rows: &'a UInt64Array,
    units: &'a UInt64Array,
    most: Option<&'a UInt64Array>,
    first_units: Option<&'a ListArray>,
    set: Option<&'a ArrayRef>,
    /// None where rows are not told apart, or are the cell's.
    several: Option<Columns<&'a ArrayRef>>,
    print: Option<&'a ArrayRef>,
}

impl<'a> Rows<'a> {
    fn new(rows: &'a ArrayRef, units: &'a ArrayRef) -> Self {
        Self {
            rows: numbers(rows),
            units: numbers(units),
            most: None,
            first_units: None,
            set: None,
            several: None,
            print: None,
        }
    }

    /// None where the set says that all of it is the cell's.
    fn unless_the_cells(self) -> Option<Self> {
        let is_the_cells = self.set.is_some_and(|set| set.null_count() == set.len());
        (!is_the_cells).then_some(self)
    }

    fn add_to(&self, row: usize, group: usize, own: &mut Presence) {
        let most = self.most.map_or(0, |most| most.value(row));
        own.counts[group].add(self.rows.value(row), self.units.value(row), most);
        if let (Some(own), Some(lists)) = (&mut own.first_units, self.first_units) {
            let units = lists.value(row);
            own.extend(group, units.as_primitive::<UInt32Type>().values());
        }
        if let (Some(own), Some(sets)) = (&mut own.set, self.set) {
            own.merge(group, sets, row);
        }
        match (&mut own.several, self.several) {
            (Some(own), Some(several)) => own.merge(group, several, row),
            (several, _) => *several = None,
        }
        if let (Some(own), Some(prints)) = (&mut own.print, self.print) {
            own.merge(group, bytes_of(prints, row));
        }
    }
}

/// What a part says of the contributions to one sum.
struct Contributed<'a> {
    sum: &'a Float64Array,
    total: &'a Float64Array,
    top: Vec<&'a Float64Array>,
    negative: &'a BooleanArray,
    print: Option<&'a ArrayRef>,
}

impl Contributed<'_> {
    fn add_to(&self, row: usize, sum: &mut Sum) {
        sum.sum += self.sum.value(row);
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
