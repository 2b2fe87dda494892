//! Watching: what happens in the domain goes to the rules, and what they raise is put on record and sent on.
//!
//! Nobody waits for it. What is heard goes into a queue that has an end; beyond it a signal is dropped and counted, and
//! still in the log, if that is where it came from. An alert is in the log first, then in the registry, then with the
//! webhook: the log and the registry are where it lasts, and the webhook's queue is the registry's own table.

mod queue;
mod raise;
mod signature;
mod webhook;

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use weir_watch::{Signal, Watcher};

pub(crate) use self::queue::{Ear, Heard};
pub(crate) use self::webhook::Webhook;
use crate::clock::Clock;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};

/// Entries of the log that are heard again at a start, so that a burst that was under way is known.
const HEARD_AGAIN_MAX: u64 = 2_000;

/// Alerts that are looked at at a start, so that none is raised twice.
const REMEMBERED_MAX: u32 = 1_000;

/// What is under way. It holds the domain open until it was stopped.
pub(crate) struct Watching {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watching {
    /// Begins to watch, and to send where there is a webhook.
    pub(crate) fn start(domain: &Arc<Domain>, heard: Heard, webhook: Option<Webhook>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let news = Arc::new(Notify::new());
        let is_sent = webhook.is_some();
        let mut tasks = vec![tokio::spawn(watch_all(
            Arc::clone(domain),
            heard,
            (is_sent, Arc::clone(&news)),
            stopped.clone(),
        ))];
        if let Some(webhook) = webhook {
            tasks.push(tokio::spawn(webhook.send_all(
                Arc::clone(domain),
                news,
                stopped,
            )));
        }
        Self { stop, tasks }
    }

    /// Ends it. What was heard until now is still judged; what could not be sent is sent after the next start.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn watch_all(
    domain: Arc<Domain>,
    mut heard: Heard,
    sending: (bool, Arc<Notify>),
    mut stopped: watch::Receiver<bool>,
) {
    let mut watcher = Watcher::new(domain.config.alerts.rules.clone());
    let known_to = match begin(&domain, &mut watcher, &sending).await {
        Ok(size) => size,
        Err(fault) => {
            // The rules then know of nothing before this start.
            tracing::error!(
                code = fault.code,
                reason = fault.message,
                "the log's end was not heard again"
            );
            0
        }
    };
    // What came while the log was read again is in both.
    let is_known = |signal: &Signal| signal.log_index.is_some_and(|index| index < known_to);
    loop {
        let signal = tokio::select! {
            signal = heard.next() => signal,
            _ = stopped.wait_for(|stopped| *stopped) => None,
        };
        let Some(signal) = signal else { break };
        if !is_known(&signal) {
            raise::hear(&domain, &mut watcher, &signal, &sending).await;
        }
    }
    while let Some(signal) = heard.waiting() {
        if !is_known(&signal) {
            raise::hear(&domain, &mut watcher, &signal, &sending).await;
        }
    }
}

/// Tells the rules what was raised and what happened before this start. An alert that a crash kept from being raised is
/// raised now. Answers with the size of the log up to which everything was heard.
async fn begin(
    domain: &Arc<Domain>,
    watcher: &mut Watcher,
    sending: &(bool, Arc<Notify>),
) -> Result<u64, Fault> {
    for alert in domain.registry.alerts(false, REMEMBERED_MAX).await? {
        raise::remember(watcher, &alert);
    }
    let minutes =
        i64::try_from(domain.config.alerts.rules.minutes_remembered()).unwrap_or(i64::MAX);
    let oldest =
        TimeDelta::try_minutes(minutes).and_then(|age| domain.clock.now().checked_sub_signed(age));
    let record = domain.record.clone();
    let (size, signals) = tokio::task::spawn_blocking(move || {
        let size = record.with(|log| Ok(log.size()))?;
        let mut signals = Vec::new();
        for index in (size.saturating_sub(HEARD_AGAIN_MAX)..size).rev() {
            // The log is let go after each, so that nobody waits for this.
            let entry = record.with(|log| Ok(log.entry(index)?))?;
            if oldest.is_some_and(|oldest| entry.time.to_utc() < oldest) {
                break;
            }
            signals.extend(Signal::of(index, &entry));
        }
        signals.reverse();
        Ok::<_, Fault>((size, signals))
    })
    .await
    .map_err(|_| panicked())??;
    for signal in signals {
        raise::hear(domain, watcher, &signal, sending).await;
    }
    Ok(size)
}

/// A queue, and what is heard from it.
pub(crate) fn listen(clock: &Clock) -> (Ear, Heard) {
    let (sender, receiver) = mpsc::channel(queue::SIGNALS_MAX);
    (Ear::new(sender, clock.clone()), Heard::new(receiver))
}
