//! A span of time as `domain.toml` has it.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Longest span that can be set, in seconds: 366 days.
const SECONDS_MAX: u32 = 366 * 24 * 60 * 60;

/// How many seconds a unit has; the largest first.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A span of time, written as a whole number and a unit: `24h`, `30m`, `7d`, `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wait {
    seconds: u32,
}

impl Wait {
    /// What a loosened policy waits unless the settings say otherwise: a day, so that whoever was not asked can object.
    pub const POLICY_LOOSENING: Self = Self { seconds: 86_400 };

    /// How long a table waits for people unless the settings say otherwise: a week.
    pub const AIRLOCK: Self = Self { seconds: 604_800 };

    /// No time at all.
    pub const NONE: Self = Self { seconds: 0 };

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    pub(crate) fn span(self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.seconds))
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self::POLICY_LOOSENING
    }
}

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let seconds = text.chars().last().and_then(|last| {
            let (unit, factor) = UNITS.into_iter().find(|(unit, _)| *unit == last)?;
            let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
            number.checked_mul(factor)
        });
        match seconds {
            Some(seconds) if seconds <= SECONDS_MAX => Ok(Self { seconds }),
            _ => Err(format!(
                "`{}` is not a span of time: write a whole number and a unit (s, m, h, d), such as `24h`, at most 366 days",
                text.chars().take(20).collect::<String>()
            )),
        }
    }
}

impl From<Wait> for String {
    fn from(wait: Wait) -> Self {
        wait.to_string()
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .into_iter()
            .find(|(_, factor)| self.seconds.is_multiple_of(*factor))
            .filter(|_| self.seconds > 0);
        let (unit, factor) = unit.unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.seconds / factor)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::Wait;

    #[test]
    fn spans_read_and_write() {
        for (text, seconds, written) in [
            ("24h", 86_400, "1d"),
            ("30m", 1_800, "30m"),
            ("90m", 5_400, "90m"),
            ("366d", 31_622_400, "366d"),
            ("2s", 2, "2s"),
            ("0s", 0, "0s"),
            ("0d", 0, "0s"),
        ] {
            let wait = Wait::try_from(text.to_owned()).unwrap();
            assert_eq!(wait.span().num_seconds(), seconds, "{text}");
            assert_eq!(wait.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "24",
            "h",
            "-1h",
            "1.5h",
            "24 h",
            "1w",
            "367d",
            "4294967295d",
            "٣h",
            "1день",
        ] {
            assert!(Wait::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
