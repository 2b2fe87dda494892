//! The log, shared by everything that writes to it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use weir_audit::{Actor, Entry, Event, Log, Receipt, Timestamp};

use crate::fault::{Fault, panicked};

/// The domain's log. One writer; entries are appended one after the other.
#[derive(Clone)]
pub(crate) struct Record(Arc<Mutex<Log>>);

impl Record {
    pub(crate) fn new(log: Log) -> Self {
        Self(Arc::new(Mutex::new(log)))
    }

    /// Appends an entry; when this returns it is durable. Blocks on the disk.
    pub(crate) fn append(&self, actor: Actor, event: Event) -> Result<Receipt, Fault> {
        self.with(|log| Ok(log.append(&Entry::new(Timestamp::from(Utc::now()), actor, event))?))
    }

    /// Appends an entry without blocking the thread that serves.
    pub(crate) async fn append_async(&self, actor: Actor, event: Event) -> Result<Receipt, Fault> {
        let record = self.clone();
        tokio::task::spawn_blocking(move || record.append(actor, event))
            .await
            .map_err(|_| panicked())?
    }

    /// Works on the log while nobody else does. Blocks.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut Log) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // A panic while appending leaves the log's files in a state that reopening would complete; the log itself
        // refuses to go on after a failed write, so a poisoned lock hides nothing.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
