//! Whose turn it is on the processors: least attained service first, by organisation.
//!
//! After each batch a run gives way while a run of another organisation is at work that has been served less of late. So
//! somebody who asks little has the machine to themselves as long as they ask, and those who ask much share what is left.
//! What was served is forgotten by halves: a busy night is not held against anybody the next day.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::Notify;

/// In which what was served counts half.
const HALF_LIFE: Duration = Duration::from_secs(30);

/// How much more than another an organisation may have been served without giving way: below it, changing over costs more
/// than it is worth.
const AHEAD_MAX: Duration = Duration::from_millis(20);

/// How long a run works before it gives way to anybody: shorter ones are done before others would be any better off, and one
/// that waits has a slot meanwhile, which those it waits for may need.
const SHORT: Duration = AHEAD_MAX;

/// Where less than this part of what an organisation was served makes another one go first at the door.
const FAR_AHEAD: f64 = 0.5;

/// Longest wait before looking again by itself.
const LOOK_AFTER: Duration = Duration::from_millis(25);

/// Organisations remembered without a run under way. Above it those who were served least are forgotten.
const REMEMBERED_MAX: usize = 1_000;

/// What was served to whom.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    served: Mutex<BTreeMap<String, Served>>,
    /// Rung when a run has ended.
    ended: Notify,
}

/// What an organisation was served, as of a moment.
#[derive(Debug, Clone, Copy)]
struct Served {
    seconds: f64,
    at: Instant,
    /// Runs at work now.
    runs: usize,
}

impl Served {
    fn by(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * (-passed / HALF_LIFE.as_secs_f64()).exp2()
    }
}

/// A run at work. Its whole time counts as served, so that nobody has others give way for nothing: not with computations
/// alone, and not with many small calls either.
#[derive(Debug)]
struct AtWork {
    turns: Arc<Turns>,
    organisation: String,
    begun: Instant,
    /// What it computed, in microseconds.
    worked_us: AtomicU64,
}

impl Turns {
    /// Counts a run as at work until what is given back is dropped.
    pub(crate) fn enter(self: &Arc<Self>, organisation: &str) -> Arc<dyn weir_inside::Turns> {
        let begun = Instant::now();
        self.enter_at(organisation, begun);
        Arc::new(AtWork {
            turns: Arc::clone(self),
            organisation: organisation.to_owned(),
            begun,
            worked_us: AtomicU64::new(0),
        })
    }

    fn enter_at(&self, organisation: &str, now: Instant) {
        let mut served = self.served();
        if served.len() >= REMEMBERED_MAX {
            let half = AHEAD_MAX.as_secs_f64() / 2.0;
            served.retain(|_, one| one.runs > 0 || one.by(now) > half);
        }
        let one = served.entry(organisation.to_owned()).or_insert(Served {
            seconds: 0.0,
            at: now,
            runs: 0,
        });
        one.runs += 1;
    }

    fn leave(&self, organisation: &str) {
        if let Some(one) = self.served().get_mut(organisation) {
            one.runs = one.runs.saturating_sub(1);
        }
        self.ended.notify_waiters();
    }

    fn serve(&self, organisation: &str, worked: Duration, now: Instant) {
        if let Some(one) = self.served().get_mut(organisation) {
            one.seconds = one.by(now) + worked.as_secs_f64();
            one.at = now;
        }
    }

    /// Waits while another organisation is at work that was served less than half as much: who ask as much as each other do
    /// not wait for each other.
    pub(super) async fn lets_pass(&self, organisation: &str) {
        self.waits_while(|| self.gives_way_by(organisation, FAR_AHEAD, Instant::now()))
            .await;
    }

    /// Waits while another organisation is at work that was served less.
    pub(super) async fn waits(&self, organisation: &str) {
        self.waits_while(|| self.gives_way(organisation, Instant::now()))
            .await;
    }

    async fn waits_while(&self, is_to_wait: impl Fn() -> bool) {
        while is_to_wait() {
            let ended = self.ended.notified();
            drop(tokio::time::timeout(LOOK_AFTER, ended).await);
        }
    }

    /// Whether an organisation is to give way.
    fn gives_way(&self, organisation: &str, now: Instant) -> bool {
        self.gives_way_by(organisation, 1.0, now)
    }

    /// Whether it is, where another may have been served this part of what it was.
    fn gives_way_by(&self, organisation: &str, part: f64, now: Instant) -> bool {
        let served = self.served();
        let Some(own) = served.get(organisation).map(|own| own.by(now)) else {
            return false;
        };
        let limit = (own - AHEAD_MAX.as_secs_f64()) * part;
        let mut others = served.iter().filter(|(name, _)| *name != organisation);
        others.any(|(_, other)| other.runs > 0 && other.by(now) < limit)
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<String, Served>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl weir_inside::Turns for AtWork {
    fn next(&self, worked: Duration) -> BoxFuture<'_, ()> {
        self.turns.serve(&self.organisation, worked, Instant::now());
        let now_us = u64::try_from(worked.as_micros()).unwrap_or(u64::MAX);
        let worked_us = self.worked_us.fetch_add(now_us, Ordering::Relaxed);
        if Duration::from_micros(worked_us.saturating_add(now_us)) < SHORT {
            return Box::pin(std::future::ready(()));
        }
        Box::pin(self.turns.waits(&self.organisation))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let now = Instant::now();
        let worked = now.saturating_duration_since(self.begun);
        self.turns.serve(&self.organisation, worked, now);
        self.turns.leave(&self.organisation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_had_more_of_late_gives_way_to_whoever_works() {
        let turns = Turns::default();
        let start = Instant::now();
        turns.enter_at("hog", start);
        turns.serve("hog", 10 * SECOND, start);
        assert!(!turns.gives_way("hog", start), "nobody else is at work");
        turns.enter_at("small", start);
        assert!(turns.gives_way("hog", start));
        assert!(!turns.gives_way("small", start));
        turns.serve("small", 9 * SECOND, start);
        assert!(turns.gives_way("hog", start), "until it has had as much");
        turns.serve("small", SECOND, start);
        assert!(!turns.gives_way("hog", start));
        turns.serve("small", SECOND, start);
        assert!(turns.gives_way("small", start), "and then the other way");
        turns.leave("hog");
        assert!(!turns.gives_way("small", start));
    }

    #[test]
    fn what_is_short_is_done_before_anybody_goes_first() {
        use weir_inside::Turns as _;
        let turns = Arc::new(Turns::default());
        turns.enter_at("hog", Instant::now());
        turns.serve("hog", 10 * SECOND, Instant::now());
        turns.enter_at("small", Instant::now());
        let work = AtWork {
            turns: Arc::clone(&turns),
            organisation: "hog".to_owned(),
            begun: Instant::now(),
            worked_us: AtomicU64::new(0),
        };
        let goes_on = |worked| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let mut next = work.next(worked);
            next.as_mut().poll(&mut context).is_ready()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let _entered = runtime.as_ref().map(tokio::runtime::Runtime::enter);
        assert!(goes_on(SHORT / 3) && goes_on(SHORT / 3));
        assert!(!goes_on(SHORT / 2), "what is longer gives way");
    }

    #[test]
    fn what_was_served_is_forgotten_by_halves() {
        let turns = Turns::default();
        let start = Instant::now();
        for (name, worked) in [("hog", 8), ("small", 1)] {
            turns.enter_at(name, start);
            turns.serve(name, worked * SECOND, start);
        }
        let later = start + 3 * HALF_LIFE;
        turns.serve("small", SECOND, later);
        assert!(!turns.gives_way("hog", later), "a second each is left");
        assert!(turns.gives_way("small", later), "and an eighth more");
    }
}
