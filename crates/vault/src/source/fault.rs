//! What is wrong with a part, before it is known which of its rows that is.
//!
//! Blocks are checked on several threads, and a block does not know how many rows came before it. Only where the rows
//! are put in order again does a fault get its place.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use weir_catalogue::Manifest;

use super::parts::Part;
use crate::limits::{FIELD_BYTES_MAX, ROW_BYTES_MAX};
use crate::{Place, VaultError};

/// Bytes read from a file at a time to count its lines.
const BUFFER_BYTES: usize = 256 * 1024;

/// Something wrong with a part.
pub(super) enum Fault {
    /// In a row.
    Row {
        /// The row, counted from 0 after all rows that were delivered before.
        row: usize,
        /// Where the row begins in a text file, in bytes; blank lines may come first.
        byte: Option<u64>,
        /// Position of the column in the manifest.
        column: Option<usize>,
        /// What is wrong with it.
        problem: Problem,
    },
    /// With the part as a whole.
    Part(VaultError),
}

/// What is wrong with a row.
pub(super) enum Problem {
    /// A value is not of its column's type. What to do about it.
    Type(&'static str),
    NotUtf8,
    FieldTooLong,
    RowTooLong,
    Ragged {
        expected: u64,
        found: u64,
    },
    ParquetDamaged,
    ArrowDamaged,
    ArrowTooLarge,
}

impl Fault {
    /// The fault with its place. `rows_before` are the part's rows delivered before.
    pub(super) fn placed(self, part: &Part, rows_before: u64, manifest: &Manifest) -> VaultError {
        let (row, byte, column, problem) = match self {
            Self::Part(error) => return error,
            Self::Row {
                row,
                byte,
                column,
                problem,
            } => (row, byte, column, problem),
        };
        let line = byte.and_then(|byte| line_at(part, byte).ok());
        let column = column.map(|column| &manifest.columns()[column]);
        let mut place = Place::row(&part.name, rows_before + row as u64 + 1, line);
        if let Some(column) = column {
            place = place.in_column(&column.name);
        }
        match problem {
            Problem::Type(remedy) => VaultError::ValueType {
                place,
                expected: column.map_or("a value", |column| column.kind.expects()),
                remedy,
            },
            Problem::NotUtf8 => VaultError::NotUtf8 { place },
            Problem::FieldTooLong => VaultError::FieldTooLong {
                place,
                limit: FIELD_BYTES_MAX,
            },
            Problem::RowTooLong => VaultError::RowTooLong {
                place,
                limit: ROW_BYTES_MAX,
            },
            Problem::Ragged { expected, found } => VaultError::RaggedRow {
                place,
                expected,
                found,
            },
            Problem::ParquetDamaged => VaultError::ParquetDamaged { place },
            Problem::ArrowDamaged => VaultError::ArrowDamaged { place },
            Problem::ArrowTooLarge => super::arrow::too_large(place),
        }
    }
}

/// The line in which the row that begins at or after `start` begins.
///
/// Counting reads the file up to the row once more, which only a refused file pays for.
fn line_at(part: &Part, start: u64) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&part.path)?);
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
