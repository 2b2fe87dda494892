//! Sealed runs on disk.
//!
//! A run is a sequence of chunks in one file, each an Arrow IPC record batch sealed with AES-256-GCM under a key that
//! lives in memory alone and for one registration: whatever is left on a disk, nobody can read it, Weir included. The
//! nonce is the number of the run and that of the chunk, so none is used twice and no chunk opens at another place.

use std::collections::HashMap;
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_ipc::{CompressionType, root_as_message};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{Run, SpillFile, failed};
use crate::limits::SPILL_CHUNK_BYTES;
use crate::seal::{self, KEY_LEN};
use crate::{Result, VaultError};

/// The body of a chunk begins at a multiple of this, so that its columns are read where they lie.
const ALIGNMENT: usize = 64;
/// Length of the length of a chunk's header.
const HEADER_LEN: usize = 4;

/// The key of one registration's runs. It exists in memory and nowhere else.
pub(super) struct SpillKey {
    key: Arc<LessSafeKey>,
    runs: u32,
}

impl SpillKey {
    pub(super) fn random() -> Result<Self> {
        let bytes = Zeroizing::new(seal::random::<KEY_LEN>()?);
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map_err(failed)?;
        Ok(Self {
            key: Arc::new(LessSafeKey::new(key)),
            runs: 0,
        })
    }

    /// A writer for another run.
    pub(super) fn writer(&mut self, file: SpillFile, schema: SchemaRef) -> Result<SpillWriter> {
        let run = self.runs;
        self.runs = run.checked_add(1).ok_or_else(|| failed(()))?;
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .map_err(failed)?;
        Ok(SpillWriter {
            place: Place {
                key: Arc::clone(&self.key),
                run,
                chunk: 0,
            },
            file,
            schema,
            options,
            context: IpcWriteContext::default(),
            lengths: Vec::new(),
        })
    }
}

/// Where a chunk is, which is what its nonce says.
struct Place {
    key: Arc<LessSafeKey>,
    run: u32,
    chunk: u64,
}

impl Place {
    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&self.run.to_be_bytes());
        nonce[4..].copy_from_slice(&self.chunk.to_be_bytes());
        self.chunk += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A run being written.
pub(super) struct SpillWriter {
    place: Place,
    file: SpillFile,
    schema: SchemaRef,
    options: IpcWriteOptions,
    context: IpcWriteContext,
    /// Length of each sealed chunk, in bytes. Kept here and not in the file, so that nobody can change it.
    lengths: Vec<u32>,
}

impl SpillWriter {
    /// Writes rows, in several chunks where they are large.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let bytes = slice_bytes(rows)?;
        // Rows differ in length: a chunk must stay small wherever the long ones lie.
        if bytes > 2 * SPILL_CHUNK_BYTES && rows.num_rows() > 1 {
            let half = rows.num_rows() / 2;
            self.write(&rows.slice(0, half))?;
            return self.write(&rows.slice(half, rows.num_rows() - half));
        }
        self.write_chunk(rows)
    }

    fn write_chunk(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut dictionaries = DictionaryTracker::new(true);
        let (_, encoded) = IpcDataGenerator::default()
            .encode(rows, &mut dictionaries, &self.options, &mut self.context)
            .map_err(failed)?;
        let header_len = encoded.ipc_message.len();
        let body_start = body_start(header_len);
        let mut sealed =
            Vec::with_capacity(body_start + encoded.arrow_data.len() + AES_256_GCM.tag_len());
        let length = u32::try_from(header_len).map_err(failed)?;
        sealed.extend_from_slice(&length.to_le_bytes());
        sealed.extend_from_slice(&encoded.ipc_message);
        sealed.resize(body_start, 0);
        sealed.extend_from_slice(&encoded.arrow_data);
        self.place
            .key
            .clone()
            .seal_in_place_append_tag(self.place.next_nonce(), Aad::empty(), &mut sealed)
            .map_err(failed)?;
        self.lengths
            .push(u32::try_from(sealed.len()).map_err(failed)?);
        let path = &self.file.path;
        (&self.file.file)
            .write_all(&sealed)
            .map_err(VaultError::io("write", path))
    }

    /// Ends the run, ready to be read from its start.
    pub(super) fn finish(mut self) -> Result<SpilledRun> {
        let path = &self.file.path;
        (&self.file.file)
            .rewind()
            .map_err(VaultError::io("read", path))?;
        self.place.chunk = 0;
        Ok(SpilledRun {
            place: self.place,
            file: self.file,
            schema: self.schema,
            lengths: self.lengths.into_iter(),
        })
    }
}

/// A run on disk.
pub(super) struct SpilledRun {
    place: Place,
    file: SpillFile,
    schema: SchemaRef,
    lengths: std::vec::IntoIter<u32>,
}

impl SpilledRun {
    /// The sealed bytes, to be looked at and damaged.
    #[cfg(test)]
    pub(super) fn file_mut(&mut self) -> &mut std::fs::File {
        &mut self.file.file
    }

    fn open(&self, chunk: Vec<u8>) -> Option<RecordBatch> {
        let header_len = u32::from_le_bytes(*chunk.first_chunk::<HEADER_LEN>()?) as usize;
        let body_start = body_start(header_len);
        let chunk = Buffer::from_vec(chunk);
        let message = root_as_message(chunk.get(HEADER_LEN..HEADER_LEN + header_len)?).ok()?;
        let batch = message.header_as_record_batch()?;
        if body_start > chunk.len() {
            return None;
        }
        read_record_batch(
            &chunk.slice(body_start),
            batch,
            SchemaRef::clone(&self.schema),
            &HashMap::new(),
            None,
            &message.version(),
        )
        .ok()
    }
}

impl Run for SpilledRun {
    fn next_chunk(&mut self) -> Result<Option<RecordBatch>> {
        let Some(length) = self.lengths.next() else {
            return Ok(None);
        };
        let mut sealed = vec![0; length as usize];
        let path = &self.file.path;
        (&self.file.file)
            .read_exact(&mut sealed)
            .map_err(VaultError::io("read", path))?;
        let nonce = self.place.next_nonce();
        // Somebody else wrote to our file, or the disk lost what it had taken.
        let damaged = || VaultError::io("read", path)(std::io::ErrorKind::InvalidData.into());
        let plain = self
            .place
            .key
            .open_in_place(nonce, Aad::empty(), &mut sealed)
            .map_err(|_| damaged())?
            .len();
        sealed.truncate(plain);
        self.open(sealed).map(Some).ok_or_else(|| failed(()))
    }
}

/// Where the body of a chunk begins.
fn body_start(header_len: usize) -> usize {
    (HEADER_LEN + header_len).next_multiple_of(ALIGNMENT)
}

/// What the rows take, whatever the arrays they are cut from.
fn slice_bytes(rows: &RecordBatch) -> Result<usize> {
    let mut bytes = 0;
    for column in rows.columns() {
        bytes += column.to_data().get_slice_memory_size().map_err(failed)?;
    }
    Ok(bytes)
}
