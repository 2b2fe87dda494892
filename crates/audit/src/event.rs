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

/// What a run is charged for one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadCharge {
    /// The dataset's name.
    pub dataset: String,
    /// The organisation that provides it; empty where the manifest names none.
    pub provider: String,
    /// Rows, rounded up to two digits.
    pub rows: u64,
    /// Bytes of the columns read, in all these rows.
    pub bytes: u64,
    /// Millions of instructions that models may take over these rows.
    pub fuel: u64,
}

/// Up to where the ledger of released sets goes. It says how many releases there were, and nothing of what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerState {
    /// How many releases are recorded.
    pub releases: u64,
    /// A digest over all of them, each with the one before.
    pub chain: Digest,
}

/// The digest of a run's request as entries hold it: that of the SQL, or, where snapshots are pinned, that of the SQL
/// followed, for each snapshot in the order of their ids, by one zero byte and the id. SQL holds no zero byte, so no two
/// requests share their bytes.
#[must_use]
pub fn request_digest(sql: &str, snapshots: &[String]) -> Digest {
    Digest::of(&request_bytes(sql, snapshots))
}

/// The bytes that [`request_digest`] is the digest of.
#[must_use]
pub fn request_bytes(sql: &str, snapshots: &[String]) -> Vec<u8> {
    let mut snapshots: Vec<_> = snapshots.iter().collect();
    snapshots.sort();
    snapshots.dedup();
    let mut bytes = sql.as_bytes().to_vec();
    for snapshot in snapshots {
        bytes.push(0);
        bytes.extend_from_slice(snapshot.as_bytes());
    }
    bytes
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
        /// Up to where the ledger of released sets went when the release was in it. Entries of before there was one
        /// have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ledger: Option<LedgerState>,
        /// The bits that the table carries at most, of the reserved ones; the rest was given back to a run that began to
        /// read once. Entries of before there were budgets have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bits_out: Option<u64>,
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
    /// A snapshot was destroyed: nobody can read it any more.
    SnapshotDestroyed {
        /// The dataset's name.
        dataset: String,
        /// The snapshot's identifier.
        snapshot: String,
        /// Digest of the snapshot as it was registered.
        digest: Digest,
        /// Digest of the certificate: its canonical JSON.
        certificate: Digest,
        /// Why.
        reason: String,
    },
    /// A submitted model was vetted.
    ModelVetted {
        /// The model's name.
        model: String,
        /// Digest of the component that runs.
        digest: Digest,
        /// Digest of what was submitted; the same where nothing was packaged.
        submitted_digest: Digest,
        /// Digest of the report.
        report_digest: Digest,
        /// The worst finding: `ok`, `look` or `refuse`.
        verdict: String,
    },
    /// A model was approved by someone who had this report of it: these bytes may run.
    VettedModelApproved {
        /// The model's name.
        model: String,
        /// Digest of the component.
        digest: Digest,
        /// Digest of the report.
        report_digest: Digest,
    },
    /// A submitted model was refused by somebody who looked at it: these bytes never run.
    ModelRejected {
        /// The model's name.
        model: String,
        /// Digest of the component.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// The approval of a model was taken back: these bytes run no more.
    ModelWithdrawn {
        /// The model's name.
        model: String,
        /// Digest of the component.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// The linkage risk of a snapshot was assessed: somebody of the bureau saw how unique its units are.
    RiskAssessed {
        /// The dataset.
        dataset: String,
        /// The snapshot read.
        snapshot: String,
        /// The columns assessed.
        columns: Vec<String>,
    },
    /// An operator said something of a dataset's quality.
    FeedbackFiled {
        /// The feedback's identifier.
        feedback: String,
        /// The dataset.
        dataset: String,
        /// `quality` or `objection`.
        kind: String,
        /// Digest of what was said.
        text_digest: Digest,
    },
    /// The bureau answered feedback.
    FeedbackAnswered {
        /// The feedback's identifier.
        feedback: String,
        /// Digest of the answer.
        text_digest: Digest,
    },
    /// A change of a policy that loosens it was proposed: it needs a second person.
    PolicyProposed {
        /// The change's identifier.
        change: String,
        /// The dataset whose policy it changes; empty for the domain's own.
        dataset: String,
        /// Name of the new policy.
        name: String,
        /// Digest of the new policy.
        digest: Digest,
        /// Digest of the policy it would take the place of.
        replaces: Digest,
    },
    /// A second person approved a change of a policy.
    PolicyApproved {
        /// The change's identifier.
        change: String,
        /// Digest of the new policy.
        digest: Digest,
        /// When it may take effect.
        effective_at: Timestamp,
    },
    /// A change of a policy was taken back before it took effect.
    PolicyWithdrawn {
        /// The change's identifier.
        change: String,
        /// Digest of the policy that was proposed.
        digest: Digest,
    },
    /// The policy of a dataset came into force.
    DatasetPolicyInForce {
        /// The dataset.
        dataset: String,
        /// The policy's name.
        name: String,
        /// Digest of the policy.
        digest: Digest,
    },
    /// Past releases were judged again under a policy: somebody of the bureau saw which of their cells change sides.
    PolicyReplayed {
        /// The dataset whose policy it would be; empty for the domain's own.
        dataset: String,
        /// Digest of the policy.
        digest: Digest,
    },
    /// An operator applied for a grant, or handed a returned application in again.
    ApplicationSubmitted {
        /// The application's identifier.
        application: String,
        /// Digest of its text.
        digest: Digest,
    },
    /// Somebody gave an opinion on an application, or decided on it.
    ApplicationReviewed {
        /// The application's identifier.
        application: String,
        /// Digest of the text that was reviewed.
        digest: Digest,
        /// `support`, `oppose`, `return`, `reject` or `withdraw`.
        opinion: String,
        /// Digest of what was said.
        text_digest: Digest,
    },
    /// A grant was issued, or delegated to a partner.
    GrantIssued {
        /// The grant's identifier.
        grant: String,
        /// The application it answers.
        application: String,
        /// The grant it is a part of; empty for one of the bureau's.
        parent: String,
        /// Who holds it.
        organisation: String,
        /// Digest of its signed text.
        digest: Digest,
        /// When it ends.
        not_after: Timestamp,
    },
    /// A grant was suspended, resumed, revoked or brought to another end, or its holder was told to mend something.
    GrantChanged {
        /// The grant's identifier.
        grant: String,
        /// What was done: a row of the table in `docs/grants.md`.
        act: String,
        /// The state it is in now.
        state: String,
        /// Why.
        reason: String,
        /// When something more happens by itself; empty where nothing does.
        deadline: String,
    },
    /// A dataset, an operator or the whole domain was frozen, or let go again.
    FreezeChanged {
        /// `dataset`, `operator` or `domain`.
        scope: String,
        /// Which; empty for the domain.
        name: String,
        /// Whether it is frozen now.
        frozen: bool,
        /// Why.
        reason: String,
    },
    /// A run is about to read, under this grant.
    RunAuthorised {
        /// The run's identifier.
        run: String,
        /// Digest of the request as it was received.
        request_digest: Digest,
        /// The grant.
        grant: String,
        /// Digest of the grant's signed text.
        grant_digest: Digest,
    },
    /// A certificate was renewed by whom it speaks for.
    IdentityRenewed {
        /// Digest of the new certificate.
        fingerprint: Digest,
        /// Digest of the certificate it was asked for with.
        renews: Digest,
        /// When the new one ceases to be accepted.
        not_after: Timestamp,
    },
    /// A certificate is no longer accepted.
    IdentityRevoked {
        /// Digest of the certificate.
        fingerprint: Digest,
        /// Why.
        reason: String,
    },
    /// A table waits for people: they have to look at it before it leaves.
    AirlockEntered {
        /// The run's identifier.
        run: String,
        /// Digest of the request as it was received.
        request_digest: Digest,
        /// The grant it was read under.
        grant: String,
        /// Why people have to look at it.
        reasons: Vec<String>,
        /// Digest of the sealed table. Sealed, because the digest of the table would let a reader of the log try guesses.
        sealed_digest: Digest,
        /// Until when they may decide.
        expires_at: Timestamp,
    },
    /// A reviewer is about to see a table that waits.
    AirlockSeen {
        /// The run's identifier.
        run: String,
        /// Digest of the sealed table.
        sealed_digest: Digest,
    },
    /// Something became of a table that waits.
    AirlockChanged {
        /// The run's identifier.
        run: String,
        /// Digest of the sealed table.
        sealed_digest: Digest,
        /// What was done: a row of the table in `docs/airlock.md`.
        act: String,
        /// The state it is in now.
        state: String,
        /// Digest of the reason that was given; of nothing where the server did it.
        text_digest: Digest,
    },
    /// One of several people who have to approve a model did.
    ModelReviewed {
        /// The model's name.
        model: String,
        /// Digest of the component.
        digest: Digest,
        /// Digest of the report.
        report_digest: Digest,
    },
    /// A rule over the stream of events holds for somebody or something: people of the bureau should look.
    AlertRaised {
        /// The alert's identifier.
        alert: String,
        /// The rule: its table in the settings.
        rule: String,
        /// For whom or what it holds: an organisation, an organisation and a dataset, a model, a certificate.
        subject: String,
        /// What was measured, in events, cells or percent.
        measured: u64,
        /// From where on the rule holds, in the same unit.
        limit: u64,
        /// When what was measured began.
        since: Timestamp,
    },
    /// Somebody of the bureau has looked at an alert.
    AlertAcknowledged {
        /// The alert's identifier.
        alert: String,
        /// Digest of what was said; of no text where nothing was.
        text_digest: Digest,
    },
    /// What a run computes from was kept: request, snapshots with their manifests, models and policy. A release of the run
    /// that follows can be made again from it.
    BasisKept {
        /// The run's identifier.
        run: String,
        /// Digest of the request as it was received.
        request_digest: Digest,
        /// Digest of the basis, which has the digests of everything else.
        basis: Digest,
    },
    /// Somebody had a release made again.
    ReleaseReplayed {
        /// The run's identifier.
        run: String,
        /// The entry of the release.
        entry: u64,
        /// `same`, `different`, or the code of what kept it from being made again.
        outcome: String,
    },
    /// The domain was put back from a backup: what came after these entries, if anything did, is not in this history.
    DomainRestored {
        /// When the backup was begun.
        made_at: Timestamp,
        /// Entries that its log had.
        entries: u64,
    },
    /// A key of the domain was changed for a new one.
    KeyRotated {
        /// `signing`, `master` or `authority`.
        key: String,
        /// The new one's public half or digest; empty for the master key, which has none.
        public: String,
    },
    /// A key of the domain that was changed earlier signs no more. What it signed goes on verifying.
    KeyRetired {
        /// As in `key_rotated`.
        key: String,
        /// Its public half.
        public: String,
    },
    /// A run is about to read, and is charged for it. What it is charged follows from the request and from what is public of
    /// the data, and from nothing else. Charged again under the same run and request, it counts once.
    RunCharged {
        /// The run's identifier.
        run: String,
        /// Digest of the request as it was received.
        request_digest: Digest,
        /// The grant it reads under.
        grant: String,
        /// The product it is part of; empty for none.
        product: String,
        /// Each dataset, in the order of their names.
        reads: Vec<ReadCharge>,
        /// The bits that the release may carry. Entries of before there were budgets have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bits_reserved: Option<u64>,
        /// The privacy loss of its population, in millionths; none without differential privacy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epsilon_millionths: Option<u64>,
    },
    /// A product was registered, approved, rejected or retired.
    ProductChanged {
        /// The product's name.
        product: String,
        /// Digest of its terms.
        digest: Digest,
        /// The state it is in now.
        state: String,
        /// Why; empty for one that was registered.
        reason: String,
    },
    /// Something that was kept for a term is destroyed after it.
    KeptDestroyed {
        /// `answers` or `evidence`.
        kind: String,
        /// The run that it is of.
        run: String,
        /// Digest of what is destroyed.
        digest: Digest,
        /// Since when it was kept.
        kept_since: Timestamp,
        /// Why.
        reason: String,
    },
    /// An earlier entry says what did not happen: the server stopped, or failed, before it took effect.
    EntryWithoutEffect {
        /// The earlier entry.
        entry: u64,
        /// Its type.
        of: String,
    },
    /// The domain's settings are not those of the last start: their file was edited.
    SettingsChanged {
        /// Digest of the file's bytes.
        digest: Digest,
    },
    /// How often the domain's registry has been written: one that was written less often was put back.
    RegistrySealed {
        /// Transactions, since there is a seal.
        writes: u64,
    },
}
