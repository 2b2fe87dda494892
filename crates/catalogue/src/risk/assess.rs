//! The scans of an assessment.

use ahash::RandomState;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;

use super::feature::{Coarsening, Feature};
use super::tally::{Counted, Tally};
use super::{Coarsened, Combination, RiskReport};
use crate::limits::{RISK_COLUMNS_MAX, RISK_ENTRIES_MAX, RISK_SIZE_MAX};
use crate::{CatalogueError, Column, Result};

/// What to assess.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Most columns of a combination, up to [`RISK_SIZE_MAX`].
    pub size: usize,
    /// How many of the riskiest combinations are coarsened.
    pub coarsened: usize,
    /// Most combinations of values and units held at a time.
    pub entries_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: RISK_SIZE_MAX,
            coarsened: 5,
            entries_max: RISK_ENTRIES_MAX,
        }
    }
}

/// How far an assessment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Combinations measured.
    pub done: u64,
    /// Combinations to measure, as far as is known.
    pub total: u64,
    /// Rows of the scan at hand.
    pub rows: u64,
}

/// Takes in a batch of a scan.
pub type Visit<'v, E> = dyn FnMut(&RecordBatch) -> Result<(), E> + 'v;

/// Hands every batch of the rows to a visitor.
pub type Scan<'s, E> = dyn FnMut(&mut Visit<'_, E>) -> Result<(), E> + 's;

/// A combination to be measured.
struct Set {
    features: Vec<Feature>,
    /// Positions, among the smaller sets measured before, of this one's parts.
    parts: Vec<usize>,
}

/// Assesses `columns`. `scan` hands each batch to its visitor: first the unit (`u32`, a unit's rows together), then the
/// columns in their order. It is called as often as needed and must give the same rows each time; `on_progress` hears of
/// every batch.
///
/// # Errors
/// [`CatalogueError::RiskColumns`], [`CatalogueError::RiskTooLarge`], and what `scan` and `on_progress` answer.
pub fn assess<'a, E: From<CatalogueError>>(
    columns: &'a [&'a Column],
    options: Options,
    scan: &'a mut Scan<'a, E>,
    on_progress: &'a mut dyn FnMut(Progress) -> Result<(), E>,
) -> Result<RiskReport, E> {
    if columns.is_empty() || columns.len() > RISK_COLUMNS_MAX {
        return Err(CatalogueError::RiskColumns {
            columns: columns.len(),
            limit: RISK_COLUMNS_MAX,
        }
        .into());
    }
    let mut run = Run {
        columns,
        entries_max: options.entries_max,
        key: RandomState::new(),
        progress: Progress {
            done: 0,
            total: 0,
            rows: 0,
        },
        units: 0,
        scans: 0,
        scan,
        on_progress,
    };
    let all: Vec<Feature> = (0..columns.len()).map(plain).collect();
    let mut measured: Vec<(Set, Counted)> = Vec::new();
    for size in 1..=options.size.min(RISK_SIZE_MAX).min(columns.len()) {
        let sets = sets_of(size, columns.len(), &measured);
        let counted = run.measure(sets, &measured)?;
        measured.extend(counted);
    }
    let whole = Set {
        features: all.clone(),
        parts: Vec::new(),
    };
    let whole = run.measure(vec![whole], &[])?;
    measured.sort_by(|(one, counted), (other, counts)| {
        let risk = counts.unique_units.cmp(&counted.unique_units);
        risk.then(one.features.len().cmp(&other.features.len()))
            .then_with(|| places(one).cmp(places(other)))
    });
    let combinations: Vec<Combination> = measured
        .iter()
        .map(|(set, counted)| run.combination(set, counted, true))
        .collect();
    let riskiest = measured
        .iter()
        .take(options.coarsened)
        .map(|(set, _)| set.features.clone());
    let bases: Vec<Vec<Feature>> = std::iter::once(all).chain(riskiest).collect();
    drop(measured);
    let coarsened = run.coarsened(&bases)?;
    let (rows, units, scans) = (run.progress.rows, run.units, run.scans);
    let Some((set, counted)) = whole.first() else {
        return Err(internal().into());
    };
    Ok(RiskReport {
        rows,
        units,
        whole: run.combination(set, counted, false),
        classes: counted.classes,
        combinations,
        coarsened,
        scans,
    })
}

fn plain(column: usize) -> Feature {
    Feature { column, how: None }
}

fn places(set: &Set) -> impl Iterator<Item = usize> {
    set.features.iter().map(|feature| feature.column)
}

/// All sets of `size` columns, in lexical order, with their parts among `measured`.
fn sets_of(size: usize, columns: usize, measured: &[(Set, Counted)]) -> Vec<Set> {
    let mut sets = vec![Vec::new()];
    for _ in 0..size {
        sets = sets
            .into_iter()
            .flat_map(|set: Vec<usize>| {
                let next = set.last().map_or(0, |last| last + 1);
                (next..columns).map(move |column| {
                    let mut set = set.clone();
                    set.push(column);
                    set
                })
            })
            .collect();
    }
    let parts = |set: &[usize]| {
        let is_part = |other: &Set| places(other).all(|column| set.contains(&column));
        (0..measured.len())
            .filter(|&index| is_part(&measured[index].0))
            .collect()
    };
    sets.into_iter()
        .map(|set| Set {
            parts: parts(&set),
            features: set.into_iter().map(plain).collect(),
        })
        .collect()
}

/// An assessment under way.
struct Run<'a, E> {
    columns: &'a [&'a Column],
    entries_max: usize,
    key: RandomState,
    progress: Progress,
    units: u64,
    scans: u32,
    scan: &'a mut Scan<'a, E>,
    on_progress: &'a mut dyn FnMut(Progress) -> Result<(), E>,
}

impl<E: From<CatalogueError>> Run<'_, E> {
    /// Measures sets, in as many scans as it takes to stay within the memory.
    fn measure(
        &mut self,
        sets: Vec<Set>,
        smaller: &[(Set, Counted)],
    ) -> Result<Vec<(Set, Counted)>, E> {
        let held: usize = smaller
            .iter()
            .map(|(_, counted)| counted.uniques.len())
            .sum();
        let budget = self.entries_max.saturating_sub(held / 2);
        self.progress.total += sets.len() as u64;
        let mut waiting = sets;
        let mut measured = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let mut pass: Vec<(Set, Tally)> = waiting
                .drain(..)
                .map(|set| (set, Tally::default()))
                .collect();
            let mut later = self.pass(&mut pass, smaller, budget)?;
            later.reverse();
            waiting = later;
            self.progress.done += pass.len() as u64;
            measured.extend(pass.into_iter().map(|(set, tally)| (set, tally.count())));
        }
        Ok(measured)
    }

    /// One scan. Gives back the sets that did not fit, the last first.
    fn pass(
        &mut self,
        pass: &mut Vec<(Set, Tally)>,
        smaller: &[(Set, Counted)],
        budget: usize,
    ) -> Result<Vec<Set>, E> {
        let Self {
            columns,
            key,
            progress,
            units,
            scans,
            scan,
            on_progress,
            ..
        } = self;
        let mut later = Vec::new();
        let (mut rows_seen, mut units_seen) = (0, Units::default());
        let on_progress = &mut **on_progress;
        scan(&mut |batch| {
            units_seen.observe(batch)?;
            let hashes = Hashes::new(
                batch,
                columns,
                pass.iter().map(|(set, _)| set),
                smaller,
                key,
            )?;
            let unique = hashes.uniques(smaller);
            for (set, tally) in &mut *pass {
                hashes.tally(set, tally, &unique);
            }
            let mut size: usize = pass.iter().map(|(_, tally)| tally.size()).sum();
            while size > budget {
                let Some((set, tally)) = pass.pop() else {
                    break;
                };
                if pass.is_empty() {
                    return Err(CatalogueError::RiskTooLarge { limit: budget }.into());
                }
                size -= tally.size();
                later.push(set);
            }
            rows_seen += batch.num_rows() as u64;
            progress.rows = rows_seen;
            on_progress(*progress)
        })?;
        *units = units_seen.count;
        *scans += 1;
        Ok(later)
    }

    /// What one coarser column makes of each base.
    fn coarsened(&mut self, bases: &[Vec<Feature>]) -> Result<Vec<Coarsened>, E> {
        let mut sets = Vec::new();
        let mut about = Vec::new();
        for (index, base) in bases.iter().enumerate() {
            for (position, feature) in base.iter().enumerate() {
                for how in Coarsening::of(self.columns[feature.column]) {
                    // A single column that is left out leaves nothing to know.
                    if base.len() == 1 && how == Coarsening::Dropped {
                        continue;
                    }
                    let mut features = base.clone();
                    features[position].how = Some(how);
                    sets.push(Set {
                        features,
                        parts: Vec::new(),
                    });
                    about.push((index, feature.column, how));
                }
            }
        }
        let measured = self.measure(sets, &[])?;
        Ok(measured
            .iter()
            .zip(about)
            .map(|((_, counted), (base, column, how))| Coarsened {
                columns: bases[base]
                    .iter()
                    .map(|feature| self.columns[feature.column].name.clone())
                    .collect(),
                column: self.columns[column].name.clone(),
                how,
                k: counted.k,
                unique_units: counted.unique_units,
            })
            .collect())
    }

    fn combination(&self, set: &Set, counted: &Counted, minimal: bool) -> Combination {
        Combination {
            columns: places(set)
                .map(|column| self.columns[column].name.clone())
                .collect(),
            k: counted.k,
            unique_units: counted.unique_units,
            minimal_units: minimal.then_some(counted.minimal_units),
        }
    }
}

/// Distinct units of a scan, whose rows come unit by unit.
#[derive(Default)]
struct Units {
    last: Option<u32>,
    count: u64,
}

impl Units {
    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        for &unit in units_of(batch)? {
            if self.last != Some(unit) {
                self.last = Some(unit);
                self.count += 1;
            }
        }
        Ok(())
    }
}

fn units_of(batch: &RecordBatch) -> Result<&[u32]> {
    let column = batch.columns().first().ok_or_else(internal)?;
    let units = column
        .as_primitive_opt::<UInt32Type>()
        .ok_or_else(internal)?;
    if units.null_count() > 0 {
        return Err(internal());
    }
    Ok(units.values())
}

/// The hashes of a batch, by feature.
struct Hashes<'b> {
    units: &'b [u32],
    by_feature: Vec<(Feature, Vec<u64>)>,
}

impl<'b> Hashes<'b> {
    fn new<'s>(
        batch: &'b RecordBatch,
        columns: &[&Column],
        sets: impl Iterator<Item = &'s Set>,
        smaller: &'s [(Set, Counted)],
        key: &RandomState,
    ) -> Result<Self> {
        let units = units_of(batch)?;
        let mut by_feature: Vec<(Feature, Vec<u64>)> = Vec::new();
        let smaller = smaller.iter().map(|(set, _)| set);
        for &feature in sets.chain(smaller).flat_map(|set| &set.features) {
            if by_feature.iter().any(|(known, _)| *known == feature) {
                continue;
            }
            let column = columns.get(feature.column).ok_or_else(internal)?;
            let array = batch
                .columns()
                .get(feature.column + 1)
                .ok_or_else(internal)?;
            by_feature.push((feature, feature.hashes(column, array, key)?));
        }
        Ok(Self { units, by_feature })
    }

    fn of(&self, feature: Feature) -> &[u64] {
        self.by_feature
            .iter()
            .find(|(known, _)| *known == feature)
            .map_or(&[], |(_, hashes)| hashes)
    }

    /// For each row, the sum of its features' hashes.
    fn sums(&self, set: &Set) -> Vec<u64> {
        let mut sums = vec![0_u64; self.units.len()];
        for &feature in &set.features {
            for (sum, hash) in sums.iter_mut().zip(self.of(feature)) {
                *sum = sum.wrapping_add(*hash);
            }
        }
        sums
    }

    /// For each smaller set, which rows are unique on it and on no part of it.
    fn uniques(&self, smaller: &[(Set, Counted)]) -> Vec<Vec<bool>> {
        smaller
            .iter()
            .map(|(set, counted)| {
                if counted.uniques.is_empty() {
                    return Vec::new();
                }
                let is_unique = |hash: &u64| counted.uniques.contains(hash);
                self.sums(set).iter().map(is_unique).collect()
            })
            .collect()
    }

    fn tally(&self, set: &Set, tally: &mut Tally, unique: &[Vec<bool>]) {
        let parts: Vec<&[bool]> = set
            .parts
            .iter()
            .map(|&part| unique[part].as_slice())
            .filter(|rows| !rows.is_empty())
            .collect();
        for (row, (hash, &unit)) in self.sums(set).into_iter().zip(self.units).enumerate() {
            if parts.iter().any(|rows| rows[row]) {
                tally.inherit(unit);
            } else {
                tally.add(hash, unit);
            }
        }
    }
}

fn internal() -> CatalogueError {
    CatalogueError::Internal {
        action: "assessing the linkage risk",
    }
}
