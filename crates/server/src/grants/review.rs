//! Opinions and decisions on an application.

use weir_audit::{Digest, Event};
use weir_registry::{ApplicationRecord, ApplicationState, OpinionRecord, Role};

use super::apply::{end, find, step};
use super::form::{self, Form};
use super::states::{APPLICATION, ApplicationAct, Named, next};
use super::{Request, check_reason, moment, not_own};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// Gives an opinion: a provider on its datasets, the bureau on the whole.
pub(crate) async fn review(
    domain: &Domain,
    caller: &Caller,
    (id, digest): (&str, &str),
    supports: bool,
    text: &str,
    request: Request<'_>,
) -> Result<ApplicationRecord, Fault> {
    let text = check_reason(text)?;
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    let application = to_judge(domain, caller, id, digest).await?;
    let act = match supports {
        true => ApplicationAct::Support,
        false => ApplicationAct::Oppose,
    };
    let state = step(&application, act, caller)?;
    let form = Form::parse(&application.text, "the stored application")?;
    let opinions = opinions(domain, caller, &application, &form, supports, &text).await?;
    let event = Event::ApplicationReviewed {
        application: application.id.clone(),
        digest: application.digest.parse()?,
        opinion: act.name().to_owned(),
        text_digest: Digest::of(text.as_bytes()),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let mut reviewed = ApplicationRecord {
        state,
        ..application
    };
    reviewed.state = settled(domain, &reviewed, &form, &opinions).await?;
    let request = request.record(caller, &reviewed.id);
    domain
        .registry
        .put_opinions(&opinions, &reviewed, request.as_ref())
        .await?;
    Ok(reviewed)
}

/// Returns or rejects an application.
pub(crate) async fn decide(
    domain: &Domain,
    caller: &Caller,
    (id, digest): (&str, &str),
    act: ApplicationAct,
    reason: &str,
    request: Request<'_>,
) -> Result<ApplicationRecord, Fault> {
    let reason = check_reason(reason)?;
    let _one = domain.grants.changing.lock().await;
    if let Some(id) = request.subject(domain, caller).await? {
        return find(domain, &id).await;
    }
    let application = to_judge(domain, caller, id, digest).await?;
    let state = step(&application, act, caller)?;
    end(domain, caller, application, (act, state), reason, request).await
}

/// The application that a caller has a word on: not one of their own organisation, and the very text that they read.
pub(super) async fn to_judge(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    digest: &str,
) -> Result<ApplicationRecord, Fault> {
    let application = find(domain, id).await?;
    let whose = (
        application.organisation.as_str(),
        application.person.as_str(),
    );
    not_own(caller, whose, "this application")?;
    same_text(&application, digest)?;
    Ok(application)
}

/// Refuses a word on another text than the one there is.
fn same_text(application: &ApplicationRecord, digest: &str) -> Result<(), Fault> {
    if digest.is_empty() {
        return Err(Fault::caller(
            "DIGEST_MISSING",
            "a review binds to a digest and none was sent. Send the digest of the application that was read",
        ));
    }
    if application.digest != digest {
        return Err(Fault::caller(
            "APPLICATION_OTHER",
            format!(
                "the application has the digest {}, another than the one that was read. Look at it again with `weir grant \
                 show {}`",
                application.digest, application.id
            ),
        ));
    }
    Ok(())
}

/// What the caller's organisation says now: on each of its datasets, or on the whole.
async fn opinions(
    domain: &Domain,
    caller: &Caller,
    application: &ApplicationRecord,
    form: &Form,
    supports: bool,
    text: &str,
) -> Result<Vec<OpinionRecord>, Fault> {
    let providers = form::providers(domain, &form.datasets).await?;
    let mut about: Vec<String> = providers
        .into_iter()
        .filter(|(_, provider)| *provider == caller.organisation)
        .map(|(dataset, _)| dataset)
        .collect();
    if caller.role == Role::Bureau {
        about.push(String::new());
    }
    if about.is_empty() {
        return Err(Fault::policy(
            "OPINION_NOT_YOURS",
            "none of the datasets applied for is of your organisation. Their providers give the opinions",
        ));
    }
    let given_at = moment(domain.clock.now());
    let opinion = |dataset| OpinionRecord {
        application: application.id.clone(),
        dataset,
        organisation: caller.organisation.clone(),
        person: caller.person.clone(),
        digest: application.digest.clone(),
        supports,
        text: text.to_owned(),
        given_at: given_at.clone(),
    };
    Ok(about.into_iter().map(opinion).collect())
}

/// The state of an application whose newest opinions are these: reviewed once nothing is outstanding.
pub(super) async fn settled(
    domain: &Domain,
    application: &ApplicationRecord,
    form: &Form,
    newest: &[OpinionRecord],
) -> Result<ApplicationState, Fault> {
    match missing(domain, application, form, newest).await?.is_empty() {
        true => {
            let from = (application.state, application.state.as_str());
            next(APPLICATION, from, ApplicationAct::Complete, None)
        }
        false => Ok(application.state),
    }
}

/// What an open application still waits for before the bureau can grant it, in words.
pub(crate) async fn outstanding(
    domain: &Domain,
    application: &ApplicationRecord,
    form: &Form,
) -> Result<Vec<String>, Fault> {
    missing(domain, application, form, &[]).await
}

async fn missing(
    domain: &Domain,
    application: &ApplicationRecord,
    form: &Form,
    newest: &[OpinionRecord],
) -> Result<Vec<String>, Fault> {
    let stored = domain.registry.opinions(&application.id).await?;
    let replaced = |old: &OpinionRecord| {
        newest
            .iter()
            .any(|new| (&new.dataset, &new.organisation) == (&old.dataset, &old.organisation))
    };
    // An opinion on an older text no longer counts.
    let current: Vec<&OpinionRecord> = stored
        .iter()
        .filter(|old| !replaced(old))
        .chain(newest)
        .filter(|opinion| opinion.digest == application.digest)
        .collect();
    let opposing = current.iter().filter(|opinion| !opinion.supports);
    let mut missing: Vec<String> = opposing
        .map(|opinion| match opinion.dataset.as_str() {
            "" => format!("`{}` opposes it", opinion.organisation),
            dataset => format!("`{}` opposes it for `{dataset}`", opinion.organisation),
        })
        .collect();
    for (dataset, provider) in form::providers(domain, &form.datasets).await? {
        // Nobody reviews their own application: there the bureau speaks for the dataset.
        let own = provider == application.organisation;
        let speaks = |opinion: &&OpinionRecord| match own {
            true => opinion.dataset.is_empty(),
            false => opinion.dataset == dataset && opinion.organisation == provider,
        };
        if !current.iter().any(speaks) {
            missing.push(match own {
                true => {
                    format!("the bureau's opinion, for the applicant provides `{dataset}` itself")
                }
                false => format!("the opinion of `{provider}`, which provides `{dataset}`"),
            });
        }
    }
    Ok(missing)
}

/// Refuses where fewer organisations than the domain asks for have spoken in favour, whoever issues included.
pub(super) async fn enough_reviewers(
    domain: &Domain,
    caller: &Caller,
    application: &ApplicationRecord,
) -> Result<(), Fault> {
    let wanted = usize::from(domain.config.grant_reviewers);
    let opinions = domain.registry.opinions(&application.id).await?;
    let in_favour = opinions
        .into_iter()
        .filter(|opinion| opinion.supports && opinion.digest == application.digest)
        .map(|opinion| opinion.organisation);
    let mut organisations: Vec<String> = in_favour.collect();
    organisations.push(caller.organisation.clone());
    organisations.sort();
    organisations.dedup();
    if organisations.len() >= wanted {
        return Ok(());
    }
    Err(Fault::policy(
        "APPLICATION_REVIEWERS",
        format!(
            "{wanted} organisations have to be in favour and {} is. Ask a provider, or somebody of another organisation of \
             the bureau's, for an opinion",
            organisations.len()
        ),
    ))
}
