//! Sets that are among the combinations by their first columns alone, and are no rows yet.
//!
//! Making a row of a set changes every other one, in every column. What the set adds is nearly always known before: where the
//! first columns of what is left of it show that no few columns are left, alone or with any row, no other column can change
//! that. So sets wait, each with a pivot among the first columns, and rows are made of many at a time: when there are too
//! many, when something has to be known that the first columns do not tell, or when nobody asks.

use std::sync::Arc;

use super::form::{Combination, Kept, Reduced};
use crate::trits::{Fronts, HEAD_PLACES, Head, Trit, Trits, negative};

/// How many sets wait at most: each takes one of the first columns, and a quarter of them are left to compare.
const WAITING_MAX: usize = HEAD_PLACES / 4 * 3;
/// From so many on, rows are made of them when nobody asks.
pub(super) const MANY: usize = 128;
/// With fewer rows it costs little to make another one.
const ROWS_MIN: usize = 512;

/// Sets that wait.
#[derive(Clone)]
pub(super) struct Ahead {
    sets: Vec<Waiting>,
    /// The first of the first columns of each row, with nothing in the pivots of those that wait; none where nobody looked.
    rows: Option<Arc<Fronts>>,
    /// Of each that waits what is left of it, with nothing in the pivots of the others.
    heads: Vec<Head>,
    /// From so many rows on, sets wait.
    from: usize,
    /// Whether pivots are chosen from the end.
    backwards: bool,
}

/// A set that waits.
#[derive(Clone)]
struct Waiting {
    of: Arc<(Reduced, Kept)>,
    pivot: usize,
    /// How often each that waits is in what is left of it.
    made_of: Trits,
}

/// The first columns of what is left of a set, and how often each that waits is in it.
#[derive(Clone)]
pub(super) struct Left {
    head: Head,
    made_of: Trits,
}

impl Left {
    /// Whether anything is left in the first columns.
    pub(super) fn has_places(&self) -> bool {
        self.head.places().next().is_some()
    }
}

impl Ahead {
    /// Where nothing waits.
    pub(super) fn new(backwards: bool) -> Ahead {
        Ahead {
            sets: Vec::new(),
            rows: None,
            heads: Vec::new(),
            from: ROWS_MIN,
            backwards,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether there is room for so many sets, beside so many rows.
    pub(super) fn has_room(&self, sets: usize, rows: usize) -> bool {
        rows >= self.from && self.sets.len() + sets <= WAITING_MAX
    }

    /// Lets sets wait beside fewer rows.
    #[cfg(test)]
    pub(super) fn begin_from(&mut self, rows: usize) {
        self.from = rows;
    }

    /// What is left of a set, given the first columns of what the rows leave of it.
    pub(super) fn left(&self, mut head: Head) -> Left {
        let mut made_of = Trits::default();
        // None of them has anything in another's pivot.
        let factors = self.sets.iter().map(|of| negative(head.at(of.pivot)));
        let factors: Vec<_> = factors.collect();
        for (set, factor) in self.sets.iter().zip(&factors) {
            made_of.add(*factor, &set.made_of);
        }
        head.add_all(factors.into_iter().zip(&self.heads));
        Left { head, made_of }
    }

    /// Begins to compare with rows, by the first columns of each.
    pub(super) fn begin(&mut self, rows: &[Head]) {
        let narrow = || Arc::new(Fronts::narrow(rows.iter(), self.backwards));
        self.rows.get_or_insert_with(narrow);
    }

    /// Whether first columns show that k columns and more are left, alone and with each row.
    pub(super) fn is_clear(&self, left: &Left, rows: &[Head], k: usize) -> bool {
        left.head.places().take(k).count() == k && self.near(left, rows, k).next().is_none()
    }

    /// The rows, and behind them the sets that wait, with which first columns show no k that are left.
    pub(super) fn near<'a>(
        &'a self,
        left: &'a Left,
        rows: &'a [Head],
        k: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        // Where nobody began, or there are other rows by now, each is compared with.
        let fronts = self.rows.as_ref();
        let near: Box<dyn Iterator<Item = usize> + 'a> =
            match fronts.filter(|of| of.len() == rows.len()) {
                Some(fronts) => Box::new(fronts.near(&left.head, k)),
                None => Box::new(0..rows.len()),
            };
        let near = near.filter(move |at| {
            let row = self.left(rows[*at].clone());
            left.head.nearly_cancels(&row.head, k)
        });
        let waiting = (rows.len()..).zip(&self.heads);
        let waiting = waiting.filter(move |(_, head)| left.head.nearly_cancels(head, k));
        near.chain(waiting.map(|(at, _)| at))
    }

    /// What is left of a set that waits.
    pub(super) fn left_of(&self, at: usize) -> Left {
        Left {
            head: self.heads[at].clone(),
            made_of: self.sets[at].made_of.clone(),
        }
    }

    /// Lets a set wait of which this is left, not all of it zero.
    pub(super) fn wait(&mut self, of: (Reduced, Kept), left: Left, rows: &[Head]) {
        let Left {
            mut head,
            mut made_of,
        } = left;
        self.begin(rows);
        let Some((pivot, value)) = self.pivot(&head, rows) else {
            return;
        };
        made_of.set(self.sets.len(), 1);
        if value == 2 {
            head.negate();
            made_of.negate();
        }
        if let Some(fronts) = &mut self.rows {
            Arc::make_mut(fronts).clear(pivot, &head);
        }
        for (set, of) in self.sets.iter_mut().zip(&self.heads) {
            set.made_of.add(negative(of.at(pivot)), &made_of);
        }
        head.clear(pivot, &mut self.heads);
        self.heads.push(head);
        self.sets.push(Waiting {
            of: Arc::new(of),
            pivot,
            made_of,
        });
    }

    /// A place for a pivot, the first or the last: among as few of the first columns as leave enough to compare.
    fn pivot(&mut self, head: &Head, rows: &[Head]) -> Option<(usize, Trit)> {
        let place = match self.backwards {
            true => head.places().next_back(),
            false => head.places().next(),
        };
        let (at, _) = place?;
        loop {
            let within = self.rows.as_ref()?.places();
            let is_widest = within.len() == HEAD_PLACES;
            if is_widest || (within.contains(&at) && self.sets.len() < within.len() / 8 * 3) {
                return place;
            }
            let all: Vec<Head> = rows.iter().map(|row| self.left(row.clone()).head).collect();
            let wider = self.rows.as_ref()?.wider(all.iter());
            self.rows = Some(Arc::new(wider));
        }
    }

    /// Adds to a combination what is taken from it of those that wait. They will be kept behind so many others, where that is
    /// known.
    pub(super) fn add_to(&self, of: &mut Combination, left: &Left, kept: Option<usize>) {
        for (at, factor) in left.made_of.places() {
            let waiting = &self.sets[at];
            of.add(factor, &waiting.of.0.of);
            if let Some(kept) = kept {
                of.made_of.set(kept + at, factor);
            }
        }
    }

    /// A set that waits, by its place among them.
    pub(super) fn kept(&self, at: usize) -> Option<Kept> {
        self.sets.get(at).map(|waiting| waiting.of.1)
    }

    /// Takes all that wait, in their order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Reduced, Kept)> + use<> {
        self.rows = None;
        self.heads.clear();
        let sets = std::mem::take(&mut self.sets).into_iter();
        sets.map(|waiting| Arc::unwrap_or_clone(waiting.of))
    }
}
