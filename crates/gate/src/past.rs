//! What was released before: the ledger is asked about each cell, and what it says decides.
//!
//! A cell that is withheld here is withheld like any other. A number that another one is too near to is answered as that
//! one was, because a refusal would say that they differ.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use weir_ledger::parallel;
use weir_ledger::rounding::CoinKey;
use weir_ledger::{
    Answers, Asked, Cell, Digest, History, Question, Release, Selection, Statistic, Verdict,
};
use weir_policy::Policy;

use crate::encode::digest_of;
use crate::error::GateError;
use crate::ground::{Ground, Ruling};
use crate::members::{Basis, Members, Provenance};
use crate::numbers::Numbers;
use crate::order::sorted_by_keys;
use crate::table::Rows;

/// The ledger, and what it needs to know of a run.
pub struct Past<'a> {
    /// What was released before.
    pub history: &'a mut dyn History,
    /// The coins of keyed rounding.
    pub coins: &'a CoinKey,
    /// A digest over the snapshots that were read.
    pub snapshots: Digest,
    /// The release's id.
    pub release: String,
}

/// Whether a table left before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    No,
    /// Its numbers are not taken from what was answered then.
    Yes,
}

/// A question that was asked for a table, with the answers to record.
pub(crate) struct Recording {
    asked: Asked,
    release: String,
    answers: Answers,
}

/// How a number comes about.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is the cell's own.
    Own,
    /// It is what was answered before.
    Given(Arc<[u8]>),
    /// It is that of a statistic of this table, of the same cell or of one before it.
    Like { cell: u32, statistic: usize },
}

/// What the ledger says of a table.
pub(crate) struct Compared {
    pub(crate) provenance: Provenance,
    /// Of each kind of unit.
    asked: Vec<Asked>,
    /// The cells that were asked for, and where their sets are in the questions.
    places: Vec<(u32, usize)>,
    /// The places of sets in [`Members`] that are asked for of each cell, the cell's own first.
    sets: Vec<usize>,
    /// Per statistic, which of these sets it is of, and which of the statistics of that set it is.
    statistics: Vec<(usize, usize)>,
    /// Where each grouping set comes in the order of asking.
    ranks: Vec<usize>,
    again: Again,
    /// Whether something could not be decided within the bounds of work.
    pub(crate) undecided: bool,
}

/// Asks about every cell that the ruling lets go, and takes back those that come too near to something.
pub(crate) fn compare(
    ground: &Ground,
    cells: &RecordBatch,
    ruling: &mut Ruling,
    provenance: Provenance,
    policy: &Policy,
    (past, again): (&mut Past<'_>, Again),
) -> Result<Compared, GateError> {
    provenance.check_coarse(policy)?;
    let ranks = ranks(ruling);
    let order = in_order(ground, ruling, &ranks, policy)?;
    let mut sets = vec![0];
    sets.extend(provenance.bases.iter().map(|basis| basis.set));
    sets.sort_unstable();
    sets.dedup();
    let per_cell = sets.len() + provenance.parts.len();
    let mut compared = Compared {
        statistics: places_of_statistics(&sets, &provenance),
        asked: Vec::new(),
        places: order
            .iter()
            .enumerate()
            .map(|(at, cell)| (*cell, at * per_cell))
            .collect(),
        sets,
        ranks,
        provenance,
        again,
        undecided: false,
    };
    for members in &compared.provenance.members {
        let question = Question {
            population: members.population.clone(),
            population_units: None,
            snapshots: past.snapshots,
            policy: digest_of(&policy.canonical()),
            units_min: u32::try_from(policy.history_units_min()).unwrap_or(u32::MAX),
            selection: Selection {
                digest: digest_of(&compared.provenance.selection),
                is_plain: compared.provenance.is_plain,
            },
            cells: compared.cells(ground, members)?,
        };
        compared.asked.push(past.history.ask(question)?);
    }
    compared.settle(ground, cells, ruling, policy, past)?;
    Ok(compared)
}

/// Per statistic, which of the sets it is of, and which of the statistics of that set it is.
fn places_of_statistics(sets: &[usize], provenance: &Provenance) -> Vec<(usize, usize)> {
    let mut next = vec![0; sets.len()];
    let place = |basis: &Basis| {
        let set = sets.binary_search(&basis.set).ok()?;
        next[set] += 1;
        Some((set, next[set] - 1))
    };
    provenance.bases.iter().filter_map(place).collect()
}

/// Finest sets come before those that are derived from them.
fn ranks(ruling: &Ruling) -> Vec<usize> {
    let mut sets: Vec<usize> = (0..ruling.parents.len()).collect();
    sets.sort_by_key(|set| ruling.parents[*set].is_some());
    let mut ranks = vec![0; sets.len()];
    for (rank, set) in sets.into_iter().enumerate() {
        ranks[set] = rank;
    }
    ranks
}

/// The cells that show numbers of their own, finer sets before coarser ones and each set in the order of its keys: an
/// order that does not depend on the data.
fn in_order(
    ground: &Ground,
    ruling: &Ruling,
    ranks: &[usize],
    policy: &Policy,
) -> Result<Vec<u32>, GateError> {
    let shown = Rows::of(ground, ruling, policy)?.cells_with_own_numbers();
    let mut sets: Vec<usize> = (0..ranks.len()).collect();
    sets.sort_by_key(|set| ranks[*set]);
    let mut all = Vec::new();
    for set in sets {
        let is_own = |cell: &u32| shown.contains(cell);
        let own: Vec<u32> = ground.cells[set].iter().copied().filter(is_own).collect();
        let keys: Result<Vec<ArrayRef>, GateError> = ground
            .shape
            .keys_of(set)
            .into_iter()
            .map(|key| ground.keys.taken(key, &own))
            .collect();
        let order = sorted_by_keys(&keys?, own.len())?;
        all.extend(order.into_iter().map(|at| own[at]));
    }
    Ok(all)
}

impl Compared {
    /// The sets of one kind of unit: for each cell that of its units and those of chosen arguments, then its parts.
    fn cells(&self, ground: &Ground, members: &Members) -> Result<Vec<Cell>, GateError> {
        let of_cell = |place: &(u32, usize)| self.sets_of(ground, members, *place);
        // As many bytes are half as many units, and these are opened, too.
        let cells = parallel::of_units(members.bytes_of_sets(), &self.places, of_cell);
        let cells = cells.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(cells.into_iter().flatten().collect())
    }

    /// The sets of one cell, the whole of whose parts is to be at a place.
    fn sets_of(
        &self,
        ground: &Ground,
        members: &Members,
        (cell, whole): (u32, usize),
    ) -> Result<Vec<Cell>, GateError> {
        let bases = &self.provenance.bases;
        let per_set = self.sets.len() + 1;
        let mut cells = Vec::with_capacity(per_set);
        let at = cell as usize;
        // Sets of a table follow each other in the order in which they were put.
        let rank = self.ranks[ground.sets[at] as usize];
        let partition = |nth: usize| (rank * per_set + nth) as u32;
        let (grouping, group) = (rank as u32, cell);
        for (nth, set) in self.sets.iter().enumerate() {
            let of_set = bases.iter().filter(|basis| basis.set == *set);
            let statistics: Result<Vec<Statistic>, GateError> = of_set
                .map(|basis| {
                    Ok(Statistic {
                        kind: digest_of(&basis.kind),
                        print: members.print(&basis.prints, at)?,
                        column: basis.column.as_deref().map(digest_of),
                    })
                })
                .collect();
            let mut statistics = statistics?;
            if statistics.is_empty() {
                // That a cell is there is an answer, too.
                statistics.push(digest_of("cell").into());
            }
            cells.push(Cell {
                units: members.units(*set, at)?,
                rows: members.rows(*set, at)?,
                partition: partition(nth),
                statistics,
                part_of: None,
                grouping,
                group,
                is_chosen: *set != 0,
            });
        }
        for part in &self.provenance.parts {
            cells.push(Cell {
                units: members.units(*part, at)?,
                rows: None,
                partition: partition(self.sets.len()),
                statistics: Vec::new(),
                part_of: Some(whole),
                grouping,
                group,
                is_chosen: false,
            });
        }
        Ok(cells)
    }

    /// Withholds cells until nothing is left that must not go beside the rest.
    fn settle(
        &mut self,
        ground: &Ground,
        table: &RecordBatch,
        ruling: &mut Ruling,
        policy: &Policy,
        past: &mut Past<'_>,
    ) -> Result<(), GateError> {
        let statistics_at = ground.shape.statistics_at();
        let columns = &table.columns()[statistics_at..];
        loop {
            // A total with numbers of its own is shown where all of its parts are.
            let shown = Rows::of(ground, ruling, policy)?.cells_with_own_numbers();
            let mut withheld = Vec::new();
            for (nth, (cell, _)) in self.places.iter().enumerate() {
                if ruling.broken[*cell as usize].history {
                    continue;
                }
                let is_undecided = |verdict: &Verdict| *verdict == Verdict::Review;
                let undecided = self.of_cell(nth).any(is_undecided);
                self.undecided |= undecided;
                let origins = self.origins(nth);
                let is_good = |(origin, column): (&Origin, &ArrayRef)| match origin {
                    Origin::Own => true,
                    Origin::Given(bytes) => Numbers::is_of(bytes, column.data_type()),
                    Origin::Like { cell, statistic } => {
                        shown.contains(cell)
                            && columns[*statistic].data_type() == column.data_type()
                    }
                };
                let all_good = |origins: Vec<Origin>| origins.iter().zip(columns).all(is_good);
                if !shown.contains(cell) || !origins.is_some_and(all_good) {
                    withheld.push((nth, *cell));
                }
            }
            if withheld.is_empty() {
                return Ok(());
            }
            let per_cell = self.per_cell();
            for (nth, cell) in &withheld {
                ruling.broken[*cell as usize].history = true;
                let from = self.places[*nth].1;
                for asked in &mut self.asked {
                    (from..from + per_cell).for_each(|at| asked.withhold(at));
                }
            }
            ground.hide_from_crossing(ruling, policy)?;
            for asked in std::mem::take(&mut self.asked) {
                self.asked.push(past.history.again(asked)?);
            }
        }
    }

    /// How many sets are asked for of each cell: its own and its parts.
    fn per_cell(&self) -> usize {
        self.sets.len() + self.provenance.parts.len()
    }

    fn of_cell(&self, nth: usize) -> impl Iterator<Item = &Verdict> {
        let from = self.places[nth].1;
        let sets = from..from + self.sets.len();
        let verdicts = self.asked.iter().map(Asked::verdicts);
        verdicts.flat_map(move |of_kind| of_kind[sets.clone()].iter().flatten())
    }

    /// Where each number of a cell comes from; none where the cell is withheld.
    fn origins(&self, nth: usize) -> Option<Vec<Origin>> {
        let from = self.places[nth].1;
        if self.of_cell(nth).any(is_refused) {
            return None;
        }
        // Whatever one kind of unit is too near to, another one would have to be answered the same for.
        let alone = self.asked.len() == 1;
        if !alone && !self.of_cell(nth).all(is_own) {
            return None;
        }
        let mut origins = Vec::new();
        for (of_statistic, (set, at)) in self.statistics.iter().copied().enumerate() {
            let of = |asked: &Asked| asked.verdicts().get(from + set)?.get(at).cloned();
            let mut verdicts = self.asked.iter().map(of).collect::<Option<Vec<_>>>()?;
            let same = verdicts
                .iter()
                .position(|of| matches!(of, Verdict::Same(_)));
            origins.push(match verdicts.swap_remove(same.unwrap_or(0)) {
                Verdict::Fresh => Origin::Own,
                Verdict::Same(_) if self.again == Again::Yes => Origin::Own,
                Verdict::Same(answer) | Verdict::Near(answer) => Origin::Given(answer),
                Verdict::Like(of, at) => {
                    let (before, cell, statistic) = self.statistic_at(of, at)?;
                    // Numbers are made cell by cell, and in a cell one by one: of those after it none is known yet.
                    if (before, statistic) >= (nth, of_statistic) {
                        return None;
                    }
                    Origin::Like { cell, statistic }
                }
                Verdict::Isolates | Verdict::Review => return None,
            });
        }
        Some(origins)
    }

    /// The cell, by its position among those that were asked for too, and the statistic that are at a place of the question.
    fn statistic_at(&self, of: usize, at: usize) -> Option<(usize, u32, usize)> {
        let per_cell = self.per_cell();
        let (cell, _) = self.places.get(of / per_cell)?;
        let mut places = self.statistics.iter();
        let statistic = places.position(|place| *place == (of % per_cell, at))?;
        Some((of / per_cell, *cell, statistic))
    }

    /// How many of the cells that are shown were answered before, each of their numbers.
    pub(crate) fn cells_same(&self, ruling: &Ruling) -> u64 {
        let is_same = |nth: usize| {
            let mut verdicts = self.of_cell(nth).peekable();
            verdicts.peek().is_some() && verdicts.all(|of| matches!(of, Verdict::Same(_)))
        };
        let places = self.places.iter().enumerate();
        let shown = places.filter(|(_, (cell, _))| !ruling.broken[*cell as usize].history);
        shown.filter(|(nth, _)| is_same(*nth)).count() as u64
    }

    /// Where the numbers of each cell that is shown come from, in the order in which the cells were asked for.
    pub(crate) fn by_cell(&self, ruling: &Ruling) -> Vec<(u32, Vec<Origin>)> {
        let places = self.places.iter().enumerate();
        let shown = places.filter(|(_, (cell, _))| !ruling.broken[*cell as usize].history);
        shown
            .filter_map(|(nth, (cell, _))| Some((*cell, self.origins(nth)?)))
            .collect()
    }

    /// What is to be recorded: the numbers as they were rounded, by statistic and cell.
    pub(crate) fn recording(
        self,
        release: &str,
        number: &dyn Fn(usize, u32) -> Option<Vec<u8>>,
    ) -> Vec<Recording> {
        let (sets, places, bases) = (&self.sets, &self.places, &self.provenance.bases);
        let of_kind = |asked: Asked| {
            let empty = |verdicts: &Vec<Verdict>| vec![None; verdicts.len()];
            let mut answers: Answers = asked.verdicts().iter().map(empty).collect();
            for (cell, from) in places {
                for (nth, set) in sets.iter().enumerate() {
                    let of_set = bases.iter().enumerate().filter(|(_, of)| of.set == *set);
                    let of_set: Vec<usize> = of_set.map(|(statistic, _)| statistic).collect();
                    let verdicts = asked.verdicts()[from + nth].iter().enumerate();
                    let is_new =
                        |verdict: &Verdict| matches!(verdict, Verdict::Fresh | Verdict::Like(..));
                    for (at, verdict) in verdicts.filter(|(_, verdict)| is_new(verdict)) {
                        let answer = match of_set.get(at) {
                            Some(statistic) => number(*statistic, *cell),
                            None => Some(Vec::new()),
                        };
                        if answer.is_some() || *verdict == Verdict::Fresh {
                            // A cell that is not shown was withheld, and nothing of it is fresh.
                            answers[from + nth][at] = Some(answer.unwrap_or_default());
                        }
                    }
                }
            }
            Recording {
                asked,
                release: release.to_owned(),
                answers,
            }
        };
        self.asked.into_iter().map(of_kind).collect()
    }
}

/// Records all that was asked for a table.
pub(crate) fn record(
    recordings: Vec<Recording>,
    history: &mut dyn History,
) -> Result<(), GateError> {
    let releases = recordings.into_iter().map(|of| {
        let release = Release {
            id: of.release,
            answers: of.answers,
        };
        (of.asked, release)
    });
    Ok(history.record_all(releases.collect())?)
}

fn is_own(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fresh | Verdict::Same(_))
}

fn is_refused(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Isolates | Verdict::Review)
}
