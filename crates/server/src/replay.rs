//! A release, made again from what it was made from, and compared bit for bit with the digest in the log.
//!
//! Nothing is released here: the table that comes of it is judged and dropped, and only its digest is looked at.

mod decided;

use std::sync::Arc;

use weir_api::v1::{ReleaseReplay, ReplayReleaseRequest};
use weir_audit::{Digest, Event};
use weir_catalogue::Manifest;
use weir_inside::{Depth, Limits, Plan, Query, Sources};
use weir_ledger::Earlier;
use weir_policy::Policy;

use crate::access::Caller;
use crate::basis::{Basis, BasisDataset, WEIR, altered, kept};
use crate::computing::Computing;
use crate::domain::Domain;
use crate::fault::{Fault, dataset_unknown, panicked, stopping};
use crate::ledger::RunRead;
use crate::release::{Found, relation};
use decided::Decided;

/// Most threads a replay computes on.
const THREADS_MAX: u32 = 64;

/// Most rows that the engine handles at once.
const BATCH_ROWS_MAX: u32 = 65_536;

/// How a replay computes. None of it may change a bit.
struct Engine {
    /// Threads of its own; none: those of runs.
    threads: Option<usize>,
    limits: Limits,
}

impl Engine {
    fn of(request: &ReplayReleaseRequest, mut limits: Limits) -> Result<Self, Fault> {
        let within = |asked: u32, max: u32, what: &str| match asked {
            0 => Ok(None),
            asked if asked <= max => Ok(usize::try_from(asked).ok()),
            _ => Err(Fault::caller(
                "LIMIT_TOO_LARGE",
                format!("{asked} {what} are asked for; at most {max} are. Ask for fewer"),
            )),
        };
        if let Some(rows) = within(request.batch_rows, BATCH_ROWS_MAX, "rows at once")? {
            limits.batch_rows = rows;
        }
        Ok(Self {
            threads: within(request.threads, THREADS_MAX, "threads")?,
            limits,
        })
    }
}

/// Makes a release again and puts on record what came of it. `stage` hears the name of each step as it begins.
pub(crate) async fn replay(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: &ReplayReleaseRequest,
    stage: impl Fn(&'static str),
) -> Result<ReleaseReplay, Fault> {
    let engine = Engine::of(request, domain.config.fair_use.limits())?;
    stage("looking the release up in the log");
    let decided = Decided::find(domain, &request.release).await?;
    let again = again(domain, &caller.organisation, &decided, engine, stage).await;
    let outcome = match &again {
        Ok(again) if again.same => "same",
        Ok(_) => "different",
        Err(fault) => fault.code,
    };
    let event = Event::ReleaseReplayed {
        run: decided.run.clone(),
        entry: decided.index,
        outcome: outcome.to_owned(),
    };
    domain.record.append_async(caller.actor(), event).await?;
    again
}

/// The same steps as those of a run (`release.rs`), with everything that a run looks up taken from the basis.
async fn again(
    domain: &Arc<Domain>,
    organisation: &str,
    decided: &Decided,
    engine: Engine,
    stage: impl Fn(&'static str),
) -> Result<ReleaseReplay, Fault> {
    // 1. What it was made from, each by its digest.
    stage("checking what it was made from");
    let basis = decided.basis(domain).await?;
    let sql = sql(domain, basis.request).await?;
    let policy = policy(domain, basis.policy).await?;

    let mut replayed = None;
    for judging in Judging::ways(&policy).iter().copied() {
        // 2. Opened as it was read then.
        stage("opening the snapshots");
        let query = Query::parse(&sql)?;
        let sources = sources(domain, &query, &basis).await?;
        let plan = Plan::new(&query, &sources, Depth::of(&policy))?;

        // 3. Computed, with a slot like any run.
        stage("waiting for a free slot");
        let slot = domain.fair.slot(organisation).await;
        let slot = slot.ok_or_else(stopping)?;
        stage("computing inside the domain");
        let limits = engine.limits;
        let work = async move { plan.compute(limits).await };
        let unreleased = match engine.threads {
            Some(threads) => Computing::with_threads(threads)?.run(work).await,
            None => domain.computing.run(work).await,
        };
        drop(slot);

        // 4. Judged as it was then: by the policy of the entry, and beside what was in the ledger at that moment.
        stage("judging each cell at the gate");
        let (opened, unreleased, run) = (Arc::clone(domain), unreleased??, decided.run.clone());
        let datasets = basis.datasets.iter();
        let snapshots: Vec<String> = datasets.map(|one| one.snapshot.clone()).collect();
        let (policy, ledger) = (policy.clone(), decided.ledger);
        let record = tokio::task::spawn_blocking(move || {
            let read = RunRead {
                run: &run,
                snapshots: &snapshots,
            };
            let then = ledger.map(|state| (state, judging.beside()));
            opened
                .released
                .judge_again(&read, then, |past| match judging {
                    Judging::AsThen => weir_gate::judge_as_then(unreleased, &policy, past),
                    _ => weir_gate::judge_again(unreleased, &policy, past),
                })
        })
        .await
        .map_err(|_| panicked())??;
        let digest: Digest = record.table_digest.parse()?;
        replayed.get_or_insert(digest);
        if digest == decided.table_digest {
            replayed = Some(digest);
            break;
        }
    }
    let replayed = replayed.ok_or_else(panicked)?;
    let models = basis.models.iter();
    Ok(ReleaseReplay {
        same: replayed == decided.table_digest,
        run_id: decided.run.clone(),
        log_index: decided.index,
        table_digest: decided.table_digest.to_string(),
        replayed_digest: replayed.to_string(),
        sql,
        models: models
            .map(|model| format!("{} {}", model.name, model.digest))
            .collect(),
        snapshots: basis.datasets.into_iter().map(|one| one.snapshot).collect(),
        policy_digest: basis.policy.to_string(),
        released_with: basis.weir,
        replayed_with: WEIR.to_owned(),
        receipt_json: decided.receipt_json.clone(),
    })
}

/// How the numbers of a table are come by once more.
#[derive(Clone, Copy)]
enum Judging {
    /// All worked out anew, but for those that came too near to an earlier answer and were given it.
    Anew,
    /// As then: what had been answered before is taken from there. So it is with the second run of one query where keyed
    /// rounding tosses another coin, or where the first was given earlier answers.
    AsThen,
    /// Noise is drawn once: what was shown is in the ledger alone.
    AsShown,
}

impl Judging {
    /// The ways by which a release may have come about, the one that works out most first.
    fn ways(policy: &Policy) -> &'static [Self] {
        match policy.dp_epsilon_millionths() {
            None => &[Self::Anew, Self::AsThen],
            Some(_) => &[Self::AsShown],
        }
    }

    const fn beside(self) -> Earlier {
        match self {
            Self::Anew | Self::AsThen => Earlier::Before,
            Self::AsShown => Earlier::At,
        }
    }
}

/// The request's SQL: what stands before the snapshots that it pins, which the basis names too.
async fn sql(domain: &Domain, request: Digest) -> Result<String, Fault> {
    let what = "the request";
    let bytes = kept(&domain.registry, request, what).await?;
    let sql = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8(sql.to_vec()).map_err(|_| altered(what, "is no text"))
}

/// The policy as it was in force, grants' layers included.
async fn policy(domain: &Domain, digest: Digest) -> Result<Policy, Fault> {
    let what = "the policy it was judged by";
    let text = kept(&domain.registry, digest, what).await?;
    let text = String::from_utf8(text).map_err(|_| altered(what, "is no text"))?;
    let policy = Policy::from_toml(&text, "the policy of the release")?;
    // The same text may mean something else to another version of Weir.
    match policy.digest() == digest.to_string() {
        true => Ok(policy),
        false => Err(Fault::caller(
            "REPLAY_VERSION",
            "this version of Weir reads the policy of the release in another way than the one that released it. Replay it \
             with that version",
        )),
    }
}

async fn sources(domain: &Arc<Domain>, query: &Query, basis: &Basis) -> Result<Sources, Fault> {
    let mut all = Vec::new();
    for reading in query.readings() {
        let dataset = basis
            .datasets
            .iter()
            .find(|one| one.name == reading.dataset);
        let dataset = dataset.ok_or_else(|| altered("the request", "reads another dataset"))?;
        check_live(domain, dataset).await?;
        let manifest = manifest(domain, dataset).await?;
        all.push((
            found(domain, basis, dataset, reading.model.as_deref()).await?,
            manifest,
        ));
    }
    let opened = Arc::clone(domain);
    let relations = tokio::task::spawn_blocking(move || {
        let open = |(found, manifest): (Found, Manifest)| {
            if opened.vault.snapshot(&found.snapshot)?.digest != found.snapshot_digest {
                return Err(altered(
                    "a snapshot",
                    "is not what the log has the digest of",
                ));
            }
            let table = opened.vault.table(&found.snapshot)?;
            relation(&opened, found, &manifest, table)
        };
        all.into_iter().map(open).collect::<Result<_, _>>()
    });
    Ok(Sources {
        relations: relations.await.map_err(|_| panicked())??,
    })
}

/// Refuses what nobody can read any more, in words that say what is left.
async fn check_live(domain: &Domain, read: &BasisDataset) -> Result<(), Fault> {
    let snapshots = domain.registry.snapshots(&read.name).await?;
    let snapshot = snapshots.iter().find(|one| one.id == read.snapshot);
    let snapshot = snapshot.ok_or_else(|| altered("a snapshot", "is not in the registry"))?;
    match &snapshot.end.destroyed_at {
        None => Ok(()),
        Some(at) => Err(Fault::caller(
            "REPLAY_SNAPSHOT_DESTROYED",
            format!(
                "the release was read from snapshot `{}` of `{}`, which was destroyed on {at}: nobody can make it again. Its \
                 entry in the log, its receipt and the certificate of destruction still verify",
                read.snapshot, read.name
            ),
        )),
    }
}

async fn manifest(domain: &Domain, read: &BasisDataset) -> Result<Manifest, Fault> {
    let what = "a manifest";
    let text = kept(&domain.registry, read.manifest, what).await?;
    let text = String::from_utf8(text).map_err(|_| altered(what, "is no text"))?;
    Ok(Manifest::from_toml(&text, "the manifest of the release")?)
}

/// What a run would find for one relation, as the basis has it.
async fn found(
    domain: &Domain,
    basis: &Basis,
    read: &BasisDataset,
    model: Option<&str>,
) -> Result<Found, Fault> {
    let registry = &domain.registry;
    let dataset = registry.dataset(&read.name).await?;
    let model = match model {
        None => None,
        Some(name) => {
            let ran = basis.models.iter().find(|one| one.name == name);
            let ran = ran.ok_or_else(|| altered("the request", "calls another model"))?;
            let versions = registry.model_versions(name).await?;
            let version = versions
                .into_iter()
                .find(|version| version.digest == ran.digest.to_string());
            let version = version.ok_or_else(|| altered("a model", "is not in the registry"))?;
            if Digest::of(&version.component) != ran.digest {
                return Err(altered("a model", "is not what the log has the digest of"));
            }
            Some(version)
        }
    };
    Ok(Found {
        dataset: dataset.ok_or_else(|| dataset_unknown(&read.name))?,
        snapshot: read.snapshot.clone(),
        snapshot_digest: read.digest.to_string(),
        model,
    })
}
