//! What a model does with synthetic rows.

use std::collections::HashSet;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::compute::concat;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::leak::{self, Answers, EVALUATIONS_PER_ROW, Field, Leak};
use super::prng::Prng;
use super::report::{TestReport, TestsReport};
use super::rows::{Rows, schema_of};
use super::{Analysis, Vetting};
use crate::bind::Binding;
use crate::error::ModelError;
use crate::signature::Grain;
use crate::trace::{RowTrace, Tracer};

/// Rows from which the fuel of a row is estimated.
const SAMPLED: usize = 24;
/// Fuel that a row takes beside the model's own: an instance, columns in and out.
const ROW_OVERHEAD_FUEL: u64 = 2_000;
/// Rows of a synthetic unit, at most.
const UNIT_ROWS: usize = 4;
/// One row in this many is a canary.
const CANARY_SHARE: usize = 8;
/// Seeds of the rows, of the canaries and of what is done to both. They are fixed, so that a report can be repeated.
pub(super) const SEED: u64 = 0x0077_6569_725f_7631;
const CANARY_SEED: u64 = 0x6361_6e61_7279_0001;

/// What was measured.
pub(super) struct Measured {
    pub(super) report: TestsReport,
    pub(super) outputs: Vec<OutputFigures>,
    pub(super) leaks: Vec<Leak>,
    /// What the checks of the runtime itself found.
    pub(super) faults: Vec<&'static str>,
}

/// What was seen of one output.
pub(super) struct OutputFigures {
    pub(super) distinct: u64,
    pub(super) nulls: u64,
    pub(super) echoes: Option<String>,
}

/// The maker of rows for a model.
pub(super) fn rows<'a>(vetting: &'a Vetting<'_>, analysis: &'a Analysis) -> Rows<'a> {
    Rows {
        signature: vetting.admitted.signature(),
        limits: vetting.model.limits(),
        figures: &analysis.figures,
        uses: &analysis.uses,
        declared: declared(vetting),
    }
}

/// For each input, the values that the datasets it fits have in their samples.
fn declared(vetting: &Vetting<'_>) -> Vec<Option<ArrayRef>> {
    let datasets = vetting.datasets.iter();
    let pools: Vec<Vec<Option<ArrayRef>>> = datasets
        .filter_map(|dataset| dataset.values_for(vetting.model))
        .collect();
    let inputs = 0..vetting.admitted.signature().inputs.len();
    inputs
        .map(|input| {
            let of_input = pools.iter().filter_map(|pool| pool[input].as_ref());
            let of_input: Vec<&dyn Array> = of_input.map(AsRef::as_ref).collect();
            concat(&of_input).ok()
        })
        .collect()
}

pub(super) fn measure(
    vetting: &Vetting<'_>,
    analysis: &Analysis,
    deadline: Instant,
    progress: &mut dyn FnMut(&str),
) -> Result<Measured, ModelError> {
    let maker = rows(vetting, analysis);
    progress("measuring rows");
    let traces = sampled(vetting, &maker)?;
    let rows = affordable(vetting, &traces);
    let canaries = (rows / CANARY_SHARE).max(1);
    let columns = match maker.signature.grain() {
        Grain::Row => concatenated(&maker.make(rows, SEED), &maker.make(canaries, CANARY_SEED))?,
        Grain::Unit => {
            let (rows, canaries) = (lengths(rows), lengths(canaries));
            concatenated(
                &maker.units(&rows, SEED),
                &maker.units(&canaries, CANARY_SEED),
            )?
        }
    };
    let field = Field {
        columns: &columns,
        rows: rows + canaries,
        canaries,
    };
    // Outputs that the dataset has are refused at binding, not here: the schema has the inputs alone. A model whose
    // output has the name of an input binds nowhere.
    let Ok(binding) = vetting.model.bind(&schema_of(maker.signature)) else {
        return Ok(Measured {
            report: TestsReport::default(),
            outputs: Vec::new(),
            leaks: Vec::new(),
            faults: vec!["it returns a column that it reads, so that it fits no dataset"],
        });
    };
    let mut outcome = leak::run(&binding, &field, SEED, deadline, progress)?;
    let faults = cross_check(vetting, &binding, &field, &mut outcome, deadline, progress)?;
    let answers = outcome.alone.slice(0, rows);
    let report = TestsReport {
        declared_by: vetting.declaring().map(str::to_owned).collect(),
        ..summary(rows, &answers, &traces, outcome.tests)
    };
    Ok(Measured {
        report,
        outputs: outputs(vetting, &columns, &answers),
        leaks: outcome.leaks,
        faults,
    })
}

/// The fuel and memory of a few rows or units.
fn sampled(vetting: &Vetting<'_>, maker: &Rows<'_>) -> Result<Vec<RowTrace>, ModelError> {
    let lengths = match maker.signature.grain() {
        Grain::Row => vec![1; SAMPLED],
        Grain::Unit => lengths(SAMPLED),
    };
    let sample = maker.make(lengths.iter().sum(), SEED);
    let tracer = Tracer::new(vetting.admitted, vetting.model.limits())?;
    let mut start = 0;
    let units = lengths.iter().map(|rows| {
        start += rows;
        start - rows..start
    });
    tracer.trace_units(&sample, units)
}

/// Rows of each synthetic unit.
fn lengths(units: usize) -> Vec<usize> {
    let mut prng = Prng::new(SEED);
    (0..units).map(|_| 1 + prng.below(UNIT_ROWS)).collect()
}

/// As many rows as the fuel for all tests allows.
fn affordable(vetting: &Vetting<'_>, traces: &[RowTrace]) -> usize {
    let spent: u64 = traces.iter().map(|trace| trace.fuel).sum();
    let per_row = spent / (traces.len() as u64).max(1) + ROW_OVERHEAD_FUEL;
    let rows = vetting.limits.fuel / per_row.saturating_mul(EVALUATIONS_PER_ROW).max(1);
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    rows.clamp(vetting.limits.rows_min, vetting.limits.rows_max)
}

fn concatenated(first: &[ArrayRef], second: &[ArrayRef]) -> Result<Vec<ArrayRef>, ModelError> {
    let pairs = first.iter().zip(second);
    pairs
        .map(|(first, second)| {
            concat(&[first, second]).map_err(|_| ModelError::Runtime {
                what: "synthetic columns that do not go together",
            })
        })
        .collect()
}

/// The runtime's own checks: all state after each row, and the other way to run a model.
fn cross_check(
    vetting: &Vetting<'_>,
    binding: &Binding,
    field: &Field<'_>,
    outcome: &mut leak::Outcome,
    deadline: Instant,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<&'static str>, ModelError> {
    let rows: Vec<u32> = (0..field.rows as u32).collect();
    let mut faults = Vec::new();
    let mut test = |name: &str, passed: Option<bool>| {
        outcome.tests.push(TestReport {
            name: name.to_owned(),
            rows: rows.len() as u64,
            passed,
        });
    };
    const STATE: &str = "all state compared after each row";
    progress(STATE);
    if Instant::now() >= deadline {
        test(STATE, None);
    } else {
        let checked = leak::answer(&mut *checking(binding), field.columns, &rows);
        let same = match checked {
            Ok(answers) => answers == outcome.alone,
            Err(ModelError::Runtime { .. }) => false,
            Err(error) => return Err(error),
        };
        test(STATE, Some(same));
        faults.extend((!same).then_some("state was left behind after a row"));
    }
    const OTHER: &str = "a fresh instance for each row";
    progress(OTHER);
    if Instant::now() >= deadline {
        test(OTHER, None);
    } else {
        let mut evaluator = reference(binding);
        let answers = evaluator.answer(field.columns, field.rows)?;
        let metered = vetting.model.tier().row_cost_max.is_none();
        let same = agree(&outcome.alone, &answers, metered);
        test(OTHER, Some(same));
        faults.extend((!same).then_some("woven and fresh instances answer differently"));
    }
    Ok(faults)
}

fn checking(binding: &Binding) -> Box<dyn Answers> {
    match binding.model().signature().grain() {
        Grain::Row => Box::new(binding.checking_evaluator()),
        Grain::Unit => Box::new(binding.checking_unit_evaluator()),
    }
}

fn reference(binding: &Binding) -> Box<dyn Answers> {
    match binding.model().signature().grain() {
        Grain::Row => Box::new(binding.reference_evaluator()),
        Grain::Unit => Box::new(binding.reference_unit_evaluator()),
    }
}

/// Woven code is longer than the model's own: a metered row may run dry in it alone.
fn agree(woven: &StructArray, fresh: &StructArray, metered: bool) -> bool {
    woven == fresh
        || metered
            && (0..woven.len())
                .all(|row| woven.slice(row, 1) == fresh.slice(row, 1) || failed(woven, row))
}

/// Whether a row is null in every output.
fn failed(answers: &StructArray, row: usize) -> bool {
    answers.columns().iter().all(|column| column.is_null(row))
}

fn summary(
    rows: usize,
    answers: &StructArray,
    traces: &[RowTrace],
    tests: Vec<TestReport>,
) -> TestsReport {
    let fuel = || traces.iter().map(|trace| trace.fuel);
    let pages = traces.iter().map(|trace| trace.memory_pages);
    TestsReport {
        declared_by: Vec::new(),
        rows: rows as u64,
        failed_rows: (0..answers.len())
            .filter(|row| failed(answers, *row))
            .count() as u64,
        fuel_max: fuel().max().unwrap_or_default(),
        fuel_mean: fuel().sum::<u64>() / (traces.len() as u64).max(1),
        memory_pages_max: pages.max().unwrap_or_default(),
        tests,
    }
}

fn outputs(
    vetting: &Vetting<'_>,
    columns: &[ArrayRef],
    answers: &StructArray,
) -> Vec<OutputFigures> {
    let inputs = &vetting.admitted.signature().inputs;
    answers
        .columns()
        .iter()
        .map(|output| {
            let values = distinct(output);
            let repeats = |(_, column): &(_, &ArrayRef)| repeats(column, output);
            let echoed = inputs.iter().zip(columns).find(repeats);
            OutputFigures {
                nulls: output.null_count() as u64,
                echoes: echoed
                    .filter(|_| values > 2)
                    .map(|(input, _)| input.column.clone()),
                distinct: values,
            }
        })
        .collect()
}

fn distinct(column: &ArrayRef) -> u64 {
    let Ok(formatter) = ArrayFormatter::try_new(column, &FormatOptions::default()) else {
        return 0;
    };
    let present = (0..column.len()).filter(|row| column.is_valid(*row));
    let values: HashSet<String> = present
        .map(|row| formatter.value(row).to_string())
        .collect();
    values.len() as u64
}

/// Whether an output is an input, wherever it is not null.
fn repeats(input: &ArrayRef, output: &ArrayRef) -> bool {
    input.data_type() == output.data_type()
        && output.null_count() < output.len()
        && (0..output.len())
            .filter(|row| output.is_valid(*row))
            .all(|row| *input.slice(row, 1) == *output.slice(row, 1))
}
