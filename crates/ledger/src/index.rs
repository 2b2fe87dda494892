//! Finds the sets that a set has to be compared with, without looking at the others.

use std::collections::{BTreeSet, HashMap};

use hashbrown::HashTable;

use crate::sketch::{BUCKETS, Sketch, is_large_indexed, is_small, is_small_indexed};

/// End of a chain.
const NONE: u32 = u32::MAX;

/// The sketches of many sets, by their places.
#[derive(Default)]
pub(crate) struct Index {
    sketches: Vec<Sketch>,
    /// How large the sets are.
    sizes: BTreeSet<u64>,
    /// Per bucket, for as many buckets as the largest k that was asked.
    tables: Vec<Table>,
    /// The first posting of a unit that is among the lowest of some small set.
    postings_of: HashMap<u32, u32>,
    /// A set and the next posting of the same unit.
    postings: Vec<(u32, u32)>,
}

/// The sets by what one bucket of theirs adds up to.
#[derive(Default)]
struct Table {
    /// The newest set of each sum.
    newest: HashTable<u32>,
    /// Per set the one before it with the same sum.
    before: Vec<u32>,
}

/// What a question may still look at.
pub(crate) struct Work {
    pub(crate) visits: u64,
    pub(crate) comparisons: u64,
}

/// The work that a question may take is done.
#[derive(Debug)]
pub(crate) struct Exhausted;

impl Work {
    pub(crate) fn visit(&mut self) -> Result<(), Exhausted> {
        self.visits = self.visits.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }

    pub(crate) fn visits(&mut self, count: u64) -> Result<(), Exhausted> {
        self.visits = self.visits.checked_sub(count).ok_or(Exhausted)?;
        Ok(())
    }

    pub(crate) fn comparisons(&mut self, count: u64) -> Result<(), Exhausted> {
        self.comparisons = self.comparisons.checked_sub(count).ok_or(Exhausted)?;
        Ok(())
    }

    pub(crate) fn compare(&mut self) -> Result<(), Exhausted> {
        self.comparisons = self.comparisons.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}

impl Index {
    pub(crate) fn sketch(&self, set: u32) -> &Sketch {
        &self.sketches[set as usize]
    }

    /// Whether any set has fewer than `k` units more or less than this.
    pub(crate) fn has_size_near(&self, size: u64, k: u64) -> bool {
        let near = size.saturating_sub(k - 1)..size.saturating_add(k);
        self.sizes.range(near).next().is_some()
    }

    /// Adds a set. Its place is the number of sets before it.
    pub(crate) fn add(&mut self, sketch: Sketch) {
        let set = self.sketches.len() as u32;
        self.sizes.insert(sketch.cardinality);
        self.sketches.push(sketch);
        for bucket in 0..self.tables.len() {
            self.tables[bucket].add(bucket, set, &self.sketches);
        }
        self.post(set);
    }

    /// The sets whose sketch is the same, as good as always one at most.
    pub(crate) fn equal(&self, sketch: &Sketch) -> Vec<u32> {
        let mut work = Work {
            visits: u64::MAX,
            comparisons: 0,
        };
        let mut equal = Vec::new();
        let found = self.candidates(sketch, 1, &mut work, &mut |set| equal.push(set));
        debug_assert!(found.is_ok(), "the work is not bounded");
        equal
    }

    /// Makes the index fit for a k.
    pub(crate) fn prepare(&mut self, k: u64) {
        let tables = usize::try_from(k).unwrap_or(BUCKETS).min(BUCKETS);
        for bucket in self.tables.len()..tables {
            let mut table = Table::default();
            for set in 0..self.sketches.len() as u32 {
                table.add(bucket, set, &self.sketches);
            }
            self.tables.push(table);
        }
    }

    fn post(&mut self, set: u32) {
        let sketch = &self.sketches[set as usize];
        if !is_small_indexed(sketch.cardinality) {
            return;
        }
        for unit in &sketch.lowest {
            let posting = self.postings.len() as u32;
            let next = self.postings_of.insert(*unit, posting).unwrap_or(NONE);
            self.postings.push((set, next));
        }
    }

    /// Every set that can differ from `target` by fewer than `k` units is among those handed to `found`, once.
    ///
    /// The target of a large size needs no lowest units. [`Index::prepare`] was called for this k.
    ///
    /// # Errors
    /// [`Exhausted`], and whatever `found` answers.
    pub(crate) fn candidates(
        &self,
        target: &Sketch,
        k: u64,
        work: &mut Work,
        found: &mut dyn FnMut(u32),
    ) -> Result<(), Exhausted> {
        if k > BUCKETS as u64 {
            return self.scan(target, k, work, found);
        }
        if is_small(target.cardinality) {
            return self.by_units(target, k, work, found);
        }
        for bucket in 0..k as usize {
            let mut set = self.tables[bucket].newest(bucket, target, &self.sketches);
            while set != NONE {
                work.visit()?;
                let sketch = &self.sketches[set as usize];
                // A set that an earlier bucket leads to was found there.
                if !equal_in_any(sketch, target, bucket) && sketch.may_be_near(target, k) {
                    found(set);
                }
                set = self.tables[bucket].before[set as usize];
            }
        }
        Ok(())
    }

    /// For a k that the sketches are not made for.
    fn scan(
        &self,
        target: &Sketch,
        k: u64,
        work: &mut Work,
        found: &mut dyn FnMut(u32),
    ) -> Result<(), Exhausted> {
        for (set, sketch) in self.sketches.iter().enumerate() {
            work.visit()?;
            if sketch.may_be_near(target, k) {
                found(set as u32);
            }
        }
        Ok(())
    }

    fn by_units(
        &self,
        target: &Sketch,
        k: u64,
        work: &mut Work,
        found: &mut dyn FnMut(u32),
    ) -> Result<(), Exhausted> {
        let mut sets = Vec::new();
        for unit in target.lowest.iter().take(k as usize) {
            let mut posting = self.postings_of.get(unit).copied().unwrap_or(NONE);
            while posting != NONE {
                work.visit()?;
                let (set, next) = self.postings[posting as usize];
                if self.sketches[set as usize].may_be_near(target, k) {
                    sets.push(set);
                }
                posting = next;
            }
        }
        sets.sort_unstable();
        sets.dedup();
        sets.into_iter().for_each(found);
        Ok(())
    }
}

/// Whether two sketches are equal in one of the first `buckets` buckets.
fn equal_in_any(one: &Sketch, other: &Sketch, buckets: usize) -> bool {
    let pairs = one.buckets.iter().zip(&other.buckets);
    pairs.take(buckets).any(|(one, other)| one == other)
}

impl Table {
    fn add(&mut self, bucket: usize, set: u32, sketches: &[Sketch]) {
        self.before.push(NONE);
        if !is_large_indexed(sketches[set as usize].cardinality) {
            return;
        }
        let sum = |set: u32| sketches[set as usize].buckets[bucket];
        let of_set = sum(set);
        match self
            .newest
            .find_mut(spread(of_set), |other| sum(*other) == of_set)
        {
            Some(newest) => {
                self.before[set as usize] = *newest;
                *newest = set;
            }
            None => {
                self.newest
                    .insert_unique(spread(of_set), set, |other| spread(sum(*other)));
            }
        }
    }

    fn newest(&self, bucket: usize, target: &Sketch, sketches: &[Sketch]) -> u32 {
        let wanted = target.buckets[bucket];
        let newest = self.newest.find(spread(wanted), |set| {
            sketches[*set as usize].buckets[bucket] == wanted
        });
        newest.copied().unwrap_or(NONE)
    }
}

/// The sums are as good as random; the table wants them in the upper bits too.
fn spread(sum: u32) -> u64 {
    u64::from(sum).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
