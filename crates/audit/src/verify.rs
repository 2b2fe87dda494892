//! Checking a whole log: every byte of every file, with nothing trusted but the verifier key.

mod stray;

use std::path::Path;

use tlog_tiles::{Hash, record_hash};

use crate::bundle;
use crate::checkpoint::{Checkpoint, RootHash};
use crate::entry::Entry;
use crate::error::AuditError;
use crate::files::Files;
use crate::key::VerifierKey;
use crate::layout::{CHECKPOINT, COSIGNED, Kind, Slot, TILE_WIDTH};
use crate::log::BATCH_ENTRIES_MAX;
use crate::tree::{Frontier, hash_at};

pub use stray::STRAY_FILES_MAX;

/// A log that was found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// The name of the log.
    pub origin: String,
    /// The number of entries, all read and checked.
    pub entries: u64,
    /// The root of the Merkle tree over them, as signed.
    pub root: RootHash,
    /// The signed checkpoint. Kept, it lets the next check notice a log that shrank or changed its past.
    pub checkpoint: String,
    /// The same, as what it is.
    pub signed: Checkpoint,
    /// Tiles and bundles beyond the checkpoint, the first [`STRAY_FILES_MAX`] of them: an append under way or
    /// interrupted, or a checkpoint that was put back to an older one.
    pub beyond_checkpoint: Vec<String>,
    /// Files below `tile/` that no log writes, the first [`STRAY_FILES_MAX`] of them.
    pub unexpected: Vec<String>,
    /// The newest checkpoint that witnesses have cosigned, if any have; the log continues it.
    pub cosigned: Option<Checkpoint>,
}

/// Reads every byte of the log in `dir` and checks it: the checkpoint's signature; that every entry is in canonical form;
/// every hash of every tile at every level; the root; and that partial files left from earlier agree with the tree.
///
/// It takes no lock and writes nothing: the log may be a copy, or be growing meanwhile. `progress` is called with the
/// entries done and their total. Memory use does not grow with the log.
///
/// # Errors
/// The first fault found, with the file it is in: `AUDIT_NO_LOG`, `AUDIT_CHECKPOINT_MALFORMED`,
/// `AUDIT_CHECKPOINT_UNSIGNED`, `AUDIT_FILE_MISSING`, `AUDIT_FILE_LENGTH`, `AUDIT_NOT_A_FILE`, `AUDIT_BUNDLE_CUT`,
/// `AUDIT_BUNDLE_ENTRY`, `AUDIT_ENTRY_MISMATCH`, `AUDIT_TILE_MISMATCH`, `AUDIT_OBSOLETE_MISMATCH`,
/// `AUDIT_ENTRIES_REPLACED`, `AUDIT_ROOT_MISMATCH`, `AUDIT_ROLLED_BACK`; `AUDIT_IO`.
pub fn verify_log(
    dir: &Path,
    key: &VerifierKey,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LogReport, AuditError> {
    let entry = &mut |_, _: &Entry| {};
    verify_dir(dir, key, &[], &mut Heard { progress, entry })
}

/// As [`verify_log`], and checks besides that the log continues the one that `before` was signed for: that nothing it
/// covers was changed, dropped or put in another order.
///
/// # Errors
/// Those of [`verify_log`]; `AUDIT_SHRUNK`, `AUDIT_SPLIT_VIEW`, `AUDIT_INCONSISTENT`.
pub fn verify_log_since(
    dir: &Path,
    key: &VerifierKey,
    before: &Checkpoint,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LogReport, AuditError> {
    let entry = &mut |_, _: &Entry| {};
    verify_dir(dir, key, &[before], &mut Heard { progress, entry })
}

/// As [`verify_log`], and shows each entry with its number, in their order. What was shown counts only once this has
/// returned without an error: until then the log may still turn out to be another.
///
/// # Errors
/// Those of [`verify_log`].
pub fn read_log(
    dir: &Path,
    key: &VerifierKey,
    entry: &mut dyn FnMut(u64, &Entry),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LogReport, AuditError> {
    verify_dir(dir, key, &[], &mut Heard { progress, entry })
}

/// Who hears of what while a log is read. Nothing that is heard counts before the end was reached without a fault.
pub(crate) struct Heard<'a> {
    /// Entries done, and their total.
    pub(crate) progress: &'a mut dyn FnMut(u64, u64),
    /// Each entry, with its number.
    pub(crate) entry: &'a mut dyn FnMut(u64, &Entry),
}

pub(crate) fn verify_dir(
    dir: &Path,
    key: &VerifierKey,
    before: &[&Checkpoint],
    heard: &mut Heard<'_>,
) -> Result<LogReport, AuditError> {
    let files = Files::new(dir);
    // Read before the checkpoint, which only grows: what witnesses have seen is never larger than what comes after it.
    let cosigned = files.cosigned(key)?;
    let checkpoint = files.checkpoint(key)?;
    if let Some(cosigned) = &cosigned
        && cosigned.size() > checkpoint.size()
    {
        return Err(AuditError::RolledBack {
            file: COSIGNED.to_owned(),
            size_found: cosigned.size(),
            size: checkpoint.size(),
        });
    }
    let before: Vec<_> = before.iter().copied().chain(&cosigned).collect();
    let (mut report, furthest) = verify_files(&files, &checkpoint, &before, heard)?;
    report.cosigned = cosigned;
    let Some((file, size_found)) = furthest else {
        return Ok(report);
    };
    // The log may have grown while it was read. What not even the newest checkpoint covers is left by one append at most.
    let size = files.checkpoint(key)?.size();
    if size_found > size + BATCH_ENTRIES_MAX as u64 {
        return Err(AuditError::RolledBack {
            file,
            size_found,
            size,
        });
    }
    Ok(report)
}

/// As [`verify_log_since`], under checkpoints that are verified already; and the file furthest beyond the checkpoint, with
/// the size of the least tree it can belong to.
pub(crate) fn verify_files(
    files: &Files,
    checkpoint: &Checkpoint,
    before: &[&Checkpoint],
    heard: &mut Heard<'_>,
) -> Result<(LogReport, Option<(String, u64)>), AuditError> {
    let size = checkpoint.size();
    for before in before {
        not_smaller(before, checkpoint)?;
    }
    let mut walk = Walk {
        files,
        size,
        before,
        frontier: Frontier::default(),
        upper_fault: None,
        changed: None,
    };
    (heard.progress)(0, size);
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        walk.bundle(index, heard.entry)?;
        (heard.progress)(walk.frontier.size(), size);
    }
    let changed = walk.changed.take();
    walk.finish(checkpoint)?;
    // Said last: where a file was altered, that file is the news.
    if let Some(size_before) = changed {
        return Err(AuditError::Inconsistent { size, size_before });
    }
    let stray = stray::inspect(files, size)?;
    let report = LogReport {
        origin: checkpoint.origin().to_owned(),
        entries: size,
        root: checkpoint.root(),
        checkpoint: checkpoint.note().to_owned(),
        signed: checkpoint.clone(),
        beyond_checkpoint: stray.beyond_checkpoint,
        unexpected: stray.unexpected,
        cosigned: None,
    };
    Ok((report, stray.furthest))
}

/// What two checkpoints of one log say without its entries.
fn not_smaller(before: &Checkpoint, now: &Checkpoint) -> Result<(), AuditError> {
    let (size, size_before) = (now.size(), before.size());
    if size < size_before {
        return Err(AuditError::Shrunk { size, size_before });
    }
    if size == size_before && now.root() != before.root() {
        return Err(AuditError::SplitView { size });
    }
    Ok(())
}

/// Rebuilds the tree from the entries and compares every tile on the way.
struct Walk<'a> {
    files: &'a Files,
    size: u64,
    /// What the log has to continue.
    before: &'a [&'a Checkpoint],
    frontier: Frontier,
    /// The first hash above the leaves that differs from the one computed: tile, number of hashes, position. Kept until
    /// the root tells whether the tile or the entries were altered.
    upper_fault: Option<(Slot, u32, usize)>,
    /// The size of an earlier tree that this log does not continue.
    changed: Option<u64>,
}

impl Walk<'_> {
    fn bundle(&mut self, index: u64, heard: &mut dyn FnMut(u64, &Entry)) -> Result<(), AuditError> {
        let slot = Slot::hashes(0, index);
        let width = slot.width_in(self.size);
        let found = self.files.bundle(index, width)?;
        let tile = self.files.tile(slot, width)?;
        let first_entry = index * u64::from(TILE_WIDTH);
        let cut = |at: bundle::EndsInside| AuditError::BundleCut {
            file: found.name.clone(),
            index: first_entry + at.position as u64,
        };
        let (entries, _) = bundle::split(&found.bytes, width).map_err(cut)?;
        let mut filled = Vec::new();
        for (position, entry) in entries.into_iter().enumerate() {
            let index = first_entry + position as u64;
            let leaf = record_hash(entry);
            if hash_at(&tile.bytes, position) != Some(leaf) {
                return Err(AuditError::EntryMismatch {
                    file: found.name,
                    tile: tile.name,
                    index,
                });
            }
            let read = Entry::from_canonical(entry).map_err(|source| AuditError::BundleEntry {
                file: found.name.clone(),
                index,
                source: Box::new(source),
            })?;
            heard(index, &read);
            self.frontier
                .push(leaf, |slot, bytes| filled.push((slot, bytes)));
            self.hold_against_before()?;
        }
        // The leaf tile was just compared, hash by hash.
        for (slot, bytes) in filled
            .into_iter()
            .filter(|(slot, _)| slot.kind != Kind::Hashes(0))
        {
            self.compare(slot, TILE_WIDTH, &bytes)?;
        }
        Ok(())
    }

    /// Where an earlier checkpoint was signed for as many entries as have been read, it has to be about these.
    fn hold_against_before(&mut self) -> Result<(), AuditError> {
        let size = self.frontier.size();
        for before in self.before.iter().filter(|before| before.size() == size) {
            if self.frontier.root()? != before.root_hash() {
                self.changed.get_or_insert(size);
            }
        }
        Ok(())
    }

    fn compare(&mut self, slot: Slot, width: u32, computed: &[u8]) -> Result<(), AuditError> {
        let tile = self.files.tile(slot, width)?;
        let differs =
            |position: &usize| hash_at(&tile.bytes, *position) != hash_at(computed, *position);
        if let Some(position) = (0..width as usize).find(differs) {
            self.upper_fault.get_or_insert((slot, width, position));
        }
        Ok(())
    }

    fn finish(mut self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        let partials: Vec<_> = self
            .frontier
            .partials()
            .map(|(slot, width, bytes)| (slot, width, bytes.to_vec()))
            .collect();
        for (slot, width, bytes) in partials
            .into_iter()
            .filter(|(slot, ..)| slot.kind != Kind::Hashes(0))
        {
            self.compare(slot, width, &bytes)?;
        }
        let root: Hash = self.frontier.root()?;
        let size = self.size;
        match (root == checkpoint.root_hash(), self.upper_fault) {
            (true, None) => Ok(()),
            // Entries and signature agree, so the tile between them was altered.
            (true, Some((slot, width, position))) => Err(AuditError::TileMismatch {
                file: slot.path(width),
                position,
            }),
            // Tile and signature speak of other entries than those that lie below.
            (
                false,
                Some((
                    Slot {
                        kind: Kind::Hashes(1),
                        index,
                    },
                    width,
                    position,
                )),
            ) => {
                let below = index * u64::from(TILE_WIDTH) + position as u64;
                Err(AuditError::EntriesReplaced {
                    file: Slot::entries(below).full_path(),
                    tile: Slot::hashes(0, below).full_path(),
                    witness: Slot::hashes(1, index).path(width),
                })
            }
            (false, _) => Err(AuditError::RootMismatch {
                file: CHECKPOINT.to_owned(),
                size,
            }),
        }
    }
}
