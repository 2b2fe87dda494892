//! What was ever released, as sets of units, and what may still be: no release, by anyone, ever, isolates fewer than
//! k units.
//!
//! Thresholds look at one table. Two tables that each pass subtract to one person. So the ledger keeps, for every
//! released cell, which units it speaks of, and is asked before a new cell is answered:
//!
//! ```text
//! Question ──ask──► Asked (a verdict per cell and statistic) ──record(answers)──► durable ──► log ──► result
//!                     ▲        │ withhold more
//!                     └─again──┘
//! ```
//!
//! [`Verdict::Fresh`] may be answered; [`Verdict::Same`] was answered before and is answered the same; [`Verdict::Near`]
//! lies within fewer than k units of an answered cell of the same statistic and gets that answer, because a refusal
//! would be an answer too; [`Verdict::Isolates`] is withheld like any suppressed cell; [`Verdict::Review`] could not be
//! decided within the bounds of work and never goes through by itself.
//!
//! How it fits in: whoever judges cells asks through [`History`] and needs to know nothing of files. The ledger knows
//! neither SQL nor Arrow nor policies: it is given sets, digests and a k.
//!
//! What this crate does not do: it judges no cell by its own numbers (the gate does), keeps no raw value (sets of unit
//! ids and released numbers are all it has), decides nothing about who may ask, and says nothing to an operator.
//!
//! Invariants
//! - Across all operators, snapshots and datasets of a population: a cell is `Fresh` only if its set, its complement and
//!   the union of the cells it is released with lie 0 or at least k units away from every set ever recorded. The one
//!   exception are cells of one grouping, which have no row in common ([`Selection`]): between them it is the numbers that
//!   are 0 or at least k units apart.
//! - Nor does any sum or difference of what was chosen and of small tables leave the units, or the rows, of fewer than k units.
//! - Where somebody chose one of two sets they lie further apart still, by a margin that is drawn for each pair.
//! - What is recorded is never forgotten: there is no way to remove an entry, and destroying a snapshot removes none.
//! - Nothing is recorded against a state of the ledger other than the one that was asked.
//! - The verdicts depend on the exact sets. Hashes only find what has to be compared; a bad hash costs time.
//! - Neither a set nor a number of units has a `Debug`, an error or a file that shows it.

mod ask;
pub mod bits;
mod closure;
mod entry;
mod error;
mod history;
mod index;
pub mod interval;
mod known;
mod ledger;
mod limits;
mod margin;
mod near;
pub mod parallel;
mod partition;
mod question;
mod repeat;
pub mod rounding;
mod rows;
mod sketch;
mod span;
mod store;
mod trits;
mod union;
mod words;

pub use error::{Family, LedgerError};
pub use ledger::{Asked, Earlier, History, Ledger, State};
pub use limits::{
    ANSWER_BYTES_MAX, BUCKETS_MAX, CELLS_MAX, COMPARISONS_MAX, FRAME_BYTES_MAX, MARGIN_MAX,
    STATISTICS_MAX, UNITS_MIN_FLOOR, VISITS_MAX,
};
pub use question::{Answers, Cell, Digest, Question, Release, Selection, Statistic, Verdict};
pub use roaring::RoaringBitmap;
pub use rows::{Rows, row_weight};
pub use store::LedgerKey;
#[doc(hidden)]
pub use store::{Disk, OsDisk};

/// What a function of this crate answers.
pub type Result<T> = std::result::Result<T, LedgerError>;
