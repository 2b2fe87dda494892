//! Where the effect of each kind of entry has to be.

use weir_audit::{Digest, Entry, Event};
use weir_registry::ModelState;

use super::Held;
use crate::fault::{Fault, count};
use crate::retention;

/// Refusals of calls that ask for a run that is another's, or under way.
const OF_ANOTHER_CALL: [&str; 2] = ["RUN_UNDER_WAY", "RUN_ID_TAKEN"];

/// What an entry says that can be looked up.
pub(super) enum Claim {
    /// A run that began to read has an outcome: another entry.
    Outcome { run: String },
    /// A release has its answer.
    Answer { run: String, entry: u64 },
    /// A run has what it computes from.
    Basis { run: String, entry: u64 },
    /// A certificate is known.
    Identity(Digest),
    /// A certificate is accepted no more.
    Revoked(Digest),
    /// A dataset has this snapshot.
    Snapshot { dataset: String, snapshot: String },
    /// A model was vetted: another entry.
    Vetted,
    /// A model of these bytes is there.
    Model { model: String, digest: Digest },
    /// It is in this state.
    ModelState {
        model: String,
        digest: Digest,
        state: ModelState,
    },
    /// An organisation has approved it.
    ModelReview {
        model: String,
        digest: Digest,
        by: String,
    },
    /// Feedback is there, and perhaps has its answer.
    Feedback { id: String, answered: bool },
    /// A change of a policy is there, approved or taken back.
    PolicyChange { id: String, step: PolicyStep },
    /// A policy is in force.
    Policy { dataset: String, digest: Digest },
    /// An application has this text.
    Application { id: String, digest: Digest },
    /// It is in this state.
    ApplicationState { id: String, state: &'static str },
    /// An organisation said something of it.
    Opinion { application: String, by: String },
    /// A grant is in this state; in any where none is named.
    Grant { id: String, state: String },
    /// Something is frozen, or is not.
    Freeze {
        scope: String,
        name: String,
        frozen: bool,
    },
    /// A table in the airlock is in this state.
    Airlock { run: String, state: String },
    /// An alert is there, and perhaps was looked at.
    Alert { id: String, acknowledged: bool },
    /// A product of these terms is in this state.
    Product {
        name: String,
        digest: Digest,
        state: String,
    },
    /// A key is used.
    Key { kind: KeyKind, public: String },
    /// A key is used no more.
    NoKey { kind: KeyKind, public: String },
    /// Something that was kept is gone.
    Gone { kind: String, run: String },
}

/// How far a change of a policy is, at least.
pub(super) enum PolicyStep {
    Proposed,
    Approved,
    Withdrawn,
}

/// Keys whose change can be seen.
#[derive(Clone, Copy)]
pub(super) enum KeyKind {
    Signing,
    Authority,
}

impl KeyKind {
    fn of(key: &str) -> Option<Self> {
        match key {
            "signing" => Some(Self::Signing),
            "authority" => Some(Self::Authority),
            // A change of the master key that was cut off goes on at the next start.
            _ => None,
        }
    }
}

/// What an entry claims, by what it is about. Looking at something, and refusing it, have no effect beyond their entry; what is
/// completed at every start is not looked at here.
pub(super) fn of(index: u64, entry: &Entry) -> Option<(String, Claim)> {
    let by = entry.actor.organisation.clone();
    Some(match entry.event.clone() {
        Event::RunAuthorised { run, .. } => (outcome(&run), Claim::Outcome { run }),
        Event::ReleaseDecided { run, .. } => (
            format!("release {index}"),
            Claim::Answer { run, entry: index },
        ),
        Event::BasisKept { run, .. } => {
            (format!("basis {index}"), Claim::Basis { run, entry: index })
        }
        Event::IdentityIssued { fingerprint, .. } | Event::IdentityRenewed { fingerprint, .. } => (
            format!("identity {fingerprint}"),
            Claim::Identity(fingerprint),
        ),
        Event::IdentityRevoked { fingerprint, .. } => (
            format!("identity {fingerprint}"),
            Claim::Revoked(fingerprint),
        ),
        Event::DatasetRegistered {
            dataset, snapshot, ..
        } => (
            format!("snapshot {snapshot}"),
            Claim::Snapshot { dataset, snapshot },
        ),
        Event::ModelSubmitted { model, digest, .. } => (submission(&model, digest), Claim::Vetted),
        Event::ModelVetted {
            model,
            digest,
            verdict,
            ..
        } if verdict != "refuse" => (
            format!("model {model} {digest}"),
            Claim::Model { model, digest },
        ),
        Event::ModelApproved { model, digest }
        | Event::VettedModelApproved { model, digest, .. } => {
            model_state(model, digest, ModelState::Approved)
        }
        Event::ModelRejected { model, digest, .. } => {
            model_state(model, digest, ModelState::Rejected)
        }
        Event::ModelWithdrawn { model, digest, .. } => {
            model_state(model, digest, ModelState::Withdrawn)
        }
        Event::ModelReviewed { model, digest, .. } => (
            format!("review {model} {digest} {by}"),
            Claim::ModelReview { model, digest, by },
        ),
        Event::FeedbackFiled { feedback: id, .. } => (
            format!("feedback {id}"),
            Claim::Feedback {
                id,
                answered: false,
            },
        ),
        Event::FeedbackAnswered { feedback: id, .. } => (
            format!("feedback {id}"),
            Claim::Feedback { id, answered: true },
        ),
        Event::PolicyProposed { change, .. } => policy_change(change, PolicyStep::Proposed),
        Event::PolicyApproved { change, .. } => policy_change(change, PolicyStep::Approved),
        Event::PolicyWithdrawn { change, .. } => policy_change(change, PolicyStep::Withdrawn),
        Event::PolicyInForce { digest, .. } => policy(String::new(), digest),
        Event::DatasetPolicyInForce {
            dataset, digest, ..
        } => policy(dataset, digest),
        Event::ApplicationSubmitted {
            application: id,
            digest,
        } => (
            format!("application {id}"),
            Claim::Application { id, digest },
        ),
        Event::ApplicationReviewed {
            application,
            opinion,
            ..
        } => reviewed(application, &opinion, by),
        Event::GrantIssued { grant: id, .. } => {
            let state = String::new();
            (format!("grant {id}"), Claim::Grant { id, state })
        }
        Event::GrantChanged {
            grant: id, state, ..
        } => (format!("grant {id}"), Claim::Grant { id, state }),
        Event::FreezeChanged {
            scope,
            name,
            frozen,
            ..
        } => (
            format!("freeze {scope} {name}"),
            Claim::Freeze {
                scope,
                name,
                frozen,
            },
        ),
        Event::AirlockEntered { run, .. } => {
            let state = String::new();
            (format!("airlock {run}"), Claim::Airlock { run, state })
        }
        Event::AirlockChanged { run, state, .. } => {
            (format!("airlock {run}"), Claim::Airlock { run, state })
        }
        Event::AlertRaised { alert: id, .. } => (
            format!("alert {id}"),
            Claim::Alert {
                id,
                acknowledged: false,
            },
        ),
        Event::AlertAcknowledged { alert: id, .. } => (
            format!("alert {id}"),
            Claim::Alert {
                id,
                acknowledged: true,
            },
        ),
        Event::ProductChanged {
            product: name,
            digest,
            state,
            ..
        } => (
            format!("product {name}"),
            Claim::Product {
                name,
                digest,
                state,
            },
        ),
        Event::KeyRotated { key, public } => {
            let kind = KeyKind::of(&key)?;
            (format!("key {public}"), Claim::Key { kind, public })
        }
        Event::KeyRetired { key, public } => {
            let kind = KeyKind::of(&key)?;
            (format!("key {public}"), Claim::NoKey { kind, public })
        }
        Event::KeptDestroyed { kind, run, .. } => {
            (format!("kept {kind} {run}"), Claim::Gone { kind, run })
        }
        _ => return None,
    })
}

/// What an entry is the outcome of.
pub(super) fn answers(event: &Event) -> Option<String> {
    match event {
        Event::ReleaseDecided { run, .. } | Event::AirlockEntered { run, .. } => Some(outcome(run)),
        // One of another call, while the run goes on.
        Event::RunRefused { code, .. } if OF_ANOTHER_CALL.contains(&code.as_str()) => None,
        Event::RunRefused { run, .. } => Some(outcome(run)),
        Event::ModelVetted {
            model,
            submitted_digest,
            ..
        } => Some(submission(model, *submitted_digest)),
        _ => None,
    }
}

fn outcome(run: &str) -> String {
    format!("outcome {run}")
}

fn submission(model: &str, digest: Digest) -> String {
    format!("submission {model} {digest}")
}

fn model_state(model: String, digest: Digest, state: ModelState) -> (String, Claim) {
    let about = format!("model {model} {digest}");
    let claim = Claim::ModelState {
        model,
        digest,
        state,
    };
    (about, claim)
}

fn policy_change(id: String, step: PolicyStep) -> (String, Claim) {
    (format!("change {id}"), Claim::PolicyChange { id, step })
}

fn policy(dataset: String, digest: Digest) -> (String, Claim) {
    (
        format!("policy {dataset}"),
        Claim::Policy { dataset, digest },
    )
}

fn reviewed(application: String, opinion: &str, by: String) -> (String, Claim) {
    let state = match opinion {
        "return" => "returned",
        "reject" => "rejected",
        "withdraw" => "withdrawn",
        _ => {
            let about = format!("opinion {application} {by}");
            return (about, Claim::Opinion { application, by });
        }
    };
    let id = application;
    (
        format!("application {id}"),
        Claim::ApplicationState { id, state },
    )
}

impl Claim {
    /// The run it is about; empty where it is about none.
    pub(super) fn run(&self) -> &str {
        match self {
            Self::Outcome { run }
            | Self::Answer { run, .. }
            | Self::Basis { run, .. }
            | Self::Airlock { run, .. } => run,
            _ => "",
        }
    }

    /// The type of the entry.
    pub(super) const fn of(&self) -> &'static str {
        match self {
            Self::Outcome { .. } => "run_authorised",
            Self::Answer { .. } => "release_decided",
            Self::Basis { .. } => "basis_kept",
            Self::Identity(_) => "identity_issued",
            Self::Revoked(_) => "identity_revoked",
            Self::Snapshot { .. } => "dataset_registered",
            Self::Vetted => "model_submitted",
            Self::Model { .. } => "model_vetted",
            Self::ModelState { state, .. } => match state {
                ModelState::Submitted | ModelState::Approved => "model_approved",
                ModelState::Rejected => "model_rejected",
                ModelState::Withdrawn => "model_withdrawn",
            },
            Self::ModelReview { .. } => "model_reviewed",
            Self::Feedback { .. } => "feedback",
            Self::PolicyChange { .. } => "policy_change",
            Self::Policy { .. } => "policy_in_force",
            Self::Application { .. } => "application_submitted",
            Self::ApplicationState { .. } | Self::Opinion { .. } => "application_reviewed",
            Self::Grant { .. } => "grant",
            Self::Freeze { .. } => "freeze_changed",
            Self::Airlock { .. } => "airlock",
            Self::Alert { .. } => "alert",
            Self::Product { .. } => "product_changed",
            Self::Key { .. } => "key_rotated",
            Self::NoKey { .. } => "key_retired",
            Self::Gone { .. } => "kept_destroyed",
        }
    }

    /// Whether it has happened.
    pub(super) async fn holds(&self, held: &Held<'_>) -> Result<bool, Fault> {
        let registry = held.registry;
        Ok(match self {
            // Their outcome takes them away.
            Self::Outcome { .. } | Self::Vetted => false,
            Self::Answer { run, entry } => {
                let entry = count(*entry)?;
                let answered = registry.run(run).await?;
                answered.is_some_and(|run| run.log_index == entry)
            }
            Self::Basis { run, entry } => {
                let entry = count(*entry)?;
                let basis = registry.basis_before(run, entry + 1).await?;
                basis.is_some_and(|basis| basis.log_index == entry)
            }
            Self::Identity(fingerprint) => {
                registry.identity(&fingerprint.to_string()).await?.is_some()
            }
            Self::Revoked(fingerprint) => {
                let identity = registry.identity(&fingerprint.to_string()).await?;
                identity.is_some_and(|identity| identity.end.revoked_at.is_some())
            }
            Self::Snapshot { dataset, snapshot } => {
                let snapshots = registry.snapshots(dataset).await?;
                snapshots.iter().any(|one| one.id == *snapshot)
            }
            Self::Model { model, digest } => {
                let state = registry.model_state(model, &digest.to_string()).await?;
                state.is_some()
            }
            Self::ModelState {
                model,
                digest,
                state,
            } => registry.model_state(model, &digest.to_string()).await? == Some(*state),
            Self::ModelReview { model, digest, by } => {
                let reviews = registry.model_reviews(model, &digest.to_string()).await?;
                reviews.iter().any(|review| review.organisation == *by)
            }
            Self::Feedback { id, answered } => {
                let feedback = registry.feedback(id).await?;
                feedback.is_some_and(|one| !answered || one.answer.is_some())
            }
            Self::PolicyChange { id, step } => {
                let change = registry.policy_change(id).await?;
                change.is_some_and(|change| match step {
                    PolicyStep::Proposed => true,
                    PolicyStep::Approved => change.approved_by.is_some(),
                    PolicyStep::Withdrawn => change.state.as_str() == "withdrawn",
                })
            }
            Self::Policy { dataset, digest } => {
                let in_force = registry.policies_in_force().await?;
                let digest = digest.to_string();
                in_force
                    .iter()
                    .any(|one| one.dataset == *dataset && one.digest == digest)
            }
            Self::Application { id, digest } => {
                let application = registry.application(id).await?;
                application.is_some_and(|one| one.digest == digest.to_string())
            }
            Self::ApplicationState { id, state } => {
                let application = registry.application(id).await?;
                application.is_some_and(|one| one.state.as_str() == *state)
            }
            Self::Opinion { application, by } => {
                let opinions = registry.opinions(application).await?;
                opinions.iter().any(|one| one.organisation == *by)
            }
            Self::Grant { id, state } => {
                let grant = registry.grant(id).await?;
                grant.is_some_and(|one| state.is_empty() || one.state.as_str() == state)
            }
            Self::Freeze {
                scope,
                name,
                frozen,
            } => {
                let freezes = registry.freezes().await?;
                let is_there =
                    |one: &weir_registry::FreezeRecord| one.scope == *scope && one.name == *name;
                freezes.iter().any(is_there) == *frozen
            }
            Self::Airlock { run, state } => {
                let table = registry.in_airlock(run).await?;
                table.is_some_and(|one| state.is_empty() || one.state.as_str() == state)
            }
            Self::Alert { id, acknowledged } => {
                let alert = registry.alert(id).await?;
                alert.is_some_and(|one| !acknowledged || one.acknowledged_by.is_some())
            }
            Self::Product {
                name,
                digest,
                state,
            } => {
                let product = registry.product(name).await?;
                product.is_some_and(|one| {
                    one.digest == digest.to_string() && one.state.as_str() == state
                })
            }
            Self::Key { kind, public } => has_key(held, *kind, public)?,
            Self::NoKey { kind, public } => !uses_key(held, *kind, public)?,
            Self::Gone { kind, run } => {
                retention::make_good(registry, kind, run).await?;
                true
            }
        })
    }
}

/// Whether a key is, or was, one of the domain's.
fn has_key(held: &Held<'_>, kind: KeyKind, public: &str) -> Result<bool, Fault> {
    Ok(match kind {
        KeyKind::Signing => {
            let mut earlier = held.signing.earlier().into_iter();
            held.signing.newest() == public || earlier.any(|(key, _)| key == public)
        }
        KeyKind::Authority => uses_key(held, kind, public)?,
    })
}

/// Whether a key is used for anything new, or accepted.
fn uses_key(held: &Held<'_>, kind: KeyKind, public: &str) -> Result<bool, Fault> {
    Ok(match kind {
        KeyKind::Signing => {
            let mut earlier = held.signing.earlier().into_iter();
            held.signing.newest() == public || earlier.any(|(key, signs)| signs && key == public)
        }
        KeyKind::Authority => {
            let earlier = held.authority.earlier_fingerprint()?;
            let own = held.authority.fingerprint()?;
            own.to_string() == public || earlier.is_some_and(|one| one.to_string() == public)
        }
    })
}
