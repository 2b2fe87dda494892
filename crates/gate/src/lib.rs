//! The only door between inside and outside.
//!
//! Inside hands over a table of cells with the evidence behind each; the gate decides cell by cell; what remains leaves
//! as [`Released`], after the decision has been recorded. The types carry the order of the steps, so that a wrong
//! order does not compile:
//!
//! ```text
//! Unreleased ──judge(policy)──► Judged ──release(recorder)──► Released + the recorder's proof
//!  write-only                    opaque                        readable
//! ```
//!
//! What this crate does not do: it reads no file, opens no connection, runs no query, and keeps no state between two
//! tables. It does not look into errors or values to explain a decision: whoever asks learns which cells are there.
//!
//! Invariants
//! - [`Unreleased`] can be built by anyone and read by this crate alone. It has no accessor and implements none of
//!   `Debug`, `Clone` and `Serialize`.
//! - [`Released`] is made in one place, after a [`Recorder`] has answered that the decision is recorded.
//! - A released table is a function of its released cells alone: neither withheld cells, nor the order of the input,
//!   nor how a column was held in memory can be found in its bytes. Bytes under a null are zero, dictionaries and
//!   shared buffers are unpacked, NaN has one form, −0.0 is 0.0, metadata is gone, rows are sorted by their keys.
//! - A released cell keeps every rule of the policy (`rules.rs`): units, rows, dominance, p-ratio. Numbers that a rule
//!   cannot be computed on, such as NaN, break it.
//! - A cell that breaks a rule and a cell that never existed look alike: absent.
//! - No error of this crate holds a value of the table, and none holds an exact count of its cells.

mod canonical;
mod coarse;
mod codes;
mod column;
mod encode;
mod error;
mod evidence;
mod first_units;
mod ground;
mod judge;
mod keys;
mod numbers;
mod order;
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

pub use column::{COLUMN_NAME_BYTES_MAX, COLUMNS_MAX};
pub use error::{Family, GateError};
pub use evidence::{Contributions, Contributors, EvidenceColumns, TOP_UNITS};
pub use first_units::FirstUnits;
pub use judge::judge;
pub use record::{DecisionRecord, ReviewReason, Reviewer, WithheldBy};
pub use released::{Recorder, Released};
pub use round::significant;
pub use sealed::{EVIDENCE_BYTES_MAX, EvidenceKey, Rejudged, rejudge};
pub use shape::{Fit, Key, Levels, Quantiles, SETS_MAX, Shape, Statistic};
pub use text::TEXT_BYTES_MAX;
pub use unreleased::{CELLS_JUDGED_MAX, Unreleased};
pub use verdict::{Approval, Judged, Reviewed, Verdict};
