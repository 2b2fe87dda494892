//! In which rows, and for which units, an argument has a value; and the same of all rows of a cell.

use datafusion::logical_expr::EmitTo;

use super::kept::FirstUnits;
use super::prints::Prints;
use super::runs::{Arranged, Segments};
use super::sets::Sets;
use super::several::Several;

/// Arranged and units that had a value, and the unit we are in.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count {
    pub(super) rows: u64,
    pub(super) units: u64,
    /// Arranged of the unit that has most, without the one we are in.
    pub(super) most: u64,
    /// Arranged of the unit we are in.
    current: u32,
    /// The unit we are in, or were last.
    pub(super) unit: u32,
    /// The first unit.
    pub(super) first: u32,
}

impl Count {
    /// Ends the unit we were in, if we were in one, and says which it was and how many rows it had.
    fn end(&mut self) -> Option<(u32, u64)> {
        let rows = u64::from(std::mem::take(&mut self.current));
        self.most = self.most.max(rows);
        (rows > 0).then_some((self.unit, rows))
    }

    /// Adds what others counted of units that were not counted here.
    pub(super) fn add(&mut self, rows: u64, units: u64, most: u64) {
        self.rows += rows;
        self.units += units;
        self.most = self.most.max(most);
    }
}

/// What is kept of units beside their number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeps {
    /// How many of the first ones.
    pub(super) first_units: Option<usize>,
    /// Their set.
    pub(super) set: bool,
    /// Which rows they have.
    pub(super) rows: bool,
    /// A print of how many rows each has, in so many buckets.
    pub(super) print: Option<usize>,
}

/// Which rows and units have a value, for each group.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    pub(super) counts: Vec<Count>,
    pub(super) first_units: Option<FirstUnits>,
    pub(super) set: Option<Sets>,
    pub(super) several: Option<Several>,
    pub(super) print: Option<Prints>,
}

impl Presence {
    /// Of no group.
    pub(super) fn new(keeps: Keeps) -> Self {
        Self {
            counts: Vec::new(),
            first_units: keeps.first_units.map(FirstUnits::new),
            set: keeps.set.then(Sets::default),
            several: keeps.rows.then(Several::default),
            print: keeps.print.map(Prints::new),
        }
    }

    /// The same rows and units, of which other things are kept: none that is not kept here.
    pub(super) fn kept(&self, keeps: Keeps) -> Self {
        Self {
            counts: self.counts.clone(),
            first_units: keeps.first_units.and_then(|_| self.first_units.clone()),
            set: self.set.clone().filter(|_| keeps.set),
            several: self.several.clone().filter(|_| keeps.rows),
            print: keeps.print.and_then(|_| self.print.clone()),
        }
    }

    /// So many groups, the new ones without a row.
    pub(super) fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, Count::default());
        if let Some(first_units) = &mut self.first_units {
            first_units.grow(groups);
        }
        if let Some(set) = &mut self.set {
            set.grow(groups);
        }
        if let Some(several) = &mut self.several {
            several.grow(groups);
        }
        if let Some(print) = &mut self.print {
            print.grow(groups);
        }
    }

    /// Counts rows. Whether they came in the order of units; where not, nothing here is of use any more.
    #[must_use]
    pub(super) fn update(&mut self, rows: &Arranged) -> bool {
        if !rows.is_ordered() {
            return false;
        }
        for of in rows.iter() {
            let mut count = self.counts[of.group];
            let first = of.units[0];
            let is_in = count.rows > 0;
            if is_in && first < count.unit {
                return false;
            }
            if !is_in {
                count.first = first;
            }
            // Arranged of the unit that the last ones ended in.
            let joined = usize::from(is_in && first == count.unit);
            if joined == 1 {
                count.current = count.current.saturating_add(of.end(0));
            }
            count.rows += u64::from(of.rows());
            if joined < of.units.len() {
                self.begin(&mut count, &of, joined);
            }
            self.counts[of.group] = count;
        }
        true
    }

    /// Begins units, from a position on: all but the last are ended as well.
    #[inline]
    fn begin(&mut self, count: &mut Count, of: &Segments<'_>, from: usize) {
        let (units, last) = (&of.units[from..], of.units.len() - 1);
        let ended = count.end();
        let mut print = self.print.as_mut().map(|print| print.of(of.group));
        if let (Some(print), Some((unit, rows))) = (&mut print, ended) {
            print.add(unit, rows as f64);
        }
        let mut start = from.checked_sub(1).map_or(0, |before| of.end(before));
        if of.is_a_row_each() {
            count.most = count.most.max(u64::from(last > from));
            if let Some(print) = &mut print {
                let ended = &of.units[from..last];
                ended.iter().for_each(|unit| print.add(*unit, 1.0));
            }
            start = of.end(last) - 1;
        } else {
            let mut most = 0;
            let ends = of.ends(from..last);
            if let Some(print) = &mut print {
                for (unit, end) in of.units[from..last].iter().zip(ends) {
                    most = most.max(end - start);
                    print.add(*unit, f64::from(end - start));
                    start = *end;
                }
            } else if let (Some(first), Some(end)) = (ends.first(), ends.last()) {
                // Without a sum that each depends on, several are compared at once.
                let between = ends.iter().zip(&ends[1..]).map(|(end, next)| next - end);
                most = between.fold(first - start, u32::max);
                start = *end;
            }
            count.most = count.most.max(u64::from(most));
        }
        count.units += units.len() as u64;
        count.unit = of.units[last];
        count.current = of.end(last) - start;
        if let Some(set) = &mut self.set {
            set.extend(of.group, units);
        }
        if let Some(first_units) = &mut self.first_units {
            first_units.extend(of.group, units);
        }
    }

    /// Counts all rows of a unit at once, with what they weigh; units of a group come in ascending order.
    pub(super) fn unit(&mut self, group: usize, unit: u32, rows: u64, weight: u64) {
        let count = &mut self.counts[group];
        if count.rows == 0 {
            count.first = unit;
        }
        count.unit = unit;
        count.add(rows, 1, rows);
        if let Some(print) = &mut self.print {
            print.add(group, unit, rows as f64);
        }
        if let Some(set) = &mut self.set {
            set.extend(group, &[unit]);
        }
        if let Some(several) = &mut self.several {
            several.unit(group, unit, weight);
        }
        if let Some(first_units) = &mut self.first_units {
            first_units.extend(group, &[unit]);
        }
    }

    /// Ends the unit that each group is in, and the sets.
    pub(super) fn end(&mut self) {
        for (group, count) in self.counts.iter_mut().enumerate() {
            if let (Some((unit, rows)), Some(print)) = (count.end(), &mut self.print) {
                print.add(group, unit, rows as f64);
            }
        }
        if let Some(set) = &mut self.set {
            set.end();
        }
        if let Some(several) = &mut self.several {
            several.end();
        }
    }

    /// Takes the first groups, or all; the others become the first.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        Self {
            counts: emit_to.take_needed(&mut self.counts),
            first_units: self.first_units.as_mut().map(|of| of.take(emit_to)),
            set: self.set.as_mut().map(|of| of.take(emit_to)),
            several: self.several.as_mut().map(|of| of.take(emit_to)),
            print: self.print.as_mut().map(|of| of.take(emit_to)),
        }
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.counts.capacity() * size_of::<Count>()
            + self.first_units.as_ref().map_or(0, FirstUnits::size)
            + self.set.as_ref().map_or(0, Sets::size)
            + self.several.as_ref().map_or(0, Several::size)
            + self.print.as_ref().map_or(0, Prints::size)
    }
}
