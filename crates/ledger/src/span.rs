//! Sums over several sets: whether any linear combination of what was released leaves fewer than k units.
//!
//! "Those below", "those above" and "everybody" are far from each other, and one plus the other less the third is one
//! person. Whatever is computed from sums over sets is a linear combination of the sets' indicator vectors, so the question
//! is whether their span has a vector with 1 to k − 1 places that are not zero (Chin and Ozsoyoglu, *Auditing and inference
//! control in statistical databases*, 1982). Vectors as long as the population are too long: each unit falls into one of
//! a few thousand columns ([`WIDTHS`]) and gets a sign, both by a keyed hash, and sets become sums modulo 3. A combination that leaves few
//! units leaves few columns.
//!
//! The sets are kept in reduced echelon form. A new set minus what the kept ones say of it is its *rest*, which is zero in
//! every pivot column. A combination with few columns is the rest with few rows, one for each of its columns that is a
//! pivot, so trying the rest alone and with each row finds every combination that meets at most one pivot. Two forms with
//! pivots chosen differently are kept: one unit is found always, and of several it is missed only where both forms have two
//! of their columns as pivots.
//!
//! Why modulo 3 is enough. Let T + Σ aᵢ·Sᵢ leave few units, the Sᵢ independent modulo 3. No aᵢ has a 3 in its denominator:
//! multiplied by it, the Sᵢ would add up to nothing modulo 3. So the combination is one modulo 3 too, and leaves no more
//! units there. What modulo 3 cannot tell is whether a set that is a combination of others there is one in truth: each row
//! knows the sets it is made of, and the sums of all units' hashes, 64 bits, have to agree with signs for coefficients.
//! Where they do not, the set is not independent and no known combination either: people have to look
//! ([`Adds::Unclear`]).

use crate::limits::COMBINED_MAX;
use crate::parallel::{self, PARALLEL_UNITS_MIN};
use crate::trits::{Trit, Trits};

pub(crate) use columns::Columns;
use form::{Combination, Form, Least, Reduced};

mod ahead;
mod columns;
mod form;

/// Columns of a form, for few sets and for many: with at most a quarter of them pivots, few columns of a combination are.
pub(crate) const WIDTHS: [u32; 2] = [12_288, 4 * COMBINED_MAX as u32];
/// From so many rows times sets on, two threads are used.
const PARALLEL_MIN: usize = 4_096;
/// As many rows' work it is to put a set among the columns.
const VECTOR_ROWS: usize = 64;
/// What it costs to take a row from a set, in visits, and to look whether it undoes most of it.
const VISITS_PER_ROW: u64 = 7;
const ROWS_PER_VISIT: u64 = 2;

/// What a set is among the columns.
#[derive(Clone)]
pub(crate) struct Vector {
    pub(crate) columns: Trits,
    /// Of the hashes of all units, or of what all rows weigh.
    pub(crate) sum: u64,
}

/// What is left of a set when what is kept is taken from it.
#[derive(Clone)]
pub(crate) struct Rest {
    forms: [Reduced; 2],
    sum: u64,
    /// What the set is called, where it is said what a combination is made of.
    pub(crate) name: u32,
}

/// All combinations of sets.
#[derive(Clone)]
pub(crate) struct Span {
    width: u32,
    forms: [Form; 2],
    /// Whether a set is known that could not be added.
    is_unclear: bool,
}

/// Whether a set leaves few units in a combination with others, given the names of these and how often each is in it, modulo 3.
pub(crate) type IsFew<'a> = &'a (dyn Fn(&[(u32, Trit)]) -> bool + Sync);

/// What a set adds to all combinations.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub(crate) enum Adds {
    /// Nothing: it is a combination of those that are there.
    Nothing,
    /// A combination that leaves fewer than k units.
    AFew,
    /// It is independent of the others, as far as is looked for.
    Itself,
    /// As [`Adds::Itself`], and there is no room for it.
    NoRoom,
    /// It may be a combination of the others or not.
    Unclear,
}

impl Default for Span {
    fn default() -> Span {
        Span::new(WIDTHS[0])
    }
}

impl Span {
    /// Of no sets, with so many columns.
    pub(crate) fn new(width: u32) -> Span {
        let room = width as usize / 4;
        Span {
            width,
            forms: [false, true].map(|backwards| Form::new(backwards, !backwards, room)),
            is_unclear: false,
        }
    }

    /// The same for rows, of which a combination is to say what it is made of.
    pub(crate) fn of_rows(width: u32) -> Span {
        let room = width as usize / 4;
        Span {
            width,
            forms: [false, true].map(|backwards| Form::new(backwards, true, room)),
            is_unclear: false,
        }
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    /// What is left of each of these sets, of so many units in all, whose vectors are made of them; as far as it takes to see
    /// whether fewer than k columns are.
    pub(crate) fn rests<T: Sync>(
        &mut self,
        sets: &[T],
        (units, k): (u64, u64),
        vector: impl Fn(&T, u32) -> Vector + Sync,
    ) -> Vec<Rest> {
        let (width, k) = (self.width, k as usize);
        let of_set = |set: &T| Rest::of(vector(set, width));
        let work = sets.len() * (self.forms[0].rows() + VECTOR_ROWS);
        if work < PARALLEL_MIN && units < PARALLEL_UNITS_MIN {
            let mut rests: Vec<Rest> = sets.iter().map(of_set).collect();
            for (at, form) in self.forms.iter_mut().enumerate() {
                form.look_at(rests.iter_mut().map(|rest| &mut rest.forms[at]), k);
            }
            return rests;
        }
        let mut rests = parallel::each(sets, of_set);
        let of_forms = rests.iter_mut().map(
            |Rest {
                 forms: [one, other],
                 ..
             }| (one, other),
        );
        let (of_one, of_other): (Vec<_>, Vec<_>) = of_forms.unzip();
        let [one, other] = &mut self.forms;
        std::thread::scope(|scope| {
            scope.spawn(|| other.look_at(of_other.into_iter(), k));
            one.look_at(of_one.into_iter(), k);
        });
        rests
    }

    /// What a set would add of which this is left, k being the fewest units that may be left. Where few columns are left,
    /// `is_few` may say that it is more units, given the other sets in the combination.
    pub(crate) fn adds(&self, rest: &Rest, k: u64, is_few: Option<IsFew<'_>>) -> Adds {
        let forms = self.forms.iter().zip(&rest.forms);
        let least = Least {
            k: k as usize,
            before: None,
            is_few,
        };
        let of_forms = forms.map(|(form, of)| form.adds(of, rest.sum, Some(least)));
        match of_forms.reduce(Adds::worse) {
            Some(Adds::Itself) if self.is_unclear => Adds::NoRoom,
            adds => adds.unwrap_or(Adds::Unclear),
        }
    }

    /// Adds sets in their order, of which the first so many were looked at each by itself, and some have what says whether
    /// they leave few units. What each adds, with the sets before it; what leaves a few is not added, and where there is any,
    /// these combinations are of no more use.
    pub(crate) fn extend<'a>(
        &mut self,
        rests: Vec<Rest>,
        looked_at: usize,
        k: u64,
        is_few: impl Fn(usize) -> Option<IsFew<'a>> + Sync,
    ) -> Vec<Adds> {
        let before = self.clone();
        let [one, other] = self.take(rests, |place, at| {
            Some(Least {
                k: k as usize,
                before: (place < looked_at).then_some(&before.forms[at]),
                is_few: is_few(place),
            })
        });
        self.both(one, other)
    }

    /// What each set adds to both forms.
    fn both(&self, one: Vec<Adds>, other: Vec<Adds>) -> Vec<Adds> {
        let first = |of: &[Adds]| of.iter().position(|adds| *adds == Adds::AFew);
        match (first(&one), first(&other)) {
            (None, None) => {
                let both = one.into_iter().zip(other);
                let both = both.map(|(one, other)| match one.worse(other) {
                    Adds::Itself if self.is_unclear => Adds::NoRoom,
                    adds => adds,
                });
                both.collect()
            }
            // After a set that one form has and the other has not, the other speaks of something else.
            (None, Some(_)) => other,
            (Some(of_one), Some(of_other)) if of_other < of_one => other,
            _ => one,
        }
    }

    /// Adds sets that are known, as far as there is room. Their names are numbers from one on.
    pub(crate) fn add(&mut self, sets: Vec<Vector>, first: u32) {
        let mut rests: Vec<Rest> = sets.into_iter().map(Rest::of).collect();
        for (name, rest) in (first..).zip(&mut rests) {
            rest.name = name;
        }
        for (at, form) in self.forms.iter().enumerate() {
            form.reduce_all(rests.iter_mut().map(|rest| &mut rest.forms[at]));
        }
        let adds = self.take(rests, |_, _| None);
        self.settle();
        self.is_unclear |= adds.concat().contains(&Adds::Unclear);
    }

    /// Lets each form take all sets, both at the same time where that is worth it.
    fn take<'a>(
        &mut self,
        rests: Vec<Rest>,
        least: impl Fn(usize, usize) -> Option<Least<'a>> + Sync,
    ) -> [Vec<Adds>; 2] {
        let work = (self.forms[0].rows() + rests.len()) * rests.len();
        let count = rests.len();
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        for rest in rests {
            let [one, other] = rest.forms;
            let set = (rest.sum, rest.name);
            of_one.push((one, set));
            of_other.push((other, set));
        }
        let all = |form: &mut Form, rests: Vec<(Reduced, (u64, u32))>, at: usize| -> Vec<Adds> {
            let each = rests.into_iter().enumerate();
            let adds = each.map(|(place, (rest, set))| form.take(rest, set, least(place, at)));
            adds.collect()
        };
        let [one, other] = &mut self.forms;
        if work < PARALLEL_MIN {
            return [all(one, of_one, 0), all(other, of_other, 1)];
        }
        std::thread::scope(|scope| {
            let running = scope.spawn(|| all(other, of_other, 1));
            let of_one = all(one, of_one, 0);
            // A thread that could not be joined has told nothing.
            let of_other = running.join();
            [
                of_one,
                of_other.unwrap_or_else(|_| vec![Adds::Unclear; count]),
            ]
        })
    }

    /// Brings all rows up to date, which costs least where nobody else has them.
    pub(crate) fn settle(&mut self) {
        let [one, other] = &mut self.forms;
        std::thread::scope(|scope| {
            scope.spawn(|| other.settle());
            one.settle();
        });
    }

    /// Makes rows of all that waits for it, where that is much. Whether it was.
    pub(crate) fn flush_many(&mut self) -> bool {
        let is_many = self.has_many_waiting();
        if is_many {
            self.flush();
        }
        is_many
    }

    /// Whether so many sets wait for their rows that these should be made.
    pub(crate) fn has_many_waiting(&self) -> bool {
        self.forms.iter().any(Form::has_many_waiting)
    }

    fn flush(&mut self) {
        let [one, other] = &mut self.forms;
        std::thread::scope(|scope| {
            scope.spawn(|| other.flush());
            one.flush();
        });
    }

    fn rows(&self) -> u64 {
        self.forms.iter().map(|form| form.rows() as u64).sum()
    }

    /// How much work it is to know what is left of a set, in visits.
    pub(crate) fn work(&self) -> u64 {
        self.rows() * VISITS_PER_ROW
    }

    /// How much work it is to look at what is left of a set.
    pub(crate) fn work_to_look(&self) -> u64 {
        self.rows() / ROWS_PER_VISIT
    }

    /// How much work it is to add so many sets.
    pub(crate) fn work_of(&self, sets: usize) -> u64 {
        (self.work() + sets as u64 * VISITS_PER_ROW) * sets as u64
    }

    /// Whether there is no room for another set.
    pub(crate) fn is_full(&self) -> bool {
        self.forms[0].is_full()
    }
}

impl Rest {
    /// A set from which nothing is taken yet.
    fn of(set: Vector) -> Rest {
        let of = Combination {
            columns: set.columns,
            made_of: Trits::default(),
        };
        let reduced = Reduced::of(of);
        Rest {
            forms: [reduced.clone(), reduced],
            sum: set.sum,
            name: 0,
        }
    }
}

impl Adds {
    /// The one of two answers that lets less through.
    fn worse(self, other: Adds) -> Adds {
        let order = [
            Adds::AFew,
            Adds::Unclear,
            Adds::NoRoom,
            Adds::Itself,
            Adds::Nothing,
        ];
        let worse = order.into_iter().find(|adds| [self, other].contains(adds));
        worse.unwrap_or(self)
    }
}

#[cfg(test)]
mod tests;
