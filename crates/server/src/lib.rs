//! The Weir server: identity, authorisation and the order of steps.
//!
//! **For**: making a domain ([`init`]), opening it ([`Domain::open`]) and serving it over gRPC with mutual TLS
//! ([`serve`]). It calls the other crates in the right order and turns their errors into gRPC statuses.
//!
//! **Not for**: looking at data. It moves an `Unreleased` from `inside` to `gate` without being able to read it, and
//! answers from a `Released`.
//!
//! **Invariants**
//! - No call is answered without a certificate that the domain issued and the registry knows; who may call what is one
//!   table (`access.rs`).
//! - The only Arrow data this crate names is that of a `Released` table or of an answer made from one. Of a table that
//!   waits for people it passes on bytes, to reviewers alone, after the log says who looks (`airlock.rs`).
//! - What an operator hears of a run that has read is its state and a coarse duration, in slots of the settings (`attempts.rs`).
//! - Every state change is in the log before it takes effect (`release.rs` is the argument for releases).
//! - Nothing is read without a grant that covers it, and nothing is released once that was taken back (`grants.rs`).
//! - Logs and statuses carry codes, names and identifiers; no message of an engine and no SQL text is logged.

mod access;
mod airlock;
mod alert_settings;
mod attempts;
mod authority;
mod backup;
mod basis;
mod budgets;
mod check;
mod clock;
mod computing;
mod config;
mod declared;
mod domain;
mod estimate;
mod fair;
mod fault;
#[doc(hidden)]
pub mod faults;
mod folder;
mod grants;
mod http;
mod init;
mod keys;
mod ledger;
mod log_http;
mod log_settings;
mod metrics;
mod metrics_http;
mod models;
mod observe_settings;
mod observed;
mod policies;
mod preparing;
mod products;
mod record;
mod release;
mod replay;
mod requests;
mod retention;
mod sealing;
mod serve;
mod services;
mod signing;
mod snapshots;
#[cfg(test)]
mod test_domain;
mod tls;
mod traces;
mod transitions;
mod unfinished;
mod usage;
mod vault_settings;
mod vetting;
mod wait;
mod watching;
mod witness_http;
mod witnesses;

pub use alert_settings::{AlertConfig, WebhookConfig};
pub use backup::{BackupSummary, create_backup, restore_backup, verify_backup};
pub use check::{CheckedDomain, check_domain};
pub use clock::Clock;
pub use config::{Config, LISTEN_DEFAULT};
pub use domain::Domain;
pub use fair::FairUseConfig;
pub use fault::{Family, Fault};
pub use folder::Folder;
pub use http::HttpServing;
pub use init::{FirstIdentity, InitOptions, init};
pub use log_settings::{LogConfig, WitnessConfig};
pub use observe_settings::{MetricsConfig, TracesConfig};
pub use retention::RetentionConfig;
pub use serve::{Serving, serve};
pub use transitions::{Transition, transitions};
pub use usage::{PriceList, Prices, UsageConfig};
pub use vault_settings::{KeysConfig, StoreConfig, VaultConfig};
pub use wait::Wait;
pub use witness_http::serve_witness;
