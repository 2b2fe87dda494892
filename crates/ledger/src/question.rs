//! What the ledger is asked, and what it answers.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::limits::{ANSWER_BYTES_MAX, CELLS_MAX, STATISTICS_MAX, UNITS_MIN_FLOOR};
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
    /// The cells, in an order that does not depend on the data, such as sorted by their keys. Where two of them are too
    /// near to each other, the earlier one is released.
    pub cells: Vec<Cell>,
}

/// One set of units that a release speaks of: a cell, or the contributors to one argument in it.
#[derive(Clone)]
pub struct Cell {
    /// The units.
    pub units: Arc<RoaringBitmap>,
    /// Which cells it is added up with: the grouping set, and the argument where contributors differ. Finer partitions
    /// have lower numbers: they are judged first, and of a total too near to its parts it is the total that is withheld.
    pub partition: u32,
    /// What is asked of the units, each a digest over aggregate, argument expression and model digest: the same for the
    /// same number over the same rows, whatever the query text.
    pub statistics: Vec<Digest>,
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
    /// It is withheld, and looks like any suppressed cell.
    Isolates,
    /// It could not be decided within the bounds of work. Withheld, unless people let it go.
    Review,
}

/// The answers given, per cell and statistic: one exactly where the verdict was [`Verdict::Fresh`], or
/// [`Verdict::Review`] and people let it go.
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
