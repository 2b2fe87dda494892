//! What a grant says: the text that is signed, and what it covers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Months, Utc};
use serde::{Deserialize, Serialize};
use weir_policy::Policy;
use weir_registry::{Allowance, GrantRecord};

use super::{moment, parse_moment};
use crate::domain::Domain;
use crate::fault::Fault;

/// What a signed grant calls itself.
pub(super) const KIND: &str = "grant";

/// Longest term, in months: three years.
pub(super) const TERM_MONTHS_MAX: u32 = 36;

/// How long before its end a grant can be renewed, in months.
pub(super) const RENEWAL_MONTHS: u32 = 3;

/// Datasets and the columns of each that may be read.
pub(crate) type Columns = BTreeMap<String, BTreeSet<String>>;

/// Which models may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Models {
    /// Whatever the bureau approved.
    AnyVetted,
    /// These digests, once the bureau approved them.
    Digests(BTreeSet<String>),
}

impl Models {
    pub(crate) fn allow(&self, digest: &str) -> bool {
        match self {
            Self::AnyVetted => true,
            Self::Digests(digests) => digests.contains(digest),
        }
    }

    /// Whether all that these allow is allowed by `above`.
    fn within(&self, above: &Self) -> bool {
        match (self, above) {
            (_, Self::AnyVetted) => true,
            (Self::AnyVetted, Self::Digests(_)) => false,
            (Self::Digests(own), Self::Digests(above)) => own.is_subset(above),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::AnyVetted => vec![ANY_VETTED.to_owned()],
            Self::Digests(digests) => digests.iter().cloned().collect(),
        }
    }
}

/// How an application names every approved model.
pub(super) const ANY_VETTED: &str = "any-vetted";

/// How much may be done. What is `None` has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quotas {
    /// Runs that begin to read.
    pub(crate) runs: Option<u64>,
    /// Cells that are released.
    pub(crate) cells: Option<u64>,
    /// Bits that releases can carry.
    pub(crate) bits_out: Option<u64>,
    /// Privacy loss, in millionths.
    pub(crate) epsilon_millionths: Option<u64>,
    /// Millions of instructions that models may take over what is read.
    pub(crate) fuel: Option<u64>,
    /// Bytes that are read: declared widths of columns times rows.
    pub(crate) bytes: Option<u64>,
}

impl Quotas {
    fn each(&self) -> [(&'static str, Option<u64>); 6] {
        [
            ("runs", self.runs),
            ("cells", self.cells),
            ("bits_out", self.bits_out),
            ("epsilon_millionths", self.epsilon_millionths),
            ("fuel", self.fuel),
            ("bytes", self.bytes),
        ]
    }

    /// The first quota that is larger than that of `above`.
    fn over(&self, above: &Self) -> Option<&'static str> {
        let pairs = self.each().into_iter().zip(above.each());
        pairs
            .filter(|((_, own), (_, above))| match (own, above) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(own), Some(above)) => own > above,
            })
            .map(|((name, _), _)| name)
            .next()
    }

    /// As a grant is charged by them. What is larger than the registry can count is no bound.
    pub(super) fn allowance(&self, grant: &str) -> Allowance {
        let bound = |quota: Option<u64>| quota.and_then(|quota| i64::try_from(quota).ok());
        Allowance {
            grant: grant.to_owned(),
            runs: bound(self.runs),
            amounts: [
                self.cells,
                self.bits_out,
                self.epsilon_millionths,
                self.fuel,
                self.bytes,
            ]
            .map(bound),
        }
    }

    /// These, where they are given, and otherwise those.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            runs: self.runs.or(other.runs),
            cells: self.cells.or(other.cells),
            bits_out: self.bits_out.or(other.bits_out),
            epsilon_millionths: self.epsilon_millionths.or(other.epsilon_millionths),
            fuel: self.fuel.or(other.fuel),
            bytes: self.bytes.or(other.bytes),
        }
    }
}

/// What a grant says. Its JSON, in the order of these fields, is what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terms {
    pub(crate) version: u32,
    pub(crate) grant: String,
    pub(crate) parent: Option<String>,
    pub(crate) application: String,
    /// Digest of the application's text.
    pub(crate) application_digest: String,
    pub(crate) organisation: String,
    pub(crate) scenario: String,
    pub(crate) purpose: String,
    pub(crate) datasets: Columns,
    pub(crate) models: Models,
    /// A policy layer in TOML; empty for none.
    pub(crate) policy: String,
    pub(crate) quotas: Quotas,
    pub(crate) partners: BTreeSet<String>,
    /// RFC 3339, always to the millisecond: moments compare as text.
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) issued_by: String,
}

/// The version of the form above.
pub(super) const VERSION: u32 = 1;

impl Terms {
    /// The terms in a record: signed by this domain, and those of this record and no other.
    pub(crate) fn read(domain: &Domain, record: &GrantRecord) -> Result<Self, Fault> {
        let forged = || {
            Fault::policy(
                "GRANT_FORGED",
                format!(
                    "grant `{}` is not as this domain signed it, and nothing is read under it. Tell the bureau and an auditor",
                    record.id
                ),
            )
        };
        let body = domain
            .signing
            .verifier()
            .read_statement(KIND, &record.note)
            .ok_or_else(forged)?;
        let terms: Self = serde_json::from_str(&body).map_err(|_| forged())?;
        let same = terms.version == VERSION
            && terms.grant == record.id
            && terms.parent == record.parent
            && terms.organisation == record.organisation
            && terms.not_after == record.not_after
            && terms.not_before == record.not_before;
        same.then_some(terms).ok_or_else(forged)
    }

    /// The signed text.
    pub(super) fn sign(&self, domain: &Domain) -> Result<String, Fault> {
        let body = serde_json::to_string(self).map_err(|_| {
            Fault::bug("BUG_GRANT", "a grant cannot be written. Please report this")
        })?;
        domain.signing.sign_statement(KIND, &body)
    }

    /// When it ends.
    pub(crate) fn end(&self) -> Result<DateTime<Utc>, Fault> {
        parse_moment(&self.not_after)
    }

    /// From when it can be renewed.
    pub(crate) fn renewable_from(&self) -> Result<String, Fault> {
        let early = self
            .end()?
            .checked_sub_months(Months::new(RENEWAL_MONTHS))
            .map_or_else(String::new, moment);
        Ok(early.max(self.not_before.clone()))
    }

    /// The layer that it lays on the policies in force.
    pub(crate) fn layer(&self) -> Result<Option<Policy>, Fault> {
        match self.policy.is_empty() {
            true => Ok(None),
            false => Ok(Some(Policy::layer_from_toml(
                &self.policy,
                "the grant's policy",
            )?)),
        }
    }

    /// Refuses where these reach beyond `above` in anything.
    pub(super) fn within(&self, above: &Self) -> Result<(), Fault> {
        let wider = |what: String| {
            Err(Fault::policy(
                "GRANT_WIDER",
                format!(
                    "{what}, which neither the application nor a grant above allows. A grant reaches no further than what was \
                     asked for, and a part no further than the whole"
                ),
            ))
        };
        for (dataset, columns) in &self.datasets {
            let Some(allowed) = above.datasets.get(dataset) else {
                return wider(format!("it names the dataset `{dataset}`"));
            };
            if let Some(column) = columns.difference(allowed).next() {
                return wider(format!("it names the column `{dataset}.{column}`"));
            }
        }
        if !self.models.within(&above.models) {
            return wider("it names models".to_owned());
        }
        if let Some(quota) = self.quotas.over(&above.quotas) {
            return wider(format!("its quota `{quota}` is larger"));
        }
        if self.not_before < above.not_before || self.not_after > above.not_after {
            return wider("its term is longer".to_owned());
        }
        Ok(())
    }

    /// Refuses a dataset or a model that it does not cover.
    pub(super) fn covers(&self, need: &super::Need) -> Result<(), Fault> {
        if let Some(dataset) = need
            .datasets
            .iter()
            .find(|dataset| !self.datasets.contains_key(*dataset))
        {
            return Err(Fault::policy(
                "GRANT_DATASET",
                format!(
                    "grant `{}` does not cover the dataset `{dataset}`. Use another grant, or apply for one with `weir grant apply`",
                    self.grant
                ),
            ));
        }
        if let Some((name, digest)) = need
            .models
            .iter()
            .find(|(_, digest)| !self.models.allow(digest))
        {
            return Err(Fault::policy(
                "GRANT_MODEL",
                format!(
                    "grant `{}` does not cover model `{name}` with the digest {digest}. Use another grant, or apply for one",
                    self.grant
                ),
            ));
        }
        Ok(())
    }

    /// Refuses a column that it does not cover.
    pub(super) fn covers_columns(&self, read: &Columns) -> Result<(), Fault> {
        for (dataset, columns) in read {
            let granted = self.datasets.get(dataset);
            let missing = columns
                .iter()
                .find(|column| !granted.is_some_and(|granted| granted.contains(*column)));
            if let Some(column) = missing {
                return Err(Fault::policy(
                    "GRANT_COLUMN",
                    format!(
                        "grant `{}` does not cover the column `{dataset}.{column}`, which the query reads. Leave it out, or \
                         apply for a grant that names it",
                        self.grant
                    ),
                ));
            }
        }
        Ok(())
    }
}
