//! Arranged by group, and those of each group by unit.
//!
//! What is kept of a group lies in some ten places, and rows come in any order of groups. Taken group by group, each place is
//! fetched once for all rows of the group, and each column is read from its beginning to its end. The rows of a group are cut
//! where the unit changes, once for all that is computed of them: what follows works on whole units, without asking of each
//! row whether it begins another one, which a processor cannot foresee.

use std::ops::Range;

/// Where rows go for those of a group to stand together, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The place of each row; none where rows of a group stand together as they are.
    places: Vec<u32>,
    /// Groups, and where their rows end.
    ends: Vec<(usize, usize)>,
    /// Per group and lane where the next row goes, while places are given out.
    next: Vec<[u32; LANES]>,
}

/// Arranged are put in order in so many lanes, one after the other among them and all at once: where there are few groups, each
/// row would wait for the place of the one before it to be written.
const LANES: usize = 4;

impl Order {
    /// Orders rows, given by the group of each.
    pub(super) fn arrange(&mut self, groups: &[u32], total: usize) {
        self.places.clear();
        self.ends.clear();
        if total == 1 || total > groups.len() {
            // Of so many groups few have several rows here.
            let mut end = 0;
            for run in groups.chunk_by(|one, next| one == next) {
                end += run.len();
                self.ends.push((run[0] as usize, end));
            }
            return;
        }
        self.next.clear();
        self.next.resize(total, [0; LANES]);
        let lane_rows = groups.len().div_ceil(LANES).max(1);
        let lanes: [&[u32]; LANES] = {
            let mut lanes = groups.chunks(lane_rows);
            std::array::from_fn(|_| lanes.next().unwrap_or_default())
        };
        // As many rows as each lane has, and what the longer ones have beyond.
        let shared = lanes[LANES - 1].len();
        let [a, b, c, d] = lanes.map(|lane| &lane[..shared]);
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            self.next[*a as usize][0] += 1;
            self.next[*b as usize][1] += 1;
            self.next[*c as usize][2] += 1;
            self.next[*d as usize][3] += 1;
        }
        for (lane, groups) in lanes.iter().enumerate() {
            for group in &groups[shared..] {
                self.next[*group as usize][lane] += 1;
            }
        }
        let mut end = 0;
        for (group, next) in self.next.iter_mut().enumerate() {
            let start = end;
            for next in next {
                end += std::mem::replace(next, end);
            }
            if end > start {
                self.ends.push((group, end as usize));
            }
        }
        self.give_places(&lanes, lane_rows, shared);
    }

    fn give_places(&mut self, lanes: &[&[u32]; LANES], lane_rows: usize, shared: usize) {
        self.places
            .resize(lanes.iter().map(|lane| lane.len()).sum(), 0);
        let mut places = self.places.chunks_mut(lane_rows);
        let mut places: [&mut [u32]; LANES] =
            std::array::from_fn(|_| places.next().unwrap_or_default());
        let mut next = |group: u32, lane: usize| {
            let next = &mut self.next[group as usize][lane];
            *next += 1;
            *next - 1
        };
        let [a, b, c, d] = lanes.map(|lane| &lane[..shared]);
        let [in_a, in_b, in_c, in_d] = &mut places;
        for row in 0..shared {
            in_a[row] = next(a[row], 0);
            in_b[row] = next(b[row], 1);
            in_c[row] = next(c[row], 2);
            in_d[row] = next(d[row], 3);
        }
        for (lane, (groups, places)) in lanes.iter().zip(&mut places).enumerate() {
            for (group, place) in groups.iter().zip(places.iter_mut()).skip(shared) {
                *place = next(*group, lane);
            }
        }
    }

    /// Puts a column, which comes in parts, in order.
    pub(super) fn put<'a, T: Copy + Default + 'a>(
        &self,
        parts: impl Iterator<Item = &'a [T]>,
        into: &mut Vec<T>,
    ) {
        if self.places.is_empty() {
            into.clear();
            parts.for_each(|part| into.extend_from_slice(part));
            return;
        }
        into.resize(self.places.len(), T::default());
        let mut places = self.places.as_slice();
        for part in parts {
            let (here, later) = places.split_at(part.len());
            for (value, place) in part.iter().zip(here) {
                into[*place as usize] = *value;
            }
            places = later;
        }
    }

    pub(super) fn size(&self) -> usize {
        size_of::<u32>() * (self.places.capacity() + LANES * self.next.capacity())
            + size_of::<(usize, usize)>() * self.ends.capacity()
    }
}

/// Arranged in order of groups, cut by unit.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    /// The unit of each row.
    units: Vec<u32>,
    /// Groups that have a row.
    runs: Vec<Run>,
    /// Of groups of which a unit has several rows, each unit, and how many rows there are to its end.
    cut_units: Vec<u32>,
    cut_ends: Vec<u32>,
    is_ordered: bool,
}

/// The rows of one group.
#[derive(Debug)]
struct Run {
    group: usize,
    rows: Range<usize>,
    /// Where its units are among those that are cut; none where each has a row.
    cut: Option<Range<usize>>,
}

/// The rows of one group by unit, in the order in which they came.
pub(super) struct Segments<'a> {
    pub(super) group: usize,
    /// At least one.
    pub(super) units: &'a [u32],
    /// How many rows there are to the end of each unit; none where each has a row.
    ends: Option<&'a [u32]>,
    rows: Range<usize>,
}

impl Segments<'_> {
    /// How many rows all units have.
    pub(super) fn rows(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Whether each unit has one row, as where there are many groups.
    pub(super) const fn is_a_row_each(&self) -> bool {
        self.ends.is_none()
    }

    /// How many rows there are to the end of each of some units, given by their positions; none where each has a row.
    pub(super) fn ends(&self, units: Range<usize>) -> &[u32] {
        self.ends.map_or(&[], |ends| &ends[units])
    }

    /// How many rows there are to the end of a unit, given by its position.
    pub(super) fn end(&self, at: usize) -> u32 {
        self.ends.map_or(at as u32 + 1, |ends| ends[at])
    }
}

impl Arranged {
    /// Takes rows in that order, of which the units come in parts.
    pub(super) fn take<'a>(&mut self, order: &Order, units: impl Iterator<Item = &'a [u32]>) {
        order.put(units, &mut self.units);
        self.begin();
        let mut start = 0;
        for (group, end) in &order.ends {
            self.cut(*group, start..*end);
            start = *end;
        }
    }

    /// Takes those rows of others that have a value.
    pub(super) fn keep(&mut self, all: &Self, has_value: &[bool]) {
        self.units.clear();
        self.begin();
        for run in &all.runs {
            let start = self.units.len();
            let rows = all.units[run.rows.clone()].iter();
            let rows = rows.zip(&has_value[run.rows.clone()]);
            self.units.extend(
                rows.filter(|(_, has_value)| **has_value)
                    .map(|(unit, _)| *unit),
            );
            self.cut(run.group, start..self.units.len());
        }
    }

    fn begin(&mut self) {
        self.runs.clear();
        self.cut_units.clear();
        self.cut_ends.clear();
        self.is_ordered = true;
    }

    /// Cuts the rows of a group.
    fn cut(&mut self, group: usize, rows: Range<usize>) {
        let Some((first, later)) = self.units[rows.clone()].split_first() else {
            return;
        };
        let pairs = self.units[rows.clone()].iter().zip(later);
        // Without a way out in between, several are compared at once.
        let is_a_row_each = pairs.fold(true, |all, (one, next)| all & (one < next));
        let mut cut = None;
        if !is_a_row_each {
            let from = self.cut_units.len();
            self.cut_units.resize(from + rows.len(), *first);
            self.cut_ends.resize(from + rows.len(), 1);
            let units = &mut self.cut_units[from..];
            let ends = &mut self.cut_ends[from..];
            let (mut next, mut last) = (0, *first);
            // Written for each row, and kept for the last of each unit: no branch depends on the units.
            for (end, unit) in (2..).zip(later) {
                next += usize::from(*unit != last);
                self.is_ordered &= *unit >= last;
                units[next] = *unit;
                ends[next] = end;
                last = *unit;
            }
            let until = from + next + 1;
            self.cut_units.truncate(until);
            self.cut_ends.truncate(until);
            cut = Some(from..until);
        }
        self.runs.push(Run { group, rows, cut });
    }

    /// Whether the rows of each group came in the order of units, so that no unit is among its segments twice.
    pub(super) const fn is_ordered(&self) -> bool {
        self.is_ordered
    }

    /// The rows of each group that has one.
    pub(super) fn iter(&self) -> impl Iterator<Item = Segments<'_>> {
        self.runs.iter().map(|run| {
            let (units, ends) = match &run.cut {
                Some(cut) => (
                    &self.cut_units[cut.clone()],
                    Some(&self.cut_ends[cut.clone()]),
                ),
                None => (&self.units[run.rows.clone()], None),
            };
            Segments {
                group: run.group,
                units,
                ends,
                rows: run.rows.clone(),
            }
        })
    }

    /// The unit of each row.
    pub(super) fn units(&self) -> &[u32] {
        &self.units
    }

    /// What the values of each unit of a group add up to, of a column in the same order. The first unit has something already.
    pub(super) fn by_unit<'a>(
        &self,
        of: &Segments<'_>,
        column: &'a [f64],
        first: f64,
        sums: &'a mut Vec<f64>,
    ) -> &'a [f64] {
        let values = &column[of.rows.clone()];
        if of.is_a_row_each() && first == 0.0 {
            return values;
        }
        let units = &self.units[of.rows.clone()];
        sums.clear();
        sums.resize(of.units.len(), 0.0);
        sums[0] = first;
        let (mut at, mut last) = (0, units[0]);
        for (unit, value) in units.iter().zip(values) {
            // As in cutting, no branch depends on the units.
            at += usize::from(*unit != last);
            sums[at] += *value;
            last = *unit;
        }
        sums
    }

    /// What each unit of a group adds, where a column in the same order has what all rows up to each one add up to, modulo 2⁶⁴.
    pub(super) fn by_unit_of_totals(&self, of: &Segments<'_>, totals: &[u64], sums: &mut Vec<u64>) {
        let mut before = of.rows.start.checked_sub(1).map_or(0, |last| totals[last]);
        let totals = &totals[of.rows.clone()];
        let mut added = |total: u64| {
            let sum = total.wrapping_sub(before);
            before = total;
            sum
        };
        sums.clear();
        match of.ends {
            None => sums.extend(totals.iter().map(|total| added(*total))),
            Some(ends) => sums.extend(ends.iter().map(|end| added(totals[*end as usize - 1]))),
        }
    }

    pub(super) fn size(&self) -> usize {
        let numbers = self.units.capacity() + self.cut_units.capacity() + self.cut_ends.capacity();
        size_of::<u32>() * numbers + size_of::<Run>() * self.runs.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows that segments stand for, by group and unit, with what their values add up to.
    fn told(rows: &Arranged, column: &[f64]) -> Vec<(usize, u32, u32, f64)> {
        let mut told = Vec::new();
        for of in rows.iter() {
            let mut sums = Vec::new();
            let sums = rows.by_unit(&of, column, 0.0, &mut sums).to_vec();
            assert_eq!(sums.len(), of.units.len());
            let mut start = 0;
            for (at, (unit, sum)) in of.units.iter().zip(sums).enumerate() {
                told.push((of.group, *unit, of.end(at) - start, sum));
                start = of.end(at);
            }
            assert_eq!(start, of.rows());
        }
        told
    }

    /// The same row by row.
    fn expected(
        groups: &[u32],
        units: &[u32],
        kept: &[bool],
        values: &[f64],
    ) -> Vec<(usize, u32, u32, f64)> {
        let mut of = std::collections::BTreeMap::<(usize, u32), (u32, f64)>::new();
        for (((group, unit), kept), value) in groups.iter().zip(units).zip(kept).zip(values) {
            if *kept {
                let (rows, sum) = of.entry((*group as usize, *unit)).or_default();
                *rows += 1;
                *sum += value;
            }
        }
        let told = of.into_iter();
        told.map(|((group, unit), (rows, sum))| (group, unit, rows, sum))
            .collect()
    }

    #[test]
    fn rows_are_told_by_group_and_unit() {
        for (rows, total, per_unit) in [
            (1_000, 7, 9),
            (1_001, 7, 1),
            (1_000, 130, 4),
            (7, 7, 2),
            (9, 7, 3),
            (50, 1, 3),
        ] {
            let groups: Vec<u32> = (0..rows).map(|row| row * row % 7 % total).collect();
            let units: Vec<u32> = (0..rows).map(|row| row / per_unit).collect();
            let values: Vec<f64> = (0..rows).map(|row| f64::from(row % 13)).collect();
            let kept: Vec<bool> = (0..rows).map(|row| row % 5 > 1).collect();
            let (mut order, mut all, mut some) =
                (Order::default(), Arranged::default(), Arranged::default());
            let (mut column, mut flags) = (Vec::new(), Vec::new());
            order.arrange(&groups, total as usize);
            all.take(&order, units.chunks(300));
            order.put(values.chunks(300), &mut column);
            order.put(kept.chunks(300), &mut flags);
            some.keep(&all, &flags);
            assert!(all.is_ordered() && some.is_ordered());
            let everything = vec![true; groups.len()];
            assert_eq!(
                told(&all, &column),
                expected(&groups, &units, &everything, &values)
            );
            let mut flags = flags.iter();
            column.retain(|_| flags.next() == Some(&true));
            assert_eq!(
                told(&some, &column),
                expected(&groups, &units, &kept, &values)
            );
        }
    }

    #[test]
    fn rows_of_many_groups_stay_where_they_are() {
        let (mut order, mut rows) = (Order::default(), Arranged::default());
        order.arrange(&[8, 8, 2, 9, 2], 10);
        rows.take(&order, [[1, 2, 2, 2, 3].as_slice()].into_iter());
        let groups: Vec<usize> = rows.iter().map(|of| of.group).collect();
        assert_eq!(groups, [8, 2, 9, 2]);
        assert_eq!(rows.iter().map(|of| of.rows()).sum::<u32>(), 5);
    }

    #[test]
    fn it_is_seen_where_rows_of_a_group_come_in_another_order() {
        for (units, is_ordered) in [
            ([1, 7, 2, 7, 3, 9], true),
            ([1, 7, 2, 9, 1, 9], false),
            ([2, 7, 2, 7, 2, 6], false),
        ] {
            let (mut order, mut rows) = (Order::default(), Arranged::default());
            order.arrange(&[0, 1, 0, 1, 0, 1], 2);
            rows.take(&order, [units.as_slice()].into_iter());
            assert_eq!(rows.is_ordered(), is_ordered);
        }
    }
}
