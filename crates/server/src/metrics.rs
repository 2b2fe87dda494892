//! Every metric of the server, in one place, for Prometheus.
//!
//! They are for the bureau's own machines: how long a run takes can depend on data, so no operator may read them. They hold
//! states, stable codes and sizes; no name of an organisation, no number of cells, nothing of a table.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::fault::{Family as FaultFamily, Fault};

/// Upper bounds of a run's time, in seconds: three steps a power of ten, which tell a slow run from a fast one and no more.
const RUN_SECONDS: [f64; 10] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0];
/// Upper bounds of the time that an append to the log takes, in seconds.
const APPEND_SECONDS: [f64; 11] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0,
];

type Label<const N: usize> = [(&'static str, &'static str); N];
type Named = [(&'static str, String); 1];

/// What is counted and measured.
pub(crate) struct Metrics {
    registry: Registry,
    runs: Family<Label<2>, Counter>,
    runs_in_stage: Family<Label<1>, Gauge>,
    run_seconds: Family<Label<1>, Histogram, fn() -> Histogram>,
    append_seconds: Histogram,
    calls_refused: Family<Label<1>, Counter>,
    alerts: Family<Label<1>, Counter>,
    webhook: Family<Label<1>, Counter>,
    now: Now,
}

/// What is looked up when somebody asks.
#[derive(Default)]
struct Now {
    log_entries: Gauge,
    log_cosigned_entries: Gauge,
    witnesses_required: Gauge,
    witness_entries: Family<Named, Gauge>,
    slots_free: Family<Label<1>, Gauge>,
    alerts_open: Family<Named, Gauge>,
    alerts_unsent: Gauge,
    signals_waiting: Gauge,
    signals_lost: Gauge,
    vault_bytes: Gauge,
}

/// What was looked up.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub(crate) log_entries: u64,
    pub(crate) log_cosigned_entries: u64,
    pub(crate) witnesses_required: usize,
    /// Each witness, and the size of the log it has cosigned as far as is known.
    pub(crate) witness_entries: Vec<(String, u64)>,
    /// Runs, registrations and vettings that could begin at once.
    pub(crate) slots_free: [(&'static str, usize); 3],
    pub(crate) alerts_open: Vec<(String, i64)>,
    pub(crate) alerts_unsent: i64,
    pub(crate) signals_waiting: usize,
    pub(crate) signals_lost: u64,
    pub(crate) vault_bytes: u64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("weir"),
            runs: Family::default(),
            runs_in_stage: Family::default(),
            run_seconds: Family::new_with_constructor(|| Histogram::new(RUN_SECONDS)),
            append_seconds: Histogram::new(APPEND_SECONDS),
            calls_refused: Family::default(),
            alerts: Family::default(),
            webhook: Family::default(),
            now: Now::default(),
        };
        metrics.register_counted();
        metrics.now.register(&mut metrics.registry);
        metrics
    }

    fn register_counted(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "runs",
            "Runs that ended, by outcome and code",
            self.runs.clone(),
        );
        registry.register(
            "runs_in_stage",
            "Runs under way, by what they are doing",
            self.runs_in_stage.clone(),
        );
        registry.register_with_unit(
            "run",
            "How long runs take, by outcome",
            Unit::Seconds,
            self.run_seconds.clone(),
        );
        registry.register_with_unit(
            "log_append",
            "How long it takes until an entry is durable",
            Unit::Seconds,
            self.append_seconds.clone(),
        );
        registry.register(
            "calls_refused",
            "Calls turned away for who made them, by code",
            self.calls_refused.clone(),
        );
        registry.register(
            "alerts_raised",
            "Alerts raised, by rule",
            self.alerts.clone(),
        );
        registry.register(
            "webhook_attempts",
            "Attempts to send an alert, by outcome",
            self.webhook.clone(),
        );
    }

    /// A run goes on to its next stage, or ends.
    pub(crate) fn stage(&self, from: Option<&'static str>, to: Option<&'static str>) {
        if let Some(from) = from {
            self.runs_in_stage.get_or_create(&[("stage", from)]).dec();
        }
        if let Some(to) = to {
            self.runs_in_stage.get_or_create(&[("stage", to)]).inc();
        }
    }

    /// A run ended.
    pub(crate) fn ran(&self, fault: Option<&Fault>, took: Duration) {
        let (outcome, code) = (outcome(fault), fault.map_or("", |fault| fault.code));
        let counted = [("outcome", outcome), ("code", code)];
        self.runs.get_or_create(&counted).inc();
        let timed = self.run_seconds.get_or_create(&[("outcome", outcome)]);
        timed.observe(took.as_secs_f64());
    }

    /// An entry became durable.
    pub(crate) fn appended(&self, took: Duration) {
        self.append_seconds.observe(took.as_secs_f64());
    }

    /// A call was turned away.
    pub(crate) fn call_refused(&self, code: &'static str) {
        self.calls_refused.get_or_create(&[("code", code)]).inc();
    }

    /// An alert was raised.
    pub(crate) fn alert(&self, rule: &'static str) {
        self.alerts.get_or_create(&[("rule", rule)]).inc();
    }

    /// An alert was sent, or was not.
    pub(crate) fn sent(&self, well: bool) {
        let outcome = if well { "taken" } else { "failed" };
        self.webhook.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// All of it, in the text format of OpenMetrics 1.0.
    pub(crate) fn text(&self, now: Snapshot) -> Result<String, Fault> {
        self.now.set(now);
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(|_| {
            Fault::bug(
                "BUG_METRICS",
                "the metrics cannot be written. Please report this",
            )
        })?;
        Ok(text)
    }
}

/// `released`; `refused`, where whoever asked or what was asked is the reason; `failed`, where the machine or Weir is.
pub(crate) const fn outcome(fault: Option<&Fault>) -> &'static str {
    match fault {
        None => "released",
        Some(fault) => match fault.family {
            FaultFamily::Caller | FaultFamily::Model | FaultFamily::Policy => "refused",
            FaultFamily::Environment | FaultFamily::Bug => "failed",
        },
    }
}

impl Now {
    fn register(&self, registry: &mut Registry) {
        let gauges = [
            ("log_entries", "Entries of the log", &self.log_entries),
            (
                "log_cosigned_entries",
                "Entries that enough witnesses have cosigned",
                &self.log_cosigned_entries,
            ),
            (
                "witnesses_required",
                "Witnesses that a release waits for",
                &self.witnesses_required,
            ),
            (
                "alerts_unsent",
                "Alerts that wait for the webhook",
                &self.alerts_unsent,
            ),
            (
                "signals_waiting",
                "Events that wait for the rules",
                &self.signals_waiting,
            ),
            (
                "signals_lost",
                "Events dropped since the start because too many waited",
                &self.signals_lost,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "witness_entries",
            "Entries each witness has cosigned, as far as is known",
            self.witness_entries.clone(),
        );
        registry.register(
            "slots_free",
            "Work that could begin at once",
            self.slots_free.clone(),
        );
        registry.register(
            "alerts_open",
            "Alerts nobody has acknowledged, by rule",
            self.alerts_open.clone(),
        );
        registry.register_with_unit(
            "vault",
            "Size of what is in the vault's folder",
            Unit::Bytes,
            self.vault_bytes.clone(),
        );
    }

    fn set(&self, now: Snapshot) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.log_entries.set(number(now.log_entries));
        self.log_cosigned_entries
            .set(number(now.log_cosigned_entries));
        self.witnesses_required.set(size(now.witnesses_required));
        for (witness, entries) in now.witness_entries {
            let gauge = self.witness_entries.get_or_create(&[("witness", witness)]);
            gauge.set(number(entries));
        }
        for (work, free) in now.slots_free {
            self.slots_free
                .get_or_create(&[("work", work)])
                .set(size(free));
        }
        // A rule whose last alert was acknowledged is not among them any more.
        self.alerts_open.clear();
        for (rule, open) in now.alerts_open {
            self.alerts_open.get_or_create(&[("rule", rule)]).set(open);
        }
        self.alerts_unsent.set(now.alerts_unsent);
        self.signals_waiting.set(size(now.signals_waiting));
        self.signals_lost.set(number(now.signals_lost));
        self.vault_bytes.set(number(now.vault_bytes));
    }
}
