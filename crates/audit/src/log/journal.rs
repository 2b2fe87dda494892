//! The journal: what was appended since the log's files were last made durable, so that an append takes one write to the disk.
//!
//! ```text
//! header   id, the checkpoint that is durable with all of its files
//! record   id, the size before, the next checkpoint, the entries between
//! record   …
//! ```
//! The file has its length from the beginning and is written over, so a record is durable without a change of the file system's
//! own tables. An append is durable with its record; tiles, bundles and the checkpoint are written after it and not waited for.
//! When the journal is full, or the tree has grown by [`ENTRIES_MAX`] entries, they are made durable, and it begins anew.
//!
//! | crash | in the journal | at the next opening |
//! |---|---|---|
//! | while the record is written | a record that is not whole | it never was: nobody had its checkpoint |
//! | before all files are written, or durable | a whole record | they are written again, durably, from the entries |
//! | while the files are made durable | all records | likewise |
//! | while the header is written | no header, or the old one and records of before | everything is durable; or as above |
//!
//! A partial file of the durable checkpoint stays until the next one is durable. Those in between may be cut short by a loss of
//! power; opening the log clears them away.

use std::collections::BTreeSet;

use ring::rand::{SecureRandom, SystemRandom};

use super::recover::{Edge, load_edge};
use super::{Grown, grown};
use crate::bundle;
use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::disk::Publisher;
use crate::error::AuditError;
use crate::files::Files;
use crate::key::VerifierKey;
use crate::layout::{CHECKPOINT, CHECKPOINT_TMP, JOURNAL, Slot, WRITE_TMP};

/// Length of the file, in bytes. Small in tests, so that it fills up in them.
const BYTES: usize = if cfg!(test) { 1 << 15 } else { 1 << 20 };

/// Entries that the files may be behind.
pub(super) const ENTRIES_MAX: u64 = if cfg!(test) { 300 } else { 1_024 };

/// What a header begins with; the version is part of it.
const MAGIC: &[u8; 16] = b"weir journal v1\n";
const ID_LEN: usize = 16;
const SUM_LEN: usize = 32;
/// Length of a frame's start: its length and the digest of what follows.
const START_LEN: usize = 4 + SUM_LEN;

/// The journal of an open log.
pub(super) struct Journal {
    id: [u8; ID_LEN],
    /// Size of the tree whose files are durable.
    base: u64,
    /// Where the next record goes.
    at: usize,
}

/// What was read from a journal.
struct Found {
    base: Checkpoint,
    /// The newest checkpoint, and the entries between the two.
    last: Checkpoint,
    entries: Vec<Vec<u8>>,
}

impl Journal {
    /// Begins anew: everything that this checkpoint covers is durable, and so is the checkpoint.
    pub(super) fn begin(
        files: &Files,
        publisher: &Publisher,
        checkpoint: &Checkpoint,
    ) -> Result<Self, AuditError> {
        let mut id = [0; ID_LEN];
        let filled = SystemRandom::new().fill(&mut id);
        filled.map_err(|_| AuditError::Randomness)?;
        let body = [MAGIC.as_slice(), &id, checkpoint.note().as_bytes()].concat();
        let header = framed(&body);
        if files.length(JOURNAL)? == Some(BYTES as u64) {
            publisher.write_at(JOURNAL, 0, &header)?;
        } else {
            let mut whole = header.clone();
            whole.resize(BYTES.max(header.len()), 0);
            publisher.publish(JOURNAL, WRITE_TMP, &whole)?;
        }
        Ok(Self {
            id,
            base: checkpoint.size(),
            at: header.len(),
        })
    }

    /// The size of the tree whose files are durable.
    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// A record of an append, if there is room for it in a journal at all.
    pub(super) fn record(
        &self,
        old_size: u64,
        checkpoint: &Checkpoint,
        entries: &[&[u8]],
    ) -> Option<Vec<u8>> {
        let note = checkpoint.note().as_bytes();
        let mut body = self.id.to_vec();
        body.extend_from_slice(&old_size.to_le_bytes());
        body.extend_from_slice(&u32::try_from(note.len()).ok()?.to_le_bytes());
        body.extend_from_slice(note);
        body.extend_from_slice(&u32::try_from(entries.len()).ok()?.to_le_bytes());
        for entry in entries {
            bundle::push(&mut body, entry)?;
        }
        Some(framed(&body))
    }

    /// Whether a record of so many bytes, which makes the tree this large, fits behind the others.
    pub(super) const fn has_room(&self, record_bytes: usize, size: u64) -> bool {
        self.at + record_bytes <= BYTES && size - self.base <= ENTRIES_MAX
    }

    /// Adds a record; durable when this returns.
    pub(super) fn add(&mut self, publisher: &Publisher, record: &[u8]) -> Result<(), AuditError> {
        publisher.write_at(JOURNAL, self.at as u64, record)?;
        self.at += record.len();
        Ok(())
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(Digest::of(body).as_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The first frame of some bytes, if it is whole, and what follows.
fn unframed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (start, rest) = bytes.split_at_checked(START_LEN)?;
    let (length, sum) = start.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (body, rest) = rest.split_at_checked(length)?;
    (Digest::of(body).as_bytes().as_slice() == sum).then_some((body, rest))
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

/// The journal, as far as it is whole; none where there is none, or it is not of this log.
fn read(files: &Files, key: &VerifierKey) -> Result<Option<Found>, AuditError> {
    let bytes = files.read(JOURNAL, BYTES * 2)?;
    Ok(bytes.and_then(|bytes| parse(&bytes, key)))
}

fn parse(bytes: &[u8], key: &VerifierKey) -> Option<Found> {
    let (header, mut rest) = unframed(bytes)?;
    let header = header.strip_prefix(MAGIC.as_slice())?;
    let (id, note) = header.split_at_checked(ID_LEN)?;
    let base = Checkpoint::read(JOURNAL, note, key).ok()?;
    let mut found = Found {
        last: base.clone(),
        base,
        entries: Vec::new(),
    };
    while let Some((record, after)) = unframed(rest) {
        if found.add(id, record, key).is_none() {
            break;
        }
        rest = after;
    }
    Some(found)
}

impl Found {
    /// Takes a record over, if it is the next one.
    fn add(&mut self, id: &[u8], record: &[u8], key: &VerifierKey) -> Option<()> {
        let record = record.strip_prefix(id)?;
        let (old_size, rest) = record.split_first_chunk()?;
        if u64::from_le_bytes(*old_size) != self.last.size() {
            return None;
        }
        let (length, rest) = number(rest)?;
        let (note, rest) = rest.split_at_checked(length)?;
        let checkpoint = Checkpoint::read(JOURNAL, note, key).ok()?;
        let (count, rest) = number(rest)?;
        let (entries, _) = bundle::split(rest, u32::try_from(count).ok()?).ok()?;
        if self.last.size() + count as u64 != checkpoint.size() {
            return None;
        }
        self.entries.extend(entries.into_iter().map(<[u8]>::to_vec));
        self.last = checkpoint;
        Some(())
    }
}

/// Writes what the journal has and the files may lack, durably. Where the checkpoint is older than what was durable, or newer
/// than what the journal has, one of the two was put back, and the journal is left alone.
pub(super) fn replay(
    files: &Files,
    publisher: &Publisher,
    key: &VerifierKey,
) -> Result<(), AuditError> {
    let Some(found) = read(files, key)?.filter(|found| !found.entries.is_empty()) else {
        return Ok(());
    };
    // One that a loss of power cut short says nothing.
    let shown = files.checkpoint(key).map(|shown| shown.size());
    if shown.is_ok_and(|size| size < found.base.size() || size > found.last.size()) {
        return Ok(());
    }
    let Edge { frontier, bundle } = load_edge(files, &found.base)?;
    let entries: Vec<&[u8]> = found.entries.iter().map(Vec::as_slice).collect();
    let Grown {
        frontier, writes, ..
    } = grown(&frontier, &bundle, &entries)?;
    if frontier.root()? != found.last.root_hash() {
        return Err(AuditError::RootMismatch {
            file: JOURNAL.to_owned(),
            size: found.last.size(),
        });
    }
    for (name, bytes) in &writes {
        // What no crash can have left is somebody's doing: it stays, for whoever reads it to find.
        if may_be_left(files, name, bytes)? {
            publisher.publish(name, WRITE_TMP, bytes)?;
        }
    }
    let note = found.last.note().as_bytes();
    publisher.publish(CHECKPOINT, CHECKPOINT_TMP, note)
}

/// Whether a crash can have left a file as it is: not at all, whole, or cut short.
fn may_be_left(files: &Files, name: &str, bytes: &[u8]) -> Result<bool, AuditError> {
    let found = files.read(name, bytes.len());
    Ok(match found {
        Ok(None) => true,
        Ok(Some(found)) => bytes.starts_with(&found) || found.iter().all(|byte| *byte == 0),
        Err(AuditError::FileLength { .. } | AuditError::NotAFile { .. }) => false,
        Err(error) => return Err(error),
    })
}

/// The slots of every kind from the edge of one tree to that of a larger one.
pub(super) fn between(from: u64, to: u64) -> Vec<Slot> {
    let slots = Slot::kinds().flat_map(|kind| {
        let indexes = kind.edge(from).index..=kind.edge(to).index;
        indexes.map(move |index| Slot { kind, index })
    });
    slots.filter(|slot| slot.width_in(to) > 0).collect()
}

/// Makes durable what was written and not waited for as the tree grew.
pub(super) fn make_durable(publisher: &Publisher, from: u64, to: u64) -> Result<(), AuditError> {
    let mut folders = BTreeSet::new();
    for slot in between(from, to) {
        let name = slot.path(slot.width_in(to));
        publisher.sync_file(&name)?;
        folders.insert(publisher.folder_of(&name));
    }
    publisher.sync_file(CHECKPOINT)?;
    folders.insert(publisher.folder_of(CHECKPOINT));
    folders
        .iter()
        .try_for_each(|folder| publisher.sync_dir(folder))
}
