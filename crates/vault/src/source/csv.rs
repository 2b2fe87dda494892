//! CSV: RFC 4180, comma-separated, UTF-8, with a header. Blank lines are skipped.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::columns::match_columns;
use super::csv_values::{CsvValues, values_for};
use super::{SourceBatch, SourceReader};
use crate::limits::{BATCH_BYTES, BATCH_ROWS, FIELD_BYTES_MAX, ROW_BYTES_MAX, ROWS_MAX};
use crate::{Place, Result, VaultError};
use weir_catalogue::Manifest;

/// Bytes read from the file at a time.
const BUFFER_BYTES: usize = 256 * 1024;
/// What to do about a value of the wrong type.
const REMEDY: &str = "mend the value, change the column's type, or add the spelling of a missing value to `null_values`";

pub(super) struct CsvSource<'a> {
    file: &'a str,
    manifest: &'a Manifest,
    reader: Reader<Metered>,
    /// Where the row being read begins, in bytes: shared with [`Metered`].
    row_start: Rc<Cell<u64>>,
    /// For each column of the manifest, its field.
    fields: Vec<usize>,
    record: ByteRecord,
    rows_read: u64,
}

impl<'a> CsvSource<'a> {
    pub(super) fn open(file: File, name: &'a str, manifest: &'a Manifest) -> Result<Self> {
        let row_start = Rc::new(Cell::new(0));
        let metered = Metered {
            file,
            delivered: 0,
            quotes_odd: false,
            row_start: Rc::clone(&row_start),
        };
        let mut reader = ReaderBuilder::new()
            .buffer_capacity(BUFFER_BYTES)
            .has_headers(true)
            .flexible(false)
            .from_reader(metered);
        let first_line = || Place {
            line: Some(1),
            ..Place::file(name)
        };
        let header = reader
            .byte_headers()
            .map_err(|error| csv_error(&error, name, first_line()))?;
        let headers: Result<Vec<_>, _> = header
            .iter()
            .map(|field| str::from_utf8(field).map(str::to_owned))
            .collect();
        let headers = headers.map_err(|_| VaultError::NotUtf8 {
            place: first_line(),
        })?;
        // A file of blank lines has bytes and still nothing in it.
        if headers.is_empty() {
            return Err(VaultError::SourceEmpty {
                file: name.to_owned(),
            });
        }
        let fields = match_columns(name, &headers, manifest)?;
        Ok(Self {
            file: name,
            manifest,
            reader,
            row_start,
            fields,
            record: ByteRecord::new(),
            rows_read: 0,
        })
    }

    /// Reads one row into `self.record`; false at the end.
    fn read_row(&mut self) -> Result<bool> {
        self.row_start.set(self.reader.position().byte());
        let row = self.rows_read + 1;
        match self.reader.read_byte_record(&mut self.record) {
            // RFC 4180 has quotes in pairs. With one left over a field was never closed, and the CSV crate has taken all
            // of the rest for its text.
            Ok(false) if self.reader.get_ref().quotes_odd => Err(VaultError::UnclosedQuote {
                file: self.file.to_owned(),
            }),
            Ok(false) => Ok(false),
            Ok(true) if row > ROWS_MAX => Err(VaultError::SourceTooManyRows {
                file: self.file.to_owned(),
                limit: ROWS_MAX,
            }),
            Ok(true) => {
                self.rows_read = row;
                Ok(true)
            }
            Err(error) => Err(csv_error(&error, self.file, self.place(row))),
        }
    }

    fn push_row(&mut self, columns: &mut [Box<dyn CsvValues>]) -> Result<()> {
        for (index, values) in columns.iter_mut().enumerate() {
            let problem = match check_field(&self.record, self.fields[index], self.manifest) {
                Ok(field) if values.push(field) => continue,
                Ok(_) => FieldProblem::Type,
                Err(problem) => problem,
            };
            let column = &self.manifest.columns()[index];
            let place = self.place(self.rows_read).in_column(&column.name);
            return Err(match problem {
                FieldProblem::Type => {
                    let expected = column.kind.expects();
                    VaultError::ValueType {
                        place,
                        expected,
                        remedy: REMEDY,
                    }
                }
                FieldProblem::NotUtf8 => VaultError::NotUtf8 { place },
                FieldProblem::TooLong => VaultError::FieldTooLong {
                    place,
                    limit: FIELD_BYTES_MAX,
                },
            });
        }
        Ok(())
    }

    /// The row being read, for a message. Reading cannot go on after this.
    fn place(&mut self, row: u64) -> Place {
        let line = line_at(&mut self.reader.get_mut().file, self.row_start.get()).ok();
        Place::row(self.file, row, line)
    }
}

enum FieldProblem {
    Type,
    NotUtf8,
    TooLong,
}

/// A field of a row as text; `None` where its value is missing.
fn check_field<'r>(
    record: &'r ByteRecord,
    field: usize,
    manifest: &Manifest,
) -> Result<Option<&'r str>, FieldProblem> {
    // `flexible(false)`: every record has as many fields as the header.
    let field = record.get(field).unwrap_or_default();
    if field.len() > FIELD_BYTES_MAX {
        return Err(FieldProblem::TooLong);
    }
    let field = std::str::from_utf8(field).map_err(|_| FieldProblem::NotUtf8)?;
    let missing = manifest.null_values().iter().any(|null| null == field);
    Ok((!missing).then_some(field))
}

/// The line in which the row that begins at or after `start` begins.
///
/// The CSV crate's own line is that of the end of the row before: blank lines and CRLF make it too small. Counting
/// again reads the file up to the row once more, which only a refused file pays for.
fn line_at(file: &mut File, start: u64) -> io::Result<u64> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut line = 1;
    let mut before = reader.by_ref().take(start);
    loop {
        let chunk = before.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        line += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let read = chunk.len();
        before.consume(read);
    }
    for byte in reader.bytes() {
        match byte? {
            b'\n' => line += 1,
            b'\r' => {}
            _ => break,
        }
    }
    Ok(line)
}

impl SourceReader for CsvSource<'_> {
    fn next_batch(&mut self) -> Result<Option<SourceBatch>> {
        let mut columns: Vec<_> = self
            .manifest
            .columns()
            .iter()
            .map(|column| values_for(column.kind))
            .collect();
        let started = self.reader.position().byte();
        let mut rows = 0;
        while rows < BATCH_ROWS
            && self.reader.position().byte() - started < BATCH_BYTES
            && self.read_row()?
        {
            self.push_row(&mut columns)?;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = columns.iter_mut().map(|column| column.finish()).collect();
        Ok(Some(SourceBatch {
            columns,
            rows,
            bytes_read: self.reader.position().byte(),
        }))
    }
}

/// The file, with a bound on how much of it one row may take: an unclosed quote would otherwise pull all of it into
/// memory as one field.
struct Metered {
    file: File,
    delivered: u64,
    /// Whether an odd number of quotes was read.
    quotes_odd: bool,
    row_start: Rc<Cell<u64>>,
}

/// Marks the error of [`Metered`] among others.
#[derive(Debug, thiserror::Error)]
#[error("row too long")]
struct RowTooLong;

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.delivered.saturating_sub(self.row_start.get()) > ROW_BYTES_MAX {
            return Err(io::Error::other(RowTooLong));
        }
        let read = self.file.read(buffer)?;
        self.delivered += read as u64;
        let quotes = buffer[..read].iter().filter(|byte| **byte == b'"').count();
        self.quotes_odd ^= quotes % 2 == 1;
        Ok(read)
    }
}

/// An error of the CSV crate in our words.
fn csv_error(error: &csv::Error, file: &str, place: Place) -> VaultError {
    match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => VaultError::RaggedRow {
            place,
            expected: *expected_len,
            found: *len,
        },
        ErrorKind::Utf8 { .. } => VaultError::NotUtf8 { place },
        ErrorKind::Io(error)
            if error
                .get_ref()
                .is_some_and(|inner| inner.is::<RowTooLong>()) =>
        {
            VaultError::RowTooLong {
                place,
                limit: ROW_BYTES_MAX,
            }
        }
        ErrorKind::Io(error) => VaultError::io("read", file.as_ref())(error.kind().into()),
        _ => VaultError::Internal {
            action: "reading CSV",
        },
    }
}
