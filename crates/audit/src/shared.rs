//! Group commit: whoever wants to append while an append is under way waits for the next one, together with everybody
//! else who came meanwhile. One checkpoint and one round to the disk serve all of them.
//!
//! There is no thread of its own. Whoever finds nobody at work takes everything that waits, appends it, and hands out the
//! results; the others sleep until they have theirs.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::entry::{Entry, PreparedEntry};
use crate::error::AuditError;
use crate::log::{BATCH_ENTRIES_MAX, Log};
use crate::receipt::Receipt;

/// A log that many threads append to.
#[derive(Debug)]
pub struct SharedLog {
    log: Mutex<Log>,
    line: Mutex<Line>,
    /// Rung when an append has ended.
    ended: Condvar,
}

/// Who waits for an append.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// Somebody is appending; whoever comes now waits for the next append.
    is_appending: bool,
}

#[derive(Debug)]
struct Waiting {
    entry: PreparedEntry,
    outcome: Arc<Outcome>,
}

/// How an append ended for one of those who waited.
#[derive(Debug, Default)]
struct Outcome(Mutex<Option<Result<Receipt, AuditError>>>);

impl Outcome {
    fn set(&self, result: Result<Receipt, AuditError>) {
        *lock(&self.0) = Some(result);
    }

    fn take(&self) -> Option<Result<Receipt, AuditError>> {
        lock(&self.0).take()
    }

    fn is_open(&self) -> bool {
        lock(&self.0).is_none()
    }
}

impl SharedLog {
    /// Shares a log.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self {
            log: Mutex::new(log),
            line: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Appends an entry; durable when this returns. Blocks on the disk, and on those who came before.
    ///
    /// # Errors
    /// Those of [`Log::append_all`]. Where an append fails half-way, everybody in it hears the same error.
    pub fn append(&self, entry: &Entry) -> Result<Receipt, AuditError> {
        // Checked before it joins the others: one bad entry must not spoil their append.
        let entry = PreparedEntry::new(entry)?;
        let outcome = Arc::<Outcome>::default();
        let mut line = lock(&self.line);
        line.waiting.push_back(Waiting {
            entry,
            outcome: Arc::clone(&outcome),
        });
        self.wait_for(line, &outcome)
    }

    /// Appends entries, one right after the other, at the cost of one; durable when this returns. Gives the last one's receipt.
    /// Blocks as [`SharedLog::append`].
    ///
    /// # Errors
    /// As [`SharedLog::append`]. The first may be in the log where the others are not.
    pub fn append_together(&self, entries: &[Entry]) -> Result<Receipt, AuditError> {
        let prepared = entries
            .iter()
            .map(PreparedEntry::new)
            .collect::<Result<Vec<_>, _>>()?;
        let mut outcomes = Vec::new();
        let mut line = lock(&self.line);
        for entry in prepared {
            let outcome = Arc::<Outcome>::default();
            outcomes.push(Arc::clone(&outcome));
            line.waiting.push_back(Waiting { entry, outcome });
        }
        let last = outcomes.pop().ok_or(AuditError::Bug {
            what: "an append of nothing",
        })?;
        // In their order: whoever has the last one's outcome has all.
        let receipt = self.wait_for(line, &last)?;
        match outcomes.iter().find_map(|outcome| outcome.take()?.err()) {
            Some(error) => Err(error),
            None => Ok(receipt),
        }
    }

    /// Takes part in appending until there is an outcome.
    fn wait_for<'a>(
        &'a self,
        mut line: MutexGuard<'a, Line>,
        outcome: &Outcome,
    ) -> Result<Receipt, AuditError> {
        loop {
            if let Some(result) = outcome.take() {
                return result;
            }
            if line.is_appending {
                line = self
                    .ended
                    .wait(line)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            line.is_appending = true;
            // Those who were woken with this one come along, where appending is faster than waking.
            drop(line);
            std::thread::yield_now();
            line = lock(&self.line);
            let count = line.waiting.len().min(BATCH_ENTRIES_MAX);
            let turn = Turn {
                shared: self,
                batch: line.waiting.drain(..count).collect(),
            };
            drop(line);
            turn.append();
            line = lock(&self.line);
        }
    }

    /// Works on the log while nobody appends. Blocks.
    pub fn with<T>(&self, work: impl FnOnce(&mut Log) -> T) -> T {
        work(&mut self.log())
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }
}

/// One append, and those it is for.
struct Turn<'a> {
    shared: &'a SharedLog,
    batch: Vec<Waiting>,
}

impl Turn<'_> {
    fn append(self) {
        let entries: Vec<_> = self.batch.iter().map(|waiting| &waiting.entry).collect();
        let mut log = self.shared.log();
        let receipts = log
            .append_prepared(&entries)
            .and_then(|indexes| log.receipts(indexes));
        drop(log);
        match receipts {
            Ok(receipts) => {
                for (waiting, receipt) in self.batch.iter().zip(receipts) {
                    waiting.outcome.set(Ok(receipt));
                }
            }
            Err(error) => {
                for waiting in &self.batch {
                    waiting.outcome.set(Err(error.clone()));
                }
            }
        }
    }
}

impl Drop for Turn<'_> {
    /// Lets the others go on, whatever happened. After a panic they are told what an append that failed half-way is told.
    fn drop(&mut self) {
        // One that has been read already looks open too; nobody looks at it again.
        for waiting in self.batch.iter().filter(|one| one.outcome.is_open()) {
            waiting.outcome.set(Err(AuditError::Bug {
                what: "an append ended without a result",
            }));
        }
        lock(&self.shared.line).is_appending = false;
        self.shared.ended.notify_all();
    }
}

/// What is behind these locks is whole after each statement, and a log that failed half-way refuses to go on by itself;
/// so a poisoned lock hides nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
