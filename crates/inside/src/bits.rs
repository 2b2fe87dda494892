//! What is public of a table before it is computed, as far as it bounds what the table can say; and whether a literal of the
//! query chooses its cells.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, Operator};
use weir_gate::{Code, Public, Span, Statistic};
use weir_policy::Policy;

use crate::grouping::Grouping;
use crate::keys::Meanings;
use crate::split::{Plan, is_of_columns};
use crate::statistics::{Source, Statistics};

/// What a plan keeps of it.
#[derive(Debug, Clone)]
pub(crate) struct Says {
    types: Vec<DataType>,
    spans: Vec<Option<Span>>,
    /// Whether a literal of the query chooses which rows are in which cell, or how much of it they are.
    is_chosen: bool,
}

impl Says {
    pub(crate) fn of(
        aggregate: &Aggregate,
        grouping: &Grouping,
        statistics: &Statistics,
        meanings: Meanings<'_>,
    ) -> Result<Says> {
        let input = aggregate.input.schema();
        let types = grouping.keys.iter().map(|key| key.get_type(input));
        let spans = statistics.columns.iter().map(|column| {
            let of = match (column.statistic, &column.source) {
                (Statistic::Sum, Source::Computed(at)) => argument(&statistics.computed[*at])?,
                (Statistic::Sum, Source::Sum(at)) => &statistics.arguments.sums[*at],
                _ => return None,
            };
            span(of, input, meanings)
        });
        let is_chosen = has_condition(&aggregate.input)
            || !grouping.keys.iter().all(is_of_columns)
            || !aggregate.aggr_expr.iter().all(adds_up_columns);
        Ok(Says {
            types: types.collect::<Result<_>>()?,
            spans: spans.collect(),
            is_chosen,
        })
    }
}

impl Plan {
    /// How the table is written down, where it is made of so many rows at most.
    #[must_use]
    pub fn code(&self, rows: u64, policy: &Policy) -> Code {
        let public = Public {
            rows,
            types: self.says.types.clone(),
            counts: self.key_counts.clone(),
            spans: self.says.spans.clone(),
        };
        Code::new(self.shape(), &public, policy)
    }

    /// Whether a literal of the query chooses what is in a cell: a condition, a computed key, an argument that is more than a
    /// column. What a model chooses is not meant: that was reviewed.
    #[must_use]
    pub const fn is_chosen(&self) -> bool {
        self.says.is_chosen
    }
}

/// What is added up.
fn argument(sum: &Expr) -> Option<&Expr> {
    match sum {
        Expr::AggregateFunction(call) => call.params.args.first(),
        _ => None,
    }
}

/// What a row adds to a sum of a column whose bounds are declared.
fn span(of: &Expr, input: &DFSchema, meanings: Meanings<'_>) -> Option<Span> {
    let of_row = meanings.bounds(column(of)?)?;
    let data_type = of.get_type(input).ok()?;
    Some(Span {
        of_row,
        is_whole: data_type.is_integer(),
    })
}

/// The column that an expression is, of whatever type.
pub(crate) fn column(of: &Expr) -> Option<&datafusion::common::Column> {
    match of {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column(&alias.expr),
        Expr::Cast(cast) => column(&cast.expr),
        Expr::TryCast(cast) => column(&cast.expr),
        _ => None,
    }
}

/// Whether a condition of the query decides which rows are read. A model's view is a projection, and none.
fn has_condition(input: &LogicalPlan) -> bool {
    matches!(input, LogicalPlan::Filter(_)) || input.inputs().into_iter().any(has_condition)
}

/// Whether an aggregate is of columns as they are, perhaps in another unit of measure.
fn adds_up_columns(aggregate: &Expr) -> bool {
    let call = match aggregate {
        Expr::Alias(alias) => return adds_up_columns(&alias.expr),
        Expr::AggregateFunction(call) => call,
        _ => return false,
    };
    call.params.args.iter().all(is_measure)
}

fn is_measure(of: &Expr) -> bool {
    match of {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Cast(cast) => is_measure(&cast.expr),
        Expr::TryCast(cast) => is_measure(&cast.expr),
        Expr::Negative(of) => is_measure(of),
        Expr::BinaryExpr(scaled) => {
            let op = matches!(
                scaled.op,
                Operator::Plus | Operator::Minus | Operator::Multiply
            );
            let is_literal = |side: &Expr| matches!(side, Expr::Literal(..));
            op && ((is_literal(&scaled.left) && is_measure(&scaled.right))
                || (is_literal(&scaled.right) && is_measure(&scaled.left)))
        }
        _ => false,
    }
}
