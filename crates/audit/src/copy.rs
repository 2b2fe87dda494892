//! Copying a log while its writer goes on.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::disk::{make_dir_all, sync_parent};
use crate::error::AuditError;
use crate::files::Files;
use crate::key::VerifierKey;
use crate::layout::{CHECKPOINT, COSIGNED, Kind, Slot};

/// Copies the log in `from` to the new directory `to`: the checkpoint in force and what it covers, and nothing beyond. It
/// takes no lock; the log may be growing meanwhile. What it copies it does not check: [`verify_log`](crate::verify_log) does.
/// `copied` hears the name of each file, relative to the directory.
///
/// What witnesses have cosigned is read before the checkpoint, so the copy never knows of more than it has.
///
/// # Errors
/// `AUDIT_LOG_EXISTS` where `to` has a log; `AUDIT_NO_LOG`, `AUDIT_CHECKPOINT_UNSIGNED`, `AUDIT_FILE_MISSING` and others of
/// reading; `AUDIT_IO`.
pub fn copy_log(
    from: &Path,
    to: &Path,
    key: &VerifierKey,
    copied: &mut dyn FnMut(&str),
) -> Result<Checkpoint, AuditError> {
    let files = Files::new(from);
    if Files::new(to).exists(CHECKPOINT)? {
        return Err(AuditError::LogExists {
            dir: to.to_owned(),
            found: CHECKPOINT,
        });
    }
    let cosigned = files.cosigned(key)?;
    let checkpoint = files.checkpoint(key)?;
    let mut write = |name: &str, bytes: &[u8]| {
        let path = to.join(name);
        write_synced(&path, bytes).map_err(|error| AuditError::io("write", &path, error))?;
        copied(name);
        Ok::<_, AuditError>(())
    };
    for kind in Slot::kinds() {
        let edge = kind.edge(checkpoint.size()).index;
        for slot in (0..=edge).map(|index| Slot { kind, index }) {
            let width = slot.width_in(checkpoint.size());
            if width == 0 {
                continue;
            }
            // Cut to what the checkpoint covers, where the log has grown since it was read.
            let found = match kind {
                Kind::Entries => files.bundle(slot.index, width)?,
                Kind::Hashes(_) => files.tile(slot, width)?,
            };
            write(&slot.path(width), &found.bytes)?;
        }
    }
    if let Some(cosigned) = cosigned {
        write(COSIGNED, cosigned.note().as_bytes())?;
    }
    // Last: without it the directory is no log.
    write(CHECKPOINT, checkpoint.note().as_bytes())?;
    Ok(checkpoint)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        make_dir_all(parent)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(bytes)?;
    File::sync_all(&file)?;
    sync_parent(path)
}
