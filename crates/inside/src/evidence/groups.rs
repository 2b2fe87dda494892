//! The evidence of a run of groups, and the columns it is handed over as.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, StructArray, UInt32Array, UInt64Array, new_null_array,
};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;
use weir_gate::TOP_UNITS;

use super::contributions::{Contributions, Sum};
use super::kept::Values;
use super::layout::Layout;
use super::presence::{Count, Presence};
use super::prints::Prints;
use super::sets::Sets;
use super::several::Columns;

/// The evidence of a run of groups.
///
/// Most columns may be null and are not: an argument that has had a value in every row so far has the cell's rows, units and
/// sets, and nothing of its own is kept of it. It parts with the cell in the first batch in which it is null somewhere.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) cells: Presence,
    /// One for each counted argument; none while it is the cell's.
    pub(super) counts: Vec<Option<Presence>>,
    /// One for each summed argument, likewise.
    pub(super) sums: Vec<Option<Presence>>,
    /// One for each summed argument.
    pub(super) contributions: Vec<Contributions>,
    /// One for each argument whose distinct values are counted.
    pub(super) values: Vec<Values>,
}

impl Groups {
    /// `groups` groups without a row, of which no argument was null yet.
    pub(super) fn empty(layout: Layout, groups: usize) -> Self {
        let contributions = (0..layout.sums).map(|at| layout.print_of_summed(at));
        let mut empty = Self {
            cells: Presence::new(layout.of_cells()),
            counts: (0..layout.counts).map(|_| None).collect(),
            sums: (0..layout.sums).map(|_| None).collect(),
            contributions: contributions.map(Contributions::new).collect(),
            values: vec![Values::new(layout.values_kept); layout.values],
        };
        empty.grow(groups);
        empty
    }

    /// Gives a counted argument its own rows and units, which were the cell's so far.
    pub(super) fn part_counted(&mut self, layout: Layout, at: usize) {
        let cells = &self.cells;
        self.counts[at].get_or_insert_with(|| cells.kept(layout.of_counted(at)));
    }

    /// The same for a summed argument.
    pub(super) fn part_summed(&mut self, layout: Layout, at: usize) {
        let cells = &self.cells;
        self.sums[at].get_or_insert_with(|| cells.kept(layout.of_summed(at)));
    }

    /// Tells rows of a unit apart no longer.
    pub(super) fn forget_rows(&mut self) {
        self.presences().for_each(|of| of.several = None);
    }

    fn presences(&mut self) -> impl Iterator<Item = &mut Presence> {
        let arguments = self.counts.iter_mut().chain(&mut self.sums).flatten();
        std::iter::once(&mut self.cells).chain(arguments)
    }

    /// So many groups, the new ones without a row.
    pub(super) fn grow(&mut self, groups: usize) {
        if groups == self.cells.counts.len() && groups > 0 {
            return;
        }
        self.presences().for_each(|of| of.grow(groups));
        self.contributions.iter_mut().for_each(|of| of.grow(groups));
        self.values.iter_mut().for_each(|of| of.grow(groups));
    }

    /// Takes the first groups, or all; the others become the first.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let take = |of: &mut Option<Presence>| of.as_mut().map(|of| of.take(emit_to));
        let contributions = self.contributions.iter_mut();
        let values = self.values.iter_mut();
        Self {
            cells: self.cells.take(emit_to),
            counts: self.counts.iter_mut().map(take).collect(),
            sums: self.sums.iter_mut().map(take).collect(),
            contributions: contributions.map(|of| of.take(emit_to)).collect(),
            values: values.map(|of| of.take(emit_to)).collect(),
        }
    }

    /// Ends the unit that each group and argument is in, and the sets.
    pub(super) fn end(&mut self) {
        self.presences().for_each(Presence::end);
        self.contributions.iter_mut().for_each(Contributions::end);
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        let arguments = self.counts.iter().chain(&self.sums).flatten();
        self.cells.size()
            + arguments.map(Presence::size).sum::<usize>()
            + self
                .contributions
                .iter()
                .map(Contributions::size)
                .sum::<usize>()
            + self.values.iter().map(Values::size).sum::<usize>()
    }

    /// What the groups are handed over as.
    pub(super) fn state(&self, layout: Layout) -> Result<Vec<ArrayRef>> {
        let ended = self.columns(Layout {
            set_units_min: 0,
            ..layout
        })?;
        let mut columns = ended.columns().to_vec();
        columns.truncate(columns.len() - layout.values);
        let cells = self.cells.counts.iter();
        let first = cells.clone().map(|cell| cell.first);
        columns.push(Arc::new(first.collect::<UInt32Array>()));
        columns.push(Arc::new(
            cells.map(|cell| cell.unit).collect::<UInt32Array>(),
        ));
        for values in &self.values {
            columns.push(values.lists()?);
        }
        Ok(columns)
    }

    /// The counts of an argument, which are the cell's where it has none of its own.
    fn counts_of<'a>(&'a self, own: &'a Option<Presence>) -> &'a [Count] {
        &own.as_ref().unwrap_or(&self.cells).counts
    }

    pub(super) fn columns(&self, layout: Layout) -> Result<StructArray> {
        let cells = &self.cells;
        let mut columns = count_columns(&cells.counts).to_vec();
        columns.push(first_units(cells, cells)?);
        for counts in &self.counts {
            columns.extend(count_columns(self.counts_of(counts)));
        }
        for (sums, contributions) in self.sums.iter().zip(&self.contributions) {
            columns.extend(count_columns(self.counts_of(sums)));
            columns.extend(sum_columns(&contributions.of));
        }
        let counted = self.counts.iter().enumerate();
        let counted = counted.map(|(at, own)| (own.as_ref(), layout.of_counted(at)));
        let summed = self.sums.iter().enumerate();
        let summed = summed.map(|(at, own)| (own.as_ref(), layout.of_summed(at)));
        let arguments: Vec<_> = counted.chain(summed).collect();
        for (own, keeps) in &arguments {
            if keeps.first_units.is_some() {
                columns.push(first_units(own.unwrap_or(cells), cells)?);
            }
        }
        if layout.history {
            columns.push(sets(cells, layout)?);
        }
        for (own, _) in arguments.iter().filter(|(_, keeps)| keeps.set) {
            columns.push(match own {
                Some(own) => sets(own, layout)?,
                None => new_null_array(&Sets::data_type(), cells.counts.len()),
            });
        }
        if layout.history {
            columns.extend(several(cells, layout)?);
        }
        for (own, _) in arguments.iter().filter(|(_, keeps)| keeps.set) {
            columns.extend(match own {
                Some(own) => several(own, layout)?,
                None => Columns::unknown(cells.counts.len()).in_order(),
            });
        }
        if layout.history {
            columns.push(prints(cells)?);
        }
        for (own, keeps) in arguments.iter().filter(|(_, keeps)| keeps.print.is_some()) {
            columns.push(match own {
                Some(own) => prints(own)?,
                // Only what has a set says by it that it is the cell's.
                None if !keeps.set => prints(cells)?,
                None => new_null_array(&Prints::data_type(layout.buckets), cells.counts.len()),
            });
        }
        for contributions in &self.contributions {
            if let Some(print) = &contributions.print {
                columns.push(print.column()?);
            }
        }
        columns.push(most(&cells.counts));
        columns.extend(
            self.counts
                .iter()
                .map(|counts| most(self.counts_of(counts))),
        );
        columns.extend(self.values.iter().map(Values::column));
        Ok(StructArray::try_new(layout.fields(), columns, None)?)
    }
}

fn first_units(of: &Presence, cells: &Presence) -> Result<ArrayRef> {
    match of.first_units.as_ref().or(cells.first_units.as_ref()) {
        Some(first_units) => first_units.column(),
        None => internal_err!("first units are kept of every cell"),
    }
}

fn sets(of: &Presence, layout: Layout) -> Result<ArrayRef> {
    match &of.set {
        Some(set) => set.column(|group| of.counts[group].units >= layout.set_units_min),
        None => internal_err!("no set is kept"),
    }
}

fn several(of: &Presence, layout: Layout) -> Result<[ArrayRef; 4]> {
    let is_asked = |group: usize| of.counts[group].units >= layout.set_units_min;
    let columns = match &of.several {
        Some(several) => several.columns(is_asked)?,
        None => Columns::unknown(of.counts.len()),
    };
    Ok(columns.in_order())
}

fn prints(of: &Presence) -> Result<ArrayRef> {
    match &of.print {
        Some(print) => print.column(),
        None => internal_err!("no print is kept"),
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
    let float = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let mut columns = vec![
        float(sums.iter().map(|sum| sum.sum).collect()),
        float(sums.iter().map(|sum| sum.total).collect()),
    ];
    columns
        .extend((0..TOP_UNITS).map(|rank| float(sums.iter().map(|sum| sum.top[rank]).collect())));
    columns.push(Arc::new(BooleanArray::from_iter(
        sums.iter().map(|sum| Some(sum.negative)),
    )));
    columns
}
