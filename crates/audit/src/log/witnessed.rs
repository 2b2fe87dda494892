//! What witnesses have cosigned: kept beside the checkpoint, and the base of receipts that others are to rely on.
//!
//! It is kept in a file of its own. The checkpoint says what is durable and is never held up by anybody; this one says what
//! others have seen, and therefore what the log can no longer take back.

use tlog_tiles::{check_record, record_hash};

use super::Log;
use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::layout::{COSIGNED, COSIGNED_TMP};
use crate::receipt::Receipt;

impl Log {
    /// The newest checkpoint that witnesses have cosigned, if any have.
    #[must_use]
    pub fn cosigned(&self) -> Option<&Checkpoint> {
        self.cosigned.as_ref()
    }

    /// Keeps a checkpoint of this log with the cosignatures that witnesses gave; durable when this returns. An older one
    /// than is kept already changes nothing.
    ///
    /// # Errors
    /// `AUDIT_CHECKPOINT_UNSIGNED` where it is not by this log's key; `AUDIT_INCONSISTENT` where it is not of this log;
    /// `AUDIT_IO`.
    pub fn keep_cosigned(&mut self, checkpoint: Checkpoint) -> Result<(), AuditError> {
        let checkpoint = Checkpoint::verify(checkpoint.note().as_bytes(), self.key.verifier())?;
        if self
            .cosigned
            .as_ref()
            .is_some_and(|kept| kept.size() > checkpoint.size())
        {
            return Ok(());
        }
        self.is_ours(&checkpoint)?;
        // A crash before this returns leaves the last one or this one; the witnesses give the same again.
        self.publisher
            .publish(COSIGNED, COSIGNED_TMP, checkpoint.note().as_bytes())?;
        self.cosigned = Some(checkpoint);
        Ok(())
    }

    /// The receipt of an entry under the newest checkpoint that witnesses have cosigned. `None` while that does not cover
    /// it.
    ///
    /// # Errors
    /// Those of reading files that are gone or altered.
    pub fn witnessed_receipt(&self, index: u64) -> Result<Option<Receipt>, AuditError> {
        match &self.cosigned {
            Some(checkpoint) if index < checkpoint.size() => {
                self.receipt_under(index, checkpoint).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn receipt_under(&self, index: u64, checkpoint: &Checkpoint) -> Result<Receipt, AuditError> {
        let size = checkpoint.size();
        let page = self.page(index)?;
        let entry = page.entry(index)?;
        let proof = self.tiles(&[index, size - 1])?.prove(size, index)?;
        check_record(
            &proof,
            size,
            checkpoint.root_hash(),
            index,
            record_hash(entry),
        )
        .map_err(|_| AuditError::Bug {
            what: "a proof did not lead to the cosigned root",
        })?;
        Receipt::new(entry, index, &proof, checkpoint)
    }

    /// What was cosigned before this process began. A log that witnesses have seen larger than it is, or other, is not the
    /// log: opening it would write a second history.
    pub(super) fn load_cosigned(&self) -> Result<Option<Checkpoint>, AuditError> {
        let Some(cosigned) = self.files.cosigned(self.key.verifier())? else {
            return Ok(None);
        };
        self.is_ours(&cosigned)?;
        Ok(Some(cosigned))
    }

    fn is_ours(&self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        let (size, size_before) = (self.size(), checkpoint.size());
        if size_before > size || self.root_at(size_before)? != checkpoint.root_hash() {
            return Err(AuditError::Inconsistent { size, size_before });
        }
        Ok(())
    }
}
