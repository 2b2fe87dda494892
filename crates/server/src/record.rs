//! The log, shared by everything that writes to it.

use std::sync::Arc;

use chrono::Utc;
use weir_audit::{Actor, Entry, Event, Log, Receipt, SharedLog, Timestamp};

use crate::fault::{Fault, panicked};

/// The domain's log. Entries that come at once are made durable together, under one checkpoint.
#[derive(Clone)]
pub(crate) struct Record(Arc<SharedLog>);

impl Record {
    pub(crate) fn new(log: Log) -> Self {
        Self(Arc::new(SharedLog::new(log)))
    }

    /// Appends an entry; when this returns it is durable. Blocks on the disk.
    pub(crate) fn append(&self, actor: Actor, event: Event) -> Result<Receipt, Fault> {
        let entry = Entry::new(Timestamp::from(Utc::now()), actor, event);
        Ok(self.0.append(&entry)?)
    }

    /// Appends an entry without blocking the thread that serves.
    pub(crate) async fn append_async(&self, actor: Actor, event: Event) -> Result<Receipt, Fault> {
        let record = self.clone();
        tokio::task::spawn_blocking(move || record.append(actor, event))
            .await
            .map_err(|_| panicked())?
    }

    /// Works on the log while nobody appends. Blocks.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut Log) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.0.with(work)
    }
}
