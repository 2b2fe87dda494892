//! The Rust client of a Weir server.
//!
//! **For**: programs that speak to a domain: connect with an identity, make calls, follow long ones, and check what
//! comes back.
//!
//! **Not for**: presenting anything (that is `cli`) nor for anything another client could not do with the contract in
//! `proto/` alone.
//!
//! **Invariants**
//! - Every connection is mutual TLS, and trusts the domain's own authority and no other.
//! - A run's answer is handed out only after its receipt was verified against the log key of the identity, which came
//!   with the identity and not with the answer.

mod airlock;
mod alert;
mod catalogue;
mod client;
mod error;
mod grant;
mod identity;
mod key;
mod policy;
mod product;
mod replay;
mod retention;
mod run;
mod usage;

pub use airlock::AirlockTable;
pub use client::{ANSWER_BYTES_MAX, Client};
pub use error::ClientError;
pub use identity::{IdentityFolder, NewKey};
pub use policy::Replay;
pub use run::RunAnswer;

/// The contract's types.
pub use weir_api::v1;
