//! What one release adds to the ledger, in memory and as bytes.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::question::{Digest, Selection, Statistic};
use crate::repeat::Shown;
use crate::sketch::{BUCKETS, Sketch};

/// What one release adds: sets that were not known, and answers.
pub(crate) struct Entry {
    pub(crate) release: String,
    pub(crate) population: String,
    pub(crate) snapshots: Digest,
    pub(crate) policy: Digest,
    pub(crate) selection: Selection,
    /// Sets that were not known. Their places follow those of the population's sets so far.
    pub(crate) sketches: Vec<Sketch>,
    /// Whether the sketches are as they are made by now. Those of the first forms were of other hashes, and are made anew.
    pub(crate) has_sketches: bool,
    pub(crate) answers: Vec<Answered>,
    pub(crate) partitions: Vec<Partitioned>,
    /// New sets that are parts of others.
    pub(crate) parts: Vec<u32>,
    /// Sets that were known as parts of others, and are more from here on.
    pub(crate) chosen: Vec<u32>,
    /// Sets that are unions of what the release showed.
    pub(crate) unions: Vec<u32>,
    /// Sets of whole groups.
    pub(crate) selected: Vec<u32>,
    /// The question and all that was shown of it, where it was not asked before.
    pub(crate) shown: Option<Shown>,
    /// Cells whose rows are looked at together with others; entries of the first forms say nothing of them.
    pub(crate) summed: Option<Summed>,
}

/// Cells of a release whose rows are looked at together with others.
pub(crate) struct Summed {
    /// Whether some unit is in several cells of one table.
    pub(crate) shares_units: bool,
    /// The sets' places in their population, and which units have other rows than their first, where there are any.
    pub(crate) cells: Vec<(u32, Option<Several>)>,
}

/// Units that have other rows than their first: what they weigh in all, and each where they are few, as [`crate::Rows`] says. Two
/// sets for each of these follow the sets of the entry.
pub(crate) struct Several {
    pub(crate) weight: u64,
    pub(crate) noted: Option<Arc<[(u32, u64)]>>,
}

/// Cells that share no unit and were released together.
pub(crate) struct Partitioned {
    /// The sets' places in their population.
    pub(crate) cells: Vec<u32>,
    /// The cell of every 8th unit, by unit id over 8.
    pub(crate) labels: Vec<(u32, u16)>,
}

/// An answer to one statistic of one set.
pub(crate) struct Answered {
    /// The set's place in its population.
    pub(crate) set: u32,
    pub(crate) statistic: Statistic,
    pub(crate) answer: Arc<[u8]>,
}

/// An entry with the sets themselves, one per sketch, and those of units with several rows.
pub(crate) struct NewEntry {
    pub(crate) entry: Entry,
    pub(crate) sets: Vec<Arc<RoaringBitmap>>,
    /// The sets that were added to the combinations when it was judged, in this order.
    pub(crate) added: Vec<u32>,
}

/// Where the bytes of a set are among those of its release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
}

impl Entry {
    /// The bytes of an entry whose sets are at these spans. All numbers are little-endian.
    pub(crate) fn write(&self, spans: &[Span]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.sketches.len() * 180);
        write_text(&mut bytes, &self.release);
        write_text(&mut bytes, &self.population);
        bytes.extend_from_slice(&self.snapshots);
        bytes.extend_from_slice(&self.policy);
        bytes.extend_from_slice(&self.selection.digest);
        bytes.push(u8::from(self.selection.is_plain));
        bytes.extend_from_slice(&(self.sketches.len() as u32).to_le_bytes());
        for (sketch, span) in self.sketches.iter().zip(spans) {
            write_sketch(&mut bytes, sketch);
            bytes.extend_from_slice(&span.offset.to_le_bytes());
            bytes.extend_from_slice(&span.bytes.to_le_bytes());
        }
        let kinds = self.answers.iter().map(|of| &of.statistic.kind);
        let mut statistics: Vec<&Digest> = kinds.collect();
        statistics.sort_unstable();
        statistics.dedup();
        bytes.extend_from_slice(&(statistics.len() as u32).to_le_bytes());
        statistics
            .iter()
            .for_each(|of| bytes.extend_from_slice(*of));
        bytes.extend_from_slice(&(self.answers.len() as u32).to_le_bytes());
        for of in &self.answers {
            let statistic = statistics.partition_point(|other| **other < of.statistic.kind);
            bytes.extend_from_slice(&of.set.to_le_bytes());
            bytes.extend_from_slice(&(statistic as u32).to_le_bytes());
            bytes.extend_from_slice(&(of.answer.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&of.answer);
            write_places(&mut bytes, &of.statistic.print);
            bytes.push(u8::from(of.statistic.column.is_some()));
            bytes.extend_from_slice(&of.statistic.column.unwrap_or_default());
        }
        bytes.extend_from_slice(&(self.partitions.len() as u32).to_le_bytes());
        for of in &self.partitions {
            write_places(&mut bytes, &of.cells);
            bytes.extend_from_slice(&(of.labels.len() as u32).to_le_bytes());
            let mut after = 0;
            for (at, label) in &of.labels {
                // Mostly one byte where most units are in a cell.
                write_short(&mut bytes, at - after);
                after = at + 1;
                bytes.extend_from_slice(&label.to_le_bytes());
            }
        }
        write_places(&mut bytes, &self.parts);
        write_places(&mut bytes, &self.chosen);
        write_places(&mut bytes, &self.unions);
        write_places(&mut bytes, &self.selected);
        bytes.push(u8::from(self.shown.is_some()));
        if let Some(shown) = &self.shown {
            bytes.extend_from_slice(&shown.question);
            bytes.extend_from_slice(&(shown.answers.len() as u32).to_le_bytes());
            for answer in shown.answers.iter() {
                bytes.push(u8::from(answer.is_some()));
                if let Some(answer) = answer {
                    bytes.extend_from_slice(&(answer.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(answer);
                }
            }
        }
        if let Some(summed) = &self.summed {
            bytes.push(u8::from(summed.shares_units));
            bytes.extend_from_slice(&(summed.cells.len() as u32).to_le_bytes());
            let mut spans = spans[self.sketches.len()..].chunks(2);
            for (set, several) in &summed.cells {
                bytes.extend_from_slice(&set.to_le_bytes());
                bytes.push(u8::from(several.is_some()));
                if let Some(Several { weight, noted }) = several {
                    bytes.extend_from_slice(&weight.to_le_bytes());
                    bytes.push(u8::from(noted.is_some()));
                    if let Some(noted) = noted {
                        bytes.extend_from_slice(&(noted.len() as u32).to_le_bytes());
                        for (unit, weight) in noted.iter() {
                            bytes.extend_from_slice(&unit.to_le_bytes());
                            bytes.extend_from_slice(&weight.to_le_bytes());
                        }
                    }
                    for span in spans.next().into_iter().flatten() {
                        bytes.extend_from_slice(&span.offset.to_le_bytes());
                        bytes.extend_from_slice(&span.bytes.to_le_bytes());
                    }
                }
            }
            if self.has_sketches {
                bytes.push(1);
            }
        }
        bytes
    }

    /// An entry from its bytes; none where they are not those of one.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Entry, Vec<Span>)> {
        let mut input = Input(bytes);
        let release = input.text()?;
        let population = input.text()?;
        let (snapshots, policy) = (input.digest()?, input.digest()?);
        let selection = Selection {
            digest: input.digest()?,
            is_plain: input.flag()?,
        };
        let mut sketches = Vec::new();
        let mut spans = Vec::new();
        for _ in 0..input.number()? {
            sketches.push(read_sketch(&mut input)?);
            spans.push(input.span()?);
        }
        let mut statistics = Vec::new();
        for _ in 0..input.number()? {
            statistics.push(input.digest()?);
        }
        let mut answers = Vec::new();
        for _ in 0..input.number()? {
            let (set, kind) = (input.number()?, *statistics.get(input.number()? as usize)?);
            let answer = input.counted()?.into();
            let print = input.numbers()?.into();
            let has_column = input.flag()?;
            let column = Some(input.digest()?).filter(|_| has_column);
            answers.push(Answered {
                set,
                statistic: Statistic {
                    kind,
                    print,
                    column,
                },
                answer,
            });
        }
        let mut partitions = Vec::new();
        for _ in 0..input.number()? {
            let cells = input.numbers()?;
            let mut labels = Vec::new();
            let mut after = 0_u32;
            for _ in 0..input.number()? {
                let at = after.checked_add(input.short()?)?;
                labels.push((at, input.label()?));
                after = at.checked_add(1)?;
            }
            partitions.push(Partitioned { cells, labels });
        }
        let (parts, chosen) = (input.numbers()?, input.numbers()?);
        let (unions, selected) = (input.numbers()?, input.numbers()?);
        // Entries of the first form end here.
        let shown = if !input.0.is_empty() && input.flag()? {
            Some(read_shown(&mut input)?)
        } else {
            None
        };
        // And entries of the second form here.
        let summed = if input.0.is_empty() {
            None
        } else {
            Some(read_summed(&mut input, &mut spans)?)
        };
        // And entries of the third form here.
        let has_sketches = !input.0.is_empty() && input.flag()?;
        let entry = Entry {
            shown,
            summed,
            selection,
            parts,
            chosen,
            unions,
            selected,
            release,
            population,
            snapshots,
            policy,
            sketches,
            has_sketches,
            answers,
            partitions,
        };
        input.0.is_empty().then_some((entry, spans))
    }
}

fn read_shown(input: &mut Input<'_>) -> Option<Shown> {
    let question = input.digest()?;
    let mut answers = Vec::new();
    for _ in 0..input.number()? {
        let is_shown = input.flag()?;
        let answer = if is_shown {
            Some(input.counted()?.into())
        } else {
            None
        };
        answers.push(answer);
    }
    let answers = answers.into();
    Some(Shown { question, answers })
}

fn read_summed(input: &mut Input<'_>, spans: &mut Vec<Span>) -> Option<Summed> {
    let shares_units = input.flag()?;
    let mut cells = Vec::new();
    for _ in 0..input.number()? {
        let (set, has_several) = (input.number()?, input.flag()?);
        let mut several = None;
        if has_several {
            let (weight, is_noted) = (input.long()?, input.flag()?);
            let mut noted = None;
            if is_noted {
                let units = (0..input.number()?).map(|_| Some((input.number()?, input.long()?)));
                noted = Some(units.collect::<Option<Arc<[_]>>>()?);
            }
            several = Some(Several { weight, noted });
            spans.push(input.span()?);
            spans.push(input.span()?);
        }
        cells.push((set, several));
    }
    Some(Summed {
        shares_units,
        cells,
    })
}

fn write_places(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// One byte below 255, five otherwise.
fn write_short(bytes: &mut Vec<u8>, number: u32) {
    match u8::try_from(number) {
        Ok(short) if short < u8::MAX => bytes.push(short),
        _ => {
            bytes.push(u8::MAX);
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
}

fn write_sketch(bytes: &mut Vec<u8>, sketch: &Sketch) {
    bytes.extend_from_slice(&sketch.cardinality.to_le_bytes());
    for bucket in sketch.buckets {
        bytes.extend_from_slice(&bucket.to_le_bytes());
    }
    bytes.push(sketch.lowest.len() as u8);
    for unit in &sketch.lowest {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
}

fn read_sketch(input: &mut Input<'_>) -> Option<Sketch> {
    let mut sketch = Sketch::empty();
    sketch.cardinality = input.long()?;
    for bucket in &mut sketch.buckets {
        *bucket = input.number()?;
    }
    let lowest = usize::from(*input.take(1)?.first()?);
    if lowest > BUCKETS {
        return None;
    }
    let lowest: Option<Box<[u32]>> = (0..lowest).map(|_| input.number()).collect();
    sketch.lowest = lowest?;
    Some(sketch)
}

/// Bytes that are read from the front.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn numbers(&mut self) -> Option<Vec<u32>> {
        (0..self.number()?).map(|_| self.number()).collect()
    }

    fn short(&mut self) -> Option<u32> {
        match *self.take(1)?.first()? {
            u8::MAX => self.number(),
            short => Some(u32::from(short)),
        }
    }

    fn label(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn span(&mut self) -> Option<Span> {
        Some(Span {
            offset: self.long()?,
            bytes: self.number()?,
        })
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take(32)?.try_into().ok()
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.number()?;
        self.take(count as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.counted()?.to_vec()).ok()
    }
}
