//! `CatalogueService`.

mod feedback;
mod quality;
mod risk;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::assess_risk_response::Step;
use weir_api::v1::catalogue_service_server::CatalogueService;
use weir_api::v1::{
    self, AnswerFeedbackRequest, AssessRiskRequest, AssessRiskResponse, ExportCatalogueRequest,
    ExportCatalogueResponse, FileFeedbackRequest, GetQualityRequest, ListFeedbackRequest,
    ListFeedbackResponse, SampleDatasetRequest, SampleDatasetResponse, SampleFormat,
};
use weir_catalogue::{Manifest, dcat, sample};
use weir_registry::DatasetRecord;

use super::{Answers, NAME_CHARS_MAX, enter, refused, stream};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};

pub(crate) struct Catalogue(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl CatalogueService for Catalogue {
    async fn get_quality(
        &self,
        request: Request<GetQualityRequest>,
    ) -> Result<Response<v1::Quality>, Status> {
        let caller = enter(&self.0, &request, Call::ReadDatasets).await?;
        let quality = quality::get(&self.0, &caller, &request.into_inner().dataset).await;
        answer(Call::ReadDatasets, quality)
    }

    type AssessRiskStream = Answers<AssessRiskResponse>;

    async fn assess_risk(
        &self,
        request: Request<AssessRiskRequest>,
    ) -> Result<Response<Self::AssessRiskStream>, Status> {
        let caller = enter(&self.0, &request, Call::AssessRisk).await?;
        let (domain, request) = (Arc::clone(&self.0), request.into_inner());
        let (sender, answers) = stream();
        tokio::spawn(async move {
            let steps = sender.clone();
            let work =
                tokio::spawn(async move { risk::assess(&domain, &caller, request, steps).await });
            let message = match work.await.unwrap_or_else(|_| Err(panicked())) {
                Ok(risk) => Ok(AssessRiskResponse {
                    step: Some(Step::Risk(risk)),
                }),
                Err(fault) => Err(refused(Call::AssessRisk, fault)),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }

    async fn sample_dataset(
        &self,
        request: Request<SampleDatasetRequest>,
    ) -> Result<Response<SampleDatasetResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::SampleDataset).await?;
        let sample = draw(&self.0, request.into_inner()).await;
        answer(Call::SampleDataset, sample)
    }

    async fn export_catalogue(
        &self,
        request: Request<ExportCatalogueRequest>,
    ) -> Result<Response<ExportCatalogueResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::ReadDatasets).await?;
        answer(Call::ReadDatasets, export(&self.0).await)
    }

    async fn file_feedback(
        &self,
        request: Request<FileFeedbackRequest>,
    ) -> Result<Response<v1::Feedback>, Status> {
        let caller = enter(&self.0, &request, Call::FileFeedback).await?;
        let filed = feedback::file(&self.0, &caller, request.into_inner()).await;
        answer(Call::FileFeedback, filed)
    }

    async fn list_feedback(
        &self,
        request: Request<ListFeedbackRequest>,
    ) -> Result<Response<ListFeedbackResponse>, Status> {
        let caller = enter(&self.0, &request, Call::ReadFeedback).await?;
        let listed = feedback::list(&self.0, &caller, &request.into_inner().dataset).await;
        answer(Call::ReadFeedback, listed)
    }

    async fn answer_feedback(
        &self,
        request: Request<AnswerFeedbackRequest>,
    ) -> Result<Response<v1::Feedback>, Status> {
        let caller = enter(&self.0, &request, Call::AnswerFeedback).await?;
        let answered = feedback::answer(&self.0, &caller, request.into_inner()).await;
        answer(Call::AnswerFeedback, answered)
    }
}

fn answer<T>(call: Call, outcome: Result<T, Fault>) -> Result<Response<T>, Status> {
    outcome
        .map(Response::new)
        .map_err(|fault| refused(call, fault))
}

/// The record and the manifest of a dataset.
async fn dataset(domain: &Domain, name: &str) -> Result<(DatasetRecord, Manifest), Fault> {
    let record = domain.registry.dataset(name).await?.ok_or_else(|| {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        Fault::caller(
            "DATASET_UNKNOWN",
            format!("there is no dataset `{name}`. `weir dataset list` shows those there are"),
        )
    })?;
    let manifest = Manifest::from_toml(&record.manifest_toml, "the stored manifest")?;
    Ok((record, manifest))
}

/// Reads the registry's manifest and nothing else: a sample cannot hold what it was not made from.
async fn draw(
    domain: &Domain,
    request: SampleDatasetRequest,
) -> Result<SampleDatasetResponse, Fault> {
    let (_, manifest) = dataset(domain, &request.dataset).await?;
    let format = match request.format() {
        SampleFormat::Parquet => sample::Format::Parquet,
        SampleFormat::Csv | SampleFormat::Unspecified => sample::Format::Csv,
    };
    let content = tokio::task::spawn_blocking(move || {
        let rows = sample::draw(&manifest, request.rows, request.seed)?;
        Ok::<_, Fault>(format.encode(&rows)?)
    })
    .await
    .map_err(|_| panicked())??;
    Ok(SampleDatasetResponse { content })
}

async fn export(domain: &Domain) -> Result<ExportCatalogueResponse, Fault> {
    let records = domain.registry.datasets().await?;
    let manifests = records
        .iter()
        .map(|record| Manifest::from_toml(&record.manifest_toml, "the stored manifest"))
        .collect::<Result<Vec<_>, _>>()?;
    let entries: Vec<_> = records
        .iter()
        .zip(&manifests)
        .map(|(record, manifest)| dcat::Entry {
            manifest,
            snapshot: &record.snapshot,
            digest: &record.digest,
            registered_at: &record.registered_at,
        })
        .collect();
    let name = &domain.config.name;
    Ok(ExportCatalogueResponse {
        dcat_json_ld: dcat::export(name, name, &entries)?,
    })
}
