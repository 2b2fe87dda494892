//! Why rows and units failed, in words.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use weir_model::danger::RowTrace;
use weir_model::{Grain, Model};

use crate::error::CliError;
use crate::output::print;

/// Failed rows explained for each reason.
const EXAMPLES_PER_REASON: usize = 2;
/// Reasons told apart.
const REASONS_MAX: usize = 12;
/// Rows of a failed unit that are shown.
const UNIT_ROWS_SHOWN: usize = 5;
/// Characters of a value that are shown.
const VALUE_CHARS_MAX: usize = 60;

/// Says how many rows, or units, were answered, and of those that failed why: of each reason a few.
pub(super) fn explain(
    source: &str,
    model: &Model,
    columns: &[ArrayRef],
    units: &[Range<usize>],
    traces: &[RowTrace],
) -> Result<(), CliError> {
    let rows = units.last().map_or(0, |unit| unit.end);
    let (word, of) = match model.signature().grain() {
        Grain::Row => ("row", String::new()),
        Grain::Unit => ("unit", format!(" of {rows} rows")),
    };
    let failed = traces.iter().filter(|trace| trace.failure.is_some());
    let failed = failed.count();
    print(&format!(
        "\n{} {word}s{of} {source}: {} answered, {failed} failed\n",
        units.len(),
        units.len() - failed
    ))?;
    let mut reasons: BTreeMap<&str, Vec<(usize, &RowTrace)>> = BTreeMap::new();
    for (unit, trace) in traces.iter().enumerate() {
        if let Some(failure) = &trace.failure {
            let same = reasons.entry(&failure.reason).or_default();
            same.push((unit, trace));
        }
    }
    for (reason, failed) in reasons.iter().take(REASONS_MAX) {
        print(&format!("\n  {} {word}s: {reason}\n", failed.len()))?;
        for (unit, trace) in failed.iter().take(EXAMPLES_PER_REASON) {
            let fuel = format!("({} units of fuel)", trace.fuel);
            let rows = units[*unit].clone();
            print(&match model.signature().grain() {
                Grain::Row => format!(
                    "    row {unit}: {} {fuel}\n",
                    values(model, columns, rows.start)?
                ),
                Grain::Unit => of_unit(model, columns, *unit, &rows, &fuel)?,
            })?;
            let frames = trace.failure.iter().flat_map(|failure| &failure.frames);
            for frame in frames {
                print(&format!("      in {frame}\n"))?;
            }
        }
    }
    Ok(())
}

/// A failed unit with its first rows.
fn of_unit(
    model: &Model,
    columns: &[ArrayRef],
    unit: usize,
    rows: &Range<usize>,
    fuel: &str,
) -> Result<String, CliError> {
    let mut text = format!("    unit {unit}, {} rows {fuel}\n", rows.len());
    for row in rows.clone().take(UNIT_ROWS_SHOWN) {
        text += &format!("      row {row}: {}\n", values(model, columns, row)?);
    }
    if rows.len() > UNIT_ROWS_SHOWN {
        text += &format!("      … and {} more\n", rows.len() - UNIT_ROWS_SHOWN);
    }
    Ok(text)
}

/// The inputs of one row.
fn values(model: &Model, columns: &[ArrayRef], row: usize) -> Result<String, CliError> {
    let show = |error: arrow::error::ArrowError| CliError::Show(error.to_string());
    let options = FormatOptions::default().with_null("null");
    let mut inputs = Vec::new();
    for (input, column) in model.signature().inputs.iter().zip(columns) {
        let formatter = ArrayFormatter::try_new(column, &options).map_err(show)?;
        let value = formatter.value(row).to_string();
        let value: String = value.chars().take(VALUE_CHARS_MAX).collect();
        inputs.push(format!("{} = {value:?}", input.column).replace('"', ""));
    }
    Ok(inputs.join(", "))
}
