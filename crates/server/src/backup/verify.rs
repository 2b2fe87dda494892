//! Verifying a backup, without changing a byte of it.

use std::path::{Path, PathBuf};

use weir_audit::{Checkpoint, VerifierKey, verify_log, verify_log_since};
use weir_registry::{CopyFacts, Registry};

use super::copying::digest;
use super::create::snapshot_of;
use super::manifest::Manifest;
use super::{BackupSummary, damaged};
use crate::authority::file_fault;
use crate::fault::{Fault, panicked};

/// Verifies the backup in a folder: every file by its digest; the log by its key, byte by byte; the registry's pages; that
/// every answered run is in the log, and that every live snapshot has its key and its files. `key` is the log's public key
/// from elsewhere, `since` a checkpoint seen before that the log has to continue.
///
/// # Errors
/// [`BACKUP_DAMAGED`](crate::Fault::code) with what is wrong; those of [`weir_audit::verify_log`].
pub async fn verify_backup(
    backup: &Path,
    key: Option<&VerifierKey>,
    since: Option<&str>,
) -> Result<BackupSummary, Fault> {
    let manifest = Manifest::read(backup)?;
    let (folder, key, since) = (backup.to_owned(), key.cloned(), since.map(str::to_owned));
    let checked = tokio::task::spawn_blocking(move || {
        files(&folder, &manifest)?;
        let checkpoint = log(&folder, &manifest, key, since.as_deref())?;
        Ok::<_, Fault>((manifest, checkpoint))
    });
    let (manifest, checkpoint) = checked.await.map_err(|_| panicked())??;
    let facts = Registry::inspect(&backup.join("registry.sqlite")).await?;
    let (snapshots, snapshots_elsewhere) = registry(&manifest, &facts)?;
    Ok(BackupSummary {
        domain: manifest.domain.clone(),
        made_at: manifest.made_at.clone(),
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        log_entries: manifest.log_entries,
        checkpoint,
        snapshots,
        snapshots_elsewhere,
        runs: facts.runs.unsigned_abs(),
    })
}

fn files(backup: &Path, manifest: &Manifest) -> Result<(), Fault> {
    for file in &manifest.files {
        let found = digest(&backup.join(&file.name))?;
        let found = found.ok_or_else(|| damaged(format!("`{}` is missing", file.name)))?;
        if found != (file.bytes, file.sha256.clone()) {
            return Err(damaged(format!("`{}` was altered", file.name)));
        }
    }
    Ok(())
}

/// Verifies the log and gives its checkpoint.
fn log(
    backup: &Path,
    manifest: &Manifest,
    key: Option<VerifierKey>,
    since: Option<&str>,
) -> Result<String, Fault> {
    let own: PathBuf = backup.join("log.vkey");
    let text = std::fs::read_to_string(&own).map_err(|error| file_fault(&own, &error))?;
    let key = match key {
        Some(key) => key,
        None => text.trim().parse()?,
    };
    let dir = backup.join("log");
    let silent = &mut |_, _| {};
    let report = match since {
        None => verify_log(&dir, &key, silent)?,
        Some(note) => {
            let before = Checkpoint::verify(note.as_bytes(), &key)?;
            verify_log_since(&dir, &key, &before, silent)?
        }
    };
    if report.entries != manifest.log_entries {
        return Err(damaged("the log is another one than was copied"));
    }
    let checkpoint = dir.join("checkpoint");
    std::fs::read_to_string(&checkpoint).map_err(|error| file_fault(&checkpoint, &error))
}

/// What the registry says holds with the rest; gives the snapshots that are here and those that are in a store.
fn registry(manifest: &Manifest, facts: &CopyFacts) -> Result<(u64, u64), Fault> {
    if let Some(problem) = facts.problems.first() {
        return Err(damaged(format!("the registry says of itself: {problem}")));
    }
    let newest = facts.log_index_max.map(i64::unsigned_abs);
    if newest.is_some_and(|newest| newest >= manifest.log_entries) {
        return Err(damaged("a run was answered that the log does not have"));
    }
    let (mut here, mut elsewhere) = (0, 0);
    for snapshot in facts.snapshots.iter().filter(|snapshot| snapshot.is_live()) {
        let id = &snapshot.id;
        if manifest.has(&format!("vault/destroyed/{id}.json")) {
            continue;
        }
        if !manifest.has(&format!("vault/keys/snapshot-{id}.key")) {
            return Err(damaged(format!("snapshot `{id}` has no key")));
        }
        match manifest.store_elsewhere {
            true => elsewhere += 1,
            false => here += 1,
        }
    }
    let missing = manifest
        .files
        .iter()
        .filter_map(|file| snapshot_of(&file.name))
        .find(|id| {
            !manifest.store_elsewhere && !manifest.has(&format!("vault/snapshots/{id}/meta"))
        });
    match missing {
        Some(id) => Err(damaged(format!("snapshot `{id}` has no files"))),
        None => Ok((here, elsewhere)),
    }
}
