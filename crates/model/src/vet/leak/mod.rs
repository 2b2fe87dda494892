//! Leak tests: whatever is done to the other rows, a row's answer stays the same to the bit.
//!
//! Every row is first answered alone, in an instance that has seen nothing else. Then rows are dropped, doubled, shuffled,
//! cut into batches and spread over threads, with rows of canaries between them, and every answer is held against the one
//! that the row got alone. A model that could carry anything from one row to another would have to answer otherwise
//! somewhere; a runtime that let it would be found out here.

mod plan;
#[cfg(test)]
mod tests;

use std::time::Instant;

use arrow::array::{Array, ArrayRef, StructArray, UInt32Array};
use arrow::compute::{concat, take};

use super::prng::Prng;
use super::report::TestReport;
use crate::bind::Binding;
use crate::error::ModelError;
use crate::evaluate::Evaluator;
use plan::{Trial, trials};

/// Rows evaluated per synthetic row, all tests together, rounded up.
pub(super) const EVALUATIONS_PER_ROW: u64 = 40;

/// Answers batches; what a model is to these tests.
pub(super) trait Answers: Send {
    fn answer(&mut self, columns: &[ArrayRef], rows: usize) -> Result<StructArray, ModelError>;
}

/// Makes what answers.
pub(super) trait Subject: Sync {
    /// An evaluator that has seen no row.
    fn fresh(&self) -> Box<dyn Answers>;
}

impl Answers for Evaluator {
    fn answer(&mut self, columns: &[ArrayRef], rows: usize) -> Result<StructArray, ModelError> {
        self.evaluate(columns, rows)
    }
}

impl Subject for Binding {
    fn fresh(&self) -> Box<dyn Answers> {
        Box::new(self.evaluator())
    }
}

/// Where an answer was another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leak {
    /// The test that found it.
    pub(super) test: &'static str,
    /// The synthetic row.
    pub(super) row: u32,
    /// The output that differs.
    pub(super) column: String,
}

/// The outcome of all tests.
pub(super) struct Outcome {
    pub(super) tests: Vec<TestReport>,
    pub(super) leaks: Vec<Leak>,
    /// Each row's answer alone; the last are those to canaries.
    pub(super) alone: StructArray,
}

/// Synthetic rows, of which the last `canaries` are canaries.
pub(super) struct Field<'a> {
    pub(super) columns: &'a [ArrayRef],
    pub(super) rows: usize,
    pub(super) canaries: usize,
}

/// Runs every test that begins before the deadline.
pub(super) fn run(
    subject: &dyn Subject,
    field: &Field<'_>,
    seed: u64,
    deadline: Instant,
    progress: &mut dyn FnMut(&str),
) -> Result<Outcome, ModelError> {
    progress("each row alone");
    let alone = alone(subject, field)?;
    let mut outcome = Outcome {
        tests: Vec::new(),
        leaks: Vec::new(),
        alone,
    };
    for trial in trials(field.rows, field.canaries, &mut Prng::new(seed)) {
        progress(trial.name);
        let mut report = TestReport {
            name: trial.name.to_owned(),
            rows: trial.rows(),
            passed: None,
        };
        if Instant::now() < deadline {
            let leak = attempt(subject, field, &outcome.alone, &trial)?;
            report.passed = Some(leak.is_none());
            outcome.leaks.extend(leak);
        }
        outcome.tests.push(report);
    }
    Ok(outcome)
}

/// Every row in an instance of its own.
fn alone(subject: &dyn Subject, field: &Field<'_>) -> Result<StructArray, ModelError> {
    let answers = (0..field.rows as u32)
        .map(|row| {
            Ok(
                std::sync::Arc::new(answer(&mut *subject.fresh(), field.columns, &[row])?)
                    as ArrayRef,
            )
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let answers: Vec<&dyn Array> = answers.iter().map(AsRef::as_ref).collect();
    let whole = concat(&answers).map_err(|_| SHAPE)?;
    whole
        .as_any()
        .downcast_ref::<StructArray>()
        .cloned()
        .ok_or(SHAPE)
}

const SHAPE: ModelError = ModelError::Runtime {
    what: "answers that do not go together",
};

/// Answers the rows of these positions as one batch.
pub(super) fn answer(
    evaluator: &mut dyn Answers,
    columns: &[ArrayRef],
    rows: &[u32],
) -> Result<StructArray, ModelError> {
    let positions = UInt32Array::from(rows.to_vec());
    let columns = columns.iter().map(|column| take(column, &positions, None));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|_| SHAPE)?;
    evaluator.answer(&columns, rows.len())
}

fn attempt(
    subject: &dyn Subject,
    field: &Field<'_>,
    alone: &StructArray,
    trial: &Trial,
) -> Result<Option<Leak>, ModelError> {
    if trial.threads > 1 {
        return threaded(subject, field, alone, trial);
    }
    let mut evaluator = subject.fresh();
    for batch in &trial.batches {
        let answers = answer(&mut *evaluator, field.columns, batch)?;
        if let Some(leak) = difference(alone, &answers, batch, trial.name)? {
            return Ok(Some(leak));
        }
    }
    Ok(None)
}

/// The batches dealt out to threads, each with an evaluator of its own.
fn threaded(
    subject: &dyn Subject,
    field: &Field<'_>,
    alone: &StructArray,
    trial: &Trial,
) -> Result<Option<Leak>, ModelError> {
    let work = |thread: usize| {
        let mut evaluator = subject.fresh();
        for batch in trial.batches.iter().skip(thread).step_by(trial.threads) {
            let answers = answer(&mut *evaluator, field.columns, batch)?;
            if let Some(leak) = difference(alone, &answers, batch, trial.name)? {
                return Ok(Some(leak));
            }
        }
        Ok(None)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..trial.threads)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        let mut first = None;
        for thread in threads {
            let found = thread.join().map_err(|_| ModelError::Runtime {
                what: "a thread of a leak test that ended early",
            })?;
            first = first.or(found?);
        }
        Ok(first)
    })
}

/// The first row whose answer is not the one it got alone.
pub(super) fn difference(
    alone: &StructArray,
    answers: &StructArray,
    batch: &[u32],
    test: &'static str,
) -> Result<Option<Leak>, ModelError> {
    let positions = UInt32Array::from(batch.to_vec());
    for (field, (alone, answers)) in alone
        .fields()
        .iter()
        .zip(alone.columns().iter().zip(answers.columns()))
    {
        // Equality of arrays is that of bits: it tells 0.0 from -0.0, and one NaN from another.
        let expected = take(alone, &positions, None).map_err(|_| SHAPE)?;
        if *expected == **answers {
            continue;
        }
        let differs = |row: &usize| *expected.slice(*row, 1) != *answers.slice(*row, 1);
        let row = (0..batch.len().min(answers.len())).find(differs);
        return Ok(Some(Leak {
            test,
            row: row
                .and_then(|row| batch.get(row))
                .copied()
                .unwrap_or_default(),
            column: field.name().clone(),
        }));
    }
    Ok(None)
}
