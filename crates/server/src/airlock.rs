//! The airlock: tables that people have to look at before they leave.
//!
//! What waits is a request and the table sealed under a key of the snapshots it was read from; nothing computed is kept
//! plain. Reviewers see the sealed table, after the log says that they look. Once two of them let it go, the operator's
//! next call for the same run goes the whole way again (`release.rs`), over the same snapshots, the same models and the
//! same grant: what comes of it has to be the very bytes that were looked at, and every check is made on that day's facts.
//!
//! What may follow what is one table (`states.rs`). A change is in the log first, then in the registry. Deadlines take effect
//! at the first look after them: there is no clock to fail.

mod decide;
mod pass;
pub(crate) mod states;

use chrono::{DateTime, Utc};
use weir_audit::{Actor, Digest, Event};
use weir_gate::Preview;
use weir_registry::{AirlockRecord, AirlockReview, AirlockState};

pub(crate) use decide::{Decided, decide, preview, withdraw};
pub(crate) use pass::{Asked, IN_REVIEW, Kept, Pins, in_review, look, ticket};

use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants::{moment, server};
use states::{AIRLOCK, AirlockAct};

use crate::grants::states::{Named, next};

/// Most tables listed.
pub(crate) const LISTED_MAX: u32 = 1_000;

/// What the key that seals tables under review is derived for.
const TABLE_KEY: &str = "weir table under review v1";

/// One step of a table's way through the airlock.
struct Step<'a> {
    act: AirlockAct,
    /// Whom the log names.
    actor: Actor,
    /// Why; empty where the server does it.
    text: &'a str,
}

impl Step<'_> {
    /// A step that follows by itself.
    fn by_server(act: AirlockAct) -> Self {
        Step {
            act,
            actor: server(),
            text: "",
        }
    }
}

/// The table of a run, as far as it is now.
pub(crate) async fn find(domain: &Domain, run: &str) -> Result<AirlockRecord, Fault> {
    let found = domain.registry.in_airlock(run).await?;
    found.ok_or_else(|| {
        let run: String = run.chars().take(36).collect();
        Fault::caller(
            "AIRLOCK_UNKNOWN",
            format!(
                "no table of a run `{run}` is in the airlock. `weir airlock list` shows those there are"
            ),
        )
    })
}

/// Puts a step on record.
async fn log(
    domain: &Domain,
    record: &AirlockRecord,
    step: Step<'_>,
    state: AirlockState,
) -> Result<(), Fault> {
    let event = Event::AirlockChanged {
        run: record.run.clone(),
        sealed_digest: record.sealed_digest.parse()?,
        act: step.act.name().to_owned(),
        state: state.as_str().to_owned(),
        text_digest: Digest::of(step.text.as_bytes()),
    };
    domain
        .record
        .append_async(step.actor, event)
        .await
        .map(drop)
}

/// Takes a step that the server takes by itself. The caller holds the airlock.
async fn step_by_server(
    domain: &Domain,
    record: &AirlockRecord,
    act: AirlockAct,
) -> Result<(), Fault> {
    let from = (record.state, record.state.as_str());
    let state = next(AIRLOCK, from, act, None)?;
    log(domain, record, Step::by_server(act), state).await?;
    put(domain, record, state, None).await
}

async fn put(
    domain: &Domain,
    record: &AirlockRecord,
    state: AirlockState,
    review: Option<&AirlockReview>,
) -> Result<(), Fault> {
    let now = moment(domain.clock.now());
    let registry = &domain.registry;
    Ok(registry
        .move_in_airlock(&record.run, state, review, &now)
        .await?)
}

/// Has every deadline that has passed take effect.
pub(crate) async fn settle(domain: &Domain) -> Result<(), Fault> {
    settle_at(domain, domain.clock.now()).await
}

async fn settle_at(domain: &Domain, now: DateTime<Utc>) -> Result<(), Fault> {
    let now = moment(now);
    if domain.registry.airlock_due(&now).await?.is_empty() {
        return Ok(());
    }
    let _one = domain.airlock.lock().await;
    for run in domain.registry.airlock_due(&now).await? {
        let record = find(domain, &run).await?;
        // An answer that was kept right before the server stopped: it has left.
        let act = match domain.registry.run(&run).await? {
            Some(_) if record.state == AirlockState::Approved => AirlockAct::Release,
            _ => AirlockAct::Expire,
        };
        step_by_server(domain, &record, act).await?;
    }
    Ok(())
}

/// The sealed table of a run, opened. Whoever calls this has put on record who looks, or shows it to nobody.
async fn open(domain: &std::sync::Arc<Domain>, record: &AirlockRecord) -> Result<Preview, Fault> {
    let opened = std::sync::Arc::clone(domain);
    let record = record.clone();
    tokio::task::spawn_blocking(move || {
        let key = table_key(&opened, &list(&record.snapshots))?;
        let sealed = record.sealed.unwrap_or_default();
        Ok(Preview::open(&sealed, &key, &record.run)?)
    })
    .await
    .map_err(|_| panicked())?
}

/// The key for tables of runs that read these snapshots: with any one of them it is gone. Blocks.
pub(crate) fn table_key(
    domain: &Domain,
    snapshots: &[String],
) -> Result<weir_gate::EvidenceKey, Fault> {
    let key = domain.vault.derive_key_of(snapshots, TABLE_KEY)?;
    Ok(weir_gate::EvidenceKey::new(*key))
}

/// A list as the registry has it.
pub(crate) fn list(text: &str) -> Vec<String> {
    let entries = text.split(", ").filter(|entry| !entry.is_empty());
    entries.map(str::to_owned).collect()
}

/// Names and digests of models as the registry has them.
pub(crate) fn models(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, digest)| (name.to_owned(), digest.to_owned()))
        .collect()
}
