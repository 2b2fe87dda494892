//! The tests must be able to fail: they are run against evaluators that leak, each in one way.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::{AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field as ArrowField, Fields, Int64Type};

use super::*;

/// How an evaluator leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Each row is answered with the row before it in the batch.
    RowBefore,
    /// The first row of a batch hears of the batch before.
    BatchBefore,
    /// One row hears how many there are.
    BatchSize,
    /// Only after a row of a certain value does the next answer change.
    AfterOneValue,
    /// What one thread saw another hears.
    Shared,
    /// The sign of zero, and nothing else.
    SignOfZero,
}

struct Broken {
    flaw: Flaw,
    shared: AtomicI64,
}

struct Answering<'a> {
    flaw: Flaw,
    last: i64,
    shared: &'a AtomicI64,
}

impl Subject for &'static Broken {
    fn fresh(&self) -> Box<dyn Answers> {
        Box::new(Answering {
            flaw: self.flaw,
            last: 0,
            shared: &self.shared,
        })
    }
}

impl Answers for Answering<'_> {
    fn answer(&mut self, columns: &[ArrayRef], rows: usize) -> Result<StructArray, ModelError> {
        let input = columns[0].as_primitive::<Int64Type>();
        let mut zeros = Vec::new();
        let mut answers = Vec::new();
        for row in 0..rows {
            let value = input.value(row);
            let leaked = match self.flaw {
                Flaw::None | Flaw::SignOfZero => 0,
                Flaw::RowBefore => self.last,
                Flaw::BatchBefore if row == 0 => self.last,
                Flaw::BatchBefore => 0,
                Flaw::BatchSize if row + 1 == rows => rows as i64,
                Flaw::BatchSize => 0,
                Flaw::AfterOneValue => i64::from(self.last == 17),
                Flaw::Shared => self.shared.fetch_max(value, Ordering::Relaxed),
            };
            let negative = self.flaw == Flaw::SignOfZero && self.last % 5 == 3;
            zeros.push(if negative { -0.0 } else { 0.0 });
            answers.push(value.wrapping_mul(3).wrapping_add(leaked));
            self.last = value;
        }
        let fields = Fields::from(vec![
            ArrowField::new("answer", DataType::Int64, true),
            ArrowField::new("zero", DataType::Float64, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(answers)),
            Arc::new(Float64Array::from(zeros)),
        ];
        Ok(StructArray::new(fields, columns, None))
    }
}

fn leaks(flaw: Flaw) -> Vec<&'static str> {
    let subject: &'static Broken = Box::leak(Box::new(Broken {
        flaw,
        shared: AtomicI64::new(0),
    }));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(1..=48))];
    let field = Field {
        columns: &columns,
        rows: 48,
        canaries: 6,
    };
    let deadline = Instant::now() + Duration::from_secs(600);
    let outcome = run(&subject, &field, 1, deadline, &mut |_| {}).unwrap();
    assert!(outcome.tests.iter().all(|test| test.passed.is_some()));
    outcome.leaks.iter().map(|leak| leak.test).collect()
}

#[test]
fn an_evaluator_without_a_flaw_passes() {
    assert_eq!(leaks(Flaw::None), Vec::<&str>::new());
}

#[test]
fn every_flaw_is_found() {
    for flaw in [
        Flaw::RowBefore,
        Flaw::BatchBefore,
        Flaw::BatchSize,
        Flaw::AfterOneValue,
        Flaw::Shared,
        Flaw::SignOfZero,
    ] {
        assert!(!leaks(flaw).is_empty(), "{flaw:?}");
    }
}

#[test]
fn a_flaw_that_needs_one_batch_alone_is_told_from_others() {
    // Nothing is wrong in a batch of its own; only what came before it matters.
    let found = leaks(Flaw::BatchBefore);
    assert!(!found.contains(&"all rows in one batch"), "{found:?}");
    assert!(found.contains(&"the same batch again"), "{found:?}");
}

#[test]
fn tests_after_the_deadline_are_not_made() {
    let subject: &'static Broken = Box::leak(Box::new(Broken {
        flaw: Flaw::None,
        shared: AtomicI64::new(0),
    }));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(1..=8))];
    let field = Field {
        columns: &columns,
        rows: 8,
        canaries: 1,
    };
    let outcome = run(&subject, &field, 1, Instant::now(), &mut |_| {}).unwrap();
    assert!(outcome.tests.iter().all(|test| test.passed.is_none()));
}
