//! The layers of a release's policy, folded: the domain's, its datasets', its grant's. Each only tightens the ones
//! before it, and each limit remembers which layer it is from.

use std::fmt;

use crate::key::Key;
use crate::limits::{Limit, limit};
use crate::policy::Policy;

/// Whose policy a layer is. The compiled-in floors lie below all of them: no [`Policy`] exists without them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Layer {
    /// The domain's.
    Domain,
    /// That of the dataset of this name.
    Dataset(String),
    /// That of the grant of this name.
    Grant(String),
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Domain => f.write_str("domain"),
            Layer::Dataset(name) => write!(f, "dataset {name}"),
            Layer::Grant(name) => write!(f, "grant {name}"),
        }
    }
}

/// A domain's policy with the layers that tighten it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layers {
    domain: Policy,
    /// In the order in which they were laid.
    above: Vec<(Layer, Policy)>,
    folded: Policy,
}

impl Layers {
    /// The domain's policy alone.
    pub fn new(domain: Policy) -> Layers {
        Layers {
            folded: domain.clone(),
            domain,
            above: Vec::new(),
        }
    }

    /// Another layer on top. Whatever it says, the result is no laxer than before.
    #[must_use]
    pub fn with(mut self, layer: Layer, policy: Policy) -> Layers {
        self.folded = self.folded.tighten(&policy);
        self.above.push((layer, policy));
        self
    }

    /// The policy that a release under all of these layers is judged by.
    pub fn policy(&self) -> &Policy {
        &self.folded
    }

    /// Every limit in force with the layer that set it, in the order of the canonical form.
    pub fn in_force(&self) -> Vec<InForce> {
        Key::ALL
            .into_iter()
            .map(|key| InForce {
                limit: limit(key, self.folded.get(key)),
                layer: self.set_by(key),
            })
            .collect()
    }

    /// The first layer that asked for the value in force: a later one that asks for the same changes nothing.
    fn set_by(&self, key: Key) -> Layer {
        let value = self.folded.get(key);
        if self.domain.get(key) == value {
            return Layer::Domain;
        }
        self.above
            .iter()
            .find(|(_, policy)| policy.get(key) == value)
            .map_or(Layer::Domain, |(layer, _)| layer.clone())
    }
}

/// One limit in force.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InForce {
    /// The limit, with its floor and meaning.
    pub limit: Limit,
    /// The layer that asked for it first.
    pub layer: Layer,
}
