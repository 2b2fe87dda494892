//! `weir audit trace`: from a release to what it came from, and from anything else to what came of it.

use std::path::Path;

use serde_json::{Value, json};
use weir_audit::{TracedEntry, VerifierKey, trace};
use weir_client::v1::Progress;

use crate::args::Format;
use crate::error::CliError;
use crate::output::Listing;
use crate::progress::Meter;

/// Digests are shown to this length where people read them: enough to tell them apart and to search for.
const DIGEST_CHARS_SHOWN: usize = 19;

pub(super) fn run(
    dir: &Path,
    key: &VerifierKey,
    subject: &str,
    format: Format,
) -> Result<(), CliError> {
    let mut meter = Meter::start();
    let found = trace(dir, key, subject, &mut |done, total| {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        meter.step(&Progress {
            stage: "reading and verifying the log".to_owned(),
            percent: u32::try_from(percent).ok(),
            rows: None,
        });
    });
    meter.finish();
    let found = found?;
    let head = Listing::new(&[
        "log_index",
        "time",
        "event",
        "person",
        "organisation",
        "what",
    ]);
    let mut entries: Vec<_> = found.changes.iter().chain(&found.releases).collect();
    entries.sort_by_key(|traced| traced.index);
    let listing =
        entries.into_iter().try_fold(
            head,
            |listing, traced| Ok(listing.row(row(traced, format)?)),
        );
    listing.and_then(|listing: Listing| listing.print(format))?;
    if found.is_cut {
        eprintln!("There is more than is shown; trace something narrower.");
    }
    Ok(())
}

fn row(traced: &TracedEntry, format: Format) -> Result<Vec<Value>, CliError> {
    let TracedEntry { index, entry, .. } = traced;
    let mut event =
        serde_json::to_value(&entry.event).map_err(|error| CliError::Show(error.to_string()))?;
    let kind = event
        .as_object_mut()
        .and_then(|fields| fields.remove("type"));
    Ok(vec![
        json!(index),
        json!(entry.time),
        kind.unwrap_or_default(),
        json!(entry.actor.person),
        json!(entry.actor.organisation),
        match format {
            Format::Json => event,
            Format::Csv => json!(words(&event, ", ")),
            // A field a line: a table wider than any screen is read by nobody.
            Format::Table => json!(words(&event, "\n")),
        },
    ])
}

/// An event's fields that say something.
fn words(event: &Value, between: &str) -> String {
    let fields = event.as_object().into_iter().flatten();
    let said = fields.filter(|(_, value)| **value != json!("") && **value != json!([]));
    let words: Vec<_> = said
        .map(|(field, value)| format!("{field} {}", words_of(value)))
        .collect();
    words.join(between)
}

fn words_of(value: &Value) -> String {
    let joined = |words: Vec<String>, between| words.join(between);
    match value {
        Value::String(text) if text.starts_with("sha256:") => {
            text.chars().take(DIGEST_CHARS_SHOWN).collect()
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => joined(items.iter().map(words_of).collect(), ", "),
        Value::Object(fields) => joined(fields.values().map(words_of).collect(), " "),
        other => other.to_string(),
    }
}
