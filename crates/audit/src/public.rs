//! What of a log may be read by everybody who may read the log: the files of C2SP tlog-tiles, by the paths it gives them.

use std::path::Path;

use crate::bundle::BUNDLE_BYTES_MAX;
use crate::checkpoint::CHECKPOINT_BYTES_MAX;
use crate::error::AuditError;
use crate::files::Files;
use crate::layout::{self, CHECKPOINT, COSIGNED, Kind};
use crate::tree::TILE_BYTES;

/// The longest file handed out: a bundle of the longest entries.
pub const PUBLIC_FILE_BYTES_MAX: usize = BUNDLE_BYTES_MAX;

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicFile {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its media type, as C2SP tlog-tiles gives it.
    pub media_type: &'static str,
    /// It will never be another: caches may keep it.
    pub is_immutable: bool,
}

/// The files of a log as others fetch them. It takes no lock and writes nothing.
pub struct PublicFiles(Files);

impl PublicFiles {
    /// The files below a log's directory.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self(Files::new(dir))
    }

    /// The file of a path such as `checkpoint` or `tile/0/x001/x234/067.p/5`, without a leading slash. `None` for every
    /// path that a log does not have: it is parsed as a tile's place and never handed to the file system as it came.
    ///
    /// # Errors
    /// `AUDIT_IO`, `AUDIT_NOT_A_FILE`, `AUDIT_FILE_LENGTH`.
    pub fn read(&self, path: &str) -> Result<Option<PublicFile>, AuditError> {
        let (name, bytes_max) = if path == CHECKPOINT {
            (CHECKPOINT.to_owned(), CHECKPOINT_BYTES_MAX)
        } else {
            let Some((slot, width)) = layout::parse(path) else {
                return Ok(None);
            };
            let bytes_max = match slot.kind {
                Kind::Entries => BUNDLE_BYTES_MAX,
                Kind::Hashes(_) => TILE_BYTES,
            };
            (slot.path(width), bytes_max)
        };
        let is_checkpoint = name == CHECKPOINT;
        let mut found = self.0.read(&name, bytes_max)?;
        if is_checkpoint
            && let Some(checkpoint) = &found
            && let Some(cosigned) = self.0.read(COSIGNED, CHECKPOINT_BYTES_MAX)?
            && text_of(&cosigned) == text_of(checkpoint)
        {
            // The same statement, with more signatures.
            found = Some(cosigned);
        }
        let file = found.map(|bytes| PublicFile {
            bytes,
            media_type: if is_checkpoint {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            },
            is_immutable: !is_checkpoint,
        });
        Ok(file)
    }
}

/// What a note says, up to its signatures.
fn text_of(note: &[u8]) -> &[u8] {
    let end = note.windows(2).rposition(|two| two == b"\n\n");
    end.and_then(|end| note.get(..end)).unwrap_or(note)
}
