//! The split: everything up to the aggregate runs inside, everything above it outside.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::functions::math::expr_fn::nanvl;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, EmptyRelation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TryCast, lit,
};

use crate::error::SqlError;
use crate::evidence::EvidencePlan;
use crate::names::fragment;
use crate::planner::{Sources, resolve};
use crate::query::Query;

/// A query split in two.
pub struct Plan {
    /// The aggregate over raw data, with the evidence beside each cell.
    pub(crate) below: LogicalPlan,
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
        let whole = resolve(query, sources)?;
        let aggregate = find_aggregate(&whole).ok_or_else(|| SqlError::NotAnAggregate {
            fragment: fragment(&query.statement),
        })?;
        check_below(&aggregate.input)?;
        let aggregate = total(aggregate).map_err(|error| planning(&error))?;
        let evidence = EvidencePlan::new(&aggregate.aggr_expr, aggregate.input.schema())
            .map_err(|error| planning(&error))?;
        let mut aggregates = aggregate.aggr_expr.clone();
        aggregates.extend(evidence.aggregates.iter().cloned());
        let keys = aggregate
            .group_expr
            .iter()
            .map(|key| one_nan(key, aggregate.input.schema()));
        let keys = keys
            .collect::<Result<Vec<_>>>()
            .map_err(|error| planning(&error))?;
        let below = LogicalPlanBuilder::new_from_arc(Arc::clone(&aggregate.input))
            .aggregate(keys, aggregates)
            .and_then(LogicalPlanBuilder::build)
            .map_err(|error| planning(&error))?;
        let above = with_hole(whole).map_err(|error| planning(&error))?;
        Ok(Self {
            keys: aggregate.group_expr.len(),
            below,
            evidence,
            above,
        })
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

/// Below the aggregate stand a scan and row-wise nodes, nothing else: the clause check says so already, and this is the
/// second wall.
fn check_below(plan: &LogicalPlan) -> Result<(), SqlError> {
    match plan {
        LogicalPlan::TableScan(_) => Ok(()),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().into_iter().try_for_each(check_below)
        }
        other => Err(SqlError::Planning {
            message: format!("{} is not computed inside the domain", other.display()),
        }),
    }
}

/// Makes casts total: a value that cannot be cast is null, so that no row can be probed by making it fail.
fn total(aggregate: Aggregate) -> Result<Aggregate> {
    let plan = LogicalPlan::Aggregate(aggregate).transform_up(|node| {
        // The names are kept: the nodes above refer to them.
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expression| {
            let name = names.save(&expression);
            expression
                .transform_up(|part| Ok(try_cast(part)))
                .map(|expression| expression.update_data(|expression| name.restore(expression)))
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    match plan.data {
        LogicalPlan::Aggregate(aggregate) => Ok(aggregate),
        _ => Err(DataFusionError::Internal(
            "the aggregate was lost".to_owned(),
        )),
    }
}

fn try_cast(expression: Expr) -> Transformed<Expr> {
    match expression {
        Expr::Cast(cast) => Transformed::yes(Expr::TryCast(TryCast::new_from_field(
            cast.expr, cast.field,
        ))),
        other => Transformed::no(other),
    }
}

/// Makes every NaN of a key the same: the engine groups by bits, and two NaN of different bits would be one cell twice.
fn one_nan(key: &Expr, input: &DFSchema) -> Result<Expr> {
    let nan = match key.get_type(input)? {
        DataType::Float64 => lit(f64::NAN),
        DataType::Float32 => lit(f32::NAN),
        _ => return Ok(key.clone()),
    };
    Ok(nanvl(key.clone(), nan).alias(key.schema_name().to_string()))
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
