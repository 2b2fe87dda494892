//! `DatasetService`.

use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::SecondsFormat;
use tonic::{Request, Response, Status};
use weir_api::v1::dataset_service_server::DatasetService;
use weir_api::v1::register_dataset_response::Step;
use weir_api::v1::{
    self, DestroySnapshotRequest, DestroySnapshotResponse, GetDatasetRequest, ListDatasetsRequest,
    ListDatasetsResponse, Progress, RegisterDatasetRequest, RegisterDatasetResponse, SnapshotState,
};
use weir_audit::Event;
use weir_catalogue::Manifest;
use weir_registry::{DatasetRecord, Role, SnapshotRecord};
use weir_vault::{Progress as Ingested, SnapshotMeta, Source, Stage};

use super::{Answers, Sender, enter, refused, stream};
use crate::access::{Call, Caller};
use crate::domain::Domain;
use crate::fault::{Fault, count, dataset_unknown, panicked, stopping};
use crate::snapshots;

pub(crate) struct Datasets(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl DatasetService for Datasets {
    type RegisterDatasetStream = Answers<RegisterDatasetResponse>;

    async fn register_dataset(
        &self,
        request: Request<RegisterDatasetRequest>,
    ) -> Result<Response<Self::RegisterDatasetStream>, Status> {
        let caller = enter(&self.0, &request, Call::RegisterDataset).await?;
        let (domain, request) = (Arc::clone(&self.0), request.into_inner());
        let (sender, answers) = stream();
        tokio::spawn(async move {
            let steps = sender.clone();
            let work =
                tokio::spawn(async move { register(&domain, &caller, request, steps).await });
            let message = match work.await.unwrap_or_else(|_| Err(panicked())) {
                Ok(dataset) => Ok(RegisterDatasetResponse {
                    step: Some(Step::Registered(dataset)),
                }),
                Err(fault) => Err(refused(Call::RegisterDataset, fault)),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }

    async fn list_datasets(
        &self,
        request: Request<ListDatasetsRequest>,
    ) -> Result<Response<ListDatasetsResponse>, Status> {
        let caller = enter(&self.0, &request, Call::ReadDatasets).await?;
        let records = self.0.registry.datasets().await.map_err(Fault::from)?;
        let datasets = records
            .into_iter()
            .map(|record| to_proto(record, caller.role))
            .collect::<Result<_, _>>()?;
        Ok(Response::new(ListDatasetsResponse { datasets }))
    }

    async fn get_dataset(
        &self,
        request: Request<GetDatasetRequest>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let caller = enter(&self.0, &request, Call::ReadDatasets).await?;
        let name = request.into_inner().name;
        let record = self
            .0
            .registry
            .dataset(&name)
            .await
            .map_err(Fault::from)?
            .ok_or_else(|| dataset_unknown(&name))?;
        let snapshots = self
            .0
            .registry
            .snapshots(&name)
            .await
            .map_err(Fault::from)?;
        let mut dataset = to_proto(record, caller.role)?;
        dataset.snapshots = snapshots
            .into_iter()
            .map(|snapshot| snapshot_to_proto(snapshot, caller.role))
            .collect();
        Ok(Response::new(dataset))
    }

    async fn destroy_snapshot(
        &self,
        request: Request<DestroySnapshotRequest>,
    ) -> Result<Response<DestroySnapshotResponse>, Status> {
        let caller = enter(&self.0, &request, Call::DestroySnapshot).await?;
        let (domain, request) = (Arc::clone(&self.0), request.into_inner());
        // A task of its own: a client that goes away must not leave it half done.
        let work = tokio::spawn(async move { snapshots::destroy(&domain, &caller, request).await });
        let destroyed = work.await.unwrap_or_else(|_| Err(panicked()));
        destroyed
            .map(Response::new)
            .map_err(|fault| refused(Call::DestroySnapshot, fault))
    }
}

async fn register(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: RegisterDatasetRequest,
    steps: Sender<RegisterDatasetResponse>,
) -> Result<v1::Dataset, Fault> {
    let manifest = Manifest::from_toml(&request.manifest_toml, &request.manifest_name)?;
    let name = manifest.name().to_owned();
    let taken = |name| Fault::from(weir_registry::RegistryError::DatasetExists(name));
    let source = domain.file_in_inbox(&request.source_path)?;
    let slot = Arc::clone(&domain.registration_slots)
        .acquire_owned()
        .await
        .map_err(|_| stopping())?;
    // Asked under the slot: registrations come one at a time, so what is found here holds until it is changed below.
    match (domain.registry.dataset(&name).await?, request.update) {
        (None, false) => {}
        (Some(_), false) => return Err(taken(name)),
        (None, true) => return Err(unknown(&name)),
        (Some(newest), true) => {
            let newest = Manifest::from_toml(&newest.manifest_toml, "the stored manifest")?;
            snapshots::check_update(&newest, &manifest)?;
        }
    }
    let (worker, actor, now) = (Arc::clone(domain), caller.actor(), domain.clock.now());
    let meta = tokio::task::spawn_blocking(move || {
        let mut tell = progress_sender(steps);
        let source = Source::file(&source);
        let staged = worker
            .vault
            .ingest(&manifest, &source, now.timestamp_millis(), &mut tell)?;
        // Logged while the snapshot is staged: a crash from here on leaves an entry without a dataset, which the next
        // start clears from the vault; never a dataset without an entry.
        worker.record.append(actor, registered(staged.meta())?)?;
        Ok::<_, Fault>(staged.commit()?)
    })
    .await
    .map_err(|_| panicked())??;
    let record = DatasetRecord {
        name,
        population: meta.population.clone(),
        manifest_toml: request.manifest_toml,
        snapshot: meta.id.clone(),
        digest: meta.digest.clone(),
        rows: count(meta.rows)?,
        units: count(meta.units)?,
        rows_without_unit: count(meta.rows_without_unit)?,
        registered_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        registered_by: caller.signature(),
    };
    if request.update {
        domain.registry.update_dataset(&record).await?;
    } else {
        domain.registry.add_dataset(&record).await?;
    }
    drop(slot);
    to_proto(record, caller.role)
}

fn unknown(name: &str) -> Fault {
    let name: String = name.chars().take(super::NAME_CHARS_MAX).collect();
    Fault::caller(
        "DATASET_UNKNOWN",
        format!("there is no dataset `{name}`. `weir dataset list` shows those there are"),
    )
}

fn registered(meta: &SnapshotMeta) -> Result<Event, Fault> {
    Ok(Event::DatasetRegistered {
        dataset: meta.dataset.clone(),
        snapshot: meta.id.clone(),
        population: meta.population.clone(),
        digest: meta.digest.parse()?,
        rows: meta.rows,
        units: meta.units,
        rows_without_unit: meta.rows_without_unit,
    })
}

/// Sends progress where the client has room for it; a slow client slows nothing.
fn progress_sender(
    steps: Sender<RegisterDatasetResponse>,
) -> impl FnMut(Ingested) -> ControlFlow<()> {
    move |progress| {
        let (stage, done, total, rows) = match progress.stage {
            Stage::Read => (
                "checking and coding",
                progress.bytes_read,
                progress.bytes_total,
                progress.rows_read,
            ),
            Stage::Merge => (
                "sorting by unit",
                0,
                progress.rows_kept,
                progress.rows_merged,
            ),
            Stage::Seal => (
                "sorting by unit and sealing",
                progress.rows_sealed,
                progress.rows_kept,
                progress.rows_sealed,
            ),
        };
        let percent = done
            .saturating_mul(100)
            .checked_div(total)
            .map(|percent| percent.min(100));
        let step = Step::Progress(Progress {
            stage: stage.to_owned(),
            percent: percent.and_then(|percent| u32::try_from(percent).ok()),
            rows: Some(rows),
        });
        drop(steps.try_send(Ok(RegisterDatasetResponse { step: Some(step) })));
        // A registration whose client is gone stops: nobody would hear whether it succeeded.
        if steps.is_closed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

fn to_proto(record: DatasetRecord, role: Role) -> Result<v1::Dataset, Fault> {
    let manifest = Manifest::from_toml(&record.manifest_toml, "the stored manifest")?;
    let exact = matches!(role, Role::Bureau | Role::Auditor);
    let figure = |figure: i64| exact.then(|| figure.unsigned_abs());
    Ok(v1::Dataset {
        description: manifest.description().to_owned(),
        source: manifest.source().to_owned(),
        licence: manifest.licence().to_owned(),
        columns: manifest.columns().iter().map(column).collect(),
        name: record.name,
        population: record.population,
        snapshot: record.snapshot,
        digest: record.digest,
        registered_at: record.registered_at,
        rows: figure(record.rows),
        units: figure(record.units),
        rows_without_unit: figure(record.rows_without_unit),
        snapshots: Vec::new(),
    })
}

fn snapshot_to_proto(record: SnapshotRecord, role: Role) -> v1::Snapshot {
    let exact = matches!(role, Role::Bureau | Role::Auditor);
    let figure = |figure: i64| exact.then(|| figure.unsigned_abs());
    let told = |text: Option<String>| text.filter(|_| exact).unwrap_or_default();
    let state = if record.is_live() {
        SnapshotState::Live
    } else {
        SnapshotState::Destroyed
    };
    v1::Snapshot {
        state: state.into(),
        id: record.id,
        digest: record.digest,
        registered_at: record.registered_at,
        destroyed_at: record.end.destroyed_at.unwrap_or_default(),
        registered_by: told(Some(record.registered_by)),
        destroyed_by: told(record.end.destroyed_by),
        destroy_reason: told(record.end.destroy_reason),
        certificate_json: told(record.end.certificate),
        rows: figure(record.rows),
        units: figure(record.units),
        rows_without_unit: figure(record.rows_without_unit),
    }
}

fn column(column: &weir_catalogue::Column) -> v1::Column {
    v1::Column {
        name: column.name.clone(),
        r#type: column.kind.name().to_owned(),
        role: column.role.name().to_owned(),
        description: column.description.clone(),
    }
}
