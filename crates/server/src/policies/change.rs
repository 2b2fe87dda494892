//! Changes of a policy: handed in, approved by a second person, waiting, in force, taken back.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weir_audit::{Actor, Event, Timestamp};
use weir_policy::Policy;
use weir_registry::{ChangeState, Fact, PolicyChangeRecord, PolicyRecord, Registry, Role};

use super::open::{digest_of, write_copy};
use super::{CHANGES_MAX, Policies, Scope, effective_at, moment};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::record::Record;

/// Longest id that is quoted back, in characters.
const ID_CHARS_QUOTED: usize = 64;

/// A policy that was handed in, and what has become of it.
pub(crate) struct Put {
    /// Without an id where the policy is in force already.
    pub(crate) change: PolicyChangeRecord,
    /// The policy that it takes the place of.
    pub(crate) before: Policy,
    pub(crate) after: Policy,
}

/// Hands a policy in. One that loosens no key of the one in force takes its place at once; another is proposed.
pub(crate) async fn put(
    domain: &Domain,
    caller: &Caller,
    (text, source): (&str, &str),
    dataset: &str,
) -> Result<Put, Fault> {
    let scope = Scope::of(domain, dataset).await?;
    let after = scope.parse(text, source)?;
    let _one = domain.policies.changing.lock().await;
    settle(domain).await?;
    let in_force = domain.policies.now();
    let before = in_force.policy(&scope);
    let change = PolicyChangeRecord {
        id: Uuid::now_v7().to_string(),
        dataset: scope.name().to_owned(),
        name: after.name(),
        digest: after.digest(),
        text: text.to_owned(),
        replaces: before.digest(),
        state: ChangeState::Proposed,
        proposed_person: caller.person.clone(),
        proposed_organisation: caller.organisation.clone(),
        proposed_at: moment(domain.clock.now()),
        approved_by: None,
        approved_at: None,
        effective_at: None,
        ended_by: None,
        ended_at: None,
    };
    let change = hand_in(domain, caller, change, after.compare(&before).loosens()).await?;
    Ok(Put {
        change,
        before,
        after,
    })
}

async fn hand_in(
    domain: &Domain,
    caller: &Caller,
    change: PolicyChangeRecord,
    loosens: bool,
) -> Result<PolicyChangeRecord, Fault> {
    if change.digest == change.replaces {
        return Ok(PolicyChangeRecord {
            id: String::new(),
            state: ChangeState::InForce,
            ..change
        });
    }
    if !loosens {
        return put_in_force(domain, caller.actor(), caller.signature(), change).await;
    }
    let open = domain.registry.policy_changes(true, CHANGES_MAX).await?;
    match open.into_iter().find(|open| open.dataset == change.dataset) {
        Some(open) if open.digest == change.digest => Ok(open),
        Some(open) => Err(Fault::caller(
            "POLICY_CHANGE_OPEN",
            format!(
                "another change of this policy is open: `{}`, policy `{}`. Approve it, or take it back with `weir policy \
                 withdraw {}`, before handing in another that loosens",
                open.id, open.name, open.id
            ),
        )),
        None => propose(domain, caller, change).await,
    }
}

async fn propose(
    domain: &Domain,
    caller: &Caller,
    change: PolicyChangeRecord,
) -> Result<PolicyChangeRecord, Fault> {
    let event = Event::PolicyProposed {
        change: change.id.clone(),
        dataset: change.dataset.clone(),
        name: change.name.clone(),
        digest: change.digest.parse()?,
        replaces: change.replaces.parse()?,
    };
    domain.record.append_async(caller.actor(), event).await?;
    domain.registry.put_policy_change(&change).await?;
    Ok(change)
}

/// Approves a change as a second person. It takes effect when the domain's waiting time is over.
pub(crate) async fn approve(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    digest: &str,
) -> Result<PolicyChangeRecord, Fault> {
    let _one = domain.policies.changing.lock().await;
    settle(domain).await?;
    let change = find(&domain.registry, id).await?;
    if digest.is_empty() {
        return Err(Fault::caller(
            "DIGEST_MISSING",
            "an approval binds to a digest and none was sent. Send the digest of the policy that was reviewed",
        ));
    }
    if change.digest != digest {
        return Err(Fault::caller(
            "POLICY_OTHER",
            format!(
                "the policy of this change has the digest {}, another than the one that was reviewed. Look at it again \
                 with `weir policy list`",
                change.digest
            ),
        ));
    }
    let by = caller.signature();
    if change.state != ChangeState::Proposed {
        // The same person again, after an answer that got lost.
        let counts = matches!(change.state, ChangeState::Approved | ChangeState::InForce);
        return match counts && change.approved_by.as_deref() == Some(by.as_str()) {
            true => Ok(change),
            false => Err(closed(&change, "approved")),
        };
    }
    // By name alone: who has identities of two organisations is one person.
    if change.proposed_person == caller.person {
        return Err(Fault::policy(
            "POLICY_OWN_CHANGE",
            "you proposed this change, and a loosening takes two people. Another person of the bureau approves it",
        ));
    }
    let now = domain.clock.now();
    let effective = now + domain.config.policy_loosening_wait.span();
    let event = Event::PolicyApproved {
        change: change.id.clone(),
        digest: change.digest.parse()?,
        effective_at: Timestamp::from(effective),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let approved = PolicyChangeRecord {
        state: ChangeState::Approved,
        approved_by: Some(by),
        approved_at: Some(moment(now)),
        effective_at: Some(moment(effective)),
        ..change
    };
    domain.registry.put_policy_change(&approved).await?;
    domain.policies.reload(&domain.registry).await?;
    settle(domain).await?;
    find(&domain.registry, id).await
}

/// Takes a change back that is not in force yet.
pub(crate) async fn withdraw(
    domain: &Domain,
    caller: &Caller,
    id: &str,
) -> Result<PolicyChangeRecord, Fault> {
    let _one = domain.policies.changing.lock().await;
    settle(domain).await?;
    let change = find(&domain.registry, id).await?;
    match change.state {
        ChangeState::Withdrawn => return Ok(change),
        state if !state.is_open() => return Err(closed(&change, "taken back")),
        _ => {}
    }
    let event = Event::PolicyWithdrawn {
        change: change.id.clone(),
        digest: change.digest.parse()?,
    };
    domain.record.append_async(caller.actor(), event).await?;
    let withdrawn = PolicyChangeRecord {
        state: ChangeState::Withdrawn,
        ended_by: Some(caller.signature()),
        ended_at: Some(moment(domain.clock.now())),
        ..change
    };
    domain.registry.put_policy_change(&withdrawn).await?;
    domain.policies.reload(&domain.registry).await?;
    Ok(withdrawn)
}

/// Puts every change in force whose time has come. The caller holds the lock on changes.
pub(super) async fn settle(domain: &Domain) -> Result<(), Fault> {
    let now = domain.clock.now();
    let is_due = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
    if !is_due(domain.policies.now().due) {
        return Ok(());
    }
    for change in domain.registry.policy_changes(true, CHANGES_MAX).await? {
        if is_due(effective_at(&change)) {
            let by = format!(
                "{} ({}), approved by {}",
                change.proposed_person,
                change.proposed_organisation,
                change.approved_by.as_deref().unwrap_or_default()
            );
            put_in_force(domain, server(), by, change).await?;
        }
    }
    Ok(())
}

/// The log, the registry, memory, the copy: in this order. The caller holds the lock on changes.
async fn put_in_force(
    domain: &Domain,
    actor: Actor,
    by: String,
    change: PolicyChangeRecord,
) -> Result<PolicyChangeRecord, Fault> {
    let scope = Scope::from_record(&change.dataset);
    if domain.policies.now().policy(&scope).digest() != change.replaces {
        // It cannot be: a policy that comes into force ends every other open change of its scope.
        return Err(Fault::bug(
            "BUG_POLICY_CHANGE",
            "a change of a policy waits on a policy that is not in force. Withdraw it, and please report this",
        ));
    }
    let now = moment(domain.clock.now());
    let record = PolicyRecord {
        dataset: change.dataset.clone(),
        name: change.name.clone(),
        digest: change.digest.clone(),
        text: change.text.clone(),
        since: now.clone(),
        set_by: by.clone(),
    };
    let taken = PolicyChangeRecord {
        state: ChangeState::InForce,
        ended_by: Some(by),
        ended_at: Some(now),
        ..change
    };
    log_in_force(&domain.record, actor, &record).await?;
    let registry = &domain.registry;
    registry.put_policy_in_force(&record, Some(&taken)).await?;
    domain.policies.reload(registry).await?;
    if scope == Scope::Domain {
        copy(&domain.policies, registry, &record).await;
    }
    Ok(taken)
}

pub(super) async fn log_in_force(
    record: &Record,
    actor: Actor,
    policy: &PolicyRecord,
) -> Result<(), Fault> {
    let (name, digest) = (policy.name.clone(), policy.digest.parse()?);
    let event = match Scope::from_record(&policy.dataset) {
        Scope::Domain => Event::PolicyInForce { name, digest },
        Scope::Dataset(dataset) => Event::DatasetPolicyInForce {
            dataset,
            name,
            digest,
        },
    };
    record.append_async(actor, event).await.map(drop)
}

/// Brings `policy.toml` up to date. The policy is in force whether or not that succeeds, and the next start tries again.
async fn copy(policies: &Policies, registry: &Registry, record: &PolicyRecord) {
    let written = async {
        write_copy(&policies.file, &record.text)?;
        let digest = digest_of(&record.text);
        Ok::<_, Fault>(registry.set_fact(Fact::PolicyFile, &digest).await?)
    };
    if let Err(fault) = written.await {
        tracing::error!(
            code = fault.code,
            reason = fault.message,
            "policy.toml does not show the policy in force"
        );
    }
}

async fn find(registry: &Registry, id: &str) -> Result<PolicyChangeRecord, Fault> {
    registry.policy_change(id).await?.ok_or_else(|| {
        let id: String = id.chars().take(ID_CHARS_QUOTED).collect();
        Fault::caller(
            "POLICY_CHANGE_UNKNOWN",
            format!("there is no change `{id}` of a policy. `weir policy list` shows those that are open"),
        )
    })
}

fn closed(change: &PolicyChangeRecord, wanted: &str) -> Fault {
    let what = match change.state {
        ChangeState::Proposed => "is proposed",
        ChangeState::Approved => "is approved already",
        ChangeState::InForce => "is in force already",
        ChangeState::Withdrawn => "was withdrawn",
        ChangeState::Overtaken => "was overtaken by another one",
    };
    Fault::caller(
        "POLICY_CHANGE_CLOSED",
        format!(
            "this change {what} and cannot be {wanted}. Hand the policy in again with `weir policy put`"
        ),
    )
}

/// Whom the log names where nobody called.
pub(crate) fn server() -> Actor {
    Actor {
        person: "server".to_owned(),
        organisation: String::new(),
        role: Role::Bureau.to_string(),
    }
}
