//! Source files: CSV and Parquet, read in batches, checked value by value, wrong ones refused with their place.

mod columns;
mod csv;
mod csv_values;
mod parquet;
mod widen;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use arrow::array::ArrayRef;

use crate::limits::SOURCE_BYTES_MAX;
use crate::{Result, VaultError};
use weir_catalogue::Manifest;

/// The file a dataset is registered from.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    name: String,
}

impl Source {
    /// The file at `path`; messages give its name without the folders.
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

    /// The same file under the name its owner knows it by, for an upload that lies in a temporary file.
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

/// Rows as read: every column of the manifest, in the manifest's order, in its stored type.
pub(crate) struct SourceBatch {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: usize,
    /// Bytes of the file read so far.
    pub(crate) bytes_read: u64,
}

/// A source being read.
pub(crate) trait SourceReader {
    /// The next rows; `None` at the end. After an error nothing more may be read.
    fn next_batch(&mut self) -> Result<Option<SourceBatch>>;
}

/// An opened source.
pub(crate) struct OpenedSource<'a> {
    pub(crate) reader: Box<dyn SourceReader + 'a>,
    pub(crate) bytes_total: u64,
}

/// Opens a source and checks its columns against the manifest.
pub(crate) fn open<'a>(source: &'a Source, manifest: &'a Manifest) -> Result<OpenedSource<'a>> {
    let name = || source.name.clone();
    let mut file = match File::open(&source.path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(VaultError::SourceMissing { file: name() });
        }
        Err(error) => return Err(VaultError::io("read", &source.path)(error)),
    };
    let metadata = file
        .metadata()
        .map_err(VaultError::io("read", &source.path))?;
    if !metadata.is_file() {
        return Err(VaultError::SourceFormat {
            file: name(),
            found: "not a regular file",
        });
    }
    let bytes_total = metadata.len();
    match bytes_total {
        0 => return Err(VaultError::SourceEmpty { file: name() }),
        SOURCE_BYTES_MAX.. => {
            return Err(VaultError::SourceTooLarge {
                file: name(),
                bytes: bytes_total,
                limit: SOURCE_BYTES_MAX,
            });
        }
        _ => {}
    }
    let start = first_bytes(&mut file).map_err(VaultError::io("read", &source.path))?;
    let reader: Box<dyn SourceReader> = match Format::of(&start, &source.name) {
        Format::Parquet => Box::new(parquet::ParquetSource::open(
            file,
            bytes_total,
            &source.name,
            manifest,
        )?),
        Format::Csv => Box::new(csv::CsvSource::open(file, &source.name, manifest)?),
        Format::Other(found) => {
            return Err(VaultError::SourceFormat {
                file: name(),
                found,
            });
        }
    };
    Ok(OpenedSource {
        reader,
        bytes_total,
    })
}

enum Format {
    Csv,
    Parquet,
    Other(&'static str),
}

impl Format {
    /// The bytes decide, not the name, which an upload may have lost. Only a file that calls itself Parquet and does
    /// not begin like one is taken at its word, so that damage is called damage.
    fn of(start: &[u8], name: &str) -> Self {
        match start {
            [b'P', b'A', b'R', b'1', ..] | [b'P', b'A', b'R', b'E', ..] => Self::Parquet,
            [0x1f, 0x8b, ..] => Self::Other("compressed with gzip"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Other("compressed with zstd"),
            [b'P', b'K', 3, 4, ..] => Self::Other("a ZIP archive or a spreadsheet"),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Self::Other("an Arrow IPC file"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Other("UTF-16 text"),
            _ if name.to_ascii_lowercase().ends_with(".parquet") => Self::Parquet,
            _ => Self::Csv,
        }
    }
}

fn first_bytes(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}
