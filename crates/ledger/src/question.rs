//! What the ledger is asked, and what it answers.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::limits::{ANSWER_BYTES_MAX, BUCKETS_MAX, CELLS_MAX, STATISTICS_MAX, UNITS_MIN_FLOOR};
use crate::rows::Rows;
use crate::{LedgerError, Result};

/// Stands for something that the caller names: SHA-256 over its canonical form.
pub type Digest = [u8; 32];

/// The cells of one release that is about to be made, on one population. A release on several populations asks once for
/// each.
///
/// It has no `Debug`: the sets are raw data.
#[derive(Clone)]
pub struct Question {
    /// The population's id. Unit ids mean something within one population alone.
    pub population: String,
    /// The number of units of the population, whose ids are 0 up to it, where a total over the whole population is known
    /// or may become so. Then the complement of a cell counts as released with it, and so does the whole population.
    pub population_units: Option<u32>,
    /// The snapshots that were read: a digest over their ids.
    pub snapshots: Digest,
    /// The policy in force.
    pub policy: Digest,
    /// k: two sets are as good as one, or differ by at least this many units. At least [`UNITS_MIN_FLOOR`] counts.
    pub units_min: u32,
    /// Which rows are read and how they are grouped.
    pub selection: Selection,
    /// The cells, in an order that does not depend on the data, such as sorted by their keys. Where two of them are too
    /// near to each other, the earlier one is released.
    pub cells: Vec<Cell>,
}

/// Which rows a release reads and how it groups them.
///
/// Cells of one grouping have no row in common. That two of them have nearly the same units, as the months of a year
/// have, tells of nobody, unless what they show is nearly the same for each of these units. So between cells of one
/// grouping numbers are compared and not sets: within a release, between releases of one selection, and between releases
/// whose selections nobody chose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Stands for relations, conditions and keys, as the query says them.
    pub digest: Digest,
    /// Whether every row is read and grouped by columns of the data alone, so that nobody is left out by choice.
    pub is_plain: bool,
}

/// One set of units that a release speaks of: a cell, or the contributors to one argument in it.
#[derive(Clone, Default)]
pub struct Cell {
    /// The units.
    pub units: Arc<RoaringBitmap>,
    /// Which rows they have, where that is known.
    pub rows: Option<Rows>,
    /// Which cells it is added up with: the grouping set, and the argument where contributors differ. Finer partitions
    /// have lower numbers: they are judged first, and of a total too near to its parts it is the total that is withheld.
    pub partition: u32,
    /// What is asked of the units.
    pub statistics: Vec<Statistic>,
    /// Where the set is only there for others to be compared with, the position of the cell that it is a part of: the
    /// units of that cell for which a column of the data itself has a value. Nobody chose it, so it is not compared with
    /// its cell; and a cell that is known already is not compared with it either. It is recorded where its cell is
    /// answered, its partition is a later one, and it has no statistics.
    pub part_of: Option<usize>,
    /// Which grouping of the rows it is of: within one, groups have no row in common.
    pub grouping: u32,
    /// Which group of the grouping it is, or is of.
    pub group: u32,
    /// Whether it is less than a group by something that was written down, such as a condition within an aggregate.
    pub is_chosen: bool,
}

/// A number over the units of a cell.
#[derive(Clone, PartialEq, Eq)]
pub struct Statistic {
    /// What kind of number: those of one kind can be subtracted, such as sums and counts.
    pub kind: Digest,
    /// How much of it each unit is: sums of hashes of units with their contributions, by buckets of units. Two numbers
    /// over the same units that differ in fewer than k buckets may differ in the contributions of fewer than k units;
    /// where they differ in k buckets, at least k units contribute something else. Empty where nothing but the set
    /// matters.
    pub print: Arc<[u32]>,
    /// Where it is of a column of the data itself, and not of something computed, which column. Two columns are two
    /// numbers, however alike they are; nobody chose by how much they differ.
    pub column: Option<Digest>,
}

impl From<Digest> for Statistic {
    /// A number of which nothing but the set matters.
    fn from(kind: Digest) -> Statistic {
        Statistic {
            kind,
            print: Arc::default(),
            column: None,
        }
    }
}

impl Statistic {
    /// In how many buckets two numbers that can be subtracted differ, and in how many they are alike and not empty; none
    /// where they are not of one kind, or are of two columns of the data. A print of more buckets is folded to as many as
    /// the other has.
    fn against(&self, other: &Statistic) -> Option<(u64, u64)> {
        let two_columns =
            self.column.is_some() && other.column.is_some() && self.column != other.column;
        if self.kind != other.kind || two_columns {
            return None;
        }
        let buckets = self.print.len().min(other.print.len());
        let (one, other) = (folded(&self.print, buckets), folded(&other.print, buckets));
        let pairs = || one.iter().zip(&other);
        let differ = pairs().filter(|(one, other)| one != other).count();
        let alike = pairs()
            .filter(|(one, other)| one == other && **one != 0)
            .count();
        Some((differ as u64, alike as u64))
    }

    /// Whether two numbers over the same units are the same.
    pub(crate) fn is(&self, other: &Statistic) -> bool {
        self.against(other).is_some_and(|(differ, _)| differ == 0)
    }

    /// Whether the difference of two numbers, over units of which so many are other ones, may be that of 1 to k − 1 units.
    ///
    /// Between cells that are compared by their numbers, columns of the data that are alike for fewer units than they
    /// differ for are alike by chance.
    pub(crate) fn is_near(
        &self,
        other: &Statistic,
        distance: u64,
        k: u64,
        by_number: bool,
    ) -> bool {
        // Further away only where the pair has a margin: then those units alone may be what differs.
        let k = k.max(distance + 1);
        let by_chance = by_number && self.column.is_some() && other.column.is_some();
        self.against(other).is_some_and(|(differ, alike)| {
            // Numbers that have nothing in common fill few buckets where there are few units.
            let something = alike > 0 || differ == 0;
            let differs = differ < k && (differ > 0 || distance > 0);
            differs && something && !(by_chance && alike < differ)
        })
    }
}

/// A print in fewer buckets: the lower bits of the place decide.
fn folded(print: &[u32], buckets: usize) -> Vec<u32> {
    let mut sums = vec![0_u32; buckets];
    for (at, sum) in print.iter().enumerate() {
        if let Some(folded) = sums.get_mut(at % buckets.max(1)) {
            *folded = folded.wrapping_add(*sum);
        }
    }
    sums
}

/// What may become of one statistic of one cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It may be answered.
    Fresh,
    /// The identical cell was answered: this again, free of charge.
    Same(Arc<[u8]>),
    /// A cell fewer than k units away was asked the same, and this was its answer: answer this.
    Near(Arc<[u8]>),
    /// Another statistic of this release differs from it in the contributions of fewer than k units: answer as that one
    /// is answered, by the positions of cell and statistic, which come before.
    Like(usize, usize),
    /// It is withheld, and looks like any suppressed cell.
    Isolates,
    /// It could not be decided within the bounds of work. Withheld, unless people let it go.
    Review,
}

/// The answers given, per cell and statistic: one exactly where the verdict was [`Verdict::Fresh`], or
/// [`Verdict::Review`] and people let it go; and where it was [`Verdict::Like`], so that it is the same when asked again.
pub type Answers = Vec<Vec<Option<Vec<u8>>>>;

/// A release to be recorded.
pub struct Release {
    /// The release's id, for the bureau.
    pub id: String,
    /// The answers it gives.
    pub answers: Answers,
}

impl Question {
    /// k, with the floor.
    pub(crate) fn k(&self) -> u64 {
        u64::from(self.units_min.max(UNITS_MIN_FLOOR))
    }

    /// # Errors
    /// [`LedgerError::TooManyCells`] and [`LedgerError::Question`].
    pub(crate) fn check(&self) -> Result<()> {
        if self.cells.len() > CELLS_MAX {
            return Err(LedgerError::TooManyCells {
                cells_max: CELLS_MAX,
            });
        }
        let problem = |problem| Err(LedgerError::Question { problem });
        if self
            .cells
            .iter()
            .any(|cell| cell.statistics.len() > STATISTICS_MAX)
        {
            return problem("a cell has too many statistics");
        }
        let beyond = |cell: &Cell| Some(cell.units.max()? >= self.population_units?);
        let prints = |cell: &Cell| cell.statistics.iter().map(|of| of.print.len()).max();
        if self
            .cells
            .iter()
            .any(|cell| prints(cell) > Some(BUCKETS_MAX))
        {
            return problem("a print has too many buckets");
        }
        let is_part = |cell: &Cell| cell.part_of.is_some();
        let parts = self.cells.iter().filter(|cell| is_part(cell));
        let misplaced = |part: &Cell| {
            let whole = part.part_of.and_then(|whole| self.cells.get(whole));
            !part.statistics.is_empty()
                || whole.is_none_or(|whole| is_part(whole) || whole.partition >= part.partition)
        };
        if parts.into_iter().any(misplaced) {
            return problem("a part is of no cell before it");
        }
        if self.cells.iter().any(|cell| beyond(cell) == Some(true)) {
            return problem("a unit is beyond the population");
        }
        Ok(())
    }
}

impl Verdict {
    /// Whether the number that is given is the cell's own.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Verdict::Fresh | Verdict::Same(_))
    }
}

/// Whether answers are there exactly where they have to be and may be.
pub(crate) fn check_answers(verdicts: &[Vec<Verdict>], answers: &Answers) -> Result<()> {
    let problem = |problem| Err(LedgerError::Answers { problem });
    if verdicts.len() != answers.len() {
        return problem("another number of cells");
    }
    for (verdicts, answers) in verdicts.iter().zip(answers) {
        if verdicts.len() != answers.len() {
            return problem("another number of statistics");
        }
        for (verdict, answer) in verdicts.iter().zip(answers) {
            match (verdict, answer) {
                (Verdict::Fresh, None) => return problem("a fresh cell has none"),
                (Verdict::Same(_) | Verdict::Near(_) | Verdict::Isolates, Some(_)) => {
                    return problem("a cell that is not fresh has one");
                }
                (_, Some(answer)) if answer.len() > ANSWER_BYTES_MAX => {
                    return problem("one is too long");
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
impl Question {
    /// A cell of these units that somebody chose.
    pub(crate) fn of_units(units: std::ops::Range<u32>) -> Question {
        Question {
            population: "persons".to_owned(),
            population_units: None,
            snapshots: [1; 32],
            policy: [2; 32],
            units_min: 10,
            selection: Selection {
                digest: [4; 32],
                is_plain: false,
            },
            cells: vec![Cell {
                units: Arc::new(units.collect()),
                partition: 0,
                statistics: vec![[3; 32].into()],
                rows: None,
                part_of: None,
                grouping: 0,
                group: 0,
                is_chosen: false,
            }],
        }
    }
}
