//! The rules at work: each signal goes to those that look at it, and one burst is one alert.

use std::collections::HashMap;
use std::hash::Hash;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};

use crate::measure::{Holds, Recent, Share, Usual};
use crate::rules::{OffHours, Rule, Rules};
use crate::signal::{Signal, What};

/// Subjects remembered for each kind of measure. Beyond it the one heard of longest ago is forgotten.
pub const SUBJECTS_MAX: usize = 10_000;

/// What goes on for as long as this is said again.
pub const REPEAT_HOURS: i64 = 24;

/// Characters of a digest that name a certificate.
const CERTIFICATE_CHARS: usize = 23;

/// An alert: a rule holds for somebody or something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The rule.
    pub rule: Rule,
    /// For whom or what: an organisation, an organisation and a dataset, a model, a certificate.
    pub subject: String,
    /// When the signal came that made it hold.
    pub at: DateTime<Utc>,
    /// When what was measured began.
    pub since: DateTime<Utc>,
    /// What was measured: events, cells or percent.
    pub measured: u64,
    /// From where on the rule holds, in the same unit.
    pub limit: u64,
    /// The entry of the log that made it hold, where there is one.
    pub log_index: Option<u64>,
}

/// What the rules say of a whole history.
#[must_use]
pub fn evaluate(rules: &Rules, signals: &[Signal]) -> Vec<Raised> {
    let mut watcher = Watcher::new(rules.clone());
    let raised = signals.iter().map(|signal| watcher.hear(signal));
    raised.flatten().collect()
}

/// Hears signals in their order and says what they raise.
#[derive(Debug)]
pub struct Watcher {
    rules: Rules,
    /// The newest moment heard of: a clock that is set back does not make the past.
    now: DateTime<Utc>,
    recent: Bounded<(Rule, String), Recent>,
    shares: Bounded<String, Share>,
    usual: Bounded<String, Usual>,
    episodes: Bounded<(Rule, String), Episode>,
}

/// A burst that was said.
#[derive(Clone, Copy, Debug)]
struct Episode {
    raised: DateTime<Utc>,
    held: DateTime<Utc>,
}

impl Watcher {
    /// One that has heard of nothing yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            now: DateTime::<Utc>::MIN_UTC,
            recent: Bounded::default(),
            shares: Bounded::default(),
            usual: Bounded::default(),
            episodes: Bounded::default(),
        }
    }

    /// Tells it of an alert that was raised before it was there, so that the burst is not said twice.
    pub fn remember(&mut self, rule: Rule, subject: &str, raised: DateTime<Utc>) {
        let episode = self
            .episodes
            .of((rule, subject.to_owned()), raised, || Episode {
                raised,
                held: raised,
            });
        episode.raised = episode.raised.max(raised);
        episode.held = episode.held.max(raised);
    }

    /// One more signal.
    pub fn hear(&mut self, signal: &Signal) -> Vec<Raised> {
        self.now = self.now.max(signal.at);
        let found = match &signal.what {
            What::RunRefused | What::CallRefused => {
                let rule = &self.rules.refusal_burst;
                let (count, window) = (rule.count, minutes(rule.window_minutes));
                self.count(
                    Rule::RefusalBurst,
                    signal.organisation.clone(),
                    (count, window),
                )
            }
            What::RunBegun => self.begun(signal),
            What::NotAuthenticated { certificate } => {
                let rule = &self.rules.failed_authentication;
                let (count, window) = (rule.count, minutes(rule.window_minutes));
                let subject = certificate.chars().take(CERTIFICATE_CHARS).collect();
                self.count(Rule::FailedAuthentication, subject, (count, window))
            }
            What::ModelRefused { model } => {
                let rule = &self.rules.leak_test;
                let (count, window) = (rule.count, minutes(rule.window_minutes));
                self.count(Rule::LeakTest, model.clone(), (count, window))
            }
            What::Released { .. } => self.released(signal),
        };
        let at = self.now;
        let raised = found.into_iter().filter_map(|(rule, subject, holds)| {
            self.is_news(rule, &subject).then_some(Raised {
                rule,
                subject,
                at,
                since: holds.since,
                measured: holds.measured,
                limit: holds.limit,
                log_index: signal.log_index,
            })
        });
        raised.collect()
    }

    fn count(&mut self, rule: Rule, subject: String, (count, window): (u64, TimeDelta)) -> Found {
        let recent = self
            .recent
            .of((rule, subject.clone()), self.now, Recent::default);
        let holds = recent.add(self.now, None, count, window);
        holds
            .map(|holds| (rule, subject, holds))
            .into_iter()
            .collect()
    }

    fn begun(&mut self, signal: &Signal) -> Found {
        let rule = &self.rules.off_hours;
        if !is_off(signal.at, rule) {
            return Found::new();
        }
        let (count, window) = (rule.count, minutes(rule.window_minutes));
        self.count(Rule::OffHours, signal.organisation.clone(), (count, window))
    }

    fn released(&mut self, signal: &Signal) -> Found {
        let What::Released {
            request,
            datasets,
            cells_released,
            cells_withheld_at_least,
        } = &signal.what
        else {
            return Found::new();
        };
        let (now, organisation) = (self.now, &signal.organisation);
        let mut found = Found::new();
        let near = &self.rules.near_threshold;
        if *cells_released <= near.cells_max {
            for dataset in datasets {
                let subject = format!("{organisation} on {dataset}");
                let recent =
                    self.recent
                        .of((Rule::NearThreshold, subject.clone()), now, Recent::default);
                let holds = recent.add(
                    now,
                    Some(*request),
                    near.count,
                    minutes(near.window_minutes),
                );
                found.extend(holds.map(|holds| (Rule::NearThreshold, subject, holds)));
            }
        }
        let usual = self.usual.of(organisation.clone(), now, Usual::default);
        let holds = usual.add(now, *cells_released, &self.rules.quota_spike);
        found.extend(holds.map(|holds| (Rule::QuotaSpike, organisation.clone(), holds)));
        let rule = &self.rules.withheld_share;
        let cells = (*cells_released, *cells_withheld_at_least);
        let limits = (rule.share_percent, rule.cells_min);
        let share = self.shares.of(organisation.clone(), now, Share::default);
        let holds = share.add(now, cells, limits, minutes(rule.window_minutes));
        found.extend(holds.map(|holds| (Rule::WithheldShare, organisation.clone(), holds)));
        found
    }

    /// Whether a rule that holds is to be said: it is asked, and this is not the burst that was said last.
    fn is_news(&mut self, rule: Rule, subject: &str) -> bool {
        if !self.rules.is_enabled(rule) {
            return false;
        }
        let (now, cooldown) = (self.now, minutes(self.rules.cooldown_minutes(rule)));
        let mut is_new = false;
        let episode = self.episodes.of((rule, subject.to_owned()), now, || {
            is_new = true;
            Episode {
                raised: now,
                held: now,
            }
        });
        let is_news = is_new
            || now - episode.held >= cooldown
            || now - episode.raised >= TimeDelta::hours(REPEAT_HOURS);
        episode.held = now;
        if is_news {
            episode.raised = now;
        }
        is_news
    }
}

type Found = Vec<(Rule, String, Holds)>;

fn minutes(minutes: u32) -> TimeDelta {
    TimeDelta::minutes(i64::from(minutes))
}

/// Whether a moment is outside working hours.
fn is_off(at: DateTime<Utc>, hours: &OffHours) -> bool {
    let there = at + TimeDelta::minutes(i64::from(hours.utc_offset_minutes));
    let is_weekend = matches!(there.weekday(), Weekday::Sat | Weekday::Sun);
    (hours.weekends && is_weekend)
        || there.hour() < hours.from_hour
        || there.hour() >= hours.to_hour
}

/// A map that forgets what was used longest ago once it is full.
#[derive(Debug)]
struct Bounded<K, V>(HashMap<K, (DateTime<Utc>, V)>);

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone, V> Bounded<K, V> {
    fn of(&mut self, key: K, now: DateTime<Utc>, new: impl FnOnce() -> V) -> &mut V {
        if self.0.len() >= SUBJECTS_MAX && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        let (used, value) = self.0.entry(key).or_insert_with(|| (now, new()));
        *used = now;
        value
    }
}
