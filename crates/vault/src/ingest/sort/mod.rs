//! Sorting by unit with bounded memory.
//!
//! Coded rows are gathered into runs. A run that fills its share of the memory is sorted on a thread of its own and
//! spilled while the next one is gathered; a dataset that fits into one run never touches the disk. At the end the runs
//! are merged, chunk by chunk.
//!
//! What is spilled is sealed (see [`spill`]): no plain value touches a disk. DataFusion's sort could spill through a
//! factory of our own as well; this one knows that it sorts by a single `u64` that no two rows share, which makes the
//! memory it takes and the order it gives a matter of a few lines.

mod merge;
mod run;
mod spill;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{Scope, ScopedJoinHandle};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};

use crate::limits::{MERGE_RUNS_MAX, SPILL_CHUNK_BYTES};
use crate::{Result, VaultError};
use run::MemoryRun;
use spill::{SpillKey, SpilledRun};

/// Sorted rows, chunk by chunk, ascending by their first column, which holds no value twice.
pub(super) trait Run: Send {
    /// The next rows; `None` at the end. Never an empty chunk.
    fn next_chunk(&mut self) -> Result<Option<RecordBatch>>;
}

/// Where and with how much memory to sort.
pub(super) struct Sorting<'a> {
    /// Folder for sealed runs.
    pub(super) folder: &'a Path,
    pub(super) schema: SchemaRef,
    /// Memory for rows that are gathered or being sorted, in bytes.
    pub(super) bytes_max: usize,
}

/// Gathers rows and has them sorted in runs.
pub(super) struct Sorter<'scope> {
    gathered: Vec<RecordBatch>,
    gathered_bytes: usize,
    run_bytes_max: usize,
    full: SyncSender<Vec<RecordBatch>>,
    spiller: ScopedJoinHandle<'scope, Result<(Spills, Vec<SpilledRun>)>>,
}

impl<'scope> Sorter<'scope> {
    /// Starts the thread that sorts and spills.
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        sorting: &Sorting<'_>,
    ) -> Result<Self> {
        let spills = Spills {
            folder: sorting.folder.to_owned(),
            schema: SchemaRef::clone(&sorting.schema),
            key: SpillKey::random()?,
        };
        // No queue: a run that waited there would be a third one in memory.
        let (full, runs) = mpsc::sync_channel(0);
        let spiller = scope.spawn(move || spills.spill_all(&runs));
        Ok(Self {
            gathered: Vec::new(),
            gathered_bytes: 0,
            // One run is gathered while another is sorted.
            run_bytes_max: sorting.bytes_max / 2,
            full,
            spiller,
        })
    }

    /// Takes coded rows, the sort key first.
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = batch.get_array_memory_size() + batch.num_rows() * run::ENTRY_BYTES;
        if self.gathered_bytes + bytes > self.run_bytes_max && !self.gathered.is_empty() {
            let run = std::mem::take(&mut self.gathered);
            self.gathered_bytes = 0;
            // A spiller that failed is not listening any more; `finish` says why.
            if self.full.send(run).is_err() {
                return Err(VaultError::Internal { action: "sorting" });
            }
        }
        self.gathered_bytes += bytes;
        self.gathered.push(batch);
        Ok(())
    }

    /// Ends the gathering. What is left to do is the merge.
    pub(super) fn finish(self) -> Result<Sorted> {
        let Self {
            gathered,
            full,
            spiller,
            ..
        } = self;
        drop(full);
        let (spills, spilled) = spiller
            .join()
            .map_err(|_| VaultError::Internal { action: "sorting" })??;
        Ok(Sorted {
            last: MemoryRun::sort(gathered, SPILL_CHUNK_BYTES),
            spills,
            spilled,
        })
    }

    /// Ends the gathering because it failed. Where the spiller failed first, its reason is the true one.
    pub(super) fn abandon(self) -> Option<VaultError> {
        drop(self.full);
        match self.spiller.join() {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(VaultError::Internal { action: "sorting" }),
        }
    }
}

/// Writes sealed runs.
struct Spills {
    folder: PathBuf,
    schema: SchemaRef,
    key: SpillKey,
}

impl Spills {
    fn spill_all(mut self, runs: &Receiver<Vec<RecordBatch>>) -> Result<(Self, Vec<SpilledRun>)> {
        let mut spilled = Vec::new();
        for batches in runs {
            let mut run = MemoryRun::sort(batches, SPILL_CHUNK_BYTES);
            let mut writer = self.writer()?;
            while let Some(chunk) = run.next_chunk()? {
                writer.write(&chunk)?;
            }
            spilled.push(writer.finish()?);
        }
        Ok((self, spilled))
    }

    fn writer(&mut self) -> Result<spill::SpillWriter> {
        let file = SpillFile::create(&self.folder)?;
        self.key.writer(file, SchemaRef::clone(&self.schema))
    }
}

/// A file without a name: nothing of it is left once it is closed, whatever closes it.
struct SpillFile {
    file: File,
    path: PathBuf,
    /// Whether the name is still there, as where an open file cannot lose it.
    named: bool,
}

impl SpillFile {
    const NAME: &str = "spill";

    fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::NAME);
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&path)
            .map_err(VaultError::io("create", &path))?;
        let named = std::fs::remove_file(&path).is_err();
        Ok(Self { file, path, named })
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        if self.named {
            // What cannot be removed now goes with the staging folder.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// All rows, in sorted runs.
pub(super) struct Sorted {
    spills: Spills,
    spilled: Vec<SpilledRun>,
    last: MemoryRun,
}

impl Sorted {
    /// Gives all rows to `take`, in order, in batches. `between` hears of the rows moved while there are too many runs
    /// to merge at once, which takes a dataset many times the memory.
    pub(super) fn merge(
        mut self,
        mut between: impl FnMut(u64) -> Result<()>,
        take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        while self.spilled.len() >= MERGE_RUNS_MAX {
            let runs = self.spilled.drain(..MERGE_RUNS_MAX).map(boxed).collect();
            let mut writer = self.spills.writer()?;
            merge::merge(runs, |batch| {
                between(batch.num_rows() as u64)?;
                writer.write(&batch)
            })?;
            self.spilled.push(writer.finish()?);
        }
        let mut runs: Vec<_> = self.spilled.into_iter().map(boxed).collect();
        runs.push(boxed(self.last));
        merge::merge(runs, take)
    }
}

fn boxed(run: impl Run + 'static) -> Box<dyn Run> {
    Box::new(run)
}

/// The sort keys of a batch.
fn keys(batch: &RecordBatch) -> &[u64] {
    debug_assert_eq!(batch.column(0).null_count(), 0);
    batch.column(0).as_primitive::<UInt64Type>().values()
}

fn failed<E>(_: E) -> VaultError {
    VaultError::Internal { action: "sorting" }
}

#[cfg(test)]
mod tests;
