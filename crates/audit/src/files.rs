//! Reading a log's directory, distrustfully: every file has a greatest length and must be a regular file.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use tlog_tiles::HASH_SIZE;

use crate::bundle::{self, BUNDLE_BYTES_MAX};
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::error::AuditError;
use crate::key::VerifierKey;
use crate::layout::{CHECKPOINT, COSIGNED, Slot, TILE_WIDTH};
use crate::tree::TILE_BYTES;

/// A file of the log, as it was found.
pub(crate) struct Found {
    /// Relative to the log's directory.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The files of a log.
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Whether anything has this name.
    pub(crate) fn exists(&self, name: &str) -> Result<bool, AuditError> {
        let path = self.path(name);
        path.try_exists()
            .map_err(|error| AuditError::io("look for", &path, error))
    }

    /// The length of a file, in bytes; `None` when there is none.
    pub(crate) fn length(&self, name: &str) -> Result<Option<u64>, AuditError> {
        let path = self.path(name);
        match fs::metadata(&path) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(AuditError::io("look for", &path, error)),
        }
    }

    /// A whole file, or `None` when there is none.
    pub(crate) fn read(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, AuditError> {
        let path = self.path(name);
        match read_limited(&path, bytes_max) {
            Ok(Content::Bytes(bytes)) => Ok(Some(bytes)),
            Ok(Content::NotAFile) => Err(AuditError::NotAFile {
                file: name.to_owned(),
            }),
            Ok(Content::TooLong(bytes)) => Err(AuditError::FileLength {
                file: name.to_owned(),
                bytes,
                expected: format!("at most {bytes_max}"),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(AuditError::io("read", &path, error)),
        }
    }

    /// The published checkpoint, verified.
    pub(crate) fn checkpoint(&self, key: &VerifierKey) -> Result<Checkpoint, AuditError> {
        let bytes = self
            .read(CHECKPOINT, CHECKPOINT_BYTES_MAX)?
            .ok_or_else(|| AuditError::NoLog {
                dir: self.root.clone(),
            })?;
        Checkpoint::read(CHECKPOINT, &bytes, key)
    }

    /// The newest checkpoint that witnesses have cosigned, verified.
    pub(crate) fn cosigned(&self, key: &VerifierKey) -> Result<Option<Checkpoint>, AuditError> {
        let bytes = self.read(COSIGNED, CHECKPOINT_BYTES_MAX)?;
        bytes
            .map(|bytes| Checkpoint::read(COSIGNED, &bytes, key))
            .transpose()
    }

    /// The first `width` hashes of a slot: from its partial file, or else from its full one. A log drops partial files
    /// once the full one is there, which may be between somebody's reading the checkpoint and reading the tile.
    pub(crate) fn tile(&self, slot: Slot, width: u32) -> Result<Found, AuditError> {
        let expected_bytes = width as usize * HASH_SIZE;
        if let Some(found) = self.found(slot.path(width), TILE_BYTES)? {
            return exact(found, expected_bytes);
        }
        if width < TILE_WIDTH
            && let Some(found) = self.found(slot.full_path(), TILE_BYTES)?
        {
            let mut found = exact(found, TILE_BYTES)?;
            found.bytes.truncate(expected_bytes);
            return Ok(found);
        }
        Err(AuditError::FileMissing {
            file: slot.path(width),
        })
    }

    /// The first `width` entries of a bundle, as one piece that [`bundle::split`] takes apart; found as in
    /// [`Files::tile`].
    pub(crate) fn bundle(&self, index: u64, width: u32) -> Result<Found, AuditError> {
        let slot = Slot::entries(index);
        let first_entry = index * u64::from(TILE_WIDTH);
        if let Some(found) = self.found(slot.path(width), BUNDLE_BYTES_MAX)? {
            let expected_bytes = bundle_bytes(&found, width, first_entry)?;
            return exact(found, expected_bytes);
        }
        if width < TILE_WIDTH
            && let Some(mut found) = self.found(slot.full_path(), BUNDLE_BYTES_MAX)?
        {
            found
                .bytes
                .truncate(bundle_bytes(&found, width, first_entry)?);
            return Ok(found);
        }
        Err(AuditError::FileMissing {
            file: slot.path(width),
        })
    }

    fn found(&self, name: String, bytes_max: usize) -> Result<Option<Found>, AuditError> {
        Ok(self
            .read(&name, bytes_max)?
            .map(|bytes| Found { name, bytes }))
    }
}

/// How many bytes the first `width` entries take.
fn bundle_bytes(found: &Found, width: u32, first_entry: u64) -> Result<usize, AuditError> {
    let cut = |at: bundle::EndsInside| AuditError::BundleCut {
        file: found.name.clone(),
        index: first_entry + at.position as u64,
    };
    Ok(bundle::split(&found.bytes, width).map_err(cut)?.1)
}

fn exact(found: Found, expected_bytes: usize) -> Result<Found, AuditError> {
    if found.bytes.len() == expected_bytes {
        return Ok(found);
    }
    Err(AuditError::FileLength {
        bytes: found.bytes.len() as u64,
        expected: expected_bytes.to_string(),
        file: found.name,
    })
}

enum Content {
    Bytes(Vec<u8>),
    TooLong(u64),
    NotAFile,
}

fn read_limited(path: &Path, bytes_max: usize) -> std::io::Result<Content> {
    // Asked before opening: opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Ok(Content::NotAFile);
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > bytes_max as u64 {
        return Ok(Content::TooLong(length));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok(Content::Bytes(bytes))
}
