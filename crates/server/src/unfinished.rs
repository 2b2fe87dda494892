//! Entries that say what did not happen.
//!
//! Everything is in the log before it takes effect, so a crash, or a disk that fails in between, leaves an entry whose effect
//! never came. Nobody is misled for long: each such entry is followed by another one, `entry_without_effect`, that names it.
//! What the log says was destroyed is destroyed then; a run that began to read and has no outcome is named too.
//!
//! Where the effect of an entry has to be is a table (`claim`), and looking there is all that happens: nothing is remembered
//! but up to where everything was found (`Fact::SettledTo`). At a start whatever has no effect has none coming. While the
//! domain is served an entry may be about to take effect, so it is left alone for an hour; what fails within a process waits
//! that long, or for the next start. Of several entries about one thing the last one is looked at: it says what should be.

mod claim;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinHandle;
use weir_audit::{Entry, Event};
use weir_registry::{Fact, Registry};

use crate::authority::Authority;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants::server;
use crate::record::Record;
use crate::sealing;
use crate::signing::Signing;
use claim::Claim;

/// Entries read at once, while nobody appends.
const READ_MAX: u64 = 256;

/// How often entries are looked at while the domain is served.
const EVERY: Duration = Duration::from_secs(30);

/// After how long an entry of a domain that is served has no effect coming.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// What a claim is held against.
pub(crate) struct Held<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) signing: &'a Signing,
    pub(crate) authority: &'a Authority,
}

/// Entries whose effect was not found yet.
#[derive(Default)]
pub(crate) struct Unfinished {
    /// By what they are about.
    claims: BTreeMap<String, Claimed>,
    /// Up to where entries were read.
    read_to: u64,
}

struct Claimed {
    entry: u64,
    at: DateTime<Utc>,
    claim: Claim,
}

impl Unfinished {
    /// Takes up what an entry claims.
    fn read(&mut self, index: u64, entry: &Entry) {
        if let Some(about) = claim::answers(&entry.event) {
            self.claims.remove(&about);
        }
        if let Some((about, claim)) = claim::of(index, entry) {
            let claimed = Claimed {
                entry: index,
                at: entry.time.to_utc(),
                claim,
            };
            self.claims.insert(about, claimed);
        }
    }

    /// Reads the entries that came since.
    fn read_on(&mut self, record: &Record) -> Result<(), Fault> {
        loop {
            let (from, entries) = record.with(|log| {
                let range = self.read_to..log.size().min(self.read_to + READ_MAX);
                Ok((range.clone(), log.entries(range)?))
            })?;
            if entries.is_empty() {
                return Ok(());
            }
            for (index, entry) in from.zip(&entries) {
                self.read(index, entry);
                self.read_to = index + 1;
            }
        }
    }

    /// Drops the claims that hold, and answers with those that will not come true any more.
    async fn look(
        &mut self,
        held: &Held<'_>,
        may_come: impl Fn(&str, DateTime<Utc>) -> bool,
    ) -> Result<Vec<(String, u64, &'static str)>, Fault> {
        let (mut found, mut never) = (Vec::new(), Vec::new());
        for (about, claimed) in &self.claims {
            if claimed.claim.holds(held).await? {
                found.push(about.clone());
            } else if !may_come(claimed.claim.run(), claimed.at) {
                never.push((about.clone(), claimed.entry, claimed.claim.of()));
            }
        }
        for about in found {
            self.claims.remove(&about);
        }
        Ok(never)
    }

    /// Everything before this entry was found, or named.
    fn settled_to(&self) -> u64 {
        let first = self.claims.values().map(|claimed| claimed.entry).min();
        first.unwrap_or(self.read_to)
    }
}

/// Names every entry that a stop of the server left without an effect. Nobody is served yet.
pub(crate) async fn note(record: &Record, held: &Held<'_>) -> Result<Unfinished, Fault> {
    let size = record.with(|log| Ok(log.size()))?;
    let settled = held.registry.fact(Fact::SettledTo).await?;
    // A domain of before entries were looked at begins here.
    let from = settled.as_ref().and_then(|text| text.parse().ok());
    let from = from.unwrap_or(size);
    let mut unfinished = Unfinished {
        claims: BTreeMap::new(),
        read_to: u64::min(from, size),
    };
    unfinished.read_on(record)?;
    let never = unfinished.look(held, |_, _| false).await?;
    put(record, never, &mut unfinished).await?;
    keep(held.registry, &unfinished, settled.map(|_| from)).await?;
    Ok(unfinished)
}

async fn put(
    record: &Record,
    never: Vec<(String, u64, &'static str)>,
    unfinished: &mut Unfinished,
) -> Result<(), Fault> {
    for (about, entry, of) in never {
        tracing::warn!(
            entry,
            of,
            "an entry of the log had no effect; the log says so"
        );
        let event = Event::EntryWithoutEffect {
            entry,
            of: of.to_owned(),
        };
        record.append_async(server(), event).await?;
        unfinished.claims.remove(&about);
    }
    Ok(())
}

async fn keep(
    registry: &Registry,
    unfinished: &Unfinished,
    before: Option<u64>,
) -> Result<u64, Fault> {
    let settled = unfinished.settled_to();
    if before != Some(settled) {
        let text = settled.to_string();
        registry.set_fact(Fact::SettledTo, &text).await?;
    }
    Ok(settled)
}

/// Looks at entries for as long as the domain is served, so that the next start has few to look at.
pub(crate) struct Looking {
    task: JoinHandle<()>,
}

impl Looking {
    pub(crate) fn start(domain: &Arc<Domain>) -> Self {
        let domain = Arc::downgrade(domain);
        let task = tokio::spawn(async move {
            let mut settled = None;
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(domain) = Weak::upgrade(&domain) else {
                    return;
                };
                if let Err(fault) = sealing::note(&domain, false).await {
                    tracing::warn!(
                        code = fault.code,
                        "the registry's state was not put on record"
                    );
                }
                match look(&domain, settled).await {
                    Ok(now) => settled = Some(now),
                    Err(fault) => tracing::warn!(
                        code = fault.code,
                        "entries of the log were not held against what they say"
                    ),
                }
            }
        });
        Self { task }
    }

    /// Looks once more, and ends.
    pub(crate) async fn stop(self, domain: &Arc<Domain>) {
        self.task.abort();
        drop(self.task.await);
        // What it leaves is looked at by the next start.
        drop(look(domain, None).await);
        drop(sealing::note(domain, true).await);
    }
}

async fn look(domain: &Arc<Domain>, before: Option<u64>) -> Result<u64, Fault> {
    let mut unfinished = domain.unfinished.lock().await;
    let (worker, mut reading) = (Arc::clone(domain), std::mem::take(&mut *unfinished));
    let (reading, read) = tokio::task::spawn_blocking(move || {
        let read = reading.read_on(&worker.record);
        (reading, read)
    })
    .await
    .map_err(|_| panicked())?;
    *unfinished = reading;
    read?;
    let now = domain.clock.now();
    let credentials = domain.front.now();
    let held = Held {
        registry: &domain.registry,
        signing: &domain.signing,
        authority: &credentials.authority,
    };
    let may_come =
        |run: &str, at: DateTime<Utc>| now - at < PATIENCE || domain.attempts.is_under_way(run);
    let never = unfinished.look(&held, may_come).await?;
    put(&domain.record, never, &mut unfinished).await?;
    keep(&domain.registry, &unfinished, before).await
}

#[cfg(test)]
mod tests;
