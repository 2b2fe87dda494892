//! Generated line items, registered once and kept sealed; the same rows in the clear for those who read no sealed files.

mod clear;
mod lineitem;
mod sealed;

pub(crate) use clear::write_clear;
pub(crate) use lineitem::{manifest, write_csv};
pub(crate) use sealed::{Sealed, new_vault};

use std::path::{Path, PathBuf};

use crate::error::{BenchError, Result};

/// Makes a folder that is there and empty.
pub(crate) fn empty(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| BenchError::file(folder, error))?;
    }
    made(folder)
}

/// Makes a folder where there is none.
pub(crate) fn made(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|error| BenchError::file(folder, error))?;
    Ok(folder.to_owned())
}

/// Has the system forget what it holds of a folder's files in memory: the next read is cold.
pub(crate) fn forget_cached(folder: &Path) -> Result<()> {
    let wrong = |error: std::io::Error| BenchError::file(folder, error);
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.is_dir() {
            forget_cached(&path)?;
        } else if let Ok(file) = std::fs::File::open(&path) {
            // Pages that were not written yet would stay.
            let _ = file.sync_all();
            let advice = rustix::fs::Advice::DontNeed;
            rustix::fs::fadvise(&file, 0, None, advice)
                .map_err(|error| BenchError::file(&path, error))?;
        }
    }
    Ok(())
}
