//! `weir dataset list --format dcat`, `risk`, `sample`, `feedback`, and the quality that `show` prints.

use std::path::Path;

use serde_json::{Value, json};
use weir_client::v1::{
    AssessRiskRequest, Distinct, Feedback, FeedbackKind, FileFeedbackRequest, Risk,
    RiskCombination, SampleDatasetRequest,
};
use weir_client::{Client, v1};

use super::dataset::listing;
use crate::args::{self, CatalogueFormat, FeedbackCommand, Format};
use crate::error::CliError;
use crate::output::{Listing, print_bytes};
use crate::progress::Meter;

pub(super) async fn list(client: &Client, format: CatalogueFormat) -> Result<(), CliError> {
    let format = match format {
        CatalogueFormat::Table => Format::Table,
        CatalogueFormat::Json => Format::Json,
        CatalogueFormat::Csv => Format::Csv,
        CatalogueFormat::Dcat => {
            let document = client.export_catalogue().await?;
            return print_bytes(format!("{document}\n").as_bytes());
        }
    };
    listing(&client.list_datasets().await?).print(format)
}

/// Prints the quality of a dataset. A snapshot without one has nothing to print.
pub(super) async fn quality(client: &Client, dataset: &str) -> Result<(), CliError> {
    let quality = match client.quality(dataset).await {
        Err(error) if error.code() == "QUALITY_NOT_MEASURED" => return Ok(()),
        quality => quality?,
    };
    if quality.coarse && quality.columns.is_empty() {
        println!("Quality: not shown, the dataset has too few units");
        return Ok(());
    }
    println!(
        "Quality{}",
        if quality.coarse {
            ", in steps of 5 %"
        } else {
            ""
        }
    );
    let head = Listing::new(&[
        "column", "complete", "valid", "unique", "missing", "outside", "distinct",
    ]);
    let columns = quality.columns.iter().fold(head, |listing, column| {
        listing.row(vec![
            json!(column.name),
            json!(percent(column.completeness)),
            optional(column.validity.map(percent)),
            optional(column.uniqueness.map(percent)),
            optional(column.missing),
            optional(column.outside),
            optional(column.distinct.map(distinct)),
        ])
    });
    columns.print(Format::Table)?;
    for rule in &quality.rules {
        println!(
            "Rule: {}: {} of rows keep it",
            rule.description,
            percent(rule.consistency)
        );
    }
    if let (Some(rows), Some(different)) = (quality.rows, quality.distinct_rows) {
        println!("Rows: {rows}, different: {}", distinct(different));
    }
    if let Some(days) = quality.age_days {
        println!("Newest value: {days} days before registration");
    }
    match quality.overdue {
        Some(true) => println!("Updates: {}, the next is overdue", quality.update_frequency),
        Some(false) => println!("Updates: {}", quality.update_frequency),
        None => {}
    }
    Ok(())
}

pub(super) async fn risk(
    client: &Client,
    request: AssessRiskRequest,
    limit: usize,
    format: Format,
) -> Result<(), CliError> {
    let mut meter = Meter::start();
    let risk = client.assess_risk(request, |step| meter.step(step)).await;
    meter.finish();
    let risk = risk?;
    if format == Format::Table
        && let Some(whole) = &risk.whole
    {
        println!(
            "{} units in {} rows. All {} columns together: k = {}, {} of units unique",
            risk.units,
            risk.rows,
            whole.columns.len(),
            whole.k,
            share(whole.unique_units, risk.units),
        );
    }
    combinations(&risk, limit).print(format)?;
    if format == Format::Table {
        println!("With one column coarser");
        coarsened(&risk).print(format)?;
    }
    Ok(())
}

fn combinations(risk: &Risk, limit: usize) -> Listing {
    let head = Listing::new(&[
        "columns",
        "unique_share",
        "unique_units",
        "minimal_units",
        "k",
    ]);
    let row = |listing: Listing, found: &RiskCombination| {
        listing.row(vec![
            json!(found.columns.join(", ")),
            json!(share(found.unique_units, risk.units)),
            json!(found.unique_units),
            optional(found.minimal_units),
            json!(found.k),
        ])
    };
    risk.combinations.iter().take(limit).fold(head, row)
}

fn coarsened(risk: &Risk) -> Listing {
    let head = Listing::new(&[
        "columns",
        "column",
        "made",
        "unique_share",
        "unique_units",
        "k",
    ]);
    risk.coarsened.iter().fold(head, |listing, found| {
        listing.row(vec![
            json!(found.columns.join(", ")),
            json!(found.column),
            json!(found.how),
            json!(share(found.unique_units, risk.units)),
            json!(found.unique_units),
            json!(found.k),
        ])
    })
}

pub(super) async fn sample(
    client: &Client,
    dataset: String,
    (rows, seed): (u64, u64),
    format: args::SampleFormat,
    out: Option<&Path>,
) -> Result<(), CliError> {
    let format = match format {
        args::SampleFormat::Csv => v1::SampleFormat::Csv,
        args::SampleFormat::Parquet => v1::SampleFormat::Parquet,
    };
    let request = SampleDatasetRequest {
        dataset,
        rows,
        seed,
        format: format.into(),
    };
    let content = client.sample_dataset(request).await?;
    match out {
        Some(file) => std::fs::write(file, content).map_err(|error| CliError::file(file, &error)),
        None => print_bytes(&content),
    }
}

pub(super) async fn feedback(client: &Client, command: FeedbackCommand) -> Result<(), CliError> {
    let (feedback, output) = match command {
        FeedbackCommand::File {
            dataset,
            text,
            kind,
            output,
        } => {
            let kind = match kind {
                args::FeedbackKind::Quality => FeedbackKind::Quality,
                args::FeedbackKind::Objection => FeedbackKind::Objection,
            };
            let request = FileFeedbackRequest {
                dataset,
                kind: kind.into(),
                text,
            };
            (vec![client.file_feedback(request).await?], output)
        }
        FeedbackCommand::List { dataset, output } => {
            let dataset = dataset.unwrap_or_default();
            (client.list_feedback(&dataset).await?, output)
        }
        FeedbackCommand::Answer { id, answer, output } => {
            (vec![client.answer_feedback(&id, &answer).await?], output)
        }
    };
    said(&feedback).print(output.format)
}

fn said(feedback: &[Feedback]) -> Listing {
    let head = Listing::new(&[
        "id",
        "dataset",
        "kind",
        "text",
        "filed_by",
        "filed_at",
        "answer",
        "answered_by",
    ]);
    feedback.iter().fold(head, |listing, feedback| {
        let kind = match feedback.kind() {
            FeedbackKind::Objection => "objection",
            FeedbackKind::Quality | FeedbackKind::Unspecified => "quality",
        };
        listing.row(vec![
            json!(feedback.id),
            json!(feedback.dataset),
            json!(kind),
            json!(feedback.text),
            json!(feedback.filed_by),
            json!(feedback.filed_at),
            optional(feedback.answer.clone()),
            optional(feedback.answered_by.clone()),
        ])
    })
}

fn optional<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, Into::into)
}

/// A share of 1 in percent, to a tenth, never rounded up to all.
fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", part as f64 / whole as f64 * 100.0)
}

fn distinct(distinct: Distinct) -> String {
    let about = if distinct.exact { "" } else { "about " };
    format!("{about}{}", distinct.count)
}
