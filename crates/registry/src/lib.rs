//! The registry: what the domain knows about identities, datasets, models and runs.
//!
//! **For**: durable facts in one SQL database (SQLite in the domain's folder), each read and written by one function.
//!
//! **Not for**: deciding who may do what (that is `server`), nor for raw data: no value of a dataset is ever here.
//!
//! **Invariants**
//! - A model's approval is bound to its digest; a row's digest never changes.
//! - A snapshot that is marked destroyed stays so, with the first certificate.
//! - At most one change of a policy is open, and what was proposed never changes.
//! - A kept text stands under its digest and never changes.
//! - What a grant says never changes; only its state does.
//! - What has ended in the airlock stays so, and has no table any more.
//! - Every write is one transaction; a conflict is an error that says what exists already.
//! - Charges to a grant are looked at and made in one transaction; usage is read out of the log and can be read out again.
//! - What a run may say is reserved in one transaction, of grants and of budgets over everybody; a budget has no way to be reset.
//! - Every row is covered by the seal, which changes in the transaction that changes the row.
//! - The log is written before the registry: what is here is in the log, never the other way round.

mod airlock;
mod alerts;
mod answers;
mod bases;
mod budgets;
mod charges;
mod copy;
mod database;
mod error;
mod feedback;
mod grants;
mod models;
mod policies;
mod products;
mod records;
mod requests;
mod retention;
mod seal;
mod snapshots;
#[cfg(test)]
mod tests;
mod usage;
mod writing;

pub use airlock::{AirlockRecord, AirlockReview, AirlockState, ModelReview, RunEnd};
pub use alerts::AlertRecord;
pub use answers::Answered;
pub use bases::{BasisRecord, KeptKind, KeptText};
pub use budgets::{Budget, BudgetKind, Reservation, Reserved};
pub use charges::{Allowance, Charge, ChargedRun, GrantUse, UsedUp};
pub use copy::CopyFacts;
pub use database::{Registry, WriteFaults};
pub use error::{Family, RegistryError};
pub use feedback::FeedbackRecord;
pub use grants::{
    ApplicationRecord, ApplicationState, FreezeRecord, GrantRecord, GrantState, OpinionRecord,
    RequestRecord,
};
pub use models::{ModelEnd, ModelState};
pub use policies::{ChangeState, EvidenceRecord, PolicyChangeRecord, PolicyRecord};
pub use products::{ProductRecord, ProductRunRecord, ProductState};
pub use records::{
    Approval, DatasetRecord, Fact, IdentityEnd, IdentityRecord, ModelRecord, ModelVetting, Role,
    RunRecord, SnapshotEnd, SnapshotRecord,
};
pub use requests::AnsweredRequest;
pub use retention::{Kept, KeptSummary, KeptThing};
pub use seal::check::CheckedRegistry;
pub use seal::{LogMark, REGISTRY_KEY_LEN, RegistryKey, SealedState};
pub use usage::{StoredSpan, UsageFact, UsageLine, UsageRead, UsageRun};
