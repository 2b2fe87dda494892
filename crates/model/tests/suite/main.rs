//! Tests of the crate as its callers see it: from bytes to columns.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

mod admission;
mod binding;
mod echo;
mod examples;
mod fuzz;
mod guests;
mod hostile;
mod independence;
mod limits;
mod nan;
mod packaging;
mod rust;
mod smith;
mod support;
mod targets;
mod tiers;
mod units;
mod values;
mod vetting;
mod vetting_rows;
mod zoo;
