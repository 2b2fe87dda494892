//! What people do: look, let go, keep back, take back.

use std::sync::Arc;

use weir_audit::Event;
use weir_gate::{Approval, Preview, Reviewer};
use weir_registry::{AirlockRecord, AirlockReview, Role};

use super::states::{AIRLOCK, AirlockAct};
use super::{Step, find, list, log, models, open, put, settle};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants::states::next;
use crate::grants::{self, ANYBODY, Need, check_reason, moment, not_own};

/// What a reviewer says.
pub(crate) struct Decided<'a> {
    pub(crate) run: &'a str,
    /// Digest of the table that was looked at: it binds to that one.
    pub(crate) table_digest: &'a str,
    pub(crate) approves: bool,
    pub(crate) reason: &'a str,
}

/// The table of a run, for a reviewer. Who looks is in the log before the table is opened.
pub(crate) async fn preview(
    domain: &Arc<Domain>,
    caller: &Caller,
    record: &AirlockRecord,
) -> Result<Preview, Fault> {
    may_judge(domain, caller, record).await?;
    if record.sealed.is_none() {
        return Err(Fault::caller(
            "AIRLOCK_ENDED",
            format!(
                "the table of run `{}` is {} and no longer kept",
                record.run,
                record.state.as_str()
            ),
        ));
    }
    let event = Event::AirlockSeen {
        run: record.run.clone(),
        sealed_digest: record.sealed_digest.parse()?,
    };
    domain.record.append_async(caller.actor(), event).await?;
    open(domain, record).await
}

/// Takes a reviewer's word on a table.
pub(crate) async fn decide(
    domain: &Arc<Domain>,
    caller: &Caller,
    asked: Decided<'_>,
) -> Result<AirlockRecord, Fault> {
    let reason = check_reason(asked.reason)?;
    settle(domain).await?;
    let _one = domain.airlock.lock().await;
    let record = find(domain, asked.run).await?;
    may_judge(domain, caller, &record).await?;
    let act = match asked.approves {
        true => AirlockAct::Approve,
        false => AirlockAct::Reject,
    };
    let from = (record.state, record.state.as_str());
    let state = next(AIRLOCK, from, act, Some(caller.role))?;
    same_table(domain, &record, asked.table_digest).await?;
    if asked.approves {
        grant_holds(domain, &record).await?;
    }
    let mut reviews = domain.registry.airlock_reviews(&record.run).await?;
    let said = |review: &AirlockReview| {
        review.approves
            && (review.organisation.as_str(), review.person.as_str())
                == (caller.organisation.as_str(), caller.person.as_str())
    };
    if asked.approves && reviews.iter().any(said) {
        // Said again, as when an answer got lost: it counts once.
        return Ok(record);
    }
    let step = Step {
        act,
        actor: caller.actor(),
        text: &reason,
    };
    log(domain, &record, step, state).await?;
    let review = AirlockReview {
        run: record.run.clone(),
        organisation: caller.organisation.clone(),
        person: caller.person.clone(),
        approves: asked.approves,
        text: reason,
        given_at: moment(domain.clock.now()),
    };
    reviews.retain(|before| before.organisation != review.organisation);
    reviews.push(review.clone());
    // Both steps at once, so that none with enough approvals is left waiting.
    let state = match approval(&reviews) {
        Some(_) if asked.approves => {
            let approved = next(AIRLOCK, from, AirlockAct::Complete, None)?;
            let step = Step::by_server(AirlockAct::Complete);
            log(domain, &record, step, approved).await?;
            approved
        }
        _ => state,
    };
    put(domain, &record, state, Some(&review)).await?;
    find(domain, asked.run).await
}

/// The approval of those who let a table go, once there are enough.
pub(super) fn approval(reviews: &[AirlockReview]) -> Option<Approval> {
    let reviewers = reviews.iter().filter(|review| review.approves);
    let reviewers = reviewers.map(|review| Reviewer {
        person: review.person.clone(),
        organisation: review.organisation.clone(),
    });
    Approval::new(reviewers.collect()).ok()
}

/// An operator takes its table back, if there is one that is open.
pub(crate) async fn withdraw(domain: &Domain, caller: &Caller, run: &str) -> Result<(), Fault> {
    settle(domain).await?;
    let _one = domain.airlock.lock().await;
    let Some(record) = domain.registry.in_airlock(run).await? else {
        return Ok(());
    };
    if record.organisation != caller.organisation || !record.state.is_open() {
        return Ok(());
    }
    let from = (record.state, record.state.as_str());
    let state = next(AIRLOCK, from, AirlockAct::Withdraw, Some(caller.role))?;
    let step = Step {
        act: AirlockAct::Withdraw,
        actor: caller.actor(),
        text: "",
    };
    log(domain, &record, step, state).await?;
    put(domain, &record, state, None).await
}

/// Refuses whoever is too near to a table: of the organisation that ran it, of one whose grant it was read under, of one
/// whose model made it, or of the name of the person who ran it.
async fn may_judge(domain: &Domain, caller: &Caller, record: &AirlockRecord) -> Result<(), Fault> {
    if caller.role != Role::Bureau {
        return Err(Fault::policy(
            "ROLE_NOT_ALLOWED",
            "only the bureau looks at tables that wait. Leave the table out",
        ));
    }
    not_own(caller, (&record.organisation, &record.person), "this run")?;
    let grant = grants::find(domain, &record.grant_id).await?;
    for (above, _) in grants::chain(domain, grant).await? {
        not_own(
            caller,
            (&above.organisation, ANYBODY),
            "the grant of this run",
        )?;
    }
    for (name, digest) in models(&record.models) {
        let versions = domain.registry.model_versions(&name).await?;
        if let Some(model) = versions.iter().find(|version| version.digest == digest) {
            let whose = (model.organisation.as_str(), model.submitted_by.as_str());
            not_own(caller, whose, "a model of this run")?;
        }
    }
    Ok(())
}

/// Refuses a word on another table than the one that waits.
async fn same_table(
    domain: &Arc<Domain>,
    record: &AirlockRecord,
    digest: &str,
) -> Result<(), Fault> {
    if digest.is_empty() {
        return Err(Fault::caller(
            "DIGEST_MISSING",
            "a review binds to a digest and none was sent. Send the digest of the table that was looked at",
        ));
    }
    if open(domain, record).await?.digest() == digest {
        return Ok(());
    }
    // Its digest is not named: whoever has not looked at the table does not learn it here.
    Err(Fault::caller(
        "AIRLOCK_OTHER",
        format!(
            "the table of run `{run}` has another digest than the one that was sent. Look at it with `weir airlock show {run}`",
            run = record.run
        ),
    ))
}

/// Refuses to let a table go that nobody could read now.
async fn grant_holds(domain: &Domain, record: &AirlockRecord) -> Result<(), Fault> {
    grants::settle(domain).await?;
    let chain = grants::chain(domain, grants::find(domain, &record.grant_id).await?).await?;
    let need = Need {
        datasets: list(&record.datasets),
        models: models(&record.models),
    };
    grants::usable(domain, &chain, &need, domain.clock.now()).await
}
