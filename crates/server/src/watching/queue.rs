//! The way from what happens to the rules: it never blocks, and has an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use weir_audit::Entry;
use weir_watch::{Signal, What};

use crate::clock::Clock;

/// Signals that wait for the rules. One takes some microseconds, and an alert two writes to the disk.
pub(super) const SIGNALS_MAX: usize = 4_096;

/// Whoever does something tells it here.
#[derive(Clone)]
pub(crate) struct Ear {
    sender: mpsc::Sender<Signal>,
    lost: Arc<AtomicU64>,
    clock: Clock,
}

impl Ear {
    pub(super) fn new(sender: mpsc::Sender<Signal>, clock: Clock) -> Self {
        Self {
            sender,
            lost: Arc::default(),
            clock,
        }
    }

    /// An entry that is durable.
    pub(crate) fn entry(&self, index: u64, entry: &Entry) {
        if let Some(signal) = Signal::of(index, entry) {
            self.tell(signal);
        }
    }

    /// A certificate that was turned away.
    pub(crate) fn turned_away(&self, certificate: String) {
        self.refusal(String::new(), What::NotAuthenticated { certificate });
    }

    /// A call that was refused to somebody of this organisation.
    pub(crate) fn refused(&self, organisation: String) {
        self.refusal(organisation, What::CallRefused);
    }

    /// Signals that were dropped because too many waited.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Signals that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    fn refusal(&self, organisation: String, what: What) {
        self.tell(Signal {
            at: self.clock.now(),
            organisation,
            log_index: None,
            what,
        });
    }

    fn tell(&self, signal: Signal) {
        if self.sender.try_send(signal).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The other end.
pub(crate) struct Heard(mpsc::Receiver<Signal>);

impl Heard {
    pub(super) const fn new(receiver: mpsc::Receiver<Signal>) -> Self {
        Self(receiver)
    }

    /// The next signal, once there is one.
    pub(super) async fn next(&mut self) -> Option<Signal> {
        self.0.recv().await
    }

    /// The next signal, if there is one.
    pub(super) fn waiting(&mut self) -> Option<Signal> {
        self.0.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tells_never_waits() {
        let (ear, mut heard) = super::super::listen(&Clock::of_machine());
        for _ in 0..SIGNALS_MAX + 7 {
            ear.refused("acme".to_owned());
        }
        assert_eq!((ear.lost(), ear.waiting()), (7, SIGNALS_MAX));
        assert!(heard.waiting().is_some());
        ear.turned_away("sha256:aa".to_owned());
        assert_eq!((ear.lost(), ear.waiting()), (7, SIGNALS_MAX));
    }
}
