//! The gate's verdict on a run, met by the airlock: into it, through it, or past it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use tokio::sync::OwnedMutexGuard;
use weir_audit::{Digest, Event};
use weir_gate::{DecisionRecord, Judged, ReviewReason, Reviewed, Verdict};
use weir_policy::Policy;
use weir_registry::{AirlockRecord, AirlockState};

use super::decide::approval;
use super::states::AirlockAct;
use super::{find, list, models, open, settle, step_by_server, table_key};
use crate::access::Caller;
use crate::attempts::not_released;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants::{Need, moment};
use crate::release::{Found, Request};

/// Most tables of one organisation that wait at once.
const OPEN_MAX: i64 = 64;

/// Code of the answer to a run whose table waits: not a refusal, and not in the log as one.
pub(crate) const IN_REVIEW: &str = "RUN_IN_REVIEW";

/// What a run reads, fixed: of one that waits, the very things that were read for the table that people looked at.
#[derive(Default)]
pub(crate) struct Pins {
    pub(crate) snapshots: Vec<String>,
    /// Digests by name.
    models: BTreeMap<String, String>,
}

/// A run whose table was judged.
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a Request,
    pub(crate) need: Need,
    pub(crate) snapshots: &'a [String],
    pub(crate) grant: &'a str,
    pub(crate) policy: &'a Policy,
}

/// That a table is on its way out. Nobody moves it in the airlock meanwhile.
pub(crate) struct Passage(Option<(AirlockRecord, OwnedMutexGuard<()>)>);

impl Pins {
    /// What a run has to read: what its request names, or what it read when its table began to wait.
    pub(crate) fn of(request: &Request, waiting: Option<&AirlockRecord>) -> Self {
        match waiting {
            None => Self {
                snapshots: request.snapshots.clone(),
                models: BTreeMap::new(),
            },
            Some(record) => Self {
                snapshots: list(&record.snapshots),
                models: models(&record.models).into_iter().collect(),
            },
        }
    }

    /// Puts the pinned version of a model in place of the newest one.
    pub(crate) async fn hold(&self, domain: &Domain, found: &mut Found) -> Result<(), Fault> {
        let Some(model) = &mut found.model else {
            return Ok(());
        };
        let Some(digest) = self
            .models
            .get(&model.name)
            .filter(|pin| **pin != model.digest)
        else {
            return Ok(());
        };
        let versions = domain.registry.model_versions(&model.name).await?;
        let approved = versions
            .into_iter()
            .filter(|version| version.approval.approved_by.is_some());
        if let Some(pinned) = approved
            .into_iter()
            .find(|version| version.digest == *digest)
        {
            *model = pinned;
        }
        Ok(())
    }
}

/// Where the table of this run is in the airlock: what to compute it again from, where people let it go; nothing, where
/// it was never there. Whatever else it is, is an answer.
pub(crate) async fn look(
    domain: &Domain,
    caller: &Caller,
    (run, request_digest): (&str, Digest),
) -> Result<Option<AirlockRecord>, Fault> {
    settle(domain).await?;
    let Some(record) = domain.registry.in_airlock(run).await? else {
        return Ok(None);
    };
    let same = record.organisation == caller.organisation
        && record.person == caller.person
        && record.request_digest == request_digest.to_string();
    match record.state {
        _ if !same => Err(crate::release::id_taken(run)),
        AirlockState::Approved => Ok(Some(record)),
        AirlockState::Waiting => Err(in_review(run)),
        _ => Err(not_released(run)),
    }
}

/// Lets a table pass that needs nobody's eyes, or has had them; any other begins to wait.
pub(crate) async fn pass(
    domain: &Arc<Domain>,
    asked: Asked<'_>,
    waiting: Option<AirlockRecord>,
    verdict: Verdict,
) -> Result<(Judged, Passage), Fault> {
    let run = &asked.request.run;
    let Some(waiting) = waiting else {
        return match verdict {
            Verdict::Release(judged) => Ok((judged, Passage(None))),
            Verdict::Review(reviewed) => {
                enter(domain, asked, reviewed).await?;
                Err(in_review(run))
            }
        };
    };
    let one = Arc::clone(&domain.airlock).lock_owned().await;
    // Once more, now that nobody moves it: a reviewer may have kept it back while it was computed.
    let record = find(domain, &waiting.run).await?;
    let expired = record.expires_at <= moment(Utc::now());
    if record.state != AirlockState::Approved || expired {
        return Err(not_released(run));
    }
    if open(domain, &record).await?.digest() != verdict.record().table_digest {
        step_by_server(domain, &record, AirlockAct::Overtake).await?;
        return Err(not_released(run));
    }
    let judged = match verdict {
        Verdict::Release(judged) => judged,
        Verdict::Review(reviewed) => {
            let reviews = domain.registry.airlock_reviews(run).await?;
            reviewed.approved(approval(&reviews).ok_or_else(|| not_released(run))?)
        }
    };
    Ok((judged, Passage(Some((record, one)))))
}

impl Passage {
    /// The table has left, and its answer is kept.
    pub(crate) async fn left(self, domain: &Domain) -> Result<(), Fault> {
        match self.0 {
            Some((record, _one)) => step_by_server(domain, &record, AirlockAct::Release).await,
            None => Ok(()),
        }
    }
}

/// Has a table wait: in the log first, then in the registry.
async fn enter(domain: &Arc<Domain>, asked: Asked<'_>, reviewed: Reviewed) -> Result<(), Fault> {
    let _one = domain.airlock.lock().await;
    let organisation = &asked.caller.organisation;
    if domain.registry.airlock_open_of(organisation).await? >= OPEN_MAX {
        return Err(Fault::policy(
            "AIRLOCK_FULL",
            format!(
                "{OPEN_MAX} tables of your organisation wait for people, the most at once. Wait for decisions, or withdraw \
                 some with `weir runs cancel`"
            ),
        ));
    }
    let reasons = reasons(reviewed.record());
    let sealed = seal(domain, &asked, reviewed).await?;
    let now = Utc::now();
    let record = AirlockRecord {
        run: asked.request.run.clone(),
        organisation: organisation.clone(),
        person: asked.caller.person.clone(),
        request_digest: asked.request.digest().to_string(),
        sql: asked.request.sql.clone(),
        grant_id: asked.grant.to_owned(),
        datasets: asked.need.datasets.join(", "),
        snapshots: asked.snapshots.join(", "),
        models: lines(&asked.need.models),
        policy: asked.policy.canonical(),
        sealed_digest: Digest::of(&sealed).to_string(),
        sealed: Some(sealed),
        state: AirlockState::Waiting,
        entered_at: moment(now),
        expires_at: moment(now + domain.config.airlock_wait.span()),
        ended_at: None,
    };
    let event = Event::AirlockEntered {
        run: record.run.clone(),
        request_digest: asked.request.digest(),
        grant: record.grant_id.clone(),
        reasons,
        sealed_digest: record.sealed_digest.parse()?,
        expires_at: record.expires_at.clone().try_into()?,
    };
    let actor = asked.caller.actor();
    domain.record.append_async(actor, event).await?;
    Ok(domain.registry.enter_airlock(&record).await?)
}

async fn seal(
    domain: &Arc<Domain>,
    asked: &Asked<'_>,
    reviewed: Reviewed,
) -> Result<Vec<u8>, Fault> {
    let (opened, snapshots) = (Arc::clone(domain), asked.snapshots.to_vec());
    let run = asked.request.run.clone();
    tokio::task::spawn_blocking(move || {
        let key = table_key(&opened, &snapshots)?;
        Ok(reviewed.sealed_table(&key, &run)?)
    })
    .await
    .map_err(|_| panicked())?
}

fn reasons(record: &DecisionRecord) -> Vec<String> {
    let names = record.review.iter().copied().map(ReviewReason::name);
    names.map(str::to_owned).collect()
}

fn lines(models: &[(String, String)]) -> String {
    let lines = models
        .iter()
        .map(|(name, digest)| format!("{name} {digest}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The answer to a run whose table waits. Constant, but for the run's id.
fn in_review(run: &str) -> Fault {
    Fault::policy(
        IN_REVIEW,
        format!(
            "the table of run `{run}` waits for people to look at it. Nothing is released before two reviewers let it go. Ask \
             again later with the same query and `--run-id {run}`"
        ),
    )
}
