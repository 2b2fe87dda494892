//! What is in force when a domain opens, and what becomes of a `policy.toml` that somebody edited.
//!
//! The file is a copy. An edit while the server is down is taken where it only tightens; one that loosens anything is set
//! aside, because it would be one person's loosening without a wait. Before a domain is opened for the first time the file
//! is taken as it stands.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use weir_audit::Digest;
use weir_policy::Policy;
use weir_registry::{Fact, PolicyRecord, Registry};

use super::change::{log_in_force, server};
use super::{InForce, Policies, Scope, moment};
use crate::authority::file_fault;
use crate::fault::Fault;
use crate::record::Record;

/// Who put a policy in force by editing the file.
const BY_FILE: &str = "policy.toml";

/// What an edit that is not taken is called by: the file's name and this.
const SET_ASIDE: &str = "edited";

impl Policies {
    /// The policies of a domain that opens.
    pub(crate) async fn open(
        file: PathBuf,
        registry: &Registry,
        record: &Record,
    ) -> Result<Self, Fault> {
        take_file(&file, registry, record).await?;
        note_new_meaning(registry, record).await?;
        Ok(Self {
            file,
            changing: tokio::sync::Mutex::new(()),
            in_force: RwLock::new(Arc::new(InForce::load(registry).await?)),
        })
    }
}

async fn take_file(file: &Path, registry: &Registry, record: &Record) -> Result<(), Fault> {
    let in_force = registry.policies_in_force().await?;
    let stored = in_force
        .into_iter()
        .find(|policy| policy.dataset.is_empty());
    let edited = match std::fs::read_to_string(file) {
        Ok(text) => Some(text),
        // The registry has it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && stored.is_some() => None,
        Err(error) => return Err(file_fault(file, &error)),
    };
    let Some(stored) = stored else {
        return adopt(file, edited.unwrap_or_default(), registry, record).await;
    };
    match edited {
        Some(text) if text == stored.text => {}
        // The copy as it was when the server stopped between putting a policy in force and copying it.
        Some(text) if registry.fact(Fact::PolicyFile).await? == Some(digest_of(&text)) => {
            write_copy(file, &stored.text)?;
        }
        Some(text) => return take_edit(file, text, &stored, registry, record).await,
        None => {
            tracing::warn!(file = %file.display(), "the file was gone; it is written again as the registry has it");
            write_copy(file, &stored.text)?;
        }
    }
    let copied = digest_of(&stored.text);
    Ok(registry.set_fact(Fact::PolicyFile, &copied).await?)
}

/// The first start, or the first of this version: the file is the policy.
async fn adopt(
    file: &Path,
    text: String,
    registry: &Registry,
    record: &Record,
) -> Result<(), Fault> {
    let policy = Scope::Domain.parse(&text, &file.display().to_string())?;
    let known = registry.fact(Fact::PolicyDigest).await?;
    let adopted = by_file(&policy, text, record);
    if known.as_deref() != Some(adopted.digest.as_str()) {
        log_in_force(record, server(), &adopted).await?;
    }
    store(&adopted, registry).await
}

/// An edit of the file while the server was down.
async fn take_edit(
    file: &Path,
    text: String,
    stored: &PolicyRecord,
    registry: &Registry,
    record: &Record,
) -> Result<(), Fault> {
    let edited = Scope::Domain.parse(&text, &file.display().to_string())?;
    let policy = Scope::Domain.parse(&stored.text, "the policy in force")?;
    if edited.compare(&policy).loosens() {
        let aside = file.with_extension(format!("toml.{SET_ASIDE}"));
        write_copy(&aside, &text)?;
        write_copy(file, &stored.text)?;
        tracing::warn!(
            kept = %aside.display(),
            "policy.toml was edited to loosen the policy, and the edit was not taken: a loosening is handed in with \
             `weir policy put` and takes two people. The edit was set aside"
        );
        return Ok(registry
            .set_fact(Fact::PolicyFile, &digest_of(&stored.text))
            .await?);
    }
    let taken = by_file(&edited, text, record);
    if taken.digest != stored.digest {
        log_in_force(record, server(), &taken).await?;
    }
    store(&taken, registry).await
}

/// Logs a policy whose text means something else than it did: this version has other keys or defaults than the one that
/// stored it.
async fn note_new_meaning(registry: &Registry, record: &Record) -> Result<(), Fault> {
    for stored in registry.policies_in_force().await? {
        let scope = Scope::from_record(&stored.dataset);
        let policy = scope.parse(&stored.text, "the policy in force")?;
        let digest = policy.digest();
        if digest != stored.digest {
            let stored = PolicyRecord { digest, ..stored };
            log_in_force(record, server(), &stored).await?;
            registry.put_policy_in_force(&stored, None).await?;
        }
    }
    Ok(())
}

fn by_file(policy: &Policy, text: String, record: &Record) -> PolicyRecord {
    PolicyRecord {
        dataset: String::new(),
        name: policy.name(),
        digest: policy.digest(),
        text,
        since: moment(record.clock().now()),
        set_by: BY_FILE.to_owned(),
    }
}

async fn store(policy: &PolicyRecord, registry: &Registry) -> Result<(), Fault> {
    registry.put_policy_in_force(policy, None).await?;
    let copied = digest_of(&policy.text);
    registry.set_fact(Fact::PolicyFile, &copied).await?;
    Ok(registry
        .set_fact(Fact::PolicyDigest, &policy.digest)
        .await?)
}

/// Digest of a file's bytes.
pub(super) fn digest_of(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

/// Writes a file whole or not at all, in place of what it was.
pub(super) fn write_copy(file: &Path, text: &str) -> Result<(), Fault> {
    let new = file.with_extension("toml.new");
    let written = || {
        let mut open = std::fs::File::create(&new)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        std::fs::rename(&new, file)?;
        match file.parent() {
            Some(folder) => std::fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    written().map_err(|error| file_fault(file, &error))
}
