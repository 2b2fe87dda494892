//! What can happen in a domain: the closed list of facts an entry can state.
//!
//! Field order is part of the format: it is the order in which canonical bytes are written. New kinds of event may be
//! added at the end; an existing one never changes (a changed fact is a new kind, or a new entry version).

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::entry::Timestamp;

/// A model as a release refers to it: the name used in the query, and the bytes that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// Digest of the WebAssembly component.
    pub digest: Digest,
}

/// A dataset that was read, by name and snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRef {
    /// The dataset's name.
    pub name: String,
    /// The snapshot's identifier.
    pub snapshot: String,
}

/// One fact. Names, digests and counts only: there is no field that could hold a raw data value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A domain came into being; the first entry of its log.
    DomainInitialised {
        /// The domain's name.
        domain: String,
        /// The log's origin, as in its checkpoints.
        origin: String,
    },
    /// A client certificate was issued.
    IdentityIssued {
        /// Digest of the certificate.
        fingerprint: Digest,
        /// Whom it names.
        person: String,
        /// The organisation they act for.
        organisation: String,
        /// The role it confers.
        role: String,
        /// When it ceases to be accepted.
        not_after: Timestamp,
    },
    /// A dataset's snapshot was sealed and registered.
    DatasetRegistered {
        /// The dataset's name.
        dataset: String,
        /// The snapshot's identifier.
        snapshot: String,
        /// The population its units belong to.
        population: String,
        /// Digest of the sealed snapshot.
        digest: Digest,
        /// Rows kept.
        rows: u64,
        /// Distinct units among them.
        units: u64,
        /// Rows left out because they name no unit.
        rows_without_unit: u64,
    },
    /// A model was submitted for vetting.
    ModelSubmitted {
        /// The model's name.
        model: String,
        /// Digest of the WebAssembly component.
        digest: Digest,
        /// Its size.
        size_bytes: u64,
    },
    /// A model was approved: these bytes may run.
    ModelApproved {
        /// The model's name.
        model: String,
        /// Digest of the WebAssembly component.
        digest: Digest,
    },
    /// A release policy came into force.
    PolicyInForce {
        /// The policy's name.
        name: String,
        /// Digest of its text.
        digest: Digest,
    },
    /// The gate decided on a table: this entry is durable before the released table exists.
    ReleaseDecided {
        /// The run's identifier.
        run: String,
        /// Digest of the request as it was received.
        request_digest: Digest,
        /// The datasets read, in the order of their names.
        datasets: Vec<DatasetRef>,
        /// The models that ran, in the order of their names.
        models: Vec<ModelRef>,
        /// Digest of the policy applied.
        policy_digest: Digest,
        /// Cells that left.
        cells_released: u64,
        /// Cells that did not, rounded up to coarse steps: an operator reads this entry in its receipt, and the exact
        /// number would tell whether a cell of one unit exists.
        cells_withheld_at_most: u64,
        /// Digest of the released table.
        table_digest: Digest,
    },
    /// A run was refused before anything could be released.
    RunRefused {
        /// The run's identifier.
        run: String,
        /// Digest of the request as it was received.
        request_digest: Digest,
        /// The stable code of the refusal.
        code: String,
    },
}
