//! Where a release came from, and what came of a dataset, a model, a policy or a person: read from the log alone, while
//! every byte of it is verified.
//!
//! Entries are tied together by what they name. The fields are looked at by their names and not by the kinds of event, so
//! that a kind that is added later is traced without being known here.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::entry::Entry;
use crate::error::{AuditError, quoted};
use crate::event::Event;
use crate::key::VerifierKey;
use crate::verify::{Heard, LogReport, verify_dir};

/// The most entries of each kind that a trace holds.
pub const TRACE_ENTRIES_MAX: usize = 100_000;

/// Fields whose text names something.
const NAMING: [&str; 23] = [
    "alert",
    "certificate",
    "change",
    "dataset",
    "digest",
    "domain",
    "feedback",
    "fingerprint",
    "grant",
    "model",
    "name",
    "organisation",
    "person",
    "policy_digest",
    "population",
    "product",
    "replaces",
    "report_digest",
    "run",
    "snapshot",
    "subject",
    "submitted_digest",
    "table_digest",
];

/// Fields that lead from one change to another: what a snapshot, a model or a policy that is traced went through.
const LEADING: [&str; 2] = ["change", "submitted_digest"];

/// An entry and its number in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TracedEntry {
    /// Its number, from 0.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
}

/// What the log says about one thing. All of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// The log it is from.
    pub report: LogReport,
    /// Of a release: everything it came from, and the end of the snapshots it read. Of anything else: what happened to it.
    pub changes: Vec<TracedEntry>,
    /// Of a release: itself. Of anything else: the releases that came of it.
    pub releases: Vec<TracedEntry>,
    /// There was more than [`TRACE_ENTRIES_MAX`] of something.
    pub is_cut: bool,
}

/// Traces what is called `subject` in the log in `dir`: a run or the digest of a released table (back to its origins); a
/// dataset, snapshot, population, model, policy, person or organisation, by name or digest (forward to what came of it).
///
/// # Errors
/// Those of [`verify_log`](crate::verify_log); `AUDIT_NOT_IN_LOG`.
pub fn trace(
    dir: &Path,
    key: &VerifierKey,
    subject: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Trace, AuditError> {
    let mut found = Found::new(subject);
    let mut hear = |index, entry: &Entry| found.hear(index, entry);
    let heard = &mut Heard {
        progress,
        entry: &mut hear,
    };
    let report = verify_dir(dir, key, &[], heard)?;
    let (changes, releases) = found.select();
    if changes.is_empty() && releases.is_empty() {
        return Err(AuditError::NotInLog {
            subject: quoted(subject),
        });
    }
    Ok(Trace {
        report,
        changes,
        releases,
        is_cut: found.is_cut,
    })
}

/// What is kept of a log while it is read. Runs are most of it, and only those that name the subject are kept; all else is
/// kept, because what a release came from is known only when the release is found.
struct Found<'a> {
    subject: &'a str,
    changes: Vec<Mentioning>,
    releases: Vec<Mentioning>,
    is_cut: bool,
}

/// An entry, and what it names.
struct Mentioning {
    traced: TracedEntry,
    /// Field and text.
    names: BTreeSet<(String, String)>,
}

impl Mentioning {
    fn new(index: u64, entry: &Entry) -> Self {
        let mut names = BTreeSet::new();
        // An entry that was read from its JSON has one.
        let json = serde_json::to_value(&entry.event).unwrap_or_default();
        collect("", &json, &mut names);
        Self {
            traced: TracedEntry {
                index,
                entry: entry.clone(),
            },
            names,
        }
    }

    fn names(&self, text: &str) -> bool {
        self.names.iter().any(|(_, name)| name == text)
    }

    fn is_by(&self, text: &str) -> bool {
        let actor = &self.traced.entry.actor;
        actor.person == text || actor.organisation == text
    }
}

/// The names in an event, with the field each is in.
fn collect(field: &str, json: &Value, names: &mut BTreeSet<(String, String)>) {
    match json {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(field, value)| collect(field, value, names)),
        Value::Array(items) => items.iter().for_each(|item| collect(field, item, names)),
        Value::String(text) if NAMING.contains(&field) && !text.is_empty() => {
            names.insert((field.to_owned(), text.clone()));
        }
        _ => {}
    }
}

impl<'a> Found<'a> {
    fn new(subject: &'a str) -> Self {
        Self {
            subject,
            changes: Vec::new(),
            releases: Vec::new(),
            is_cut: false,
        }
    }

    fn hear(&mut self, index: u64, entry: &Entry) {
        let (kept, is_wanted) = match &entry.event {
            // What a run cost leads nowhere.
            Event::RunRefused { .. } | Event::RunCharged { .. } => return,
            Event::ReleaseDecided { .. } => (&mut self.releases, false),
            // As many as there are runs; they say nothing of anything else.
            Event::BasisKept { .. } => (&mut self.changes, false),
            _ => (&mut self.changes, true),
        };
        let mentioning = Mentioning::new(index, entry);
        if !is_wanted && !mentioning.names(self.subject) && !mentioning.is_by(self.subject) {
            return;
        }
        if kept.len() >= TRACE_ENTRIES_MAX {
            self.is_cut = true;
            return;
        }
        kept.push(mentioning);
    }

    /// Changes and releases that belong to the subject.
    fn select(&self) -> (Vec<TracedEntry>, Vec<TracedEntry>) {
        let traced = |found: &Mentioning| found.traced.clone();
        let release = self.releases.iter().find(|release| {
            let is = |field: &str| {
                release
                    .names
                    .contains(&(field.to_owned(), self.subject.to_owned()))
            };
            is("run") || is("table_digest")
        });
        let changes: Vec<_> = match release {
            Some(release) => self.origins(release).into_iter().map(traced).collect(),
            None => {
                let about =
                    |change: &&Mentioning| change.names(self.subject) || change.is_by(self.subject);
                self.changes.iter().filter(about).map(traced).collect()
            }
        };
        (changes, self.releases.iter().map(traced).collect())
    }

    /// What a release came from: the changes before it that name its snapshots, models or policy, those that led to them,
    /// and the identity it was asked with; and after it, the end of what it read.
    fn origins(&self, release: &Mentioning) -> Vec<&Mentioning> {
        const USED: [&str; 3] = ["snapshot", "digest", "policy_digest"];
        let mut used: BTreeSet<&str> = release
            .names
            .iter()
            .filter(|(field, _)| USED.contains(&field.as_str()))
            .map(|(_, text)| text.as_str())
            .collect();
        let index = release.traced.index;
        loop {
            let before = used.len();
            for change in self
                .changes
                .iter()
                .filter(|change| change.traced.index < index)
            {
                if change
                    .names
                    .iter()
                    .any(|(_, text)| used.contains(text.as_str()))
                {
                    let leading = change
                        .names
                        .iter()
                        .filter(|(field, _)| LEADING.contains(&field.as_str()));
                    used.extend(leading.map(|(_, text)| text.as_str()));
                }
            }
            if used.len() == before {
                break;
            }
        }
        let actor = &release.traced.entry.actor;
        let belongs = |change: &&Mentioning| {
            let is_named = change
                .names
                .iter()
                .any(|(_, text)| used.contains(text.as_str()));
            match &change.traced.entry.event {
                Event::SnapshotDestroyed { .. } => is_named,
                _ if change.traced.index > index => false,
                Event::IdentityIssued {
                    person,
                    organisation,
                    ..
                } => *person == actor.person && *organisation == actor.organisation,
                _ => is_named,
            }
        };
        self.changes.iter().filter(belongs).collect()
    }
}
