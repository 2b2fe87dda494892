//! What the manifest lets a query do with a column: read it, group by it, let it meet a literal.
//!
//! A column that may not be read does not exist for the planner: it stands in no schema, and no model can bind to it.
//!
//! A column that may not be compared with a literal meets no literal at all below the aggregate. A comparison has too
//! many forms to list: `income > 5000`, `nullif(income, 5000)`, `income - 5000` under an overflow, a cast to a type whose
//! range ends there. So an expression with such a column holds no literal and no cast but to a float; two columns may
//! still be compared, and released numbers may be compared with anything. The rule names what queries can ask; what a
//! model compares is its vetting's business.
//!
//! A literal need not be written: `x / x` is one, and sums and products of it are every number; so are `signum(x)`, a
//! comparison cast to a number, and arithmetic on a column that another condition pins to one value. So such a column is
//! compared with nothing computed: with columns as they are, and with sums, differences and products of columns that
//! meet no literal either, each of them once. The same holds for keys, and for what is compared with zero without being
//! said: a divisor, and what a root is of. Where whole numbers wrap is a literal, too: products that are compared are
//! products of floats, and of short whole numbers not even sums are. So is where floats end: a cell with an infinite number is
//! withheld, which would tell whether anybody's number is larger than what makes it one. An expression with such a column
//! has products of few factors, and no `exp`.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableSource, ident,
};

use crate::error::SqlError;
use crate::names::{RESERVED_PREFIX, fragment};
use crate::planner::{RelationSource, Sources};
use crate::query::Query;

/// What a query may do with one column of a dataset.
#[derive(Debug, Clone)]
pub struct ColumnRights {
    /// The column's name.
    pub name: String,
    /// Whether it may be read at all.
    pub read: bool,
    /// Whether it may be, or be part of, a key of a group.
    pub group: bool,
    /// Whether it may meet a literal.
    pub compare: bool,
    /// Whether anybody knows its value of any unit.
    pub is_public: bool,
    /// Whether it says what must not become known about a unit.
    pub is_sensitive: bool,
    /// The values that the manifest declares.
    pub declared: Declared,
    /// The smallest and the largest number that the manifest declares, where it declares both. The data need not keep to them.
    pub bounds: Option<(f64, f64)>,
}

/// What a manifest declares of a column's values.
#[derive(Debug, Clone)]
pub enum Declared {
    /// Nothing.
    Nothing,
    /// Bounds, and how many values lie between them where they can be counted.
    Bounds(Option<u64>),
    /// Each value.
    Values(ArrayRef),
}

/// The table as a query may see it: without the columns that may not be read. A column nobody spoke of is one of them.
pub(crate) fn readable(
    relation: &RelationSource,
    table: Arc<dyn TableSource>,
) -> Result<Arc<dyn TableSource>> {
    let schema = table.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| name.starts_with(RESERVED_PREFIX) || relation.may(name, |may| may.read))
        .collect();
    if names.len() == schema.fields().len() {
        return Ok(table);
    }
    let plan = LogicalPlanBuilder::scan(relation.dataset.as_str(), Arc::clone(&table), None)?
        .project(names.into_iter().map(ident))?
        .build()?;
    let schema = Arc::clone(plan.schema().inner());
    Ok(Arc::new(Readable { plan, schema }))
}

struct Readable {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl TableSource for Readable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

impl RelationSource {
    fn may(&self, column: &str, right: impl Fn(&ColumnRights) -> bool) -> bool {
        self.rights
            .iter()
            .any(|rights| rights.name == column && right(rights))
    }

    /// Whether any of its columns says something about its units that not everybody knows.
    pub(crate) fn protects(&self) -> bool {
        self.rights
            .iter()
            .any(|rights| rights.read && !rights.is_public)
    }

    /// Whether a right to the column is denied by name. Outputs of a model are not the dataset's columns.
    fn denies(&self, column: &str, right: impl Fn(&ColumnRights) -> bool) -> bool {
        self.rights
            .iter()
            .any(|rights| rights.name == column && !right(rights))
    }
}

/// Holds an aggregate and all below it against the rights of its columns.
pub(crate) fn check(
    aggregate: &Aggregate,
    query: &Query,
    sources: &Sources,
) -> Result<(), SqlError> {
    let rights = Rights { query, sources };
    for key in &aggregate.group_expr {
        if let Some(column) = rights.first(key, |may| may.group) {
            return Err(SqlError::ColumnNotGrouped {
                column: column.name,
            });
        }
        rights.meets_no_literal(key)?;
        rights.is_no_computed_key(key)?;
    }
    aggregate
        .aggr_expr
        .iter()
        .try_for_each(|value| rights.meets_no_literal(value))?;
    rights.below(&aggregate.input)
}

struct Rights<'a> {
    query: &'a Query,
    sources: &'a Sources,
}

impl Rights<'_> {
    fn below(&self, plan: &LogicalPlan) -> Result<(), SqlError> {
        let mut found = Ok(());
        // Neither closure fails: the first refusal is kept and ends the walk.
        let walked = plan.apply(|node| {
            node.apply_expressions(|expression| {
                found = self.meets_no_literal(expression);
                Ok(match found {
                    Ok(()) => TreeNodeRecursion::Continue,
                    Err(_) => TreeNodeRecursion::Stop,
                })
            })
        });
        walked.map_err(|error| SqlError::Planning {
            message: error.strip_backtrace(),
        })?;
        found
    }

    /// The first column of an expression that a right is denied to.
    fn first(&self, expression: &Expr, right: fn(&ColumnRights) -> bool) -> Option<Column> {
        let mut columns: Vec<&Column> = expression.column_refs().into_iter().collect();
        columns.sort();
        let denied = columns.into_iter().find(|column| {
            let named = self.query.relations.iter().zip(&self.sources.relations);
            let of = named.filter(|(relation, _)| {
                column
                    .relation
                    .as_ref()
                    .is_none_or(|name| name.table() == relation.name)
            });
            let mut sources = of.map(|(_, source)| source);
            sources.any(|source| source.denies(&column.name, right))
        });
        denied.cloned()
    }

    fn meets_no_literal(&self, expression: &Expr) -> Result<(), SqlError> {
        match expression {
            Expr::Alias(alias) => self.meets_no_literal(&alias.expr),
            Expr::Not(inner) => self.meets_no_literal(inner),
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And | Operator::Or,
                right,
            }) => {
                self.meets_no_literal(left)?;
                self.meets_no_literal(right)
            }
            Expr::AggregateFunction(call) => call
                .params
                .args
                .iter()
                .try_for_each(|argument| self.meets_no_literal(argument)),
            whole => match self.first(whole, |may| may.compare) {
                Some(column)
                    if holds_literal(whole)
                        || self.compares_computed(whole)
                        || factors(whole) > FACTORS_MAX =>
                {
                    Err(refused(column, whole))
                }
                _ => Ok(()),
            },
        }
    }

    /// A key puts what is equal together, which compares it.
    fn is_no_computed_key(&self, key: &Expr) -> Result<(), SqlError> {
        match self.first(key, |may| may.compare) {
            Some(column) if !self.is_comparison(key) && !self.is_operand(key) => {
                Err(refused(column, key))
            }
            _ => Ok(()),
        }
    }

    /// Whether a column that may meet no literal is compared with something computed.
    fn compares_computed(&self, expression: &Expr) -> bool {
        let found = expression.exists(|part| {
            let is_limited = || self.first(part, |may| may.compare).is_some();
            let mut operands = compared(part);
            operands.extend(compared_with_zero(part));
            Ok(!operands.is_empty()
                && is_limited()
                && !operands.iter().all(|of| self.is_operand(of)))
        });
        // The closure does not fail; if walking did, the expression is refused.
        found.unwrap_or(true)
    }

    fn is_comparison(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Alias(alias) => self.is_comparison(&alias.expr),
            Expr::Not(inner) => self.is_comparison(inner),
            Expr::BinaryExpr(binary) => {
                matches!(binary.op, Operator::And | Operator::Or)
                    || !compared(expression).is_empty()
            }
            Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::Case(_) => true,
            other => !matches!(other, Expr::ScalarFunction(_)) && !compared(other).is_empty(),
        }
    }

    /// Whether something may be compared with a column that may meet no literal.
    fn is_operand(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Column(_) => true,
            Expr::Alias(alias) => self.is_operand(&alias.expr),
            // To a float, or the expression was refused before.
            Expr::Cast(cast) => self.is_operand(&cast.expr),
            Expr::TryCast(cast) => self.is_operand(&cast.expr),
            Expr::ScalarFunction(_) => {
                let operands = compared(expression);
                !operands.is_empty() && operands.iter().all(|of| self.is_operand(of))
            }
            Expr::BinaryExpr(_) => {
                let mut columns = Vec::new();
                self.is_sum(expression, &mut columns)
                    && (1..columns.len()).all(|at| !columns[..at].contains(&columns[at]))
            }
            _ => false,
        }
    }

    /// Whether an expression is made of sums, differences and products of columns that may meet no literal; which.
    fn is_sum<'a>(&self, expression: &'a Expr, columns: &mut Vec<&'a Column>) -> bool {
        match expression {
            Expr::Column(column) => {
                columns.push(column);
                self.first(expression, |may| may.compare).is_some()
            }
            Expr::Cast(cast) => self.is_sum(&cast.expr, columns),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.keeps_order(left, *op, right)
                    && self.is_sum(left, columns)
                    && self.is_sum(right, columns)
            }
            _ => false,
        }
    }

    /// Whether an operation has no number beyond which its answer turns around: whole numbers wrap there, which is a
    /// literal that nobody wrote. Of sums of long ones that number is out of reach.
    fn keeps_order(&self, left: &Expr, op: Operator, right: &Expr) -> bool {
        let wider = self.width(left).max(self.width(right));
        match op {
            Operator::Plus | Operator::Minus => wider >= Width::Long,
            Operator::Multiply => wider == Width::Float,
            _ => false,
        }
    }

    fn width(&self, expression: &Expr) -> Width {
        match expression {
            Expr::Column(column) => self.kind(column).map_or(Width::Short, |of| Width::of(&of)),
            Expr::Alias(alias) => self.width(&alias.expr),
            // To a float, or the expression was refused before.
            Expr::Cast(_) | Expr::TryCast(_) => Width::Float,
            Expr::BinaryExpr(binary) => self.width(&binary.left).max(self.width(&binary.right)),
            _ => Width::Short,
        }
    }

    /// The type of a column of a dataset.
    fn kind(&self, column: &Column) -> Option<DataType> {
        let named = self.query.relations.iter().zip(&self.sources.relations);
        let mut of = named.filter(|(relation, _)| {
            let name = column.relation.as_ref();
            name.is_none_or(|name| name.table() == relation.name)
        });
        of.find_map(|(_, source)| {
            let schema = source.table.schema();
            let field = schema.field_with_name(&column.name).ok();
            field.map(|field| field.data_type().clone())
        })
    }
}

/// How far numbers go before they wrap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Short,
    Long,
    Float,
}

impl Width {
    fn of(kind: &DataType) -> Width {
        match kind {
            DataType::Float32 | DataType::Float64 => Width::Float,
            DataType::Int64 | DataType::UInt64 => Width::Long,
            of if of.is_decimal() => Width::Long,
            _ => Width::Short,
        }
    }
}

fn refused(column: Column, expression: &Expr) -> SqlError {
    SqlError::ColumnMeetsLiteral {
        column: column.name,
        expression: fragment(&expression.human_display()),
    }
}

/// Most factors of a product with a column that may meet no literal. Where variances and regressions multiply it with
/// another one, that is eight, and eight numbers below 10³⁸ make no infinite one.
const FACTORS_MAX: u32 = 4;

/// How many columns an expression multiplies or divides at most; of what grows faster than any product, all there are.
fn factors(expression: &Expr) -> u32 {
    let mut parts = Vec::new();
    let walked = expression.apply_children(|part| {
        parts.push(factors(part));
        Ok(TreeNodeRecursion::Continue)
    });
    // The closure does not fail; if walking did, the expression is refused.
    if walked.is_err() {
        return u32::MAX;
    }
    let most = parts.iter().copied().max().unwrap_or(0);
    match expression {
        Expr::Column(_) => 1,
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::Multiply | Operator::Divide,
            ..
        }) => parts.into_iter().fold(0, u32::saturating_add),
        Expr::ScalarFunction(call) if call.name() == "exp" && most > 0 => u32::MAX,
        _ => most,
    }
}

/// What an expression compares with each other.
fn compared(expression: &Expr) -> Vec<&Expr> {
    /// Functions whose answer depends on which argument is larger, or equal, or there.
    const COMPARING: [&str; 5] = ["nullif", "greatest", "least", "coalesce", "starts_with"];
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_distinction(op) => {
            vec![left, right]
        }
        Expr::Between(between) => vec![&between.expr, &between.low, &between.high],
        Expr::InList(list) => std::iter::once(&*list.expr).chain(&list.list).collect(),
        Expr::Like(like) | Expr::SimilarTo(like) => vec![&like.expr, &like.pattern],
        Expr::Case(case) => {
            let whens = case.when_then_expr.iter().map(|(when, _)| &**when);
            let of_case = case.expr.as_deref().into_iter();
            of_case
                .flat_map(|of| std::iter::once(of).chain(whens.clone()))
                .collect()
        }
        Expr::ScalarFunction(call) if COMPARING.contains(&call.name()) => {
            call.args.iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What an expression compares with zero, because its answer is null there or no number: a divisor, and what a root is of.
fn compared_with_zero(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::Divide | Operator::Modulo,
            right,
            ..
        }) => vec![right],
        Expr::ScalarFunction(call) if call.name() == "sqrt" => call.args.iter().collect(),
        _ => Vec::new(),
    }
}

fn is_distinction(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
            | Operator::LikeMatch
            | Operator::NotLikeMatch
            | Operator::ILikeMatch
            | Operator::NotILikeMatch
    )
}

/// Whether an expression holds a literal, or a cast whose type's range would stand for one.
fn holds_literal(expression: &Expr) -> bool {
    let found = expression.exists(|part| {
        Ok(match part {
            Expr::Literal(..) => true,
            Expr::Cast(cast) => *cast.field.data_type() != DataType::Float64,
            Expr::TryCast(cast) => *cast.field.data_type() != DataType::Float64,
            _ => false,
        })
    });
    // The closure does not fail; if walking did, the expression is refused.
    found.unwrap_or(true)
}
