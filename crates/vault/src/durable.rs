//! Files that survive a crash: written, flushed, and only then given their name.
//!
//! Every change that the vault makes to a disk or a store goes through [`step`], and nothing outside this module and
//! the stores changes a file. So the tests can fail, or end the process, before and after each one, and a new step
//! cannot be forgotten (`vault/tests/faults.rs`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::{Result, VaultError};

/// Ending of a file that is being written and does not have its name yet.
pub(crate) const UNFINISHED: &str = "new";

/// One change to a disk or a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Op {
    /// A file comes into being, empty.
    Create,
    /// A folder comes into being.
    CreateFolder,
    /// Bytes are written; the disk may be full.
    Write,
    /// A file's bytes are flushed.
    Flush,
    /// A folder's names are flushed.
    FlushFolder,
    /// A file or folder gets another name.
    Rename,
    /// A file is removed.
    Remove,
    /// A folder is removed with all that is in it.
    RemoveFolder,
    /// An object is put into the store.
    Put,
    /// An object is deleted from the store.
    Delete,
}

/// Makes one change. In tests it is also a place where the change is lost, lands and yet fails, or ends the process.
#[cfg_attr(not(test), inline)]
pub(crate) fn step<T>(op: Op, path: &Path, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    crate::faults::before(op, path)?;
    #[cfg(not(test))]
    let _ = (op, path);
    let done = act()?;
    #[cfg(test)]
    crate::faults::after(op, path)?;
    Ok(done)
}

/// Options that create a file nobody else may read and that must not exist yet.
fn private_new() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a file (0600) that must not exist yet.
pub(crate) fn create_file(path: &Path) -> Result<File> {
    step(Op::Create, path, || private_new().open(path)).map_err(VaultError::io("create", path))
}

/// Writes to a file that is being made.
pub(crate) fn write_some(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
    step(Op::Write, path, || file.write(bytes))
}

/// Flushes a file's bytes.
pub(crate) fn flush_file(file: &File, path: &Path) -> Result<()> {
    step(Op::Flush, path, || file.sync_all()).map_err(VaultError::io("flush", path))
}

/// Creates a folder (0700) and its parents.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    step(Op::CreateFolder, path, || builder.create(path)).map_err(VaultError::io("create", path))
}

/// Makes renames, creations and removals in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    step(Op::FlushFolder, folder, || File::open(folder)?.sync_all())
        .map_err(VaultError::io("flush", folder))
}

/// Writes a new file and flushes it. The file must not exist.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create_file(path)?;
    step(Op::Write, path, || file.write_all(bytes)).map_err(VaultError::io("write", path))?;
    flush_file(&file, path)
}

/// Replaces a file, or creates it, in one step: a reader, or a crash, sees the old bytes or the new ones.
///
/// After an error either may be there: the last thing that can fail is the flush of the new name.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = unfinished(path);
    remove_if_there(&unfinished)?;
    let replaced = write_new(&unfinished, bytes).and_then(|()| rename(&unfinished, path));
    if replaced.is_err() {
        // Not to wait for the next opening, which would clear it.
        let _ = fs::remove_file(&unfinished);
    }
    replaced
}

/// Renames and makes the rename durable in both folders.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    step(Op::Rename, to, || fs::rename(from, to)).map_err(VaultError::io("rename", from))?;
    sync_folder_of(to)?;
    if from.parent() == to.parent() {
        return Ok(());
    }
    sync_folder_of(from)
}

fn sync_folder_of(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// Removes a file; it is fine if there is none.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    step(Op::Remove, path, || fs::remove_file(path)).map_err(VaultError::io("remove", path))
}

/// Removes a file and makes that durable; it is fine if there is none.
pub(crate) fn remove(path: &Path) -> Result<()> {
    remove_if_there(path)?;
    sync_folder_of(path)
}

/// Removes a folder with all that is in it; it is fine if there is none.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    step(Op::RemoveFolder, path, || fs::remove_dir_all(path))
        .map_err(VaultError::io("remove", path))
}

/// Overwrites a file in place, removes it and makes that durable; it is fine if there is none.
///
/// Overwriting is for disks that write in place. One that does not (a copying file system, flash) may keep the old
/// bytes until it needs their room; what makes a destroyed key useless there is that it is wrapped.
pub(crate) fn erase(path: &Path, noise: &[u8]) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let length = fs::metadata(path)
        .map_err(VaultError::io("read", path))?
        .len();
    let overwritten: Vec<u8> = noise
        .iter()
        .copied()
        .cycle()
        .take(usize::try_from(length).unwrap_or(noise.len()))
        .collect();
    let file = OpenOptions::new().write(true).open(path);
    let mut file = file.map_err(VaultError::io("open", path))?;
    step(Op::Write, path, || file.write_all(&overwritten))
        .map_err(VaultError::io("write", path))?;
    flush_file(&file, path)?;
    remove_if_there(path)?;
    sync_folder_of(path)
}

/// Reads a whole file of at most `limit` bytes; `None` where there is none.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VaultError::io("read", path)(error)),
    };
    let mut bytes = Vec::new();
    let read = file
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(VaultError::io("read", path))?;
    if read as u64 > limit {
        return Err(VaultError::io("read", path)(
            io::ErrorKind::FileTooLarge.into(),
        ));
    }
    Ok(Some(bytes))
}

/// The names in a folder, sorted; none where there is no such folder.
pub(crate) fn list_if_there(folder: &Path) -> Result<Vec<String>> {
    if folder.is_dir() {
        list(folder)
    } else {
        Ok(Vec::new())
    }
}

/// The names in a folder, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<String>> {
    let error = VaultError::io("list", folder);
    let names: io::Result<Vec<_>> = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    });
    let mut names = names.map_err(error)?;
    names.sort();
    Ok(names)
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    name.into()
}
