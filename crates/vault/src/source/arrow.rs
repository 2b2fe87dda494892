//! Arrow IPC: the stream format, and the file format, which is a stream between two marks.
//!
//! The file is read from its beginning, message by message; the footer is not needed, so it is not believed either. A
//! message is held against its own length, the file's and the limits before the Arrow crate sees it: a decoder that
//! believes a length allocates it, and what cannot be allocated ends the process.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use arrow::datatypes::Schema;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{Message, MessageHeader, root_as_message};
use weir_catalogue::Manifest;

use super::columnar::{self, ColumnarBlock, guarded};
use super::fault::{Fault, Problem};
use super::parts::{Format, Part};
use super::{Block, Fields, PartReader};
use crate::limits::{ARROW_HEADER_BYTES_MAX, ARROW_MESSAGE_BYTES_MAX, BATCH_ROWS};
use crate::{Place, Result, VaultError};

/// First and last bytes of the file format.
const MAGIC: &[u8; 6] = b"ARROW1";
/// The stream begins in the file format at a multiple of this, after zeros; writers align it to 8 or to 64 bytes.
const FILE_ALIGNMENT: usize = 8;
/// Where it begins at the latest.
const FILE_START_MAX: usize = 64;
/// What every message begins with.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Length of the length of a compressed buffer's plain bytes.
const PLAIN_LEN: usize = 8;

pub(super) struct ArrowPart {
    file: File,
    decoder: StreamDecoder,
    /// What the stream's first message says.
    schema: Option<Schema>,
    fields: Fields,
    /// The batch being handed out, and its rows that were.
    batch: Option<(RecordBatch, usize)>,
    position: u64,
    bytes_total: u64,
    /// Plain bytes of all dictionaries so far.
    dictionary_bytes: u64,
}

/// A message, whole.
struct Framed {
    bytes: Vec<u8>,
    body_len: usize,
    is_batch: bool,
}

/// What a message is refused for.
enum Refusal {
    Damaged,
    /// A message larger than the limit.
    TooLarge,
    Io(std::io::Error),
}

impl ArrowPart {
    pub(super) fn open(
        file: File,
        part: &Part,
        manifest: &Manifest,
        format: Format,
    ) -> Result<Self> {
        let place = || Place::file(&part.name);
        let refused = |refusal| match refusal {
            Refusal::Damaged => VaultError::ArrowDamaged { place: place() },
            Refusal::TooLarge => too_large(place()),
            Refusal::Io(error) => VaultError::io("read", &part.path)(error),
        };
        let mut opened = Self {
            file,
            decoder: StreamDecoder::new(),
            schema: None,
            fields: Arc::new([]),
            batch: None,
            position: 0,
            bytes_total: part.bytes,
            dictionary_bytes: 0,
        };
        if format == Format::ArrowFile {
            opened.check_marks().map_err(refused)?;
        }
        // The schema is the first message, and has no rows.
        opened.decode_next().map_err(refused)?;
        let schema = opened.schema.take();
        let schema = schema.ok_or_else(|| refused(Refusal::Damaged))?;
        opened.fields = columnar::check_schema(&part.name, &schema, manifest, |what| {
            VaultError::ArrowUnsupported {
                place: place(),
                what,
            }
        })?;
        Ok(opened)
    }

    /// Looks for the marks of the file format: a file without the last one was cut short.
    fn check_marks(&mut self) -> Result<(), Refusal> {
        let mut mark = [0; MAGIC.len()];
        let last = self.bytes_total.checked_sub(MAGIC.len() as u64);
        for at in [0, last.ok_or(Refusal::Damaged)?] {
            self.file.seek(SeekFrom::Start(at)).map_err(Refusal::Io)?;
            self.file
                .read_exact(&mut mark)
                .map_err(|_| Refusal::Damaged)?;
            if mark != *MAGIC {
                return Err(Refusal::Damaged);
            }
        }
        let mut start = Vec::new();
        self.file.rewind().map_err(Refusal::Io)?;
        (&self.file)
            .take((FILE_START_MAX + CONTINUATION.len()) as u64)
            .read_to_end(&mut start)
            .map_err(Refusal::Io)?;
        let stream = (FILE_ALIGNMENT..=FILE_START_MAX)
            .step_by(FILE_ALIGNMENT)
            .find(|&at| {
                start
                    .get(at..)
                    .is_some_and(|rest| rest.starts_with(&CONTINUATION))
            })
            .ok_or(Refusal::Damaged)?;
        self.position = stream as u64;
        self.file
            .seek(SeekFrom::Start(self.position))
            .map(drop)
            .map_err(Refusal::Io)
    }

    /// Reads and decodes a message: `None` at the end of the stream, `Some(None)` for one without rows.
    fn decode_next(&mut self) -> Result<Option<Option<RecordBatch>>, Refusal> {
        let Some(message) = self.read_message()? else {
            return Ok(None);
        };
        // The decoder looks at a message without a body when the next one comes. For a batch that would be too late, and
        // such a batch has no rows.
        if message.is_batch && message.body_len == 0 {
            return Ok(Some(None));
        }
        let mut message = Buffer::from_vec(message.bytes);
        let decoder = &mut self.decoder;
        let decoded = guarded(|| decoder.decode(&mut message).ok()).flatten();
        let batch = decoded.ok_or(Refusal::Damaged)?;
        // A message that was not taken whole was not what its lengths said.
        if message.is_empty() {
            Ok(Some(batch))
        } else {
            Err(Refusal::Damaged)
        }
    }

    /// Reads a message, checked as far as its lengths go. `None` where the stream says that it ends.
    fn read_message(&mut self) -> Result<Option<Framed>, Refusal> {
        let mut start = [0; 8];
        // A stream that ends without saying so was cut short.
        self.read_into(&mut start)?;
        let [c0, c1, c2, c3, l0, l1, l2, l3] = start;
        if [c0, c1, c2, c3] != CONTINUATION {
            return Err(Refusal::Damaged);
        }
        let header_len = match i32::from_le_bytes([l0, l1, l2, l3]) {
            0 => return Ok(None),
            length => usize::try_from(length).map_err(|_| Refusal::Damaged)?,
        };
        if header_len > ARROW_HEADER_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let mut message = start.to_vec();
        self.read_onto(&mut message, header_len)?;
        let header = &message[start.len()..];
        let body_len = {
            let header = root_as_message(header).map_err(|_| Refusal::Damaged)?;
            usize::try_from(header.bodyLength()).map_err(|_| Refusal::Damaged)?
        };
        if body_len > ARROW_MESSAGE_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let body_start = message.len();
        self.read_onto(&mut message, body_len)?;
        let (header, body) = message[start.len()..].split_at(body_start - start.len());
        let header = root_as_message(header).map_err(|_| Refusal::Damaged)?;
        let is_batch = header.header_type() == MessageHeader::RecordBatch;
        self.check_message(&header, body)?;
        Ok(Some(Framed {
            bytes: message,
            body_len,
            is_batch,
        }))
    }

    fn check_message(&mut self, header: &Message<'_>, body: &[u8]) -> Result<(), Refusal> {
        let (batch, is_dictionary) = match header.header_type() {
            MessageHeader::Schema => {
                let schema = guarded(|| header.header_as_schema().map(fb_to_schema)).flatten();
                self.schema = Some(schema.ok_or(Refusal::Damaged)?);
                return Ok(());
            }
            MessageHeader::RecordBatch => (header.header_as_record_batch(), false),
            MessageHeader::DictionaryBatch => (
                header
                    .header_as_dictionary_batch()
                    .and_then(|dictionary| dictionary.data()),
                true,
            ),
            _ => return Err(Refusal::Damaged),
        };
        let batch = batch.ok_or(Refusal::Damaged)?;
        let plain = plain_bytes(&batch, body)?;
        if is_dictionary {
            self.dictionary_bytes += plain;
        }
        if plain.max(self.dictionary_bytes) > ARROW_MESSAGE_BYTES_MAX as u64 {
            return Err(Refusal::TooLarge);
        }
        // A unit column takes a byte a row at least, so more rows than bytes are no rows of a dataset.
        let rows = u64::try_from(batch.length()).map_err(|_| Refusal::Damaged)?;
        if rows > plain {
            return Err(Refusal::Damaged);
        }
        Ok(())
    }

    fn read_into(&mut self, bytes: &mut [u8]) -> Result<(), Refusal> {
        self.check_rest(bytes.len())?;
        self.position += bytes.len() as u64;
        self.file.read_exact(bytes).map_err(Refusal::Io)
    }

    fn read_onto(&mut self, bytes: &mut Vec<u8>, length: usize) -> Result<(), Refusal> {
        self.check_rest(length)?;
        let start = bytes.len();
        bytes.resize(start + length, 0);
        self.position += length as u64;
        self.file
            .read_exact(&mut bytes[start..])
            .map_err(Refusal::Io)
    }

    /// Nothing is allocated or read that the file has not.
    fn check_rest(&self, length: usize) -> Result<(), Refusal> {
        if length as u64 > self.bytes_total.saturating_sub(self.position) {
            return Err(Refusal::Damaged);
        }
        Ok(())
    }

    fn fault(refusal: Refusal) -> Fault {
        let problem = match refusal {
            Refusal::Damaged => Problem::ArrowDamaged,
            Refusal::TooLarge => Problem::ArrowTooLarge,
            Refusal::Io(_) => Problem::ArrowDamaged,
        };
        Fault::Row {
            row: 0,
            byte: None,
            column: None,
            problem,
        }
    }
}

impl PartReader for ArrowPart {
    fn next_block(&mut self) -> Result<Option<Block>, Fault> {
        loop {
            if let Some((batch, next)) = self.batch.take()
                && next < batch.num_rows()
            {
                let rows = BATCH_ROWS.min(batch.num_rows() - next);
                let piece = guarded(|| copied(&batch, next, rows)).flatten();
                let piece = piece.ok_or_else(|| Self::fault(Refusal::Damaged))?;
                self.batch = Some((batch, next + rows));
                return Ok(Some(Block::Columnar(ColumnarBlock {
                    batch: piece,
                    fields: Arc::clone(&self.fields),
                    damaged: || Problem::ArrowDamaged,
                })));
            }
            match self.decode_next().map_err(Self::fault)? {
                None => return Ok(None),
                Some(None) => {}
                Some(Some(batch)) => self.batch = Some((batch, 0)),
            }
        }
    }

    fn bytes_read(&self) -> u64 {
        self.position
    }
}

/// Rows of a batch, in memory of their own: a slice would keep the whole message, identifiers included, for as long as
/// any of its columns waits to be sorted.
fn copied(batch: &RecordBatch, start: usize, rows: usize) -> Option<RecordBatch> {
    let start = u32::try_from(start).ok()?;
    let places = UInt32Array::from_iter_values(start..start + u32::try_from(rows).ok()?);
    let columns: Option<Vec<ArrayRef>> = batch
        .columns()
        .iter()
        .map(|column| take(column, &places, None).ok())
        .collect();
    RecordBatch::try_new(batch.schema(), columns?).ok()
}

/// What the buffers of a batch take once they are decompressed. Refuses a buffer that does not lie in the body.
fn plain_bytes(batch: &arrow_ipc::RecordBatch<'_>, body: &[u8]) -> Result<u64, Refusal> {
    let mut plain: u64 = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        let offset = usize::try_from(buffer.offset()).map_err(|_| Refusal::Damaged)?;
        let length = usize::try_from(buffer.length()).map_err(|_| Refusal::Damaged)?;
        let bytes = offset
            .checked_add(length)
            .and_then(|end| body.get(offset..end))
            .ok_or(Refusal::Damaged)?;
        let bytes_plain = match (batch.compression(), bytes.first_chunk::<PLAIN_LEN>()) {
            // Compressed: the length of the plain bytes goes first, -1 where they follow as they are.
            (Some(_), Some(plain)) if *plain != [0xff; PLAIN_LEN] => {
                u64::try_from(i64::from_le_bytes(*plain)).map_err(|_| Refusal::Damaged)?
            }
            _ => length as u64,
        };
        plain = plain.checked_add(bytes_plain).ok_or(Refusal::Damaged)?;
    }
    Ok(plain)
}

/// The error for a message that is larger than the limit.
pub(super) fn too_large(place: Place) -> VaultError {
    let limit = ARROW_MESSAGE_BYTES_MAX >> 20;
    VaultError::ArrowUnsupported {
        place,
        what: format!(
            "a batch or its dictionaries take more than {limit} MiB; write the file in smaller batches"
        ),
    }
}
