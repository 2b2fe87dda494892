//! End-to-end tests: real gRPC with mutual TLS, as users meet it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod aggregates;
mod airlock;
mod airlock_sequences;
mod alerts;
mod authority;
mod authority_rotation;
mod backup;
mod bad_data;
mod catalogue;
mod expected;
mod fair_use;
mod faults;
mod formats;
mod grants;
mod grants_race;
mod grants_runs;
mod joins;
mod log_http;
mod matrix;
mod metrics;
mod models;
mod numbers;
mod policies;
mod products;
mod record;
mod refusals;
mod replay;
mod reports;
mod retention;
mod rights;
mod rotation;
mod several_units;
mod shared_data;
mod snapshots;
mod soak;
mod statuses;
mod tampering;
mod traces;
mod usage;
mod witnesses;
