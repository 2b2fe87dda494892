//! Work of the ledger that questions would wait for, done when nobody asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use weir_ledger::Ledger;

/// How long the ledger is left to others between two parts of the work.
const PAUSE: Duration = Duration::from_millis(2);

/// A thread that prepares a ledger, while there is something to do. It ends with this.
pub(crate) struct Preparing {
    ledger: Arc<Mutex<Ledger>>,
    is_over: Arc<AtomicBool>,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Preparing {
    pub(crate) fn new(ledger: &Arc<Mutex<Ledger>>) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            is_over: Arc::default(),
            running: Mutex::default(),
        }
    }

    /// Begins to prepare the ledger, unless that is under way. Where no thread can be had, the next question does the work.
    pub(crate) fn begin(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let (ledger, is_over) = (Arc::clone(&self.ledger), Arc::clone(&self.is_over));
        let prepare = move || {
            while !is_over.load(Ordering::Relaxed) {
                let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
                // What keeps it from reading will keep the next question from it, and be told there.
                if !ledger.prepare().unwrap_or(false) {
                    return;
                }
                drop(ledger);
                sleep(PAUSE);
            }
        };
        let thread = Builder::new().name("weir-ledger".to_owned());
        *running = thread.spawn(prepare).ok();
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = running.take() {
            // One that panicked has nothing to tell.
            let _ = thread.join();
        }
    }
}
