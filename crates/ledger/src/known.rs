//! The sets of a population: their index, and where they are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::ask::Added;
use crate::closure::Partition;
use crate::entry::{self, Answered, Entry, NewEntry, Partitioned, Summed};
use crate::history::{self, Population, Several};
use crate::ledger::Asked;
use crate::limits::COMBINED_TABLE_MAX;
use crate::near::{NewSet, Sets};
use crate::partition::{FINE, Labels};
use crate::question::{Release, Verdict};
use crate::repeat::{self, Shown};
use crate::sketch::{BUCKETS, Mixer};
use crate::store::{Place, Store};
use crate::{LedgerError, Result};

/// What is known of a population.
pub(crate) struct Known {
    pub(crate) population: Population,
    pub(crate) sets: Places,
}

/// Where the sets of an index are.
#[derive(Default)]
pub(crate) struct Places {
    pub(crate) places: Vec<At>,
    /// Likewise of those beside the index.
    pub(crate) beside: Vec<At>,
}

/// Where a set is.
pub(crate) enum At {
    Memory(Arc<RoaringBitmap>),
    Disk(Place),
}

/// Reads exact sets.
pub(crate) struct Exact<'a> {
    pub(crate) sets: &'a Places,
    pub(crate) store: Option<&'a Store>,
}

impl Exact<'_> {
    fn read(&self, at: Option<&At>) -> Result<Arc<RoaringBitmap>> {
        match (at, self.store) {
            (Some(At::Memory(units)), _) => Ok(Arc::clone(units)),
            (Some(At::Disk(place)), Some(store)) => store.set(place),
            _ => Err(LedgerError::Internal {
                action: "finding a set",
            }),
        }
    }
}

impl Sets for Exact<'_> {
    fn units(&self, set: u32) -> Result<Arc<RoaringBitmap>> {
        self.read(self.sets.places.get(set as usize))
    }

    fn beside(&self, set: u32) -> Result<Arc<RoaringBitmap>> {
        self.read(self.sets.beside.get(set as usize))
    }
}

/// What is known of a population, which may be nothing.
pub(crate) fn known<'a>(populations: &'a mut HashMap<String, Known>, name: &str) -> &'a mut Known {
    populations
        .entry(name.to_owned())
        .or_insert_with(Known::new)
}

/// Adds an entry that was read from the disk.
pub(crate) fn load(
    populations: &mut HashMap<String, Known>,
    mut entry: Entry,
    places: Vec<Place>,
    (store, mixer): (&Store, Mixer),
) -> Result<()> {
    if !entry.has_sketches {
        let sketches = places.iter().take(entry.sketches.len());
        let sketches = sketches.map(|place| Ok(mixer.sketch(&*store.set(place)?)));
        entry.sketches = sketches.collect::<Result<_>>()?;
    }
    let places = places.into_iter().map(At::Disk).collect();
    known(populations, &entry.population.clone()).add(entry, places)
}

impl Known {
    fn new() -> Known {
        let mut population = Population::new();
        // For looking up equal sets.
        population.index.prepare(1);
        Known {
            population,
            sets: Places::default(),
        }
    }

    /// What a release adds to what is known.
    pub(crate) fn entry(
        &self,
        asked: &Asked,
        release: Release,
        store: Option<&Store>,
    ) -> Result<NewEntry> {
        let question = &asked.question;
        let mut adding = Adding {
            known: self,
            exact: Exact {
                sets: &self.sets,
                store,
            },
            sets: Vec::new(),
            by_buckets: HashMap::new(),
        };
        let shown = self
            .population
            .shown(&asked.digest)
            .is_none()
            .then(|| Shown {
                question: asked.digest,
                answers: repeat::shown(asked.verdicts(), &release.answers),
            });
        let mut answered = Vec::new();
        let mut chosen = HashSet::new();
        let mut selected = Vec::new();
        let mut unions = Vec::new();
        let cells = question.cells.iter().zip(&asked.cells);
        for ((cell, set), answers) in cells.zip(release.answers) {
            if answers.iter().all(Option::is_none) {
                continue;
            }
            let place = adding.place(set)?;
            chosen.insert(place);
            if !cell.is_chosen {
                selected.push(place);
            }
            for (statistic, answer) in cell.statistics.iter().zip(answers) {
                answered.extend(answer.map(|answer| Answered {
                    set: place,
                    statistic: statistic.clone(),
                    answer: answer.into(),
                }));
            }
        }
        for union in &asked.judgement.unions {
            let place = adding.place(union)?;
            chosen.insert(place);
            unions.push(place);
        }
        let mut parts = HashSet::new();
        for (cell, set) in question.cells.iter().zip(&asked.cells) {
            let whole = cell.part_of.and_then(|whole| asked.verdicts().get(whole));
            if whole.is_some_and(|of| of.iter().any(Verdict::is_own)) {
                parts.insert(adding.place(set)?);
            }
        }
        let mut partitions = Vec::new();
        for (cells, labels) in &asked.judgement.partitions {
            let places: Result<Vec<u32>> = cells
                .iter()
                .map(|cell| adding.place(&asked.cells[*cell]))
                .collect();
            let cells = places?;
            if !self.population.is_partition(&cells) {
                let labels = labels.pairs();
                partitions.push(Partitioned { cells, labels });
            }
        }
        chosen.extend(partitions.iter().flat_map(|of| of.cells.iter().copied()));
        let known = self.sets.places.len();
        let is_new = |set: &&u32| **set as usize >= known;
        let mut new_parts: Vec<u32> = parts.difference(&chosen).filter(is_new).copied().collect();
        new_parts.sort_unstable();
        chosen.retain(|set| self.population.is_part(*set));
        let mut chosen: Vec<u32> = chosen.into_iter().collect();
        chosen.sort_unstable();
        let mut summed = Vec::new();
        let mut beside = Vec::new();
        for cell in &asked.judgement.summed.cells {
            let Some(rows) = &question.cells[*cell].rows else {
                continue;
            };
            let place = adding.place(&asked.cells[*cell])?;
            if self.population.is_summed((place, rows.weight)) {
                continue;
            }
            let several = rows.has_several().then(|| entry::Several {
                weight: rows.weight,
                noted: rows.noted.clone(),
            });
            summed.push((place, several));
            if rows.has_several() {
                beside.extend([&rows.twos, &rows.threes].map(Arc::clone));
            }
        }
        let summed = Summed {
            shares_units: asked.judgement.summed.shares_units,
            cells: summed,
        };
        let entry = Entry {
            summed: Some(summed),
            selection: question.selection,
            parts: new_parts,
            chosen,
            unions,
            selected,
            release: release.id,
            population: question.population.clone(),
            snapshots: question.snapshots,
            policy: question.policy,
            sketches: adding.sets.iter().map(|set| set.sketch.clone()).collect(),
            has_sketches: true,
            answers: answered,
            partitions,
            shown,
        };
        let sums = asked.judgement.sums.iter();
        let added = sums
            .flat_map(|(_, added, _)| added)
            .filter_map(|of| match of {
                Added::Cell(cell) => asked.cells.get(*cell),
                Added::Union(union) => asked.judgement.unions.get(*union),
            });
        let added = added
            .map(|set| adding.place(set))
            .collect::<Result<Vec<u32>>>()?;
        let sets = adding
            .sets
            .iter()
            .map(|set| Arc::clone(&set.units))
            .chain(beside)
            .collect();
        Ok(NewEntry { entry, sets, added })
    }

    /// Adds an entry whose new sets are at these places.
    ///
    /// # Errors
    /// [`LedgerError::Internal`] where an answer is of no set.
    pub(crate) fn add(&mut self, entry: Entry, mut places: Vec<At>) -> Result<()> {
        let population = &mut self.population;
        let beside = places.split_off(entry.sketches.len().min(places.len()));
        for sketch in entry.sketches {
            population.index.add(sketch);
        }
        self.sets.places.extend(places);
        let is_known = |set: u32| (set as usize) < self.sets.places.len();
        let of_partitions = entry.partitions.iter().flat_map(|of| &of.cells);
        let mut named = of_partitions
            .copied()
            .chain(entry.answers.iter().map(|of| of.set));
        if !named.all(is_known) {
            return Err(LedgerError::Internal {
                action: "finding a set of an entry",
            });
        }
        let plain = entry.selection.is_plain;
        let selected: HashSet<u32> = entry.selected.iter().copied().collect();
        for of in entry.partitions {
            let is_small = of.cells.len() <= COMBINED_TABLE_MAX;
            let is_combined = |set: &&u32| is_small || !plain || !selected.contains(set);
            for set in of.cells.iter().filter(is_combined) {
                population.combine(*set);
                if entry.summed.is_none() {
                    let (set, several) = (*set, None);
                    population.sum_up(history::Summed { set, several });
                }
            }
            let labels = Labels::from_pairs(FINE, of.labels, of.cells.len());
            let labels = labels.ok_or(LedgerError::Internal {
                action: "reading the labels of an entry",
            })?;
            let index = &population.index;
            let sketches = of.cells.clone();
            let sketches = sketches.iter().map(|cell| index.sketch(*cell));
            let partition = Partition::new(of.cells, sketches, labels);
            population.add_partition(partition);
        }
        if let Some(summed) = entry.summed {
            if summed.shares_units {
                population.share_units();
            }
            let mut next = self.sets.beside.len() as u32;
            self.sets.beside.extend(beside);
            for (set, several) in summed.cells {
                let several = several.map(|entry::Several { weight, noted }| {
                    next += 2;
                    Several {
                        twos: next - 2,
                        threes: next - 1,
                        weight,
                        noted,
                    }
                });
                population.sum_up(history::Summed { set, several });
            }
        }
        entry.parts.iter().for_each(|set| population.add_part(*set));
        entry.chosen.iter().for_each(|set| population.chosen(*set));
        entry.unions.iter().for_each(|set| population.combine(*set));
        let answered: HashSet<u32> = entry.answers.iter().map(|of| of.set).collect();
        if !plain || !answered.is_subset(&selected) {
            population.choose();
        }
        // Of a single cell the union is the cell.
        if answered.len() > 1 {
            entry
                .unions
                .iter()
                .for_each(|set| population.add_union(*set));
        }
        for set in entry.selected {
            population.selected(set, entry.selection, &entry.snapshots);
        }
        for of in entry.answers {
            population.give(
                of.set,
                of.statistic,
                &entry.snapshots,
                &entry.policy,
                of.answer,
            );
        }
        if let Some(shown) = entry.shown {
            population.show(shown);
        }
        Ok(())
    }
}

/// The sets that an entry adds.
struct Adding<'a> {
    known: &'a Known,
    exact: Exact<'a>,
    sets: Vec<&'a NewSet>,
    by_buckets: HashMap<[u32; BUCKETS], Vec<usize>>,
}

impl<'a> Adding<'a> {
    /// The place of a set, new where it is not known.
    fn place(&mut self, set: &'a NewSet) -> Result<u32> {
        for place in self.known.population.index.equal(&set.sketch) {
            if *self.exact.units(place)? == *set.units {
                return Ok(place);
            }
        }
        let places = self.known.sets.places.len();
        let alike = self.by_buckets.entry(set.sketch.buckets).or_default();
        let equal = alike
            .iter()
            .copied()
            .find(|number| self.sets[*number].units == set.units);
        let number = equal.unwrap_or_else(|| {
            alike.push(self.sets.len());
            self.sets.push(set);
            self.sets.len() - 1
        });
        u32::try_from(places + number).map_err(|_| LedgerError::TooLarge)
    }
}
