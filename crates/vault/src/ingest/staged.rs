//! A registration that is written and not yet a snapshot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::keys::DataKey;
use crate::layout::META_FILE;
use crate::population::Population;
use crate::snapshot::{SnapshotMeta, StoredMeta, key_place};
use crate::vault::{Inner, Lease};
use crate::{Result, VaultError, destroy, durable};

/// The folder a registration writes to, and its entry in the vault's journal. Dropping it removes both, and whatever
/// got into the store.
pub(crate) struct Staging {
    inner: Arc<Inner>,
    id: String,
    folder: PathBuf,
    /// Whether files may be in the store.
    placed: bool,
}

impl Staging {
    pub(crate) fn create(inner: &Arc<Inner>, id: String) -> Result<Self> {
        let layout = &inner.layout;
        let folder = layout.staged(&id);
        // The entry is durable before anything can reach the store: what a crash leaves there is found by it.
        destroy::begin(layout, &id)?;
        let staging = Self {
            inner: Arc::clone(inner),
            id,
            folder,
            placed: false,
        };
        durable::create_folder(&staging.folder)?;
        Ok(staging)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// For the sealed files, and for nothing else: whatever is in it becomes part of the snapshot.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let layout = &self.inner.layout;
        let committed = layout.snapshot_key(&self.id).exists();
        let cleared = if self.placed && !committed {
            destroy::end(layout, &*self.inner.store, &self.id)
        } else {
            durable::remove_folder(&layout.pending(&self.id))
        };
        // What cannot be removed now, opening the vault will remove.
        if cleared.is_err() {
            tracing::warn!(
                snapshot = self.id,
                "what a registration left could not be removed; it goes when the vault is opened"
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
        // A file that the metadata does not name would be one that nobody checks.
        if durable::list(&staging.folder)? != meta.all_files() {
            return Err(VaultError::Internal { action: "sealing" });
        }
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
        let inner = Arc::clone(&self.inner);
        let layout = &inner.layout;
        let id = &self.meta.shown.id;
        // A crash before this: the journal names the snapshot, it has no key, and what is there of it is cleared when
        // the vault is opened. The same holds for every crash up to the last step.
        self.staging.placed = true;
        inner
            .store
            .place(id, &self.staging.folder, &self.meta.all_files())?;
        // A crash here: the files are in their place and nobody can read them.
        for population in std::mem::take(&mut self.populations) {
            population.store(layout, &*inner.keeper)?;
        }
        // A crash here, or between two populations: they know ids that no row has. Harmless, and the next registration
        // uses them.
        let key_file = layout.snapshot_key(id);
        let wrapped = inner.keeper.wrap_key(&self.key, &key_place(id))?;
        // The snapshot exists when its key has its name: this is the commit.
        if let Err(error) = durable::replace(&key_file, &wrapped) {
            // The name may be there and not be durable. It must not be there: the caller hears that nothing is.
            durable::remove(&key_file)?;
            return Err(error);
        }
        // A crash after this: the snapshot is there, whole; its entry in the journal goes when the vault is opened.
        Ok(self.meta.shown.clone())
    }
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("id", &self.meta.shown.id)
            .finish_non_exhaustive()
    }
}
