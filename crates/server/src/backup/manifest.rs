//! `backup.json`: what a backup is of, and every file of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::damaged;
use crate::authority::file_fault;
use crate::fault::Fault;

/// Version of the file, and of the folder it describes.
const VERSION: u32 = 1;

/// Its name.
pub(super) const MANIFEST: &str = "backup.json";

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) version: u32,
    /// The version of Weir that made it.
    pub(super) weir: String,
    pub(super) domain: String,
    /// RFC 3339, UTC.
    pub(super) made_at: String,
    /// Where the domain was: paths of its settings that lead there lead to the new place once it is restored.
    pub(super) root: String,
    /// Whether sealed files lie in a store, and so not here.
    pub(super) store_elsewhere: bool,
    pub(super) log_entries: u64,
    pub(super) files: Vec<FileRecord>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRecord {
    /// Relative to the backup, with `/`.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// SHA-256, in hexadecimal.
    pub(super) sha256: String,
}

impl Manifest {
    pub(super) const fn version() -> u32 {
        VERSION
    }

    pub(super) fn to_text(&self) -> Result<String, Fault> {
        serde_json::to_string_pretty(self).map_err(|_| {
            Fault::bug(
                "BUG_BACKUP",
                "the list of a backup's files cannot be written. Please report this",
            )
        })
    }

    pub(super) fn read(backup: &Path) -> Result<Self, Fault> {
        let file = backup.join(MANIFEST);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::caller(
                    "BACKUP_NOT_FOUND",
                    format!(
                        "`{}` is no backup: it has no `{MANIFEST}`, or making it was interrupted. Name the folder that `weir \
                         backup create` made",
                        backup.display()
                    ),
                ));
            }
            Err(error) => return Err(file_fault(&file, &error)),
        };
        let manifest: Self = serde_json::from_str(&text)
            .map_err(|_| damaged(format!("`{MANIFEST}` cannot be read")))?;
        if manifest.version != VERSION {
            return Err(Fault::caller(
                "BACKUP_VERSION",
                format!(
                    "the backup was made by Weir {} in a format that this version does not read. Restore it with that one",
                    manifest.weir
                ),
            ));
        }
        match manifest.files.iter().find(|file| !is_inside(&file.name)) {
            Some(file) => Err(damaged(format!(
                "`{}` is no name of a file in it",
                file.name
            ))),
            None => Ok(manifest),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }
}

/// Names come from a file that anybody may have written, and become paths.
fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::is_inside;

    #[test]
    fn names_lead_nowhere_else() {
        assert!(is_inside("vault/keys/snapshot-x.key"));
        for name in ["", "/etc/passwd", "a//b", "../x", "a/../b", "a/.", "a/"] {
            assert!(!is_inside(name), "{name}");
        }
    }
}
