//! The bytes of a released table, and their digest.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use ring::digest::{SHA256, digest};
use weir_ledger::Digest;

use crate::error::GateError;

/// Alignment of the buffers in the stream, in bytes. Written out, with the version below, rather than taken from the
/// library's default: digests in the log must be found again by a later version of this program.
const ALIGNMENT_BYTES: usize = 64;

/// The table as an Arrow IPC stream: the schema, one batch (also where it has no row), the end mark.
pub(crate) fn arrow_stream(batch: &RecordBatch) -> Result<Vec<u8>, GateError> {
    write(batch).map_err(|_| GateError::Step { step: "encode" })
}

fn write(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), batch.schema_ref(), options)?;
    writer.write(batch)?;
    writer.into_inner()
}

/// `sha256:` and 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

/// What stands for a text in the ledger.
pub(crate) fn digest_of(text: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}
