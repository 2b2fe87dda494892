//! `weir model check`: everything that happens at submission, on one's own machine, and why rows fail.
//!
//! Rows are synthetic or the author's own. Here, and nowhere else, is a failed row explained.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use weir_catalogue::{Manifest, Role};
use weir_model::danger::Tracer;
use weir_model::{DatasetView, Grain, Limits, Report, Runtime, Severity, VetLimits, Vetting};

use super::{data, explain, local};
use crate::args::{CheckArgs, Format};
use crate::commands::connect;
use crate::error::CliError;
use crate::output::print;
use weir_client::v1::{SampleDatasetRequest, SampleFormat};

/// Seed of what vetting takes from manifests: as the server's, so that the report is the same.
const SEED: u64 = 0;

/// Checks a model.
pub(super) async fn check(identity: Option<&Path>, args: &CheckArgs) -> Result<(), CliError> {
    let limits = Limits::default();
    let bytes = local::read(&args.file, args.wit.as_deref())?;
    let received = weir_model::receive(&bytes, &limits)?;
    let model = Runtime::new(&limits)?.compile(&received.admitted)?;
    let datasets = views(&args.manifest)?;
    let vet = VetLimits::default();
    let vetting = Vetting {
        admitted: &received.admitted,
        model: &model,
        submitted_digest: &received.submitted_digest,
        datasets: &datasets,
        limits: &vet,
    };
    let report = vetting.report(&mut |_| {})?;
    let json = report.to_json();
    if args.format == Format::Json {
        print(&format!("{json}\n"))?;
        return verdict(&report);
    }
    print(&format!("{}\n\n", received.admitted.signature()))?;
    print(&report.to_string())?;
    print(&format!("report     sha256:{}\n", Report::digest_of(&json)))?;
    let given = match (&args.data, &args.sample, args.manifest.first()) {
        (Some(file), _, _) => Given {
            source: "of the file",
            rows: data::read(file, &model, args.rows)?,
            file: file.clone(),
            unit: None,
        },
        (None, Some(dataset), _) => sample(identity, dataset, args).await?,
        (None, None, Some(manifest)) => made(manifest, args)?,
        (None, None, None) => Given {
            source: "synthetic",
            rows: synthetic(&vetting, args.rows)?,
            file: args.file.clone(),
            unit: None,
        },
    };
    let columns = data::bound(&given.rows, &given.file, &model)?;
    let unit = args.unit.as_deref().or(given.unit.as_deref());
    let units = match model.signature().grain() {
        Grain::Row => (0..given.rows.num_rows()).map(|row| row..row + 1).collect(),
        Grain::Unit => data::units(&given.rows, unit, &given.file)?,
    };
    let traces = Tracer::new(&received.admitted, &limits)?.trace_units(&columns, units.clone())?;
    explain::explain(given.source, &model, &columns, &units, &traces)?;
    verdict(&report)
}

/// Rows to run, and where they come from.
struct Given {
    source: &'static str,
    rows: RecordBatch,
    /// What they come from, for messages.
    file: PathBuf,
    /// The column that says which rows are of one unit, where that is known.
    unit: Option<String>,
}

/// Rows made from a manifest.
fn made(manifest: &Path, args: &CheckArgs) -> Result<Given, CliError> {
    let read = read_manifest(manifest)?;
    Ok(Given {
        source: "made from the manifest",
        rows: weir_catalogue::sample::draw(&read, args.rows as u64, args.seed)?,
        file: manifest.to_owned(),
        unit: Some(read.unit().name.clone()),
    })
}

/// Rows made from the signature.
fn synthetic(vetting: &Vetting<'_>, rows: usize) -> Result<RecordBatch, CliError> {
    let schema = weir_model::danger::schema_of(vetting.admitted.signature());
    let columns = vetting.synthetic_rows(rows)?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
        .map_err(|error| CliError::Show(error.to_string()))
}

/// A sample of a dataset, as the server draws it from the manifest.
async fn sample(
    identity: Option<&Path>,
    dataset: &str,
    args: &CheckArgs,
) -> Result<Given, CliError> {
    let client = connect(identity).await?;
    let columns = client.dataset(dataset).await?.columns;
    let unit = columns
        .into_iter()
        .find(|column| column.role == Role::Identifier.name());
    let request = SampleDatasetRequest {
        dataset: dataset.to_owned(),
        rows: args.rows as u64,
        seed: args.seed,
        format: SampleFormat::Parquet.into(),
    };
    let bytes = client.sample_dataset(request).await?;
    Ok(Given {
        source: "of the sample",
        rows: data::parquet(bytes, dataset, args.rows)?,
        file: dataset.into(),
        unit: unit.map(|column| column.name),
    })
}

fn read_manifest(file: &Path) -> Result<Manifest, CliError> {
    let text = crate::commands::read_text(file)?;
    Ok(Manifest::from_toml(&text, &file.display().to_string())?)
}

fn verdict(report: &Report) -> Result<(), CliError> {
    let mut findings = report.findings.iter();
    match findings.find(|finding| finding.severity == Severity::Refuse) {
        Some(finding) => Err(CliError::Refused {
            code: finding.code.clone(),
            message: finding.message.clone(),
        }),
        None => Ok(()),
    }
}

/// The datasets that manifests describe.
fn views(manifests: &[PathBuf]) -> Result<Vec<DatasetView>, CliError> {
    let manifests = manifests.iter();
    manifests
        .map(|file| {
            let manifest = read_manifest(file)?;
            let columns = manifest.columns().iter();
            let stored = columns.filter(|column| column.role != Role::Identifier);
            let columns = stored.map(|column| {
                let (ty, role) = (column.kind.data_type(), column.role.name().to_owned());
                (column.name.clone(), ty, role)
            });
            let sample = weir_catalogue::sample::draw(&manifest, DatasetView::SAMPLE_ROWS, SEED)?;
            Ok(DatasetView::new(manifest.name(), columns).with_sample(sample))
        })
        .collect()
}
