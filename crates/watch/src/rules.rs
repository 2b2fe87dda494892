//! The rules: what each asks, and its settings with their defaults.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most events or cells a rule may ask for.
const COUNT_MAX: u64 = 1_000_000_000;
/// Most events a rule that counts them may ask for: it remembers as many.
const EVENTS_MAX: u64 = 10_000;
/// Longest window and cooldown, in minutes: thirty days.
const MINUTES_MAX: u32 = 30 * 24 * 60;
/// Most windows that a spike is compared with.
const BASELINE_MAX: u32 = 1_000;
/// Most minutes that a clock is off UTC.
const OFFSET_MAX: i32 = 14 * 60;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Many refusals of one organisation.
    RefusalBurst,
    /// Many different requests for very small tables of one dataset.
    NearThreshold,
    /// Far more cells than usual.
    QuotaSpike,
    /// Runs outside working hours.
    OffHours,
    /// A model that vetting refuses.
    LeakTest,
    /// Certificates that are not accepted.
    FailedAuthentication,
    /// Most of what an operator asks for is withheld.
    WithheldShare,
}

/// How soon somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// When there is time.
    Low,
    /// The same day.
    Medium,
    /// Now.
    High,
}

impl Severity {
    /// Its name in alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::RefusalBurst,
        Self::NearThreshold,
        Self::QuotaSpike,
        Self::OffHours,
        Self::LeakTest,
        Self::FailedAuthentication,
        Self::WithheldShare,
    ];

    /// Its name: its table in the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefusalBurst => "refusal_burst",
            Self::NearThreshold => "near_threshold",
            Self::QuotaSpike => "quota_spike",
            Self::OffHours => "off_hours",
            Self::LeakTest => "leak_test",
            Self::FailedAuthentication => "failed_authentication",
            Self::WithheldShare => "withheld_share",
        }
    }

    /// How soon somebody should look.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::NearThreshold | Self::LeakTest | Self::FailedAuthentication => Severity::High,
            Self::RefusalBurst | Self::QuotaSpike | Self::WithheldShare => Severity::Medium,
            Self::OffHours => Severity::Low,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rule {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let found = Self::ALL.into_iter().find(|rule| rule.as_str() == name);
        found.ok_or(())
    }
}

/// The settings of one rule: each key with its meaning and its default.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$said:meta])* $key:ident: $kind:ty = $default:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// Whether it is asked at all.
            pub enabled: bool,
            /// Minutes without the rule holding, after which it is said again.
            pub cooldown_minutes: u32,
            $($(#[$said])* pub $key: $kind,)+
        }

        impl $name {
            const fn usual(enabled: bool, cooldown_minutes: u32) -> Self {
                Self { enabled, cooldown_minutes, $($key: $default,)+ }
            }
        }
    };
}

settings! {
    /// One organisation is refused `count` times within the window: runs, and calls its role may not make.
    RefusalBurst {
        /// Refusals.
        count: u64 = 20,
        /// Within these many minutes.
        window_minutes: u32 = 10,
    }
}

settings! {
    /// One organisation makes `count` different requests of one dataset within the window that get very few cells each: as
    /// when a predicate is moved until a cell appears or goes. Whether something was withheld the log does not tell, and so
    /// no alert does.
    NearThreshold {
        /// Different requests.
        count: u64 = 30,
        /// Within these many minutes.
        window_minutes: u32 = 60,
        /// Tables of more cells than this do not count.
        cells_max: u64 = 5,
    }
}

settings! {
    /// One organisation takes at least `cells_min` cells within a window, and `factor` times what it took on average in
    /// each of the windows before.
    QuotaSpike {
        /// Times the average.
        factor: u32 = 5,
        /// Cells below which nothing is a spike.
        cells_min: u64 = 5_000,
        /// Length of a window in minutes.
        window_minutes: u32 = 60,
        /// How many windows before make the average.
        baseline_windows: u32 = 24,
    }
}

settings! {
    /// One organisation begins `count` runs within the window, all outside working hours.
    OffHours {
        /// Runs.
        count: u64 = 1,
        /// Within these many minutes.
        window_minutes: u32 = 60,
        /// Minutes that the domain's clock is ahead of UTC; China's is 480.
        utc_offset_minutes: i32 = 480,
        /// The hour at which work begins, 0 to 23.
        from_hour: u32 = 7,
        /// The hour at which it ends, 1 to 24.
        to_hour: u32 = 20,
        /// Whether Saturday and Sunday are outside working hours.
        weekends: bool = true,
    }
}

settings! {
    /// Vetting refuses a model: it fails a leak test, or has another finding that refuses.
    LeakTest {
        /// How often, for one name.
        count: u64 = 1,
        /// Within these many minutes.
        window_minutes: u32 = 60,
    }
}

settings! {
    /// One certificate is turned away `count` times within the window.
    FailedAuthentication {
        /// Calls turned away.
        count: u64 = 5,
        /// Within these many minutes.
        window_minutes: u32 = 10,
    }
}

settings! {
    /// Of what one organisation asks for, at least `share_percent` is withheld, over a window in which it asked for at
    /// least `cells_min` cells. Counted from the log, which rounds withheld cells: taken at the least they can be.
    WithheldShare {
        /// Withheld cells in a hundred.
        share_percent: u32 = 50,
        /// Cells, released and withheld, below which nothing is said.
        cells_min: u64 = 500,
        /// Within these many minutes.
        window_minutes: u32 = 1_440,
    }
}

impl Default for RefusalBurst {
    fn default() -> Self {
        Self::usual(true, 60)
    }
}

impl Default for NearThreshold {
    fn default() -> Self {
        Self::usual(true, 240)
    }
}

impl Default for QuotaSpike {
    fn default() -> Self {
        Self::usual(true, 240)
    }
}

impl Default for OffHours {
    /// Off: nobody but the bureau knows its hours.
    fn default() -> Self {
        Self::usual(false, 720)
    }
}

impl Default for LeakTest {
    fn default() -> Self {
        Self::usual(true, 60)
    }
}

impl Default for FailedAuthentication {
    fn default() -> Self {
        Self::usual(true, 60)
    }
}

impl Default for WithheldShare {
    fn default() -> Self {
        Self::usual(true, 1_440)
    }
}

/// All rules. A rule that is left out is as by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Many refusals.
    pub refusal_burst: RefusalBurst,
    /// Tables near the thresholds.
    pub near_threshold: NearThreshold,
    /// More cells than usual.
    pub quota_spike: QuotaSpike,
    /// Runs at night.
    pub off_hours: OffHours,
    /// Models that vetting refuses.
    pub leak_test: LeakTest,
    /// Certificates that are not accepted.
    pub failed_authentication: FailedAuthentication,
    /// Much that is withheld.
    pub withheld_share: WithheldShare,
}

impl Rules {
    /// Whether a rule is asked.
    #[must_use]
    pub const fn is_enabled(&self, rule: Rule) -> bool {
        match rule {
            Rule::RefusalBurst => self.refusal_burst.enabled,
            Rule::NearThreshold => self.near_threshold.enabled,
            Rule::QuotaSpike => self.quota_spike.enabled,
            Rule::OffHours => self.off_hours.enabled,
            Rule::LeakTest => self.leak_test.enabled,
            Rule::FailedAuthentication => self.failed_authentication.enabled,
            Rule::WithheldShare => self.withheld_share.enabled,
        }
    }

    /// Minutes without a rule holding, after which it is said again.
    #[must_use]
    pub const fn cooldown_minutes(&self, rule: Rule) -> u32 {
        match rule {
            Rule::RefusalBurst => self.refusal_burst.cooldown_minutes,
            Rule::NearThreshold => self.near_threshold.cooldown_minutes,
            Rule::QuotaSpike => self.quota_spike.cooldown_minutes,
            Rule::OffHours => self.off_hours.cooldown_minutes,
            Rule::LeakTest => self.leak_test.cooldown_minutes,
            Rule::FailedAuthentication => self.failed_authentication.cooldown_minutes,
            Rule::WithheldShare => self.withheld_share.cooldown_minutes,
        }
    }

    const fn window_minutes(&self, rule: Rule) -> u32 {
        match rule {
            Rule::RefusalBurst => self.refusal_burst.window_minutes,
            Rule::NearThreshold => self.near_threshold.window_minutes,
            Rule::QuotaSpike => self.quota_spike.window_minutes,
            Rule::OffHours => self.off_hours.window_minutes,
            Rule::LeakTest => self.leak_test.window_minutes,
            Rule::FailedAuthentication => self.failed_authentication.window_minutes,
            Rule::WithheldShare => self.withheld_share.window_minutes,
        }
    }

    /// How far back anything matters to any rule, in minutes.
    #[must_use]
    pub fn minutes_remembered(&self) -> u64 {
        let minutes = Rule::ALL.into_iter().map(|rule| {
            let windows = match rule {
                Rule::QuotaSpike => u64::from(self.quota_spike.baseline_windows) + 1,
                _ => 1,
            };
            u64::from(self.window_minutes(rule)) * windows
        });
        minutes.max().unwrap_or_default()
    }

    /// What is wrong with these settings, for the message: the key, and what it may be.
    ///
    /// # Errors
    /// The first key that is outside its limits.
    pub fn check(&self) -> Result<(), String> {
        for rule in Rule::ALL {
            within(
                rule,
                "window_minutes",
                self.window_minutes(rule),
                1,
                MINUTES_MAX,
            )?;
            within(
                rule,
                "cooldown_minutes",
                self.cooldown_minutes(rule),
                0,
                MINUTES_MAX,
            )?;
        }
        for (rule, count) in [
            (Rule::RefusalBurst, self.refusal_burst.count),
            (Rule::NearThreshold, self.near_threshold.count),
            (Rule::OffHours, self.off_hours.count),
            (Rule::LeakTest, self.leak_test.count),
            (Rule::FailedAuthentication, self.failed_authentication.count),
        ] {
            within(rule, "count", count, 1, EVENTS_MAX)?;
        }
        let spike = &self.quota_spike;
        within(Rule::QuotaSpike, "factor", spike.factor, 1, 1_000_000)?;
        within(Rule::QuotaSpike, "cells_min", spike.cells_min, 1, COUNT_MAX)?;
        within(
            Rule::QuotaSpike,
            "baseline_windows",
            spike.baseline_windows,
            1,
            BASELINE_MAX,
        )?;
        let hours = &self.off_hours;
        within(
            Rule::OffHours,
            "utc_offset_minutes",
            hours.utc_offset_minutes,
            -OFFSET_MAX,
            OFFSET_MAX,
        )?;
        within(Rule::OffHours, "from_hour", hours.from_hour, 0, 23)?;
        within(
            Rule::OffHours,
            "to_hour",
            hours.to_hour,
            hours.from_hour + 1,
            24,
        )?;
        let share = &self.withheld_share;
        within(
            Rule::WithheldShare,
            "share_percent",
            share.share_percent,
            1,
            100,
        )?;
        within(
            Rule::WithheldShare,
            "cells_min",
            share.cells_min,
            1,
            COUNT_MAX,
        )
    }
}

fn within<T: PartialOrd + fmt::Display>(
    rule: Rule,
    key: &str,
    value: T,
    min: T,
    max: T,
) -> Result<(), String> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(format!(
        "`{key}` of the rule `{rule}` is {value}; it may be {min} to {max}"
    ))
}
