//! One run, from SQL to answer. The order of the steps is the argument; read it as one.

mod read;
mod recorder;

use std::sync::Arc;

use chrono::SecondsFormat;
use prost::Message;
use weir_api::v1::RunResult;
use weir_audit::{Digest, Event};
use weir_catalogue::{Column, Content, Manifest, Role};
use weir_gate::Released;
use weir_inside::{
    ColumnRights, Declared, Depth, ModelSource, Plan, Query, Reading, RelationSource, Sources,
    Table, UnitSource,
};
use weir_registry::{Answered, DatasetRecord, ModelRecord, ModelState, RunRecord};

use crate::access::Caller;
use crate::airlock::{self, Kept, Pins};
use crate::attempts::Attempt;
use crate::basis;
use crate::budgets::Asks;
use crate::domain::Domain;
use crate::fair::AtTheDoor;
use crate::fault::{Fault, count, dataset_unknown, panicked, stopping};
use crate::grants::{self, Need};
use crate::ledger::RunRead;
use crate::models;
use crate::policies;
use crate::products::Pin;
use crate::snapshots;
use crate::usage;
use read::Read;
use recorder::{Recorded, ReleaseRecorder};

/// What a caller asks.
pub(crate) struct Request {
    pub(crate) run: String,
    pub(crate) sql: String,
    /// Snapshots to read instead of the newest.
    pub(crate) snapshots: Vec<String>,
    /// The grant to read under; empty for the only one that covers the query.
    pub(crate) grant: String,
    /// The product that it is part of; empty for none.
    pub(crate) product: Option<Pin>,
}

impl Request {
    pub(crate) fn digest(&self) -> Digest {
        weir_audit::request_digest(&self.sql, &self.snapshots)
    }

    /// The product's name; empty for none.
    fn product(&self) -> &str {
        self.product.as_ref().map_or("", |pin| &pin.product)
    }
}

/// Runs a query and releases what the gate lets pass. `stage` hears the name of each step as it begins; nothing it
/// hears depends on the data. Every refusal is in the log before the caller hears of it.
pub(crate) async fn run(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: Request,
    stage: impl Fn(&'static str),
) -> Result<RunResult, Fault> {
    // One at a time of an operator, until it waits for a slot or is refused.
    let mut door = Some(domain.fair.door(&caller.organisation).await);
    let attempt = match Attempt::begin(domain, caller, &request.run) {
        Ok(attempt) => attempt,
        Err(fault) => return Err(refused(domain, caller, &request, fault).await?),
    };
    if let Some(answer) = stored_answer(domain, caller, &request).await? {
        return Ok(answer);
    }
    let stage = |name| {
        if attempt.reached(name) {
            stage(name);
        }
    };
    let work = release(domain, caller, &request, (&attempt, &mut door), stage);
    match attempt.unless_called_off(work).await {
        Ok(answer) => Ok(answer),
        Err(fault) => {
            if attempt.has_a_slot() {
                drop(door);
            }
            attempt.on_its_slot().await;
            let fault = refused(domain, caller, &request, fault).await?;
            attempt.ended(false).await?;
            Err(fault)
        }
    }
}

async fn release(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: &Request,
    (attempt, door): (&Attempt, &mut Option<AtTheDoor>),
    stage: impl Fn(&'static str),
) -> Result<RunResult, Fault> {
    // 0. A table that waits for people is no more than that; one that they let go is computed again from what it was read
    //    from, under the same grant.
    let id = (request.run.as_str(), request.digest());
    let waiting = airlock::look(domain, caller, request).await?;

    // 1. The query is checked before anything is looked up: what it may not ask needs no catalogue to be refused.
    stage("checking the query");
    let query = Query::parse(&request.sql)?;

    // 2. What it reads is looked up, and held against the caller's grant before anything is opened. Only then do names
    //    become data. From here on the lease watches: what is taken back stops the run where it stands.
    let pins = Pins::of(request, waiting.as_ref());
    let (found, read) = find_all(domain, &query, &pins).await?;
    let need = read.need();
    if let Some(pin) = &request.product {
        pin.check(&need)?;
    }
    let grant = waiting.as_ref().map_or(&request.grant, |at| &at.grant_id);
    let mut lease = grants::lease(domain, caller, id, grant, need).await?;
    let basis = basis::Draft::of(&request.sql, &request.snapshots, &found)?;
    let charged = usage::basis(domain, &found).await?;
    let sources = open_all(domain, found).await?;

    // 3. Planned and split: everything up to the aggregate inside, the rest outside. The policy is taken once, here: what is
    //    computed for it is judged by it.
    //    The grant may ask for more, and has to name every column that the plan reads.
    let policy = lease
        .layers()?
        .into_iter()
        .chain(request.product.as_ref().map(Pin::layer))
        .fold(
            policies::layers_in_force(domain, &read.datasets()).await?,
            |all, (layer, own)| all.with(layer, own),
        )
        .policy()
        .clone();
    let plan = Plan::new(&query, &sources, Depth::of(&policy))?;
    let columns = plan.columns_read()?;
    lease.covers_columns(&columns)?;

    // 4. Charged, for what is public of what it reads, and what it computes from is on record: whatever comes of it can be made
    //    again. Then computed inside, while the lease holds. Slots bound how many runs hold memory at once; the work has
    //    threads of its own, and ends at its next pause where it is no longer waited for.
    attempt.reads_under(lease.grant());
    let asked = read.asked(&request.digest());
    let asks = Asks::of(domain, &plan, &policy, &charged, asked).await?;
    let cost = charged.cost(&sources, &columns, request.product());
    let basis = basis.complete(&request.run, &policy)?;
    let reserved = lease.begin(&cost, &asks, basis).await?;
    drop(door.take());
    let work = async {
        stage("waiting for a free slot");
        let slot = domain.fair.slot(&caller.organisation).await;
        let slot = slot.ok_or_else(stopping)?;
        stage("computing inside the domain");
        let limits = domain.config.fair_use.limits();
        let turns = domain.fair.turns(&caller.organisation);
        let computation = async move {
            let unreleased = plan.compute_in_turn(limits, Some(Arc::clone(&turns))).await;
            (plan, unreleased, (slot, turns))
        };
        domain.computing.run(computation).await
    };
    let (plan, unreleased, slot) = lease.while_it_holds(work).await?;
    let unreleased = unreleased?;

    // 5. Judged, beside everything that was released before, and recorded there. The verdict can be read by nobody yet. What
    //    people have to look at waits for them, and leaves only where two of them let these very bytes go. A crash from here on
    //    leaves sets in the ledger of a release that nobody saw: later answers are stricter for it. On its slot the run has an
    //    outcome.
    stage("judging each cell at the gate");
    let snapshots = read.snapshots();
    let mut ticket = airlock::ticket(domain, waiting).await?;
    let (opened, read_from, under) = (Arc::clone(domain), snapshots.clone(), policy.clone());
    let run = request.run.clone();
    let (ticket, kept, met) = tokio::task::spawn_blocking(move || {
        let table_key = airlock::table_key(&opened, &read_from)?;
        let key = policies::evidence_key(&opened, &read_from)?;
        let reading = RunRead {
            run: &run,
            snapshots: &read_from,
        };
        let mut kept = None;
        let met = opened.released.judge(
            &reading,
            |past| weir_gate::judge(unreleased, &under, past),
            |verdict| match (
                asks.spent(&verdict, reserved)?,
                ticket.meets(verdict, &table_key, &run),
            ) {
                (bits, Ok(judged)) => {
                    let sealed = judged.sealed_evidence(&key);
                    Ok((judged, (sealed, bits)))
                }
                (bits, Err(waits)) => {
                    kept = Some((waits, bits));
                    Err(airlock::in_review(&run))
                }
            },
        );
        Ok::<_, Fault>((ticket, kept, met))
    })
    .await
    .map_err(|_| panicked())??;
    drop(slot);
    let judged = match kept {
        Some(kept) => Err(kept),
        None => Ok(met?),
    };
    attempt.decides().await?;
    let _at_work = domain.fair.turns(&caller.organisation);
    let (recorded, ledger, (sealed, bits)) = match judged {
        Ok(judged) => judged,
        Err((kept, bits)) => {
            if matches!(kept, Kept::Waits { .. }) {
                lease.settle(bits, false).await?;
            }
            let asked = airlock::Asked {
                caller,
                request,
                need: read.need(),
                snapshots: &snapshots,
                grant: lease.grant(),
                policy: &policy,
            };
            return Err(ticket.keep(domain, asked, kept).await?);
        }
    };
    let passage = ticket.passes(domain).await?;

    // 6. The decision is durable in the log before the released table exists: `release` makes one only from the
    //    recorder's success. A crash before this line leaves a run that never was; after it, an entry whose answer was
    //    not delivered, which a retry with the same id computes and records again.
    stage("writing the decision to the log");
    let mut recorder = ReleaseRecorder {
        domain: Arc::clone(domain),
        caller: caller.clone(),
        run: request.run.clone(),
        request_digest: request.digest(),
        read,
        lease,
        ledger,
        bits,
        is_settled: false,
    };
    let released = tokio::task::spawn_blocking(move || {
        let released = recorded.release(&mut recorder);
        released.map(|released| (released, recorder))
    });
    let ((released, recorded), recorder) = released.await.map_err(|_| panicked())??;

    // 7. Only the released table is left in reach; the rest of the query runs on it.
    stage("finishing outside");
    let answer = finished(&plan, &released, &recorded, &request.run).await;
    let result = match answer {
        Ok(result) => result,
        Err(fault) => {
            // What it did not say is given back all the same: the release is on record.
            if !recorder.is_settled {
                recorder.lease.settle(bits, true).await?;
            }
            return Err(fault);
        }
    };

    // 8. Kept, all at once: what it was judged on, sealed, for replays, the answer, for retries, and how it ended; what it did
    //    not say is given back. If this fails the caller gets an error and asks again.
    let of = (recorded.datasets.as_str(), snapshots.as_slice());
    let evidence = policies::evidence(domain, &request.run, &policy, of, sealed)?;
    let end = attempt.end(true).ok_or_else(panicked)?;
    let charged = recorder.lease.charged();
    let kept = Answered {
        run: &answer_record(domain, caller, request, &recorded, &result)?,
        evidence: &evidence,
        end: &end,
        settled: match recorder.is_settled {
            true => None,
            false => Some((&charged, count(bits)?)),
        },
    };
    domain.registry.answer_run(&kept).await?;
    passage.left(domain).await?;
    Ok(result)
}

/// What is handed out of a released table: the table, and what the rest of the query makes of it.
async fn finished(
    plan: &Plan,
    released: &Released,
    recorded: &Recorded,
    run: &str,
) -> Result<RunResult, Fault> {
    let answer = weir_outside::answer(plan.above(), released).await?;
    Ok(RunResult {
        run_id: run.to_owned(),
        released_arrow_ipc: released.arrow_ipc().to_vec(),
        result_arrow_ipc: weir_outside::arrow_ipc(&answer)?,
        cells_released: recorded.decision.cells_released,
        cells_withheld_at_most: released.cells_withheld_at_most(),
        receipt_json: recorded.receipt.to_json()?,
    })
}

/// The records behind one relation of a query.
pub(crate) struct Found {
    pub(crate) dataset: DatasetRecord,
    pub(crate) snapshot: String,
    pub(crate) snapshot_digest: String,
    pub(crate) model: Option<ModelRecord>,
}

/// What a grant has to cover for a query.
pub(crate) async fn need(domain: &Arc<Domain>, query: &Query) -> Result<Need, Fault> {
    let (_, read) = find_all(domain, query, &Pins::default()).await?;
    Ok(read.need())
}

/// The records behind every relation of a query. Nothing is opened.
async fn find_all(
    domain: &Arc<Domain>,
    query: &Query,
    pins: &Pins,
) -> Result<(Vec<Found>, Read), Fault> {
    let (mut all, mut read) = (Vec::new(), Read::default());
    for reading in query.readings() {
        let mut found = find(domain, reading, &pins.snapshots).await?;
        pins.hold(domain, &mut found).await?;
        read.add(&found)?;
        all.push(found);
    }
    let used: Vec<&str> = all.iter().map(|found| found.snapshot.as_str()).collect();
    snapshots::all_used(&pins.snapshots, &used)?;
    Ok((all, read.in_order()))
}

async fn open_all(domain: &Arc<Domain>, all: Vec<Found>) -> Result<Sources, Fault> {
    let opened = Arc::clone(domain);
    let relations = tokio::task::spawn_blocking(move || {
        let relations = all.into_iter().map(|found| open(&opened, found));
        relations.collect::<Result<_, _>>()
    })
    .await
    .map_err(|_| panicked())?;
    Ok(Sources {
        relations: relations?,
    })
}

pub(crate) async fn find(
    domain: &Domain,
    reading: &Reading,
    pinned: &[String],
) -> Result<Found, Fault> {
    let dataset = domain.registry.dataset(&reading.dataset).await?;
    let dataset = dataset.ok_or_else(|| dataset_unknown(&reading.dataset))?;
    let snapshot = snapshots::choose(&domain.registry, &dataset, pinned).await?;
    let model = match &reading.model {
        Some(name) => Some(approved_model(domain, name).await?),
        None => None,
    };
    Ok(Found {
        dataset,
        snapshot: snapshot.id,
        snapshot_digest: snapshot.digest,
        model,
    })
}

/// Checks the snapshot's files and compiles the model where that was not done yet.
fn open(domain: &Domain, found: Found) -> Result<RelationSource, Fault> {
    let manifest = Manifest::from_toml(&found.dataset.manifest_toml, "the stored manifest")?;
    let table = domain.vault.table(&found.snapshot)?;
    relation(domain, found, &manifest, table)
}

/// What stands behind a relation whose rows are this table's.
pub(crate) fn relation(
    domain: &Domain,
    found: Found,
    manifest: &Manifest,
    table: Table,
) -> Result<RelationSource, Fault> {
    let units = manifest.units().iter().map(|unit| UnitSource {
        identifier: manifest.columns()[unit.column].name.clone(),
        population: unit.population.clone(),
    });
    let rights = manifest.columns().iter().map(|column| ColumnRights {
        name: column.name.clone(),
        read: column.is_readable(),
        group: column.may_group(),
        compare: column.may_compare(),
        is_public: column.role == Role::Public,
        is_sensitive: column.role == Role::Sensitive,
        declared: declared(column),
        bounds: column.number_bounds(),
    });
    let model = match found.model {
        Some(record) => Some(ModelSource {
            model: domain.compile(&record)?,
            name: record.name,
        }),
        None => None,
    };
    Ok(RelationSource {
        table,
        dataset: found.dataset.name,
        units: units.collect(),
        rights: rights.collect(),
        structural: manifest.structural().to_vec(),
        model,
    })
}

/// What the manifest declares of a column's values.
fn declared(column: &Column) -> Declared {
    match &column.content {
        None => Declared::Nothing,
        Some(Content::Bounds { .. }) => Declared::Bounds(column.values_between()),
        Some(Content::Domain(_)) => match column.domain_values() {
            Some(values) => Declared::Values(values),
            None => Declared::Bounds(None),
        },
    }
}

/// The newest approved version of a model.
async fn approved_model(domain: &Domain, name: &str) -> Result<ModelRecord, Fault> {
    let versions = domain.registry.model_versions(name).await?;
    if versions.is_empty() {
        return Err(Fault::caller(
            "MODEL_UNKNOWN",
            format!(
                "there is no model `{name}`. Submit it with `weir model submit FILE --name {name}`"
            ),
        ));
    }
    let newest_ended = versions
        .iter()
        .find(|version| version.state != ModelState::Rejected)
        .is_some_and(|version| version.state == ModelState::Withdrawn);
    let mut versions = versions.into_iter();
    versions.find(|version| version.state == ModelState::Approved).ok_or_else(|| match newest_ended {
        true => models::withdrawn(name),
        false => Fault::policy(
            "MODEL_NOT_APPROVED",
            format!("model `{name}` is not approved. The bureau approves it with `weir model approve {name}`"),
        ),
    })
}

/// Puts a refusal on record and gives it back. That a table waits is none: its own entry says so.
async fn refused(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: &Request,
    fault: Fault,
) -> Result<Fault, Fault> {
    if fault.code == airlock::IN_REVIEW {
        return Ok(fault);
    }
    let event = Event::RunRefused {
        run: request.run.clone(),
        request_digest: request.digest(),
        code: fault.code.to_owned(),
    };
    domain.record.append_async(caller.actor(), event).await?;
    Ok(fault)
}

/// A run id that belongs to somebody else, or to another query.
pub(crate) fn id_taken(run: &str) -> Fault {
    Fault::caller(
        "RUN_ID_TAKEN",
        format!("run id `{run}` belongs to another request. Use a new one, or leave it out"),
    )
}

async fn stored_answer(
    domain: &Domain,
    caller: &Caller,
    request: &Request,
) -> Result<Option<RunResult>, Fault> {
    let Some(stored) = domain.registry.run(&request.run).await? else {
        return Ok(None);
    };
    let same = stored.organisation == caller.organisation
        && (stored.person == caller.person || request.product.is_some())
        && stored.request_digest == request.digest().to_string();
    if !same {
        return Err(id_taken(&request.run));
    }
    if stored.answer.is_empty() {
        return Err(Fault::policy(
            "ANSWER_DESTROYED",
            format!(
                "the answer of run `{}` was kept for its term and then destroyed, as the log says. Ask again under another run \
                 id",
                request.run
            ),
        ));
    }
    RunResult::decode(stored.answer.as_slice())
        .map(Some)
        .map_err(|_| {
            Fault::bug(
                "BUG_STORED_ANSWER",
                "the stored answer of this run cannot be read. Please report this",
            )
        })
}

/// An answer as it is kept for retries.
fn answer_record(
    domain: &Domain,
    caller: &Caller,
    request: &Request,
    recorded: &Recorded,
    result: &RunResult,
) -> Result<RunRecord, Fault> {
    Ok(RunRecord {
        run: request.run.clone(),
        organisation: caller.organisation.clone(),
        person: caller.person.clone(),
        request_digest: request.digest().to_string(),
        dataset: recorded.datasets.clone(),
        cells_released: count(recorded.decision.cells_released)?,
        cells_withheld: count(recorded.decision.cells_withheld)?,
        table_digest: recorded.decision.table_digest.clone(),
        log_index: count(recorded.receipt.index())?,
        finished_at: domain
            .clock
            .now()
            .to_rfc3339_opts(SecondsFormat::Secs, true),
        answer: result.encode_to_vec(),
    })
}
