//! Vetting of a submitted model: off the threads that serve, one at a time.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use weir_audit::{Digest, Event};
use weir_catalogue::{Manifest, Role as ColumnRole};
use weir_model::{DatasetView, Limits, Model, Received, Report, Severity, VetLimits, Vetting};
use weir_registry::{DatasetRecord, ModelVetting};

use crate::domain::Domain;
use crate::fault::{Family, Fault, panicked, stopping};

/// Datasets whose manifests synthetic values are made from.
const SAMPLES_MAX: usize = 8;
/// Seed of these, fixed: the same model and manifests give the same report. `weir model check` has the same.
const SEED: u64 = 0;

/// A model that was taken in and vetted.
pub(crate) struct Vetted {
    pub(crate) received: Received,
    pub(crate) digest: Digest,
    pub(crate) submitted: Digest,
    pub(crate) report: Report,
    json: String,
    report_digest: Digest,
}

impl Vetted {
    /// Takes in and vets the bytes that were submitted. Waits for its turn; takes some seconds. `tell` hears each stage.
    pub(crate) async fn of(
        (domain, organisation): (&Arc<Domain>, &str),
        bytes: Vec<u8>,
        mut tell: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, Fault> {
        let datasets = manifests(&domain.registry.datasets().await?)?;
        tell("waiting for its turn");
        let turn = domain.fair.vetting(organisation).await;
        let turn = turn.ok_or_else(stopping)?;
        let (domain, turns) = (Arc::clone(domain), domain.fair.turns(organisation));
        let handle = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // Between its stages it gives way, as a run does between batches.
            let mut since = Instant::now();
            let mut tell = |stage: &str| {
                tell(stage);
                handle.block_on(turns.next(since.elapsed()));
                since = Instant::now();
            };
            vet(&domain, &bytes, &datasets, &mut tell)
        })
        .await
        .map_err(|_| panicked())?
    }

    /// The fact for the log.
    pub(crate) fn event(&self, model: &str) -> Event {
        Event::ModelVetted {
            model: model.to_owned(),
            digest: self.digest,
            submitted_digest: self.submitted,
            report_digest: self.report_digest,
            verdict: self.report.verdict().as_str().to_owned(),
        }
    }

    /// What the registry keeps.
    pub(crate) fn record(&self) -> ModelVetting {
        ModelVetting {
            submitted_digest: self.submitted.to_string(),
            report: self.json.clone(),
            report_digest: self.report_digest.to_string(),
        }
    }

    /// The refusal, where a finding refuses the model.
    pub(crate) fn refusal(&self) -> Option<Fault> {
        let mut findings = self.report.findings.iter();
        let worst = findings.find(|finding| finding.severity == Severity::Refuse)?;
        let message = format!(
            "vetting refuses the model: {} ({}). `weir model check FILE` makes the same report; the log holds the digest of \
             this one, {}",
            worst.message, worst.code, self.report_digest
        );
        Some(Fault::new(Family::Model, "MODEL_REFUSED", message))
    }
}

fn vet(
    domain: &Domain,
    bytes: &[u8],
    manifests: &[Manifest],
    tell: &mut dyn FnMut(&str),
) -> Result<Vetted, Fault> {
    tell("reading the bytes");
    let received = weir_model::receive(bytes, &Limits::default())?;
    tell("compiling");
    let model = domain.runtime.compile(&received.admitted)?;
    let datasets = &views(manifests, &model)?;
    let report = Vetting {
        admitted: &received.admitted,
        model: &model,
        submitted_digest: &received.submitted_digest,
        datasets,
        limits: &VetLimits::default(),
    }
    .report(tell)?;
    let json = report.to_json();
    Ok(Vetted {
        digest: Digest::of(received.admitted.bytes()),
        submitted: Digest::of(bytes),
        report_digest: Digest::of(json.as_bytes()),
        received,
        report,
        json,
    })
}

fn manifests(datasets: &[DatasetRecord]) -> Result<Vec<Manifest>, Fault> {
    let manifests = datasets
        .iter()
        .map(|dataset| Manifest::from_toml(&dataset.manifest_toml, "the stored manifest"));
    Ok(manifests.collect::<Result<_, _>>()?)
}

/// The datasets of the domain as models see them: identifiers are not there. Of those that the model fits, the first get
/// rows made from their manifests.
fn views(manifests: &[Manifest], model: &Model) -> Result<Vec<DatasetView>, Fault> {
    let mut sampled = 0;
    let manifests = manifests.iter();
    manifests
        .map(|manifest| {
            let stored = manifest.columns().iter();
            let stored = stored.filter(|column| column.role != ColumnRole::Identifier);
            let columns = stored.map(|column| {
                let (ty, role) = (column.kind.data_type(), column.role.name().to_owned());
                (column.name.clone(), ty, role)
            });
            let view = DatasetView::new(manifest.name(), columns);
            if sampled == SAMPLES_MAX || !view.fits(model) {
                return Ok(view);
            }
            sampled += 1;
            let sample = weir_catalogue::sample::draw(manifest, DatasetView::SAMPLE_ROWS, SEED)?;
            Ok(view.with_sample(sample))
        })
        .collect()
}
