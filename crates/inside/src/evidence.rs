//! What the gate will judge a cell on, computed beside the cell in the same aggregate.
//!
//! A cell shows one number per aggregate, and each number speaks of the units that contribute a value to it: a mean over
//! a column that is null for all but one unit is that unit's value, however many units the cell has. So units and rows
//! are counted for the cell as a whole and for every nullable argument, and the smallest counts.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, UInt64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{DFSchema, Result};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, ident, lit};
use weir_gate::{COLUMN_NAME_BYTES_MAX, EvidenceColumns};
use weir_vault::UNIT_COLUMN;

use crate::error::ComputeError;

/// Pairs of aggregates (rows, units) to compute beside a cell's own.
pub(crate) struct EvidencePlan {
    pub(crate) aggregates: Vec<Expr>,
}

impl EvidencePlan {
    /// Evidence for a table with these aggregates over this input.
    pub(crate) fn new(aggregates: &[Expr], input: &DFSchema) -> Result<Self> {
        let mut contributors: Vec<Option<Expr>> = vec![None];
        for argument in aggregates.iter().filter_map(argument) {
            let contributes = Some(argument.clone().is_not_null());
            if argument.nullable(input)? && !contributors.contains(&contributes) {
                contributors.push(contributes);
            }
        }
        let aggregates = contributors
            .into_iter()
            .enumerate()
            .flat_map(|(index, condition)| {
                [
                    count(lit(1_i64), false, condition.clone()).alias(format!("weir_rows_{index}")),
                    count(ident(UNIT_COLUMN), true, condition).alias(format!("weir_units_{index}")),
                ]
            })
            .collect();
        Ok(Self { aggregates })
    }

    /// Splits the computed table into the cells and their evidence: the last columns are the evidence, in pairs.
    pub(crate) fn take(
        &self,
        table: &RecordBatch,
    ) -> Result<(RecordBatch, EvidenceColumns), ComputeError> {
        let bug = |_| ComputeError::Bug;
        let width = table
            .num_columns()
            .checked_sub(self.aggregates.len())
            .ok_or(ComputeError::Bug)?;
        let cells = table
            .project(&(0..width).collect::<Vec<_>>())
            .map_err(bug)?;
        let cells = with_short_names(&cells)?;
        let pairs = table.columns().get(width..).unwrap_or_default();
        let rows = smallest(pairs.iter().step_by(2))?;
        let units = smallest(pairs.iter().skip(1).step_by(2))?;
        Ok((cells, EvidenceColumns { units, rows }))
    }
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
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(cells.num_rows()));
    RecordBatch::try_new_with_options(schema, cells.columns().to_vec(), &options)
        .map_err(|_| ComputeError::Bug)
}

fn argument(aggregate: &Expr) -> Option<&Expr> {
    match aggregate {
        Expr::Alias(alias) => argument(&alias.expr),
        Expr::AggregateFunction(function) => function.params.args.first(),
        _ => None,
    }
}

fn count(argument: Expr, distinct: bool, condition: Option<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        count_udaf(),
        vec![argument],
        distinct,
        condition.map(Box::new),
        Vec::new(),
        None,
    ))
}

fn smallest<'a>(columns: impl Iterator<Item = &'a ArrayRef>) -> Result<UInt64Array, ComputeError> {
    columns
        .map(counts)
        .reduce(|left, right| {
            let (left, right) = (left?, right?);
            datafusion::arrow::compute::binary::<_, _, _, UInt64Type>(&left, &right, u64::min)
                .map_err(|_| ComputeError::Bug)
        })
        .ok_or(ComputeError::Bug)?
}

fn counts(column: &ArrayRef) -> Result<UInt64Array, ComputeError> {
    let column = cast(column, &DataType::UInt64).map_err(|_| ComputeError::Bug)?;
    column
        .as_primitive_opt::<UInt64Type>()
        .cloned()
        .ok_or(ComputeError::Bug)
}
