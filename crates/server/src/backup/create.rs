//! Making a backup. The order of the steps is the argument; see above.

use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use weir_audit::VerifierKey;
use weir_registry::Registry;

use super::copying::{Copying, digest, make_empty, publish, sync_folder_of};
use super::manifest::{MANIFEST, Manifest};
use super::verify::verify_backup;
use super::{BackupSummary, damaged};
use crate::authority::file_fault;
use crate::basis::WEIR;
use crate::config::Config;
use crate::fault::{Fault, panicked};
use crate::folder::Folder;
use crate::vault_settings::StoreConfig;

/// Names that a backup has, relative to the domain's folder and to its own.
const REGISTRY: &str = "registry.sqlite";
const LOG: &str = "log";
const LOG_KEY: &str = "log.vkey";
const VAULT_KEYS: &str = "vault/keys";
const SNAPSHOTS: &str = "vault/snapshots";
const DESTROYED: &str = "vault/destroyed";
const LEDGER: &str = "ledger";
/// What covers what was acknowledged of the ledger.
const LEDGER_HEAD: &str = "head";

/// Copies the domain in `domain`, which may be served meanwhile, into the new folder `into`, and its secret keys into the new
/// folder `keys` where one is named. The copy is verified before this returns.
///
/// # Errors
/// Where a folder is not empty, a file cannot be read or written, or the copy does not verify.
pub async fn create_backup(
    domain: &Path,
    into: &Path,
    keys: Option<&Path>,
) -> Result<BackupSummary, Fault> {
    let folder = Folder::new(
        domain
            .canonicalize()
            .map_err(|error| file_fault(domain, &error))?,
    );
    let config = Config::load(&folder.config())?;
    make_empty(into)?;
    if let Some(keys) = keys {
        make_empty(keys)?;
    }
    let master = master_key(&folder)?;
    let made_at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);

    // 1. The registry, as it was between two transactions.
    Registry::copy(&folder.registry(), &into.join(REGISTRY)).await?;

    let (source, target, secret) = (folder.clone(), into.to_owned(), keys.map(Path::to_owned));
    let elsewhere = config.vault.store != StoreConfig::Folder;
    let copied = tokio::task::spawn_blocking(move || {
        copy_rest(&source, &target, secret.as_deref(), elsewhere)
    });
    let (files, log_entries) = copied.await.map_err(|_| panicked())??;
    if master_key(&folder)? != master {
        return Err(rotating());
    }

    // 8. What is in it, last: without this it is no backup.
    let manifest = Manifest {
        version: Manifest::version(),
        weir: WEIR.to_owned(),
        domain: config.name,
        made_at,
        root: folder.root().display().to_string(),
        store_elsewhere: elsewhere,
        log_entries,
        files,
    };
    publish(&into.join(MANIFEST), &manifest.to_text()?)?;
    sync_folder_of(into)?;
    verify_backup(into, None, None).await
}

/// The digest of the master key's file, where it is in one. What is copied while it changes is wrapped under two keys.
fn master_key(folder: &Folder) -> Result<Option<(u64, String)>, Fault> {
    let file = folder.master_key();
    match file.with_extension("key.next").exists() {
        true => Err(rotating()),
        false => digest(&file),
    }
}

fn rotating() -> Fault {
    Fault::environment(
        "BACKUP_KEYS_CHANGING",
        "the master key is being changed. Wait until `weir keys list` says that it is done, and back up into another folder",
    )
}

fn copy_rest(
    folder: &Folder,
    into: &Path,
    keys: Option<&Path>,
    elsewhere: bool,
) -> Result<(Vec<super::manifest::FileRecord>, u64), Fault> {
    let mut copying = Copying::new(folder.root(), into);
    copying.enter(REGISTRY)?;

    // 2. to 4. The vault: wrapped keys, certificates, population maps, sealed files.
    vault(&mut copying, elsewhere)?;

    // 5. The log: what the registry and the keys speak of is in it by now.
    let key = log_key(folder)?;
    let mut names = Vec::new();
    let (from, to) = (folder.log(), into.join(LOG));
    let checkpoint = weir_audit::copy_log(&from, &to, &key, &mut |name| {
        names.push(format!("{LOG}/{name}"));
    })?;
    for name in names {
        copying.enter(&name)?;
    }

    // 6. The ledger, where there is one: every release in the log is in it by now. Its head first: what lies beyond a head
    //    is cut when it is opened.
    copying.file(&format!("{LEDGER}/{LEDGER_HEAD}"))?;
    let ledger = super::copying::list(&folder.root().join(LEDGER))?;
    for name in ledger.into_iter().flatten() {
        if name != LEDGER_HEAD {
            copying.file(&format!("{LEDGER}/{name}"))?;
        }
    }

    // 7. Settings, and the secret keys.
    for name in ["domain.toml", "policy.toml", LOG_KEY] {
        copying.file(name)?;
    }
    if let Some(keys) = keys {
        Copying::new(&folder.keys(), &PathBuf::from(keys)).every_file()?;
    }
    Ok((copying.files, checkpoint.size()))
}

fn vault(copying: &mut Copying, elsewhere: bool) -> Result<(), Fault> {
    copying.file("vault/vault.json")?;
    copying.file("vault/lock")?;
    copying.folder(VAULT_KEYS)?;
    copying.folder(DESTROYED)?;
    copying.folder("vault/populations")?;
    if elsewhere {
        return Ok(());
    }
    let ids: Vec<String> = copying
        .files
        .iter()
        .filter_map(|file| snapshot_of(&file.name))
        .map(str::to_owned)
        .collect();
    for id in ids {
        let folder = format!("{SNAPSHOTS}/{id}");
        if copying.folder(&folder)? {
            continue;
        }
        // Destroyed since its key was copied: then there is a certificate by now, and neither key nor files are needed.
        let certificate = format!("{DESTROYED}/{id}.json");
        let is_known = copying.files.iter().any(|file| file.name == certificate);
        if !is_known && !copying.file(&certificate)? {
            return Err(damaged(format!(
                "files of snapshot `{id}` are missing in the domain itself"
            )));
        }
        let key = format!("{VAULT_KEYS}/snapshot-{id}.key");
        copying.take_back(|name| name == key || name.starts_with(&format!("{folder}/")))?;
    }
    Ok(())
}

/// The snapshot whose wrapped key this is.
pub(super) fn snapshot_of(name: &str) -> Option<&str> {
    name.strip_prefix(VAULT_KEYS)?
        .strip_prefix("/snapshot-")?
        .strip_suffix(".key")
}

/// The log's public key, as the domain publishes it.
fn log_key(folder: &Folder) -> Result<VerifierKey, Fault> {
    let file = folder.log_verifier_key();
    let text = std::fs::read_to_string(&file).map_err(|error| file_fault(&file, &error))?;
    Ok(text.trim().parse()?)
}

impl Copying {
    fn every_file(&mut self) -> Result<(), Fault> {
        self.folder(".").map(drop)
    }
}
