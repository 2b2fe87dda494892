//! The second implementation: every set against every set, in sets of the standard library.

use std::collections::BTreeSet;

use weir_ledger::{Answers, Digest, Question, Verdict};

type Units = BTreeSet<u32>;

struct Answered {
    statistic: Digest,
    snapshots: Digest,
    policy: Digest,
    answer: Vec<u8>,
}

/// A recorded set; without an answer where it is a union.
struct Entry {
    units: Units,
    answered: Option<Answered>,
}

#[derive(Default)]
pub(crate) struct Naive {
    entries: Vec<Entry>,
}

/// Verdicts, and the unions that are recorded with them.
pub(crate) struct Judged {
    pub(crate) verdicts: Vec<Vec<Verdict>>,
    unions: Vec<Units>,
}

fn distance(one: &Units, other: &Units) -> usize {
    one.symmetric_difference(other).count()
}

fn is_own(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fresh | Verdict::Same(_))
}

impl Naive {
    fn isolates(
        &self,
        units: &Units,
        released: &[(Option<usize>, Units)],
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
        let known = self.entries.iter().map(|entry| &entry.units);
        for other in known.chain(released.iter().map(|(_, units)| units)) {
            let rest = everything
                .as_ref()
                .map(|all| all.difference(other).copied().collect());
            for other in [Some(other), rest.as_ref()].into_iter().flatten() {
                if (1..k).contains(&distance(units, other)) {
                    return true;
                }
            }
        }
        false
    }

    fn verdict(
        &self,
        units: &Units,
        statistic: &Digest,
        isolates: bool,
        question: &Question,
    ) -> (Verdict, Option<Units>) {
        let k = question.units_min.max(3) as usize;
        let of_statistic = |entry: &&Entry| {
            entry
                .answered
                .as_ref()
                .is_some_and(|of| of.statistic == *statistic)
        };
        let answer = |entry: &Entry| {
            entry
                .answered
                .as_ref()
                .map(|of| of.answer.as_slice().into())
        };
        let same = self.entries.iter().filter(of_statistic).find(|entry| {
            let of = entry.answered.as_ref().unwrap();
            entry.units == *units
                && of.snapshots == question.snapshots
                && of.policy == question.policy
        });
        if let Some(entry) = same {
            return (Verdict::Same(answer(entry).unwrap()), None);
        }
        if !isolates {
            return (Verdict::Fresh, None);
        }
        let near = self.entries.iter().filter(of_statistic);
        match near
            .into_iter()
            .find(|entry| distance(units, &entry.units) < k)
        {
            Some(entry) => (
                Verdict::Near(answer(entry).unwrap()),
                Some(entry.units.clone()),
            ),
            None => (Verdict::Isolates, None),
        }
    }

    pub(crate) fn ask(&self, question: &Question, withheld: &[usize]) -> Judged {
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
        let mut released: Vec<(Option<usize>, Units)> = Vec::new();
        let mut unions = Vec::new();
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
                let isolates = self.isolates(&cells[*cell], &released, question);
                for (place, statistic) in question.cells[*cell].statistics.iter().enumerate() {
                    let (verdict, other) =
                        self.verdict(&cells[*cell], statistic, isolates, question);
                    verdicts[*cell][place] = verdict;
                    answering[*cell].extend(other);
                }
                if verdicts[*cell].iter().any(is_own) {
                    released.push((Some(*cell), cells[*cell].clone()));
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
                let fresh = here
                    .iter()
                    .copied()
                    .filter(|cell| verdicts[*cell].contains(&Verdict::Fresh));
                let smallest = fresh.min_by_key(|cell| (cells[*cell].len(), usize::MAX - cell));
                if !self.isolates(&union, &released, question) {
                    released.push((None, union.clone()));
                    unions.push(union);
                    break;
                }
                let Some(cell) = smallest else {
                    unions.push(union);
                    break;
                };
                for verdict in &mut verdicts[cell] {
                    if *verdict == Verdict::Fresh {
                        *verdict = Verdict::Isolates;
                    }
                }
                if !verdicts[cell].iter().any(is_own) {
                    released.retain(|(of, _)| *of != Some(cell));
                }
            }
        }
        Judged { verdicts, unions }
    }

    pub(crate) fn record(&mut self, question: &Question, judged: Judged, answers: &Answers) {
        for (cell, answers) in question.cells.iter().zip(answers) {
            for (statistic, answer) in cell.statistics.iter().zip(answers) {
                if let Some(answer) = answer {
                    self.entries.push(Entry {
                        units: cell.units.iter().collect(),
                        answered: Some(Answered {
                            statistic: *statistic,
                            snapshots: question.snapshots,
                            policy: question.policy,
                            answer: answer.clone(),
                        }),
                    });
                }
            }
        }
        for units in judged.unions {
            self.entries.push(Entry {
                units,
                answered: None,
            });
        }
    }
}
