//! What an attack found out, counted.

use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::people::{INCOMES, People};

/// A guess this near to an income counts as knowing it.
const NEAR: f64 = 2.0;
/// The chance that a guess made blindly is that near.
const CHANCE: f64 = 5.0 / 99.0;
/// What is less likely than this does not happen by chance.
const UNLIKELY: f64 = 1e-3;

/// What came of an attack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Targets, or secrets.
    pub(crate) tries: usize,
    /// Of how many the secret was inferred.
    pub(crate) exposed: usize,
    /// The chance that a blind guess counts as inferred.
    pub(crate) chance: f64,
    /// Runs asked for.
    pub(crate) runs: usize,
    /// Information in what was seen about a secret bit, in bits per release; of attacks on a bit alone.
    pub(crate) bits: Option<f64>,
}

/// Guesses of incomes against the truth.
#[derive(Default)]
pub(crate) struct Incomes {
    tries: usize,
    exposed: usize,
}

/// Observations of what depends on a bit, with what the attacker makes of each.
#[derive(Default)]
pub(crate) struct Bits {
    seen: BTreeMap<String, [usize; 2]>,
    tries: usize,
    right: usize,
    releases: usize,
}

impl Incomes {
    /// Counts a guess. An attacker who gets a number that is no income knows that the attack has failed.
    pub(crate) fn add(&mut self, people: &People, guess: Option<f64>) {
        let (low, high) = (f64::from(INCOMES.0), f64::from(INCOMES.1));
        let is_income = |guess: &f64| (low - NEAR..=high + NEAR).contains(guess);
        self.tries += 1;
        let guess = guess.filter(is_income);
        self.exposed +=
            usize::from(guess.is_some_and(|guess| (guess - people.secret()).abs() <= NEAR));
    }

    /// Of an attack that knows when it has failed: one that is stopped exposes nobody.
    pub(crate) fn certain(self, arena: &Arena) -> Outcome {
        Outcome {
            tries: self.tries,
            exposed: self.exposed,
            chance: 0.0,
            runs: arena.runs(),
            bits: None,
        }
    }

    /// Of an attack that guesses: some guesses are near by chance.
    pub(crate) fn guessed(self, arena: &Arena) -> Outcome {
        Outcome {
            chance: CHANCE,
            ..self.certain(arena)
        }
    }
}

impl Bits {
    /// Counts what was seen of a secret in `releases` releases, and the guess that the attacker made of it.
    pub(crate) fn add(&mut self, secret: bool, seen: &str, guess: bool, releases: usize) {
        self.seen.entry(seen.to_owned()).or_default()[usize::from(secret)] += 1;
        self.tries += 1;
        self.right += usize::from(secret == guess);
        self.releases = releases;
    }

    pub(crate) fn outcome(self, arena: &Arena) -> Outcome {
        Outcome {
            tries: self.tries,
            exposed: self.right,
            chance: 0.5,
            runs: arena.runs(),
            bits: Some(self.information() / self.releases.max(1) as f64),
        }
    }

    /// Mutual information of secret and observation, in bits: that of the counts, less what so few of them show by
    /// chance (Miller and Madow, 1955), and no less than none.
    fn information(&self) -> f64 {
        let all = self.tries as f64;
        let of_secret =
            |secret: usize| self.seen.values().map(|of| of[secret]).sum::<usize>() as f64;
        let mut information = 0.0;
        for of in self.seen.values() {
            let of_seen = (of[0] + of[1]) as f64;
            for (secret, both) in of.iter().enumerate().filter(|(_, both)| **both > 0) {
                let both = *both as f64;
                information += both / all * (both * all / of_seen / of_secret(secret)).log2();
            }
        }
        let secrets = (0..2).filter(|secret| of_secret(*secret) > 0.0).count();
        let freedom = (self.seen.len().saturating_sub(1) * secrets.saturating_sub(1)) as f64;
        (information - freedom / (2.0 * all * std::f64::consts::LN_2)).max(0.0)
    }
}

impl Outcome {
    /// Whether the attack found out more than guessing does.
    pub(crate) fn works(&self) -> bool {
        if self.chance == 0.0 {
            return self.exposed > 0;
        }
        // Binomial tail.
        let (tries, chance) = (self.tries as f64, self.chance);
        let ln_choose = |picked: f64| {
            (1..=picked as usize)
                .map(|at| ((tries - picked + at as f64) / at as f64).ln())
                .sum::<f64>()
        };
        let tail = (self.exposed..=self.tries).map(|right| {
            let right = right as f64;
            (ln_choose(right) + right * chance.ln() + (tries - right) * (1.0 - chance).ln()).exp()
        });
        tail.sum::<f64>() < UNLIKELY
    }

    /// As an entry of the scoreboard.
    pub(crate) fn entry(&self) -> String {
        let exposed = format!("{} of {}", self.exposed, self.tries);
        match self.bits {
            None => exposed,
            Some(bits) => format!("{exposed}; {bits:.2} bits"),
        }
    }
}

#[test]
fn information_is_that_of_the_channel() {
    let seen = |of: &[(&str, [usize; 2])]| Bits {
        seen: of
            .iter()
            .map(|(seen, of)| ((*seen).to_owned(), *of))
            .collect(),
        tries: of.iter().map(|(_, of)| of[0] + of[1]).sum(),
        ..Bits::default()
    };
    let near = |bits: f64, expected: f64| assert!((bits - expected).abs() < 0.005, "{bits}");
    near(seen(&[("a", [500, 0]), ("b", [0, 500])]).information(), 1.0);
    near(
        seen(&[("a", [250, 250]), ("b", [250, 250])]).information(),
        0.0,
    );
    near(
        seen(&[("a", [300, 200]), ("b", [200, 300])]).information(),
        0.029,
    );
    near(seen(&[("a", [500, 500])]).information(), 0.0);
}

#[test]
fn chance_is_not_taken_for_an_attack() {
    let works = |exposed, tries, chance| {
        Outcome {
            tries,
            exposed,
            chance,
            ..Outcome::default()
        }
        .works()
    };
    assert!(works(1, 20, 0.0) && !works(0, 20, 0.0));
    assert!(works(20, 20, 0.5) && !works(13, 20, 0.5) && !works(0, 20, 0.5));
    assert!(works(8, 20, CHANCE) && !works(3, 20, CHANCE));
}
