//! What a set adds beside others that wait for their rows.

use super::{CLOSER_MAX, Combination, Form, Kept, Least, Reduced};
use crate::span::Adds;
use crate::span::ahead::Left;
use crate::trits::{Head, Trits, negative};

/// How many rows' first columns are read at a time: 128 KiB.
const AT_ONCE: usize = 256;

impl Form {
    /// Takes the rows from the first columns of sets.
    pub(super) fn reduce_first(&self, rests: &mut [&mut Reduced]) {
        let columns: Vec<&Trits> = rests.iter().map(|rest| &rest.of.columns).collect();
        let heads = self.first(&columns);
        for (rest, head) in rests.iter_mut().zip(heads) {
            rest.first = Some((self.rows.len(), head));
        }
    }

    /// What the rows leave of sets in the first columns. Some rows are taken from all sets at a time, as the first columns of
    /// all rows are more than a cache holds.
    fn first(&self, sets: &[&Trits]) -> Vec<Head> {
        let mut heads: Vec<Head> = sets.iter().map(|columns| columns.head()).collect();
        let rows = self.pivots.chunks(AT_ONCE).zip(self.heads.chunks(AT_ONCE));
        for (pivots, rows) in rows {
            for (columns, head) in sets.iter().zip(&mut heads) {
                let factors = pivots.iter();
                let factors = factors.map(|pivot| negative(columns.at(*pivot as usize)));
                head.add_all(factors.zip(rows));
            }
        }
        heads
    }

    /// What is left of a set in its first columns.
    pub(super) fn left(&self, rest: &Reduced) -> Left {
        let first = rest.first.as_ref();
        let first = first.filter(|(rows, _)| *rows == self.rows.len());
        let head = match first {
            Some((_, head)) => head.clone(),
            None => self.first(&[&rest.of.columns]).swap_remove(0),
        };
        self.ahead.left(head)
    }

    /// What a set would add from which nothing was taken yet, where its first columns do not settle it.
    pub(super) fn closer(
        &self,
        rest: &Reduced,
        left: &Left,
        sum: u64,
        least: Option<Least<'_>>,
    ) -> Adds {
        let all = self.with_waiting(rest.of.clone(), left);
        if all.columns.is_zero() {
            return self.nothing(&all, sum);
        }
        self.adds_if(least.is_some_and(|least| self.leaves_few_beside(&all, left, least)))
    }

    /// As [`Form::leaves_few`], where sets wait.
    fn leaves_few_beside(&self, rest: &Combination, left: &Left, least: Least<'_>) -> bool {
        let (k, columns) = (least.k, &rest.columns);
        if columns.places().take(k).count() < k {
            return self.is_few(rest, least);
        }
        let near: Vec<usize> = self.ahead.near(left, &self.heads, k).collect();
        if near.len() > CLOSER_MAX {
            let mut flushed = self.clone();
            flushed.flush();
            let mut rest = Reduced::of(rest.clone());
            flushed.reduce(&mut rest);
            return flushed.leaves_few(&rest.of, least);
        }
        near.into_iter().any(|at| {
            let row = self.row_beside(at);
            columns.nearly_cancels(&row.columns, k) && self.is_few(&rest.with(&row, k), least)
        })
    }

    /// A row with nothing in the pivots of the sets that wait, or what is left of one of these.
    fn row_beside(&self, at: usize) -> Combination {
        let Some(waiting) = at.checked_sub(self.rows.len()) else {
            let row = self.up_to_date(at).into_owned();
            let left = self.ahead.left(self.heads[at].clone());
            let mut all = self.with_waiting(Combination::default(), &left);
            all.add(1, &row);
            return all;
        };
        self.with_waiting(Combination::default(), &self.ahead.left_of(waiting))
    }

    /// A combination with what is taken from it of the sets that wait, less what the rows say of it.
    fn with_waiting(&self, mut of: Combination, left: &Left) -> Combination {
        let kept = self.kept.as_ref().map(Vec::len);
        self.ahead.add_to(&mut of, left, kept);
        let mut all = Reduced::of(of);
        self.reduce(&mut all);
        all.of
    }

    /// A set by the order of adding, where that is known.
    pub(super) fn kept(&self, at: usize) -> Option<Kept> {
        let kept = self.kept.as_ref()?;
        let waiting = || self.ahead.kept(at - kept.len());
        kept.get(at).copied().or_else(waiting)
    }
}
