//! Sets in reduced echelon form.
//!
//! What costs time is adding one row to another, so that is done for many at a time (`trits/many.rs`): no row has anything
//! in another's pivot, so that it is known before how often each of them is added; and what new rows change in the older
//! ones is noted, and done for several. The first columns of every row are always up to date and lie beside each other: they
//! nearly always settle whether a row undoes most of a rest. What they settle by themselves waits for its row
//! ([`Ahead`](super::ahead::Ahead)).

use std::borrow::Cow;
use std::sync::Arc;

use super::ahead::{Ahead, MANY};
use super::{Adds, IsFew};
use crate::trits::{HEAD_PLACES, Head, NUMBERS, TOGETHER, Trit, Trits, add_many, digits, negative};

mod beside;

/// How many times [`TOGETHER`] new rows the older ones may owe: then each is read and written once for all of them.
const OWED_MAX: usize = 16;
/// For fewer sets, rows are added as they are met.
const TOGETHER_MIN: usize = 4;
/// Of so many sets, or rows, it is looked closer at each by itself.
const CLOSER_MAX: usize = 16;

/// How many units a combination with a set has to leave.
#[derive(Clone, Copy)]
pub(super) struct Least<'a> {
    /// At least so many, and so many columns.
    pub(super) k: usize,
    /// Rows that are there too were looked at.
    pub(super) before: Option<&'a Form>,
    /// What leaves few columns and may leave more units: whether it does leave few, given the kept sets in it.
    pub(super) is_few: Option<IsFew<'a>>,
}

/// What is kept of a set beside its row.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) sum: u64,
    pub(super) name: u32,
}

/// A rest in one form.
#[derive(Clone)]
pub(super) struct Reduced {
    pub(super) of: Combination,
    /// By how many rows it is reduced.
    pub(super) rows: usize,
    /// Whether its first columns settled that it leaves no few, alone or with a row.
    pub(super) is_clear: bool,
    /// Its first columns where it was reduced by so many rows, none of which waits.
    pub(super) first: Option<(usize, Head)>,
}

impl Reduced {
    /// A combination from which nothing is taken yet.
    pub(super) fn of(of: Combination) -> Reduced {
        Reduced {
            of,
            rows: 0,
            is_clear: false,
            first: None,
        }
    }
}

/// A combination of sets.
#[derive(Clone, Default)]
pub(super) struct Combination {
    pub(super) columns: Trits,
    /// How often each kept set is in it, by the order of adding, where that is known.
    pub(super) made_of: Trits,
}

/// Sets in reduced echelon form.
#[derive(Clone)]
pub(super) struct Form {
    rows: Vec<Arc<Row>>,
    /// Of each row up to date, and its pivot.
    heads: Arc<Vec<Head>>,
    pivots: Vec<u32>,
    /// Sets that are no rows yet.
    ahead: Ahead,
    /// How often each of the last rows is to be added to each of the others.
    owed: Vec<Owed>,
    /// How many rows the others owe.
    pending: usize,
    /// Whether pivots are chosen from the end.
    backwards: bool,
    /// The sets that are kept, in the order of adding, where rows know what they are made of.
    kept: Option<Vec<Kept>>,
    /// Most rows.
    room: usize,
}

/// Factors of rows, [`TOGETHER`] at a time as digits to the base 3.
type Owed = [u8; OWED_MAX];

#[derive(Clone)]
struct Row {
    /// Where this row is one and all others are zero.
    pivot: usize,
    of: Combination,
}

impl Combination {
    pub(super) fn add(&mut self, factor: Trit, of: &Combination) {
        self.columns.add(factor, &of.columns);
        self.made_of.add(factor, &of.made_of);
    }

    /// With a row that undoes most of it.
    fn with(&self, row: &Combination, k: usize) -> Combination {
        let with = |factor: Trit| {
            let mut left = self.clone();
            left.add(factor, row);
            left
        };
        let added = with(1);
        if added.columns.places().nth(k - 1).is_none() {
            return added;
        }
        with(2)
    }

    fn negate(&mut self) {
        self.columns.negate();
        self.made_of.negate();
    }
}

impl Form {
    /// Of no sets, and of so many at most. Rows may know what they are made of.
    pub(super) fn new(backwards: bool, knows: bool, room: usize) -> Form {
        Form {
            rows: Vec::new(),
            heads: Arc::default(),
            pivots: Vec::new(),
            ahead: Ahead::new(backwards),
            owed: Vec::new(),
            pending: 0,
            backwards,
            kept: knows.then(Vec::new),
            room,
        }
    }

    /// How many rows there are, or will be.
    pub(super) fn rows(&self) -> usize {
        self.rows.len() + self.ahead.len()
    }

    /// Bounds the rows more tightly.
    #[cfg(test)]
    pub(super) fn bound(&mut self, room: usize) {
        self.room = room;
    }

    /// Lets sets wait beside fewer rows.
    #[cfg(test)]
    pub(super) fn wait_from(&mut self, rows: usize) {
        self.ahead.begin_from(rows);
    }

    /// How many sets wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.ahead.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows() >= self.room
    }

    /// Looks at sets from which nothing was taken yet: whether their first columns settle that they leave no few. Where there
    /// are many of which they do not, all are reduced.
    pub(super) fn look_at<'a>(&mut self, rests: impl Iterator<Item = &'a mut Reduced>, k: usize) {
        let mut rests: Vec<&mut Reduced> = rests.collect();
        if self.ahead.has_room(rests.len(), self.rows.len()) {
            self.ahead.begin(&self.heads);
            self.reduce_first(&mut rests);
            for rest in &mut rests {
                let left = self.left(rest);
                rest.is_clear = self.ahead.is_clear(&left, &self.heads, k);
            }
            if rests.iter().filter(|rest| !rest.is_clear).count() <= CLOSER_MAX {
                return;
            }
            rests.iter_mut().for_each(|rest| rest.is_clear = false);
        }
        self.flush();
        self.reduce_all(rests.into_iter());
    }

    /// Makes rows of the sets that are none yet.
    pub(super) fn flush(&mut self) {
        let (mut rests, sets): (Vec<Reduced>, Vec<Kept>) = self.ahead.take().unzip();
        if rests.is_empty() {
            return;
        }
        self.reduce_all(rests.iter_mut());
        for (mut rest, set) in rests.into_iter().zip(sets) {
            self.reduce(&mut rest);
            self.push(rest, set);
        }
        self.settle();
    }

    /// Whether so many sets wait that rows should be made of them.
    pub(super) fn has_many_waiting(&self) -> bool {
        self.ahead.len() >= MANY
    }

    /// Reduces a rest by the rows that were added since. Whether that changed it.
    fn reduce(&self, rest: &mut Reduced) -> bool {
        let mut changed = false;
        for row in self.rows.iter().skip(rest.rows) {
            let factor = negative(rest.of.columns.at(row.pivot));
            if factor != 0 {
                rest.of.add(factor, &row.of);
                changed = true;
            }
        }
        rest.rows = self.rows.len();
        changed
    }

    /// Reduces sets from which nothing was taken yet.
    pub(super) fn reduce_all<'a>(&self, rests: impl Iterator<Item = &'a mut Reduced>) {
        let mut rests: Vec<&mut Reduced> = rests.collect();
        if rests.len() < TOGETHER_MIN {
            rests.into_iter().for_each(|rest| _ = self.reduce(rest));
            return;
        }
        // What the older rows owe has nothing in their pivots: it is made good by the last rows, which they owe it to.
        let (settled, last) = self.rows.split_at(self.rows.len() - self.pending);
        for rows in [settled, last] {
            let numbers_of = |rest: &&mut Reduced| -> Vec<u8> {
                let factor = |row: &Arc<Row>| negative(rest.of.columns.at(row.pivot));
                let number =
                    |rows: &[Arc<Row>]| rows.iter().rev().fold(0, |all, row| all * 3 + factor(row));
                rows.chunks(TOGETHER).map(number).collect()
            };
            let numbers: Vec<Vec<u8>> = rests.iter().map(numbers_of).collect();
            let of_rests = rests.iter_mut().map(|rest| &mut rest.of);
            add_combinations(of_rests.zip(numbers.iter().map(Vec::as_slice)), rows);
        }
        rests
            .iter_mut()
            .for_each(|rest| rest.rows = self.rows.len());
    }

    /// What a set would add of which this is left; nothing has to be left where it is known.
    pub(super) fn adds(&self, rest: &Reduced, sum: u64, least: Option<Least<'_>>) -> Adds {
        if rest.rows == 0 && self.rows() > 0 && !rest.is_clear {
            let left = self.left(rest);
            return self.closer(rest, &left, sum, least);
        }
        if !rest.is_clear && rest.of.columns.is_zero() {
            return self.nothing(&rest.of, sum);
        }
        let leaves_few = |least| !rest.is_clear && self.leaves_few(&rest.of, least);
        self.adds_if(least.is_some_and(leaves_few))
    }

    /// What a set adds of which something is left.
    fn adds_if(&self, leaves_few: bool) -> Adds {
        if leaves_few {
            Adds::AFew
        } else if self.is_full() {
            Adds::NoRoom
        } else {
            Adds::Itself
        }
    }

    /// Whether a set of which nothing is left modulo 3 is what it is made of.
    fn nothing(&self, rest: &Combination, sum: u64) -> Adds {
        if self.kept.is_none() {
            return Adds::Nothing;
        }
        let made_of = rest.made_of.places();
        let of_all = made_of.fold(sum, |all, (set, factor)| {
            let of_set = self.kept(set).map_or(0, |of| of.sum);
            if factor == 1 {
                all.wrapping_add(of_set)
            } else {
                all.wrapping_sub(of_set)
            }
        });
        if of_all == 0 {
            Adds::Nothing
        } else {
            Adds::Unclear
        }
    }

    /// Whether it leaves few units that a combination leaves few columns.
    fn is_few(&self, of: &Combination, least: Least<'_>) -> bool {
        let (Some(_), Some(is_few)) = (&self.kept, least.is_few) else {
            return true;
        };
        let names = of.made_of.places();
        let names = names.filter_map(|(set, factor)| Some((self.kept(set)?.name, factor)));
        is_few(&names.collect::<Vec<_>>())
    }

    /// Whether the rest leaves fewer than k columns, alone or with a row that was not looked at before, and few units.
    fn leaves_few(&self, rest: &Combination, least: Least<'_>) -> bool {
        let (k, columns) = (least.k, &rest.columns);
        let places: Vec<usize> = columns.places().map(|(at, _)| at).take(k).collect();
        if places.len() < k {
            return self.is_few(rest, least);
        }
        let before = least.before.map_or(&[][..], |form| &form.rows);
        let head = columns.head();
        self.heads.iter().enumerate().any(|(at, of)| {
            if !head.nearly_cancels(of, k) {
                return false;
            }
            let row = &self.rows[at];
            let is_looked_at = before.get(at).is_some_and(|of| Arc::ptr_eq(of, row));
            if is_looked_at && self.owed[at] == [0; OWED_MAX] {
                return false;
            }
            let row = self.up_to_date(at);
            // Of any k − 1 places of the rest, the row has to undo one: its pivot is left, and k − 2 others at most.
            let mut places = places[..k - 1].iter();
            places.any(|place| row.columns.at(*place) != 0)
                && columns.nearly_cancels(&row.columns, k)
                && self.is_few(&rest.with(&row, k), least)
        })
    }

    /// A row, with what it owes.
    fn up_to_date(&self, at: usize) -> Cow<'_, Combination> {
        let (row, owed) = (&self.rows[at], self.owed[at]);
        if owed == [0; OWED_MAX] {
            return Cow::Borrowed(&row.of);
        }
        let mut of = row.of.clone();
        let pending = &self.rows[self.rows.len() - self.pending..];
        for (some, owed) in pending.chunks(TOGETHER).zip(owed) {
            let factors = digits(owed);
            some.iter()
                .zip(factors)
                .for_each(|(new, factor)| of.add(factor, &new.of));
        }
        Cow::Owned(of)
    }

    /// Takes a set, where it is independent.
    pub(super) fn take(
        &mut self,
        mut rest: Reduced,
        (sum, name): (u64, u32),
        least: Option<Least<'_>>,
    ) -> Adds {
        // Where nothing was taken from it yet.
        let is_whole = rest.rows == 0;
        if is_whole && !self.ahead.has_room(1, self.rows.len()) {
            self.flush();
        }
        let may_wait = is_whole && self.ahead.has_room(1, self.rows.len());
        if let Some(least) = least.filter(|_| may_wait) {
            self.ahead.begin(&self.heads);
            let left = self.left(&rest);
            rest.is_clear = self.ahead.is_clear(&left, &self.heads, least.k);
            let adds = match rest.is_clear {
                true => self.adds(&rest, sum, Some(least)),
                false => self.closer(&rest, &left, sum, Some(least)),
            };
            if adds != Adds::Itself || left.has_places() {
                if adds == Adds::Itself {
                    let set = (rest, Kept { sum, name });
                    self.ahead.wait(set, left, &self.heads);
                }
                return adds;
            }
        }
        self.flush();
        let changed = self.reduce(&mut rest);
        let least = least.map(|least| Least {
            before: least.before.filter(|_| !changed),
            ..least
        });
        let adds = self.adds(&rest, sum, least);
        if adds == Adds::Itself {
            self.push(rest, Kept { sum, name });
        }
        adds
    }

    fn push(&mut self, rest: Reduced, set: Kept) {
        // The heads are left for comparing, as long as there is something else.
        let mut places = rest.of.columns.places();
        let place = if self.backwards {
            places.next_back()
        } else {
            let first = places.find(|(at, _)| *at >= HEAD_PLACES);
            first.or_else(|| rest.of.columns.places().next())
        };
        let Some((pivot, value)) = place else {
            return;
        };
        drop(places);
        let mut of = rest.of;
        if let Some(kept) = &mut self.kept {
            of.made_of.set(kept.len(), 1);
            kept.push(set);
        }
        if value == 2 {
            of.negate();
        }
        let new = Row { pivot, of };
        self.owe(&new);
        Arc::make_mut(&mut self.heads).push(new.of.columns.head());
        self.pivots.push(new.pivot as u32);
        self.rows.push(Arc::new(new));
        self.owed.push([0; OWED_MAX]);
        self.pending += 1;
        if self.pending == TOGETHER * OWED_MAX {
            self.settle();
        }
    }

    /// Notes what a new row changes in the others.
    fn owe(&mut self, new: &Row) {
        let (pivot, head) = (new.pivot, new.of.columns.head());
        let settled = self.rows.len() - self.pending;
        // What the rows that are owed have in the new pivot, and what each combination of them has.
        let pending = self.rows[settled..].iter();
        let of_pending: Vec<Trit> = pending.map(|row| row.of.columns.at(pivot)).collect();
        let of_owed = |some: &[Trit]| -> Vec<Trit> {
            let of_one = |owed: u8| some.iter().zip(digits(owed)).map(|(of, digit)| of * digit);
            (0..NUMBERS as u8)
                .map(|owed| of_one(owed).sum::<Trit>() % 3)
                .collect()
        };
        let of_owed: Vec<Vec<Trit>> = of_pending.chunks(TOGETHER).map(of_owed).collect();
        let power = 3_u8.pow((self.pending % TOGETHER) as u32);
        let part = self.pending / TOGETHER;
        // Rows are far apart in memory, so their values are fetched with nothing in between.
        let settled_rows = self.rows[..settled].iter();
        let values: Vec<Trit> = settled_rows.map(|row| row.of.columns.at(pivot)).collect();
        let heads = Arc::make_mut(&mut self.heads);
        for (at, value) in values.into_iter().enumerate() {
            let owed = of_owed.iter().zip(self.owed[at]);
            let owed: Trit = owed.map(|(of, owed)| of[usize::from(owed)]).sum();
            self.owed[at][part] += power * negative(value);
            heads[at].add(negative((value + owed) % 3), &head);
        }
        for (at, value) in (settled..).zip(of_pending).filter(|(_, value)| *value != 0) {
            Arc::make_mut(&mut self.rows[at])
                .of
                .add(negative(value), &new.of);
            heads[at].add(negative(value), &head);
        }
    }

    /// Adds what is owed.
    pub(super) fn settle(&mut self) {
        let settled = self.rows.len() - std::mem::take(&mut self.pending);
        let (rows, pending) = self.rows.split_at_mut(settled);
        let owed: Vec<Owed> = self.owed.iter_mut().map(std::mem::take).collect();
        let owing = rows.iter_mut().zip(&owed);
        let owing = owing.filter(|(_, owed)| **owed != [0; OWED_MAX]);
        let parts = pending.len().div_ceil(TOGETHER);
        let owing = owing.map(|(row, owed)| (&mut Arc::make_mut(row).of, &owed[..parts]));
        add_combinations(owing, pending);
    }
}

/// Adds combinations of rows, by numbers as of [`add_many`].
fn add_combinations<'a>(
    others: impl Iterator<Item = (&'a mut Combination, &'a [u8])>,
    rows: &[Arc<Row>],
) {
    let both = others.map(|(other, numbers)| {
        let Combination { columns, made_of } = other;
        ((columns, numbers), (made_of, numbers))
    });
    let (mut columns, mut made_of): (Vec<_>, Vec<_>) = both.unzip();
    let of_rows: Vec<&Trits> = rows.iter().map(|row| &row.of.columns).collect();
    add_many(&mut columns, &of_rows);
    let of_rows: Vec<&Trits> = rows.iter().map(|row| &row.of.made_of).collect();
    add_many(&mut made_of, &of_rows);
}
