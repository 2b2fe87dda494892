//! Files that survive a crash: written, flushed, and only then given their name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::{Result, VaultError};

/// Ending of a file that is being written and does not have its name yet.
pub(crate) const UNFINISHED: &str = "new";

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
    private_new()
        .open(path)
        .map_err(VaultError::io("create", path))
}

/// Creates a folder (0700) and its parents.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(VaultError::io("create", path))
}

/// Makes renames, creations and removals in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(VaultError::io("flush", folder))
}

/// Writes a new file and flushes it. The file must not exist.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create_file(path)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(VaultError::io("write", path))
}

/// Replaces a file, or creates it, in one step: a reader, or a crash, sees the old bytes or the new ones.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = unfinished(path);
    remove_if_there(&unfinished)?;
    write_new(&unfinished, bytes)?;
    rename(&unfinished, path)
}

/// Renames and makes the rename durable in both folders.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(VaultError::io("rename", from))?;
    for folder in [from.parent(), to.parent()].into_iter().flatten() {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Removes a file; it is fine if there is none.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(VaultError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Reads a whole file of at most `limit` bytes; `None` where there is none.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VaultError::io("read", path)(error)),
    };
    let mut bytes = Vec::new();
    let read = file
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(VaultError::io("read", path))?;
    if read as u64 > limit {
        return Err(VaultError::io("read", path)(
            std::io::ErrorKind::FileTooLarge.into(),
        ));
    }
    Ok(Some(bytes))
}

/// The names in a folder, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<String>> {
    let error = VaultError::io("list", folder);
    let names: std::io::Result<Vec<_>> = fs::read_dir(folder).and_then(|entries| {
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
