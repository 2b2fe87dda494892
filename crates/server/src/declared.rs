//! Files that the registry knows the state of: the domain's own keys, and its settings.
//!
//! A key's file that is older, or of a copy of the domain that went another way, is a good key and opens everything. So the
//! registry has its digest (of the log's key, that of its public parts), and the log has every change of them: a file that differs is taken where an entry
//! since says that the key was changed, as after a crash in between, and refused where none does. The settings are the
//! operator's to edit, between two starts; that they were edited is put on record.

use weir_audit::{Digest, Event};
use weir_registry::{Fact, Registry};

use crate::authority::Authority;
use crate::fault::Fault;
use crate::folder::Folder;
use crate::grants::server;
use crate::record::Record;
use crate::signing::Signing;

/// Entries read at once.
const READ_MAX: u64 = 256;

/// A key of the domain whose file is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    Signing,
    Authority,
}

impl Kept {
    const fn fact(self) -> Fact {
        match self {
            Self::Signing => Fact::SigningKey,
            Self::Authority => Fact::AuthorityKey,
        }
    }

    /// As entries of the log name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Authority => "authority",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Signing => "keys/log.key",
            Self::Authority => "keys/authority.key",
        }
    }
}

/// Holds the files of a domain that opens against the registry, and puts edited settings on record.
pub(crate) async fn check(
    folder: &Folder,
    registry: &Registry,
    record: &Record,
    signing: &Signing,
) -> Result<(), Fault> {
    let authority = Authority::file_digest(folder)?;
    key(registry, record, Kept::Signing, signing.public()).await?;
    key(registry, record, Kept::Authority, authority).await?;
    settings(folder, registry, record).await
}

async fn key(
    registry: &Registry,
    record: &Record,
    kept: Kept,
    public: Digest,
) -> Result<(), Fault> {
    let fact = registry.fact(kept.fact()).await?;
    let known = fact.as_deref().and_then(|fact| fact.split_once(' '));
    if let Some((since, known)) = known {
        if known == public.to_string() {
            return Ok(());
        }
        let since = since.parse().unwrap_or_default();
        let record = record.clone();
        let changed = tokio::task::spawn_blocking(move || was_changed(&record, kept, since));
        if !changed.await.map_err(|_| crate::fault::panicked())?? {
            return Err(Fault::environment(
                "KEY_NOT_ON_RECORD",
                format!(
                    "`{}` is not the key that was used last, and the log does not say that it was changed: an older file was \
                     put back, or another one. Put the newest one back",
                    kept.file()
                ),
            ));
        }
    }
    put(registry, record, kept, public).await
}

/// Has the registry know a key as it is from now on.
pub(crate) async fn put(
    registry: &Registry,
    record: &Record,
    kept: Kept,
    public: Digest,
) -> Result<(), Fault> {
    let entries = record.with(|log| Ok(log.size()))?;
    let fact = format!("{entries} {public}");
    Ok(registry.set_fact(kept.fact(), &fact).await?)
}

fn was_changed(record: &Record, kept: Kept, since: u64) -> Result<bool, Fault> {
    let mut next = since;
    loop {
        let entries = record.with(|log| {
            let until = log.size().min(next + READ_MAX);
            Ok(log.entries(next.min(until)..until)?)
        })?;
        if entries.is_empty() {
            return Ok(false);
        }
        next += entries.len() as u64;
        let is_change = |event: &Event| match event {
            Event::KeyRotated { key, .. } | Event::KeyRetired { key, .. } => key == kept.name(),
            _ => false,
        };
        if entries.iter().any(|entry| is_change(&entry.event)) {
            return Ok(true);
        }
    }
}

async fn settings(folder: &Folder, registry: &Registry, record: &Record) -> Result<(), Fault> {
    let file = folder.config();
    let bytes =
        std::fs::read(&file).map_err(|error| crate::authority::file_fault(&file, &error))?;
    let digest = Digest::of(&bytes);
    let known = registry.fact(Fact::SettingsFile).await?;
    if known.as_deref() == Some(digest.to_string().as_str()) {
        return Ok(());
    }
    if known.is_some() {
        tracing::warn!("domain.toml was edited since the last start; the log says so");
        let event = Event::SettingsChanged { digest };
        record.append_async(server(), event).await?;
    }
    let digest = digest.to_string();
    Ok(registry.set_fact(Fact::SettingsFile, &digest).await?)
}
