//! The log, shared by everything that writes to it.

use std::sync::Arc;
use std::time::Instant;

use weir_audit::{Actor, Entry, Event, Log, Receipt, SharedLog, Timestamp};
use weir_registry::Registry;

use crate::clock::Clock;
use crate::fault::{Fault, panicked};
use crate::metrics::Metrics;
use crate::sealing::mark_after;
use crate::watching::Ear;
use crate::witnesses::{WAIT, Witnesses, unavailable};

/// The domain's log. Entries that come at once are made durable together, under one checkpoint.
#[derive(Clone)]
pub(crate) struct Record {
    log: Arc<SharedLog>,
    witnesses: Arc<Witnesses>,
    ear: Ear,
    metrics: Arc<Metrics>,
    clock: Clock,
    /// Told up to where the log goes: it seals that with whatever it writes next.
    registry: Option<Registry>,
    /// The last field: dropped after the log.
    open: Arc<()>,
}

impl Record {
    pub(crate) fn new(
        log: Log,
        witnesses: Witnesses,
        ear: Ear,
        (metrics, clock): (Arc<Metrics>, Clock),
    ) -> Self {
        Self {
            log: Arc::new(SharedLog::new(log)),
            witnesses: Arc::new(witnesses),
            ear,
            metrics,
            clock,
            registry: None,
            open: Arc::default(),
        }
    }

    /// The same record, which tells a registry of each entry.
    pub(crate) fn telling(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    fn tell(&self, index: u64, entry: &Entry) {
        if let (Some(registry), Some(mark)) = (&self.registry, mark_after(index, entry)) {
            registry.log_is_at(mark);
        }
        self.ear.entry(index, entry);
    }

    /// Held by whoever holds the log, and let go of after it.
    pub(crate) fn open(&self) -> Arc<()> {
        Arc::clone(&self.open)
    }

    /// Appends an entry; when this returns it is durable. Blocks on the disk.
    pub(crate) fn append(&self, actor: Actor, event: Event) -> Result<Receipt, Fault> {
        let entry = Entry::new(Timestamp::from(self.clock.now()), actor, event);
        let begun = Instant::now();
        let receipt = self.log.append(&entry)?;
        self.metrics.appended(begun.elapsed());
        self.witnesses.has_grown();
        self.tell(receipt.index(), &entry);
        Ok(receipt)
    }

    /// Appends entries of one actor, one right after the other, at the cost of one; gives the last one's receipt. Blocks on the
    /// disk.
    pub(crate) fn append_together(
        &self,
        actor: &Actor,
        events: Vec<Event>,
    ) -> Result<Receipt, Fault> {
        let now = Timestamp::from(self.clock.now());
        let events = events.into_iter();
        let entries: Vec<_> = events
            .map(|event| Entry::new(now, actor.clone(), event))
            .collect();
        let begun = Instant::now();
        let receipt = self.log.append_together(&entries)?;
        self.witnesses.has_grown();
        for (entry, before) in entries.iter().zip((0..entries.len() as u64).rev()) {
            self.metrics.appended(begun.elapsed());
            self.tell(receipt.index().saturating_sub(before), entry);
        }
        Ok(receipt)
    }

    /// Waits until as many witnesses as the settings require have seen an entry, which nobody may rely on before; the
    /// receipt given back has their cosignatures. Blocks on them.
    ///
    /// Where they do not answer in time the entry stays, and what it is about does not happen: as after a crash.
    pub(crate) fn wait_for_witnesses(&self, receipt: Receipt) -> Result<Receipt, Fault> {
        if self.witnesses.required() == 0 {
            return Ok(receipt);
        }
        let deadline = Instant::now() + WAIT;
        loop {
            // Taken before looking, so that what changes meanwhile ends the wait at once.
            let seen = self.witnesses.changes();
            if let Some(witnessed) = self.witnessed(receipt.index())? {
                return Ok(witnessed);
            }
            if !self.witnesses.wait_for_change(seen, deadline) {
                return Err(unavailable(self.witnesses.required()));
            }
        }
    }

    /// The receipt of an entry under what enough witnesses have cosigned.
    fn witnessed(&self, index: u64) -> Result<Option<Receipt>, Fault> {
        self.with(|log| match log.cosigned() {
            Some(cosigned) if self.witnesses.are_enough(cosigned) => {
                Ok(log.witnessed_receipt(index)?)
            }
            _ => Ok(None),
        })
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
        self.log.with(work)
    }

    /// What its entries are dated by.
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn witnesses(&self) -> &Arc<Witnesses> {
        &self.witnesses
    }
}
