//! The rows of a batch by group, and of each group by unit.
//!
//! What is kept of a group lies in some ten places, and rows of one batch come in any order of groups. Taken group by group,
//! each place is fetched once for all rows that the batch has of the group. The rows of a group are cut where the unit
//! changes, once for all that is computed of them: what follows works on whole units, without asking of each row whether it
//! begins another one, which a processor cannot foresee.

use std::ops::Range;

use datafusion::arrow::buffer::BooleanBuffer;

/// Rows of a batch in an order in which those of a group stand together, as they came.
#[derive(Debug, Default)]
pub(super) struct Runs {
    rows: Vec<u32>,
    /// Groups, and where their rows end.
    ends: Vec<(usize, usize)>,
    /// Per group and lane where the next row goes, while rows are put in order.
    next: Vec<[u32; LANES]>,
}

/// Rows are put in order in so many lanes, one after the other in the batch and all at once: where there are few groups, each
/// row would wait for the place of the one before it to be written.
const LANES: usize = 4;

impl Runs {
    /// Puts the rows of a batch, given by the group of each, in order.
    pub(super) fn arrange(&mut self, groups: &[usize], total: usize) {
        self.rows.clear();
        self.ends.clear();
        if total == 1 || total > groups.len() {
            // Of so many groups few have several rows here.
            self.rows.extend(0..groups.len() as u32);
            let mut end = 0;
            for run in groups.chunk_by(|one, next| one == next) {
                end += run.len();
                self.ends.push((run[0], end));
            }
            return;
        }
        self.next.clear();
        self.next.resize(total, [0; LANES]);
        let lane_rows = groups.len().div_ceil(LANES).max(1);
        let lanes: [&[usize]; LANES] = {
            let mut lanes = groups.chunks(lane_rows);
            std::array::from_fn(|_| lanes.next().unwrap_or_default())
        };
        for at in 0..lane_rows {
            for (lane, groups) in lanes.iter().enumerate() {
                if let Some(group) = groups.get(at) {
                    self.next[*group][lane] += 1;
                }
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
        self.rows.resize(groups.len(), 0);
        for at in 0..lane_rows {
            for (lane, groups) in lanes.iter().enumerate() {
                if let Some(group) = groups.get(at) {
                    let next = &mut self.next[*group][lane];
                    self.rows[*next as usize] = (lane * lane_rows + at) as u32;
                    *next += 1;
                }
            }
        }
    }

    /// Takes those rows of others that have a value.
    pub(super) fn keep(&mut self, all: &Self, has_value: &BooleanBuffer) {
        self.rows.clear();
        self.ends.clear();
        for (group, places) in all.iter() {
            let rows = all.rows[places].iter().copied();
            self.rows
                .extend(rows.filter(|row| has_value.value(*row as usize)));
            self.ends.push((group, self.rows.len()));
        }
    }

    /// The rows, in order.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Each group, and at which places its rows stand.
    fn iter(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let runs = self.ends.iter().zip(starts);
        runs.map(|((group, end), start)| (*group, start..*end))
    }

    pub(super) fn size(&self) -> usize {
        size_of::<u32>() * (self.rows.capacity() + LANES * self.next.capacity())
            + size_of::<(usize, usize)>() * self.ends.capacity()
    }
}

/// Rows of a batch by group and unit.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The unit of each segment, and where its rows end. Longer than there are segments.
    units: Vec<u32>,
    ends: Vec<u32>,
    /// Groups that have a row, and where their segments end.
    groups: Vec<(usize, usize)>,
}

/// The segments of one group: a unit each, as they came.
pub(super) struct Segment<'a> {
    pub(super) group: usize,
    /// At least one. Where a unit stands twice, rows did not come in the order of units.
    pub(super) units: &'a [u32],
    /// Where the rows of each unit end.
    pub(super) ends: &'a [u32],
    /// Where the rows of the first unit begin.
    pub(super) start: u32,
}

impl Segments {
    /// Cuts rows, given the unit of each row of the batch.
    pub(super) fn cut(&mut self, runs: &Runs, units: &[u32]) {
        let most = self.units.len().max(runs.rows.len());
        self.units.resize(most, 0);
        self.ends.resize(most, 0);
        self.groups.clear();
        let mut next = 0;
        for (group, places) in runs.iter() {
            let mut end = places.start as u32;
            let rows = &runs.rows[places];
            let Some(first) = rows.first() else {
                continue;
            };
            let mut last = units[*first as usize];
            // Written for each row, and kept for the last of each unit: no branch depends on the units.
            for row in rows {
                let unit = units[*row as usize];
                next += usize::from(unit != last);
                end += 1;
                self.units[next] = unit;
                self.ends[next] = end;
                last = unit;
            }
            next += 1;
            self.groups.push((group, next));
        }
    }

    /// The segments of each group that has a row.
    pub(super) fn iter(&self) -> impl Iterator<Item = Segment<'_>> {
        let starts = std::iter::once(0).chain(self.groups.iter().map(|(_, end)| *end));
        let groups = self.groups.iter().zip(starts);
        groups.map(|((group, end), start)| Segment {
            group: *group,
            units: &self.units[start..*end],
            ends: &self.ends[start..*end],
            start: start.checked_sub(1).map_or(0, |before| self.ends[before]),
        })
    }

    pub(super) fn size(&self) -> usize {
        size_of::<u32>() * (self.units.capacity() + self.ends.capacity())
            + size_of::<(usize, usize)>() * self.groups.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_stand_together_as_they_came() {
        for (rows, total) in [(1_000, 7), (1_000, 2_000), (7, 7), (9, 7)] {
            let groups: Vec<usize> = (0..rows).map(|row| row * row % 7).collect();
            let mut runs = Runs::default();
            runs.arrange(&groups, total);
            let mut seen = vec![false; groups.len()];
            for (group, places) in runs.iter() {
                let rows = &runs.rows[places];
                assert!(rows.is_sorted() && !rows.is_empty());
                for row in rows {
                    assert_eq!(groups[*row as usize], group);
                    assert!(!std::mem::replace(&mut seen[*row as usize], true));
                }
            }
            assert!(seen.iter().all(|seen| *seen));
        }
    }

    #[test]
    fn segments_are_the_rows_of_a_group_and_unit_that_stand_together() {
        let groups: Vec<usize> = (0..500_usize).map(|row| row * row % 7).collect();
        let units: Vec<u32> = (0..500).map(|row| row / 9).collect();
        let has_value: BooleanBuffer = (0..500).map(|row| row % 5 > 1).collect();
        let (mut all, mut some, mut segments) =
            (Runs::default(), Runs::default(), Segments::default());
        all.arrange(&groups, 8);
        some.keep(&all, &has_value);
        for (runs, is_kept) in [(&all, [true; 5]), (&some, [false, false, true, true, true])] {
            segments.cut(runs, &units);
            let mut seen = 0;
            for of in segments.iter() {
                assert_eq!(of.start, seen);
                for (unit, end) in of.units.iter().zip(of.ends) {
                    let rows = &runs.rows()[seen as usize..*end as usize];
                    assert!(!rows.is_empty());
                    for row in rows.iter().map(|row| *row as usize) {
                        assert_eq!((groups[row], units[row]), (of.group, *unit));
                        assert!(is_kept[row % 5]);
                    }
                    seen = *end;
                }
                assert!(of.units.is_sorted_by(|one, next| one < next));
            }
            let expected = (0..500).filter(|row| is_kept[row % 5]).count();
            assert_eq!(seen as usize, expected);
        }
    }
}
