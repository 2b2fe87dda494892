//! `weir dataset`.

use std::path::Path;

use serde_json::{Value, json};
use weir_client::v1::{
    AssessRiskRequest, Dataset, DestroySnapshotRequest, RegisterDatasetRequest, SnapshotState,
};

use super::{catalogue, connect, read_text};
use crate::args::{DatasetCommand, Format};
use crate::error::CliError;
use crate::output::Listing;
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, command: DatasetCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        DatasetCommand::Register {
            file,
            manifest,
            update,
            output,
        } => {
            let source = file
                .canonicalize()
                .map_err(|error| CliError::file(&file, &error))?;
            let mut meter = Meter::start();
            let request = RegisterDatasetRequest {
                manifest_toml: read_text(&manifest)?,
                manifest_name: manifest.display().to_string(),
                source_path: source.display().to_string(),
                update,
            };
            let registered = client
                .register_dataset(request, |step| meter.step(step))
                .await;
            meter.finish();
            listing(&[registered?]).print(output.format)
        }
        DatasetCommand::Destroy {
            name,
            snapshot,
            reason,
            certificate,
        } => {
            let request = DestroySnapshotRequest {
                dataset: name,
                snapshot,
                reason,
            };
            let destroyed = client.destroy_snapshot(request).await?;
            eprintln!(
                "Snapshot {} of {} is destroyed; the certificate is verified.",
                destroyed.snapshot, destroyed.dataset
            );
            match certificate {
                Some(file) => std::fs::write(&file, &destroyed.certificate_json)
                    .map_err(|error| CliError::file(&file, &error)),
                None => {
                    println!("{}", destroyed.certificate_json);
                    Ok(())
                }
            }
        }
        DatasetCommand::List { format } => catalogue::list(&client, format).await,
        DatasetCommand::Show { name, output } => {
            let dataset = client.dataset(&name).await?;
            if output.format == Format::Table {
                listing(std::slice::from_ref(&dataset)).print(output.format)?;
                snapshots(&dataset).print(output.format)?;
            }
            columns(&dataset).print(output.format)?;
            if output.format == Format::Table {
                catalogue::quality(&client, &name).await?;
            }
            Ok(())
        }
        DatasetCommand::Risk {
            name,
            columns,
            size,
            limit,
            output,
        } => {
            let request = AssessRiskRequest {
                dataset: name,
                columns,
                size,
            };
            catalogue::risk(&client, request, limit, output.format).await
        }
        DatasetCommand::Sample {
            name,
            rows,
            seed,
            format,
            out,
        } => catalogue::sample(&client, name, (rows, seed), format, out.as_deref()).await,
        DatasetCommand::Feedback(command) => catalogue::feedback(&client, command).await,
    }
}

pub(super) fn listing(datasets: &[Dataset]) -> Listing {
    let head = Listing::new(&[
        "name",
        "population",
        "rows",
        "units",
        "rows_without_unit",
        "snapshot",
        "registered_at",
        "description",
    ]);
    datasets.iter().fold(head, |listing, dataset| {
        listing.row(vec![
            json!(dataset.name),
            json!(dataset.population),
            figure(dataset.rows),
            figure(dataset.units),
            figure(dataset.rows_without_unit),
            json!(dataset.snapshot),
            json!(dataset.registered_at),
            json!(dataset.description),
        ])
    })
}

fn snapshots(dataset: &Dataset) -> Listing {
    let head = Listing::new(&[
        "snapshot",
        "state",
        "registered_at",
        "destroyed_at",
        "rows",
        "units",
        "digest",
    ]);
    dataset.snapshots.iter().fold(head, |listing, snapshot| {
        let state = match snapshot.state() {
            SnapshotState::Live => "live",
            SnapshotState::Destroyed => "destroyed",
            SnapshotState::Unspecified => "unknown",
        };
        listing.row(vec![
            json!(snapshot.id),
            json!(state),
            json!(snapshot.registered_at),
            json!(snapshot.destroyed_at),
            figure(snapshot.rows),
            figure(snapshot.units),
            json!(snapshot.digest),
        ])
    })
}

fn columns(dataset: &Dataset) -> Listing {
    let head = Listing::new(&["column", "type", "role", "description"]);
    dataset.columns.iter().fold(head, |listing, column| {
        listing.row(vec![
            json!(column.name),
            json!(column.r#type),
            json!(column.role),
            json!(column.description),
        ])
    })
}

fn figure(figure: Option<u64>) -> Value {
    figure.map_or(Value::Null, Value::from)
}
