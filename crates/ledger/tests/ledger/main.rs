//! The ledger from outside: agreement with a naive one, attacks, figures.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

mod agreement;
mod attacks;
mod figures;
mod interval;
mod naive;
mod rows;
mod store;
mod support;
mod waiting;
