//! What the record says while it grows: rules over the stream of events, and the alerts they raise.
//!
//! **For**: telling people of the bureau that something is unusual, from what the domain writes down anyway. A [`Signal`]
//! is an entry of the log, or a call that the server refused before there was anything to log; a [`Watcher`] hears them in
//! their order and says what they [raise](Raised). [`evaluate`] is the same over a whole history: a pure function of rules
//! and signals.
//!
//! **Not for**: refusing anything. An alert stops no run and is evidence of nothing: what must not happen is refused by the
//! gate, the grants and the ledger, whether or not somebody is watching. Nor for keeping or sending alerts (`server`).
//!
//! **Invariants**
//! - A signal holds names, codes, digests and counts, as entries do: no raw value can be in an alert. What an alert says of
//!   releases follows from entries of the log alone, so that an alert tells nothing that the log does not.
//! - The same rules and signals raise the same alerts; time is that of the signals, and no clock is read.
//! - One burst is one alert: while a rule goes on holding for a subject, it is said once, and again after
//!   [`REPEAT_HOURS`].
//! - Memory is bounded, whatever comes: subjects, and what is kept of each, have limits.

mod measure;
mod rules;
mod signal;
mod watcher;

pub use rules::{
    FailedAuthentication, LeakTest, NearThreshold, OffHours, QuotaSpike, RefusalBurst, Rule, Rules,
    Severity, WithheldShare,
};
pub use signal::{Signal, What};
pub use watcher::{REPEAT_HOURS, Raised, SUBJECTS_MAX, Watcher, evaluate};
