//! The same question, asked again: what was shown is shown again, and nothing else.
//!
//! Comparing set by set would come near to that, but not there: within a release numbers decide between the cells of one
//! grouping, and against history sets do, so the second run of one and the same query would be judged more strictly than
//! the first. Who gets the same bytes twice has learnt nothing, so a question that is the same to the last set and print is
//! answered as a whole.

use std::sync::Arc;

use ring::digest::{Context, SHA256};

use crate::near::NewSet;
use crate::question::{Digest, Question, Verdict};

/// A question, and what was shown of it.
pub(crate) struct Shown {
    pub(crate) question: Digest,
    pub(crate) answers: Answers,
}

/// What was shown: one for each statistic of each cell, in their order; none where it was withheld.
pub(crate) type Answers = Arc<[Option<Arc<[u8]>>]>;

/// Stands for all that a question asks. Of sets it takes size and sketch, 1,024 bits under the ledger's key.
pub(crate) fn digest_of(question: &Question, cells: &[NewSet]) -> Digest {
    let mut context = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_le_bytes());
        context.update(bytes);
    };
    add(&question.snapshots);
    add(&question.policy);
    add(&question.units_min.to_le_bytes());
    add(&question.selection.digest);
    add(&[u8::from(question.selection.is_plain)]);
    add(&(question.cells.len() as u64).to_le_bytes());
    for (cell, set) in question.cells.iter().zip(cells) {
        add(&set.sketch.cardinality.to_le_bytes());
        add(&bytes_of(&set.sketch.buckets));
        add(&bytes_of(&[cell.partition, cell.grouping, cell.group]));
        add(&[u8::from(cell.is_chosen)]);
        let weight = cell.rows.as_ref().map_or(0, |rows| rows.weight);
        add(&weight.to_le_bytes());
        add(&cell
            .part_of
            .map_or(u64::MAX, |whole| whole as u64)
            .to_le_bytes());
        add(&(cell.statistics.len() as u64).to_le_bytes());
        for statistic in &cell.statistics {
            add(&statistic.kind);
            add(&bytes_of(&statistic.print));
            add(statistic
                .column
                .as_ref()
                .map_or(&[], |column| column.as_slice()));
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

fn bytes_of(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// The verdicts that show what was shown, but for cells withheld since.
pub(crate) fn verdicts(
    question: &Question,
    shown: &[Option<Arc<[u8]>>],
    withheld: &[bool],
) -> Vec<Vec<Verdict>> {
    let mut shown = shown.iter();
    let cells = question.cells.iter().zip(withheld);
    let verdicts = cells.map(|(cell, withheld)| {
        let of_cell = shown.by_ref().take(cell.statistics.len());
        let verdict = |answer: &Option<Arc<[u8]>>| match answer {
            Some(answer) if !withheld => Verdict::Same(Arc::clone(answer)),
            _ => Verdict::Isolates,
        };
        of_cell.map(verdict).collect()
    });
    verdicts.collect()
}

/// What a release shows, by its verdicts and the answers it gave itself.
pub(crate) fn shown(verdicts: &[Vec<Verdict>], answers: &[Vec<Option<Vec<u8>>>]) -> Answers {
    let cells = verdicts.iter().zip(answers);
    let all = cells.flat_map(|(verdicts, answers)| verdicts.iter().zip(answers));
    let shown = all.map(|(verdict, answer)| match (verdict, answer) {
        (Verdict::Same(answer) | Verdict::Near(answer), _) => Some(Arc::clone(answer)),
        (_, answer) => answer.as_deref().map(Arc::from),
    });
    shown.collect()
}
