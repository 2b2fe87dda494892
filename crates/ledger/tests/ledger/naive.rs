//! The second implementation: every set against every set, in sets of the standard library.

use std::collections::BTreeSet;

use weir_ledger::{Answers, Digest, Question, Selection, Statistic, Verdict};

type Units = BTreeSet<u32>;

struct Answered {
    statistic: Statistic,
    snapshots: Digest,
    policy: Digest,
    selection: Selection,
    is_chosen: bool,
    answer: Vec<u8>,
}

/// A recorded set; without an answer where it is a union, or a part of a cell.
struct Entry {
    units: Units,
    answered: Option<Answered>,
    is_part: bool,
    /// Of several cells.
    is_union: bool,
}

/// A set of the release that is asked about: its cell, whether it is a part of one, and its units.
type Here = (Option<usize>, bool, Units);

#[derive(Default)]
pub(crate) struct Naive {
    entries: Vec<Entry>,
    /// Cells that share no unit and were released together.
    partitions: Vec<Vec<Units>>,
    /// Every question, and what was shown of it.
    shown: Vec<(Question, Answers)>,
}

/// Whether two questions ask the same in every respect.
fn is_same(one: &Question, other: &Question) -> bool {
    let about = |of: &Question| (of.snapshots, of.policy, of.units_min, of.population.clone());
    let pairs = || one.cells.iter().zip(&other.cells);
    about(one) == about(other)
        && one.selection == other.selection
        && one.cells.len() == other.cells.len()
        && pairs().all(|(one, other)| {
            let place = |of: &weir_ledger::Cell| {
                (
                    of.partition,
                    of.grouping,
                    of.group,
                    of.part_of,
                    of.is_chosen,
                )
            };
            place(one) == place(other)
                && one.units == other.units
                && one.statistics == other.statistics
        })
}

/// Verdicts, and the unions that are recorded with them.
pub(crate) struct Judged {
    pub(crate) verdicts: Vec<Vec<Verdict>>,
    unions: Vec<Units>,
    partitions: Vec<Vec<Units>>,
}

fn union_of<'a>(cells: impl Iterator<Item = &'a Units>) -> Units {
    cells.flatten().copied().collect()
}

/// How far a set is from the nearest union of some of the cells, by trying all.
fn nearest(cells: &[Units], units: &Units) -> usize {
    let some = |taken: usize| {
        let cells = cells.iter().enumerate();
        union_of(
            cells
                .filter(|(at, _)| taken >> at & 1 == 1)
                .map(|(_, cell)| cell),
        )
    };
    (0..1_usize << cells.len())
        .map(|taken| distance(&some(taken), units))
        .min()
        .unwrap_or(0)
}

/// The cells of a partition, by their positions, that cannot be released beside the others; none where that is not
/// looked for.
fn too_much(
    cells: &[(usize, Units)],
    fresh: &[usize],
    known: &[Vec<Units>],
    k: usize,
    union_isolates: bool,
) -> Option<Vec<usize>> {
    let few = |distance: usize| (1..k).contains(&distance);
    let fresh_cells = || cells.iter().filter(|(cell, _)| fresh.contains(cell));
    let smallest = |in_set: &dyn Fn(&Units) -> bool| -> Vec<usize> {
        let cells = fresh_cells().filter(|(_, units)| in_set(units));
        let smallest = cells.min_by_key(|(cell, units)| (units.len(), usize::MAX - cell));
        smallest.map(|(cell, _)| *cell).into_iter().collect()
    };
    let units: Vec<Units> = cells.iter().map(|(_, units)| units.clone()).collect();
    let all = union_of(units.iter());
    if all.len() != units.iter().map(Units::len).sum::<usize>() {
        return union_isolates.then(|| smallest(&|_| true));
    }
    let isolates = |units: &Units| known.iter().any(|known| few(nearest(known, units)));
    let too_near: Vec<usize> = fresh_cells()
        .filter(|(_, units)| isolates(units))
        .map(|(cell, _)| *cell)
        .collect();
    if !too_near.is_empty() {
        return Some(too_near);
    }
    if union_isolates || isolates(&all) {
        return Some(smallest(&|_| true)).filter(|cells| !cells.is_empty());
    }
    for known in known {
        for set in known.iter().chain([&union_of(known.iter())]) {
            let mostly_in = |units: &Units| 2 * units.intersection(set).count() > units.len();
            if few(nearest(&units, set)) && !smallest(&mostly_in).is_empty() {
                return Some(smallest(&mostly_in));
            }
        }
    }
    Some(Vec::new())
}

fn distance(one: &Units, other: &Units) -> usize {
    one.symmetric_difference(other).count()
}

fn is_own(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fresh | Verdict::Same(_))
}

/// In how many places the prints of two statistics that can be subtracted differ, and in how many they are alike.
fn differ(one: &Statistic, other: &Statistic) -> Option<(usize, usize)> {
    assert_eq!(one.print.len(), other.print.len());
    let pairs = || one.print.iter().zip(other.print.iter());
    let columns = match (one.column, other.column) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let differ = pairs().filter(|(one, other)| one != other).count();
    let alike = pairs()
        .filter(|(one, other)| one == other && **one > 0)
        .count();
    (one.kind == other.kind && columns).then_some((differ, alike))
}

/// Whether two statistics, so many units apart, subtract to a few.
fn near(one: &Statistic, other: &Statistic, distance: usize, k: usize, by_number: bool) -> bool {
    let Some((differ, alike)) = differ(one, other) else {
        return false;
    };
    let columns = one.column.is_some() && other.column.is_some();
    let by_chance = by_number && columns && alike < differ;
    let nothing = alike == 0 && differ > 0;
    differ < k && distance < k && differ + distance > 0 && !by_chance && !nothing
}

/// Whether two cells have no row in common, or nobody chose either.
fn is_beside(question: &Question, cell: usize, other: usize) -> bool {
    let (cell, other) = (&question.cells[cell], &question.cells[other]);
    let plain = question.selection.is_plain && !cell.is_chosen && !other.is_chosen;
    plain || (cell.grouping == other.grouping && cell.group != other.group)
}

impl Naive {
    fn is_part(&self, units: &Units) -> bool {
        let mut of = self.entries.iter().filter(|entry| entry.units == *units);
        of.all(|entry| entry.is_part)
    }

    /// Whether a cell is compared with this set by its numbers.
    fn by_number(&self, units: &Units, cell: usize, question: &Question) -> bool {
        let of_set = || self.entries.iter().filter(|entry| entry.units == *units);
        let (selection, snapshots) = (question.selection, question.snapshots);
        let alike = |of: &Answered| {
            !question.cells[cell].is_chosen
                && !of.is_chosen
                && of.snapshots == snapshots
                && (of.selection == selection || (of.selection.is_plain && selection.is_plain))
        };
        !of_set().any(|entry| entry.is_union)
            && of_set().any(|entry| entry.answered.as_ref().is_some_and(alike))
    }

    fn isolates(
        &self,
        units: &Units,
        cell: Option<usize>,
        released: &[Here],
        question: &Question,
    ) -> bool {
        let k = question.units_min.max(3) as usize;
        let everything: Option<Units> = question.population_units.map(|units| (0..units).collect());
        let left = question
            .population_units
            .map_or(0, |all| all as usize - units.len());
        if (1..k).contains(&left) {
            return true;
        }
        let everything = everything.filter(|_| left >= k);
        let recorded = |units: &Units| self.entries.iter().any(|entry| entry.units == *units);
        let is_known = recorded(units) && !self.is_part(units);
        let is_here = |(_, is_part, other): &Here| !is_part && other == units;
        let is_known_here = is_known || released.iter().any(is_here);
        let known = self.entries.iter().map(|entry| &entry.units);
        let known = known.filter(|other| !is_known || !self.is_part(other));
        let here = released.iter();
        let here = here.filter(|(_, is_part, _)| !is_known_here || !is_part);
        let beside = |other: usize| cell.is_some_and(|cell| is_beside(question, cell, other));
        let by_number =
            |other: &Units| cell.is_some_and(|cell| self.by_number(other, cell, question));
        let known = known.map(|other| (other, by_number(other)));
        let here = here.map(|(of, is_part, other)| (other, !is_part && of.is_some_and(beside)));
        for (other, by_number) in known.chain(here) {
            let rest = everything
                .as_ref()
                .map(|all| all.difference(other).copied().collect());
            let whole = Some(other).filter(|_| !by_number);
            for other in [whole, rest.as_ref()].into_iter().flatten() {
                if (1..k).contains(&distance(units, other)) {
                    return true;
                }
            }
        }
        self.is_tracker(units, k)
    }

    /// Whether this set and a known one make up the union of a partition, but for a few units.
    fn is_tracker(&self, units: &Units, k: usize) -> bool {
        for partition in &self.partitions {
            let union = union_of(partition.iter());
            if union.len() < units.len() + k {
                continue;
            }
            for known in self.entries.iter().map(|entry| &entry.units) {
                let has = |set: &Units, unit: &u32| i32::from(set.contains(unit));
                let all: BTreeSet<u32> = union.iter().chain(units).chain(known).copied().collect();
                let left = |unit: &u32| has(&union, unit) - has(units, unit) - has(known, unit);
                let distance: usize = all
                    .iter()
                    .map(|unit| left(unit).unsigned_abs() as usize)
                    .sum();
                if (1..k).contains(&distance) {
                    return true;
                }
            }
        }
        false
    }

    fn verdict(
        &self,
        (cell, place): (usize, usize),
        cells: &[Units],
        verdicts: &[Vec<Verdict>],
        released: &[Here],
        isolates: bool,
        question: &Question,
    ) -> (Verdict, Option<Units>) {
        let k = question.units_min.max(3) as usize;
        let (units, statistic) = (&cells[cell], &question.cells[cell].statistics[place]);
        let is = |entry: &Entry| {
            let of = entry.answered.as_ref();
            let differ = of.and_then(|of| differ(&of.statistic, statistic));
            differ.is_some_and(|(differ, _)| differ == 0)
        };
        let is_near = |entry: &Entry| {
            let by_number = self.by_number(&entry.units, cell, question);
            let distance = distance(units, &entry.units);
            let of = entry.answered.as_ref();
            of.is_some_and(|of| near(&of.statistic, statistic, distance, k, by_number))
        };
        let answer = |entry: &Entry| {
            entry
                .answered
                .as_ref()
                .map(|of| of.answer.as_slice().into())
        };
        let same = self.entries.iter().filter(|entry| is(entry));
        let same = same.into_iter().find(|entry| {
            let of = entry.answered.as_ref().unwrap();
            entry.units == *units
                && of.snapshots == question.snapshots
                && of.policy == question.policy
        });
        if let Some(entry) = same {
            return (Verdict::Same(answer(entry).unwrap()), None);
        }
        let differs = self.entries.iter().any(is_near);
        let mut like = None;
        let same_cell = std::iter::once(cell).chain((0..cells.len()).filter(|other| {
            let is_it = |(of, _, _): &Here| *of == Some(*other);
            *other != cell && released.iter().any(is_it)
        }));
        for of in same_cell {
            for (at, other) in question.cells[of].statistics.iter().enumerate() {
                let comes_before = of != cell || at < place;
                let answered = || is_own(&verdicts[of][at]);
                let beside = is_beside(question, cell, of);
                let apart = distance(units, &cells[of]);
                let is_near = near(other, statistic, apart, k, of != cell && beside);
                if like.is_none() && comes_before && is_near && answered() {
                    like = Some(Verdict::Like(of, at));
                }
            }
        }
        if !isolates && !differs && like.is_none() {
            return (Verdict::Fresh, None);
        }
        let close = |entry: &&Entry| distance(units, &entry.units) < k;
        let answers = |entry: &&Entry| is(entry) || is_near(entry);
        let near = self.entries.iter().filter(close).find(answers);
        match (near, like) {
            (Some(entry), _) => (
                Verdict::Near(answer(entry).unwrap()),
                Some(entry.units.clone()),
            ),
            (None, Some(like)) => (like, None),
            _ => (Verdict::Isolates, None),
        }
    }

    pub(crate) fn ask(&self, question: &Question, withheld: &[usize]) -> Judged {
        let before = self.shown.iter().find(|(of, _)| is_same(of, question));
        if let Some((_, shown)) = before {
            let verdict = |cell: usize, answer: &Option<Vec<u8>>| match answer {
                Some(answer) if !withheld.contains(&cell) => Verdict::Same(answer.clone().into()),
                _ => Verdict::Isolates,
            };
            let cells = shown.iter().enumerate();
            let of_cell = |(cell, shown): (usize, &Vec<Option<Vec<u8>>>)| {
                shown.iter().map(|answer| verdict(cell, answer)).collect()
            };
            return Judged {
                verdicts: cells.map(of_cell).collect(),
                unions: Vec::new(),
                partitions: Vec::new(),
            };
        }
        let cells: Vec<Units> = question
            .cells
            .iter()
            .map(|cell| cell.units.iter().collect())
            .collect();
        let mut verdicts: Vec<Vec<Verdict>> = question
            .cells
            .iter()
            .map(|cell| vec![Verdict::Isolates; cell.statistics.len()])
            .collect();
        let mut answering: Vec<Vec<Units>> = vec![Vec::new(); cells.len()];
        let mut released: Vec<Here> = Vec::new();
        let mut unions = Vec::new();
        let mut parted: Vec<Vec<Units>> = Vec::new();
        let k = question.units_min.max(3) as usize;
        let partitions: BTreeSet<u32> = question.cells.iter().map(|cell| cell.partition).collect();
        for partition in partitions {
            let here = |cell: &usize| {
                question.cells[*cell].partition == partition && !withheld.contains(cell)
            };
            let here: Vec<usize> = (0..cells.len()).filter(here).collect();
            for cell in &here {
                if cells[*cell].len() < question.units_min.max(3) as usize {
                    continue;
                }
                if let Some(whole) = question.cells[*cell].part_of {
                    if verdicts[whole].iter().any(is_own) {
                        released.push((Some(*cell), true, cells[*cell].clone()));
                    }
                    continue;
                }
                let isolates = self.isolates(&cells[*cell], Some(*cell), &released, question);
                for place in 0..question.cells[*cell].statistics.len() {
                    let at = (*cell, place);
                    let (verdict, other) =
                        self.verdict(at, &cells, &verdicts, &released, isolates, question);
                    verdicts[*cell][place] = verdict;
                    answering[*cell].extend(other);
                }
                if verdicts[*cell].iter().any(is_own) {
                    released.push((Some(*cell), false, cells[*cell].clone()));
                }
            }
            loop {
                let mut union = Units::new();
                for cell in &here {
                    if verdicts[*cell].iter().any(is_own) {
                        union.extend(&cells[*cell]);
                    }
                    answering[*cell]
                        .iter()
                        .for_each(|units| union.extend(units));
                }
                if union.is_empty() {
                    break;
                }
                let fresh = |cell: &usize| verdicts[*cell].contains(&Verdict::Fresh);
                let fresh: Vec<usize> = here.iter().copied().filter(fresh).collect();
                let own = |cell: &&usize| verdicts[**cell].iter().any(is_own);
                let own = here.iter().filter(own);
                let own: Vec<(usize, Units)> =
                    own.map(|cell| (*cell, cells[*cell].clone())).collect();
                let known = [self.partitions.as_slice(), parted.as_slice()].concat();
                let isolates = self.isolates(&union, None, &released, question);
                let found = too_much(&own, &fresh, &known, k, isolates);
                let keeps = found.as_ref().is_some_and(Vec::is_empty);
                let withhold = found.unwrap_or_default();
                if withhold.is_empty() {
                    if keeps {
                        parted.push(own.into_iter().map(|(_, units)| units).collect());
                    }
                    released.push((None, false, union.clone()));
                    unions.push(union);
                    break;
                }
                for cell in withhold {
                    for verdict in &mut verdicts[cell] {
                        if *verdict == Verdict::Fresh {
                            *verdict = Verdict::Isolates;
                        }
                    }
                    if !verdicts[cell].iter().any(is_own) {
                        released.retain(|(of, _, _)| *of != Some(cell));
                    }
                }
            }
        }
        Judged {
            verdicts,
            unions,
            partitions: parted,
        }
    }

    pub(crate) fn record(&mut self, question: &Question, judged: Judged, answers: &Answers) {
        if !self.shown.iter().any(|(of, _)| is_same(of, question)) {
            let cells = judged.verdicts.iter().zip(answers);
            let of_cell = |(verdicts, answers): (&Vec<Verdict>, &Vec<Option<Vec<u8>>>)| {
                let pairs = verdicts.iter().zip(answers);
                let shown = pairs.map(|(verdict, answer)| match verdict {
                    Verdict::Same(shown) | Verdict::Near(shown) => Some(shown.to_vec()),
                    _ => answer.clone(),
                });
                shown.collect()
            };
            self.shown
                .push((question.clone(), cells.map(of_cell).collect()));
        }
        let cells = question.cells.iter().zip(answers);
        let answered = cells.filter(|(_, answers)| answers.iter().any(Option::is_some));
        let answered: BTreeSet<Vec<u32>> = answered
            .map(|(cell, _)| cell.units.iter().collect())
            .collect();
        for (cell, answers) in question.cells.iter().zip(answers) {
            for (statistic, answer) in cell.statistics.iter().zip(answers) {
                if let Some(answer) = answer {
                    self.entries.push(Entry {
                        units: cell.units.iter().collect(),
                        answered: Some(Answered {
                            statistic: statistic.clone(),
                            snapshots: question.snapshots,
                            policy: question.policy,
                            selection: question.selection,
                            is_chosen: cell.is_chosen,
                            answer: answer.clone(),
                        }),
                        is_part: false,
                        is_union: false,
                    });
                }
            }
            let whole = cell.part_of.map(|whole| &judged.verdicts[whole]);
            if whole.is_some_and(|whole| whole.iter().any(is_own)) {
                self.entries.push(Entry {
                    units: cell.units.iter().collect(),
                    answered: None,
                    is_part: true,
                    is_union: false,
                });
            }
        }
        self.partitions.extend(judged.partitions.clone());
        for units in judged.unions {
            self.entries.push(Entry {
                units,
                answered: None,
                is_part: false,
                is_union: answered.len() > 1,
            });
        }
        for cells in &judged.partitions {
            for units in cells {
                self.entries.push(Entry {
                    units: units.clone(),
                    answered: None,
                    is_part: false,
                    is_union: false,
                });
            }
        }
    }
}
