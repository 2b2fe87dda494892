//! Changing the master key: every wrapped key under the next one, while the vault is in use.
//!
//! The order of the steps, each durable before the next:
//!
//! 1. *The next key* is in a file of its own. From here on both open what is wrapped, and what is wrapped is wrapped under
//!    the next one. A crash: opening finds the file, and the rotation goes on.
//! 2. *Each wrapped key* is replaced by the same key, wrapped under the next one; each by itself, so that a crash leaves
//!    some of either kind. The data is not touched.
//! 3. *All are read back* with the next key alone.
//! 4. *On record.* The caller's step: a crash after it has it recorded twice.
//! 5. *The last key* is overwritten and removed. A crash: the next key is there under its own name, and nothing is wrapped
//!    under another.
//! 6. *The next key* gets the name of the last one.
//!
//! Nobody may register or destroy meanwhile: a key that was wrapped before step 1 must not be stored after step 3.

use crate::head::Head;
use crate::keys::{FileKeeper, KeyKeeper};
use crate::layout::{Layout, population_of_key, snapshot_of_key};
use crate::limits::META_BYTES_MAX;
use crate::{Result, Vault, VaultError, durable, population, snapshot};

impl Vault {
    /// Changes the master key, or goes on with a change that a crash cut off. `keeper` is the vault's own; `on_record` is
    /// called once everything is wrapped under the next key. Answers how many keys there are. The caller keeps others from
    /// registering and destroying meanwhile.
    ///
    /// # Errors
    /// [`VaultError::KeyDamaged`] for a wrapped key that does not open; where the disk refuses; those of `on_record`. Calling
    /// it again goes on where it ended.
    pub fn rotate<E: From<VaultError>>(
        &self,
        keeper: &FileKeeper,
        on_record: impl FnOnce() -> Result<(), E>,
    ) -> Result<usize, E> {
        let layout = &self.inner().layout;
        keeper.begin()?;
        let wrapped = wrapped_keys(layout)?;
        for key in &wrapped {
            key.rewrap(layout, keeper)?;
        }
        let mut head = Head::read(layout)?;
        head.rewrap(layout, keeper)?;
        head.write(layout)?;
        for key in &wrapped {
            key.check(layout, keeper)?;
        }
        Head::read(layout)?.check_current(layout, keeper)?;
        on_record()?;
        keeper.end()?;
        Ok(wrapped.len() + 1)
    }
}

/// A wrapped key: its file's name, and what it is bound to.
struct Wrapped {
    file: String,
    place: String,
}

fn wrapped_keys(layout: &Layout) -> Result<Vec<Wrapped>> {
    let mut keys = Vec::new();
    for file in durable::list(&layout.keys())? {
        let place = match (snapshot_of_key(&file), population_of_key(&file)) {
            (Some(id), _) => snapshot::key_place(id),
            (None, Some(name)) => population::key_place(name),
            (None, None) => continue,
        };
        keys.push(Wrapped { file, place });
    }
    Ok(keys)
}

impl Wrapped {
    fn rewrap(&self, layout: &Layout, keeper: &dyn KeyKeeper) -> Result<()> {
        let path = layout.keys().join(&self.file);
        let Some(wrapped) = durable::read_if_there(&path, META_BYTES_MAX)? else {
            return Ok(());
        };
        let key = keeper.unwrap_key(&wrapped, &self.place)?;
        let key = key.ok_or_else(|| self.damaged())?;
        durable::replace(&path, &keeper.wrap_key(&key, &self.place)?)
    }

    fn check(&self, layout: &Layout, keeper: &FileKeeper) -> Result<()> {
        let path = layout.keys().join(&self.file);
        let Some(wrapped) = durable::read_if_there(&path, META_BYTES_MAX)? else {
            return Ok(());
        };
        let key = keeper.unwrap_current(&wrapped, &self.place)?;
        key.map(drop).ok_or_else(|| self.damaged())
    }

    fn damaged(&self) -> VaultError {
        VaultError::KeyDamaged {
            name: self.file.clone(),
        }
    }
}
