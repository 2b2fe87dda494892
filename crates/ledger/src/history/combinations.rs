//! What is looked at together, and all its combinations.

use crate::Result;
use crate::limits::{COMBINED_AT_ONCE, COMBINED_FEW_MAX};
use crate::span::{Span, Vector, WIDTHS};

/// So many sets that are not among the combinations yet are worth a thread.
const BEHIND: usize = 64;

/// What sums of are looked at together, in the order in which it became known, and all combinations of it.
///
/// These are made when nobody asks, or when they are asked for, as what they are made of is read again: a ledger opens without
/// that.
pub(crate) struct Combinations<T> {
    of: Vec<T>,
    /// For few and for many, and how far each was brought.
    spans: [(usize, Span); 2],
    /// Which of the two was brought up last.
    width: usize,
    empty: fn(u32) -> Span,
}

impl<T> Combinations<T> {
    /// Of nothing yet, in spans that are made so with so many columns.
    pub(super) fn new(empty: fn(u32) -> Span) -> Combinations<T> {
        Combinations {
            of: Vec::new(),
            spans: WIDTHS.map(|width| (0, empty(width))),
            width: 0,
            empty,
        }
    }

    pub(super) fn note(&mut self, of: T) {
        self.of.push(of);
    }

    pub(crate) fn of(&self) -> &[T] {
        &self.of
    }

    /// Brings the combinations up to what is known, so many being asked about. `vector` says what each is, among so many
    /// columns.
    pub(crate) fn catch_up(
        &mut self,
        more: usize,
        vector: impl Fn(&T, u32) -> Result<Vector>,
    ) -> Result<()> {
        // Of so many as there may be afterwards: it depends on nothing that is not recorded, or asked.
        self.width = usize::from(self.of.len() + more > COMBINED_FEW_MAX);
        if self.of.len() > COMBINED_FEW_MAX {
            self.spans[0] = (0, (self.empty)(WIDTHS[0]));
        }
        while self.add_some(self.width, &vector)? {}
        Ok(())
    }

    /// Which widths may be asked for next: that for many before there are, as the question that makes them many waits for it
    /// otherwise.
    fn needed(&self) -> impl Iterator<Item = usize> + use<T> {
        let known = self.of.len();
        let needed = [known <= COMBINED_FEW_MAX, known > COMBINED_FEW_MAX / 2];
        (0..needed.len()).filter(move |width| needed[*width])
    }

    /// Whether there is much that questions would wait for.
    pub(super) fn is_behind(&self) -> bool {
        self.needed().any(|width| {
            let (done, span) = &self.spans[width];
            let behind = self.of.len().saturating_sub(*done);
            (behind >= BEHIND && !span.is_full()) || span.has_many_waiting()
        })
    }

    /// Does a part of what questions would wait for. Whether there was something to do.
    pub(super) fn prepare(&mut self, vector: impl Fn(&T, u32) -> Result<Vector>) -> Result<bool> {
        for width in self.needed() {
            if self.add_some(width, &vector)? || self.spans[width].1.flush_many() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds some of what is known and not among these combinations yet. Whether there was something, and room.
    fn add_some(
        &mut self,
        width: usize,
        vector: impl Fn(&T, u32) -> Result<Vector>,
    ) -> Result<bool> {
        let (done, span) = &mut self.spans[width];
        if *done >= self.of.len() || span.is_full() {
            return Ok(false);
        }
        let some = self.of.iter().skip(*done).take(COMBINED_AT_ONCE);
        let vectors = some.map(|of| vector(of, span.width()));
        let vectors = vectors.collect::<Result<Vec<_>>>()?;
        let first = *done as u32;
        *done += vectors.len();
        span.add(vectors, first);
        Ok(true)
    }

    /// Takes combinations that were made while a release was judged, with all that was noted since there were so many.
    pub(super) fn bring_up(&mut self, before: usize, with: Span) {
        let (done, span) = &mut self.spans[self.width];
        if *done == before && span.width() == with.width() {
            (*done, *span) = (self.of.len(), with);
            span.settle();
        }
    }

    /// All combinations of what is known, as far as they were brought up.
    pub(crate) fn span(&self) -> &Span {
        &self.spans[self.width].1
    }
}
