//! How an answer travels.

use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::record_batch::RecordBatch;

use crate::error::OutsideError;

/// The answer as an Arrow IPC stream.
///
/// # Errors
/// [`OutsideError::Compute`] where Arrow cannot encode a type, which no query of ours makes.
pub fn arrow_ipc(answer: &RecordBatch) -> Result<Vec<u8>, OutsideError> {
    encode(answer).map_err(|error| OutsideError::Compute(error.to_string()))
}

fn encode(answer: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &answer.schema())?;
    writer.write(answer)?;
    writer.into_inner()
}
