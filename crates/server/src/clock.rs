//! The time that a domain goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// How far back the machine's clock may step before the server's log says so: small corrections are everyday.
const STEP_MS_MAX: i64 = 1_000;

/// How far ahead of the machine's clock the end of a log may be for time to go on from there. Beyond that the machine's clock
/// was wrong when it was written, and standing still until then would help nobody.
const AHEAD_MAX: TimeDelta = TimeDelta::days(1);

/// The machine's clock, but it never goes back: where that is set back, time stands still until it has caught up. What has
/// expired stays expired, and entries of the log are in the order of their times.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    /// How far ahead of the machine's clock it is; not zero in tests alone.
    ahead_ms: AtomicI64,
    latest_ms: AtomicI64,
    stands: AtomicBool,
}

impl Clock {
    pub(crate) fn of_machine() -> Self {
        Self(Arc::default())
    }

    /// The moment it is, to the millisecond.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ahead_ms = self.0.ahead_ms.load(Ordering::Relaxed);
        let shown_ms = Utc::now().timestamp_millis().saturating_add(ahead_ms);
        let latest_ms = self.0.latest_ms.fetch_max(shown_ms, Ordering::AcqRel);
        self.tell(latest_ms.saturating_sub(shown_ms));
        // Every count of milliseconds that a clock shows is a moment.
        DateTime::from_timestamp_millis(shown_ms.max(latest_ms)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// What the machine's clock shows: handshakes go by it, and refuse a certificate that begins later.
    pub(crate) fn of_handshakes() -> DateTime<Utc> {
        Utc::now()
    }

    /// Goes on from what a log ends with.
    pub(crate) fn go_on_from(&self, latest: DateTime<Utc>) {
        let ahead = latest - Utc::now();
        if ahead > AHEAD_MAX {
            tracing::warn!(
                ahead_s = ahead.num_seconds(),
                "the log ends later than it is by the machine's clock: one of the two is wrong"
            );
            return;
        }
        self.0
            .latest_ms
            .fetch_max(latest.timestamp_millis(), Ordering::AcqRel);
    }

    /// Leaves one line when time begins to stand still, and one when it goes on.
    fn tell(&self, behind_ms: i64) {
        let stands = behind_ms > STEP_MS_MAX;
        if behind_ms > 0 && !stands {
            return;
        }
        match (self.0.stands.swap(stands, Ordering::Relaxed), stands) {
            (false, true) => tracing::warn!(
                behind_ms,
                "the machine's clock was set back: time stands still until it has caught up"
            ),
            (true, false) => tracing::info!("the machine's clock has caught up"),
            _ => {}
        }
    }

    /// Has it show another time than the machine's, for tests: as if somebody had set the machine's clock.
    #[doc(hidden)]
    pub fn set_ahead(&self, by: TimeDelta) {
        self.0
            .ahead_ms
            .store(by.num_milliseconds(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn it_goes_forward_with_the_machine_and_never_back() {
        let clock = Clock::of_machine();
        let begun = clock.now();
        assert!((begun - Utc::now()).abs() < TimeDelta::seconds(10));
        clock.set_ahead(TimeDelta::hours(5));
        let later = clock.now();
        assert!(later - begun >= TimeDelta::hours(5));
        clock.set_ahead(TimeDelta::hours(-5));
        assert_eq!((clock.now(), clock.now()), (later, later));
        clock.set_ahead(TimeDelta::hours(6));
        assert!(clock.now() > later);
    }

    #[test]
    fn it_goes_on_from_the_end_of_a_log_unless_that_is_far_ahead() {
        let soon = Utc::now() + TimeDelta::hours(3);
        let clock = Clock::of_machine();
        clock.go_on_from(soon);
        assert_eq!(clock.now().timestamp_millis(), soon.timestamp_millis());
        let clock = Clock::of_machine();
        clock.go_on_from(Utc::now() + TimeDelta::days(400));
        assert!(clock.now() < soon);
    }

    /// What reads the machine's clock by itself would not stand still.
    #[test]
    fn nothing_of_a_domain_reads_the_machines_clock() {
        // Before a domain is open, on a machine without one, and what a receiver checks against its own clock.
        let exempt = [
            "clock.rs",
            "init.rs",
            "serve.rs",
            "backup/create.rs",
            "witness_http.rs",
            "watching/webhook.rs",
        ];
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![root.clone()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                if exempt.contains(&name) || name.contains("tests") {
                    continue;
                }
                seen += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                assert!(!code.contains("Utc::now"), "{name}");
            }
        }
        assert!(seen > 50, "{seen}");
    }
}
