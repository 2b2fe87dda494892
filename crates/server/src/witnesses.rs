//! The log's side of witnessing (C2SP tlog-witness): each checkpoint goes to all witnesses with the proof that it continues
//! what they cosigned last, and what they answer is kept with it.
//!
//! A round asks everybody for the newest checkpoint; entries that come meanwhile wait for the next. Nobody is waited for
//! who does not answer: once there are enough, the others have a moment more.

mod ask;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use weir_audit::{Checkpoint, WitnessVerifierKey};

use crate::fault::{Fault, panicked};
use crate::log_settings::{LogConfig, WitnessConfig};
use crate::record::Record;

/// How long a release waits for its cosignatures.
pub(crate) const WAIT: Duration = Duration::from_secs(10);
/// How long witnesses that are not needed any more may take.
const MOMENT: Duration = Duration::from_millis(200);
/// How long a round takes at most.
const ROUND: Duration = Duration::from_secs(6);
/// How long after a round that did not get them all the next one begins by itself.
const AGAIN: Duration = Duration::from_secs(15);
/// The most witnesses: their cosignatures have to fit a checkpoint.
const WITNESSES_MAX: usize = 32;

/// Who is asked, and what they have said.
pub(crate) struct Witnesses {
    required: usize,
    keys: Vec<WitnessVerifierKey>,
    asked: Vec<Asked>,
    client: Option<reqwest::Client>,
    /// Rung when the log has grown.
    grown: Notify,
    /// How often a cosigned checkpoint was kept.
    changes: Mutex<u64>,
    changed: Condvar,
}

/// One witness.
struct Asked {
    key: WitnessVerifierKey,
    url: String,
    /// The size of the tree it cosigned last, as far as is known.
    seen: AtomicU64,
}

impl Witnesses {
    /// Those of the settings.
    pub(crate) fn new(config: &LogConfig) -> Result<Self, Fault> {
        let invalid = |what: String| {
            Fault::caller("CONFIG_INVALID", format!("`[log]` of domain.toml: {what}"))
        };
        if config.witnesses.len() > WITNESSES_MAX {
            return Err(invalid(format!(
                "at most {WITNESSES_MAX} witnesses; remove some"
            )));
        }
        let asked = config.witnesses.iter().map(Asked::new);
        let asked = asked.collect::<Result<Vec<_>, Fault>>()?;
        let keys: Vec<_> = asked.iter().map(|witness| witness.key.clone()).collect();
        if config.witnesses_required > keys.len() {
            return Err(invalid(format!(
                "`witnesses_required` is {} and there are {} witnesses; add some, or require fewer",
                config.witnesses_required,
                keys.len()
            )));
        }
        let client = match keys.is_empty() {
            true => None,
            false => Some(ask::client()?),
        };
        Ok(Self {
            required: config.witnesses_required,
            keys,
            asked,
            client,
            grown: Notify::new(),
            changes: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Each witness's name, and the size of the log it has cosigned last, as far as is known.
    pub(crate) fn seen(&self) -> Vec<(String, u64)> {
        let asked = self.asked.iter();
        asked
            .map(|witness| (witness.key.witness().to_owned(), witness.seen()))
            .collect()
    }

    pub(crate) fn required(&self) -> usize {
        self.required
    }

    /// Whether as many as required have cosigned.
    pub(crate) fn are_enough(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint
            .require_witnesses(&self.keys, self.required)
            .is_ok()
    }

    pub(crate) fn has_grown(&self) {
        self.grown.notify_one();
    }

    pub(crate) fn changes(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was kept that had not been when `seen` was taken. `false` when the time is over.
    pub(crate) fn wait_for_change(&self, seen: u64, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(changes, left, |changes| *changes == seen);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn keep(&self, record: &Record, cosigned: Checkpoint) -> Result<(), Fault> {
        record.with(|log| Ok(log.keep_cosigned(cosigned)?))?;
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
        Ok(())
    }
}

impl Asked {
    fn new(config: &WitnessConfig) -> Result<Self, Fault> {
        let url = config.url.trim_end_matches('/');
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Fault::caller(
                "CONFIG_INVALID",
                "`[log]` of domain.toml: a witness's `url` begins with `http://` or `https://`",
            ));
        }
        Ok(Self {
            key: config.key.parse()?,
            url: format!("{url}/add-checkpoint"),
            seen: AtomicU64::new(0),
        })
    }

    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

/// No release without enough of them.
pub(crate) fn unavailable(required: usize) -> Fault {
    Fault::environment(
        "WITNESSES_UNAVAILABLE",
        format!(
            "the decision is in the log, but {required} witnesses have not cosigned it in time, so nothing was released. \
             Start the witnesses, or lower `witnesses_required` in domain.toml"
        ),
    )
}

/// The task that asks. It holds the log open until it was stopped.
pub(crate) struct Following {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Following {
    /// Begins to ask, where there is anybody to ask.
    pub(crate) fn start(record: &Record) -> Option<Self> {
        let client = record.witnesses().client.clone()?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follow(record.clone(), client, stopped));
        Some(Self { stop, task })
    }

    /// Ends it, and with it its hold on the log.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn follow(record: Record, client: reqwest::Client, mut stopped: watch::Receiver<bool>) {
    let witnesses = Arc::clone(record.witnesses());
    let mut is_complete = false;
    loop {
        let begun = round(&record, &client, &mut stopped).await;
        match begun {
            Ok(complete) => is_complete = complete,
            Err(fault) => tracing::error!(
                code = fault.code,
                reason = fault.message,
                "witnessing failed"
            ),
        }
        tokio::select! {
            () = witnesses.grown.notified() => {}
            () = tokio::time::sleep(AGAIN), if !is_complete => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Asks everybody for the newest checkpoint. `true` when all have cosigned it.
async fn round(
    record: &Record,
    client: &reqwest::Client,
    stopped: &mut watch::Receiver<bool>,
) -> Result<bool, Fault> {
    let witnesses = record.witnesses();
    let (checkpoint, cosigned) = off_thread(record, |log| {
        Ok((log.checkpoint().clone(), log.cosigned().cloned()))
    })
    .await?;
    // Where some have cosigned it before, theirs are kept.
    let mut collected = match cosigned {
        Some(cosigned) if cosigned.text() == checkpoint.text() => cosigned,
        _ => checkpoint.clone(),
    };
    let count = |checkpoint: &Checkpoint| {
        checkpoint
            .cosignatures(&witnesses.keys)
            .map_or(0, |found| found.len())
    };
    let all = witnesses.keys.len();
    if count(&collected) == all {
        return Ok(true);
    }
    let mut answers: FuturesUnordered<_> = witnesses
        .asked
        .iter()
        .map(|witness| ask::ask(record, client, witness, &checkpoint))
        .collect();
    let mut deadline = tokio::time::Instant::now() + ROUND;
    loop {
        let answer = tokio::select! {
            answer = answers.next() => answer,
            () = tokio::time::sleep_until(deadline) => None,
            _ = stopped.wait_for(|stopped| *stopped) => None,
        };
        let Some(answer) = answer else { break };
        let Some(line) = answer else { continue };
        collected = collected.with_cosignatures(&line, &witnesses.keys)?;
        if count(&collected) >= witnesses.required.max(1) {
            // Kept at once: somebody may be waiting for it. The others' are added when they come.
            let (keeping, kept) = (record.clone(), collected.clone());
            tokio::task::spawn_blocking(move || keeping.witnesses().keep(&keeping, kept))
                .await
                .map_err(|_| panicked())??;
            deadline = deadline.min(tokio::time::Instant::now() + MOMENT);
        }
    }
    Ok(count(&collected) == all)
}

/// Works on the log off the threads that serve.
async fn off_thread<T: Send + 'static>(
    record: &Record,
    work: impl FnOnce(&mut weir_audit::Log) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let record = record.clone();
    tokio::task::spawn_blocking(move || record.with(work))
        .await
        .map_err(|_| panicked())?
}
