//! What has to be kept, until when, and destroying what need not be kept any more.
//!
//! The record (the log with all that is proved from it, the ledger, what releases are computed from and were judged on) is kept
//! for twenty years at least, and no setting makes that shorter. Of the record Weir destroys nothing but the evidence of
//! releases past their term; the log and the ledger it has no way to shorten. The stored answers of runs are a convenience of
//! whoever retries, and go earlier. Deleting is an entry of the log first, one for each thing that is deleted, with its
//! digest; one that a crash kept from happening is made good at the next start.

use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};
use weir_audit::{Actor, Digest, Event, Timestamp};
use weir_registry::{Kept, KeptThing, Registry};

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants::{check_reason, moment};

/// Years that the record is kept at least.
pub(crate) const RECORD_YEARS_MIN: u32 = 20;

/// The most that can be set.
const RECORD_YEARS_MAX: u32 = 200;

/// Days that an answer is kept at least: whoever asks again within them gets the same one.
pub(crate) const ANSWERS_DAYS_MIN: u32 = 30;

const ANSWERS_DAYS_MAX: u32 = 365 * RECORD_YEARS_MAX;

/// Days of a year, rounded up: nothing goes a day early.
const YEAR_DAYS: u64 = 366;

/// Things destroyed in one call: each is an entry of the log.
const DESTROYED_MAX: u32 = 1_000;

/// The `[retention]` table of `domain.toml`: how long what can be destroyed is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Years that the record is kept; at least 20.
    pub record_years: u32,
    /// Days that the stored answer of a run is kept; at least 30.
    pub answers_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            record_years: RECORD_YEARS_MIN,
            answers_days: 365,
        }
    }
}

impl RetentionConfig {
    /// Refuses terms below the floors.
    ///
    /// # Errors
    /// `RETENTION_TOO_SHORT`; `CONFIG_INVALID` for terms of centuries.
    pub fn check(&self) -> Result<(), Fault> {
        if self.record_years < RECORD_YEARS_MIN || self.answers_days < ANSWERS_DAYS_MIN {
            return Err(Fault::policy(
                "RETENTION_TOO_SHORT",
                format!(
                    "`[retention]` of domain.toml asks for less than has to be kept: `record_years` is {RECORD_YEARS_MIN} at \
                     least, `answers_days` {ANSWERS_DAYS_MIN}. Ask for more, or leave them out"
                ),
            ));
        }
        if self.record_years > RECORD_YEARS_MAX || self.answers_days > ANSWERS_DAYS_MAX {
            return Err(Fault::caller(
                "CONFIG_INVALID",
                format!(
                    "`[retention]` of domain.toml asks for more than {RECORD_YEARS_MAX} years. Ask for less"
                ),
            ));
        }
        Ok(())
    }
}

/// What is kept of one kind.
pub(crate) struct KeptOf {
    pub(crate) kind: Kind,
    /// Days that it is kept.
    pub(crate) days: u64,
    /// How many there are.
    pub(crate) count: u64,
    /// RFC 3339: since when the oldest is kept; empty where there is none.
    pub(crate) oldest: String,
    /// RFC 3339: until when the oldest is kept at least; empty where there is none.
    pub(crate) until: String,
    /// How many are past their term.
    pub(crate) due: u64,
}

/// A kind of things that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Entries of the log, with the receipts made of them.
    Log,
    /// Sets of units of what was released.
    Ledger,
    /// What releases were computed from.
    Bases,
    /// What releases were judged on, sealed.
    Evidence,
    /// Answers of runs, for whoever retries.
    Answers,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Log,
        Self::Ledger,
        Self::Bases,
        Self::Evidence,
        Self::Answers,
    ];

    /// Its name on the command line and in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Ledger => "ledger",
            Self::Bases => "bases",
            Self::Evidence => "evidence",
            Self::Answers => "answers",
        }
    }

    /// What it is in the registry, where it can be destroyed.
    pub(crate) const fn destroyable(self) -> Option<Kept> {
        match self {
            Self::Evidence => Some(Kept::Evidence),
            Self::Answers => Some(Kept::Answers),
            Self::Log | Self::Ledger | Self::Bases => None,
        }
    }

    fn named(name: &str) -> Result<Self, Fault> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name).ok_or_else(|| {
            Fault::caller(
                "RETENTION_KIND",
                format!(
                    "`{}` is nothing that is kept. `weir retention show` shows what there is",
                    name.chars().take(40).collect::<String>()
                ),
            )
        })
    }

    fn days(self, config: &RetentionConfig) -> u64 {
        match self {
            Self::Answers => u64::from(config.answers_days),
            _ => u64::from(config.record_years) * YEAR_DAYS,
        }
    }
}

/// Everything that is kept, and until when it has to be.
pub(crate) async fn show(domain: &Domain, now: DateTime<Utc>) -> Result<Vec<KeptOf>, Fault> {
    let begun = begun(domain)?;
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let days = kind.days(&domain.config.retention);
        let (count, oldest, due) = match kind.destroyable() {
            Some(kept) => {
                let summary = domain.registry.kept(kept, &cutoff(now, days)).await?;
                (summary.count, summary.oldest, summary.due)
            }
            None => match kind {
                Kind::Ledger => (domain.released.releases(), Some(begun.clone()), 0),
                Kind::Bases => (domain.registry.bases_count().await?, Some(begun.clone()), 0),
                _ => {
                    let entries = domain.record.with(|log| Ok(log.size()))?;
                    (entries, Some(begun.clone()), 0)
                }
            },
        };
        let oldest = oldest.filter(|_| count > 0).unwrap_or_default();
        all.push(KeptOf {
            kind,
            days,
            count,
            until: until(&oldest, days),
            oldest,
            due,
        });
    }
    Ok(all)
}

/// When the domain came into being.
fn begun(domain: &Domain) -> Result<String, Fault> {
    domain.record.with(|log| Ok(log.entry(0)?.time.to_string()))
}

/// What is kept since before this is past its term.
fn cutoff(now: DateTime<Utc>, days: u64) -> String {
    moment(now.checked_sub_days(Days::new(days)).unwrap_or_default())
}

fn until(since: &str, days: u64) -> String {
    let since = DateTime::parse_from_rfc3339(since).ok();
    let until = since.and_then(|since| since.checked_add_days(Days::new(days)));
    until.map_or_else(String::new, |until| moment(until.into()))
}

/// What was destroyed.
pub(crate) struct Destroyed {
    pub(crate) count: u64,
    /// How many more are past their term.
    pub(crate) left: u64,
}

/// Destroys what is past its term: everything of a kind, or one thing of it. What has to be kept is refused, with its date.
pub(crate) async fn destroy(
    domain: &Arc<Domain>,
    caller: &Caller,
    (kind, run): (&str, &str),
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Destroyed, Fault> {
    let reason = check_reason(reason)?;
    let kind = Kind::named(kind)?;
    let days = kind.days(&domain.config.retention);
    let Some(kept) = kind.destroyable() else {
        let until = until(&begun(domain)?, days);
        return Err(Fault::policy(
            "RETENTION_KEPT",
            format!(
                "`{}` is kept whole, until {until} at least, and Weir has no way to destroy a part of it. What it says is \
                 proved by all of it",
                kind.name()
            ),
        ));
    };
    let _one = domain.retention.lock().await;
    let cutoff = cutoff(now, days);
    let due = match run.is_empty() {
        true => {
            domain
                .registry
                .kept_before(kept, &cutoff, DESTROYED_MAX)
                .await?
        }
        false => vec![one(domain, kind, run, (&cutoff, days)).await?],
    };
    if due.is_empty() {
        let oldest = domain.registry.kept(kept, &cutoff).await?.oldest;
        let until = until(&oldest.unwrap_or_default(), days);
        let first = match until.is_empty() {
            true => String::new(),
            false => format!("; the first may go at {until}"),
        };
        return Err(Fault::policy(
            "RETENTION_NOT_DUE",
            format!(
                "nothing of `{}` is past its term of {days} days{first}",
                kind.name()
            ),
        ));
    }
    let actor = caller.actor();
    for thing in &due {
        let event = event(kind, thing, &reason)?;
        let (worker, actor) = (Arc::clone(domain), actor.clone());
        append(worker, actor, event).await?;
        domain.registry.destroy_kept(kept, &thing.run).await?;
    }
    let left = domain.registry.kept(kept, &cutoff).await?.due;
    Ok(Destroyed {
        count: due.len() as u64,
        left,
    })
}

async fn append(domain: Arc<Domain>, actor: Actor, event: Event) -> Result<(), Fault> {
    tokio::task::spawn_blocking(move || domain.record.append(actor, event).map(drop))
        .await
        .map_err(|_| panicked())?
}

fn event(kind: Kind, thing: &KeptThing, reason: &str) -> Result<Event, Fault> {
    Ok(Event::KeptDestroyed {
        kind: kind.name().to_owned(),
        run: thing.run.clone(),
        digest: Digest::of(&thing.bytes),
        kept_since: kept_since(thing)?,
        reason: reason.to_owned(),
    })
}

fn kept_since(thing: &KeptThing) -> Result<Timestamp, Fault> {
    let since = DateTime::parse_from_rfc3339(&thing.since).map_err(|_| {
        Fault::environment(
            "RETENTION_UNDATED",
            "since when a thing is kept cannot be read in the registry; it is kept. Compare the registry with a backup",
        )
    })?;
    Ok(Timestamp::from(since.with_timezone(&Utc)))
}

/// One thing, if it is past its term.
async fn one(
    domain: &Domain,
    kind: Kind,
    run: &str,
    (cutoff, days): (&str, u64),
) -> Result<KeptThing, Fault> {
    let kept = kind.destroyable();
    let thing = match kept {
        Some(kept) => domain.registry.kept_of(kept, run).await?,
        None => None,
    };
    let thing = thing.ok_or_else(|| {
        Fault::caller(
            "RETENTION_UNKNOWN",
            format!(
                "there is no `{}` of a run `{}`",
                kind.name(),
                run.chars().take(36).collect::<String>()
            ),
        )
    })?;
    if thing.since.as_str() < cutoff {
        return Ok(thing);
    }
    Err(Fault::policy(
        "RETENTION_NOT_DUE",
        format!(
            "`{}` of run `{}` has to be kept until {}, {days} days in all",
            kind.name(),
            thing.run,
            until(&thing.since, days)
        ),
    ))
}

/// Destroys what the log says was destroyed: a crash came between.
pub(crate) async fn make_good(registry: &Registry, kind: &str, run: &str) -> Result<(), Fault> {
    let kept = Kind::named(kind).ok().and_then(Kind::destroyable);
    match kept {
        Some(kept) => Ok(registry.destroy_kept(kept, run).await?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
