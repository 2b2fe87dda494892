//! Sums over several sets: whether any linear combination of what was released leaves fewer than k units.
//!
//! "Those below", "those above" and "everybody" are far from each other, and one plus the other less the third is one
//! person. Whatever is computed from sums over sets is a linear combination of the sets' indicator vectors, so the question
//! is whether their span has a vector with 1 to k − 1 places that are not zero (Chin and Ozsoyoglu, *Auditing and inference
//! control in statistical databases*, 1982). Vectors as long as the population are too long: each unit falls into one of
//! [`COLUMNS`] columns and gets a sign, both by a keyed hash, and sets become sums modulo 3. A combination that leaves few
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

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::limits::COMBINED_MAX;
use crate::sketch::{Mixer, for_each};
use crate::trits::{Trits, negative};

/// Columns of a form: with at most a quarter of them pivots, few columns of a combination are.
pub(crate) const COLUMNS: u32 = 4 * COMBINED_MAX as u32;
/// Where the columns of the lowest units end: a small population takes few columns.
const LEVELS: [u32; 3] = [512, 4_096, COLUMNS];
/// From so many rows times sets on, two threads are used.
const PARALLEL_MIN: usize = 4_096;
/// What one row and one set cost, in visits.
const VISITS_PER_ROW: u64 = 10;

/// What a set is among the columns.
#[derive(Clone)]
pub(crate) struct Vector {
    columns: Trits,
    /// Of the hashes of all units.
    sum: u64,
}

/// What is left of a set when what is kept is taken from it.
#[derive(Clone)]
pub(crate) struct Rest {
    forms: [Reduced; 2],
    sum: u64,
}

/// A rest in one form.
#[derive(Clone)]
struct Reduced {
    columns: Trits,
    /// How often each kept set is in it, by the order of adding.
    made_of: Trits,
    /// By how many rows it is reduced.
    rows: usize,
}

/// All combinations of sets.
#[derive(Clone)]
pub(crate) struct Span {
    forms: [Form; 2],
    /// Whether a set is known that could not be added.
    is_unclear: bool,
}

/// Sets in reduced echelon form.
#[derive(Clone)]
struct Form {
    rows: Vec<Arc<Row>>,
    /// Whether pivots are chosen from the end.
    backwards: bool,
    /// The sums of the sets that are kept, in the order of adding; of one form alone.
    sums: Option<Vec<u64>>,
    /// Most rows.
    room: usize,
}

#[derive(Clone)]
struct Row {
    /// Where this row is one and all others are zero.
    pivot: usize,
    columns: Trits,
    made_of: Trits,
}

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

impl Mixer {
    /// A set among the columns. Units with numbers near to each other are in columns of their own.
    pub(crate) fn vector(self, units: &RoaringBitmap) -> Vector {
        let mut sums = vec![0_i64; COLUMNS as usize];
        let mut all = 0_u64;
        let mut block = Block::of(self, 0);
        for_each(units, |unit| {
            if !block.has(unit) {
                block = Block::of(self, unit);
            }
            let hash = self.hash(unit);
            all = all.wrapping_add(hash);
            sums[block.column(unit)] += if hash >> 63 == 0 { 1 } else { -1 };
        });
        Vector {
            columns: Trits::of(&sums),
            sum: all,
        }
    }
}

/// Units that have columns of their own.
struct Block {
    /// Of the units, and of their columns.
    start: u32,
    first: u32,
    length: u32,
    factor: u32,
    shift: u32,
}

impl Block {
    /// The block that a unit is in.
    fn of(mixer: Mixer, unit: u32) -> Block {
        let level = LEVELS.iter().position(|end| unit < *end);
        let (start, first, length) = match level {
            Some(0) => (0, 0, LEVELS[0]),
            Some(level) => {
                let start = LEVELS[level - 1];
                (start, start, LEVELS[level] - start)
            }
            None => (unit / COLUMNS * COLUMNS, 0, COLUMNS),
        };
        let hash = mixer.hash(start | 1 << 31);
        // No factor of a length: 2, 3, 5 and 7 are all there are.
        let mut factor = hash as u32 % length | 1;
        while [3, 5, 7].iter().any(|prime| factor % prime == 0) {
            factor += 2;
        }
        Block {
            start,
            first,
            length,
            factor,
            shift: (hash >> 32) as u32 % length,
        }
    }

    fn has(&self, unit: u32) -> bool {
        unit >= self.start && unit - self.start < self.length
    }

    fn column(&self, unit: u32) -> usize {
        let place = u64::from(unit - self.start) * u64::from(self.factor) + u64::from(self.shift);
        self.first as usize + (place % u64::from(self.length)) as usize
    }
}

impl Default for Span {
    fn default() -> Span {
        let form = |backwards: bool| Form {
            rows: Vec::new(),
            backwards,
            sums: (!backwards).then(Vec::new),
            room: COMBINED_MAX,
        };
        Span {
            forms: [form(false), form(true)],
            is_unclear: false,
        }
    }
}

impl Span {
    /// What is left of each of these sets.
    pub(crate) fn rests(&self, mixer: Mixer, sets: &[&RoaringBitmap]) -> Vec<Rest> {
        let of_part = |part: &[&RoaringBitmap]| -> Vec<Rest> {
            let rests = part.iter().map(|set| self.rest(mixer.vector(set)));
            rests.collect()
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if sets.len() < threads || sets.len() * self.forms[0].rows.len() < PARALLEL_MIN {
            return of_part(sets);
        }
        std::thread::scope(|scope| {
            let parts = sets.chunks(sets.len().div_ceil(threads));
            let running: Vec<_> = parts
                .map(|part| (part, scope.spawn(move || of_part(part))))
                .collect();
            let done = running.into_iter().flat_map(|(part, thread)| {
                // A thread that could not be joined has told nothing: its part is done here.
                thread.join().unwrap_or_else(|_| of_part(part))
            });
            done.collect()
        })
    }

    fn rest(&self, set: Vector) -> Rest {
        let mut rest = Rest::of(set);
        for (form, reduced) in self.forms.iter().zip(&mut rest.forms) {
            form.reduce(reduced);
        }
        rest
    }

    /// What a set would add of which this is left, k being the fewest units that may be left.
    pub(crate) fn adds(&self, rest: &Rest, k: u64) -> Adds {
        let forms = self.forms.iter().zip(&rest.forms);
        let of_forms = forms.map(|(form, of)| form.adds(of, rest.sum, Some(k as usize), None));
        match of_forms.reduce(Adds::worse) {
            Some(Adds::Itself) if self.is_unclear => Adds::NoRoom,
            adds => adds.unwrap_or(Adds::Unclear),
        }
    }

    /// Adds sets in their order, of which the first so many were looked at each by itself. What each adds, with the sets
    /// before it; what leaves a few is not added, and where there is any, these combinations are of no more use.
    pub(crate) fn extend(&mut self, rests: Vec<Rest>, looked_at: usize, k: u64) -> Vec<Adds> {
        let before = self.clone();
        let k = Some(k as usize);
        let [one, other] = self.take(rests, |place, at| {
            (k, (place < looked_at).then_some(&before.forms[at]))
        });
        let first = |of: &[Adds]| of.iter().position(|adds| *adds == Adds::AFew);
        match (first(&one), first(&other)) {
            (None, None) => {
                let both = one.into_iter().zip(other);
                both.map(|(one, other)| one.worse(other)).collect()
            }
            // After a set that one form has and the other has not, the other speaks of something else.
            (None, Some(_)) => other,
            (Some(of_one), Some(of_other)) if of_other < of_one => other,
            _ => one,
        }
    }

    /// Adds sets that are known, as far as there is room.
    pub(crate) fn add(&mut self, sets: Vec<Vector>) {
        let [adds, _] = self.take(sets.into_iter().map(Rest::of).collect(), |_, _| {
            (None, None)
        });
        self.is_unclear |= adds.contains(&Adds::Unclear);
    }

    /// Lets each form take all sets, both at the same time where that is worth it.
    fn take<'a>(
        &mut self,
        rests: Vec<Rest>,
        how: impl Fn(usize, usize) -> (Option<usize>, Option<&'a Form>) + Sync,
    ) -> [Vec<Adds>; 2] {
        let work = (self.forms[0].rows.len() + rests.len()) * rests.len();
        let count = rests.len();
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        for rest in rests {
            let [one, other] = rest.forms;
            of_one.push((one, rest.sum));
            of_other.push((other, rest.sum));
        }
        let all = |form: &mut Form, rests: Vec<(Reduced, u64)>, at: usize| -> Vec<Adds> {
            let each = rests.into_iter().enumerate();
            each.map(|(place, (rest, sum))| {
                let (k, before) = how(place, at);
                form.take(rest, sum, k, before)
            })
            .collect()
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

    /// How much work it is to look at a set, in visits.
    pub(crate) fn work(&self) -> u64 {
        let rows: usize = self.forms.iter().map(|form| form.rows.len()).sum();
        rows as u64 * VISITS_PER_ROW
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
        let reduced = Reduced {
            columns: set.columns,
            made_of: Trits::default(),
            rows: 0,
        };
        Rest {
            forms: [reduced.clone(), reduced],
            sum: set.sum,
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

impl Form {
    fn is_full(&self) -> bool {
        self.rows.len() >= self.room
    }

    /// Reduces a rest by the rows that were added since. Whether that changed it.
    fn reduce(&self, rest: &mut Reduced) -> bool {
        let mut changed = false;
        for row in self.rows.iter().skip(rest.rows) {
            let factor = negative(rest.columns.at(row.pivot));
            if factor != 0 {
                rest.columns.add(factor, &row.columns);
                rest.made_of.add(factor, &row.made_of);
                changed = true;
            }
        }
        rest.rows = self.rows.len();
        changed
    }

    /// What a set would add of which this is left; k is none where it is known. Rows that are in the other form too were
    /// looked at.
    fn adds(&self, rest: &Reduced, sum: u64, k: Option<usize>, before: Option<&Form>) -> Adds {
        if rest.columns.is_zero() {
            return self.nothing(rest, sum);
        }
        if k.is_some_and(|k| self.leaves_few(&rest.columns, k, before)) {
            Adds::AFew
        } else if self.is_full() {
            Adds::NoRoom
        } else {
            Adds::Itself
        }
    }

    /// Whether a set of which nothing is left modulo 3 is what it is made of.
    fn nothing(&self, rest: &Reduced, sum: u64) -> Adds {
        let Some(sums) = &self.sums else {
            return Adds::Nothing;
        };
        let made_of = rest.made_of.places();
        let of_all = made_of.fold(sum, |all, (set, factor)| {
            let of_set = sums.get(set).copied().unwrap_or(0);
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

    /// Whether the rest leaves fewer than k columns, alone or with a row that is not in the other form.
    fn leaves_few(&self, rest: &Trits, k: usize, before: Option<&Form>) -> bool {
        let places: Vec<usize> = rest.places().map(|(at, _)| at).take(k).collect();
        if places.len() < k {
            return true;
        }
        let before = before.map_or(&[][..], |form| &form.rows);
        self.rows.iter().enumerate().any(|(at, row)| {
            let is_looked_at = before.get(at).is_some_and(|of| Arc::ptr_eq(of, row));
            // Of any k − 1 places of the rest, the row has to undo one: its pivot is left, and k − 2 others at most.
            !is_looked_at
                && places[..k - 1]
                    .iter()
                    .any(|place| row.columns.at(*place) != 0)
                && rest.nearly_cancels(&row.columns, k)
        })
    }

    /// Takes a set, where it is independent.
    fn take(
        &mut self,
        mut rest: Reduced,
        sum: u64,
        k: Option<usize>,
        before: Option<&Form>,
    ) -> Adds {
        let changed = self.reduce(&mut rest);
        let adds = self.adds(&rest, sum, k, before.filter(|_| !changed));
        if adds == Adds::Itself {
            self.push(rest, sum);
        }
        adds
    }

    fn push(&mut self, rest: Reduced, sum: u64) {
        let mut places = rest.columns.places();
        let place = if self.backwards {
            places.next_back()
        } else {
            places.next()
        };
        let Some((pivot, value)) = place else {
            return;
        };
        drop(places);
        let (mut columns, mut made_of) = (rest.columns, rest.made_of);
        if let Some(sums) = &mut self.sums {
            made_of.set(sums.len(), 1);
            sums.push(sum);
        }
        if value == 2 {
            columns.negate();
            made_of.negate();
        }
        let new = Row {
            pivot,
            columns,
            made_of,
        };
        for row in &mut self.rows {
            let factor = negative(row.columns.at(pivot));
            if factor != 0 {
                let row = Arc::make_mut(row);
                row.columns.add(factor, &new.columns);
                row.made_of.add(factor, &new.made_of);
            }
        }
        self.rows.push(Arc::new(new));
    }
}

#[cfg(test)]
mod tests;
