//! The rows of a batch, by group.
//!
//! What is kept of a group lies in some ten places, and rows of one batch come in any order of groups. Taken group by group,
//! each place is fetched once for all rows that the batch has of the group, and worked on in registers.

use std::ops::Range;

/// Rows of a batch in an order in which those of a group stand together, as they came.
#[derive(Debug, Default)]
pub(super) struct Runs {
    rows: Vec<u32>,
    /// Groups, and where their rows end.
    ends: Vec<(usize, usize)>,
    /// Per group where its next row goes, while rows are put in order.
    next: Vec<u32>,
}

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
        self.next.resize(total, 0);
        for group in groups {
            self.next[*group] += 1;
        }
        let mut end = 0;
        for (group, next) in self.next.iter_mut().enumerate() {
            let rows = std::mem::replace(next, end);
            if rows > 0 {
                end += rows;
                self.ends.push((group, end as usize));
            }
        }
        self.rows.resize(groups.len(), 0);
        for (row, group) in groups.iter().enumerate() {
            let next = &mut self.next[*group];
            self.rows[*next as usize] = row as u32;
            *next += 1;
        }
    }

    /// Each group, and at which places its rows stand.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let runs = self.ends.iter().zip(starts);
        runs.map(|((group, end), start)| (*group, start..*end))
    }

    /// The rows at these places.
    pub(super) fn rows(&self, places: Range<usize>) -> impl Iterator<Item = usize> {
        self.rows[places].iter().map(|row| *row as usize)
    }

    pub(super) fn size(&self) -> usize {
        size_of::<u32>() * (self.rows.capacity() + self.next.capacity())
            + size_of::<(usize, usize)>() * self.ends.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_stand_together_as_they_came() {
        let groups: Vec<usize> = (0..1_000_usize).map(|row| row * row % 7).collect();
        for total in [7, 2_000] {
            let mut runs = Runs::default();
            runs.arrange(&groups, total);
            let mut seen = vec![false; groups.len()];
            for (group, places) in runs.iter() {
                let rows: Vec<usize> = runs.rows(places).collect();
                assert!(rows.is_sorted() && !rows.is_empty());
                for row in rows {
                    assert_eq!(groups[row], group);
                    assert!(!std::mem::replace(&mut seen[row], true));
                }
            }
            assert!(seen.iter().all(|seen| *seen));
        }
    }
}
