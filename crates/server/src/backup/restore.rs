//! Putting a backup back.

use std::path::{Path, PathBuf};

use weir_audit::LogKey;
use weir_vault::Vault;

use super::copying::{copy, make_empty, make_folder, publish};
use super::manifest::Manifest;
use super::restored::Restored;
use super::verify::verify_backup;
use super::{BackupSummary, damaged};
use crate::authority::file_fault;
use crate::config::Config;
use crate::fault::{Fault, panicked};
use crate::folder::Folder;

/// Folders of a vault that a backup may have no file of.
const VAULT_FOLDERS: [&str; 5] = ["keys", "populations", "snapshots", "staging", "destroyed"];

/// Makes the domain of a backup in the new folder `into`, with the secret keys in `keys`. Nothing is written into the log:
/// a copy that is made as a drill leaves no trace. That it was restored is put on record when it is first served.
///
/// # Errors
/// As [`verify_backup`]; `BACKUP_KEYS` where the keys are not this domain's; where a folder is not empty or cannot be
/// written.
pub async fn restore_backup(
    backup: &Path,
    keys: &Path,
    into: &Path,
) -> Result<BackupSummary, Fault> {
    let summary = verify_backup(backup, None, None).await?;
    let (backup, keys, into) = (backup.to_owned(), keys.to_owned(), into.to_owned());
    let restored = tokio::task::spawn_blocking(move || restore(&backup, &keys, &into));
    restored.await.map_err(|_| panicked())??;
    Ok(summary)
}

fn restore(backup: &Path, keys: &Path, into: &Path) -> Result<(), Fault> {
    let manifest = Manifest::read(backup)?;
    make_empty(into)?;
    let into = into
        .canonicalize()
        .map_err(|error| file_fault(into, &error))?;
    let folder = Folder::new(&into);
    for file in manifest
        .files
        .iter()
        .filter(|file| file.name != "domain.toml")
    {
        let target = into.join(&file.name);
        if let Some(parent) = target.parent() {
            make_folder(parent)?;
        }
        let copied = copy(&backup.join(&file.name), &target)?;
        if copied != Some((file.bytes, file.sha256.clone())) {
            return Err(damaged(format!("`{}` was altered", file.name)));
        }
    }
    for name in VAULT_FOLDERS {
        make_folder(&folder.vault().join(name))?;
    }
    make_folder(&folder.inbox())?;
    make_folder(&folder.identities())?;
    copy_keys(keys, &folder)?;
    let config = settings(&backup.join("domain.toml"), &manifest, &into)?;
    check_keys(&folder, &config)?;
    Restored::of(&manifest).write(&folder)?;
    // Last: without its settings the folder is no domain.
    publish(&folder.config(), &config.to_toml()?)
}

fn copy_keys(keys: &Path, folder: &Folder) -> Result<(), Fault> {
    make_folder(&folder.keys())?;
    let names = super::copying::list(keys)?;
    let names = names.ok_or_else(|| foreign(&format!("`{}` is no folder", keys.display())))?;
    for name in names {
        copy(&keys.join(&name), &folder.keys().join(&name))?;
    }
    Ok(())
}

/// The settings, with inboxes that lay in the domain's folder where it is now.
fn settings(file: &Path, manifest: &Manifest, root: &Path) -> Result<Config, Fault> {
    let mut config = Config::load(file)?;
    let moved = |dir: &PathBuf| match dir.strip_prefix(&manifest.root) {
        Ok(inside) => root.join(inside),
        Err(_) => dir.clone(),
    };
    config.inboxes = config.inboxes.iter().map(moved).collect();
    Ok(config)
}

/// Whether the keys are those of this log and this vault.
fn check_keys(folder: &Folder, config: &Config) -> Result<(), Fault> {
    let key = LogKey::load(&folder.log_key())?;
    let file = folder.log_verifier_key();
    let known = std::fs::read_to_string(&file).map_err(|error| file_fault(&file, &error))?;
    if known.trim() != key.verifier().to_string() {
        return Err(foreign("`log.key` signs another log"));
    }
    let (keeper, _) = config.vault.open_keeper(folder)?.split();
    Vault::open_with(&folder.vault(), keeper, &config.vault.store()?)?;
    Ok(())
}

fn foreign(problem: &str) -> Fault {
    Fault::caller(
        "BACKUP_KEYS",
        format!(
            "{problem}: these are not the keys of the backup. Name the folder that `weir backup create --keys` made with it, \
             and begin anew in an empty folder"
        ),
    )
}
