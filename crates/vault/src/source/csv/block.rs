//! Parsing a block of rows.

use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader};
use weir_catalogue::Manifest;

use super::values::{CsvValues, values_for};
use crate::limits::FIELD_BYTES_MAX;
use crate::source::fault::{Fault, Problem};
use crate::source::{Fields, Rows};

/// What to do about a value of the wrong type.
const REMEDY: &str = "mend the value, change the column's type, or add the spelling of a missing value to `null_values`";

/// What the header says.
pub(super) struct Shape {
    pub(super) fields: Fields,
    /// Fields of every row.
    pub(super) width: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            fields: Arc::new([]),
            width: 0,
        }
    }
}

/// Whole rows of a file, as they stand there.
pub(crate) struct CsvBlock {
    pub(super) text: Vec<u8>,
    /// Where they begin in the file, in bytes.
    pub(super) start: u64,
    pub(super) shape: Arc<Shape>,
}

impl CsvBlock {
    pub(in crate::source) fn check(self, manifest: &Manifest) -> Result<Rows, Fault> {
        let mut columns: Vec<_> = manifest
            .columns()
            .iter()
            .map(|column| values_for(column.kind))
            .collect();
        let mut records = Records::new(&self.text, self.shape.width);
        let mut rows = 0;
        while let Some(record) = records.next() {
            let fault = |column, problem| Fault::Row {
                row: rows,
                byte: Some(self.start + record.start as u64),
                column,
                problem,
            };
            if record.ends.len() != self.shape.width {
                let problem = Problem::Ragged {
                    expected: self.shape.width as u64,
                    found: record.ends.len() as u64,
                };
                return Err(fault(None, problem));
            }
            for (index, values) in columns.iter_mut().enumerate() {
                let field = record.field(self.shape.fields[index]);
                push(field, manifest, values.as_mut())
                    .map_err(|problem| fault(Some(index), problem))?;
            }
            rows += 1;
        }
        Ok(Rows {
            columns: columns.iter_mut().map(|column| column.finish()).collect(),
            rows,
        })
    }
}

/// Takes one field, if it is of its column's type.
fn push(field: Field<'_>, manifest: &Manifest, values: &mut dyn CsvValues) -> Result<(), Problem> {
    if field.bytes > FIELD_BYTES_MAX {
        return Err(Problem::FieldTooLong);
    }
    let text = field.text.ok_or(Problem::NotUtf8)?;
    let missing = manifest.null_values().iter().any(|null| null == text);
    if values.push((!missing).then_some(text)) {
        Ok(())
    } else {
        Err(Problem::Type(REMEDY))
    }
}

/// The records of a block, one after the other, in the same memory.
struct Records<'a> {
    text: &'a [u8],
    next: usize,
    reader: Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
}

/// One record: its fields without quotes and delimiters, and where each ends.
struct Record<'r> {
    bytes: &'r [u8],
    /// All of them as text, where they are; saves looking at each.
    text: Option<&'r str>,
    ends: &'r [usize],
    /// Where the record begins in the block, in bytes; blank lines may come first.
    start: usize,
}

/// One field.
struct Field<'r> {
    bytes: usize,
    /// `None` where it is not UTF-8.
    text: Option<&'r str>,
}

impl<'a> Records<'a> {
    fn new(text: &'a [u8], width: usize) -> Self {
        let mut reader = Reader::new();
        // The crate takes a byte order mark off whatever it reads first. That is right for a file, whose header was read
        // before, and wrong for a block; a blank line makes it look no further.
        reader.read_record(b"\n", &mut [], &mut []);
        Self {
            text,
            next: 0,
            reader,
            output: vec![0; text.len() + 1],
            ends: vec![0; width + 1],
        }
    }

    fn next(&mut self) -> Option<Record<'_>> {
        let start = self.next;
        let (mut written, mut fields) = (0, 0);
        loop {
            let (result, read, more_written, more_fields) = self.reader.read_record(
                &self.text[self.next..],
                &mut self.output[written..],
                &mut self.ends[fields..],
            );
            self.next += read;
            written += more_written;
            fields += more_fields;
            match result {
                // Asked again with nothing left, the crate ends the last record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.output.push(0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
            }
        }
        let bytes = &self.output[..written];
        Some(Record {
            bytes,
            text: str::from_utf8(bytes).ok(),
            ends: &self.ends[..fields],
            start,
        })
    }
}

impl<'r> Record<'r> {
    fn field(&self, index: usize) -> Field<'r> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[index];
        let text = match self.text {
            // Bytes of two fields can look like one letter, across whose middle no text is cut.
            Some(text) => text.get(start..end),
            None => str::from_utf8(&self.bytes[start..end]).ok(),
        };
        Field {
            bytes: end - start,
            text,
        }
    }
}
