//! The only door between inside and outside.
//!
//! Inside hands over a table of cells with its shape and the evidence behind each cell; the gate decides cell by cell; what
//! remains leaves as [`Released`], after the decision has been recorded. The types carry the order of the steps, so that
//! a wrong order does not compile:
//!
//! ```text
//! Unreleased ──judge(policy, past)──► Verdict ─┬─ Release ─► Judged ──record_units──► Recorded ──release(recorder)──► Released
//!  write-only                                  └─ Review ──► Reviewed ──approved(two people)──► Judged
//! ```
//!
//! The judgement has five steps, in this order:
//! 1. **Check** (`ground`, `rules`): which rules does each cell break, for each kind of unit? Rules on the cell alone, then
//!    rules on what surrounds it in the table.
//! 2. **Compare** (`past`): the ledger is asked about each cell that is left; what it lets go is answered afresh, answered as
//!    before, or withheld.
//! 3. **Suppress** (`table`): a cell that breaks a rule is withheld whole.
//! 4. **Round** (`round`, `protection`): counts to a base, other numbers to significant digits.
//! 5. **Derive** (`table`, `numbers`): a total is the sum of the rounded cells that are there, so it tells of no other. Means
//!    and ratios are derived outside, from released numbers.
//!
//! | module | holds |
//! |---|---|
//! | `shape`, `evidence`, `first_units`, `unreleased` | what inside hands over, and whether it can be |
//! | `keys`, `codes` | keys in one form, and as small numbers |
//! | `ground`, `rules` | the check |
//! | `table`, `numbers`, `round`, `canonical`, `order`, `encode` | the table that leaves |
//! | `members`, `past`, `protection` | what was released before, and what it makes of a number |
//! | `judge`, `verdict`, `record`, `released` | the way to it |
//! | `sealed` | evidence that is kept for a later replay by another policy, and tables that people are looking at |
//!
//! What this crate does not do: it reads no file, opens no connection, runs no query, and keeps no state between two
//! tables: of earlier releases it knows what the ledger says, which it is handed as a trait. It does not look into errors or values to explain a decision: whoever
//! asks learns which cells are there.
//!
//! Invariants
//! - [`Unreleased`] can be built by anyone and read by this crate alone. It has no accessor and implements none of
//!   `Debug`, `Clone` and `Serialize`.
//! - [`Released`] is made in one place, after a [`Recorder`] has answered that the decision is recorded.
//! - A released table is a function of its released cells, the shape and the policy: neither withheld cells, nor the order
//!   of the input, nor how a column was held in memory can be found in its bytes. Bytes under a null are zero,
//!   dictionaries and shared buffers are unpacked, NaN has one form, −0.0 is 0.0, metadata is gone, rows are sorted by
//!   their grouping set and keys. Names, types and nullability of its columns follow from the shape alone.
//! - A released cell keeps every rule of the policy. Numbers that a rule cannot be computed on, such as NaN, break it.
//! - A cell that breaks a rule and a cell that never existed look alike: absent, or null where every key is closed.
//! - A policy that was tightened shows no number that it did not show before. (A table that was refused as a whole for its
//!   size may be small enough once more cells are withheld.)
//! - No error of this crate holds a value of the table or a number of its cells. There are as many messages as
//!   `error_texts` lists.

mod bits;
mod canonical;
mod coarse;
mod codes;
mod column;
mod crossing;
mod encode;
mod error;
#[cfg(test)]
mod error_texts;
mod estimate;
mod evidence;
mod first_units;
mod ground;
mod judge;
mod keys;
mod members;
mod noise;
mod numbers;
mod order;
mod past;
mod protection;
mod record;
mod released;
mod round;
mod rules;
mod sealed;
mod shape;
mod table;
mod text;
mod unreleased;
mod verdict;

pub use bits::{Code, Public, Span};
pub use column::{COLUMN_NAME_BYTES_MAX, COLUMNS_MAX};
pub use error::{Family, GateError};
pub use estimate::{ShareWithheld, share_withheld};
pub use evidence::{ArgumentUnits, Contributions, Contributors, EvidenceColumns, TOP_UNITS};
pub use first_units::FirstUnits;
pub use judge::{judge, judge_again, judge_as_then, judge_without_history};
pub use members::{Basis, Members, Most, Provenance, RowsSeen};
pub use noise::Noise;
pub use past::Past;
pub use record::{DecisionRecord, ReviewReason, Reviewer, WithheldBy};
pub use released::{Recorder, Released};
pub use round::significant;
pub use sealed::{EVIDENCE_BYTES_MAX, EvidenceKey, Preview, Rejudged, Summary, rejudge};
pub use shape::{Fit, Key, Levels, Quantiles, SETS_MAX, Shape, Statistic};
pub use text::TEXT_BYTES_MAX;
pub use unreleased::{CELLS_JUDGED_MAX, Unreleased};
pub use verdict::{Approval, Judged, Recorded, Reviewed, Verdict};
pub use weir_ledger::row_weight;
