//! A run's answer, checked.

use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use weir_api::v1::{RunRequest, RunResult};
use weir_audit::{Digest, Event, Receipt, VerifiedEntry, VerifierKey, request_digest};

use crate::error::ClientError;

/// A released table, its receipt verified: the log has an entry for this run, this query and exactly these bytes.
pub struct RunAnswer {
    /// The run's id.
    pub run_id: String,
    /// The answer to the query.
    pub table: Vec<RecordBatch>,
    /// All cells that crossed the border for it.
    pub released: Vec<RecordBatch>,
    /// Cells that were released.
    pub cells_released: u64,
    /// Cells that were withheld, rounded up: 10 stands for none to ten.
    pub cells_withheld_at_most: u64,
    /// The receipt, to keep.
    pub receipt_json: String,
    /// What the receipt proves.
    pub entry: VerifiedEntry,
}

impl RunAnswer {
    /// Checks the receipt against the log's key, the query and the table's bytes.
    pub(crate) fn verify(
        result: RunResult,
        asked: &RunRequest,
        log_key: &VerifierKey,
    ) -> Result<Self, ClientError> {
        let untrusted = |reason: &str| ClientError::Untrusted(reason.to_owned());
        let entry = Receipt::from_json(result.receipt_json.as_bytes())
            .and_then(|receipt| receipt.verify(log_key))
            .map_err(|error| ClientError::Untrusted(error.to_string()))?;
        let Event::ReleaseDecided {
            run,
            request_digest: digest,
            datasets,
            cells_released,
            cells_withheld_at_most,
            table_digest,
            ..
        } = &entry.entry().event
        else {
            return Err(untrusted("the receipt is for an entry of another kind"));
        };
        if *run != result.run_id {
            return Err(untrusted("the receipt is for another run"));
        }
        if *digest != request_digest(&asked.sql, &asked.snapshots) {
            return Err(untrusted("the receipt is for another query"));
        }
        let used = |pinned: &String| datasets.iter().any(|read| read.snapshot == *pinned);
        if !asked.snapshots.iter().all(used) {
            return Err(untrusted("the receipt is for another snapshot"));
        }
        if *table_digest != Digest::of(&result.released_arrow_ipc) {
            return Err(untrusted("the receipt is for another table"));
        }
        if (*cells_released, *cells_withheld_at_most)
            != (result.cells_released, result.cells_withheld_at_most)
        {
            return Err(untrusted("the receipt counts other cells"));
        }
        Ok(Self {
            table: read(&result.result_arrow_ipc)?,
            released: read(&result.released_arrow_ipc)?,
            run_id: result.run_id,
            cells_released: result.cells_released,
            cells_withheld_at_most: result.cells_withheld_at_most,
            receipt_json: result.receipt_json,
            entry,
        })
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Vec<RecordBatch>, ClientError> {
    let unreadable = |error: arrow::error::ArrowError| {
        ClientError::Untrusted(format!("a table cannot be read: {error}"))
    };
    StreamReader::try_new(bytes, None)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)
}
