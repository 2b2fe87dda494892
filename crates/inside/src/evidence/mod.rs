//! What the gate will judge a cell on, computed beside the cell in the same aggregate and in one pass.
//!
//! A cell shows one number per aggregate, and each number speaks of the units that contribute a value to it: a mean over
//! a column that is null for all but one unit is that unit's value, however many units the cell has. So units and rows
//! are counted for the cell as a whole and again for every argument, and for sums and means the contributions of the
//! largest units are kept, because one unit may be nearly all of a sum of many.
//!
//! The vault keeps rows sorted by unit, so all of it is a running update of "the unit we are in" (`accumulator.rs`),
//! and no set of units is ever built. The order is asked for as a requirement of the aggregate, so the engine sorts where
//! it is lost, and every row is checked against the one before it in its group. Should they come in another order all the
//! same, the run is computed again with the exact table: a count is right, or there is none.
//!
//! Rows may be about several kinds of unit, such as the driver and the vehicle of a trip, and can be sorted by one. The
//! evidence of every further kind is kept by group and unit in a table (`unordered.rs`), exact and at the cost of memory.
//! A row that names no unit of a kind says nothing about that kind.

mod accumulator;
mod function;
mod layout;
mod unordered;
mod whole;

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Float64Array, StructArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Schema, UInt64Type};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, try_cast};
use weir_gate::{COLUMN_NAME_BYTES_MAX, Contributions, Contributors, EvidenceColumns, TOP_UNITS};

use crate::error::ComputeError;
use function::evidence_of;

pub(crate) use accumulator::OutOfOrder;
pub(crate) use function::Rows;
use layout::Layout;

/// The evidence that one table's aggregates ask for.
pub(crate) struct EvidencePlan {
    /// The aggregates that compute it, one for each kind of unit: the last columns beside the cells.
    pub(crate) aggregates: Vec<Expr>,
    layout: Layout,
}

impl EvidencePlan {
    /// Evidence for a table with these aggregates over this input, whose rows are about these units and come in the order
    /// of the first kind, or in any.
    pub(crate) fn new(
        aggregates: &[Expr],
        units: &[Expr],
        rows: Rows,
        input: &DFSchema,
    ) -> Result<Self> {
        let (mut counts, mut sums) = (Vec::new(), Vec::new());
        for aggregate in aggregates {
            let Some((function, argument)) = call(aggregate) else {
                continue;
            };
            if function != "count" {
                push_new(&mut sums, try_cast(argument.clone(), DataType::Float64));
            } else if argument.nullable(input)? {
                push_new(&mut counts, argument.clone().is_not_null());
            }
        }
        let layout = Layout {
            counts: counts.len(),
            sums: sums.len(),
        };
        let arguments: Vec<Expr> = counts.into_iter().chain(sums).collect();
        let aggregates = units.iter().enumerate().map(|(kind, unit)| {
            let arguments = std::iter::once(unit).chain(&arguments).cloned().collect();
            // Rows come in the order of the first kind; one order is all they can have.
            let (rows, order) = match (kind, rows) {
                (0, Rows::ByUnit) => (Rows::ByUnit, vec![unit.clone().sort(true, false)]),
                _ => (Rows::InAnyOrder, Vec::new()),
            };
            let function = evidence_of(layout, rows);
            let call = AggregateFunction::new_udf(function, arguments, false, None, order, None);
            Expr::AggregateFunction(call).alias(format!("weir_evidence_{kind}"))
        });
        Ok(Self {
            aggregates: aggregates.collect(),
            layout,
        })
    }

    /// Splits the computed table into the cells and their evidence, which are the last columns.
    pub(crate) fn take(
        &self,
        table: &RecordBatch,
    ) -> Result<(RecordBatch, Vec<EvidenceColumns>), ComputeError> {
        let cells = table.num_columns().checked_sub(self.aggregates.len());
        let cells = cells.ok_or(ComputeError::Bug)?;
        let evidence = table.columns()[cells..]
            .iter()
            .map(|column| self.columns(column.as_struct_opt().ok_or(ComputeError::Bug)?))
            .collect::<Result<_, _>>()?;
        let cells = table
            .project(&(0..cells).collect::<Vec<_>>())
            .map_err(|_| ComputeError::Bug)?;
        Ok((with_short_names(&cells)?, evidence))
    }

    fn columns(&self, evidence: &StructArray) -> Result<EvidenceColumns, ComputeError> {
        Ok(EvidenceColumns {
            units: counts(evidence, "units")?,
            rows: counts(evidence, "rows")?,
            counted: (0..self.layout.counts)
                .map(|index| contributors(evidence, index))
                .collect::<Result<_, _>>()?,
            contributions: (0..self.layout.sums)
                .map(|index| contributions(evidence, index))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn contributors(evidence: &StructArray, index: usize) -> Result<Contributors, ComputeError> {
    Ok(Contributors {
        units: counts(evidence, &format!("count_{index}_units"))?,
        rows: counts(evidence, &format!("count_{index}_rows"))?,
    })
}

fn contributions(evidence: &StructArray, index: usize) -> Result<Contributions, ComputeError> {
    let column = |what: &str| {
        evidence
            .column_by_name(&format!("sum_{index}_{what}"))
            .ok_or(ComputeError::Bug)
    };
    let floats = |what: &str| {
        let column = column(what)?.as_primitive_opt::<Float64Type>();
        column.cloned().ok_or(ComputeError::Bug)
    };
    let negative = column("negative")?.as_boolean_opt();
    let top: Vec<Float64Array> = (0..TOP_UNITS)
        .map(|rank| floats(&format!("top_{rank}")))
        .collect::<Result<_, _>>()?;
    Ok(Contributions {
        units: counts(evidence, &format!("sum_{index}_units"))?,
        rows: counts(evidence, &format!("sum_{index}_rows"))?,
        total: floats("total")?,
        top: top.try_into().map_err(|_| ComputeError::Bug)?,
        negative: negative.cloned().ok_or(ComputeError::Bug)?,
    })
}

fn push_new(expressions: &mut Vec<Expr>, expression: Expr) {
    if !expressions.contains(&expression) {
        expressions.push(expression);
    }
}

/// The function and first argument of an aggregate.
fn call(aggregate: &Expr) -> Option<(&str, &Expr)> {
    match aggregate {
        Expr::Alias(alias) => call(&alias.expr),
        Expr::AggregateFunction(function) => {
            Some((function.func.name(), function.params.args.first()?))
        }
        _ => None,
    }
}

fn counts(evidence: &StructArray, name: &str) -> Result<UInt64Array, ComputeError> {
    let column = evidence.column_by_name(name).ok_or(ComputeError::Bug)?;
    column
        .as_primitive_opt::<UInt64Type>()
        .cloned()
        .ok_or(ComputeError::Bug)
}

/// The engine names an expression by its text. A long one is named by its place instead: a released table is known by
/// its columns' order, and the query gives them the names the caller reads.
fn with_short_names(cells: &RecordBatch) -> Result<RecordBatch, ComputeError> {
    let fields: Vec<Field> = cells
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| match field.name().len() {
            0..=COLUMN_NAME_BYTES_MAX => field.as_ref().clone(),
            _ => field.as_ref().clone().with_name(format!("column_{index}")),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(cells.num_rows()));
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        cells.columns().to_vec(),
        &options,
    )
    .map_err(|_| ComputeError::Bug)
}
