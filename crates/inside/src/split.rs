//! The split: everything up to the aggregate runs inside, everything above it outside.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, Result};
use datafusion::logical_expr::{
    Aggregate, EmptyRelation, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, cast,
};
use weir_gate::{Noise, Shape};
use weir_vault::UNIT_COLUMN;

use crate::bits::Says;
use crate::capped::capped;
use crate::compute::PARTITIONS;
use crate::dp;
use crate::error::SqlError;
use crate::evidence::{Depth, EvidencePlan, Kind, Rows};
use crate::grouping::Grouping;
use crate::join::may_meet;
use crate::keys::Meanings;
use crate::names::fragment;
use crate::planner::{Resolved, Sources, planning_error, resolve};
use crate::query::Query;
use crate::rights;
use crate::statistics::{Knows, SET_COLUMN, StatisticColumn, Statistics, column_name, statistics};
use crate::total::total;

/// Up to so many groups, of all sets of keys, rows of a unit are told apart where nobody chose anything. The ledger looks at
/// the rows of small tables.
const PLAIN_GROUPS_MAX: usize = 64;

/// A query split in two.
pub struct Plan {
    /// The aggregate over raw data, with the evidence beside each cell.
    pub(crate) below: LogicalPlan,
    /// What `below` was made of, to make it once more where rows do not come in the order of units.
    input: Arc<LogicalPlan>,
    kinds: Vec<Kind>,
    /// How many groups there may be for rows of a unit to be told apart.
    groups_max: usize,
    /// The population of each kind of unit.
    pub(crate) populations: Vec<String>,
    /// Relations, conditions and keys, in words that are the same for the same.
    pub(crate) selection: String,
    /// Whether every row is read and grouped by columns of the data alone.
    pub(crate) is_plain: bool,
    pub(crate) depth: Depth,
    /// How to tell the evidence from the cells.
    pub(crate) evidence: EvidencePlan,
    pub(crate) grouping: Grouping,
    pub(crate) statistics: Statistics,
    shape: Shape,
    pub(crate) key_counts: Vec<Option<u64>>,
    pub(crate) says: Says,
    /// What noise the columns need, under differential privacy.
    pub(crate) noise: Option<Vec<Noise>>,
    /// In how many parts the rows are read.
    pub(crate) partitions: usize,
    above: LogicalPlan,
}

impl Plan {
    /// Resolves and splits a query over what it may read. `depth` is how much the gate will want to know of each cell.
    ///
    /// # Errors
    /// [`SqlError`]: a column that does not exist, types that do not fit, a query for rows.
    pub fn new(query: &Query, sources: &Sources, depth: Depth) -> Result<Self, SqlError> {
        let capped = capped_sources(sources, depth)?;
        let sources = capped.as_ref().unwrap_or(sources);
        let Resolved {
            plan: whole,
            kinds,
            populations,
            rows,
        } = resolve(query, sources)?;
        if depth.rows_per_unit().is_some() && kinds.len() != 1 {
            return Err(SqlError::NoiseSeveral);
        }
        let aggregate = find_aggregate(&whole).ok_or_else(|| SqlError::NotAnAggregate {
            fragment: fragment(&query.statement),
        })?;
        check_below(&aggregate.input, sources)?;
        rights::check(&aggregate, query, sources)?;
        let meanings = Meanings { query, sources };
        let mut plan = Self::split(whole, &aggregate, kinds, rows, depth, meanings)?;
        plan.populations = populations;
        Ok(plan)
    }

    fn split(
        whole: LogicalPlan,
        aggregate: &Aggregate,
        kinds: Vec<Kind>,
        rows: Rows,
        depth: Depth,
        meanings: Meanings<'_>,
    ) -> Result<Self, SqlError> {
        let told = |error| planning_error(&error);
        let input = Arc::clone(&aggregate.input);
        let grouping = Grouping::new(aggregate).map_err(told)?;
        let relations = &meanings.sources.relations;
        let by_model = relations.iter().any(|source| source.model.is_some());
        let units: Vec<Expr> = kinds.iter().map(|kind| kind.unit.clone()).collect();
        let mut statistics = statistics(
            &aggregate.aggr_expr,
            input.schema(),
            &units,
            &grouping,
            depth,
            Knows {
                is_sensitive: &|expression| meanings.is_sensitive(expression),
                by_model,
            },
        )
        .map_err(told)?;
        let of = |column: &StatisticColumn| column.statistic;
        let shape = Shape {
            keys: meanings.keys(&grouping.keys, &input),
            sets: grouping.sets.clone(),
            statistics: statistics.columns.iter().map(of).collect(),
            structural: meanings.structural(&grouping.keys),
            quantiles: statistics.quantiles.clone(),
            fits: statistics.fits.clone(),
        };
        let says = Says::of(aggregate, &grouping, &statistics, meanings).map_err(told)?;
        let noise = match depth.rows_per_unit() {
            Some(rows) => {
                let of = (rows, grouping.sets.len());
                Some(dp::bound(&mut statistics, input.schema(), meanings, of)?)
            }
            None => None,
        };
        let key_counts = meanings.counts(&grouping.keys, input.schema());
        let is_plain = !by_model && is_plain(&input) && grouping.keys.iter().all(is_of_columns);
        let is_chosen = |column: &StatisticColumn| column.of.set.is_some();
        // Of large tables that nobody chose, the ledger does not look at the rows.
        let groups_max = match is_plain && !statistics.columns.iter().any(is_chosen) {
            true => PLAIN_GROUPS_MAX,
            false => usize::MAX,
        };
        let arguments = &statistics.arguments;
        let evidence = EvidencePlan::new(arguments, &kinds, rows, groups_max, depth);
        // Parts have no unit in common where rows are about one kind of unit and come as they are stored.
        let as_stored = meanings.sources.relations.len() == 1 && kinds.len() == 1;
        let partitions = if as_stored { PARTITIONS } else { 1 };
        Ok(Self {
            below: below(&input, &grouping, &statistics, &evidence).map_err(told)?,
            above: with_hole(whole, aggregate, &grouping, &statistics).map_err(told)?,
            noise,
            kinds,
            groups_max,
            populations: Vec::new(),
            selection: selection(&input, &grouping.keys),
            is_plain,
            input,
            depth,
            evidence,
            grouping,
            statistics,
            shape,
            key_counts,
            says,
            partitions,
        })
    }

    /// The part below with evidence that needs no order. Its columns are those of `below`.
    pub(crate) fn below_in_any_order(&self) -> Result<LogicalPlan> {
        let arguments = &self.statistics.arguments;
        let (kinds, groups_max) = (&self.kinds, self.groups_max);
        let rows = Rows::InAnyOrder;
        let evidence = EvidencePlan::new(arguments, kinds, rows, groups_max, self.depth);
        below(&self.input, &self.grouping, &self.statistics, &evidence)
    }

    /// What is known of the table before data is read.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many cells the declared values of the keys allow at most, over all grouping sets; none where a key's values are
    /// not declared.
    #[must_use]
    pub fn cells_declared(&self) -> Option<u64> {
        let of_set = |set: &Vec<bool>| {
            let keys = set
                .iter()
                .zip(&self.key_counts)
                .filter(|(is_in, _)| **is_in);
            keys.map(|(_, count)| *count)
                .try_fold(1_u64, |cells, count| Some(cells.saturating_mul(count?)))
        };
        let mut sets = self.grouping.sets.iter().map(of_set);
        sets.try_fold(0_u64, |all, cells| Some(all.saturating_add(cells?)))
    }

    /// The populations that the rows are about.
    #[must_use]
    pub fn populations(&self) -> &[String] {
        &self.populations
    }

    /// What is left to do on released cells: a plan whose only source is one empty relation with the cells' schema,
    /// for `outside` to fill.
    #[must_use]
    pub const fn above(&self) -> &LogicalPlan {
        &self.above
    }
}

/// Under differential privacy, the one dataset that is read, of which each unit has so many rows.
fn capped_sources(sources: &Sources, depth: Depth) -> Result<Option<Sources>, SqlError> {
    let Some(rows) = depth.rows_per_unit() else {
        return Ok(None);
    };
    let mut sources = sources.clone();
    match sources.relations.as_mut_slice() {
        [one] => one.table = capped(Arc::clone(&one.table), rows),
        _ => return Err(SqlError::NoiseSeveral),
    }
    Ok(Some(sources))
}

/// The statistics with the evidence beside each cell, all expressions total.
fn below(
    input: &Arc<LogicalPlan>,
    grouping: &Grouping,
    statistics: &Statistics,
    evidence: &EvidencePlan,
) -> Result<LogicalPlan> {
    let keys = grouping.expressions(input.schema())?;
    let values = statistics
        .named()
        .chain(evidence.aggregates.iter().cloned());
    let below = LogicalPlanBuilder::new_from_arc(Arc::clone(input))
        .aggregate(keys, values.collect::<Vec<_>>())?
        .build()?;
    total(below)
}

/// What rows are read and how they are grouped.
fn selection(input: &LogicalPlan, keys: &[Expr]) -> String {
    let keys = keys.iter().map(|key| key.human_display().to_string());
    format!(
        "{}\n{}",
        keys.collect::<Vec<_>>().join("\n"),
        input.display_indent()
    )
}

/// Whether every row of every relation is read.
fn is_plain(input: &LogicalPlan) -> bool {
    match input {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Join(_) => {
            input.inputs().into_iter().all(is_plain)
        }
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().all(is_of_columns) && is_plain(&projection.input)
        }
        _ => false,
    }
}

/// Whether an expression is a column, or a part of one such as its year: not a comparison of its values with any that are
/// written down.
pub(crate) fn is_of_columns(expression: &Expr) -> bool {
    match expression {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Alias(alias) => is_of_columns(&alias.expr),
        Expr::Cast(cast) => is_of_columns(&cast.expr),
        Expr::TryCast(cast) => is_of_columns(&cast.expr),
        Expr::ScalarFunction(call) => {
            matches!(
                call.func.name(),
                "date_trunc" | "date_part" | "lower" | "upper"
            ) && call.args.iter().all(is_of_columns)
        }
        _ => false,
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

/// Below the aggregate stand scans, row-wise nodes and joins on units or public columns, nothing else: the clause check
/// says so already, and this is the second wall.
fn check_below(plan: &LogicalPlan, sources: &Sources) -> Result<(), SqlError> {
    let inputs = || {
        let mut inputs = plan.inputs().into_iter();
        inputs.try_for_each(|input| check_below(input, sources))
    };
    match plan {
        LogicalPlan::TableScan(_) => Ok(()),
        LogicalPlan::Join(join) if is_allowed(join, sources) => inputs(),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            inputs()
        }
        other => Err(SqlError::Planning {
            message: format!("{} is not computed inside the domain", other.display()),
        }),
    }
}

/// Whether rows are joined where a unit id of one side equals one of the other, or a public column one of the other, and
/// on no other condition.
fn is_allowed(join: &Join, sources: &Sources) -> bool {
    let is_unit = |side: &Expr| {
        side.try_as_col()
            .is_some_and(|column| column.name.starts_with(UNIT_COLUMN))
    };
    let named = |side: &Expr| {
        let name = side
            .try_as_col()
            .map_or("", |column| &column.name)
            .to_owned();
        let rights = sources.relations.iter().flat_map(|source| &source.rights);
        rights.filter(move |rights| rights.name == name)
    };
    let meet = |left: &Expr, right: &Expr| {
        named(left).any(|one| named(right).any(|other| may_meet(one, other)))
    };
    let sides = |left: &Expr, right: &Expr| (is_unit(left) && is_unit(right)) || meet(left, right);
    let condition = match (join.on.as_slice(), &join.filter) {
        ([(left, right)], None) => sides(left, right),
        ([], Some(Expr::BinaryExpr(equality))) => {
            equality.op == Operator::Eq && sides(&equality.left, &equality.right)
        }
        _ => false,
    };
    condition && matches!(join.join_type, JoinType::Inner | JoinType::Left)
}

/// Replaces the aggregate by what its columns are of the released ones, over a hole for these.
fn with_hole(
    plan: LogicalPlan,
    aggregate: &Aggregate,
    grouping: &Grouping,
    statistics: &Statistics,
) -> Result<LogicalPlan> {
    let rebuilt = rebuilt(aggregate, grouping, statistics)?;
    let plan = plan.transform_up(|node| {
        Ok(match node {
            LogicalPlan::Aggregate(_) => Transformed::yes(rebuilt.clone()),
            // The columns may be null now: cells of a closed domain that are withheld.
            other => Transformed::yes(other.recompute_schema()?),
        })
    })?;
    Ok(plan.data)
}

/// The aggregate's columns, of the hole's.
fn rebuilt(
    aggregate: &Aggregate,
    grouping: &Grouping,
    statistics: &Statistics,
) -> Result<LogicalPlan> {
    let schema = &aggregate.schema;
    let keys = grouping.keys.len();
    let mut fields: Vec<_> = schema
        .iter()
        .take(keys)
        .map(|(qualifier, field)| {
            let nullable = field.as_ref().clone().with_nullable(true);
            (qualifier.cloned(), Arc::new(nullable))
        })
        .collect();
    if grouping.sets.len() > 1 {
        let set = Field::new(SET_COLUMN, DataType::UInt32, false);
        fields.push((None, Arc::new(set)));
    }
    for (at, column) in statistics.columns.iter().enumerate() {
        let field = Field::new(column_name(at), column.data_type.clone(), true);
        fields.push((None, Arc::new(field)));
    }
    let hole = DFSchema::new_with_metadata(fields, HashMap::new())?;
    let hole = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(hole),
    });

    let mut columns: Vec<Expr> = schema
        .iter()
        .take(keys)
        .map(|(qualifier, field)| {
            Expr::Column(Column::new(qualifier.cloned(), field.name().clone()))
        })
        .collect();
    if grouping.is_of_sets {
        let id = schema.field(keys);
        columns.push(grouping.id_column(id.data_type())?.alias(id.name()));
    }
    let values = schema.fields().iter().skip(grouping.columns());
    for (field, value) in values.zip(&statistics.rebuilt) {
        columns.push(cast(value.clone(), field.data_type().clone()).alias(field.name()));
    }
    LogicalPlanBuilder::new(hole).project(columns)?.build()
}
