//! How much of a sum each unit is.

use datafusion::logical_expr::EmitTo;
use weir_gate::TOP_UNITS;

use super::prints::Prints;
use super::runs::Arranged;

/// Contributions are added up in so many lanes, by turns: in one, each addition would wait for the one before it. The turn is
/// by the number of units, so that it is the same however rows come in batches.
const LANES: usize = 4;

/// Contributions of the units of one group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    /// Sum of the unit we are in.
    current: f64,
    /// Sums of contributions that are in neither of the two sums yet, and of each without its sign.
    lanes: [f64; LANES],
    lanes_total: [f64; LANES],
    /// The lane whose turn it is.
    turn: usize,
    /// Sum of all contributions.
    pub(super) sum: f64,
    /// Likewise, each without its sign.
    pub(super) total: f64,
    /// The largest of them, largest first.
    pub(super) top: [f64; TOP_UNITS],
    /// The unit we are in.
    unit: u32,
    is_in: bool,
    pub(super) negative: bool,
}

impl Sum {
    /// Ends a unit with what it summed up to.
    #[inline]
    fn fold(&mut self, sum: f64) {
        self.negative |= sum < 0.0;
        self.lanes[self.turn] += sum;
        self.lanes_total[self.turn] += sum.abs();
        self.turn = (self.turn + 1) % LANES;
        if sum.abs() > self.top[TOP_UNITS - 1] {
            self.rank(sum.abs());
        }
    }

    /// Ends units with what each summed up to.
    fn fold_all(&mut self, sums: &[f64]) {
        let until_first = sums.len().min((LANES - self.turn) % LANES);
        let (first, sums) = sums.split_at(until_first);
        first.iter().for_each(|sum| self.fold(*sum));
        let (turns, rest) = sums.as_chunks::<LANES>();
        let (mut lanes, mut totals) = (self.lanes, self.lanes_total);
        let (mut least, mut most) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        for turn in turns {
            // Each lane by itself, and no branch: several lanes are one operation.
            for lane in 0..LANES {
                let (sum, size) = (turn[lane], turn[lane].abs());
                lanes[lane] += sum;
                totals[lane] += size;
                least[lane] = if sum < least[lane] { sum } else { least[lane] };
                most[lane] = if size > most[lane] { size } else { most[lane] };
            }
        }
        (self.lanes, self.lanes_total) = (lanes, totals);
        self.negative |= least.iter().any(|sum| *sum < 0.0);
        if most.iter().any(|size| *size > self.top[TOP_UNITS - 1]) {
            for sum in turns.as_flattened() {
                if sum.abs() > self.top[TOP_UNITS - 1] {
                    self.rank(sum.abs());
                }
            }
        }
        rest.iter().for_each(|sum| self.fold(*sum));
    }

    /// Adds up what the lanes have.
    fn settle(&mut self) {
        let all = |[a, b, c, d]: [f64; LANES]| (a + b) + (c + d);
        self.sum += all(std::mem::take(&mut self.lanes));
        self.total += all(std::mem::take(&mut self.lanes_total));
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

    /// Ends the unit we were in, if we were in one, and says which it was and what it summed up to.
    fn end(&mut self) -> Option<(u32, f64)> {
        if !std::mem::take(&mut self.is_in) {
            return None;
        }
        let sum = std::mem::take(&mut self.current);
        self.fold(sum);
        Some((self.unit, sum))
    }
}

/// Contributions of units to one sum, for each group.
#[derive(Debug)]
pub(super) struct Contributions {
    pub(super) of: Vec<Sum>,
    pub(super) print: Option<Prints>,
}

impl Contributions {
    /// To the sum of no group, with a print of so many buckets.
    pub(super) fn new(buckets: Option<usize>) -> Self {
        Self {
            of: Vec::new(),
            print: buckets.map(Prints::new),
        }
    }

    /// So many groups, the new ones without a row.
    pub(super) fn grow(&mut self, groups: usize) {
        self.of.resize(groups, Sum::default());
        if let Some(print) = &mut self.print {
            print.grow(groups);
        }
    }

    /// Adds up values, one for each row and in the same order. `sums` is used for what each unit adds.
    pub(super) fn update(&mut self, rows: &Arranged, values: &[f64], sums: &mut Vec<f64>) {
        for of in rows.iter() {
            let mut sum = self.of[of.group];
            let mut print = self.print.as_mut().map(|print| print.of(of.group));
            let (mut units, joined) = (of.units, sum.is_in && sum.unit == of.units[0]);
            let so_far = if joined { sum.current } else { 0.0 };
            let mut sums = rows.by_unit(&of, values, so_far, sums);
            if joined {
                sum.current = sums[0];
                (units, sums) = (&units[1..], &sums[1..]);
            }
            if let (Some((last, units)), Some((of_last, sums))) =
                (units.split_last(), sums.split_last())
            {
                if let (Some((unit, of_unit)), Some(print)) = (sum.end(), &mut print) {
                    print.add(unit, of_unit);
                }
                sum.fold_all(sums);
                if let Some(print) = &mut print {
                    let ended = units.iter().zip(sums);
                    ended.for_each(|(unit, of_unit)| print.add(*unit, *of_unit));
                }
                sum.unit = *last;
                sum.is_in = true;
                sum.current = *of_last;
            }
            self.of[of.group] = sum;
        }
    }

    /// Counts all rows of a unit at once, with their sum.
    pub(super) fn unit(&mut self, group: usize, unit: u32, sum: f64) {
        self.of[group].fold(sum);
        if let Some(print) = &mut self.print {
            print.add(group, unit, sum);
        }
    }

    /// Ends the unit that each group is in, and the sums.
    pub(super) fn end(&mut self) {
        for (group, sum) in self.of.iter_mut().enumerate() {
            if let (Some((unit, of_unit)), Some(print)) = (sum.end(), &mut self.print) {
                print.add(group, unit, of_unit);
            }
            sum.settle();
        }
    }

    /// Takes the first groups, or all; the others become the first.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        Self {
            of: emit_to.take_needed(&mut self.of),
            print: self.print.as_mut().map(|of| of.take(emit_to)),
        }
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.of.capacity() * size_of::<Sum>() + self.print.as_ref().map_or(0, Prints::size)
    }
}
