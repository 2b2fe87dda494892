//! Opening a log: which checkpoint is in force, the tree's edge under it, and what an interrupted append left behind.
//!
//! An append makes bundles, then tiles, then the checkpoint durable. So whatever lies beyond the checkpoint was promised
//! to nobody and is removed: left in place it would look like an altered log once the tree grows past it.

use std::fs;
use std::io::ErrorKind;

use tlog_tiles::record_hash;

use super::{BATCH_ENTRIES_MAX, journal};
use crate::bundle;
use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::disk::Publisher;
use crate::entry::Entry;
use crate::error::AuditError;
use crate::files::Files;
use crate::key::VerifierKey;
use crate::layout::{CHECKPOINT, CHECKPOINT_TMP, COSIGNED, Kind, Slot, TILE_WIDTH, WRITE_TMP};
use crate::tree::{Frontier, hash_at};
use crate::verify::{Heard, verify_files};

/// The right edge of a log.
pub(super) struct Edge {
    pub(super) frontier: Frontier,
    pub(super) bundle: Vec<u8>,
}

/// Slots beyond the edge that one interrupted append can have touched.
const SLOTS_BEYOND_MAX: u64 = BATCH_ENTRIES_MAX as u64 / TILE_WIDTH as u64 + 1;

pub(super) fn recover(
    files: &Files,
    publisher: &Publisher,
    key: &VerifierKey,
) -> Result<(Checkpoint, Edge), AuditError> {
    journal::replay(files, publisher, key)?;
    let published = files.checkpoint(key)?;
    let pending =
        pending_checkpoint(files, key)?.filter(|pending| pending.size() > published.size());
    let checkpoint = pending.as_ref().unwrap_or(&published).clone();
    // Witnesses have seen more than this checkpoint covers: what lies beyond it was no interrupted append, and is not to
    // be cleared away.
    refuse_less_than_cosigned(files, key, checkpoint.size())?;
    let edge = load_edge(files, &checkpoint)?;
    // Found before anything is changed: a checkpoint that was put back must not cost the log its later entries.
    let remains = Slot::kinds().map(|kind| Remains::find(files, kind, checkpoint.size()));
    let remains = remains.collect::<Result<Vec<_>, _>>()?;
    if pending.is_some() {
        // Signed and whole, so it may have been seen; and all it covers is there, as was just checked.
        publisher.settle(&files.path(CHECKPOINT_TMP), &files.path(CHECKPOINT))?;
    } else {
        // The checkpoint just read may have been put in place by a process that died before making its name durable.
        publisher.sync_dir(files.root())?;
        publisher.remove(CHECKPOINT_TMP)?;
    }
    restore_edge(files, publisher, &checkpoint, &edge)?;
    for remains in remains {
        remains.remove(files, publisher, checkpoint.size())?;
    }
    Ok((checkpoint, edge))
}

fn refuse_less_than_cosigned(
    files: &Files,
    key: &VerifierKey,
    size: u64,
) -> Result<(), AuditError> {
    match files.cosigned(key)? {
        Some(cosigned) if cosigned.size() > size => Err(AuditError::RolledBack {
            file: COSIGNED.to_owned(),
            size_found: cosigned.size(),
            size,
        }),
        _ => Ok(()),
    }
}

/// The checkpoint of an append that was interrupted after signing. One that is cut short does not verify: it is none.
fn pending_checkpoint(files: &Files, key: &VerifierKey) -> Result<Option<Checkpoint>, AuditError> {
    let bytes = files.read(CHECKPOINT_TMP, CHECKPOINT_BYTES_MAX)?;
    Ok(bytes.and_then(|bytes| Checkpoint::read(CHECKPOINT_TMP, &bytes, key).ok()))
}

/// Reads the partial tiles and the partial bundle, and checks them against the signed root and each other.
pub(super) fn load_edge(files: &Files, checkpoint: &Checkpoint) -> Result<Edge, AuditError> {
    let size = checkpoint.size();
    let mut edges = Vec::new();
    for level in (0..).take_while(|level| Kind::Hashes(*level).count_in(size) > 0) {
        let slot = Kind::Hashes(level).edge(size);
        edges.push(match slot.width_in(size) {
            0 => Vec::new(),
            width => files.tile(slot, width)?.bytes,
        });
    }
    let frontier = Frontier::new(size, edges);
    if frontier.root()? != checkpoint.root_hash() {
        // Rare, so it may be slow: reading everything finds the file to blame.
        let (progress, entry) = (&mut |_, _| {}, &mut |_, _: &Entry| {});
        verify_files(files, checkpoint, &[], &mut Heard { progress, entry })?;
        return Err(AuditError::RootMismatch {
            file: CHECKPOINT.to_owned(),
            size,
        });
    }
    let bundle = load_bundle(files, &frontier)?;
    Ok(Edge { frontier, bundle })
}

fn load_bundle(files: &Files, frontier: &Frontier) -> Result<Vec<u8>, AuditError> {
    let slot = Kind::Entries.edge(frontier.size());
    let width = slot.width_in(frontier.size());
    let Some((tile, _, hashes)) = frontier
        .partials()
        .find(|(tile, ..)| tile.kind == Kind::Hashes(0))
    else {
        return Ok(Vec::new());
    };
    let found = files.bundle(slot.index, width)?;
    let first_entry = slot.index * u64::from(TILE_WIDTH);
    let cut = |at: bundle::EndsInside| AuditError::BundleCut {
        file: found.name.clone(),
        index: first_entry + at.position as u64,
    };
    for (position, entry) in bundle::split(&found.bytes, width)
        .map_err(cut)?
        .0
        .into_iter()
        .enumerate()
    {
        if hash_at(hashes, position) != Some(record_hash(entry)) {
            let index = first_entry + position as u64;
            return Err(AuditError::EntryMismatch {
                file: found.name.clone(),
                tile: tile.path(width),
                index,
            });
        }
    }
    Ok(found.bytes)
}

/// Writes the edge's partial files where only a fuller version was found (a copy taken while the log grew), before the
/// fuller version is swept away.
fn restore_edge(
    files: &Files,
    publisher: &Publisher,
    checkpoint: &Checkpoint,
    edge: &Edge,
) -> Result<(), AuditError> {
    let slot = Kind::Entries.edge(checkpoint.size());
    let bundle = (
        slot,
        slot.width_in(checkpoint.size()),
        edge.bundle.as_slice(),
    );
    for (slot, width, bytes) in edge
        .frontier
        .partials()
        .chain([bundle])
        .filter(|(_, width, _)| *width > 0)
    {
        let name = slot.path(width);
        if !files.exists(&name)? {
            publisher.publish(&name, WRITE_TMP, bytes)?;
        }
    }
    Ok(())
}

/// What interrupted appends left of one kind of file.
struct Remains {
    /// Full slots that may still have partial files.
    filled: Vec<Slot>,
    /// The edge and what lies beyond it, and whether a full file is there.
    beyond: Vec<(Slot, bool)>,
}

impl Remains {
    fn find(files: &Files, kind: Kind, size: u64) -> Result<Self, AuditError> {
        let edge = kind.edge(size);
        let filled = (edge.index.saturating_sub(SLOTS_BEYOND_MAX)..edge.index)
            .map(|index| Slot { kind, index });
        let mut beyond = Vec::new();
        // Files are written in the order of their slots, so the first untouched slot ends the search.
        for index in edge.index.. {
            let slot = Slot { kind, index };
            let full = files.exists(&slot.full_path())?.then_some(TILE_WIDTH);
            match full.into_iter().chain(partial_widths(files, slot)?).max() {
                Some(width) => refuse_rollback(slot, width, size)?,
                None if slot == edge => {}
                None => break,
            }
            beyond.push((slot, full.is_some()));
        }
        Ok(Self {
            filled: filled.collect(),
            beyond,
        })
    }

    fn remove(self, files: &Files, publisher: &Publisher, size: u64) -> Result<(), AuditError> {
        for slot in self.filled {
            remove_partials(files, publisher, slot, 0)?;
        }
        // From the far end, so that a crash half-way leaves no gap for the next search to stop at.
        for (slot, full) in self.beyond.into_iter().rev() {
            if full {
                publisher.remove(&slot.full_path())?;
                sync_parent_of(files, publisher, &slot.full_path())?;
            }
            remove_partials(files, publisher, slot, slot.width_in(size))?;
        }
        Ok(())
    }
}

/// More beyond the checkpoint than one append can leave means that the checkpoint, not the append, is out of place.
fn refuse_rollback(slot: Slot, width: u32, size: u64) -> Result<(), AuditError> {
    let size_found = slot.tree_size_at(width);
    if size_found <= size + BATCH_ENTRIES_MAX as u64 {
        return Ok(());
    }
    Err(AuditError::RolledBack {
        file: slot.path(width),
        size_found,
        size,
    })
}

/// Removes a slot's partial files, all of them or those wider than `width_kept`; durable when this returns.
pub(super) fn remove_partials(
    files: &Files,
    publisher: &Publisher,
    slot: Slot,
    width_kept: u32,
) -> Result<(), AuditError> {
    let mut widths = partial_widths(files, slot)?;
    widths.retain(|width| *width > width_kept);
    for width in &widths {
        publisher.remove(&slot.path(*width))?;
    }
    if !widths.is_empty() {
        publisher.sync_dir(&files.path(&slot.partial_dir()))?;
    }
    if width_kept == 0 && files.exists(&slot.partial_dir())? {
        publisher.remove_dir(&slot.partial_dir())?;
        sync_parent_of(files, publisher, &slot.partial_dir())?;
    }
    Ok(())
}

/// Removes a slot's partial files but those of some widths. Not durable: what comes back is cleared away at the next opening.
pub(super) fn clear_partials(
    files: &Files,
    publisher: &Publisher,
    slot: Slot,
    widths_kept: &[u32],
) -> Result<(), AuditError> {
    let widths = partial_widths(files, slot)?.into_iter();
    for width in widths.filter(|width| !widths_kept.contains(width)) {
        publisher.remove(&slot.path(width))?;
    }
    Ok(())
}

/// The widths of which a slot has partial files. Foreign files among them are left alone; `verify_log` reports them.
fn partial_widths(files: &Files, slot: Slot) -> Result<Vec<u32>, AuditError> {
    let dir = files.path(&slot.partial_dir());
    let io = |error| AuditError::io("list the directory", &dir, error);
    let listing = match fs::read_dir(&dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut widths = Vec::new();
    for item in listing {
        let name = item.map_err(io)?.file_name();
        let width = name.to_str().and_then(|name| name.parse().ok());
        widths.extend(width.filter(|width| (1..TILE_WIDTH).contains(width)));
    }
    Ok(widths)
}

fn sync_parent_of(files: &Files, publisher: &Publisher, name: &str) -> Result<(), AuditError> {
    publisher.sync_dir(files.path(name).parent().unwrap_or(files.root()))
}
