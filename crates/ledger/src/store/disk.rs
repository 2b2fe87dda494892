//! The durable steps: every change the ledger makes to its folder goes through here, one step at a time, so that tests
//! can stop after each.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

/// The steps. An implementation does what the name says, or fails; a failed step may have happened all the same.
pub trait Disk: Send + Sync {
    /// Makes one folder that others may not look into.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Writes a whole file, replacing what was there, and makes its bytes durable; its name need not be.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes into a file at `offset`, or at its end, and makes that durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn append(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Gives a file another length, durably: what it grows by is zeros.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn set_length(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Puts a file in the place of another, atomically.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// What is written at a time, in bytes.
const WRITTEN_BYTES: usize = 1 << 20;

/// The file system.
#[derive(Debug, Clone, Copy)]
pub struct OsDisk;

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

impl Disk for OsDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(path)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()
    }

    fn append(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = writable(path)?;
        let mut at = offset;
        for part in bytes.chunks(WRITTEN_BYTES) {
            file.write_all_at(part, at)?;
            if bytes.len() > WRITTEN_BYTES {
                // The disk begins with it now, and not once all is written. Where it does not, it is waited for longer.
                let length = NonZeroU64::new(part.len() as u64);
                let _ = fadvise(&file, at, length, Advice::DontNeed);
            }
            at += part.len() as u64;
        }
        // With a length that has changed, where it has.
        file.sync_data()
    }

    fn set_length(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = writable(path)?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
