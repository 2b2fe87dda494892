//! The ledger: asked, asked again, recorded in.

use std::collections::HashMap;
use std::path::Path;

use crate::ask::{Against, Judgement, Table, judge, prepared};
use crate::index::Work;
use crate::known::{At, Exact, Known, known, load};
use crate::limits::{
    COMBINED_TABLE_MAX, COMPARISONS_MAX, SUMMED_PLAIN_MAX, SUMMED_TABLE_MAX, VISITS_MAX,
};
use crate::margin;
use crate::near::NewSet;
use crate::question::{Cell, Digest, Question, Release, Verdict, check_answers};
use crate::repeat;
use crate::sketch::Mixer;
use crate::store::{Depth, Disk, LedgerKey, OsDisk, Store};
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
    fn record(&mut self, asked: Asked, release: Release) -> Result<()> {
        self.record_all(vec![(asked, release)])
    }

    /// Records a release on several populations.
    ///
    /// # Errors
    /// As [`History::record`]; what of it has landed then makes later answers stricter, and nothing else.
    fn record_all(&mut self, releases: Vec<(Asked, Release)>) -> Result<()>;
}

/// A question with the ledger's verdicts.
#[must_use = "a release is made by recording it"]
pub struct Asked {
    pub(crate) question: Question,
    pub(crate) cells: Vec<NewSet>,
    pub(crate) withheld: Vec<bool>,
    pub(crate) judgement: Judgement,
    /// Stands for the question.
    pub(crate) digest: Digest,
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

/// Up to where a ledger goes. It is no secret, and belongs in the log: [`Ledger::check_state`] finds a ledger that was
/// set back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// How many releases are recorded.
    pub releases: u64,
    /// A digest over all of them, each with the one before.
    pub chain: Digest,
}

/// Everything that was ever released, by population.
pub struct Ledger {
    mixer: Mixer,
    populations: HashMap<String, Known>,
    releases: u64,
    store: Option<Store>,
    /// Whether a record failed, so that only the disk knows what is recorded.
    unsure: bool,
    visits_max: u64,
    comparisons_max: u64,
    combines: bool,
    has_margins: bool,
    /// Whether this is an earlier state: it is asked, and nothing is recorded in it.
    is_earlier: bool,
}

/// Which earlier state of a ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Earlier {
    /// What the release that led to a state was judged beside.
    Before,
    /// The state itself.
    At,
}

impl Ledger {
    /// A ledger that keeps nothing on a disk and ends with the process: for tests, and where nothing is real.
    pub fn in_memory(key: [u8; 16]) -> Ledger {
        Ledger {
            mixer: Mixer::new(key),
            populations: HashMap::new(),
            releases: 0,
            store: None,
            unsure: false,
            visits_max: VISITS_MAX,
            comparisons_max: COMPARISONS_MAX,
            combines: true,
            has_margins: true,
            is_earlier: false,
        }
    }

    /// Makes an empty ledger in a folder, whose parent is there. One that was made halfway is made anew.
    ///
    /// # Errors
    /// [`LedgerError::Exists`]; whatever the disk says.
    pub fn create(folder: &Path, key: &LedgerKey) -> Result<()> {
        Store::create(folder, key, &OsDisk)
    }

    /// Opens a ledger, for one process at a time. Takes time with the number of cells, not with their sizes.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] where there is none: a domain that has released anything must not go on without.
    /// [`LedgerError::Damaged`], [`LedgerError::Locked`], [`LedgerError::Format`]; whatever the disk says.
    pub fn open(folder: &Path, key: LedgerKey) -> Result<Ledger> {
        Ledger::open_on(folder, key, Box::new(OsDisk))
    }

    /// The same on another disk: for tests.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    #[doc(hidden)]
    pub fn open_on(folder: &Path, key: LedgerKey, disk: Box<dyn Disk>) -> Result<Ledger> {
        let mut index_key = [0; 16];
        index_key.copy_from_slice(&key.derive("index", &[])?[..16]);
        let mut ledger = Ledger::in_memory(index_key);
        let (populations, mixer) = (&mut ledger.populations, ledger.mixer);
        let store = Store::open(folder, key, disk, &mut |entry, places, store| {
            load(populations, entry, places, (store, mixer))
        })?;
        ledger.releases = store.state().0;
        ledger.store = Some(store);
        Ok(ledger)
    }

    /// Bounds the work of one question more tightly than [`VISITS_MAX`] and [`COMPARISONS_MAX`].
    pub fn bound(&mut self, visits_max: u64, comparisons_max: u64) {
        self.visits_max = visits_max.min(VISITS_MAX);
        self.comparisons_max = comparisons_max.min(COMPARISONS_MAX);
    }

    /// Leaves out what combinations of several sets give away: for tests that compare with an implementation which knows of
    /// pairs and partitions alone.
    #[doc(hidden)]
    pub fn without_combinations(mut self) -> Ledger {
        self.combines = false;
        self
    }

    /// Leaves out the margins of pairs: for tests that say to the unit what is near.
    #[doc(hidden)]
    pub fn without_margins(mut self) -> Ledger {
        self.has_margins = false;
        self
    }

    /// How many releases are recorded.
    pub fn releases(&self) -> u64 {
        self.releases
    }

    /// How many sets are known, of all populations.
    pub fn sets(&self) -> u64 {
        let of_each = self.populations.values();
        of_each.map(|known| known.sets.places.len() as u64).sum()
    }

    /// The bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.store.as_ref().map_or(0, Store::bytes)
    }

    /// Up to where the ledger goes.
    pub fn state(&self) -> State {
        let state = self.store.as_ref().map(Store::state);
        let (releases, chain) = state.unwrap_or((self.releases, [0; 32]));
        State { releases, chain }
    }

    /// Whether the ledger has everything that it had in an earlier state, which the caller has from the log.
    ///
    /// # Errors
    /// [`LedgerError::SetBack`] where it has not.
    pub fn check_state(&self, earlier: &State) -> Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        if store.chain_at(earlier.releases) == Some(earlier.chain) {
            return Ok(());
        }
        Err(LedgerError::SetBack)
    }

    /// Reads every byte of the disk again.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`]; whatever the disk says.
    pub fn check(&self) -> Result<()> {
        let check =
            |store: &Store| store.earlier(self.releases, Depth::Sets, &mut |_, _, _| Ok(()));
        self.store
            .as_ref()
            .map_or(Ok(()), |store| check(store).map(drop))
    }

    /// The ledger as it was at an earlier state, or right before the release that led to it, to be asked and not recorded in.
    /// Reads all that was recorded until then.
    ///
    /// # Errors
    /// [`LedgerError::SetBack`] where it never was in that state; whatever the disk says.
    pub fn earlier(&self, state: &State, which: Earlier) -> Result<Ledger> {
        self.check_state(state)?;
        let mut entries = Vec::new();
        let store = match &self.store {
            Some(store) => {
                store.earlier(state.releases, Depth::Entries, &mut |entry, places, _| {
                    entries.push((entry, places));
                    Ok(())
                })?
            }
            None => return Err(LedgerError::SetBack),
        };
        // A release has one entry for each population that it asked about, and nothing came between them: of what it asked
        // about, its own are the last.
        let mut last = HashMap::new();
        for (at, (entry, _)) in entries.iter().enumerate() {
            last.insert(entry.population.clone(), at);
        }
        let mut populations = HashMap::new();
        for (at, (entry, places)) in entries.into_iter().enumerate() {
            if which == Earlier::At || last.get(&entry.population) != Some(&at) {
                load(&mut populations, entry, places, (&store, self.mixer))?;
            }
        }
        Ok(Ledger {
            mixer: self.mixer,
            populations,
            releases: state.releases,
            store: Some(store),
            unsure: false,
            visits_max: self.visits_max,
            comparisons_max: self.comparisons_max,
            combines: self.combines,
            has_margins: self.has_margins,
            is_earlier: true,
        })
    }

    /// Whether there is much work that later questions would wait for ([`Ledger::prepare`]).
    pub fn is_behind(&self) -> bool {
        self.populations
            .values()
            .any(|known| known.population.is_behind())
    }

    /// Does a part of the work that later questions would otherwise wait for: for when nobody asks. Whether there was something
    /// to do. It changes no answer.
    ///
    /// # Errors
    /// Whatever keeps the history from being read; the next question will say so, too.
    pub fn prepare(&mut self) -> Result<bool> {
        self.settle()?;
        if self.is_earlier || !self.combines {
            return Ok(false);
        }
        for known in self.populations.values_mut() {
            let sets = Exact {
                sets: &known.sets,
                store: self.store.as_ref(),
            };
            if known.population.prepare(self.mixer, &sets)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the disk again where a record failed.
    fn settle(&mut self) -> Result<()> {
        if !self.unsure {
            return Ok(());
        }
        if let Some(store) = &mut self.store {
            self.populations.clear();
            let (populations, mixer) = (&mut self.populations, self.mixer);
            store.reopen(&mut |entry, places, store| {
                load(populations, entry, places, (store, mixer))
            })?;
            self.releases = store.state().0;
        }
        self.unsure = false;
        Ok(())
    }

    fn judge(
        &mut self,
        question: Question,
        made: Option<(Vec<NewSet>, Digest)>,
        withheld: Vec<bool>,
    ) -> Result<Asked> {
        self.settle()?;
        let known = known(&mut self.populations, &question.population);
        let k = question.k();
        // Where nobody chose anything there are none.
        let is_chosen = |cell: &Cell| cell.is_chosen;
        let has_margins = self.has_margins
            && (!question.selection.is_plain
                || question.cells.iter().any(is_chosen)
                || known.population.is_chosen());
        known
            .population
            .index
            .prepare(k + if has_margins { margin::most(k) } else { 0 });
        if let Some(units) = question.population_units {
            known.population.count(units, self.mixer);
        }
        let whole = question.population_units.and(known.population.whole());
        let (cells, digest) = made.unwrap_or_else(|| {
            let width = known.population.rows().width();
            let cells = prepared(&question, whole, self.mixer, width);
            let digest = repeat::digest_of(&question, &cells);
            (cells, digest)
        });
        if let Some(shown) = known.population.shown(&digest) {
            let verdicts = repeat::verdicts(&question, &shown, &withheld);
            return Ok(Asked {
                question,
                cells,
                withheld,
                judgement: Judgement::without_more(verdicts),
                digest,
                at: self.releases,
                changed: false,
            });
        }
        let sets = Exact {
            sets: &known.sets,
            store: self.store.as_ref(),
        };
        let summed_max = match known.population.combined().1 < SUMMED_PLAIN_MAX {
            true => SUMMED_TABLE_MAX,
            false => COMBINED_TABLE_MAX,
        };
        let summed_max = self.combines.then_some(summed_max);
        let tables = Table::all(&question, &cells, &withheld, summed_max);
        let has_rows = |table: &Table| table.has_rows(&question);
        let with_rows =
            self.combines && (known.population.has_rows() || tables.iter().any(has_rows));
        if self.combines {
            let is_chosen = |cell: &&Cell| !question.selection.is_plain || cell.is_chosen;
            let chosen = question.cells.iter().filter(is_chosen).count();
            known
                .population
                .catch_up(chosen, with_rows, self.mixer, &sets)?;
        }
        let whole = question.population_units.and(known.population.whole());
        let against = Against {
            population: &known.population,
            sets: &sets,
            combines: self.combines,
            with_rows,
            has_margins,
            whole,
            mixer: self.mixer,
            k,
        };
        let mut work = Work {
            visits: self.visits_max,
            comparisons: self.comparisons_max,
        };
        let judgement = judge(&question, &cells, tables, &against, &mut work)?;
        Ok(Asked {
            question,
            cells,
            withheld,
            judgement,
            digest,
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
        let made = Some((asked.cells, asked.digest));
        self.judge(asked.question, made, asked.withheld)
    }

    fn record_all(&mut self, releases: Vec<(Asked, Release)>) -> Result<()> {
        for (asked, release) in &releases {
            if asked.changed {
                return Err(LedgerError::Answers {
                    problem: "cells were withheld, and the ledger not asked again",
                });
            }
            check_answers(asked.verdicts(), &release.answers)?;
        }
        if self.is_earlier {
            return Err(LedgerError::Moved);
        }
        self.settle()?;
        if releases.iter().any(|(asked, _)| asked.at != self.releases) {
            return Err(LedgerError::Moved);
        }
        let mut releases = releases.into_iter();
        releases.try_for_each(|(asked, release)| self.add(asked, release))
    }
}

impl Ledger {
    fn add(&mut self, mut asked: Asked, release: Release) -> Result<()> {
        let known = known(&mut self.populations, &asked.question.population);
        let new = known.entry(&asked, release, self.store.as_ref())?;
        let before = known.population.combined();
        if let Some(store) = &mut self.store {
            self.unsure = true;
            let places = store.add(&new)?;
            self.unsure = false;
            known.add(new.entry, places.into_iter().map(At::Disk).collect())?;
        } else {
            known.add(new.entry, new.sets.into_iter().map(At::Memory).collect())?;
        }
        if let Some((units, _, rows)) = asked.judgement.sums.take() {
            let summed = asked.judgement.summed.cells.len();
            let added = (new.added.as_slice(), summed);
            known.population.bring_up(before, added, (units, rows));
        }
        self.releases += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::ops::Range;

    use super::*;

    fn verdict(ledger: &mut Ledger, units: Range<u32>) -> Verdict {
        let asked = ledger.ask(Question::of_units(units)).unwrap();
        asked.verdicts()[0][0].clone()
    }

    /// As earlier builds wrote it, which do not say so.
    #[test]
    fn sketches_of_other_hashes_are_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let open = || Ledger::open(&path, LedgerKey::new([7; 32])).unwrap();
        Ledger::create(&path, &LedgerKey::new([7; 32])).unwrap();
        let mut ledger = open();
        let asked = ledger.ask(Question::of_units(0..500)).unwrap();
        let release = Release {
            id: "1".to_owned(),
            answers: vec![vec![Some(vec![5])]],
        };
        let known = known(&mut ledger.populations, "persons");
        let mut new = known.entry(&asked, release, None).unwrap();
        new.entry.has_sketches = false;
        for sketch in &mut new.entry.sketches {
            sketch.buckets.iter_mut().for_each(|bucket| *bucket ^= 1);
        }
        ledger.store.as_mut().unwrap().add(&new).unwrap();
        drop(ledger);
        let mut ledger = open();
        let mut earlier = ledger.earlier(&ledger.state(), Earlier::At).unwrap();
        for ledger in [&mut ledger, &mut earlier] {
            assert_eq!(verdict(ledger, 0..500), Verdict::Same([5].into()));
            assert_eq!(verdict(ledger, 3..500), Verdict::Near([5].into()));
            assert_eq!(verdict(ledger, 300..900), Verdict::Fresh);
        }
    }
}
