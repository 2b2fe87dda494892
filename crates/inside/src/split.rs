//! The split: everything up to the aggregate runs inside, everything above it outside.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType, Result};
use datafusion::logical_expr::{
    Aggregate, EmptyRelation, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator,
};
use weir_vault::UNIT_COLUMN;

use crate::error::SqlError;
use crate::evidence::{EvidencePlan, Rows};
use crate::names::fragment;
use crate::planner::{Resolved, Sources, resolve};
use crate::query::Query;
use crate::rights;
use crate::total::{one_nan, total};

/// A query split in two.
pub struct Plan {
    /// The aggregate over raw data, with the evidence beside each cell.
    pub(crate) below: LogicalPlan,
    /// What `below` was made of, to make it once more where rows do not come in the order of units.
    aggregate: Aggregate,
    units: Vec<Expr>,
    /// How to tell the evidence from the cells.
    pub(crate) evidence: EvidencePlan,
    /// How many of the cells' columns are keys.
    pub(crate) keys: usize,
    above: LogicalPlan,
}

impl Plan {
    /// Resolves and splits a query over what it may read.
    ///
    /// # Errors
    /// [`SqlError`]: a column that does not exist, types that do not fit, a query for rows.
    pub fn new(query: &Query, sources: &Sources) -> Result<Self, SqlError> {
        let Resolved { plan: whole, units } = resolve(query, sources)?;
        let aggregate = find_aggregate(&whole).ok_or_else(|| SqlError::NotAnAggregate {
            fragment: fragment(&query.statement),
        })?;
        check_below(&aggregate.input)?;
        rights::check(&aggregate, query, sources)?;
        let (below, evidence) =
            with_evidence(&aggregate, &units, Rows::ByUnit).map_err(|error| planning(&error))?;
        let above = with_hole(whole).map_err(|error| planning(&error))?;
        Ok(Self {
            keys: aggregate.group_expr.len(),
            below,
            aggregate,
            units,
            evidence,
            above,
        })
    }

    /// The part below with evidence that needs no order. Its columns are those of `below`.
    pub(crate) fn below_in_any_order(&self) -> Result<LogicalPlan> {
        with_evidence(&self.aggregate, &self.units, Rows::InAnyOrder).map(|(below, _)| below)
    }

    /// What is left to do on released cells: a plan whose only source is one empty relation with the cells' schema,
    /// for `outside` to fill.
    #[must_use]
    pub const fn above(&self) -> &LogicalPlan {
        &self.above
    }
}

fn planning(error: &DataFusionError) -> SqlError {
    SqlError::Planning {
        message: error.strip_backtrace(),
    }
}

/// The aggregate with the evidence beside each cell, its expressions total.
fn with_evidence(
    aggregate: &Aggregate,
    units: &[Expr],
    rows: Rows,
) -> Result<(LogicalPlan, EvidencePlan)> {
    let input = aggregate.input.schema();
    let evidence = EvidencePlan::new(&aggregate.aggr_expr, units, rows, input)?;
    let keys = aggregate.group_expr.iter().map(|key| one_nan(key, input));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let values = aggregate.aggr_expr.iter().chain(&evidence.aggregates);
    let below = LogicalPlanBuilder::new_from_arc(Arc::clone(&aggregate.input))
        .aggregate(keys, values.cloned().collect::<Vec<_>>())?
        .build()?;
    Ok((total(below)?, evidence))
}

/// The aggregate nearest to the top, reached only through nodes that work on whole tables of cells.
fn find_aggregate(plan: &LogicalPlan) -> Option<Aggregate> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Some(aggregate.clone()),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::SubqueryAlias(_) => plan
            .inputs()
            .first()
            .and_then(|input| find_aggregate(input)),
        _ => None,
    }
}

/// Below the aggregate stand scans, row-wise nodes and joins on units, nothing else: the clause check says so already,
/// and this is the second wall.
fn check_below(plan: &LogicalPlan) -> Result<(), SqlError> {
    match plan {
        LogicalPlan::TableScan(_) => Ok(()),
        LogicalPlan::Join(join) if is_on_unit(join) => {
            plan.inputs().into_iter().try_for_each(check_below)
        }
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().into_iter().try_for_each(check_below)
        }
        other => Err(SqlError::Planning {
            message: format!("{} is not computed inside the domain", other.display()),
        }),
    }
}

/// Whether rows are joined where a unit id of one side equals one of the other, and on no other condition.
fn is_on_unit(join: &Join) -> bool {
    let is_unit = |side: &Expr| {
        side.try_as_col()
            .is_some_and(|column| column.name.starts_with(UNIT_COLUMN))
    };
    let condition = match (join.on.as_slice(), &join.filter) {
        ([(left, right)], None) => is_unit(left) && is_unit(right),
        ([], Some(Expr::BinaryExpr(equality))) => {
            equality.op == Operator::Eq && is_unit(&equality.left) && is_unit(&equality.right)
        }
        _ => false,
    };
    condition && matches!(join.join_type, JoinType::Inner | JoinType::Left)
}

/// Replaces the aggregate by a hole of the same schema.
fn with_hole(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_down(|node| {
        Ok(match node {
            LogicalPlan::Aggregate(aggregate) => {
                let hole = LogicalPlan::EmptyRelation(EmptyRelation {
                    produce_one_row: false,
                    schema: aggregate.schema,
                });
                Transformed::new(hole, true, TreeNodeRecursion::Stop)
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(plan.data)
}
