//! Issuing grants, and giving parts of them to partners.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Months, Utc};
use uuid::Uuid;
use weir_audit::{Digest, Event, Timestamp};
use weir_registry::{ApplicationRecord, GrantRecord, GrantState};

use super::apply::{followed, step};
use super::form::Form;
use super::review::{enough_reviewers, outstanding, to_judge};
use super::states::ApplicationAct;
use super::terms::{ANY_VETTED, Columns, Models, TERM_MONTHS_MAX, VERSION};
use super::{Need, Quotas, Request, Terms, chain, find, lease, moment, parse_moment};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// What a grant gives less of than was asked for. What is empty stays as it was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowed {
    pub(crate) until: String,
    pub(crate) quotas: Quotas,
    pub(crate) datasets: Columns,
    pub(crate) models: Vec<String>,
}

/// Grants what an application asks for, or less.
pub(crate) async fn issue(
    domain: &Domain,
    caller: &Caller,
    (id, digest): (&str, &str),
    narrowed: Narrowed,
    request: Request<'_>,
) -> Result<GrantRecord, Fault> {
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    let application = to_judge(domain, caller, id, digest).await?;
    let form = Form::parse(&application.text, "the stored application")?;
    let waits = outstanding(domain, &application, &form).await?;
    if super::apply::is_open(application.state) && !waits.is_empty() {
        return Err(Fault::policy(
            "APPLICATION_UNREVIEWED",
            format!("nothing can be granted yet: {}", waits.join("; ")),
        ));
    }
    let state = step(&application, ApplicationAct::Grant, caller)?;
    enough_reviewers(domain, caller, &application).await?;
    let asked = asked_for(domain, caller, &application, &form).await?;
    let terms = narrow(&asked, narrowed, domain.clock.now())?;
    let grant = record(domain, caller, &terms)?;
    log_issued(domain, caller, &grant, &terms).await?;
    let granted = ApplicationRecord {
        state,
        decided_by: Some(caller.signature()),
        decided_at: Some(moment(domain.clock.now())),
        grant_id: Some(grant.id.clone()),
        ..application
    };
    let request = request.record(caller, &grant.id);
    domain
        .registry
        .add_grant(&grant, Some(&granted), request.as_ref())
        .await?;
    Ok(grant)
}

/// Gives a partner a part of one's own grant.
pub(crate) async fn delegate(
    domain: &Domain,
    caller: &Caller,
    (id, partner): (&str, &str),
    narrowed: Narrowed,
    request: Request<'_>,
) -> Result<GrantRecord, Fault> {
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    let above = find(domain, id).await?;
    if above.organisation != caller.organisation {
        return Err(super::grant_unknown(id));
    }
    let above = chain(domain, above).await?;
    let Some((_, whole)) = above.first() else {
        return Err(super::grant_unknown(id));
    };
    let all = Need {
        datasets: whole.datasets.keys().cloned().collect(),
        models: Vec::new(),
    };
    lease::usable(domain, &above, &all, domain.clock.now()).await?;
    if !whole.partners.contains(partner) {
        return Err(Fault::policy(
            "PARTNER_NOT_NAMED",
            format!(
                "`{}` is not among the partners of grant `{}`: the review did not consider it. Apply with it as a partner",
                super::form::short(partner),
                whole.grant
            ),
        ));
    }
    let now = moment(domain.clock.now());
    let inherited = Terms {
        grant: Uuid::now_v7().to_string(),
        parent: Some(whole.grant.clone()),
        organisation: partner.to_owned(),
        // What the layers above ask for holds anyway.
        policy: String::new(),
        partners: BTreeSet::new(),
        not_before: whole.not_before.clone().max(now),
        issued_by: caller.signature(),
        ..whole.clone()
    };
    let terms = narrow(&inherited, narrowed, domain.clock.now())?;
    terms.within(whole)?;
    let grant = record(domain, caller, &terms)?;
    log_issued(domain, caller, &grant, &terms).await?;
    let request = request.record(caller, &grant.id);
    domain
        .registry
        .add_grant(&grant, None, request.as_ref())
        .await?;
    Ok(grant)
}

/// The terms as the application asks for them.
async fn asked_for(
    domain: &Domain,
    caller: &Caller,
    application: &ApplicationRecord,
    form: &Form,
) -> Result<Terms, Fault> {
    let begins = match &form.renews {
        None => domain.clock.now(),
        Some(before) => followed(domain, &find(domain, before).await?)?.end()?,
    };
    let ends = begins + Days::new(u64::from(form.days));
    let latest = begins
        .checked_add_months(Months::new(TERM_MONTHS_MAX))
        .unwrap_or(ends);
    Ok(Terms {
        version: VERSION,
        grant: Uuid::now_v7().to_string(),
        parent: None,
        application: application.id.clone(),
        application_digest: application.digest.clone(),
        organisation: application.organisation.clone(),
        scenario: form.scenario.clone(),
        purpose: form.purpose.clone(),
        datasets: form.datasets.clone(),
        models: form.models.clone(),
        policy: form.policy.clone(),
        quotas: form.quotas,
        partners: form.partners.clone(),
        not_before: moment(begins),
        not_after: moment(ends.min(latest)),
        issued_by: caller.signature(),
    })
}

/// The same with less, and never with more.
fn narrow(asked: &Terms, narrowed: Narrowed, now: DateTime<Utc>) -> Result<Terms, Fault> {
    let mut terms = Terms {
        quotas: narrowed.quotas.or(asked.quotas),
        ..asked.clone()
    };
    if !narrowed.until.is_empty() {
        let until = parse_moment(&narrowed.until)?;
        if until <= now {
            return Err(Fault::caller(
                "MOMENT_INVALID",
                "a grant cannot end before it begins. Name a later moment",
            ));
        }
        terms.not_after = moment(until);
    }
    if !narrowed.datasets.is_empty() {
        terms.datasets = narrowed.datasets;
    }
    match narrowed.models.as_slice() {
        [] => {}
        [any] if any == ANY_VETTED => terms.models = Models::AnyVetted,
        digests => terms.models = Models::Digests(digests.iter().cloned().collect()),
    }
    terms.within(asked)?;
    Ok(terms)
}

fn record(domain: &Domain, caller: &Caller, terms: &Terms) -> Result<GrantRecord, Fault> {
    let note = terms.sign(domain)?;
    let grant = GrantRecord {
        id: terms.grant.clone(),
        parent: terms.parent.clone(),
        application: terms.application.clone(),
        organisation: terms.organisation.clone(),
        scenario: terms.scenario.clone(),
        digest: Digest::of(note.as_bytes()).to_string(),
        note,
        not_before: terms.not_before.clone(),
        not_after: terms.not_after.clone(),
        state: GrantState::Active,
        deadline: None,
        reason: None,
        changed_by: caller.signature(),
        changed_at: moment(domain.clock.now()),
    };
    // Read back: a grant that its own domain does not take for its own must not be kept.
    Terms::read(domain, &grant)?;
    Ok(grant)
}

async fn log_issued(
    domain: &Domain,
    caller: &Caller,
    grant: &GrantRecord,
    terms: &Terms,
) -> Result<(), Fault> {
    let not_after: DateTime<Utc> = terms.end()?;
    let event = Event::GrantIssued {
        grant: grant.id.clone(),
        application: grant.application.clone(),
        parent: grant.parent.clone().unwrap_or_default(),
        organisation: grant.organisation.clone(),
        digest: grant.digest.parse()?,
        not_after: Timestamp::from(not_after),
    };
    domain
        .record
        .append_async(caller.actor(), event)
        .await
        .map(drop)
}
