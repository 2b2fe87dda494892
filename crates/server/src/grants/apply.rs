//! Applying, mending and taking back.

use uuid::Uuid;
use weir_audit::{Digest, Event};
use weir_registry::{ApplicationRecord, ApplicationState, GrantState};

use super::form::{self, Form, short};
use super::states::{APPLICATION, ApplicationAct, Named, next};
use super::{APPLICATIONS_LISTED_MAX, Request, Terms, check_reason, grant_unknown, moment, review};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// Most applications of one organisation that are open.
const OPEN_MAX: usize = 100;

/// Hands an application in: a new one, or a returned one again.
pub(crate) async fn apply(
    domain: &Domain,
    caller: &Caller,
    (text, source): (&str, &str),
    returned: &str,
    request: Request<'_>,
) -> Result<ApplicationRecord, Fault> {
    let form = Form::parse(text, source)?;
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    form::check_columns(domain, &form.datasets).await?;
    renewable(domain, caller, &form).await?;
    let state = match returned.is_empty() {
        true => ApplicationState::Submitted,
        false => {
            let before = own(domain, caller, returned).await?;
            step(&before, ApplicationAct::Resubmit, caller)?
        }
    };
    scenario_free(domain, caller, &form, returned).await?;
    let mut application = ApplicationRecord {
        id: match returned.is_empty() {
            true => Uuid::now_v7().to_string(),
            false => returned.to_owned(),
        },
        organisation: caller.organisation.clone(),
        person: caller.person.clone(),
        scenario: form.scenario.clone(),
        text: text.to_owned(),
        digest: Digest::of(text.as_bytes()).to_string(),
        state,
        submitted_at: moment(domain.clock.now()),
        decided_by: None,
        decided_at: None,
        reason: None,
        grant_id: None,
    };
    application.state = review::settled(domain, &application, &form, &[]).await?;
    let event = Event::ApplicationSubmitted {
        application: application.id.clone(),
        digest: application.digest.parse()?,
    };
    domain.record.append_async(caller.actor(), event).await?;
    let request = request.record(caller, &application.id);
    domain
        .registry
        .put_application(&application, request.as_ref())
        .await?;
    Ok(application)
}

/// Takes an application back.
pub(crate) async fn withdraw(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    reason: &str,
    request: Request<'_>,
) -> Result<ApplicationRecord, Fault> {
    let reason = check_reason(reason)?;
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    let application = own(domain, caller, id).await?;
    let state = step(&application, ApplicationAct::Withdraw, caller)?;
    end(
        domain,
        caller,
        application,
        (ApplicationAct::Withdraw, state),
        reason,
        request,
    )
    .await
}

/// Puts on record that somebody returned, rejected or withdrew an application.
pub(super) async fn end(
    domain: &Domain,
    caller: &Caller,
    application: ApplicationRecord,
    (act, state): (ApplicationAct, ApplicationState),
    reason: String,
    request: Request<'_>,
) -> Result<ApplicationRecord, Fault> {
    let event = Event::ApplicationReviewed {
        application: application.id.clone(),
        digest: application.digest.parse()?,
        opinion: act.name().to_owned(),
        text_digest: Digest::of(reason.as_bytes()),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let ended = ApplicationRecord {
        state,
        decided_by: Some(caller.signature()),
        decided_at: Some(moment(domain.clock.now())),
        reason: Some(reason),
        ..application
    };
    let request = request.record(caller, &ended.id);
    domain
        .registry
        .put_application(&ended, request.as_ref())
        .await?;
    Ok(ended)
}

/// The state that an act of the caller's leads an application to.
pub(super) fn step(
    application: &ApplicationRecord,
    act: ApplicationAct,
    caller: &Caller,
) -> Result<ApplicationState, Fault> {
    let from = (application.state, application.state.as_str());
    next(APPLICATION, from, act, Some(caller.role))
}

/// The application with this id.
pub(crate) async fn find(domain: &Domain, id: &str) -> Result<ApplicationRecord, Fault> {
    let found = domain.registry.application(id).await?;
    found.ok_or_else(|| unknown(id))
}

/// That there is no such application, or none that the caller may see.
pub(crate) fn unknown(id: &str) -> Fault {
    Fault::caller(
        "APPLICATION_UNKNOWN",
        format!(
            "there is no application `{}` that you may see. `weir grant list --applications` shows those there are",
            short(id)
        ),
    )
}

async fn own(domain: &Domain, caller: &Caller, id: &str) -> Result<ApplicationRecord, Fault> {
    let application = find(domain, id).await?;
    match application.organisation == caller.organisation {
        true => Ok(application),
        false => Err(unknown(id)),
    }
}

/// One scenario, one application, one grant.
async fn scenario_free(
    domain: &Domain,
    caller: &Caller,
    form: &Form,
    returned: &str,
) -> Result<(), Fault> {
    let taken = |what: &str| {
        Err(Fault::caller(
            "SCENARIO_TAKEN",
            format!(
                "your organisation has {what} for the scenario `{}` already. One scenario has one application and one \
                 grant: mend or withdraw it, or name another scenario",
                form.scenario
            ),
        ))
    };
    let listed = domain
        .registry
        .applications(APPLICATIONS_LISTED_MAX)
        .await?;
    let open: Vec<_> = listed
        .iter()
        .filter(|other| other.organisation == caller.organisation && is_open(other.state))
        .filter(|other| other.id != returned)
        .collect();
    if open.iter().any(|other| other.scenario == form.scenario) {
        return taken("an open application");
    }
    if open.len() >= OPEN_MAX {
        return Err(Fault::caller(
            "APPLICATIONS_TOO_MANY",
            format!(
                "your organisation has {OPEN_MAX} open applications. Wait for decisions, or withdraw some"
            ),
        ));
    }
    let grants = domain.registry.grants_of(&caller.organisation).await?;
    let same = grants.iter().find(|grant| {
        grant.scenario == form.scenario
            && grant.parent.is_none()
            && is_live(grant.state)
            && Some(&grant.id) != form.renews.as_ref()
    });
    match same {
        Some(_) => taken("a grant"),
        None => Ok(()),
    }
}

/// Where a renewal is asked for, the grant it is to follow: one's own, still good, near its end.
pub(super) async fn renewable(
    domain: &Domain,
    caller: &Caller,
    form: &Form,
) -> Result<Option<Terms>, Fault> {
    let Some(id) = &form.renews else {
        return Ok(None);
    };
    let grant = domain
        .registry
        .grant(id)
        .await?
        .filter(|grant| grant.organisation == caller.organisation && grant.parent.is_none())
        .ok_or_else(|| grant_unknown(id))?;
    let terms = followed(domain, &grant)?;
    if terms.scenario != form.scenario {
        return Err(Fault::caller(
            "RENEWAL_OTHER_SCENARIO",
            format!(
                "grant `{}` is for the scenario `{}`. A renewal is for the same one",
                grant.id, terms.scenario
            ),
        ));
    }
    Ok(Some(terms))
}

/// The terms of a grant that can be followed by another now.
pub(super) fn followed(
    domain: &Domain,
    grant: &weir_registry::GrantRecord,
) -> Result<Terms, Fault> {
    let terms = Terms::read(domain, grant)?;
    let now = moment(domain.clock.now());
    if !matches!(grant.state, GrantState::Active | GrantState::Mending) || terms.not_after <= now {
        return Err(Fault::caller(
            "RENEWAL_NOT_LIVE",
            format!(
                "grant `{}` is {} and cannot be renewed. Apply for a new one",
                grant.id,
                grant.state.as_str()
            ),
        ));
    }
    let from = terms.renewable_from()?;
    if now < from {
        return Err(Fault::caller(
            "RENEWAL_TOO_EARLY",
            format!(
                "grant `{}` ends on {} and can be renewed from {from}: three months before its end",
                grant.id, terms.not_after
            ),
        ));
    }
    Ok(terms)
}

pub(crate) const fn is_open(state: ApplicationState) -> bool {
    matches!(
        state,
        ApplicationState::Submitted | ApplicationState::Reviewed | ApplicationState::Returned
    )
}

pub(crate) const fn is_live(state: GrantState) -> bool {
    matches!(
        state,
        GrantState::Active | GrantState::Mending | GrantState::Suspended
    )
}
