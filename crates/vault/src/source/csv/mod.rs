//! CSV: RFC 4180, comma-separated, UTF-8, with a header. Blank lines are skipped.
//!
//! A part is read in blocks of whole rows ([`split`]), which are parsed on several threads ([`block`]).

mod block;
mod split;
mod values;

use std::fs::File;
use std::io::Read;

use csv_core::{ReadRecordResult, Reader};
use weir_catalogue::Manifest;

use super::columns::match_columns;
use super::fault::{Fault, Problem};
use super::parts::Part;
use super::{Block, Fields, PartReader};
use crate::limits::{CSV_BLOCK_BYTES, ROW_BYTES_MAX};
use crate::{Place, Result, VaultError};
pub(super) use block::CsvBlock;
use block::Shape;

/// A CSV part being read.
pub(super) struct CsvPart {
    file: File,
    path: std::path::PathBuf,
    name: String,
    shape: std::sync::Arc<Shape>,
    /// Bytes that were read and not handed out; a row begins with them.
    waiting: Vec<u8>,
    /// Where they begin in the file, in bytes.
    start: u64,
    /// Whether the file has no more.
    ended: bool,
    /// Whether an odd number of quotes was read.
    quotes_odd: bool,
}

impl CsvPart {
    pub(super) fn open(file: File, part: &Part, manifest: &Manifest) -> Result<Self> {
        let mut opened = Self {
            file,
            path: part.path.clone(),
            name: part.name.clone(),
            shape: Shape::default().into(),
            waiting: Vec::new(),
            start: 0,
            ended: false,
            quotes_odd: false,
        };
        let headers = opened.read_header()?;
        let fields: Fields = match_columns(&part.name, &headers, manifest)?.into();
        opened.shape = Shape {
            fields,
            width: headers.len(),
        }
        .into();
        Ok(opened)
    }

    /// Reads the first row, and takes it off what is waiting.
    fn read_header(&mut self) -> Result<Vec<String>> {
        let place = |name: &str| Place {
            line: Some(1),
            ..Place::file(name)
        };
        let header = loop {
            self.read_more()?;
            if let Some(header) = header(&self.waiting, self.ended) {
                break header;
            }
            if self.waiting.len() as u64 > ROW_BYTES_MAX {
                return Err(VaultError::RowTooLong {
                    place: place(&self.name),
                    limit: ROW_BYTES_MAX,
                });
            }
        };
        let names: Result<Vec<_>, _> = header.names.into_iter().map(String::from_utf8).collect();
        let names = names.map_err(|_| VaultError::NotUtf8 {
            place: place(&self.name),
        })?;
        // A file of blank lines has bytes and still nothing in it.
        if names.is_empty() {
            return Err(VaultError::SourceEmpty {
                file: self.name.clone(),
            });
        }
        self.waiting.drain(..header.bytes);
        self.start = header.bytes as u64;
        Ok(names)
    }

    /// Reads as many bytes as a block has, or all that are left.
    fn read_more(&mut self) -> Result<()> {
        let before = self.waiting.len();
        let mut rest = (&self.file).take(CSV_BLOCK_BYTES as u64);
        let read = rest
            .read_to_end(&mut self.waiting)
            .map_err(VaultError::io("read", &self.path))?;
        self.ended = read < CSV_BLOCK_BYTES;
        let quotes = self.waiting[before..].iter().filter(|byte| **byte == b'"');
        self.quotes_odd ^= quotes.count() % 2 == 1;
        Ok(())
    }

    /// What is waiting, up to `end`, as a block.
    fn take(&mut self, end: usize) -> Block {
        let mut text = Vec::with_capacity(self.waiting.len() - end + CSV_BLOCK_BYTES);
        text.extend_from_slice(&self.waiting[end..]);
        std::mem::swap(&mut text, &mut self.waiting);
        text.truncate(end);
        let start = self.start;
        self.start += end as u64;
        Block::Csv(CsvBlock {
            text,
            start,
            shape: std::sync::Arc::clone(&self.shape),
        })
    }
}

impl PartReader for CsvPart {
    fn next_block(&mut self) -> Result<Option<Block>, Fault> {
        loop {
            if !self.ended {
                self.read_more().map_err(Fault::Part)?;
            }
            if self.ended {
                if !self.waiting.is_empty() {
                    return Ok(Some(self.take(self.waiting.len())));
                }
                // RFC 4180 has quotes in pairs. With one left over a field was never closed, and all of the rest was
                // taken for its text.
                if self.quotes_odd {
                    return Err(Fault::Part(VaultError::UnclosedQuote {
                        file: self.name.clone(),
                    }));
                }
                return Ok(None);
            }
            if let Some(end) = split::last_row_end(&self.waiting) {
                return Ok(Some(self.take(end)));
            }
            // An unclosed quote would otherwise pull all of the file into memory as one field.
            if self.waiting.len() as u64 > ROW_BYTES_MAX {
                return Err(Fault::Row {
                    row: 0,
                    byte: Some(self.start),
                    column: None,
                    problem: Problem::RowTooLong,
                });
            }
        }
    }

    fn bytes_read(&self) -> u64 {
        self.start
    }
}

/// The first row.
struct Header {
    names: Vec<Vec<u8>>,
    /// Bytes up to where the next row begins.
    bytes: usize,
}

/// Parses the first row of a file's beginning; `None` where it does not end there.
fn header(text: &[u8], is_all: bool) -> Option<Header> {
    let mut reader = Reader::new();
    let mut output = vec![0; text.len() + 1];
    // A field takes a byte at least, the last one perhaps none.
    let mut ends = vec![0; text.len() + 1];
    let (mut result, mut read, mut written, mut fields) =
        reader.read_record(text, &mut output, &mut ends);
    if result == ReadRecordResult::InputEmpty && is_all {
        let (last, more_read, more_written, more_fields) =
            reader.read_record(&[], &mut output[written..], &mut ends[fields..]);
        result = last;
        read += more_read;
        written += more_written;
        fields += more_fields;
    }
    debug_assert!(written <= output.len());
    let names = match result {
        ReadRecordResult::Record => {
            let starts = std::iter::once(0).chain(ends[..fields].iter().copied());
            starts
                .zip(&ends[..fields])
                .map(|(start, &end)| output[start..end].to_vec())
                .collect()
        }
        ReadRecordResult::End => Vec::new(),
        _ => return None,
    };
    Some(Header { names, bytes: read })
}
