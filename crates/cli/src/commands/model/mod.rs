//! `weir model`.

mod check;
mod data;
mod explain;
mod local;
mod scaffold;

use std::path::Path;

use serde_json::{Value, json};
use weir_client::Client;
use weir_client::v1::{Model, ModelState, Progress};
use weir_model::Report;

use super::connect;
use crate::args::{Format, ModelCommand};
use crate::error::CliError;
use crate::output::{Listing, print};
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, command: ModelCommand) -> Result<(), CliError> {
    match command {
        ModelCommand::New { lang, name, dir } => scaffold::make(lang, &name, dir),
        ModelCommand::Check(args) => check::check(identity, &args).await,
        ModelCommand::Pack { file, wit, out } => local::pack(&file, wit.as_deref(), out),
        command => remote(&connect(identity).await?, command).await,
    }
}

/// Commands that need the domain.
async fn remote(client: &Client, command: ModelCommand) -> Result<(), CliError> {
    match command {
        ModelCommand::New { .. } | ModelCommand::Check(_) | ModelCommand::Pack { .. } => Ok(()),
        ModelCommand::Submit {
            file,
            wit,
            name,
            output,
        } => {
            let name = name.unwrap_or_else(|| name_of(&file));
            let mut meter = Meter::start();
            let progress = |step: &Progress| meter.step(step);
            let submitted = match wit {
                Some(wit) => {
                    let module = local::read(&file, Some(&wit))?;
                    client.submit_model_with(&name, module, progress).await
                }
                None => client.submit_model_file(&name, &file, progress).await,
            };
            meter.finish();
            let model = submitted?;
            listing(std::slice::from_ref(&model)).print(output.format)?;
            if output.format == Format::Table && model.state() == ModelState::Submitted {
                println!("Vetting says {}: weir model show {name}", model.verdict);
                println!(
                    "The bureau approves it with: weir model approve {name} --digest {}",
                    model.digest
                );
            }
            Ok(())
        }
        ModelCommand::List { output } => listing(&client.list_models().await?).print(output.format),
        ModelCommand::Show {
            name,
            digest,
            wat,
            output,
        } => show(client, &name, &digest, wat, output.format).await,
        ModelCommand::Approve {
            name,
            digest,
            report,
            output,
        } => {
            let newest = client.model(&name, &digest).await?;
            let report = match report.is_empty() {
                true => newest.report_digest,
                false => report,
            };
            let approved = client
                .approve_reviewed_model(&name, &newest.digest, &report)
                .await?;
            if approved.approvals_needed > 0 {
                eprintln!(
                    "Approved by {} of {}: {}. It runs once the others of other organisations have.",
                    approved.approvals.len(),
                    approved.approvals_needed,
                    approved.approvals.join(", ")
                );
            }
            listing(&[approved]).print(output.format)
        }
        ModelCommand::Reject(args) => {
            let ended = client.reject_model(&args.name, &args.digest, &args.reason);
            listing(&[ended.await?]).print(args.output.format)
        }
        ModelCommand::Withdraw(args) => {
            let ended = client.withdraw_model(&args.name, &args.digest, &args.reason);
            listing(&[ended.await?]).print(args.output.format)
        }
    }
}

/// The model with its signature and report; as JSON, the report alone is added.
async fn show(
    client: &Client,
    name: &str,
    digest: &str,
    wat: bool,
    format: Format,
) -> Result<(), CliError> {
    let model = client.model(name, digest).await?;
    let report = client.model_report(name, &model.digest, wat).await?;
    if wat {
        return print(&report.wat);
    }
    match format {
        Format::Json => {
            let stored: Value = serde_json::from_str(&report.report_json).unwrap_or(Value::Null);
            listing_with_report(&model, stored).print(format)
        }
        Format::Csv => listing(std::slice::from_ref(&model)).print(format),
        Format::Table => {
            listing(std::slice::from_ref(&model)).print(format)?;
            if !model.end_reason.is_empty() {
                let (state, by) = (state(model.state()), &model.ended_by);
                print(&format!(
                    "{state} by {by}, {}: {}\n\n",
                    model.ended_at, model.end_reason
                ))?;
            }
            print(&format!("{}\n\n", model.signature))?;
            match Report::from_json(&report.report_json) {
                Ok(parsed) => {
                    print(&parsed.to_string())?;
                    print(&format!("report     {}\n", report.report_digest))
                }
                Err(_) if report.report_json.is_empty() => {
                    print("no report: the model was submitted before there was vetting\n")
                }
                Err(_) => print(&format!("{}\n", report.report_json)),
            }
        }
    }
}

fn listing_with_report(model: &Model, report: Value) -> Listing {
    Listing::new(&[
        "name",
        "state",
        "digest",
        "submitted_digest",
        "signature",
        "report_digest",
        "report",
    ])
    .row(vec![
        json!(model.name),
        json!(state(model.state())),
        json!(model.digest),
        json!(model.submitted_digest),
        json!(model.signature),
        json!(model.report_digest),
        report,
    ])
}

/// `path/to/my-model.wasm` becomes `my_model`.
fn name_of(file: &Path) -> String {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_default().to_lowercase().replace('-', "_")
}

fn listing(models: &[Model]) -> Listing {
    let head = Listing::new(&[
        "name",
        "state",
        "verdict",
        "digest",
        "size_bytes",
        "submitted_by",
        "organisation",
        "submitted_at",
        "approved_by",
    ]);
    models.iter().fold(head, |listing, model| {
        listing.row(vec![
            json!(model.name),
            json!(state(model.state())),
            json!(model.verdict),
            json!(model.digest),
            json!(model.size_bytes),
            json!(model.submitted_by),
            json!(model.organisation),
            json!(model.submitted_at),
            json!(model.approved_by),
        ])
    })
}

pub(crate) const fn state(state: ModelState) -> &'static str {
    match state {
        ModelState::Approved => "approved",
        ModelState::Submitted => "submitted",
        ModelState::Rejected => "rejected",
        ModelState::Withdrawn => "withdrawn",
        ModelState::Unspecified => "unknown",
    }
}
