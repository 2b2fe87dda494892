//! Files below `tile/` that the tree does not need: outdated partial ones, ones beyond the checkpoint, foreign ones.

use std::fs;
use std::io::ErrorKind;

use crate::error::AuditError;
use crate::files::Files;
use crate::layout::{self, Kind, Slot, TILES};

/// The most files a report lists of each kind.
pub const STRAY_FILES_MAX: usize = 100;

/// Directories below `tile/` nest no deeper than a level, four groups of digits and `.p`.
const DEPTH_MAX: usize = 7;

/// What was found.
#[derive(Default)]
pub(super) struct Stray {
    pub(super) beyond_checkpoint: Vec<String>,
    pub(super) unexpected: Vec<String>,
    /// The file that belongs to the largest tree beyond the checkpoint, and the least size of that tree.
    pub(super) furthest: Option<(String, u64)>,
}

/// Looks at every file below `tile/` of a log whose tree of `size` was verified.
pub(super) fn inspect(files: &Files, size: u64) -> Result<Stray, AuditError> {
    let mut search = Search {
        files,
        size,
        stray: Stray::default(),
        fullest: None,
    };
    search.directory(TILES, 0)?;
    Ok(search.stray)
}

struct Search<'a> {
    files: &'a Files,
    size: u64,
    stray: Stray,
    /// The slot compared last, and its bytes in the verified tree: partial files of one slot come together.
    fullest: Option<(Slot, Vec<u8>)>,
}

impl Search<'_> {
    fn directory(&mut self, name: &str, depth: usize) -> Result<(), AuditError> {
        let path = self.files.path(name);
        let io = |error| AuditError::io("list the directory", &path, error);
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            // An empty log has no tiles, and a growing one drops directories of partial files.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io(error)),
        };
        let mut items = listing.collect::<Result<Vec<_>, _>>().map_err(io)?;
        items.sort_by_key(fs::DirEntry::file_name);
        for item in items {
            let below = format!("{name}/{}", item.file_name().to_string_lossy());
            let kind = item.file_type().map_err(io)?;
            if kind.is_dir() && depth < DEPTH_MAX {
                self.directory(&below, depth + 1)?;
            } else {
                self.file(below, kind.is_file())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: String, is_regular: bool) -> Result<(), AuditError> {
        match layout::parse(&name) {
            Some((slot, width)) if is_regular => {
                let width_now = slot.width_in(self.size);
                if width > width_now {
                    self.reaches(&name, slot.tree_size_at(width));
                    list(&mut self.stray.beyond_checkpoint, name);
                } else if width < width_now {
                    return self.obsolete(&name, slot, width, width_now);
                }
            }
            _ => list(&mut self.stray.unexpected, name),
        }
        Ok(())
    }

    fn reaches(&mut self, name: &str, tree_size: u64) {
        let furthest = self.stray.furthest.as_ref().map(|(_, size)| *size);
        if furthest.is_none_or(|size| tree_size > size) {
            self.stray.furthest = Some((name.to_owned(), tree_size));
        }
    }

    /// An outdated partial file is what its successor starts with.
    fn obsolete(
        &mut self,
        name: &str,
        slot: Slot,
        width: u32,
        width_now: u32,
    ) -> Result<(), AuditError> {
        let found = match slot.kind {
            Kind::Entries => self.files.bundle(slot.index, width),
            Kind::Hashes(_) => self.files.tile(slot, width),
        }?;
        if !self.fullest_of(slot, width_now)?.starts_with(&found.bytes) {
            return Err(AuditError::ObsoleteMismatch {
                file: name.to_owned(),
            });
        }
        Ok(())
    }

    fn fullest_of(&mut self, slot: Slot, width_now: u32) -> Result<&[u8], AuditError> {
        let known = self.fullest.take().filter(|(known, _)| *known == slot);
        let bytes = match (known, slot.kind) {
            (Some((_, bytes)), _) => bytes,
            (None, Kind::Entries) => self.files.bundle(slot.index, width_now)?.bytes,
            (None, Kind::Hashes(_)) => self.files.tile(slot, width_now)?.bytes,
        };
        Ok(&self.fullest.insert((slot, bytes)).1)
    }
}

fn list(names: &mut Vec<String>, name: String) {
    if names.len() < STRAY_FILES_MAX {
        names.push(name);
    }
}
