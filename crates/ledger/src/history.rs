//! Everything that was released on one population, as far as it is kept in memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::closure::Partition;
use crate::index::Index;
use crate::near::Whole;
use crate::question::Digest;
use crate::sketch::Mixer;

/// What was released on one population. The exact sets are elsewhere, by their places in the index.
pub(crate) struct Population {
    pub(crate) index: Index,
    /// The answers given for each set, oldest first. Unions have none.
    answers: HashMap<u32, Vec<Given>>,
    names: HashMap<Digest, u32>,
    answers_given: u64,
    whole: Option<Whole>,
    partitions: Vec<Partition>,
    /// The cells of all partitions, so that each is kept once.
    partitioned: HashSet<Vec<u32>>,
}

/// An answer that was given.
struct Given {
    /// How many were given before it on the population.
    order: u64,
    statistic: u32,
    snapshots: u32,
    policy: u32,
    answer: Arc<[u8]>,
}

impl Population {
    pub(crate) fn new() -> Population {
        Population {
            index: Index::default(),
            answers: HashMap::new(),
            names: HashMap::new(),
            answers_given: 0,
            whole: None,
            partitions: Vec::new(),
            partitioned: HashSet::new(),
        }
    }

    /// The partitions that were released, oldest first.
    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Whether a partition of these cells was released.
    pub(crate) fn is_partition(&self, cells: &[u32]) -> bool {
        self.partitioned.contains(cells)
    }

    /// Adds a partition.
    pub(crate) fn add_partition(&mut self, partition: Partition) {
        if self.partitioned.insert(partition.cells.clone()) {
            self.partitions.push(partition);
        }
    }

    /// Counts the whole population, anew where it has grown.
    pub(crate) fn count(&mut self, units: u32, mixer: Mixer) {
        if self.whole.as_ref().is_none_or(|whole| whole.units != units) {
            let sketch = mixer.whole(units);
            self.whole = Some(Whole { units, sketch });
        }
    }

    /// The whole population as it was last counted.
    pub(crate) fn whole(&self) -> Option<&Whole> {
        self.whole.as_ref()
    }

    /// The answer that was given for exactly this.
    pub(crate) fn same(
        &self,
        set: u32,
        statistic: &Digest,
        snapshots: &Digest,
        policy: &Digest,
    ) -> Option<Arc<[u8]>> {
        let name = |digest| self.names.get(digest).copied();
        let (statistic, snapshots, policy) = (name(statistic)?, name(snapshots)?, name(policy)?);
        let given = self.answers.get(&set)?.iter().find(|given| {
            given.statistic == statistic && given.snapshots == snapshots && given.policy == policy
        });
        given.map(|given| Arc::clone(&given.answer))
    }

    /// The oldest answer that was given for this statistic of one of these sets, with its age and set.
    pub(crate) fn oldest(
        &self,
        sets: impl Iterator<Item = u32>,
        statistic: &Digest,
    ) -> Option<(u32, Arc<[u8]>)> {
        let statistic = *self.names.get(statistic)?;
        let of_set = |set: u32| {
            let given = self.answers.get(&set)?;
            let given = given.iter().find(|given| given.statistic == statistic)?;
            Some((given.order, set, Arc::clone(&given.answer)))
        };
        sets.filter_map(of_set)
            .min_by_key(|(order, _, _)| *order)
            .map(|(_, set, answer)| (set, answer))
    }

    /// Adds an answer.
    pub(crate) fn give(
        &mut self,
        set: u32,
        statistic: &Digest,
        snapshots: &Digest,
        policy: &Digest,
        answer: Arc<[u8]>,
    ) {
        let given = Given {
            order: self.answers_given,
            statistic: self.name(statistic),
            snapshots: self.name(snapshots),
            policy: self.name(policy),
            answer,
        };
        self.answers_given += 1;
        self.answers.entry(set).or_default().push(given);
    }

    fn name(&mut self, digest: &Digest) -> u32 {
        let next = self.names.len() as u32;
        *self.names.entry(*digest).or_insert(next)
    }
}
