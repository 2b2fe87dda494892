//! Fills the hole that the split left with the released table.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ident};
use weir_gate::Released;

use crate::error::OutsideError;

/// Name of the only table of the outside session.
const TABLE: &str = "released";

/// The plan over the released table.
pub(crate) fn fill(above: &LogicalPlan, released: &Released) -> Result<LogicalPlan, OutsideError> {
    let holes = check(above)?;
    if holes != 1 {
        return Err(OutsideError::Plan("it has not exactly one source"));
    }
    let filled = above.clone().transform_up(|node| match node {
        LogicalPlan::EmptyRelation(hole) => scan(released, &hole.schema).map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(filled.data)
}

/// Counts the holes and refuses what the split never leaves above the aggregate.
fn check(plan: &LogicalPlan) -> Result<usize, OutsideError> {
    match plan {
        LogicalPlan::EmptyRelation(hole) if !hole.produce_one_row => Ok(1),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::SubqueryAlias(_) => plan.inputs().into_iter().map(check).sum(),
        _ => Err(OutsideError::Plan(
            "it has a node that is not row-wise, a sort or a limit",
        )),
    }
}

/// The released table under the names, qualifiers and types that the nodes above know it by.
fn scan(released: &Released, wanted: &DFSchema) -> Result<LogicalPlan, DataFusionError> {
    let cells = with_numbered_columns(released.batch())?;
    if cells.num_columns() != wanted.fields().len() {
        return Err(DataFusionError::Internal(
            "the released table has another width".to_owned(),
        ));
    }
    let columns: Vec<Expr> = wanted
        .iter()
        .zip(cells.schema().fields())
        .map(|((qualifier, field), stored)| {
            cast(ident(stored.name()), field.data_type().clone())
                .alias_qualified(qualifier.cloned(), field.name())
        })
        .collect();
    let table = MemTable::try_new(cells.schema(), vec![vec![cells]])?;
    LogicalPlanBuilder::scan(TABLE, provider_as_source(Arc::new(table)), None)?
        .project(columns)?
        .build()
}

/// Columns named by position, so that no name of the caller's is read as a qualified one.
fn with_numbered_columns(cells: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let fields: Vec<_> = cells
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| {
            field
                .as_ref()
                .clone()
                .with_name(format!("c{index}"))
                .with_nullable(true)
        })
        .collect();
    let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(fields));
    Ok(RecordBatch::try_new(schema, cells.columns().to_vec())?)
}
