//! The ledger: asked, asked again, recorded in.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ask::{Against, Judgement, judge, prepared};
use crate::history::Population;
use crate::index::Work;
use crate::limits::{COMPARISONS_MAX, VISITS_MAX};
use crate::near::{InMemory, NewSet};
use crate::question::{Question, Release, Verdict, check_answers};
use crate::sketch::Mixer;
use crate::{LedgerError, Result};

/// Whoever knows what was released: the ledger, as those see it who judge cells.
pub trait History {
    /// The verdicts on the cells of a release.
    ///
    /// # Errors
    /// Refusals of the whole question, and whatever keeps the history from being read.
    fn ask(&mut self, question: Question) -> Result<Asked>;

    /// The verdicts without the cells withheld since, because fewer cells make another union.
    ///
    /// # Errors
    /// As [`History::ask`].
    fn again(&mut self, asked: Asked) -> Result<Asked>;

    /// Records a release. Durable when this answers `Ok`; only then may the decision be logged, and only then the result
    /// exist. An error leaves the release unmade, even where its record turns out to have landed: that makes later
    /// answers stricter, and nothing else.
    ///
    /// # Errors
    /// [`LedgerError::Moved`] where something was recorded since the question; [`LedgerError::Answers`]; whatever kept
    /// the record from being durable.
    fn record(&mut self, asked: Asked, release: Release) -> Result<()>;
}

/// A question with the ledger's verdicts.
#[must_use = "a release is made by recording it"]
pub struct Asked {
    pub(crate) question: Question,
    pub(crate) cells: Vec<NewSet>,
    pub(crate) withheld: Vec<bool>,
    pub(crate) judgement: Judgement,
    /// How many releases were recorded when this was asked.
    pub(crate) at: u64,
    changed: bool,
}

impl Asked {
    /// The question.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Per cell and statistic what may become of it.
    pub fn verdicts(&self) -> &[Vec<Verdict>] {
        &self.judgement.verdicts
    }

    /// Withholds a cell that the ledger would let go. [`History::again`] has to follow.
    pub fn withhold(&mut self, cell: usize) {
        if let Some(withheld) = self.withheld.get_mut(cell) {
            self.changed |= !*withheld;
            *withheld = true;
        }
    }

    /// Whether people have to decide on a cell.
    pub fn has_review(&self) -> bool {
        self.verdicts()
            .iter()
            .flatten()
            .any(|of| *of == Verdict::Review)
    }
}

/// Everything that was ever released, by population.
pub struct Ledger {
    mixer: Mixer,
    populations: HashMap<String, Known>,
    releases: u64,
    visits_max: u64,
    comparisons_max: u64,
}

struct Known {
    population: Population,
    sets: InMemory,
}

impl Ledger {
    /// A ledger that keeps nothing on a disk and ends with the process: for tests, and where nothing is real.
    pub fn in_memory(key: [u8; 16]) -> Ledger {
        Ledger {
            mixer: Mixer::new(key),
            populations: HashMap::new(),
            releases: 0,
            visits_max: VISITS_MAX,
            comparisons_max: COMPARISONS_MAX,
        }
    }

    /// Bounds the work of one question more tightly than [`VISITS_MAX`] and [`COMPARISONS_MAX`].
    pub fn bound(&mut self, visits_max: u64, comparisons_max: u64) {
        self.visits_max = visits_max.min(VISITS_MAX);
        self.comparisons_max = comparisons_max.min(COMPARISONS_MAX);
    }

    /// How many releases are recorded.
    pub fn releases(&self) -> u64 {
        self.releases
    }

    fn judge(
        &mut self,
        question: Question,
        cells: Option<Vec<NewSet>>,
        withheld: Vec<bool>,
    ) -> Result<Asked> {
        let known = self.populations.entry(question.population.clone());
        let known = known.or_insert_with(Known::new);
        let k = question.k();
        known.population.index.prepare(k);
        if let Some(units) = question.population_units {
            known.population.count(units, self.mixer);
        }
        let whole = question.population_units.and(known.population.whole());
        let cells = cells.unwrap_or_else(|| prepared(&question, whole, self.mixer));
        let against = Against {
            population: &known.population,
            sets: &known.sets,
            whole,
            mixer: self.mixer,
            k,
        };
        let mut work = Work {
            visits: self.visits_max,
            comparisons: self.comparisons_max,
        };
        let judgement = judge(&question, &cells, &withheld, &against, &mut work)?;
        Ok(Asked {
            question,
            cells,
            withheld,
            judgement,
            at: self.releases,
            changed: false,
        })
    }
}

impl History for Ledger {
    fn ask(&mut self, question: Question) -> Result<Asked> {
        question.check()?;
        let withheld = vec![false; question.cells.len()];
        self.judge(question, None, withheld)
    }

    fn again(&mut self, asked: Asked) -> Result<Asked> {
        self.judge(asked.question, Some(asked.cells), asked.withheld)
    }

    fn record(&mut self, asked: Asked, release: Release) -> Result<()> {
        if asked.changed {
            return Err(LedgerError::Answers {
                problem: "cells were withheld, and the ledger not asked again",
            });
        }
        if asked.at != self.releases {
            return Err(LedgerError::Moved);
        }
        check_answers(asked.verdicts(), &release.answers)?;
        let known = self.populations.entry(asked.question.population.clone());
        known.or_insert_with(Known::new).keep(&asked, &release);
        self.releases += 1;
        Ok(())
    }
}

impl Known {
    fn new() -> Known {
        Known {
            population: Population::new(),
            sets: InMemory::default(),
        }
    }

    fn keep(&mut self, asked: &Asked, release: &Release) {
        let question = &asked.question;
        for ((cell, set), answers) in question
            .cells
            .iter()
            .zip(&asked.cells)
            .zip(&release.answers)
        {
            if answers.iter().all(Option::is_none) {
                continue;
            }
            let place = self.place(set);
            for (statistic, answer) in cell.statistics.iter().zip(answers) {
                if let Some(answer) = answer {
                    let (snapshots, policy) = (&question.snapshots, &question.policy);
                    let answer = Arc::from(answer.as_slice());
                    self.population
                        .give(place, statistic, snapshots, policy, answer);
                }
            }
        }
        for union in &asked.judgement.unions {
            self.place(union);
        }
    }

    /// The place of a set, new where it is not known.
    fn place(&mut self, set: &NewSet) -> u32 {
        let equal = self.population.index.equal(&set.sketch);
        let equal = equal
            .into_iter()
            .find(|place| *self.sets.0[*place as usize] == *set.units);
        equal.unwrap_or_else(|| {
            self.population.index.add(set.sketch.clone());
            self.sets.0.push(Arc::clone(&set.units));
            (self.sets.0.len() - 1) as u32
        })
    }
}
