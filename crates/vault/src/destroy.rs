//! Destroying a snapshot, for good and on the record.
//!
//! A snapshot is readable through its data key alone, and the only copy of that key is the wrapped one in the vault's
//! folder. Destroying is removing it. The order of the steps, each durable before the next:
//!
//! 1. *The journal* has an entry for the snapshot. A crash after it: opening finds no certificate, and the snapshot is
//!    as it was.
//! 2. *The certificate* is written. From here on the snapshot counts as destroyed: nothing reads it any more, whatever
//!    else fails, and opening the vault does what is left to do. It comes before the key goes, because a key that is
//!    gone without a word could not be told from one that was lost.
//! 3. *The wrapped key* is overwritten, flushed and removed. From here on nobody can read the snapshot, with or without
//!    Weir, with or without a backup of the data. A crash between 2 and 3 is repaired by doing 3 at opening.
//! 4. *The sealed files* are removed. They are noise by now; a store that is away keeps them until the next opening.
//! 5. *The journal's entry* goes.
//!
//! The caller logs after step 3, so the record never says of a snapshot that it was destroyed while it could still be
//! read; a certificate that is not in the log yet is found with [`Vault::certificates`] and logged at the next start.
//!
//! What stays: the certificate, and in the population's map the keyed hashes of units that only this snapshot had.
//! A copy of the wrapped key in a backup of `keys/`, together with the master key, would still open a backup of the
//! data: the operator's manual says to let such backups expire. Weir itself refuses them by the certificate.

use chrono::{DateTime, SecondsFormat};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::layout::{Layout, is_snapshot_id};
use crate::limits::META_BYTES_MAX;
use crate::store::SnapshotStore;
use crate::{Result, VaultError, durable, seal};

/// Version of the certificate.
const VERSION: u32 = 1;
/// What the certificate states.
const STATEMENT: &str = "The wrapped key of this snapshot was overwritten and removed. It was the only copy that Weir \
                         kept. The sealed files cannot be decrypted without it.";
/// Random bytes that a wrapped key is overwritten with, again and again up to its length.
const NOISE_BYTES: usize = 64;

/// Who has what destroyed, and why. Everything in it becomes part of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destruction {
    /// The dataset's name.
    pub dataset: String,
    /// The snapshot's digest as it was registered.
    pub digest: String,
    /// Who decided.
    pub person: String,
    /// For whom.
    pub organisation: String,
    /// Why, in one line.
    pub reason: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
}

/// That a snapshot was destroyed. Its canonical form is one line of JSON with the fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestructionCertificate {
    /// Version of this form.
    pub version: u32,
    /// The dataset's name.
    pub dataset: String,
    /// The snapshot's id.
    pub snapshot: String,
    /// The snapshot's digest as it was registered.
    pub digest: String,
    /// `sha256:` and the SHA-256 of the wrapped key that was removed; none where it was missing before.
    pub key_fingerprint: Option<String>,
    /// When: RFC 3339, UTC.
    pub destroyed_at: String,
    /// Who decided.
    pub person: String,
    /// For whom.
    pub organisation: String,
    /// Why.
    pub reason: String,
    /// What was done.
    pub statement: String,
}

impl DestructionCertificate {
    fn new(id: &str, order: &Destruction, wrapped: Option<&[u8]>) -> Result<Self> {
        let at = DateTime::from_timestamp_millis(order.at_unix_ms).ok_or(VaultError::Internal {
            action: "reading the clock",
        })?;
        Ok(Self {
            version: VERSION,
            dataset: order.dataset.clone(),
            snapshot: id.to_owned(),
            digest: order.digest.clone(),
            key_fingerprint: wrapped.map(fingerprint),
            destroyed_at: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            person: order.person.clone(),
            organisation: order.organisation.clone(),
            reason: order.reason.clone(),
            statement: STATEMENT.to_owned(),
        })
    }

    /// The canonical form: what the log holds the digest of.
    ///
    /// # Errors
    /// None that input could cause.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| VaultError::Internal {
            action: "writing a certificate",
        })
    }
}

fn fingerprint(wrapped: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, wrapped);
    format!("sha256:{}", hex::encode(digest))
}

/// The certificate of a snapshot that was destroyed.
pub(crate) fn certificate(layout: &Layout, id: &str) -> Result<Option<DestructionCertificate>> {
    let path = layout.certificate(id);
    let Some(text) = durable::read_if_there(&path, META_BYTES_MAX)? else {
        return Ok(None);
    };
    let certificate: Option<DestructionCertificate> = serde_json::from_slice(&text).ok();
    certificate
        .filter(|certificate| certificate.snapshot == id)
        .map(Some)
        .ok_or(VaultError::CertificateDamaged { path })
}

/// Every certificate, by snapshot.
pub(crate) fn certificates(layout: &Layout) -> Result<Vec<DestructionCertificate>> {
    let names = durable::list_if_there(&layout.destroyed())?;
    let ids = names.iter().filter_map(|name| name.strip_suffix(".json"));
    ids.filter(|id| is_snapshot_id(id))
        .filter_map(|id| certificate(layout, id).transpose())
        .collect()
}

/// Steps 1 to 5, in order. Destroying what was destroyed gives the certificate there is.
pub(crate) fn destroy(
    layout: &Layout,
    store: &dyn SnapshotStore,
    id: &str,
    order: &Destruction,
) -> Result<DestructionCertificate> {
    if !is_snapshot_id(id) {
        return Err(crate::snapshot::unknown(id));
    }
    let certificate = match certificate(layout, id)? {
        Some(certificate) => certificate,
        None => {
            let wrapped = durable::read_if_there(&layout.snapshot_key(id), META_BYTES_MAX)?;
            if wrapped.is_none() && store.list(id)?.is_empty() {
                return Err(crate::snapshot::unknown(id));
            }
            begin(layout, id)?;
            let certificate = DestructionCertificate::new(id, order, wrapped.as_deref())?;
            durable::replace(&layout.certificate(id), certificate.to_json()?.as_bytes())?;
            certificate
        }
    };
    erase_key(layout, id)?;
    // The snapshot is gone. What cannot be cleared now is cleared at the next opening.
    if let Err(error) = end(layout, store, id) {
        tracing::warn!(
            snapshot = id,
            code = error.code(),
            "the files of a destroyed snapshot could not be removed yet"
        );
    }
    Ok(certificate)
}

/// Enters a snapshot into the journal: until [`end`], opening the vault looks at what is left of it.
pub(crate) fn begin(layout: &Layout, id: &str) -> Result<()> {
    durable::create_folder(&layout.pending(id))?;
    durable::sync_folder(&layout.staging())
}

/// Overwrites and removes the wrapped key.
pub(crate) fn erase_key(layout: &Layout, id: &str) -> Result<()> {
    durable::erase(&layout.snapshot_key(id), &seal::random::<NOISE_BYTES>()?)
}

/// Removes the files of a snapshot that has no key, and then its entry in the journal.
pub(crate) fn end(layout: &Layout, store: &dyn SnapshotStore, id: &str) -> Result<()> {
    store.remove(id)?;
    durable::remove_folder(&layout.pending(id))
}

/// Does what a crash left undone. Every entry of the journal is a registration, a removal or a destruction that may not
/// have ended:
/// - a certificate is there: the rest of the destruction is done;
/// - a key is there: the registration had ended, or the removal had not begun; the snapshot stays;
/// - neither: nobody can read the files, and they go.
///
/// Files that are in no entry of the journal are never touched.
pub(crate) fn recover(layout: &Layout, store: &dyn SnapshotStore) -> Result<()> {
    for id in durable::list(&layout.staging())? {
        if !is_snapshot_id(&id)
            || layout.snapshot_key(&id).exists() && !layout.certificate(&id).exists()
        {
            durable::remove_folder(&layout.staging().join(&id))?;
            continue;
        }
        if layout.certificate(&id).exists() {
            erase_key(layout, &id)?;
        }
        end(layout, store, &id)?;
    }
    // A backup that was put back may have brought a key with it.
    for certificate in certificates(layout)? {
        let id = &certificate.snapshot;
        if layout.snapshot_key(id).exists() {
            tracing::warn!(
                snapshot = id,
                "the key of a destroyed snapshot was there again; it is removed"
            );
            begin(layout, id)?;
            erase_key(layout, id)?;
            end(layout, store, id)?;
        }
    }
    Ok(())
}
