//! Where the durable steps of a domain can be made to fail, for tests of their order. Nothing else uses it.

use std::sync::Arc;

pub use weir_audit::{Disk as LogDisk, OsDisk as LogOsDisk};
pub use weir_ledger::{Disk as LedgerDisk, OsDisk as LedgerOsDisk};
pub use weir_registry::WriteFaults;

/// What the parts of a domain write to.
pub struct Faults {
    /// What the log writes to.
    pub log: Box<dyn LogDisk>,
    /// What the ledger writes to.
    pub ledger: Box<dyn LedgerDisk>,
    /// Who hears of each write of the registry.
    pub registry: Option<Arc<dyn WriteFaults>>,
}

impl Faults {
    /// The machine's own disk, and nothing fails.
    pub(crate) fn none() -> Self {
        Self {
            log: Box::new(LogOsDisk),
            ledger: Box::new(LedgerOsDisk),
            registry: None,
        }
    }
}
