//! Puts a decision on record: the log entry without which no table leaves.

use std::sync::Arc;

use weir_audit::{Digest, Event, LedgerState, Receipt};
use weir_gate::{DecisionRecord, Recorder};
use weir_registry::Charge;

use super::Read;
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, count};
use crate::grants::Lease;

/// What a decision is recorded with.
pub(super) struct ReleaseRecorder {
    pub(super) domain: Arc<Domain>,
    pub(super) caller: Caller,
    pub(super) run: String,
    pub(super) request_digest: Digest,
    pub(super) read: Read,
    pub(super) lease: Lease,
    /// Up to where the ledger went when the release was in it.
    pub(super) ledger: LedgerState,
    /// The bits that the table carries.
    pub(super) bits: u64,
    /// Whether those that it does not carry were given back.
    pub(super) is_settled: bool,
}

/// A decision that is in the log.
pub(super) struct Recorded {
    pub(super) receipt: Receipt,
    /// Names of the datasets read, separated by `, `.
    pub(super) datasets: String,
    pub(super) decision: DecisionRecord,
}

impl Recorder for ReleaseRecorder {
    type Proof = Recorded;
    type Error = Fault;

    fn record(&mut self, decision: &DecisionRecord) -> Result<Recorded, Fault> {
        let event = Event::ReleaseDecided {
            run: self.run.clone(),
            request_digest: self.request_digest,
            datasets: self.read.datasets.clone(),
            models: self.read.models.clone(),
            policy_digest: decision.policy_digest.parse()?,
            cells_released: decision.cells_released,
            cells_withheld_at_most: decision.cells_withheld_at_most,
            table_digest: decision.table_digest.parse()?,
            ledger: Some(self.ledger),
            bits_out: Some(self.bits),
        };
        let spent = Charge {
            cells: count(decision.cells_released)?,
            ..Charge::default()
        };
        // Appended after a last look at the lease, while nobody can take it back.
        let receipt = self.lease.record_blocking(&spent, || {
            self.domain.record.append(self.caller.actor(), event)
        })?;
        // Else with the answer.
        let waits = self.domain.record.witnesses().required() > 0;
        if waits {
            self.lease.settle_blocking(self.bits)?;
        }
        self.is_settled = waits;
        Ok(Recorded {
            receipt: self.domain.record.wait_for_witnesses(receipt)?,
            datasets: self.read.names(),
            decision: decision.clone(),
        })
    }
}
