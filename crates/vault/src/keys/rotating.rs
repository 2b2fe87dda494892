//! A master key in a file that can be changed for another one while the vault is open.
//!
//! The next key is stored beside the one in force, under its name and [`NEXT`]. While both are there, wrapped keys may be
//! under either: the next one is tried first, and what is wrapped is wrapped under it. The steps are those of
//! [`Vault::rotate`](crate::Vault::rotate).

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{DataKey, KeyKeeper, MasterKey};
use crate::{Result, durable, seal};

/// What the file of the next key is called by: the file's name and this.
const NEXT: &str = "next";
/// Random bytes that the file of the last key is overwritten with.
const NOISE_BYTES: usize = 64;

/// The master key of a domain, in a file. Clones are the same keeper.
#[derive(Debug, Clone)]
pub struct FileKeeper {
    path: PathBuf,
    keys: Arc<RwLock<Keys>>,
}

#[derive(Debug)]
struct Keys {
    current: MasterKey,
    /// While keys may still be wrapped under it.
    previous: Option<MasterKey>,
    /// Whether `current` is in the file of the next key.
    is_pending: bool,
}

impl FileKeeper {
    /// Opens the keeper whose key is in `path`, as [`MasterKey::create`] made it.
    ///
    /// # Errors
    /// As [`MasterKey::load`].
    pub fn open(path: &Path) -> Result<Self> {
        let next = next_of(path);
        let keys = if next.exists() {
            Keys {
                // Whole if it is there: it gets its name last.
                current: MasterKey::load(&next)?,
                // Gone, or overwritten, once nothing is wrapped under it any more.
                previous: MasterKey::load(path).ok(),
                is_pending: true,
            }
        } else {
            Keys {
                current: MasterKey::load(path)?,
                previous: None,
                is_pending: false,
            }
        };
        Ok(Self {
            path: path.to_owned(),
            keys: Arc::new(RwLock::new(keys)),
        })
    }

    /// Whether a rotation has begun and not ended.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.read().is_pending
    }

    /// Makes the next key, durably, and wraps under it from here on. One that was begun goes on.
    pub(crate) fn begin(&self) -> Result<()> {
        let mut keys = self.write();
        if keys.is_pending {
            return Ok(());
        }
        let file = next_of(&self.path);
        if !file.exists() {
            durable::replace(&file, MasterKey::random()?.to_text().as_bytes())?;
        }
        let next = MasterKey::load(&file)?;
        keys.previous = Some(std::mem::replace(&mut keys.current, next));
        keys.is_pending = true;
        Ok(())
    }

    /// Unwraps with the key in force alone.
    pub(crate) fn unwrap_current(&self, wrapped: &[u8], place: &str) -> Result<Option<DataKey>> {
        self.read().current.unwrap_key(wrapped, place)
    }

    /// Overwrites and removes the last key, and gives its name to the next one. Nothing may be wrapped under the last one
    /// any more.
    pub(crate) fn end(&self) -> Result<()> {
        let mut keys = self.write();
        // A crash here: the last key is gone or noise, and the next one is there under its own name, which is enough.
        durable::erase(&self.path, &seal::random::<NOISE_BYTES>()?)?;
        durable::rename(&next_of(&self.path), &self.path)?;
        keys.previous = None;
        keys.is_pending = false;
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyKeeper for FileKeeper {
    fn wrap_key(&self, key: &DataKey, place: &str) -> Result<Vec<u8>> {
        self.read().current.wrap_key(key, place)
    }

    fn unwrap_key(&self, wrapped: &[u8], place: &str) -> Result<Option<DataKey>> {
        let keys = self.read();
        match (keys.current.unwrap_key(wrapped, place)?, &keys.previous) {
            (None, Some(previous)) => previous.unwrap_key(wrapped, place),
            (unwrapped, _) => Ok(unwrapped),
        }
    }
}

/// The file of the next key.
fn next_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(NEXT);
    name.into()
}
