//! The slots of a schedule, and the run id of each.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::{Builder, Variant, Version};
use weir_audit::Digest;

use crate::fault::Fault;
use crate::grants::{moment, parse_moment};
use crate::wait::Wait;

/// Shortest time between two slots, in seconds.
const EVERY_MIN_S: i64 = 3_600;

/// A schedule: slots that follow each other at one distance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slots {
    /// When the first one begins. RFC 3339.
    pub(crate) from: String,
    /// How long each is.
    pub(crate) every: Wait,
}

impl Slots {
    /// Reads what a caller wrote; none for a product that is run when it is asked for.
    pub(super) fn parse(
        every: &str,
        from: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Fault> {
        let invalid = || {
            Fault::caller(
                "PRODUCT_SCHEDULE",
                "a schedule is how often, `1h` to `366d`, and when it begins, such as `2027-01-31T00:00:00Z`",
            )
        };
        if every.is_empty() {
            return match from.is_empty() {
                true => Ok(None),
                false => Err(invalid()),
            };
        }
        let every = Wait::try_from(every.to_owned()).map_err(|_| invalid())?;
        if every.span().num_seconds() < EVERY_MIN_S {
            return Err(invalid());
        }
        let from = match from {
            "" => now,
            from => parse_moment(from).map_err(|_| invalid())?,
        };
        let from = moment(from);
        Ok(Some(Self { from, every }))
    }

    /// The newest slot that has begun: when it did.
    pub(super) fn newest(&self, now: DateTime<Utc>) -> Result<Option<String>, Fault> {
        let from = parse_moment(&self.from)?;
        let (passed, every) = ((now - from).num_milliseconds(), self.milliseconds());
        if passed < 0 {
            return Ok(None);
        }
        let begun = TimeDelta::milliseconds(passed / every * every);
        Ok(Some(moment(from + begun)))
    }

    /// The slot that begins at this moment, in its one spelling.
    pub(super) fn beginning(&self, at: &str) -> Result<Option<String>, Fault> {
        let (from, at) = (parse_moment(&self.from)?, parse_moment(at)?);
        let apart = (at - from).num_milliseconds();
        let is_one = apart >= 0 && apart % self.milliseconds() == 0;
        Ok(is_one.then(|| moment(at)))
    }

    fn milliseconds(&self) -> i64 {
        self.every
            .span()
            .num_milliseconds()
            .max(EVERY_MIN_S * 1_000)
    }
}

/// The one id that the run of a slot has, whoever runs it and however often: it follows from what was reviewed and the slot.
pub(super) fn run_id(product_digest: &str, slot: &str) -> String {
    let digest = Digest::of(format!("weir product run\n{product_digest}\n{slot}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    Builder::from_bytes(bytes)
        .with_variant(Variant::RFC4122)
        .with_version(Version::Custom)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn slots_follow_each_other_from_the_first() {
        let now = at("2026-11-22T10:00:00Z");
        let slots = Slots::parse("6h", "2026-11-22T09:00:00+08:00", now)
            .unwrap()
            .unwrap();
        let newest = |text| slots.newest(at(text)).unwrap();
        assert_eq!(newest("2026-11-22T00:59:59Z"), None);
        assert_eq!(
            newest("2026-11-22T01:00:00Z").unwrap(),
            "2026-11-22T01:00:00.000Z"
        );
        assert_eq!(
            newest("2026-11-23T00:00:00Z").unwrap(),
            "2026-11-22T19:00:00.000Z"
        );
        let named = |text| slots.beginning(text).unwrap();
        assert_eq!(
            named("2026-11-22T15:00:00+08:00").unwrap(),
            "2026-11-22T07:00:00.000Z"
        );
        assert_eq!(named("2026-11-22T07:00:01Z"), None);
        assert_eq!(named("2026-11-21T19:00:00Z"), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let now = at("2026-11-22T10:00:00Z");
        assert_eq!(Slots::parse("", "", now).unwrap(), None);
        for (every, from) in [
            ("", "2027-01-01T00:00:00Z"),
            ("59m", ""),
            ("0s", ""),
            ("1w", ""),
            ("1h", "tomorrow"),
        ] {
            assert_eq!(
                Slots::parse(every, from, now).unwrap_err().code,
                "PRODUCT_SCHEDULE"
            );
        }
    }

    #[test]
    fn a_slot_has_one_run_id() {
        let id = run_id("sha256:00", "2026-11-22T01:00:00.000Z");
        assert_eq!(id, run_id("sha256:00", "2026-11-22T01:00:00.000Z"));
        assert_ne!(id, run_id("sha256:01", "2026-11-22T01:00:00.000Z"));
        assert_ne!(id, run_id("sha256:00", "2026-11-22T07:00:00.000Z"));
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 8);
    }

    proptest! {
        #[test]
        fn the_newest_slot_is_one_that_has_begun_and_not_ended(hours in 1..500_i64, passed in 0..10_000_000_i64) {
            let now = at("2026-11-22T10:00:00Z");
            let slots = Slots::parse(&format!("{hours}h"), "", now).unwrap().unwrap();
            let then = now + TimeDelta::seconds(passed);
            let newest = slots.newest(then).unwrap().unwrap();
            let named = slots.beginning(&newest).unwrap();
            prop_assert_eq!(named.as_ref(), Some(&newest));
            let begun = at(&newest);
            prop_assert!(begun <= then && then < begun + TimeDelta::hours(hours));
        }
    }
}
