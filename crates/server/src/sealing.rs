//! The registry, held against its seal and against the log as a domain opens, and noted in the log from time to time.
//!
//! The seal covers every row, so whoever writes into the file is found by the registry itself. An older registry as a whole is
//! a good one, and is found by the log: how often the registry was written is put on record whenever the domain stops, and
//! every hour (`registry_sealed`), and a registry that was written less often than the log says was put back. Between two
//! such entries `unfinished` names every entry whose effect is gone. The other way round, the seal has the newest entry that
//! the log had: a log that lacks it, or has another one in its place, was put back, or is another domain's.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use weir_audit::{Digest, Entry, Event, Log};
use weir_registry::{LogMark, Registry, RegistryKey};
use weir_vault::Vault;

use crate::domain::Domain;
use crate::fault::Fault;
use crate::folder::Folder;
use crate::grants::server;
use crate::record::Record;

/// What the key that seals the registry is derived for.
const KEY: &str = "weir registry v1";

/// How often the registry's state is put on record while the domain is served.
const EVERY: Duration = Duration::from_hours(1);

/// Entries read at once.
const READ_MAX: u64 = 256;

/// How many writes this process has put on record, and when it last looked.
pub(crate) struct Sealing(Mutex<(u64, Instant)>);

impl Sealing {
    /// Puts the state of a registry that had no seal on record at once: from here on it must not be without one again.
    pub(crate) async fn begin(registry: &Registry, record: &Record) -> Result<Self, Fault> {
        let mut on_record = 0;
        if registry.found().is_none() {
            on_record = registry.sealed_state().await?.writes;
            let event = Event::RegistrySealed { writes: on_record };
            record.append_async(server(), event).await?;
        }
        Ok(Self(Mutex::new((on_record, Instant::now()))))
    }

    /// What was on record last, and whether that is long ago.
    fn last(&self) -> (u64, bool) {
        let (writes, at) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (writes, at.elapsed() >= EVERY)
    }

    fn put(&self, writes: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (writes, Instant::now());
    }
}

/// Puts on record how often the registry was written, where that has changed: at once if the domain stops, and else once an
/// hour.
pub(crate) async fn note(domain: &Domain, stops: bool) -> Result<(), Fault> {
    let (before, is_due) = domain.sealing.last();
    if !stops && !is_due {
        return Ok(());
    }
    let writes = domain.registry.sealed_state().await?.writes;
    if writes != before {
        let event = Event::RegistrySealed { writes };
        domain.record.append_async(server(), event).await?;
    }
    domain.sealing.put(writes);
    Ok(())
}

pub(crate) fn key(vault: &Vault) -> Result<RegistryKey, Fault> {
    Ok(RegistryKey::new(&*vault.derive_key(KEY)?)?)
}

/// Opens the registry of a domain whose log is open.
///
/// # Errors
/// A registry that is gone, damaged, altered, older than the log says, or of another log.
pub(crate) async fn open(folder: &Folder, vault: &Vault, log: &Log) -> Result<Registry, Fault> {
    let file = folder.registry();
    if !file.exists() {
        return Err(Fault::environment(
            "REGISTRY_MISSING",
            format!(
                "`{}` is gone. Restore the newest backup; without it nobody is known and nothing is granted",
                file.display()
            ),
        ));
    }
    let registry = Registry::open(&file, key(vault)?).await?;
    let found = registry.found();
    let mark = found.map(|state| state.log).unwrap_or_default();
    check_mark(log, &mark)?;
    // A backup has its registry from before its log, and that it was restored is put on record.
    if !folder.restored().exists() {
        check_writes(log, mark.entries, found.map_or(0, |state| state.writes))?;
    }
    let now = mark_of(log)?;
    registry.log_is_at(now);
    if now.entries > mark.entries {
        registry.seal_log().await?;
    }
    Ok(registry)
}

/// The newest entry that the registry knows of has to be in the log.
fn check_mark(log: &Log, mark: &LogMark) -> Result<(), Fault> {
    let Some(last) = mark.entries.checked_sub(1) else {
        return Ok(());
    };
    let is_there = last < log.size() && digest(&log.entry(last)?)? == mark.newest;
    match is_there {
        true => Ok(()),
        false => Err(Fault::environment(
            "REGISTRY_OTHER_LOG",
            format!(
                "the registry was last written when the log had {} entries, and this log does not have the last of them: the log \
                 was put back to before, or one of the two is another domain's. Restore the newest backup",
                mark.entries
            ),
        )),
    }
}

/// No entry since may say that the registry was written more often.
fn check_writes(log: &Log, from: u64, writes: u64) -> Result<(), Fault> {
    let mut next = from;
    while next < log.size() {
        let until = log.size().min(next + READ_MAX);
        for (index, entry) in (next..until).zip(log.entries(next..until)?) {
            let Event::RegistrySealed { writes: on_record } = entry.event else {
                continue;
            };
            if on_record > writes {
                return Err(Fault::environment(
                    "REGISTRY_ROLLED_BACK",
                    format!(
                        "the registry was written {writes} times, and entry {index} of the log says {on_record}: an older \
                         registry was put back, or one without its seal. Restore the newest backup with `weir backup restore`, \
                         which puts on record that it did"
                    ),
                ));
            }
        }
        next = until;
    }
    Ok(())
}

fn mark_of(log: &Log) -> Result<LogMark, Fault> {
    let entries = log.size();
    let newest = match entries.checked_sub(1) {
        Some(last) => digest(&log.entry(last)?)?,
        None => [0; 32],
    };
    Ok(LogMark { entries, newest })
}

/// The log as it is right after this entry.
pub(crate) fn mark_after(index: u64, entry: &Entry) -> Option<LogMark> {
    let newest = digest(entry).ok()?;
    Some(LogMark {
        entries: index + 1,
        newest,
    })
}

fn digest(entry: &Entry) -> Result<[u8; 32], Fault> {
    Ok(*Digest::of(&entry.to_canonical()?).as_bytes())
}
