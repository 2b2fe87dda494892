//! Where the sealed files of snapshots lie: the vault's own folder, or an object store.
//!
//! Only `snapshots/<id>/…` is in a store. Keys, population maps, certificates and the journal stay in the vault's
//! folder: an object store has no rename and no lock, and a thief of the store must find no key.
//!
//! **What a store promises.** After [`SnapshotStore::place`] every named file is there whole, durably. Nothing else is
//! promised: not that several files appear at once, not that a crash leaves none of them. What makes a snapshot exist
//! is its wrapped key, which is given its name last and removed first, in the vault's folder.

mod folder;
mod objects;
mod s3;

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::Result;
pub(crate) use folder::FolderStore;
pub(crate) use objects::ObjectsStore;
pub use s3::{S3Credentials, S3Settings};

/// Where a vault's snapshots lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StoreSettings {
    /// In the vault's folder.
    #[default]
    Folder,
    /// In a bucket of an S3-compatible store.
    S3(S3Settings),
    /// A folder that plays an object store.
    #[cfg(test)]
    Objects(std::path::PathBuf),
}

impl StoreSettings {
    /// What the store is, for messages.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Folder => "the vault's folder".to_owned(),
            Self::S3(settings) => settings.place(),
            #[cfg(test)]
            Self::Objects(folder) => folder.display().to_string(),
        }
    }

    /// The object store; `None` where the snapshots lie in the vault's folder.
    pub(crate) fn objects(&self) -> Result<Option<ObjectsStore>> {
        match self {
            Self::Folder => Ok(None),
            Self::S3(settings) => settings.open().map(Some),
            #[cfg(test)]
            Self::Objects(folder) => {
                let store = object_store::local::LocalFileSystem::new_with_prefix(folder)
                    .map_err(|_| crate::VaultError::Internal {
                        action: "opening a test's store",
                    })?
                    .with_automatic_cleanup(true);
                ObjectsStore::new(store, "", self.place()).map(Some)
            }
        }
    }
}

/// Keeps the sealed files of snapshots. All calls but [`StoredFile::read`] block.
pub(crate) trait SnapshotStore: Send + Sync {
    /// Gives the files in `staged` their place. What a failed call leaves, [`SnapshotStore::remove`] takes away.
    fn place(&self, id: &str, staged: &Path, files: &[String]) -> Result<()>;

    /// The names of a snapshot's files, sorted; none where there is no such snapshot.
    fn list(&self, id: &str) -> Result<Vec<String>>;

    /// A whole small file; `None` where there is none.
    fn read(&self, id: &str, file: &str, limit: u64) -> Result<Option<Vec<u8>>>;

    /// A file to be read piece by piece; `None` where there is none.
    fn open(&self, id: &str, file: &str) -> Result<Option<Box<dyn StoredFile>>>;

    /// Removes every file of a snapshot; it is fine if there is none.
    fn remove(&self, id: &str) -> Result<()>;
}

/// A sealed file in a store.
pub(crate) trait StoredFile: Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> u64;

    /// Reads the file once, from its beginning to its end, and shows every piece. Blocks.
    fn each_piece(&self, show: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Reads one range. Blocks.
    fn read_now(&self, range: Range<u64>) -> Result<Bytes>;

    /// Reads some ranges without blocking the thread that asks.
    fn read(
        &self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'static, parquet::errors::Result<Vec<Bytes>>>;
}
