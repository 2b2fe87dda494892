//! Fuzzing of what reads foreign bytes: the targets of `crates/model/tests/suite/targets.rs`, driven by coverage.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "targets fail by panicking"
)]
#![allow(
    dead_code,
    reason = "the tests use more of the file than the targets do"
)]

#[path = "../../crates/model/tests/suite/targets.rs"]
mod targets;

/// Panics where bytes are refused otherwise than as the model's fault.
pub fn admission(bytes: &[u8]) {
    targets::admission(bytes);
}

/// Panics where the woven model and the component as it is disagree on a first row.
pub fn instrumenter(bytes: &[u8]) {
    targets::instrumenter(bytes);
}
