//! End-to-end tests: real gRPC with mutual TLS, as users meet it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod aggregates;
mod authority;
mod bad_data;
mod catalogue;
mod expected;
mod fair_use;
mod grants;
mod grants_race;
mod grants_runs;
mod joins;
mod log_http;
mod matrix;
mod models;
mod numbers;
mod policies;
mod products;
mod record;
mod refusals;
mod rights;
mod several_units;
mod shared_data;
mod snapshots;
mod usage;
mod witnesses;
