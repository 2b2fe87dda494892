//! Registration: read, check, code, sort by unit, seal; then one rename makes it a snapshot.
//!
//! Two threads share the work. The caller's reads, checks and codes; a second one sorts and writes. They meet in a
//! short queue, so that memory is bounded by the sort alone.

mod code;
mod sort;
mod staged;
mod write;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

pub use staged::Staged;
pub(crate) use staged::Staging;

use crate::keys::DataKey;
use crate::population::Population;
use crate::snapshot::SealedFile;
use crate::source::{self, Source};
use crate::{Result, VaultError};
use code::Coder;
use weir_catalogue::Manifest;
use weir_catalogue::quality::{Collector, QualityReport};
use write::SealedWriter;

/// Batches that wait between reading and sorting.
const QUEUE_BATCHES: usize = 4;

/// How far a registration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Rows read from the source so far.
    pub rows_read: u64,
    /// Rows sealed so far.
    pub rows_sealed: u64,
    /// Bytes of the source read so far.
    pub bytes_read: u64,
    /// Size of the source, in bytes.
    pub bytes_total: u64,
}

/// The stages of a registration, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading, checking and coding the source.
    Read,
    /// Sorting and sealing. `rows_sealed` grows towards the rows that name a unit.
    Seal,
}

/// Told how far the registration is, a few times a second at most sizes; `Break` cancels it.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// What a registration found and wrote.
pub(crate) struct Outcome {
    pub(crate) rows_read: u64,
    pub(crate) rows_without_unit: u64,
    pub(crate) units: u64,
    pub(crate) files: Vec<SealedFile>,
    pub(crate) quality: QualityReport,
}

/// What the sorting thread says.
enum Event {
    Sealed { rows: u64 },
    Done(Result<(Vec<SealedFile>, u64)>),
}

/// A coded batch, or nothing where reading failed.
type Coded = Option<RecordBatch>;

/// Runs one registration into `staging`.
pub(crate) fn run(
    manifest: &Manifest,
    source: &Source,
    population: &mut Population,
    staging: &Staging,
    key: &DataKey,
    on_progress: OnProgress<'_>,
) -> Result<Outcome> {
    let schema = code::keyed_schema(manifest);
    let rows_coded = Arc::new(AtomicU64::new(0));
    let writer = SealedWriter::new(staging, key, manifest, Arc::clone(&rows_coded))?;
    let (batches, queue) = mpsc::sync_channel::<Coded>(QUEUE_BATCHES);
    let (events, heard) = mpsc::channel();
    thread::scope(|scope| {
        let sorter = scope.spawn(move || {
            let done = sort_and_write(schema, queue, writer, source.name(), &events);
            // Nobody listens any more once reading has failed.
            let _ = events.send(Event::Done(done));
        });
        let mut reading = Reading::new(manifest, source, on_progress);
        let outcome = reading
            .read(population, &batches, &rows_coded)
            .inspect_err(|_| {
                // Tells the sorter that the end of the queue is not the end of the data.
                let _ = batches.send(None);
            });
        drop(batches);
        let sealed = match &outcome {
            Ok(()) => reading.follow(&heard),
            // A sorter that failed closes the queue, and reading stumbles over that: its reason is the true one.
            Err(VaultError::Internal { .. }) => wait(&heard),
            Err(_) => Ok(Default::default()),
        };
        // From here on nothing holds the queue or the events, so the sorter ends.
        drop(heard);
        if sorter.join().is_err() {
            return Err(VaultError::Internal { action: "sorting" });
        }
        let (files, units) = sealed?;
        outcome?;
        Ok(Outcome {
            rows_read: reading.progress.rows_read,
            rows_without_unit: reading.rows_without_unit,
            units,
            files,
            quality: reading.quality.finish(),
        })
    })
}

/// The reading side.
struct Reading<'a> {
    manifest: &'a Manifest,
    source: &'a Source,
    on_progress: OnProgress<'a>,
    progress: Progress,
    rows_without_unit: u64,
    quality: Collector,
}

impl<'a> Reading<'a> {
    fn new(manifest: &'a Manifest, source: &'a Source, on_progress: OnProgress<'a>) -> Self {
        let progress = Progress {
            stage: Stage::Read,
            rows_read: 0,
            rows_sealed: 0,
            bytes_read: 0,
            bytes_total: 0,
        };
        Self {
            manifest,
            source,
            on_progress,
            progress,
            rows_without_unit: 0,
            quality: Collector::new(manifest),
        }
    }

    fn read(
        &mut self,
        population: &mut Population,
        batches: &SyncSender<Coded>,
        rows_coded: &AtomicU64,
    ) -> Result<()> {
        let mut opened = source::open(self.source, self.manifest)?;
        self.progress.bytes_total = opened.bytes_total;
        self.report()?;
        let mut coder = Coder::new(self.manifest, population);
        while let Some(batch) = opened.reader.next_batch()? {
            self.progress.rows_read += batch.rows as u64;
            self.progress.bytes_read = batch.bytes_read;
            self.quality
                .observe(&batch.columns)
                .map_err(|_| VaultError::Internal {
                    action: "measuring quality",
                })?;
            if let Some(coded) = coder.code(batch)? {
                rows_coded.fetch_add(coded.num_rows() as u64, Ordering::Relaxed);
                batches
                    .send(Some(coded))
                    .map_err(|_| VaultError::Internal { action: "sorting" })?;
            }
            self.report()?;
        }
        self.rows_without_unit = coder.rows_without_unit();
        let file = || self.source.name().to_owned();
        let rows = self.progress.rows_read;
        if rows == 0 {
            return Err(VaultError::SourceNoRows { file: file() });
        }
        if self.rows_without_unit == rows {
            let column = self.manifest.unit().name.clone();
            return Err(VaultError::SourceNoUnits {
                file: file(),
                column,
                rows,
            });
        }
        Ok(())
    }

    /// Passes on what the sorter says until it is done.
    fn follow(&mut self, heard: &Receiver<Event>) -> Result<(Vec<SealedFile>, u64)> {
        self.progress.stage = Stage::Seal;
        self.report()?;
        while let Ok(event) = heard.recv() {
            match event {
                Event::Sealed { rows } => {
                    self.progress.rows_sealed = rows;
                    self.report()?;
                }
                Event::Done(done) => return done,
            }
        }
        Err(VaultError::Internal { action: "sorting" })
    }

    fn report(&mut self) -> Result<()> {
        match (self.on_progress)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(VaultError::Cancelled {
                dataset: self.manifest.name().to_owned(),
            }),
        }
    }
}

fn wait(heard: &Receiver<Event>) -> Result<(Vec<SealedFile>, u64)> {
    let done = heard.iter().find_map(|event| match event {
        Event::Done(done) => Some(done),
        Event::Sealed { .. } => None,
    });
    done.unwrap_or(Err(VaultError::Internal { action: "sorting" }))
}

fn sort_and_write(
    schema: SchemaRef,
    queue: Receiver<Coded>,
    mut writer: SealedWriter,
    file: &str,
    events: &mpsc::Sender<Event>,
) -> Result<(Vec<SealedFile>, u64)> {
    sort::sorted(schema, queue, file, |batch| {
        writer.write(batch)?;
        // Nobody listens any more once the registration was cancelled: stop.
        events
            .send(Event::Sealed {
                rows: writer.rows(),
            })
            .map_err(|_| VaultError::Internal { action: "sealing" })
    })?;
    writer.finish()
}
