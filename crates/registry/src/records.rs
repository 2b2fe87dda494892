//! The facts the registry keeps, one type per table.

use std::fmt;
use std::str::FromStr;

use sqlx::FromRow;

use crate::models::{ModelEnd, ModelState};

/// What a person is to the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Runs the domain: registers, approves, issues identities.
    Bureau,
    /// Gives data.
    Provider,
    /// Submits models and runs queries.
    Operator,
    /// Verifies.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Bureau, Self::Provider, Self::Operator, Self::Auditor];

    /// The role's name in the database, the log and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bureau => "bureau",
            Self::Provider => "provider",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "`{text}` is not a role; the roles are bureau, provider, operator and auditor"
                )
            })
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What a fact about the domain is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Digest of the policy in force.
    PolicyDigest,
    /// Digest of the bytes of `policy.toml` as they were last read or written.
    PolicyFile,
    /// Every entry of the log before this one has had its effect, or an entry that says that it had none.
    SettledTo,
    /// Digest of the public parts of the log's key, and the entries that the log had when it was looked at.
    SigningKey,
    /// The same of the authority.
    AuthorityKey,
    /// Digest of the bytes of `domain.toml` at the last start.
    SettingsFile,
}

impl Fact {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::PolicyDigest => "policy_digest",
            Self::PolicyFile => "policy_file",
            Self::SettledTo => "settled_to",
            Self::SigningKey => "signing_key",
            Self::AuthorityKey => "authority_key",
            Self::SettingsFile => "settings_file",
        }
    }
}

/// A certificate the domain issued.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct IdentityRecord {
    /// Digest of the certificate.
    pub fingerprint: String,
    /// What the person is to the domain.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// Where the person works.
    pub organisation: String,
    /// Who it is.
    pub person: String,
    /// RFC 3339.
    pub not_after: String,
    /// RFC 3339.
    pub issued_at: String,
    /// That it was revoked, if it was.
    #[sqlx(flatten)]
    pub end: IdentityEnd,
}

/// That a certificate was revoked. All fields are there, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromRow)]
pub struct IdentityEnd {
    /// RFC 3339.
    pub revoked_at: Option<String>,
    /// Person and organisation.
    pub revoked_by: Option<String>,
    /// Why.
    pub revoke_reason: Option<String>,
}

/// A registered dataset and its newest snapshot.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct DatasetRecord {
    /// Its name in SQL.
    pub name: String,
    /// Whose unit ids it uses.
    pub population: String,
    /// The manifest as it was handed in.
    pub manifest_toml: String,
    /// The sealed snapshot's id.
    pub snapshot: String,
    /// The sealed snapshot's digest.
    pub digest: String,
    /// Rows stored.
    pub rows: i64,
    /// Distinct units.
    pub units: i64,
    /// Rows left out because they named no unit.
    pub rows_without_unit: i64,
    /// RFC 3339.
    pub registered_at: String,
    /// Person and organisation.
    pub registered_by: String,
}

/// One snapshot of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SnapshotRecord {
    /// Its id.
    pub id: String,
    /// Whose snapshot it is.
    pub dataset: String,
    /// The manifest as it was handed in with it.
    pub manifest_toml: String,
    /// Its digest.
    pub digest: String,
    /// Rows stored.
    pub rows: i64,
    /// Distinct units.
    pub units: i64,
    /// Rows left out because they named no unit.
    pub rows_without_unit: i64,
    /// RFC 3339.
    pub registered_at: String,
    /// Person and organisation.
    pub registered_by: String,
    /// That it was destroyed, if it was.
    #[sqlx(flatten)]
    pub end: SnapshotEnd,
}

impl SnapshotRecord {
    /// Whether it can be read.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.end.destroyed_at.is_none()
    }
}

/// That a snapshot was destroyed. All fields are there, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromRow)]
pub struct SnapshotEnd {
    /// RFC 3339.
    pub destroyed_at: Option<String>,
    /// Person and organisation.
    pub destroyed_by: Option<String>,
    /// Why.
    pub destroy_reason: Option<String>,
    /// The certificate and the receipt of its entry in the log, JSON.
    pub certificate: Option<String>,
}

/// A submitted model.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ModelRecord {
    /// Its name in SQL.
    pub name: String,
    /// Digest of its bytes.
    pub digest: String,
    /// Its bytes.
    pub component: Vec<u8>,
    /// Its signature, for people.
    pub signature: String,
    /// Whose model it is.
    pub organisation: String,
    /// Who submitted it.
    pub submitted_by: String,
    /// RFC 3339.
    pub submitted_at: String,
    /// What was found about it at submission.
    #[sqlx(flatten)]
    pub vetting: ModelVetting,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: ModelState,
    /// Who approved it last, if anyone did.
    #[sqlx(flatten)]
    pub approval: Approval,
    /// Who rejected it or withdrew its approval, if anyone did.
    #[sqlx(flatten)]
    pub end: ModelEnd,
}

/// What was found about a model at submission. All empty for one of before vetting.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromRow)]
pub struct ModelVetting {
    /// Digest of the bytes as submitted: another than the model's where they were packaged.
    pub submitted_digest: String,
    /// The report, as JSON.
    pub report: String,
    /// Digest of the report.
    pub report_digest: String,
}

/// A reviewer's word on a model.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromRow)]
pub struct Approval {
    /// Who approved; `None` until then.
    pub approved_by: Option<String>,
    /// RFC 3339; `None` until then.
    pub approved_at: Option<String>,
}

/// A run that released something, with its answer.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RunRecord {
    /// The run's id.
    pub run: String,
    /// Whose run it is.
    pub organisation: String,
    /// Who ran it.
    pub person: String,
    /// Digest of the request.
    pub request_digest: String,
    /// What it read.
    pub dataset: String,
    /// Cells that left.
    pub cells_released: i64,
    /// Cells that did not. Exact: not for operators.
    pub cells_withheld: i64,
    /// Digest of the released table.
    pub table_digest: String,
    /// Its entry in the log.
    pub log_index: i64,
    /// RFC 3339.
    pub finished_at: String,
    /// The answer as it was sent.
    pub answer: Vec<u8>,
}
