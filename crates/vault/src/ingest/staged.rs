//! A registration that is written and not yet a snapshot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::keys::DataKey;
use crate::layout::META_FILE;
use crate::population::Population;
use crate::snapshot::{SnapshotMeta, StoredMeta, key_place};
use crate::vault::{Inner, Lease};
use crate::{Result, durable};

/// The folder a registration writes to. Dropping it removes the folder and all that is in it.
pub(crate) struct Staging {
    id: String,
    folder: PathBuf,
}

impl Staging {
    pub(crate) fn create(inner: &Inner, id: String) -> Result<Self> {
        let folder = inner.layout.staged(&id);
        durable::create_folder(&folder)?;
        Ok(Self { id, folder })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a commit the folder has another name and nothing is removed. What cannot be removed now, opening the
        // vault will remove.
        if self.folder.exists() && std::fs::remove_dir_all(&self.folder).is_err() {
            tracing::warn!(
                snapshot = self.id,
                "a staging folder could not be removed; it goes when the vault is opened"
            );
        }
    }
}

/// A registration that is checked, sorted and sealed, and that nobody can read yet.
///
/// [`Staged::commit`] makes it a snapshot; dropping it removes every trace. Until then no other dataset of its
/// populations can be registered.
#[must_use = "dropping it removes what was registered"]
pub struct Staged {
    inner: Arc<Inner>,
    staging: Staging,
    key: DataKey,
    meta: StoredMeta,
    populations: Vec<Population>,
    _leases: Vec<Lease>,
}

impl Staged {
    pub(crate) fn new(
        inner: Arc<Inner>,
        staging: Staging,
        key: DataKey,
        meta: StoredMeta,
        populations: Vec<Population>,
        leases: Vec<Lease>,
    ) -> Result<Self> {
        // The data files were flushed as they ended; with the metadata the folder is complete.
        durable::write_new(&staging.folder.join(META_FILE), &meta.seal(&key)?)?;
        durable::sync_folder(&staging.folder)?;
        Ok(Self {
            inner,
            staging,
            key,
            meta,
            populations,
            _leases: leases,
        })
    }

    /// What the snapshot will be.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta.shown
    }

    /// Makes it a snapshot, durably.
    ///
    /// # Errors
    /// When a file cannot be written. Then there is no snapshot; unit ids handed out may stay, which harms nothing.
    pub fn commit(mut self) -> Result<SnapshotMeta> {
        let layout = &self.inner.layout;
        let id = &self.meta.shown.id;
        // A crash before this: the staging folder is cleared when the vault is opened.
        for population in std::mem::take(&mut self.populations) {
            population.store(layout, &*self.inner.keeper)?;
        }
        // A crash here, or between two populations: they know ids that no row has. Harmless, and the next registration uses them.
        let key_file = layout.snapshot_key(id);
        durable::replace(
            &key_file,
            &self.inner.keeper.wrap_key(&self.key, &key_place(id))?,
        )?;
        // A crash here: a key without a snapshot, cleared when the vault is opened.
        let renamed = durable::rename(&self.staging.folder, &layout.snapshot(id));
        if renamed.is_err() && !layout.snapshot(id).exists() {
            let _ = durable::remove_if_there(&key_file);
        }
        // A crash after this: the snapshot is there, whole.
        renamed.map(|()| self.meta.shown.clone())
    }
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("id", &self.meta.shown.id)
            .finish_non_exhaustive()
    }
}
