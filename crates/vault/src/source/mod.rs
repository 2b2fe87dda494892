//! Sources: CSV, Parquet and Arrow IPC, a file or a folder of parts. Read in blocks, checked value by value on several
//! threads, wrong ones refused with their place.

mod arrow;
mod columnar;
mod columns;
mod csv;
mod fault;
mod parquet;
mod parts;
mod pool;
mod widen;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::arrow::array::ArrayRef;
use weir_catalogue::Manifest;

use crate::Result;
use columnar::ColumnarBlock;
use csv::CsvBlock;
use fault::Fault;
pub(crate) use pool::{Reading, read};

/// What a dataset is registered from: a file, or a folder of part files.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    name: String,
}

impl Source {
    /// The file at `path`, or the folder of parts: its files in the order of their names, all of one format, each with
    /// every column. Files whose names begin with `.` or `_` are passed over. Messages give names without the folders
    /// above.
    pub fn file(path: &Path) -> Self {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Self {
            path: path.to_owned(),
            name,
        }
    }

    /// The same source under the name its owner knows it by, for an upload that lies in a temporary file.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Checked rows: every column of the manifest, in the manifest's order, in its stored type.
pub(crate) struct Rows {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: usize,
}

/// A part being read, on one thread at a time.
trait PartReader: Send {
    /// The next rows, not checked yet; `None` at the end. After an error nothing more is read.
    fn next_block(&mut self) -> Result<Option<Block>, Fault>;

    /// Bytes of the part read so far.
    fn bytes_read(&self) -> u64;
}

/// Rows that were read and not checked. Checking them is most of the work, and can be done on any thread.
enum Block {
    Csv(CsvBlock),
    Columnar(ColumnarBlock),
}

impl Block {
    fn check(self, manifest: &Manifest) -> Result<Rows, Fault> {
        match self {
            Self::Csv(block) => block.check(manifest),
            Self::Columnar(block) => block.check(manifest),
        }
    }
}

/// For each column of the manifest, its position in the part.
type Fields = Arc<[usize]>;
