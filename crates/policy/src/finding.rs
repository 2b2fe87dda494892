//! What a valid policy file says that its author may not have meant: limits that can never bite, and limits that work
//! against one another.

mod rules;

use std::fmt;

use crate::error::{Place, PolicyError};
use crate::key::Key;
use crate::parse::{Parsed, Written, parse};
use crate::policy::Policy;

/// How much a finding should trouble the author.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Weight {
    /// Harmless, and good to know.
    Note,
    /// Probably not what was meant.
    Warning,
}

impl Weight {
    /// The weight as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Weight::Note => "note",
            Weight::Warning => "warning",
        }
    }
}

/// Something in a policy file that its author should look at. The file is valid all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// Where the key's value is.
    pub place: Place,
    /// The key in full, such as `cell.rows_min`.
    pub key: String,
    /// How much it matters.
    pub weight: Weight,
    /// What is the matter, and what to write instead.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            place,
            key,
            weight,
            message,
        } = self;
        write!(f, "{place}: {}: `{key}` {message}", weight.as_str())
    }
}

/// A policy file that was read, with where it says what.
#[derive(Clone, Debug)]
pub struct Checked {
    policy: Policy,
    written: Written,
}

impl Checked {
    /// Reads a domain's policy, as [`Policy::from_toml`].
    ///
    /// # Errors
    /// Those of [`Policy::from_toml`].
    pub fn domain(text: &str, source_name: &str) -> Result<Checked, PolicyError> {
        Ok(Checked::of(parse(
            text,
            source_name,
            Policy::default_values(),
        )?))
    }

    /// Reads the policy of a dataset or a grant, as [`Policy::layer_from_toml`].
    ///
    /// # Errors
    /// Those of [`Policy::from_toml`].
    pub fn layer(text: &str, source_name: &str) -> Result<Checked, PolicyError> {
        Ok(Checked::of(parse(
            text,
            source_name,
            Policy::laxest_values(),
        )?))
    }

    fn of(Parsed { policy, written }: Parsed) -> Checked {
        Checked { policy, written }
    }

    /// The policy itself.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the author should look at, in the order of the file. Only keys that the file names are found fault with.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = rules::all(&self.policy)
            .into_iter()
            .filter_map(|found| self.at_its_place(found))
            .collect();
        findings.sort_by_key(|finding| (finding.place.line(), finding.place.column()));
        findings
    }

    /// Limits of this layer that say nothing, because the layers below it, folded into `below`, are stricter already.
    pub fn findings_over(&self, below: &Policy) -> Vec<Finding> {
        self.written
            .iter()
            .filter_map(|(key, place)| {
                let (own, theirs) = (self.policy.get(*key), below.get(*key));
                let without_effect = own != theirs && key.stricter(own, theirs) == theirs;
                without_effect.then(|| Finding {
                    place: place.clone(),
                    key: key.path(),
                    weight: Weight::Warning,
                    message: format!(
                        "has no effect: the domain asks for {}, and a layer can only tighten. Write a stricter value, or \
                         leave the key out",
                        key.write(theirs).unwrap_or_default()
                    ),
                })
            })
            .collect()
    }

    fn at_its_place(&self, found: Found) -> Option<Finding> {
        Some(Finding {
            place: self.written.get(&found.key)?.clone(),
            key: found.key.path(),
            weight: found.weight,
            message: found.message,
        })
    }
}

/// A finding before it is known whether the file names the key.
struct Found {
    key: Key,
    weight: Weight,
    message: String,
}
