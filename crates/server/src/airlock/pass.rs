//! The gate's verdict on a run, met by the airlock: into it, through it, or past it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use weir_audit::{Digest, Event};
use weir_gate::{Approval, DecisionRecord, EvidenceKey, Judged, ReviewReason, Reviewed, Verdict};
use weir_policy::Policy;
use weir_registry::{AirlockRecord, AirlockState, ModelState};

use super::decide::approval;
use super::states::AirlockAct;
use super::{find, list, models, open, settle, step_by_server};
use crate::access::Caller;
use crate::attempts::not_released;
use crate::domain::Domain;
use crate::fault::Fault;
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

/// What a run brings to the gate: the approval of the table that people looked at, if they did.
pub(crate) struct Ticket(Option<Approved>);

struct Approved {
    record: AirlockRecord,
    /// Of the table that was looked at.
    digest: String,
    approval: Option<Approval>,
}

/// A table that does not leave now.
pub(crate) enum Kept {
    /// People have to look at it.
    Waits {
        sealed: Vec<u8>,
        reasons: Vec<String>,
    },
    /// It is another one than they looked at.
    Other,
    /// It could not be sealed.
    Failed(Fault),
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
        let pinned = versions
            .into_iter()
            .find(|version| version.digest == *digest);
        match pinned {
            Some(pinned) if pinned.state == ModelState::Approved => *model = pinned,
            Some(ended) => return Err(crate::models::withdrawn(&ended.name)),
            None => {}
        }
        Ok(())
    }
}

/// Where the table of this run is in the airlock: what to compute it again from, where people let it go; nothing, where
/// it was never there. Whatever else it is, is an answer.
pub(crate) async fn look(
    domain: &Domain,
    caller: &Caller,
    request: &Request,
) -> Result<Option<AirlockRecord>, Fault> {
    let run = request.run.as_str();
    settle(domain).await?;
    let Some(record) = domain.registry.in_airlock(run).await? else {
        return Ok(None);
    };
    let same = record.organisation == caller.organisation
        && (record.person == caller.person || request.product.is_some())
        && record.request_digest == request.digest().to_string();
    match record.state {
        _ if !same => Err(crate::release::id_taken(run)),
        AirlockState::Approved => Ok(Some(record)),
        AirlockState::Waiting => Err(in_review(run)),
        _ => Err(not_released(run)),
    }
}

/// What people said of the table that a run asks for again, to be held against the gate's verdict.
pub(crate) async fn ticket(
    domain: &Arc<Domain>,
    waiting: Option<AirlockRecord>,
) -> Result<Ticket, Fault> {
    let Some(record) = waiting else {
        return Ok(Ticket(None));
    };
    let digest = open(domain, &record).await?.digest().to_owned();
    let reviews = domain.registry.airlock_reviews(&record.run).await?;
    Ok(Ticket(Some(Approved {
        approval: approval(&reviews),
        record,
        digest,
    })))
}

impl Ticket {
    /// Lets a table go that needs nobody's eyes, or has had them. Looks at nothing but the verdict, and changes nothing.
    pub(crate) fn meets(
        &mut self,
        verdict: Verdict,
        key: &EvidenceKey,
        run: &str,
    ) -> Result<Judged, Kept> {
        let Some(approved) = &mut self.0 else {
            return match verdict {
                Verdict::Release(judged) => Ok(judged),
                Verdict::Review(reviewed) => Err(waits(&reviewed, key, run)),
            };
        };
        if verdict.record().table_digest != approved.digest {
            return Err(Kept::Other);
        }
        match verdict {
            Verdict::Release(judged) => Ok(judged),
            Verdict::Review(reviewed) => {
                let approval = approved.approval.take().ok_or(Kept::Other)?;
                Ok(reviewed.approved(approval))
            }
        }
    }

    /// Once more before it leaves, and from here on nobody moves it: a reviewer may have kept it back meanwhile.
    pub(crate) async fn passes(self, domain: &Arc<Domain>) -> Result<Passage, Fault> {
        let Some(approved) = self.0 else {
            return Ok(Passage(None));
        };
        let one = Arc::clone(&domain.airlock).lock_owned().await;
        let record = find(domain, &approved.record.run).await?;
        let expired = record.expires_at <= moment(domain.clock.now());
        match record.state == AirlockState::Approved && !expired {
            true => Ok(Passage(Some((record, one)))),
            false => Err(not_released(&record.run)),
        }
    }

    /// Has a table wait, or puts on record that it is another one; answers with what its operator hears.
    pub(crate) async fn keep(
        self,
        domain: &Arc<Domain>,
        asked: Asked<'_>,
        kept: Kept,
    ) -> Result<Fault, Fault> {
        let run = &asked.request.run;
        match kept {
            Kept::Failed(fault) => Ok(fault),
            Kept::Waits { sealed, reasons } => {
                enter(domain, &asked, sealed, reasons).await?;
                Ok(in_review(run))
            }
            Kept::Other => {
                let _one = domain.airlock.lock().await;
                let record = find(domain, run).await?;
                if record.state == AirlockState::Approved {
                    step_by_server(domain, &record, AirlockAct::Overtake).await?;
                }
                Ok(not_released(run))
            }
        }
    }
}

fn waits(reviewed: &Reviewed, key: &EvidenceKey, run: &str) -> Kept {
    match reviewed.sealed_table(key, run) {
        Ok(sealed) => Kept::Waits {
            sealed,
            reasons: reasons(reviewed.record()),
        },
        Err(error) => Kept::Failed(error.into()),
    }
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
async fn enter(
    domain: &Arc<Domain>,
    asked: &Asked<'_>,
    sealed: Vec<u8>,
    reasons: Vec<String>,
) -> Result<(), Fault> {
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
    let now = domain.clock.now();
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
pub(crate) fn in_review(run: &str) -> Fault {
    Fault::policy(
        IN_REVIEW,
        format!(
            "the table of run `{run}` waits for people to look at it. Nothing is released before two reviewers let it go. Ask \
             again later with the same query and `--run-id {run}`"
        ),
    )
}
