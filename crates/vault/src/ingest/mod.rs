//! Registration: read, check, code, sort by unit, seal; then one rename makes it a snapshot.
//!
//! Two stages. First several threads read, check and tag ([`source`], [`code`]), the caller's codes, and one more sorts
//! and spills what has been gathered ([`sort`]). Then a thread merges the sorted runs while the others seal what comes out
//! ([`write`]). They meet in short queues, so that memory is bounded by the sort's limit and the populations' sizes.

mod code;
mod distinct;
mod encode;
mod sort;
mod staged;
mod write;

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use arrow::array::RecordBatch;

pub use staged::Staged;
pub(crate) use staged::Staging;

use crate::keys::DataKey;
use crate::limits::SORT_BYTES;
use crate::snapshot::SealedFile;
use crate::source::{self, Source};
use crate::{Result, VaultError};
pub(crate) use code::Populations;
use code::{Coder, Tagging};
use sort::{Sorted, Sorter, Sorting};
use weir_catalogue::Manifest;
use weir_catalogue::quality::{Collector, QualityReport};
use write::SealedWriter;

/// Batches that wait between merging and sealing.
const QUEUE_BATCHES: usize = 32;
/// Most threads a registration uses where nothing else is said.
const THREADS_MAX: usize = 8;

/// What a registration may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Memory for rows while they are sorted, in bytes. The snapshot is the same whatever it is.
    pub sort_bytes: usize,
    /// Threads for the work that can be shared: reading CSV and sealing.
    pub threads: usize,
}

impl Default for Resources {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(2, usize::from);
        Self {
            sort_bytes: SORT_BYTES,
            threads: threads.min(THREADS_MAX),
        }
    }
}

/// How far a registration is. With a clock of one's own the rate and the time left follow from [`Progress::done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Rows read from the source so far.
    pub rows_read: u64,
    /// Rows that name a unit, among those read: what will be sorted and sealed.
    pub rows_kept: u64,
    /// Rows merged ahead of the last merge so far; 0 but for a dataset many times the memory.
    pub rows_merged: u64,
    /// Rows sealed so far.
    pub rows_sealed: u64,
    /// Bytes of the source read so far.
    pub bytes_read: u64,
    /// Size of the source, in bytes.
    pub bytes_total: u64,
}

impl Progress {
    /// The share of the stage that is done, from 0 to 1. Merging ahead counts as none of sealing: it is rare.
    pub fn done(&self) -> f64 {
        let (done, total) = match self.stage {
            Stage::Read => (self.bytes_read, self.bytes_total),
            Stage::Merge => (0, self.rows_kept),
            Stage::Seal => (self.rows_sealed, self.rows_kept),
        };
        if total == 0 {
            return 0.0;
        }
        (done as f64 / total as f64).min(1.0)
    }
}

/// The stages of a registration, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading, checking, coding, and sorting in runs.
    Read,
    /// Merging runs of which there are too many for one merge. `rows_merged` grows.
    Merge,
    /// Merging and sealing. `rows_sealed` grows towards `rows_kept`.
    Seal,
}

/// Told how far the registration is, a few times a second at most sizes; `Break` cancels it.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// What a registration found and wrote.
pub(crate) struct Outcome {
    pub(crate) rows_read: u64,
    pub(crate) rows_without_unit: u64,
    /// Distinct units in each unit column, the primary first.
    pub(crate) units: Vec<u64>,
    pub(crate) files: Vec<SealedFile>,
    pub(crate) quality: QualityReport,
}

/// What a registration works with.
pub(crate) struct Task<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) source: &'a Source,
    pub(crate) staging: &'a Staging,
    pub(crate) key: &'a DataKey,
    pub(crate) resources: Resources,
}

/// Runs one registration into its staging folder.
pub(crate) fn run(
    task: &Task<'_>,
    populations: &mut Populations,
    on_progress: OnProgress<'_>,
) -> Result<Outcome> {
    let mut teller = Teller::new(task.manifest, on_progress);
    let sorting = Sorting {
        folder: task.staging.folder(),
        schema: code::keyed_schema(task.manifest),
        bytes_max: task.resources.sort_bytes,
    };
    let mut quality = Collector::new(task.manifest);
    let (sorted, further_units) = thread::scope(|scope| {
        let mut sorter = Sorter::start(scope, &sorting)?;
        match read(task, populations, &mut quality, &mut sorter, &mut teller) {
            Ok(further_units) => Ok((sorter.finish()?, further_units)),
            Err(error) => Err(sorter.abandon().unwrap_or(error)),
        }
    })?;
    let (files, primary_units) = seal(task, sorted, &mut teller)?;
    let progress = teller.progress;
    Ok(Outcome {
        rows_read: progress.rows_read,
        rows_without_unit: progress.rows_read - progress.rows_kept,
        units: std::iter::once(primary_units)
            .chain(further_units)
            .collect(),
        files,
        quality: quality.finish(),
    })
}

/// Reads, checks and codes the source. Returns the distinct units of each further unit column.
fn read(
    task: &Task<'_>,
    populations: &mut Populations,
    quality: &mut Collector,
    sorter: &mut Sorter<'_>,
    teller: &mut Teller<'_>,
) -> Result<Vec<u64>> {
    let (manifest, source) = (task.manifest, task.source);
    let tagging = Tagging::new(manifest, populations);
    let mut coder = Coder::new(manifest, populations);
    let reading = source::read(
        source,
        manifest,
        task.resources.threads,
        |rows| Ok((tagging.tag(&rows)?, rows)),
        |checked, reading| {
            if let Some((tagged, rows)) = checked {
                quality
                    .observe(&rows.columns)
                    .map_err(|_| VaultError::Internal {
                        action: "measuring quality",
                    })?;
                if let Some(coded) = coder.code(tagged)? {
                    teller.progress.rows_kept += coded.num_rows() as u64;
                    sorter.push(coded)?;
                }
            }
            teller.read(reading)
        },
    )?;
    let file = || source.name().to_owned();
    match (reading.rows, teller.progress.rows_kept) {
        (0, _) => Err(VaultError::SourceNoRows { file: file() }),
        (rows, 0) => Err(VaultError::SourceNoUnits {
            file: file(),
            column: manifest.unit().name.clone(),
            rows,
        }),
        _ => Ok(coder.further_units()),
    }
}

/// What the merging thread sends.
enum Merged {
    /// Rows in their order.
    Rows(RecordBatch),
    /// So many rows were merged ahead of the last merge.
    Ahead(u64),
}

/// Merges on one thread and seals on this one. Returns the files and the number of units.
fn seal(
    task: &Task<'_>,
    sorted: Sorted,
    teller: &mut Teller<'_>,
) -> Result<(Vec<SealedFile>, u64)> {
    let Task {
        staging,
        key,
        manifest,
        resources,
        ..
    } = *task;
    let mut writer = SealedWriter::new(
        staging,
        key,
        manifest,
        teller.progress.rows_kept,
        resources.threads,
    )?;
    thread::scope(|scope| {
        let (send, merged) = mpsc::sync_channel(QUEUE_BATCHES);
        let merger = scope.spawn(move || {
            let stopped = |_| VaultError::Internal { action: "sealing" };
            sorted.merge(
                |rows| send.send(Merged::Ahead(rows)).map_err(stopped),
                |batch| send.send(Merged::Rows(batch)).map_err(stopped),
            )
        });
        // Whatever ends this, the queue ends with it, and then the merger.
        let sealed = seal_all(merged, &mut writer, teller);
        let merged = merger
            .join()
            .map_err(|_| VaultError::Internal { action: "sorting" })?;
        sealed.and(merged)
    })?;
    writer.finish()
}

fn seal_all(
    merged: mpsc::Receiver<Merged>,
    writer: &mut SealedWriter,
    teller: &mut Teller<'_>,
) -> Result<()> {
    for step in merged {
        match step {
            Merged::Ahead(rows) => {
                teller.progress.stage = Stage::Merge;
                teller.progress.rows_merged += rows;
            }
            Merged::Rows(batch) => {
                teller.progress.stage = Stage::Seal;
                writer.write(&batch)?;
                teller.progress.rows_sealed = writer.rows();
            }
        }
        teller.report()?;
    }
    Ok(())
}

/// Tells the caller how far the registration is.
struct Teller<'a> {
    manifest: &'a Manifest,
    on_progress: OnProgress<'a>,
    progress: Progress,
}

impl<'a> Teller<'a> {
    fn new(manifest: &'a Manifest, on_progress: OnProgress<'a>) -> Self {
        let progress = Progress {
            stage: Stage::Read,
            rows_read: 0,
            rows_kept: 0,
            rows_merged: 0,
            rows_sealed: 0,
            bytes_read: 0,
            bytes_total: 0,
        };
        Self {
            manifest,
            on_progress,
            progress,
        }
    }

    fn read(&mut self, reading: source::Reading) -> Result<()> {
        self.progress.rows_read = reading.rows;
        self.progress.bytes_read = reading.bytes;
        self.progress.bytes_total = reading.bytes_total;
        self.report()
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
