//! The vault from outside: files in, sealed snapshots on disk, tables out.
//!
//! | module | property |
//! |---|---|
//! | `round_trip` | what goes in comes out: values, order, units, and nothing else in the clear on disk |
//! | `refused` | a bad source is refused with its place, without its values, and leaves no trace |
//! | `tamper` | every altered, cut, missing or swapped file is detected and named |
//! | `crash` | what a crash leaves is cleared, and a snapshot is whole or absent |
//! | `destroy` | what was destroyed is gone, says so, and no backup brings it back |
//! | `s3` | all of it on a real S3 server over HTTP |
//! | `token` | all of it with the master key in a PKCS#11 token |
//! | `parts` | folders of parts, Arrow IPC and several units: the same rows however they come, and a bad part is named |
//! | `random` | random tables keep their rows, grouped and sorted by dense units |

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
mod crash;
mod destroy;
mod parts;
mod random;
mod refused;
mod round_trip;
mod s3;
mod tamper;
mod token;
