//! The vault from outside: files in, sealed snapshots on disk, tables out.
//!
//! | module | property |
//! |---|---|
//! | `round_trip` | what goes in comes out: values, order, units, and nothing else in the clear on disk |
//! | `refused` | a bad source is refused with its place, without its values, and leaves no trace |
//! | `tamper` | every altered, cut, missing or swapped file is detected and named |
//! | `crash` | what a crash leaves is cleared, and a snapshot is whole or absent |
//! | `parts` | folders of parts, Arrow IPC and several units: the same rows however they come, and a bad part is named |
//! | `random` | random tables keep their rows, grouped and sorted by dense units |

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
mod crash;
mod parts;
mod random;
mod refused;
mod round_trip;
mod tamper;
