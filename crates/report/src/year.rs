//! What happened in a year: counts and short lists, gathered while the log is read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, SecondsFormat};
use weir_audit::{Entry, Event};

/// Rows of each list. What comes after it is counted and not listed.
pub const LISTED_MAX: usize = 1_000;

/// The role of those who run.
const OPERATOR: &str = "operator";

/// Whose year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The calendar year, in UTC.
    pub year: i32,
    /// One operator; the whole domain where there is none.
    pub operator: Option<String>,
}

/// Runs, and what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) begun: u64,
    pub(crate) released: u64,
    pub(crate) refused: u64,
    pub(crate) cells: u64,
    /// The sum of what each entry says at most.
    pub(crate) withheld_at_most: u64,
}

impl Runs {
    fn add(&mut self, more: Self) {
        self.begun += more.begun;
        self.released += more.released;
        self.refused += more.refused;
        self.cells = self.cells.saturating_add(more.cells);
        self.withheld_at_most = self.withheld_at_most.saturating_add(more.withheld_at_most);
    }
}

/// An alert as the log tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) raised_at: String,
    pub(crate) rule: String,
    pub(crate) subject: String,
    pub(crate) measured: u64,
    pub(crate) limit: u64,
    pub(crate) acknowledged_by: String,
    pub(crate) acknowledged_at: String,
}

/// Something that is listed: when, what, which, by whom, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) at: String,
    pub(crate) what: &'static str,
    pub(crate) which: String,
    pub(crate) by: String,
    pub(crate) why: String,
}

/// A year of a log. Hear every entry, from the first: what a grant or an alert of this year is about may be older.
#[derive(Debug)]
pub struct Year {
    pub(crate) scope: Scope,
    pub(crate) domain: String,
    pub(crate) entries: u64,
    pub(crate) all: Runs,
    pub(crate) months: [Runs; 12],
    pub(crate) alerts_by_month: [u64; 12],
    pub(crate) operators: BTreeMap<String, Runs>,
    pub(crate) datasets: BTreeMap<String, Runs>,
    pub(crate) models: BTreeMap<String, u64>,
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) facts: BTreeMap<&'static str, u64>,
    pub(crate) grant_acts: BTreeMap<String, u64>,
    /// Raised, and acknowledged of these.
    pub(crate) alerts_by_rule: BTreeMap<String, (u64, u64)>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) listed: Vec<Listed>,
    /// Where in `alerts` an alert is that may still be acknowledged, and its rule.
    open: BTreeMap<String, (Option<usize>, String)>,
    /// Grants of the operator that is looked at.
    grants: BTreeSet<String>,
}

impl Year {
    /// One that has heard nothing yet.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            domain: String::new(),
            entries: 0,
            all: Runs::default(),
            months: <[Runs; 12]>::default(),
            alerts_by_month: [0; 12],
            operators: BTreeMap::new(),
            datasets: BTreeMap::new(),
            models: BTreeMap::new(),
            codes: BTreeMap::new(),
            facts: BTreeMap::new(),
            grant_acts: BTreeMap::new(),
            alerts_by_rule: BTreeMap::new(),
            alerts: Vec::new(),
            listed: Vec::new(),
            open: BTreeMap::new(),
            grants: BTreeSet::new(),
        }
    }

    /// One more entry, in the log's order.
    pub fn hear(&mut self, entry: &Entry) {
        if let Event::DomainInitialised { domain, .. } = &entry.event {
            self.domain.clone_from(domain);
        }
        if let Event::GrantIssued {
            grant,
            organisation,
            ..
        } = &entry.event
            && self.scope.operator.as_ref() == Some(organisation)
        {
            self.grants.insert(grant.clone());
        }
        let at = entry.time.to_utc();
        if at.year() != self.scope.year || !self.is_about(entry) {
            return;
        }
        self.entries += 1;
        let month = at.month0() as usize;
        self.run(entry, month);
        self.fact(entry);
        self.alert(entry, month);
        self.list(entry);
    }

    /// Whether an entry is of whom the report is about.
    fn is_about(&self, entry: &Entry) -> bool {
        let Some(operator) = &self.scope.operator else {
            return true;
        };
        match &entry.event {
            Event::AlertRaised { subject, .. } => {
                let rest = subject.strip_prefix(operator.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" on "))
            }
            Event::AlertAcknowledged { alert, .. } => self.open.contains_key(alert),
            Event::GrantIssued { organisation, .. }
            | Event::IdentityIssued { organisation, .. } => organisation == operator,
            Event::GrantChanged { grant, .. } => self.grants.contains(grant),
            Event::FreezeChanged { scope, name, .. } => scope == OPERATOR && name == operator,
            _ => entry.actor.organisation == *operator,
        }
    }

    fn run(&mut self, entry: &Entry, month: usize) {
        let mut more = Runs::default();
        match &entry.event {
            Event::RunAuthorised { .. } => more.begun = 1,
            Event::RunRefused { code, .. } => {
                *self.codes.entry(code.clone()).or_default() += 1;
                more.refused = 1;
            }
            Event::ReleaseDecided {
                cells_released,
                cells_withheld_at_most,
                datasets,
                models,
                ..
            } => {
                more.released = 1;
                more.cells = *cells_released;
                more.withheld_at_most = *cells_withheld_at_most;
                for read in datasets {
                    self.datasets
                        .entry(read.name.clone())
                        .or_default()
                        .add(more);
                }
                for model in models {
                    *self.models.entry(model.name.clone()).or_default() += 1;
                }
            }
            _ => return,
        }
        self.all.add(more);
        self.months[month].add(more);
        let operator = entry.actor.organisation.clone();
        self.operators.entry(operator).or_default().add(more);
    }

    fn fact(&mut self, entry: &Entry) {
        let name = match &entry.event {
            Event::DatasetRegistered { .. } => "dataset_registered",
            Event::SnapshotDestroyed { .. } => "snapshot_destroyed",
            Event::RiskAssessed { .. } => "risk_assessed",
            Event::ModelSubmitted { .. } => "model_submitted",
            Event::ModelVetted { verdict, .. } if verdict == "refuse" => "model_refused",
            Event::ModelVetted { .. } => "model_vetted",
            Event::ModelApproved { .. } | Event::VettedModelApproved { .. } => "model_approved",
            Event::ModelRejected { .. } => "model_rejected",
            Event::ModelWithdrawn { .. } => "model_withdrawn",
            Event::IdentityIssued { .. } => "identity_issued",
            Event::IdentityRenewed { .. } => "identity_renewed",
            Event::IdentityRevoked { .. } => "identity_revoked",
            Event::PolicyInForce { .. } | Event::DatasetPolicyInForce { .. } => "policy_in_force",
            Event::PolicyProposed { .. } => "policy_proposed",
            Event::PolicyApproved { .. } => "policy_approved",
            Event::PolicyWithdrawn { .. } => "policy_withdrawn",
            Event::FeedbackFiled { .. } => "feedback_filed",
            Event::FeedbackAnswered { .. } => "feedback_answered",
            Event::ApplicationSubmitted { .. } => "application_submitted",
            Event::GrantIssued { parent, .. } if !parent.is_empty() => "grant_delegated",
            Event::GrantIssued { .. } => "grant_issued",
            Event::GrantChanged { act, .. } => {
                *self.grant_acts.entry(act.clone()).or_default() += 1;
                return;
            }
            _ => return,
        };
        *self.facts.entry(name).or_default() += 1;
    }

    fn alert(&mut self, entry: &Entry, month: usize) {
        match &entry.event {
            Event::AlertRaised {
                alert,
                rule,
                subject,
                measured,
                limit,
                ..
            } => {
                self.alerts_by_month[month] += 1;
                self.alerts_by_rule.entry(rule.clone()).or_default().0 += 1;
                let place = (self.alerts.len() < LISTED_MAX).then_some(self.alerts.len());
                self.open.insert(alert.clone(), (place, rule.clone()));
                if place.is_some() {
                    self.alerts.push(Alert {
                        raised_at: moment(entry),
                        rule: rule.clone(),
                        subject: subject.clone(),
                        measured: *measured,
                        limit: *limit,
                        ..Alert::default()
                    });
                }
            }
            Event::AlertAcknowledged { alert, .. } => {
                let Some((place, rule)) = self.open.remove(alert) else {
                    return;
                };
                self.alerts_by_rule.entry(rule).or_default().1 += 1;
                if let Some(alert) = place.and_then(|place| self.alerts.get_mut(place)) {
                    alert.acknowledged_by = by(entry);
                    alert.acknowledged_at = moment(entry);
                }
            }
            _ => {}
        }
    }

    fn list(&mut self, entry: &Entry) {
        let (what, which, why) = match &entry.event {
            Event::FreezeChanged {
                scope,
                name,
                frozen,
                reason,
            } => {
                let what = if *frozen {
                    "freeze_set"
                } else {
                    "freeze_lifted"
                };
                (
                    what,
                    format!("{scope} {name}").trim_end().to_owned(),
                    reason.clone(),
                )
            }
            Event::SnapshotDestroyed {
                dataset,
                snapshot,
                reason,
                ..
            } => (
                "snapshot_destroyed",
                format!("{dataset} {snapshot}"),
                reason.clone(),
            ),
            Event::IdentityRevoked {
                fingerprint,
                reason,
            } => ("identity_revoked", fingerprint.to_string(), reason.clone()),
            Event::GrantChanged {
                grant, act, reason, ..
            } => ("grant_changed", format!("{grant} {act}"), reason.clone()),
            Event::ModelVetted { model, verdict, .. } if verdict == "refuse" => {
                ("model_refused", model.clone(), String::new())
            }
            Event::PolicyApproved { change, .. } => {
                ("policy_approved", change.clone(), String::new())
            }
            _ => return,
        };
        *self.facts.entry("listed").or_default() += 1;
        if self.listed.len() < LISTED_MAX {
            let (at, by) = (moment(entry), by(entry));
            self.listed.push(Listed {
                at,
                what,
                which,
                by,
                why,
            });
        }
    }

    pub(crate) fn count(&self, fact: &str) -> u64 {
        self.facts.get(fact).copied().unwrap_or_default()
    }
}

fn moment(entry: &Entry) -> String {
    entry
        .time
        .to_utc()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn by(entry: &Entry) -> String {
    match entry.actor.organisation.is_empty() {
        true => entry.actor.person.clone(),
        false => format!("{} ({})", entry.actor.person, entry.actor.organisation),
    }
}
