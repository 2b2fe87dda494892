//! The log's writer: append, receipts, reading back.

mod journal;
mod page;
mod recover;
mod witnessed;

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use tlog_tiles::{check_record, record_hash};

use self::journal::Journal;
use self::page::Page;
use crate::bundle;
use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, OsDisk, Publisher, lock, make_dir_all};
use crate::entry::{Entry, PreparedEntry};
use crate::error::AuditError;
use crate::files::Files;
use crate::key::LogKey;
use crate::layout::{
    CHECKPOINT, CHECKPOINT_TMP, Kind, Slot, TILE_WIDTH, TILES, TREE_SIZE_MAX, WRITE_TMP,
};
use crate::receipt::Receipt;
use crate::tree::Frontier;

/// The most entries one [`Log::append_all`] takes. It bounds what an interrupted append can leave behind, and thereby
/// tells such remains from a checkpoint that was put back to an older state.
pub const BATCH_ENTRIES_MAX: usize = 1_024;

/// The writer of one log. There is one per log at any time, across processes.
pub struct Log {
    files: Files,
    publisher: Publisher,
    key: LogKey,
    checkpoint: Checkpoint,
    /// The newest checkpoint that witnesses have cosigned.
    cosigned: Option<Checkpoint>,
    frontier: Frontier,
    /// The entries of the bundle that is not full yet.
    bundle: Vec<u8>,
    journal: Journal,
    /// An append failed half-way: what the disk holds is known only after reopening.
    interrupted: bool,
    /// Held for the lock on it.
    _lock: File,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Log({} in {}, {} entries)",
            self.key.origin(),
            self.files.root().display(),
            self.size()
        )
    }
}

/// A tree that has grown, and what is to be written of it.
struct Grown {
    frontier: Frontier,
    bundle: Vec<u8>,
    /// Bundles first, then tiles from the leaves up: name and bytes.
    writes: Vec<(String, Vec<u8>)>,
    /// Slots that become full: their partial files are obsolete once the checkpoint is out.
    filled: Vec<Slot>,
}

/// What an append is going to write, computed before the first byte is written.
struct Next {
    grown: Grown,
    checkpoint: Checkpoint,
}

impl Log {
    /// Makes an empty log in `dir`, which is created when it is missing.
    ///
    /// # Errors
    /// `AUDIT_LOG_EXISTS`, `AUDIT_LOCKED`, `AUDIT_IO`.
    pub fn create(dir: &Path, key: LogKey) -> Result<Self, AuditError> {
        Self::create_on(dir, key, Box::new(OsDisk))
    }

    fn create_on(dir: &Path, key: LogKey, disk: Box<dyn Disk>) -> Result<Self, AuditError> {
        make_dir_all(dir).map_err(|error| AuditError::io("create the directory", dir, error))?;
        let lock = lock(dir)?;
        let files = Files::new(dir);
        for found in [CHECKPOINT, TILES] {
            if files.exists(found)? {
                return Err(AuditError::LogExists {
                    dir: dir.to_owned(),
                    found,
                });
            }
        }
        let publisher = Publisher::new(dir, disk);
        let frontier = Frontier::default();
        let checkpoint = Checkpoint::sign(&key, 0, frontier.root()?)?;
        let journal = Journal::begin(&files, &publisher, &checkpoint)?;
        // A crash before this returns leaves no log: `create` may be called again.
        publisher.publish(CHECKPOINT, CHECKPOINT_TMP, checkpoint.note().as_bytes())?;
        let bundle = Vec::new();
        Ok(Self {
            files,
            publisher,
            key,
            checkpoint,
            cosigned: None,
            frontier,
            bundle,
            journal,
            interrupted: false,
            _lock: lock,
        })
    }

    /// Opens a log and mends what an interrupted append left. It reads the tree's right edge only; [`verify_log`]
    /// reads everything.
    ///
    /// # Errors
    /// `AUDIT_NO_LOG`, `AUDIT_LOCKED`, `AUDIT_IO`; those of [`verify_log`] when the edge of the tree contradicts the
    /// checkpoint; `AUDIT_ROLLED_BACK`.
    ///
    /// [`verify_log`]: crate::verify_log
    pub fn open(dir: &Path, key: LogKey) -> Result<Self, AuditError> {
        Self::open_on(dir, key, Box::new(OsDisk))
    }

    /// The same on another disk: for tests.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    #[doc(hidden)]
    pub fn open_on(dir: &Path, key: LogKey, disk: Box<dyn Disk>) -> Result<Self, AuditError> {
        let files = Files::new(dir);
        if !files.exists(CHECKPOINT)? {
            return Err(AuditError::NoLog {
                dir: dir.to_owned(),
            });
        }
        let lock = lock(dir)?;
        let publisher = Publisher::new(dir, disk);
        let (checkpoint, edge) = recover::recover(&files, &publisher, key.verifier())?;
        let recover::Edge { frontier, bundle } = edge;
        let journal = Journal::begin(&files, &publisher, &checkpoint)?;
        // Narrower files of the edge were not waited for, and a loss of power may have cut them short.
        for slot in Slot::kinds().map(|kind| kind.edge(checkpoint.size())) {
            let kept = [slot.width_in(checkpoint.size())];
            recover::clear_partials(&files, &publisher, slot, &kept)?;
        }
        let mut log = Self {
            files,
            publisher,
            key,
            checkpoint,
            cosigned: None,
            frontier,
            bundle,
            journal,
            interrupted: false,
            _lock: lock,
        };
        log.cosigned = log.load_cosigned()?;
        Ok(log)
    }

    /// Appends one entry; durable when this returns.
    ///
    /// # Errors
    /// As [`Log::append_all`].
    pub fn append(&mut self, entry: &Entry) -> Result<Receipt, AuditError> {
        let receipts = self.append_all(std::slice::from_ref(entry))?;
        receipts.into_iter().next().ok_or(AuditError::Bug {
            what: "an append gave no receipt",
        })
    }

    /// Appends entries under one checkpoint, all or none; durable when this returns. The receipts come in order.
    ///
    /// # Errors
    /// Those of [`Entry::to_canonical`] and [`Log::append_prepared`].
    pub fn append_all(&mut self, entries: &[Entry]) -> Result<Vec<Receipt>, AuditError> {
        let prepared = entries
            .iter()
            .map(PreparedEntry::new)
            .collect::<Result<Vec<_>, _>>()?;
        let indexes = self.append_prepared(&prepared.iter().collect::<Vec<_>>())?;
        self.receipts(indexes)
    }

    /// Appends entries under one checkpoint, all or none; durable when this returns. Answers with their numbers; a
    /// receipt for any of them comes from [`Log::receipts`].
    ///
    /// # Errors
    /// Before anything is written: `AUDIT_BATCH_TOO_LARGE`, `AUDIT_LOG_FULL`, `AUDIT_INTERRUPTED`. Half-way: `AUDIT_IO`;
    /// the entries may or may not be in the log, and nothing can be appended until it is opened again.
    pub fn append_prepared(
        &mut self,
        entries: &[&PreparedEntry],
    ) -> Result<Range<u64>, AuditError> {
        if self.interrupted {
            return Err(AuditError::Interrupted {
                dir: self.files.root().to_owned(),
            });
        }
        if entries.len() > BATCH_ENTRIES_MAX {
            return Err(AuditError::BatchTooLarge {
                entries: entries.len(),
                entries_max: BATCH_ENTRIES_MAX,
            });
        }
        let old_size = self.size();
        if TREE_SIZE_MAX - old_size < entries.len() as u64 {
            return Err(AuditError::LogFull {
                size: old_size,
                size_max: TREE_SIZE_MAX,
            });
        }
        if !entries.is_empty() {
            let canonical: Vec<_> = entries.iter().map(|entry| entry.as_bytes()).collect();
            self.interrupted = true;
            self.commit(&canonical)?;
            self.interrupted = false;
        }
        Ok(old_size..self.size())
    }

    /// Signs with another key of the same log from here on, beginning with the checkpoint in force; durable when this
    /// returns.
    ///
    /// # Errors
    /// `AUDIT_CHECKPOINT_UNSIGNED` where the key does not accept what the log has signed; `AUDIT_IO`: the checkpoint is
    /// signed by the one or the other then, and either is accepted.
    pub fn set_key(&mut self, key: LogKey) -> Result<(), AuditError> {
        Checkpoint::verify(self.checkpoint.note().as_bytes(), key.verifier())?;
        let checkpoint = Checkpoint::sign(&key, self.size(), self.checkpoint.root_hash())?;
        // A crash before this lands: the log opens with the new key all the same, which accepts what the last one signed.
        self.publisher
            .publish(CHECKPOINT, CHECKPOINT_TMP, checkpoint.note().as_bytes())?;
        self.checkpoint = checkpoint;
        self.key = key;
        Ok(())
    }

    /// The directory it lies in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.files.root()
    }

    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The checkpoint in force.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The receipt of an entry under the checkpoint in force.
    ///
    /// # Errors
    /// `AUDIT_NO_SUCH_ENTRY`; those of reading files that are gone or altered.
    pub fn receipt(&self, index: u64) -> Result<Receipt, AuditError> {
        let receipt = self.receipts(index..index.saturating_add(1))?.pop();
        receipt.ok_or(AuditError::NoSuchEntry {
            index,
            size: self.size(),
        })
    }

    /// An entry, read back and checked against the tree.
    ///
    /// # Errors
    /// As [`Log::receipt`].
    pub fn entry(&self, index: u64) -> Result<Entry, AuditError> {
        let page = self.page(index)?;
        Entry::from_canonical(page.entry(index)?)
    }

    /// Entries in their order, read back and checked as [`Log::entry`] does, at a fraction of its cost: each file is read once.
    ///
    /// # Errors
    /// As [`Log::receipt`].
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>, AuditError> {
        let mut entries = Vec::new();
        let mut next = range.start;
        while next < range.end {
            let page = self.page(next)?;
            let width = u64::from(TILE_WIDTH);
            let end = range.end.min((next / width + 1) * width);
            for index in next..end {
                entries.push(Entry::from_canonical(page.entry(index)?)?);
            }
            next = end;
        }
        Ok(entries)
    }

    /// What is published of it: the checkpoint in force, with cosignatures where witnesses have given them.
    #[must_use]
    pub fn published(&self) -> &Checkpoint {
        match &self.cosigned {
            Some(cosigned) if cosigned.text() == self.checkpoint.text() => cosigned,
            _ => &self.checkpoint,
        }
    }

    fn commit(&mut self, canonical: &[&[u8]]) -> Result<(), AuditError> {
        let grown = grown(&self.frontier, &self.bundle, canonical)?;
        // Signed before what it covers is durable, and shown to nobody until it is: a record that is not whole takes its
        // checkpoint with it.
        let checkpoint =
            Checkpoint::sign(&self.key, grown.frontier.size(), grown.frontier.root()?)?;
        let next = Next { grown, checkpoint };
        for _ in 0..2 {
            let record = self
                .journal
                .record(self.size(), &next.checkpoint, canonical);
            if let Some(record) =
                record.filter(|of| self.journal.has_room(of.len(), next.checkpoint.size()))
            {
                return self.commit_to_journal(next, &record);
            }
            if self.journal.base() == self.size() {
                break;
            }
            self.settle()?;
        }
        self.commit_to_files(next)
    }

    /// Durable with one write; the files follow.
    fn commit_to_journal(&mut self, next: Next, record: &[u8]) -> Result<(), AuditError> {
        // A crash before this returns: the append did not happen, or its record is whole and opening the log completes it.
        self.journal.add(&self.publisher, record)?;
        for (name, bytes) in &next.grown.writes {
            // A crash here leaves some of the files: opening the log writes all of them.
            self.publisher.put(name, WRITE_TMP, bytes)?;
        }
        let note = next.checkpoint.note().as_bytes();
        self.publisher.put(CHECKPOINT, CHECKPOINT_TMP, note)?;
        // A crash here: the entries are in the log, though nobody holds a receipt yet; `receipt` makes one any time.
        let base = self.journal.base();
        for slot in self.take_over(next) {
            // The files of the durable checkpoint stay: opening the log begins with them.
            let kept = [slot.width_in(base)];
            heard(recover::clear_partials(
                &self.files,
                &self.publisher,
                slot,
                &kept,
            ));
        }
        Ok(())
    }

    /// What is too large for the journal: every file is durable before the next.
    fn commit_to_files(&mut self, next: Next) -> Result<(), AuditError> {
        for (name, bytes) in &next.grown.writes {
            // A crash here leaves files beyond the checkpoint: nobody was promised anything about them, and opening
            // the log removes them.
            self.publisher.publish(name, WRITE_TMP, bytes)?;
        }
        // A crash before the new checkpoint's bytes are durable: the append did not happen. After that, and before it
        // is in place: opening the log puts it there, for what was once signed whole may have been seen.
        let note = next.checkpoint.note().as_bytes();
        self.publisher.publish(CHECKPOINT, CHECKPOINT_TMP, note)?;
        self.journal = Journal::begin(&self.files, &self.publisher, &next.checkpoint)?;
        for slot in self.take_over(next) {
            heard(recover::remove_partials(
                &self.files,
                &self.publisher,
                slot,
                0,
            ));
        }
        Ok(())
    }

    /// The log is as large as that now; answers which slots became full.
    fn take_over(&mut self, next: Next) -> Vec<Slot> {
        self.checkpoint = next.checkpoint;
        self.frontier = next.grown.frontier;
        self.bundle = next.grown.bundle;
        next.grown.filled
    }

    /// Makes everything durable that the journal was there for, and begins it anew.
    fn settle(&mut self) -> Result<(), AuditError> {
        let (from, to) = (self.journal.base(), self.size());
        journal::make_durable(&self.publisher, from, to)?;
        self.journal = Journal::begin(&self.files, &self.publisher, &self.checkpoint)?;
        let is_full = |slot: &Slot| slot.width_in(to) == TILE_WIDTH;
        for slot in journal::between(from, to).into_iter().filter(is_full) {
            heard(recover::remove_partials(
                &self.files,
                &self.publisher,
                slot,
                0,
            ));
        }
        Ok(())
    }

    /// The receipts of some entries, in order, under the checkpoint in force.
    ///
    /// # Errors
    /// As [`Log::receipt`].
    pub fn receipts(&self, indexes: Range<u64>) -> Result<Vec<Receipt>, AuditError> {
        let mut receipts = Vec::new();
        let mut page: Option<Page<'_>> = None;
        for index in indexes {
            let current = match page.take() {
                Some(page) if page.holds(index) => page,
                _ => self.page(index)?,
            };
            let entry = current.entry(index)?;
            let proof = current.tiles.prove(self.size(), index)?;
            check_record(
                &proof,
                self.size(),
                self.checkpoint.root_hash(),
                index,
                record_hash(entry),
            )
            .map_err(|_| AuditError::Bug {
                what: "a proof did not lead to the root",
            })?;
            receipts.push(Receipt::new(entry, index, &proof, &self.checkpoint)?);
            page = Some(current);
        }
        Ok(receipts)
    }
}

impl Drop for Log {
    /// Leaves nothing to the journal, so that opening the log finds everything that was altered meanwhile.
    fn drop(&mut self) {
        if self.interrupted || self.journal.base() == self.size() {
            return;
        }
        if let Err(error) = self.settle() {
            tracing::warn!(
                code = error.code(),
                "the log's files are written again when it is opened"
            );
        }
    }
}

/// A tree with some entries more.
fn grown(before: &Frontier, bundle: &[u8], canonical: &[&[u8]]) -> Result<Grown, AuditError> {
    let (mut frontier, mut bundle) = (before.clone(), bundle.to_vec());
    let (mut bundles, mut tiles, mut filled) = (Vec::new(), Vec::new(), Vec::new());
    for entry in canonical {
        let slot = Kind::Entries.edge(frontier.size());
        bundle::push(&mut bundle, entry).ok_or(AuditError::Bug {
            what: "a checked entry was too long",
        })?;
        frontier.push(record_hash(entry), |slot, bytes| {
            tiles.push((slot.full_path(), bytes));
            filled.push(slot);
        });
        if slot.width_in(frontier.size()) == TILE_WIDTH {
            bundles.push((slot.full_path(), std::mem::take(&mut bundle)));
            filled.push(slot);
        }
    }
    let slot = Kind::Entries.edge(frontier.size());
    match slot.width_in(frontier.size()) {
        0 => {}
        width => bundles.push((slot.path(width), bundle.clone())),
    }
    for (slot, width, bytes) in frontier.partials() {
        if slot.width_in(before.size()) != width {
            tiles.push((slot.path(width), bytes.to_vec()));
        }
    }
    let writes = bundles.into_iter().chain(tiles).collect();
    Ok(Grown {
        frontier,
        bundle,
        writes,
        filled,
    })
}

/// A crash while obsolete partial files are removed, or a failure, leaves some: harmless, removed at the next opening.
fn heard(removed: Result<(), AuditError>) {
    if let Err(error) = removed {
        tracing::warn!(
            code = error.code(),
            "obsolete partial files stay until the log is opened again"
        );
    }
}

#[cfg(test)]
mod tests;
