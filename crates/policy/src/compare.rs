//! What one policy changes against another, key by key, with its effect in words.

use std::fmt;

use crate::effect::effect;
use crate::key::Key;
use crate::policy::Policy;

/// Which way a limit moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It withholds more.
    Tighter,
    /// It releases more.
    Looser,
    /// It stays.
    Same,
}

impl Direction {
    /// The direction as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::Tighter => "tighter",
            Direction::Looser => "looser",
            Direction::Same => "same",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to one key.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KeyChange {
    /// The key in full, such as `cell.units_min`.
    pub key: String,
    /// The value before; nothing where the limit was not set.
    pub before: Option<String>,
    /// The value after; nothing where the limit is not set any more.
    pub after: Option<String>,
    /// Which way it moves.
    pub direction: Direction,
    /// What that does, in words; empty where nothing changes.
    pub effect: String,
}

/// One policy held against another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    changes: Vec<KeyChange>,
}

impl Comparison {
    /// Every key, in the order of the canonical form, those that stay among them.
    pub fn keys(&self) -> &[KeyChange] {
        &self.changes
    }

    /// The keys that move.
    pub fn moved(&self) -> impl Iterator<Item = &KeyChange> {
        self.changes
            .iter()
            .filter(|change| change.direction != Direction::Same)
    }

    /// Whether any key releases more than before. If not, the new policy is no laxer than the old one.
    pub fn loosens(&self) -> bool {
        self.any(Direction::Looser)
    }

    /// Whether any key withholds more than before.
    pub fn tightens(&self) -> bool {
        self.any(Direction::Tighter)
    }

    fn any(&self, direction: Direction) -> bool {
        self.changes
            .iter()
            .any(|change| change.direction == direction)
    }
}

impl Policy {
    /// What it would change to have this policy in force instead of `before`.
    pub fn compare(&self, before: &Policy) -> Comparison {
        let changes = Key::ALL
            .into_iter()
            .map(|key| change(key, before.get(key), self.get(key)))
            .collect();
        Comparison { changes }
    }
}

fn change(key: Key, before: u64, after: u64) -> KeyChange {
    let direction = match key.stricter(before, after) {
        _ if before == after => Direction::Same,
        stricter if stricter == after => Direction::Tighter,
        _ => Direction::Looser,
    };
    KeyChange {
        key: key.path(),
        before: key.write(before),
        after: key.write(after),
        direction,
        effect: effect(key, before, after, direction),
    }
}
