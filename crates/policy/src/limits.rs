//! A policy's limits one by one, as people read them: the value beside its floor, its meaning and its source.

use crate::key::Key;
use crate::policy::Policy;

/// One limit of a policy, as text. Values are written as a policy file would have them.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limit {
    /// The key in full, such as `cell.units_min`.
    pub key: String,
    /// The value; nothing where the limit is not set.
    pub value: Option<String>,
    /// The laxest value that any policy may have, compiled in; nothing where a policy may leave the limit out.
    pub floor: Option<String>,
    /// The value of a policy that does not name the key; nothing where it is not set then.
    pub default: Option<String>,
    /// Whether the larger of two values is the stricter one.
    pub larger_is_stricter: bool,
    /// What the key asks for.
    pub meaning: &'static str,
    /// Where the default comes from.
    pub source: &'static str,
}

impl Policy {
    /// Every limit, in the order of the canonical form, the ones that are not set among them.
    pub fn limits(&self) -> Vec<Limit> {
        Key::ALL
            .into_iter()
            .map(|key| limit(key, self.get(key)))
            .collect()
    }
}

pub(crate) fn limit(key: Key, value: u64) -> Limit {
    let spec = key.spec();
    Limit {
        key: key.path(),
        value: key.write(value),
        floor: key.write(key.laxest()),
        default: key.write(spec.default),
        larger_is_stricter: spec.larger_is_stricter,
        meaning: spec.meaning,
        source: spec.source,
    }
}
