//! What is reviewed of a product, and run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_audit::Digest;
use weir_policy::Policy;
use weir_registry::ProductRecord;

use super::slot::Slots;
use crate::fault::Fault;

/// The version of the form below.
pub(super) const VERSION: u32 = 1;

/// The terms of a product. Their JSON, in the order of these fields, is what the digest is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terms {
    pub(crate) version: u32,
    pub(crate) name: String,
    pub(crate) organisation: String,
    pub(crate) title: String,
    pub(crate) purpose: String,
    pub(crate) sql: String,
    pub(crate) grant: String,
    pub(crate) datasets: Vec<String>,
    /// Name and digest.
    pub(crate) models: BTreeMap<String, String>,
    /// The policy in force at registration, in its canonical form.
    pub(crate) policy: String,
    /// None for a product that runs when it is asked for.
    pub(crate) slots: Option<Slots>,
}

impl Terms {
    /// The terms in a record, as they were reviewed.
    pub(crate) fn read(record: &ProductRecord) -> Result<Self, Fault> {
        let broken = || {
            Fault::bug(
                "BUG_PRODUCT",
                "a product in the registry is not as it was registered. Please report this",
            )
        };
        let same = Digest::of(record.terms.as_bytes()).to_string() == record.digest;
        let terms: Self = serde_json::from_str(&record.terms).map_err(|_| broken())?;
        let same = same && terms.version == VERSION && terms.name == record.name;
        same.then_some(terms).ok_or_else(broken)
    }

    /// As they are kept.
    pub(super) fn write(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|_| {
            Fault::bug(
                "BUG_PRODUCT",
                "a product cannot be written. Please report this",
            )
        })
    }

    /// The policy, as a layer.
    pub(super) fn layer(&self) -> Result<Policy, Fault> {
        Ok(Policy::layer_from_toml(
            &self.policy,
            "the product's policy",
        )?)
    }
}
