//! The policies in force, and how they change.
//!
//! The registry holds what is in force: the domain's policy and those of datasets. `policy.toml` is a copy of the domain's
//! for people to read. Every change goes through `change`: in the log first, then in the registry in one transaction, then
//! in memory, then in the copy. A crash between any two of these leaves a state that opening completes: at worst there is
//! an entry in the log for a policy that did not come into force, and nobody was told that it did.
//!
//! A loosened policy that waits takes effect at the first look at the policy after its time: there is no clock to fail.

mod change;
mod open;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, SecondsFormat, Utc};
use weir_policy::{Comparison, Layer, Layers, Policy};
use weir_registry::{ChangeState, PolicyChangeRecord, PolicyRecord, Registry};

pub(crate) use change::{approve, put, server, withdraw};
pub(crate) use replay::{evidence, evidence_key, replay};

use crate::domain::Domain;
use crate::fault::{Fault, dataset_unknown};

/// Most changes that are listed, and most that can be open: each dataset has one at most.
pub(crate) const CHANGES_MAX: u32 = 1_000;

/// Longest name of a source in errors, in characters.
const SOURCE_CHARS_MAX: usize = 200;

/// The policies of an open domain.
pub(crate) struct Policies {
    /// The copy of the domain's policy.
    file: PathBuf,
    /// Held by whoever changes a policy: one change at a time, each judged against what the one before left.
    changing: tokio::sync::Mutex<()>,
    in_force: RwLock<Arc<InForce>>,
}

/// What is in force at one moment. It never changes; a change makes another one.
pub(crate) struct InForce {
    domain: Policy,
    datasets: BTreeMap<String, Policy>,
    /// By dataset; the domain's own under the empty name.
    records: BTreeMap<String, PolicyRecord>,
    /// When the next approved change takes effect.
    due: Option<DateTime<Utc>>,
}

/// Whose policy: the domain's own, or a dataset's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Domain,
    Dataset(String),
}

impl Scope {
    /// The scope that a request names: empty for the domain's own, or a dataset that is registered.
    pub(crate) async fn of(domain: &Domain, dataset: &str) -> Result<Self, Fault> {
        if dataset.is_empty() {
            return Ok(Self::Domain);
        }
        match domain.registry.dataset(dataset).await? {
            Some(record) => Ok(Self::Dataset(record.name)),
            None => Err(dataset_unknown(dataset)),
        }
    }

    fn from_record(dataset: &str) -> Self {
        match dataset {
            "" => Self::Domain,
            name => Self::Dataset(name.to_owned()),
        }
    }

    /// As the registry and the log name it.
    fn name(&self) -> &str {
        match self {
            Self::Domain => "",
            Self::Dataset(name) => name,
        }
    }

    /// Reads a policy for this scope: a dataset's asks for nothing where it leaves a key out.
    fn parse(&self, text: &str, source: &str) -> Result<Policy, Fault> {
        let source: String = source
            .chars()
            .filter(|letter| !letter.is_control())
            .take(SOURCE_CHARS_MAX)
            .collect();
        Ok(match self {
            Self::Domain => Policy::from_toml(text, &source)?,
            Self::Dataset(_) => Policy::layer_from_toml(text, &source)?,
        })
    }
}

impl InForce {
    async fn load(registry: &Registry) -> Result<Self, Fault> {
        let mut domain = Policy::built_in_default();
        let (mut datasets, mut records) = (BTreeMap::new(), BTreeMap::new());
        for record in registry.policies_in_force().await? {
            let scope = Scope::from_record(&record.dataset);
            let policy = scope.parse(&record.text, "the policy in force")?;
            match scope {
                Scope::Domain => domain = policy,
                Scope::Dataset(name) => drop(datasets.insert(name, policy)),
            }
            records.insert(record.dataset.clone(), record);
        }
        let open = registry.policy_changes(true, CHANGES_MAX).await?;
        let due = open.iter().filter_map(effective_at).min();
        Ok(Self {
            domain,
            datasets,
            records,
            due,
        })
    }

    /// The policy of a scope; one that asks for nothing where a dataset has none.
    pub(crate) fn policy(&self, scope: &Scope) -> Policy {
        match scope {
            Scope::Domain => self.domain.clone(),
            Scope::Dataset(name) => self
                .datasets
                .get(name)
                .cloned()
                .unwrap_or_else(Policy::silent),
        }
    }

    /// The layers under which a run over these datasets is judged.
    pub(crate) fn layers(&self, datasets: &[String]) -> Layers {
        self.layers_with(&Scope::Domain, self.domain.clone(), datasets)
    }

    /// The same, with another policy in one scope.
    fn layers_with(&self, scope: &Scope, policy: Policy, datasets: &[String]) -> Layers {
        let base = match scope {
            Scope::Domain => policy.clone(),
            Scope::Dataset(_) => self.domain.clone(),
        };
        let mut names: Vec<&String> = datasets.iter().collect();
        names.sort();
        names.dedup();
        names.into_iter().fold(Layers::new(base), |layers, name| {
            let own = match scope {
                Scope::Dataset(dataset) if dataset == name => Some(&policy),
                _ => self.datasets.get(name),
            };
            match own {
                Some(own) => layers.with(Layer::Dataset(name.clone()), own.clone()),
                None => layers,
            }
        })
    }

    /// The records behind those layers: the domain's first.
    pub(crate) fn records(&self, datasets: &[String]) -> Vec<PolicyRecord> {
        self.records
            .values()
            .filter(|record| record.dataset.is_empty() || datasets.contains(&record.dataset))
            .cloned()
            .collect()
    }
}

impl Policies {
    /// What is in force now, but for changes whose time has come: [`settled`] sees to those.
    fn now(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn reload(&self, registry: &Registry) -> Result<(), Fault> {
        let loaded = Arc::new(InForce::load(registry).await?);
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

/// The layers that a run over these datasets is judged by before its grant adds its own, changes whose time has come
/// included. The one way for a run to get a policy.
pub(crate) async fn layers_in_force(domain: &Domain, datasets: &[String]) -> Result<Layers, Fault> {
    Ok(settled(domain).await?.layers(datasets))
}

/// The same, folded.
pub(crate) async fn policy_in_force(domain: &Domain, datasets: &[String]) -> Result<Policy, Fault> {
    Ok(layers_in_force(domain, datasets).await?.policy().clone())
}

/// What is in force, after every change whose time has come was put in force.
pub(crate) async fn settled(domain: &Domain) -> Result<Arc<InForce>, Fault> {
    let is_due = |in_force: &InForce| in_force.due.is_some_and(|due| due <= domain.clock.now());
    let in_force = domain.policies.now();
    if !is_due(&in_force) {
        return Ok(in_force);
    }
    let _one = domain.policies.changing.lock().await;
    change::settle(domain).await?;
    Ok(domain.policies.now())
}

/// When an approved change takes effect.
fn effective_at(change: &PolicyChangeRecord) -> Option<DateTime<Utc>> {
    let at = change.effective_at.as_deref()?;
    let waits = change.state == ChangeState::Approved;
    DateTime::parse_from_rfc3339(at)
        .ok()
        .filter(|_| waits)
        .map(DateTime::<Utc>::from)
}

/// What an open change moves against the policy that it takes the place of.
pub(crate) async fn moved(
    domain: &Domain,
    change: &PolicyChangeRecord,
) -> Result<Comparison, Fault> {
    let scope = Scope::from_record(&change.dataset);
    let proposed = scope.parse(&change.text, "the proposed policy")?;
    Ok(proposed.compare(&settled(domain).await?.policy(&scope)))
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
