//! `weir model check`: everything that happens at submission, on one's own machine, and why rows fail.
//!
//! Rows are synthetic or the author's own. Here, and nowhere else, is a failed row explained.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::ArrayRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_catalogue::{Manifest, Role};
use weir_model::danger::{RowTrace, Tracer};
use weir_model::{
    DatasetView, Limits, Model, Received, Report, Runtime, Severity, VetLimits, Vetting,
};

use super::{data, local};
use crate::args::{CheckArgs, Format};
use crate::commands::connect;
use crate::error::CliError;
use crate::output::print;
use weir_client::v1::{SampleDatasetRequest, SampleFormat};

/// Failed rows explained for each reason.
const EXAMPLES_PER_REASON: usize = 2;
/// Reasons told apart.
const REASONS_MAX: usize = 12;

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
    let (source, columns) = match (&args.data, &args.sample, args.manifest.first()) {
        (Some(file), _, _) => ("of the file", data::read(file, &model, args.rows)?),
        (None, Some(dataset), _) => {
            let sample = sample(identity, dataset, args).await?;
            (
                "of the sample",
                data::parquet(sample, dataset, &model, args.rows)?,
            )
        }
        (None, None, Some(manifest)) => {
            let rows = weir_catalogue::sample::draw(
                &read_manifest(manifest)?,
                args.rows as u64,
                args.seed,
            )?;
            (
                "made from the manifest",
                data::bound(&rows, manifest, &model)?,
            )
        }
        (None, None, None) => ("synthetic", vetting.synthetic_rows(args.rows)?),
    };
    explain(source, &received, &model, &limits, &columns)?;
    verdict(&report)
}

/// A sample of a dataset, as the server draws it from the manifest.
async fn sample(
    identity: Option<&Path>,
    dataset: &str,
    args: &CheckArgs,
) -> Result<Vec<u8>, CliError> {
    let request = SampleDatasetRequest {
        dataset: dataset.to_owned(),
        rows: args.rows as u64,
        seed: args.seed,
        format: SampleFormat::Parquet.into(),
    };
    Ok(connect(identity).await?.sample_dataset(request).await?)
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
            Ok(DatasetView::new(manifest.name(), columns))
        })
        .collect()
}

/// Runs rows one by one and says of those that fail why, of each reason a few.
fn explain(
    source: &str,
    received: &Received,
    model: &Model,
    limits: &Limits,
    columns: &[ArrayRef],
) -> Result<(), CliError> {
    let rows = columns.first().map_or(0, |column| column.len());
    let traces = Tracer::new(&received.admitted, limits)?.trace(columns, 0..rows)?;
    let failed = traces
        .iter()
        .filter(|trace| trace.failure.is_some())
        .count();
    print(&format!(
        "\n{rows} rows {source}: {} answered, {failed} failed\n",
        rows - failed
    ))?;
    let mut reasons: BTreeMap<&str, Vec<(usize, &RowTrace)>> = BTreeMap::new();
    for (row, trace) in traces.iter().enumerate() {
        if let Some(failure) = &trace.failure {
            reasons
                .entry(&failure.reason)
                .or_default()
                .push((row, trace));
        }
    }
    for (reason, rows) in reasons.iter().take(REASONS_MAX) {
        print(&format!("\n  {} rows: {reason}\n", rows.len()))?;
        for (row, trace) in rows.iter().take(EXAMPLES_PER_REASON) {
            print(&example(model, columns, *row, trace)?)?;
        }
    }
    Ok(())
}

/// One failed row: its inputs, its fuel, and the functions that were at work.
fn example(
    model: &Model,
    columns: &[ArrayRef],
    row: usize,
    trace: &RowTrace,
) -> Result<String, CliError> {
    let show = |error: arrow::error::ArrowError| CliError::Show(error.to_string());
    let options = FormatOptions::default().with_null("null");
    let mut inputs = Vec::new();
    for (input, column) in model.signature().inputs.iter().zip(columns) {
        let formatter = ArrayFormatter::try_new(column, &options).map_err(show)?;
        let value: String = formatter.value(row).to_string().chars().take(60).collect();
        inputs.push(format!("{} = {value:?}", input.column).replace('"', ""));
    }
    let mut text = format!(
        "    row {row}: {} ({} units of fuel)\n",
        inputs.join(", "),
        trace.fuel
    );
    let frames = trace.failure.iter().flat_map(|failure| &failure.frames);
    for frame in frames {
        text += &format!("      in {frame}\n");
    }
    Ok(text)
}
