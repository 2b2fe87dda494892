//! The durable steps: every change a log makes to its directory goes through here, one step at a time, so that tests
//! can stop after each.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::AuditError;
use crate::layout::LOCK;

/// The steps. An implementation does what the name says, or fails; a failed step may have happened all the same.
pub trait Disk: Send + Sync {
    /// Makes one directory.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// Writes a whole file, replacing what was there; its bytes are durable when this returns, its name need not be.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes a whole file, replacing what was there; nothing of it is durable before [`Disk::sync_file`].
    ///
    /// # Errors
    /// Whatever the disk says.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Writes over a part of a file, durably.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Puts a file in the place of another, atomically.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.write_all_at(bytes, offset)?;
        // The file keeps its length: its bytes are all there is to wait for.
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }
}

/// Makes the name of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => OsDisk.sync_dir(parent),
        _ => OsDisk.sync_dir(Path::new(".")),
    }
}

/// Makes a directory and what is missing above it, durably.
pub(crate) fn make_dir_all(dir: &Path) -> io::Result<()> {
    if dir == Path::new("") || dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir_all(parent)?;
    }
    OsDisk.make_dir(dir)?;
    sync_parent(dir)
}

/// Publishes files below a directory: each appears whole or not at all, and stays.
pub(crate) struct Publisher {
    root: PathBuf,
    disk: Box<dyn Disk>,
    /// Directories whose own names are known to be durable. A directory that merely exists may be one that a crash
    /// left before its name was made durable, so being there is not enough.
    durable_dirs: Mutex<HashSet<PathBuf>>,
}

impl Publisher {
    pub(crate) fn new(root: &Path, disk: Box<dyn Disk>) -> Self {
        Self {
            root: root.to_owned(),
            disk,
            durable_dirs: Mutex::new(HashSet::new()),
        }
    }

    /// Makes `name` (relative, with `/`) hold `bytes`, durably, by way of the file `tmp` in the root.
    pub(crate) fn publish(&self, name: &str, tmp: &str, bytes: &[u8]) -> Result<(), AuditError> {
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(&self.root);
        self.make_dirs(parent)?;
        let tmp = self.root.join(tmp);
        // A crash here leaves a temporary file, perhaps cut short: nobody reads `write.tmp`, and `checkpoint.tmp` counts
        // only if it is whole (its signature covers every byte).
        self.disk
            .write_synced(&tmp, bytes)
            .map_err(|error| AuditError::io("write", &tmp, error))?;
        self.settle(&tmp, &path)
    }

    /// The second half of [`Publisher::publish`]: a complete temporary file takes its place.
    pub(crate) fn settle(&self, tmp: &Path, path: &Path) -> Result<(), AuditError> {
        // A crash here leaves the old file or the new one, never a mixture.
        self.disk
            .rename(tmp, path)
            .map_err(|error| AuditError::io("rename into place", path, error))?;
        // A crash before this returns may bring the old file back after a power failure. Nothing that relies on the new
        // one is written until it has returned.
        self.sync_dir(path.parent().unwrap_or(&self.root))
    }

    /// As [`Publisher::publish`], but nothing is waited for: after a loss of power the file may be the old one, the new one or
    /// cut short. Whoever calls this can write it again.
    pub(crate) fn put(&self, name: &str, tmp: &str, bytes: &[u8]) -> Result<(), AuditError> {
        let path = self.root.join(name);
        self.make_dirs(path.parent().unwrap_or(&self.root))?;
        let tmp = self.root.join(tmp);
        self.disk
            .write(&tmp, bytes)
            .map_err(|error| AuditError::io("write", &tmp, error))?;
        self.disk
            .rename(&tmp, &path)
            .map_err(|error| AuditError::io("rename into place", &path, error))
    }

    /// Writes over a part of a file, durably.
    pub(crate) fn write_at(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), AuditError> {
        let path = self.root.join(name);
        self.disk
            .write_at(&path, at, bytes)
            .map_err(|error| AuditError::io("write", &path, error))
    }

    /// Makes the bytes of a file durable, and not its name.
    pub(crate) fn sync_file(&self, name: &str) -> Result<(), AuditError> {
        let path = self.root.join(name);
        self.disk
            .sync_file(&path)
            .map_err(|error| AuditError::io("make durable", &path, error))
    }

    /// The folder that a file's name is in.
    pub(crate) fn folder_of(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        path.parent().unwrap_or(&self.root).to_owned()
    }

    /// Makes the names in `dir` durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), AuditError> {
        self.disk
            .sync_dir(dir)
            .map_err(|error| AuditError::io("make durable the directory", dir, error))
    }

    /// Removes a file; one that is gone already is fine. Not durable: a removal that comes undone does no harm.
    pub(crate) fn remove(&self, name: &str) -> Result<(), AuditError> {
        let path = self.root.join(name);
        absent_is_fine(self.disk.remove_file(&path))
            .map_err(|error| AuditError::io("remove", &path, error))
    }

    /// Removes an empty directory; one that is gone already is fine, and so is one that holds foreign files.
    pub(crate) fn remove_dir(&self, name: &str) -> Result<(), AuditError> {
        let path = self.root.join(name);
        self.durable_dirs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&path);
        let removed = match self.disk.remove_dir(&path) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            other => absent_is_fine(other),
        };
        removed.map_err(|error| AuditError::io("remove the directory", &path, error))
    }

    /// Makes `dir` and what is missing above it, up to the root (which exists), durably.
    fn make_dirs(&self, dir: &Path) -> Result<(), AuditError> {
        if dir == self.root
            || self
                .durable_dirs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(dir)
        {
            return Ok(());
        }
        let parent = dir.parent().unwrap_or(&self.root);
        self.make_dirs(parent)?;
        match self.disk.make_dir(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(AuditError::io("create the directory", dir, error));
            }
            _ => {}
        }
        // A crash before this returns may lose the directory and all in it; so it comes before anything in it counts.
        self.sync_dir(parent)?;
        self.durable_dirs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(dir.to_owned());
        Ok(())
    }
}

/// Takes the lock of a directory: it is held as long as the file is open, by one process.
pub(crate) fn lock(dir: &Path) -> Result<File, AuditError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(|error| AuditError::io("open the lock file", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AuditError::Locked {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(AuditError::io("lock", &path, error)),
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
