//! Writing sorted rows as encrypted Parquet, cut at unit boundaries.
//!
//! Encoding is most of the work, so the columns of a row group are encoded side by side. Each column's bytes depend on
//! its values alone, so the number of threads changes nothing in a file but the time it takes.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{SchemaRef, UInt64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::basic::{Compression, Encoding};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use ring::digest;
use zeroize::Zeroizing;

use super::Staging;
use super::code::POSITION_BITS;
use super::encode::encode_columns;
use crate::durable;
use crate::keys::DataKey;
use crate::layout::part_file;
use crate::limits::{FILE_ROWS_MAX, FILE_ROWS_MIN, FILES_TARGET, ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::snapshot::{SealedFile, file_place, stored_columns};
use crate::table::{ROW_COLUMN, UNIT_COLUMN, parquet_key, stored_schema};
use crate::{Result, VaultError};
use weir_catalogue::Manifest;

/// Writes the files of one snapshot.
pub(super) struct SealedWriter {
    id: String,
    folder: PathBuf,
    key: Zeroizing<Vec<u8>>,
    schema: SchemaRef,
    threads: usize,
    file_rows: u64,
    part: Option<Part>,
    files: Vec<SealedFile>,
    rows: u64,
    units: u64,
    last_unit: Option<u32>,
    /// How many unit columns there are.
    unit_columns: usize,
    /// The unit of the last row, and its number among the unit's rows.
    numbered: Option<(u32, u32)>,
}

/// The file being written.
struct Part {
    name: String,
    path: PathBuf,
    writer: SerializedFileWriter<Hashed>,
    columns: ArrowRowGroupWriterFactory,
    /// The next row group's rows.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    rows: u64,
    unit_first: u32,
    unit_last: u32,
}

impl SealedWriter {
    /// `rows` is how many will come.
    pub(super) fn new(
        staging: &Staging,
        key: &DataKey,
        manifest: &Manifest,
        rows: u64,
        threads: usize,
    ) -> Result<Self> {
        Ok(Self {
            id: staging.id().to_owned(),
            folder: staging.folder().to_owned(),
            key: parquet_key(key)?,
            schema: stored_schema(manifest.units().len(), &stored_columns(manifest)),
            threads,
            file_rows: file_rows(rows),
            part: None,
            files: Vec::new(),
            rows: 0,
            units: 0,
            last_unit: None,
            unit_columns: manifest.units().len(),
            numbered: None,
        })
    }

    /// Rows taken so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the next sorted rows: the sort key, and then the stored columns.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = batch.column(0).as_primitive::<UInt64Type>();
        let units: UInt32Array = keys
            .values()
            .iter()
            .map(|key| (key >> POSITION_BITS) as u32)
            .collect::<Vec<_>>()
            .into();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns[0] = Arc::new(units.clone());
        columns.insert(self.unit_columns, Arc::new(self.numbers(units.values())));
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

    /// The number of each row among those of its unit.
    fn numbers(&mut self, units: &[u32]) -> UInt32Array {
        let numbers = units.iter().map(|unit| {
            let number = match self.numbered {
                Some((last, number)) if last == *unit => number + 1,
                _ => 0,
            };
            self.numbered = Some((*unit, number));
            number
        });
        numbers.collect::<Vec<u32>>().into()
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
        if self.part.is_none() {
            self.part = Some(self.new_part(first)?);
        }
        self.rows += rows.num_rows() as u64;
        let threads = self.threads;
        match &mut self.part {
            Some(part) => part.take(rows, last, threads),
            None => Err(failed()),
        }
    }

    fn new_part(&self, unit_first: u32) -> Result<Part> {
        let name = part_file(self.files.len());
        let path = self.folder.join(&name);
        let file = Hashed::create(&path)?;
        let properties = properties(&self.id, &name, &self.key)?;
        let (writer, columns) =
            ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(properties))
                .and_then(ArrowWriter::into_serialized_writer)
                .map_err(|error| write_error(error, &path))?;
        Ok(Part {
            name,
            path,
            writer,
            columns,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            rows: 0,
            unit_first,
            unit_last: unit_first,
        })
    }

    fn finish_part(&mut self) -> Result<()> {
        if let Some(part) = self.part.take() {
            self.files.push(part.finish(self.threads)?);
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
    fn take(&mut self, rows: &RecordBatch, unit_last: u32, threads: usize) -> Result<()> {
        self.rows += rows.num_rows() as u64;
        self.unit_last = unit_last;
        let mut start = 0;
        while start < rows.num_rows() {
            let room = ROW_GROUP_ROWS - self.waiting_rows;
            let piece = rows.slice(start, room.min(rows.num_rows() - start));
            start += piece.num_rows();
            self.waiting_rows += piece.num_rows();
            self.waiting_bytes += slice_bytes(&piece);
            self.waiting.push(piece);
            if self.waiting_rows >= ROW_GROUP_ROWS || self.waiting_bytes >= ROW_GROUP_BYTES {
                self.write_row_group(threads)?;
            }
        }
        Ok(())
    }

    fn write_row_group(&mut self, threads: usize) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let number = self.writer.flushed_row_groups().len();
        let error = |error| write_error(error, &self.path);
        let writers = self.columns.create_column_writers(number).map_err(error)?;
        let chunks = encode_columns(&rows, writers, threads).map_err(error)?;
        let mut group = self.writer.next_row_group().map_err(error)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(error)?;
        }
        group.close().map_err(error)?;
        Ok(())
    }

    fn finish(mut self, threads: usize) -> Result<SealedFile> {
        if !self.waiting.is_empty() {
            self.write_row_group(threads)?;
        }
        let Self {
            name,
            path,
            writer,
            rows,
            unit_first,
            unit_last,
            ..
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
        // The unit of each row is read by every run. In order they are small steps: reading and decrypting four bytes for
        // each takes longer than adding them up.
        .set_column_encoding(ColumnPath::from(UNIT_COLUMN), Encoding::DELTA_BINARY_PACKED)
        .set_column_compression(ColumnPath::from(UNIT_COLUMN), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(ColumnPath::from(UNIT_COLUMN), false)
        // And so are the rows' numbers, where units have several.
        .set_column_encoding(ColumnPath::from(ROW_COLUMN), Encoding::DELTA_BINARY_PACKED)
        .set_column_compression(ColumnPath::from(ROW_COLUMN), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(ColumnPath::from(ROW_COLUMN), false)
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

/// What the rows take, whatever the arrays they are cut from.
fn slice_bytes(rows: &RecordBatch) -> usize {
    let bytes = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
    rows.columns().iter().map(bytes).sum()
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
