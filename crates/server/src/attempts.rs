//! Runs under way, as whoever asked for them may know of them: state, rounded progress and a coarse duration.
//!
//! What has begun to read is heard of in multiples of the settings' slot: its answer, its refusal and its entry in the log
//! alike. Between the beginning and the slot nothing is told that depends on the data. A run can be called off until its
//! slot has come; from then on it has an outcome, and calling it off changes nothing. Both look alike from outside: nothing
//! is said of whether a run was called off, or refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use weir_registry::RunEnd;

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// The stages of a run with the share that is behind it when one begins, in percent. They follow from the order of the
/// steps and not from the data.
const STAGES: [(&str, u32); 6] = [
    ("checking the query", 0),
    ("waiting for a free slot", 10),
    ("computing inside the domain", 20),
    ("judging each cell at the gate", 80),
    ("writing the decision to the log", 90),
    ("finishing outside", 90),
];

/// The last stage that is told where results appear in slots: what follows begins when the data has it.
const TOLD_IN_SLOTS_MAX: u32 = 10;

/// The runs under way.
pub(crate) struct Attempts {
    /// None: everything is told at once.
    slot: Duration,
    /// By organisation and run.
    under_way: Mutex<HashMap<(String, String), Arc<Shared>>>,
}

/// What a run under way and those who ask about it share.
struct Shared {
    fate: Mutex<Fate>,
    called_off: watch::Sender<bool>,
    percent: watch::Sender<u32>,
    /// The grant it reads under, from when it begins to read.
    grant: Mutex<Option<String>>,
}

/// Whether a run can still be called off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    CalledOff,
    Deciding,
}

/// One call for a run's answer. While it is there, the run counts as under way.
pub(crate) struct Attempt {
    domain: Arc<Domain>,
    key: (String, String),
    begun: Instant,
    shared: Arc<Shared>,
}

/// A run under way, for somebody who watches.
pub(crate) struct Watched {
    /// Its progress. It ends with the run.
    pub(crate) percent: watch::Receiver<u32>,
    /// The grant it reads under, if it has begun to.
    pub(crate) grant: Option<String>,
}

impl Attempts {
    pub(crate) fn new(slot: Duration) -> Self {
        Self {
            slot,
            under_way: Mutex::default(),
        }
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Arc<Shared>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, organisation: &str, run: &str) -> Option<Arc<Shared>> {
        let key = (organisation.to_owned(), run.to_owned());
        self.under_way().get(&key).map(Arc::clone)
    }

    /// The run of an organisation, if it is under way.
    pub(crate) fn watch(&self, organisation: &str, run: &str) -> Option<Watched> {
        let shared = self.find(organisation, run)?;
        let grant = lock(&shared.grant).clone();
        Some(Watched {
            percent: shared.percent.subscribe(),
            grant,
        })
    }

    /// Whether a run of this id is under way, whosever it is.
    pub(crate) fn is_under_way(&self, run: &str) -> bool {
        !run.is_empty() && self.under_way().keys().any(|(_, known)| known == run)
    }

    /// Calls a run off, if there is one and its outcome is open. Says nothing of either.
    pub(crate) fn call_off(&self, organisation: &str, run: &str) {
        let Some(shared) = self.find(organisation, run) else {
            return;
        };
        let mut fate = lock(&shared.fate);
        if *fate == Fate::Open {
            *fate = Fate::CalledOff;
            shared.called_off.send_replace(true);
        }
    }
}

impl Attempt {
    /// Takes note of a run. One of the same id that is under way is not joined.
    pub(crate) fn begin(domain: &Arc<Domain>, caller: &Caller, run: &str) -> Result<Self, Fault> {
        let key = (caller.organisation.clone(), run.to_owned());
        let shared = Arc::new(Shared {
            fate: Mutex::new(Fate::Open),
            called_off: watch::Sender::new(false),
            percent: watch::Sender::new(0),
            grant: Mutex::default(),
        });
        let mut under_way = domain.attempts.under_way();
        if under_way.contains_key(&key) {
            return Err(under_way_already(run));
        }
        under_way.insert(key.clone(), Arc::clone(&shared));
        drop(under_way);
        Ok(Self {
            domain: Arc::clone(domain),
            key,
            begun: Instant::now(),
            shared,
        })
    }

    /// A stage begins; answers whether it is told.
    pub(crate) fn reached(&self, stage: &str) -> bool {
        let percent = STAGES
            .iter()
            .find(|(name, _)| *name == stage)
            .map_or(0, |(_, percent)| *percent);
        let told = self.domain.attempts.slot.is_zero() || percent <= TOLD_IN_SLOTS_MAX;
        if told {
            self.shared.percent.send_replace(percent);
        }
        told
    }

    /// From here on it reads: what becomes of it is told on its slot.
    pub(crate) fn reads_under(&self, grant: &str) {
        *lock(&self.shared.grant) = Some(grant.to_owned());
    }

    fn grant(&self) -> Option<String> {
        lock(&self.shared.grant).clone()
    }

    /// Whether what becomes of it waits for a slot.
    pub(crate) fn has_a_slot(&self) -> bool {
        !self.domain.attempts.slot.is_zero() && self.grant().is_some()
    }

    /// Waits for the next slot, if it has begun to read.
    pub(crate) async fn on_its_slot(&self) {
        let slot = self.domain.attempts.slot;
        if self.has_a_slot() {
            let slots = slots_begun(self.begun.elapsed(), slot);
            tokio::time::sleep_until(self.begun + slot.saturating_mul(slots)).await;
        }
    }

    /// Waits for its slot. From then on it has an outcome, and cannot be called off any more.
    pub(crate) async fn decides(&self) -> Result<(), Fault> {
        self.on_its_slot().await;
        let mut fate = lock(&self.shared.fate);
        if *fate == Fate::CalledOff {
            return Err(not_released(&self.key.1));
        }
        *fate = Fate::Deciding;
        Ok(())
    }

    /// Does work unless it is called off: it is dropped then.
    pub(crate) async fn unless_called_off<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let mut called_off = self.shared.called_off.subscribe();
        let called_off = async move {
            // It ends with this attempt, and not before.
            drop(called_off.wait_for(|called_off| *called_off).await);
        };
        tokio::select! {
            biased;
            () = called_off => Err(not_released(&self.key.1)),
            done = work => done,
        }
    }

    /// Keeps how it ended. What never began to read leaves nothing.
    pub(crate) async fn ended(&self, released: bool) -> Result<(), Fault> {
        match self.end(released) {
            Some(end) => Ok(self.domain.registry.end_run(&end).await?),
            None => Ok(()),
        }
    }

    /// How it ends, if it began to read.
    pub(crate) fn end(&self, released: bool) -> Option<RunEnd> {
        let (organisation, run) = self.key.clone();
        Some(RunEnd {
            organisation,
            run,
            grant_id: self.grant()?,
            released,
            seconds_at_most: coarse_seconds(self.begun.elapsed(), self.domain.attempts.slot),
        })
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.domain.attempts.under_way().remove(&self.key);
    }
}

/// A run that is refused without a reason: called off, rejected by a reviewer, expired in the airlock. Constant.
pub(crate) fn not_released(run: &str) -> Fault {
    Fault::policy(
        "RUN_NOT_RELEASED",
        format!(
            "run `{run}` released nothing, and nothing more is said of why. Ask again under another run id if the answer is \
             still needed"
        ),
    )
}

/// A run of this id is under way.
pub(crate) fn under_way_already(run: &str) -> Fault {
    Fault::caller(
        "RUN_UNDER_WAY",
        format!("run `{run}` is under way. Wait for its answer"),
    )
}

/// How many slots have begun after this time; at least one.
fn slots_begun(elapsed: Duration, slot: Duration) -> u32 {
    let slots = elapsed.as_nanos().div_ceil(slot.as_nanos().max(1));
    u32::try_from(slots).unwrap_or(u32::MAX).max(1)
}

/// A duration in seconds as it is told: in whole slots, and rounded up to 1, 2, 5, 10, 20, 50 …
fn coarse_seconds(elapsed: Duration, slot: Duration) -> i64 {
    let seconds = match slot.is_zero() {
        true => u64::try_from(elapsed.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u64::MAX),
        // It is told right after its slot began: that time is not another slot's.
        false => {
            let halfway = elapsed.saturating_sub(slot / 2);
            let slots = slots_begun(halfway, slot);
            slot.saturating_mul(slots).as_secs()
        }
    };
    let mut step: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let told = step.saturating_mul(factor);
            if told >= seconds {
                return i64::try_from(told).unwrap_or(i64::MAX);
            }
        }
        step = step.saturating_mul(10);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_coarse_steps() {
        for (ms, told) in [
            (0, 1),
            (1, 1),
            (1_000, 1),
            (1_001, 2),
            (2_001, 5),
            (5_001, 10),
            (51_000, 100),
        ] {
            let elapsed = Duration::from_millis(ms);
            assert_eq!(coarse_seconds(elapsed, Duration::ZERO), told, "{ms}");
        }
        assert_eq!(coarse_seconds(Duration::MAX, Duration::ZERO), i64::MAX);
    }

    #[test]
    fn all_durations_that_end_on_one_slot_are_told_alike() {
        let slot = Duration::from_secs(10);
        for ms in [10_000, 10_040, 10_900] {
            assert_eq!(coarse_seconds(Duration::from_millis(ms), slot), 10, "{ms}");
        }
        assert_eq!(coarse_seconds(Duration::from_millis(20_010), slot), 20);
        assert_eq!(coarse_seconds(Duration::from_millis(30_010), slot), 50);
    }

    #[test]
    fn a_result_waits_for_the_slot_that_follows_it() {
        let slot = Duration::from_secs(10);
        for (ms, slots) in [
            (0, 1),
            (1, 1),
            (9_999, 1),
            (10_000, 1),
            (10_001, 2),
            (25_000, 3),
        ] {
            assert_eq!(slots_begun(Duration::from_millis(ms), slot), slots, "{ms}");
        }
    }

    #[test]
    fn progress_never_goes_back_and_ends_below_the_end() {
        assert!(STAGES.is_sorted_by_key(|(_, percent)| *percent));
        assert!(
            STAGES
                .iter()
                .all(|(_, percent)| percent % 10 == 0 && *percent < 100)
        );
    }
}
