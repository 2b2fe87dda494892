//! Writing sorted rows as encrypted Parquet, cut at unit boundaries.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{SchemaRef, UInt64Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use ring::digest;
use zeroize::Zeroizing;

use super::Staging;
use super::code::POSITION_BITS;
use crate::durable;
use crate::keys::DataKey;
use crate::layout::part_file;
use crate::limits::{FILE_ROWS_MAX, FILE_ROWS_MIN, FILES_TARGET, ROW_GROUP_ROWS};
use crate::manifest::Manifest;
use crate::snapshot::{SealedFile, file_place, stored_columns};
use crate::table::{parquet_key, stored_schema};
use crate::{Result, VaultError};

/// Writes the files of one snapshot.
pub(super) struct SealedWriter {
    id: String,
    folder: PathBuf,
    key: Zeroizing<Vec<u8>>,
    schema: SchemaRef,
    /// Rows the reading side has coded: all of them, once the first sorted batch arrives.
    rows_coded: Arc<AtomicU64>,
    file_rows: u64,
    part: Option<Part>,
    files: Vec<SealedFile>,
    rows: u64,
    units: u64,
    last_unit: Option<u32>,
}

/// The file being written.
struct Part {
    name: String,
    path: PathBuf,
    writer: ArrowWriter<Hashed>,
    rows: u64,
    unit_first: u32,
    unit_last: u32,
}

impl SealedWriter {
    pub(super) fn new(
        staging: &Staging,
        key: &DataKey,
        manifest: &Manifest,
        rows_coded: Arc<AtomicU64>,
    ) -> Result<Self> {
        Ok(Self {
            id: staging.id().to_owned(),
            folder: staging.folder().to_owned(),
            key: parquet_key(key)?,
            schema: stored_schema(&stored_columns(manifest)),
            rows_coded,
            file_rows: 0,
            part: None,
            files: Vec::new(),
            rows: 0,
            units: 0,
            last_unit: None,
        })
    }

    /// Rows written so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the next sorted rows: the sort key, and then the stored columns.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.file_rows == 0 {
            self.file_rows = file_rows(self.rows_coded.load(Ordering::Relaxed));
        }
        let keys = batch.column(0).as_primitive::<UInt64Type>();
        let units: UInt32Array = keys
            .values()
            .iter()
            .map(|key| (key >> POSITION_BITS) as u32)
            .collect::<Vec<_>>()
            .into();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns[0] = Arc::new(units.clone());
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|_| failed())?;
        let mut start = 0;
        while start < rows.num_rows() {
            let end = self.end_of_piece(&units, start);
            if end == start {
                // The file is full and a new unit begins here.
                self.finish_part()?;
                continue;
            }
            self.write_piece(&rows.slice(start, end - start), &units.values()[start..end])?;
            start = end;
        }
        Ok(())
    }

    /// Where the rows from `start` on must stop going into the current file: at the first new unit once it is full.
    fn end_of_piece(&self, units: &UInt32Array, start: usize) -> usize {
        let written = self.part.as_ref().map_or(0, |part| part.rows);
        let room = usize::try_from(self.file_rows.saturating_sub(written)).unwrap_or(usize::MAX);
        let full = start.saturating_add(room);
        if full >= units.len() {
            return units.len();
        }
        let before = if full == start {
            self.last_unit
        } else {
            Some(units.value(full - 1))
        };
        let boundary =
            (full..units.len()).find(|&row| before.is_some_and(|unit| unit != units.value(row)));
        boundary.unwrap_or(units.len())
    }

    /// Writes rows that all go into one file, with their units.
    fn write_piece(&mut self, rows: &RecordBatch, units: &[u32]) -> Result<()> {
        let (Some(&first), Some(&last)) = (units.first(), units.last()) else {
            return Ok(());
        };
        for &unit in units {
            self.units += u64::from(self.last_unit != Some(unit));
            self.last_unit = Some(unit);
        }
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.new_part(first)?,
        };
        part.writer
            .write(rows)
            .map_err(|error| write_error(error, &part.path))?;
        part.rows += rows.num_rows() as u64;
        part.unit_last = last;
        self.rows += rows.num_rows() as u64;
        self.part = Some(part);
        Ok(())
    }

    fn new_part(&self, unit_first: u32) -> Result<Part> {
        let name = part_file(self.files.len());
        let path = self.folder.join(&name);
        let file = Hashed::create(&path)?;
        let properties = properties(&self.id, &name, &self.key)?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(properties))
            .map_err(|error| write_error(error, &path))?;
        Ok(Part {
            name,
            path,
            writer,
            rows: 0,
            unit_first,
            unit_last: unit_first,
        })
    }

    fn finish_part(&mut self) -> Result<()> {
        if let Some(part) = self.part.take() {
            self.files.push(part.finish()?);
        }
        Ok(())
    }

    /// Ends the last file. Returns the files and the number of units.
    pub(super) fn finish(mut self) -> Result<(Vec<SealedFile>, u64)> {
        self.finish_part()?;
        Ok((self.files, self.units))
    }
}

impl Part {
    fn finish(self) -> Result<SealedFile> {
        let Self {
            name,
            path,
            writer,
            rows,
            unit_first,
            unit_last,
        } = self;
        let file = writer
            .into_inner()
            .map_err(|error| write_error(error, &path))?;
        durable::flush_file(&file.file, &path)?;
        let sha256 = hex::encode(file.digest.finish());
        Ok(SealedFile {
            name,
            bytes: file.bytes,
            sha256,
            rows,
            unit_first,
            unit_last,
        })
    }
}

/// Rows a file aims at: so many that a large dataset has few files, and so few that a small one has several.
fn file_rows(rows: u64) -> u64 {
    rows.div_ceil(FILES_TARGET)
        .clamp(FILE_ROWS_MIN, FILE_ROWS_MAX)
}

fn properties(id: &str, file: &str, key: &[u8]) -> Result<WriterProperties> {
    // One key for the footer and all columns: the footer, with its statistics and names, is encrypted as well.
    // Every module's AAD begins with the snapshot and the file, and the prefix is not stored: a file that was moved
    // does not open.
    let encryption = FileEncryptionProperties::builder(key.to_vec())
        .with_aad_prefix(file_place(id, file))
        .with_footer_key_metadata(id.as_bytes().to_vec())
        .build()
        .map_err(|_| failed())?;
    Ok(WriterProperties::builder()
        .with_file_encryption_properties(encryption)
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // Rows are in unit order, so pages of other columns all span about the same values: page statistics would be
        // written and never prune.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]))
        .build())
}

/// A file that knows its digest and length when it ends.
struct Hashed {
    file: File,
    path: PathBuf,
    digest: digest::Context,
    bytes: u64,
}

impl Hashed {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: durable::create_file(path)?,
            path: path.to_owned(),
            digest: digest::Context::new(&digest::SHA256),
            bytes: 0,
        })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = durable::write_some(&mut self.file, &self.path, bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn failed() -> VaultError {
    VaultError::Internal { action: "sealing" }
}

/// A full disk is the environment's fault and must be called by its name; anything else here is ours.
fn write_error(error: parquet::errors::ParquetError, path: &Path) -> VaultError {
    match error {
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => VaultError::io("write", path)(error.kind().into()),
            Err(_) => failed(),
        },
        _ => failed(),
    }
}
