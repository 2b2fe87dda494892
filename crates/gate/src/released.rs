//! The readable side of the door.

use std::fmt;

use arrow::array::RecordBatch;

use crate::record::DecisionRecord;

/// Whoever writes decisions down, in practice the audit log.
pub trait Recorder {
    /// What proves that the decision is on record, such as a receipt.
    type Proof;
    /// Why it could not be recorded.
    type Error;

    /// Records a decision.
    ///
    /// MUST answer `Ok` only when the record is durable: on disk and synced, so that it survives a loss of power.
    /// MUST NOT answer `Ok` for a record that is merely queued. On `Err` the table is not released, even where the
    /// record turns out to have landed.
    ///
    /// # Errors
    /// Whatever kept the record from being durable.
    fn record(&mut self, decision: &DecisionRecord) -> Result<Self::Proof, Self::Error>;
}

/// A table that passed the gate, and whose decision is on record. This crate alone makes one.
#[derive(Clone)]
pub struct Released {
    batch: RecordBatch,
    arrow_ipc: Vec<u8>,
    digest: String,
    cells_withheld_at_most: u64,
}

impl Released {
    pub(crate) fn new(
        batch: RecordBatch,
        arrow_ipc: Vec<u8>,
        decision: &DecisionRecord,
    ) -> Released {
        Released {
            batch,
            arrow_ipc,
            digest: decision.table_digest.clone(),
            cells_withheld_at_most: decision.cells_withheld_at_most,
        }
    }

    /// The table: key columns, then value columns, sorted by the keys. Texts are `Utf8`, whatever inside held them in.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The table as an Arrow IPC stream. The digest is taken over these bytes.
    pub fn arrow_ipc(&self) -> &[u8] {
        &self.arrow_ipc
    }

    /// `sha256:` and 64 hexadecimal digits over [`Released::arrow_ipc`].
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many cells were withheld, rounded up to 10, 20, 50, 100, 200, 500 …, and 10 where there was none.
    ///
    /// The exact number, which [`DecisionRecord`] holds for the bureau and the auditor, would tell an operator whether
    /// a cell of one unit exists: one more is withheld if it does.
    pub fn cells_withheld_at_most(&self) -> u64 {
        self.cells_withheld_at_most
    }
}

/// Shape and digest. The values are releasable, but a log is no place for them.
impl fmt::Debug for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released")
            .field("cells", &self.batch.num_rows())
            .field("columns", &self.batch.num_columns())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}
