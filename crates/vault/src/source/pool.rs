//! Reading on one thread at a time, checking on several, in order.
//!
//! Each worker takes the next block under a lock, leaves a ticket for its rows in a queue, lets the lock go and checks
//! the block. So tickets are in the order of the source, reading is never done twice at once, and the length of the
//! queue bounds what is in memory.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use weir_catalogue::Manifest;

use super::fault::Fault;
use super::parts::{self, Format, Part};
use super::{PartReader, Rows, Source};
use crate::limits::ROWS_MAX;
use crate::{Result, VaultError};

/// How far a source is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_total: u64,
}

/// What a worker made of a block: how many rows it had, and what became of them.
type Worked<T> = Result<(usize, Result<T>), Fault>;

/// A place in the order of blocks.
struct Ticket<T> {
    part: usize,
    /// Bytes of the whole source read when the block had been.
    bytes: u64,
    worked: Receiver<Worked<T>>,
}

/// Reads a source: `work` is done on each block's rows on `threads` threads, and `take` is given the results in order, on
/// this one. `take` is called once before anything is read.
pub(crate) fn read<T: Send>(
    source: &Source,
    manifest: &Manifest,
    threads: usize,
    work: impl Fn(Rows) -> Result<T> + Sync,
    mut take: impl FnMut(Option<T>, Reading) -> Result<()>,
) -> Result<Reading> {
    let (parts, bytes_total) = parts::list(source)?;
    let mut reading = Reading {
        bytes_total,
        ..Reading::default()
    };
    take(None, reading)?;
    let threads = threads.max(1);
    let blocks = Mutex::new(Blocks::new(&parts, manifest));
    thread::scope(|scope| {
        // The queue goes with this closure, whichever way it is left, and then the workers end.
        let (send, tickets) = mpsc::sync_channel(threads + 1);
        for _ in 0..threads {
            let send = send.clone();
            let (blocks, work) = (&blocks, &work);
            scope.spawn(move || {
                while let Some((block, done)) = next(blocks, &send) {
                    let worked = block.and_then(|block| block.check(manifest));
                    let worked = worked.map(|rows| (rows.rows, work(rows)));
                    // Nobody waits for it any more once the registration was given up.
                    let _ = done.send(worked);
                }
            });
        }
        drop(send);
        let mut part = 0;
        let mut rows_before = 0;
        for ticket in tickets {
            if ticket.part != part {
                (part, rows_before) = (ticket.part, 0);
            }
            let worked = ticket.worked.recv().map_err(|_| VaultError::Internal {
                action: "reading the source",
            })?;
            let (rows, done) =
                worked.map_err(|fault| fault.placed(&parts[part], rows_before, manifest))?;
            rows_before += rows as u64;
            reading.rows += rows as u64;
            reading.bytes = ticket.bytes;
            if reading.rows > ROWS_MAX {
                return Err(VaultError::SourceTooManyRows {
                    file: source.name.clone(),
                    limit: ROWS_MAX,
                });
            }
            take(Some(done?), reading)?;
        }
        Ok(reading)
    })
}

/// A block or what was wrong with it, and where its rows go.
type Next<T> = (Result<super::Block, Fault>, SyncSender<Worked<T>>);

/// Takes the next block and leaves a ticket for it. `None` at the end.
fn next<T>(blocks: &Mutex<Blocks<'_>>, tickets: &SyncSender<Ticket<T>>) -> Option<Next<T>> {
    let mut blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
    let block = blocks.next()?;
    let (done, worked) = mpsc::sync_channel(1);
    let ticket = Ticket {
        part: blocks.part,
        bytes: blocks.bytes(),
        worked,
    };
    // Waits, with the lock, while the queue is full: nobody may read on.
    tickets.send(ticket).ok()?;
    Some((block, done))
}

/// The blocks of all parts, in order.
struct Blocks<'a> {
    parts: &'a [Part],
    manifest: &'a Manifest,
    format: Option<Format>,
    /// The part being read.
    part: usize,
    reader: Option<Box<dyn PartReader>>,
    /// Bytes of the parts before it.
    bytes_before: u64,
    /// Whether something was wrong, after which nothing more is read.
    over: bool,
}

impl<'a> Blocks<'a> {
    fn new(parts: &'a [Part], manifest: &'a Manifest) -> Self {
        Self {
            parts,
            manifest,
            format: None,
            part: 0,
            reader: None,
            bytes_before: 0,
            over: false,
        }
    }

    fn next(&mut self) -> Option<Result<super::Block, Fault>> {
        let next = if self.over {
            None
        } else {
            self.try_next().transpose()
        };
        self.over = !matches!(next, Some(Ok(_)));
        next
    }

    fn try_next(&mut self) -> Result<Option<super::Block>, Fault> {
        while let Some(part) = self.parts.get(self.part) {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => {
                    let opened = parts::open(part, self.manifest, &mut self.format);
                    self.reader.insert(opened.map_err(Fault::Part)?)
                }
            };
            if let Some(block) = reader.next_block()? {
                return Ok(Some(block));
            }
            self.bytes_before += part.bytes;
            self.reader = None;
            self.part += 1;
        }
        Ok(None)
    }

    fn bytes(&self) -> u64 {
        let here = self.reader.as_ref().map_or(0, |reader| reader.bytes_read());
        self.bytes_before + here
    }
}
