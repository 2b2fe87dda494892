//! `weir alert`.

use std::path::Path;

use serde_json::{Value, json};
use weir_client::v1::Alert;

use super::connect;
use crate::args::{AlertCommand, Format};
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: AlertCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        AlertCommand::List { all, limit, output } => {
            let alerts = client.list_alerts(!all, limit).await?;
            listed(&alerts).print(output.format)
        }
        AlertCommand::Show { id, output } => show(&client.alert(&id).await?, output.format),
        AlertCommand::Acknowledge { id, note, output } => {
            show(&client.acknowledge_alert(&id, &note).await?, output.format)
        }
    }
}

/// A field a line for people; a row of the listing for programs.
fn show(alert: &Alert, format: Format) -> Result<(), CliError> {
    if format != Format::Table {
        return listed(std::slice::from_ref(alert)).print(format);
    }
    let head = Listing::new(&["field", "value"]);
    let fields = COLUMNS.iter().zip(row(alert));
    let listing = fields.fold(head, |listing, (name, value)| {
        listing.row(vec![json!(name), value])
    });
    listing.print(format)
}

const COLUMNS: [&str; 13] = [
    "id",
    "severity",
    "rule",
    "subject",
    "raised_at",
    "since",
    "measured",
    "limit",
    "log_index",
    "webhook",
    "acknowledged_by",
    "acknowledged_at",
    "note",
];

fn listed(alerts: &[Alert]) -> Listing {
    let head = Listing::new(&COLUMNS);
    alerts
        .iter()
        .fold(head, |listing, alert| listing.row(row(alert)))
}

fn row(alert: &Alert) -> Vec<Value> {
    vec![
        json!(alert.id),
        json!(alert.severity),
        json!(alert.rule),
        json!(alert.subject),
        json!(alert.raised_at),
        json!(alert.since),
        json!(alert.measured),
        json!(alert.limit),
        json!(alert.log_index),
        json!(alert.webhook),
        json!(alert.acknowledged_by),
        json!(alert.acknowledged_at),
        json!(alert.note),
    ]
}
