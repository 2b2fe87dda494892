//! The ledger's folder: what it holds, how it is opened, how a release is added.
//!
//! ```text
//! releases   a header, then one frame a release, only ever added to
//! head       up to where `releases` is acknowledged; replaced whole
//! head.new   a head that is being written
//! ```
//! A release is added in one durable step: its frame is written where zeros are reserved for it, and synced. The head follows
//! now and then, and when the ledger is closed. What a crash leaves:
//!
//! | crash | on the disk | at the next opening |
//! |---|---|---|
//! | while the frame is written | a torn frame beyond the head | cut: it was never acknowledged |
//! | afterwards | a whole frame beyond the head | the release is there, whether or not it was acknowledged |
//! | while the head is replaced | the old head or the new one | either: frames beyond it are read all the same |
//!
//! A frame is bound to all before it, so what lies beyond the head is read as far as it is whole. A frame is durable before the
//! next is written: where something follows one that does not open, it is no torn tail but damage, as is a release which the
//! head covers and that does not open. A release that is in the ledger and was never made is harmless: it makes later answers
//! stricter.
//!
//! A thief learns from the folder how many bytes each release has, roughly, and nothing else. Somebody who puts back
//! older files of the folder, all of them, is found by [`crate::Ledger::check_state`], which takes a state from the log.

mod cache;
mod disk;
mod frame;
mod head;
mod seal;

#[cfg(test)]
mod faults;

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringBitmap;

pub use disk::{Disk, OsDisk};
pub use seal::LedgerKey;
use seal::PieceKey;

use crate::entry::{Entry, NewEntry, Span};
use crate::limits::{CACHE_BYTES, CHECKED_BYTES_MAX, FRAME_BYTES_MAX};
use crate::question::Digest;
use crate::{LedgerError, Result};
use cache::Cache;
use frame::{Frame, START_LEN};
use head::{HEAD_LEN, Head, ID_LEN};

const RELEASES: &str = "releases";
const HEAD: &str = "head";
const HEAD_NEW: &str = "head.new";
/// What a file of releases begins with: name and version of the format.
const MAGIC: &[u8; 16] = b"weir ledger v1\n\0";
/// How many releases the head on the disk may be behind.
const HEAD_EVERY: u64 = if cfg!(test) { 3 } else { 256 };
/// Zeros that are reserved for frames, in bytes.
const RESERVED_BYTES: u64 = if cfg!(test) { 1 << 14 } else { 1 << 20 };
const HEADER_LEN: u64 = (MAGIC.len() + ID_LEN) as u64;

/// Takes an entry and the places of its sets, which are there to be read.
pub(crate) type Load<'a> = &'a mut dyn FnMut(Entry, Vec<Place>, &Store) -> Result<()>;

/// The folder of a ledger, open.
pub(crate) struct Store {
    folder: PathBuf,
    key: LedgerKey,
    disk: Box<dyn Disk>,
    /// Open for reading, and locked.
    file: File,
    /// Up to where it goes.
    head: Head,
    /// How many releases the head on the disk covers.
    covered: u64,
    /// Length of the file, with what is reserved.
    length: u64,
    frames: Vec<FrameAt>,
    cache: Mutex<Cache>,
    /// Whether this is an earlier state, which is read and never written.
    is_earlier: bool,
}

/// How much of a frame is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What is needed to answer: its sets are opened when they are compared with.
    Entries,
    /// All of it.
    Sets,
}

/// A frame in the file.
struct FrameAt {
    salt: [u8; frame::SALT_LEN],
    /// Where its sets begin in the file.
    sets_at: u64,
    /// The chain up to it.
    chain: Digest,
}

/// A frame that was read.
struct FoundFrame {
    entry: Entry,
    spans: Vec<Span>,
    at: FrameAt,
    upto: Head,
}

/// Where a set is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    frame: u32,
    number: u32,
    span: Span,
}

impl Store {
    /// Makes an empty ledger in a folder, which is made where there is none. One that was made halfway is made anew.
    pub(crate) fn create(folder: &Path, key: &LedgerKey, disk: &dyn Disk) -> Result<()> {
        let (releases, head) = (folder.join(RELEASES), folder.join(HEAD));
        if head.exists() {
            return Err(LedgerError::Exists {
                path: folder.to_owned(),
            });
        }
        if std::fs::metadata(&releases).is_ok_and(|file| file.len() > HEADER_LEN) {
            return Err(LedgerError::damaged(&head, "it is gone"));
        }
        if !folder.is_dir() {
            let made = disk.make_folder(folder);
            made.map_err(LedgerError::io("make the folder", folder))?;
        }
        if let Some(above) = folder.parent() {
            let synced = disk.sync_folder(above);
            synced.map_err(LedgerError::io("sync the folder", above))?;
        }
        let id = seal::random()?;
        let written = disk.write_synced(&releases, &[MAGIC.as_slice(), &id].concat());
        written.map_err(LedgerError::io("write", &releases))?;
        // A crash here leaves no head, and so no ledger. The head's own sync covers the name of this file too.
        replace_head(folder, key, disk, &Head::start(id))
    }

    /// Opens a ledger and hands each of its entries to `load`, oldest first. Takes time with the entries and not with the
    /// sets.
    pub(crate) fn open(
        folder: &Path,
        key: LedgerKey,
        disk: Box<dyn Disk>,
        load: Load<'_>,
    ) -> Result<Store> {
        let path = folder.join(RELEASES);
        let head = read_head(folder, &key)?;
        let file = File::open(&path).map_err(LedgerError::io("open", &path))?;
        lock(&file, &path)?;
        check_header(&file, &path, &head)?;
        let mut store = Store {
            folder: folder.to_owned(),
            key,
            disk,
            file,
            covered: head.releases,
            length: head.bytes,
            head,
            frames: Vec::new(),
            cache: Mutex::new(Cache::new(CACHE_BYTES)),
            is_earlier: false,
        };
        store.read(load)?;
        Ok(store)
    }

    /// Reads everything again, after an error has left open what is on the disk.
    pub(crate) fn reopen(&mut self, load: Load<'_>) -> Result<()> {
        self.head = read_head(&self.folder, &self.key)?;
        self.covered = self.head.releases;
        self.read(load)
    }

    fn read(&mut self, load: Load<'_>) -> Result<()> {
        let path = self.path();
        let length = self
            .file
            .metadata()
            .map_err(LedgerError::io("read", &path))?
            .len();
        if length < self.head.bytes {
            return Err(LedgerError::damaged(
                &path,
                "acknowledged releases are missing",
            ));
        }
        self.frames.clear();
        let depth = match self.head.bytes <= CHECKED_BYTES_MAX {
            true => Depth::Sets,
            false => Depth::Entries,
        };
        let mut upto = Head::start(self.head.id);
        while upto.releases < self.head.releases {
            upto = self.read_frame(&upto, depth, load)?;
        }
        if upto != self.head {
            return Err(LedgerError::damaged(
                &path,
                "it is not the file that the head is of",
            ));
        }
        self.head = self.read_beyond(length, load)?;
        // A ledger that is closed has its newest head, and then nothing reserved: this one was put back.
        if length == self.head.bytes && self.head.releases > self.covered {
            return Err(LedgerError::SetBack);
        }
        // The head that was read may be one whose name is not durable yet.
        self.replace_head()?;
        self.cut(length)
    }

    /// Reads the releases that the head does not cover, and answers up to where they go.
    fn read_beyond(&mut self, length: u64, load: Load<'_>) -> Result<Head> {
        let mut upto = self.head;
        while upto.bytes < length {
            // Whole, sets and all: it may be torn anywhere.
            match self.look_at(&upto, Depth::Sets) {
                Ok(frame) => upto = self.take(frame, load)?,
                Err(LedgerError::Damaged { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        if self.follows_torn(&upto, length)? {
            return Err(LedgerError::damaged(
                &self.path(),
                "a release that others follow does not open",
            ));
        }
        Ok(upto)
    }

    /// Whether there is anything behind a frame that does not open, so far as it says how long it is.
    fn follows_torn(&self, upto: &Head, length: u64) -> Result<bool> {
        if length < upto.bytes + START_LEN as u64 {
            return Ok(false);
        }
        let mut start = vec![0; START_LEN];
        self.read_at(upto.bytes, &mut start)?;
        let key = frame::key(&self.key, &start[..frame::SALT_LEN])?;
        let Some(lengths) = frame::read_lengths(&key, upto, &mut start) else {
            return Ok(false);
        };
        let mut at = upto.bytes.saturating_add(lengths.frame);
        while at < length {
            let mut rest = vec![0; (length - at).min(RESERVED_BYTES) as usize];
            self.read_at(at, &mut rest)?;
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(true);
            }
            at += rest.len() as u64;
        }
        Ok(false)
    }

    /// Cuts what is reserved, or torn.
    fn cut(&mut self, length: u64) -> Result<()> {
        if length > self.head.bytes {
            let path = self.path();
            let cut = self.disk.set_length(&path, self.head.bytes);
            cut.map_err(LedgerError::io("cut", &path))?;
        }
        self.length = self.head.bytes;
        Ok(())
    }

    fn replace_head(&mut self) -> Result<()> {
        replace_head(&self.folder, &self.key, &*self.disk, &self.head)?;
        self.covered = self.head.releases;
        Ok(())
    }

    /// The same file as it was at its first releases, to be read and never written.
    pub(crate) fn earlier(&self, releases: u64, depth: Depth, load: Load<'_>) -> Result<Store> {
        let path = self.path();
        if releases > self.head.releases {
            return Err(LedgerError::SetBack);
        }
        let file = self.file.try_clone();
        let mut earlier = Store {
            folder: self.folder.clone(),
            key: self.key.again(),
            disk: Box::new(OsDisk),
            file: file.map_err(LedgerError::io("open", &path))?,
            head: Head::start(self.head.id),
            covered: 0,
            length: 0,
            frames: Vec::new(),
            cache: Mutex::new(Cache::new(CACHE_BYTES)),
            is_earlier: true,
        };
        let mut upto = earlier.head;
        while upto.releases < releases {
            upto = earlier.read_frame(&upto, depth, load)?;
        }
        earlier.head = upto;
        Ok(earlier)
    }

    /// Reads the frame after what `upto` covers.
    fn read_frame(&mut self, upto: &Head, depth: Depth, load: Load<'_>) -> Result<Head> {
        let frame = self.look_at(upto, depth)?;
        self.take(frame, load)
    }

    fn take(&mut self, found: FoundFrame, load: Load<'_>) -> Result<Head> {
        let places = self.places(&found.spans);
        self.frames.push(found.at);
        load(found.entry, places, self)?;
        Ok(found.upto)
    }

    fn look_at(&self, upto: &Head, depth: Depth) -> Result<FoundFrame> {
        let path = self.path();
        let damaged = || LedgerError::damaged(&path, "a release does not open");
        let mut bytes = vec![0; START_LEN];
        self.read_at(upto.bytes, &mut bytes)?;
        let mut start = bytes.clone();
        let key = frame::key(&self.key, &start[..frame::SALT_LEN])?;
        let lengths = frame::read_lengths(&key, upto, &mut start).ok_or_else(damaged)?;
        let sets_at = START_LEN as u64 + lengths.entry;
        if sets_at > lengths.frame || lengths.frame > FRAME_BYTES_MAX {
            return Err(damaged());
        }
        bytes.resize(usize::try_from(sets_at).map_err(|_| damaged())?, 0);
        self.read_at(upto.bytes + START_LEN as u64, &mut bytes[START_LEN..])?;
        let chain = frame::chain(upto, &bytes);
        let mut salt = [0; frame::SALT_LEN];
        salt.copy_from_slice(&bytes[..frame::SALT_LEN]);
        let entry = frame::open_entry(&key, &mut bytes[START_LEN..]).ok_or_else(damaged)?;
        let (entry, spans) = Entry::read(entry).ok_or_else(damaged)?;
        if depth == Depth::Sets {
            let rest = upto.bytes + sets_at..upto.bytes + lengths.frame;
            self.check_sets(&key, rest, &spans, lengths.padding_is_sealed)?;
        }
        Ok(FoundFrame {
            entry,
            spans,
            at: FrameAt {
                salt,
                sets_at: upto.bytes + sets_at,
                chain,
            },
            upto: upto.after(lengths.frame, chain),
        })
    }

    /// Opens every set of a frame, and what fills it up.
    fn check_sets(
        &self,
        key: &PieceKey,
        rest: Range<u64>,
        spans: &[Span],
        padding_is_sealed: bool,
    ) -> Result<()> {
        let path = self.path();
        let damaged = || LedgerError::damaged(&path, "a set does not open");
        let mut at = rest.start;
        for (number, span) in spans.iter().enumerate() {
            let mut sealed = vec![0; span.bytes as usize];
            self.read_at(at, &mut sealed)?;
            frame::open_set(key, number as u32, &mut sealed).ok_or_else(damaged)?;
            at += u64::from(span.bytes);
        }
        if !padding_is_sealed {
            return Ok(());
        }
        let length = rest.end.checked_sub(at).ok_or_else(damaged)?;
        let mut padding = vec![0; usize::try_from(length).map_err(|_| damaged())?];
        self.read_at(at, &mut padding)?;
        match frame::is_padding(key, &mut padding) {
            true => Ok(()),
            false => Err(LedgerError::damaged(
                &path,
                "what fills a release up was altered",
            )),
        }
    }

    /// The places of the sets of the next frame.
    fn places(&self, spans: &[Span]) -> Vec<Place> {
        let frame = self.frames.len() as u32;
        let place = |(number, span): (usize, &Span)| Place {
            frame,
            number: number as u32,
            span: *span,
        };
        spans.iter().enumerate().map(place).collect()
    }

    /// Adds a release. After an error it is open whether it is on the disk: [`Store::reopen`] finds out.
    pub(crate) fn add(&mut self, new: &NewEntry) -> Result<Vec<Place>> {
        let path = self.path();
        let frame = Frame::of(&self.key, &self.head, new, RESERVED_BYTES)?;
        let length = frame.length;
        if length > FRAME_BYTES_MAX {
            return Err(LedgerError::TooLarge);
        }
        let mut bytes = frame.bytes.as_slice();
        if !self.reserve(length)? {
            // Else the zeros are written, too, and not only the file's length: what is written over them needs no place on the disk.
            bytes = &bytes[..length as usize];
        }
        let appended = self.disk.append(&path, self.head.bytes, bytes);
        appended.map_err(LedgerError::io("append to", &path))?;
        let head = self.head.after(length, frame.chain);
        // A crash from here on leaves a recorded release, whether or not anybody saw it.
        let places = self.places(&frame.spans);
        self.frames.push(FrameAt {
            salt: frame.salt,
            sets_at: self.head.bytes + frame.sets_at,
            chain: frame.chain,
        });
        self.head = head;
        if self.head.releases - self.covered >= HEAD_EVERY {
            self.replace_head()?;
        }
        Ok(places)
    }

    /// Makes the file longer where the next frame goes beyond its end: what is written within it is durable without a change of
    /// the file's length, and a frame that is torn ends before the file does. Whether it was too short.
    fn reserve(&mut self, bytes: u64) -> Result<bool> {
        let end = self.head.bytes + bytes;
        // Never all of it: what is reserved says that the ledger was not closed.
        if end < self.length {
            return Ok(false);
        }
        let (path, length) = (self.path(), end + RESERVED_BYTES);
        let reserved = self.disk.set_length(&path, length);
        reserved.map_err(LedgerError::io("lengthen", &path))?;
        self.length = length;
        Ok(true)
    }

    /// A set, from memory or from the disk.
    pub(crate) fn set(&self, place: &Place) -> Result<Arc<RoaringBitmap>> {
        let id = (place.frame, place.number);
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = cache().get(id) {
            return Ok(set);
        }
        let path = self.path();
        let damaged = || LedgerError::damaged(&path, "a set does not open");
        let frame = self.frames.get(place.frame as usize).ok_or_else(damaged)?;
        let mut sealed = vec![0; place.span.bytes as usize];
        self.read_at(frame.sets_at + place.span.offset, &mut sealed)?;
        let key = frame::key(&self.key, &frame.salt)?;
        let set = frame::open_set(&key, place.number, &mut sealed).ok_or_else(damaged)?;
        let set = Arc::new(set);
        cache().put(id, &set);
        Ok(set)
    }

    /// How many releases there are, and the chain up to the last one.
    pub(crate) fn state(&self) -> (u64, Digest) {
        (self.head.releases, self.head.chain)
    }

    /// The chain up to a number of releases; none where there are fewer.
    pub(crate) fn chain_at(&self, releases: u64) -> Option<Digest> {
        match usize::try_from(releases).ok()?.checked_sub(1) {
            None => Some(Head::start(self.head.id).chain),
            Some(last) => Some(self.frames.get(last)?.chain),
        }
    }

    /// The bytes of all releases.
    pub(crate) fn bytes(&self) -> u64 {
        self.head.bytes
    }

    fn path(&self) -> PathBuf {
        self.folder.join(RELEASES)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let path = self.path();
        self.file.read_exact_at(bytes, offset).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return LedgerError::damaged(&path, "acknowledged releases are missing");
            }
            LedgerError::io("read", &path)(error)
        })
    }
}

impl Drop for Store {
    /// Leaves a head that covers everything. Where that fails, what lies beyond it is read at the next opening.
    fn drop(&mut self) {
        if !self.is_earlier && self.length > self.head.bytes {
            drop(self.replace_head().and_then(|()| self.cut(self.length)));
        }
    }
}

fn replace_head(folder: &Path, key: &LedgerKey, disk: &dyn Disk, head: &Head) -> Result<()> {
    let (new, path) = (folder.join(HEAD_NEW), folder.join(HEAD));
    let written = disk.write_synced(&new, &head.seal(key)?);
    written.map_err(LedgerError::io("write", &new))?;
    disk.rename(&new, &path)
        .map_err(LedgerError::io("rename into place", &path))?;
    disk.sync_folder(folder)
        .map_err(LedgerError::io("sync the folder", folder))
}

fn read_head(folder: &Path, key: &LedgerKey) -> Result<Head> {
    let path = folder.join(HEAD);
    let file = File::open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound if folder.join(RELEASES).exists() => {
            LedgerError::damaged(&path, "it is gone, or the ledger was not made to the end")
        }
        ErrorKind::NotFound => LedgerError::Missing {
            path: folder.to_owned(),
        },
        _ => LedgerError::io("open", &path)(error),
    })?;
    let mut bytes = Vec::new();
    let read = file.take(HEAD_LEN as u64 + 1).read_to_end(&mut bytes);
    read.map_err(LedgerError::io("read", &path))?;
    Head::open(key, &path, bytes)
}

fn check_header(file: &File, path: &Path, head: &Head) -> Result<()> {
    let mut header = [0; HEADER_LEN as usize];
    let read = file.read_exact_at(&mut header, 0);
    read.map_err(|_| LedgerError::damaged(path, "it has no header"))?;
    let (magic, id) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(LedgerError::Format {
            path: path.to_owned(),
        });
    }
    if id != head.id {
        return Err(LedgerError::damaged(
            path,
            "it is not the file that the head is of",
        ));
    }
    Ok(())
}

fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(LedgerError::io("lock", path)(error)),
    }
}
