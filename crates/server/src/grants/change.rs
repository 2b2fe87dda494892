//! What becomes of a grant: suspended, resumed, told to mend something, revoked, terminated, expired.

use chrono::{DateTime, TimeDelta, Utc};
use weir_audit::{Actor, Event};
use weir_registry::{GrantRecord, GrantState, RequestRecord, Role};

use super::apply::{find as find_application, is_live};
use super::states::{GRANT, GrantAct, Named, next};
use super::{Request, chain, check_reason, find, grant_unknown, moment, not_own, server};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// Longest time to mend something, and how long after it a grant is revoked: 30 days.
const MENDING_DAYS: u32 = 30;

/// What is to be done to a grant.
pub(crate) struct Asked<'a> {
    pub(crate) id: &'a str,
    pub(crate) act: GrantAct,
    pub(crate) reason: &'a str,
    /// For an order: days until the deadline; 0 stands for the longest.
    pub(crate) days: u32,
}

/// Does something to a grant, and to its parts where it ends.
pub(crate) async fn change(
    domain: &Domain,
    caller: &Caller,
    asked: Asked<'_>,
    request: Request<'_>,
) -> Result<GrantRecord, Fault> {
    let reason = check_reason(asked.reason)?;
    settle(domain).await?;
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    let grant = find(domain, asked.id).await?;
    may_change(domain, caller, &grant, asked.act).await?;
    let from = (grant.state, grant.state.as_str());
    let state = next(GRANT, from, asked.act, Some(caller.role))?;
    let now = domain.clock.now();
    let deadline = match asked.act {
        GrantAct::Order => Some(moment(now + days(asked.days)?)),
        _ => None,
    };
    let changed = GrantRecord {
        state,
        deadline,
        reason: Some(reason),
        changed_by: caller.signature(),
        changed_at: moment(now),
        ..grant
    };
    let request = request.record(caller, &changed.id);
    put(domain, caller.actor(), asked.act, changed.clone(), request).await?;
    Ok(changed)
}

fn days(asked: u32) -> Result<TimeDelta, Fault> {
    let days = match asked {
        0 => MENDING_DAYS,
        days if days <= MENDING_DAYS => days,
        _ => {
            return Err(Fault::caller(
                "DEADLINE_TOO_LONG",
                format!("what is to be mended is mended within {MENDING_DAYS} days. Ask for fewer"),
            ));
        }
    };
    Ok(TimeDelta::days(i64::from(days)))
}

/// An operator ends its own grants and the parts it delegated. Nobody of the bureau eases what their own organisation holds.
async fn may_change(
    domain: &Domain,
    caller: &Caller,
    grant: &GrantRecord,
    act: GrantAct,
) -> Result<(), Fault> {
    if caller.role == Role::Operator {
        let above = chain(domain, grant.clone()).await?;
        let mut holders = above.iter().map(|(grant, _)| &grant.organisation);
        return match holders.any(|holder| *holder == caller.organisation) {
            true => Ok(()),
            false => Err(grant_unknown(&grant.id)),
        };
    }
    match act {
        GrantAct::Resume | GrantAct::Accept => {
            let applied = find_application(domain, &grant.application).await?;
            let whose = (grant.organisation.as_str(), applied.person.as_str());
            not_own(caller, whose, "this grant")
        }
        _ => Ok(()),
    }
}

/// The log, then the registry while no release is being recorded, then every run looks again.
async fn put(
    domain: &Domain,
    actor: Actor,
    act: GrantAct,
    changed: GrantRecord,
    request: Option<RequestRecord>,
) -> Result<(), Fault> {
    let mut all = vec![changed.clone()];
    if !is_live(changed.state) {
        all.extend(parts(domain, &changed).await?);
    }
    for grant in &all {
        let event = Event::GrantChanged {
            grant: grant.id.clone(),
            act: act.name().to_owned(),
            state: grant.state.as_str().to_owned(),
            reason: grant.reason.clone().unwrap_or_default(),
            deadline: grant.deadline.clone().unwrap_or_default(),
        };
        domain.record.append_async(actor.clone(), event).await?;
    }
    let kept = async {
        Ok(domain
            .registry
            .change_grants(&all, request.as_ref())
            .await?)
    };
    domain.grants.take_effect(kept).await
}

/// The live parts of a grant that ends, each in the state that the whole is in now.
async fn parts(domain: &Domain, ended: &GrantRecord) -> Result<Vec<GrantRecord>, Fault> {
    let every = domain.registry.grants().await?;
    let mut above = vec![ended.id.clone()];
    let mut parts = Vec::new();
    while let Some(id) = above.pop() {
        let of_it = every
            .iter()
            .filter(|grant| grant.parent.as_deref() == Some(id.as_str()));
        for grant in of_it {
            above.push(grant.id.clone());
            if is_live(grant.state) {
                parts.push(GrantRecord {
                    state: ended.state,
                    deadline: None,
                    reason: Some(format!("with grant {}, of which it is a part", ended.id)),
                    changed_by: ended.changed_by.clone(),
                    changed_at: ended.changed_at.clone(),
                    ..grant.clone()
                });
            }
        }
    }
    Ok(parts)
}

/// Does what is due: grants whose term is over expire, and deadlines that have passed escalate.
pub(crate) async fn settle(domain: &Domain) -> Result<(), Fault> {
    settle_at(domain, domain.clock.now()).await
}

pub(super) async fn settle_at(domain: &Domain, now: DateTime<Utc>) -> Result<(), Fault> {
    if domain.registry.grants_due(&moment(now)).await?.is_empty() {
        return Ok(());
    }
    let _one = domain.grants.changing.lock().await;
    for grant in domain.registry.grants_due(&moment(now)).await? {
        // One before it in this list may have ended this one.
        let grant = find(domain, &grant.id).await?;
        if !is_live(grant.state) {
            continue;
        }
        let (act, reason) = match grant.not_after <= moment(now) {
            true => (GrantAct::Expire, "its term is over"),
            false => (GrantAct::Escalate, "a deadline has passed"),
        };
        let from = (grant.state, grant.state.as_str());
        let state = next(GRANT, from, act, None)?;
        let further = now + TimeDelta::days(i64::from(MENDING_DAYS));
        let changed = GrantRecord {
            state,
            deadline: (state == GrantState::Suspended).then(|| moment(further)),
            reason: Some(reason.to_owned()),
            changed_by: server().person,
            changed_at: moment(now),
            ..grant
        };
        put(domain, server(), act, changed, None).await?;
    }
    Ok(())
}
