//! The allow-list over expressions.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, OrderByExpr, Query, Statement, UnaryOperator, Value, Visit, Visitor,
};

use crate::error::SqlError;
use crate::functions;
use crate::histogram::{self, Bins};
use crate::names::{RESERVED_PREFIX, fragment, normalise, place, place_of, simple};
use crate::statistics::Kind;

const ROWWISE: &str =
    "Use columns, literals, arithmetic, comparisons, CASE, CAST and the listed functions";
pub(crate) const DISTINCT: &str =
    "COUNT(DISTINCT identifier) counts units; for other columns group by the value";
const SUBQUERY: &str = "Subqueries are not read: send them as runs of their own";

/// Checks an expression and everything in it.
pub(crate) fn check(expr: &Expr) -> Result<(), SqlError> {
    match expr.visit(&mut Walk) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// Deepest nesting of an expression: what evaluates it calls itself once per level.
pub const DEPTH_MAX: usize = 128;

/// Refuses statements with an expression nested too deep. The visitor brings its own stack; nothing else does.
pub(crate) fn check_depth(statements: &Vec<Statement>) -> Result<(), SqlError> {
    match statements.visit(&mut Depth(0)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SqlError::TooDeep { limit: DEPTH_MAX }),
    }
}

struct Depth(usize);

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        self.0 += 1;
        if self.0 > DEPTH_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        self.0 -= 1;
        ControlFlow::Continue(())
    }
}

struct Walk;

impl Visitor for Walk {
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        ControlFlow::Break(Box::new(SqlError::Clause {
            clause: "a subquery",
            place: place(query),
            help: SUBQUERY,
        }))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match one(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// Checks one node; the visitor brings the ones below it.
fn one(expr: &Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Identifier(ident) => column(ident),
        Expr::CompoundIdentifier(parts) if parts.len() == 2 => parts.iter().try_for_each(column),
        Expr::Function(function) => call(function, expr),
        Expr::BinaryOp { op, .. } if binary(op) => Ok(()),
        Expr::UnaryOp { op, .. } if unary(*op) => Ok(()),
        Expr::Value(value) if literal(&value.value) => Ok(()),
        Expr::Cast { data_type, .. } => cast(data_type, expr),
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            Err(SqlError::Clause {
                clause: "a subquery",
                place: place(expr),
                help: SUBQUERY,
            })
        }
        Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::Extract { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Trim { .. }
        | Expr::Nested(_)
        | Expr::TypedString(_)
        | Expr::Case { .. } => Ok(()),
        Expr::Cube(_) | Expr::Rollup(_) | Expr::GroupingSets(_) => Err(SqlError::Expression {
            fragment: fragment(expr),
            place: place(expr),
            help: "Write it in GROUP BY",
        }),
        _ => Err(SqlError::Expression {
            fragment: fragment(expr),
            place: place(expr),
            help: ROWWISE,
        }),
    }
}

/// Casts go to types whose arithmetic does not fail.
fn cast(target: &DataType, expr: &Expr) -> Result<(), SqlError> {
    let total = matches!(
        target,
        DataType::Boolean
            | DataType::TinyInt(_)
            | DataType::SmallInt(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::Real
            | DataType::Float(_)
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Varchar(None)
            | DataType::Text
            | DataType::String(None)
            | DataType::Date
    );
    if total {
        return Ok(());
    }
    Err(SqlError::Expression {
        fragment: fragment(expr),
        place: place(expr),
        help: "Cast to BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, REAL, DOUBLE, VARCHAR or DATE",
    })
}

fn column(ident: &Ident) -> Result<(), SqlError> {
    if ident.value.to_lowercase().starts_with(RESERVED_PREFIX) {
        return Err(SqlError::ReservedColumn {
            name: fragment(&ident.value),
            place: place_of(ident.span),
        });
    }
    Ok(())
}

fn call(function: &Function, expr: &Expr) -> Result<(), SqlError> {
    let Function {
        name,
        uses_odbc_syntax: _,
        parameters,
        args,
        filter,
        null_treatment,
        over,
        within_group,
    } = function;
    let refuse = |clause, help| {
        Err(SqlError::Clause {
            clause,
            place: place(expr),
            help,
        })
    };
    if over.is_some() {
        return refuse(
            "a window function (OVER)",
            "Window functions return rows; use GROUP BY",
        );
    }
    if filter.is_some() {
        return refuse(
            "FILTER in an aggregate",
            "Put the condition into WHERE, so that the whole cell is judged",
        );
    }
    let known = simple(name).map(normalise);
    let known = known.as_deref().unwrap_or_default();
    if null_treatment.is_some() || *parameters != FunctionArguments::None {
        return refuse("this form of a function call", "Write name(arguments)");
    }
    if !is_ordered_as(known, within_group) {
        return refuse(
            "WITHIN GROUP",
            "Write PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY x), or QUANTILE_CONT(x, 0.9)",
        );
    }
    if Kind::named(known).is_some() {
        return refuse(
            "a regression inside an expression",
            "Make it an item of its own in the SELECT; each of its numbers becomes a column",
        );
    }
    if !functions::is_allowed(known) {
        return Err(SqlError::Function {
            name: fragment(name),
            place: place(name),
            help: functions::help(known),
        });
    }
    check_literal_arguments(known, args, expr)?;
    match args {
        FunctionArguments::List(list) if list.duplicate_treatment.is_some() => {
            if known == "count" && is_column(list) {
                // Whether the column identifies a unit is known when the dataset is (`join.rs`).
                return Ok(());
            }
            refuse("DISTINCT in an aggregate", DISTINCT)
        }
        FunctionArguments::List(list) if list.clauses.is_empty() => {
            list.args.iter().try_for_each(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => Ok(()),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if known == "count" => Ok(()),
                _ => refuse("this form of an argument", "Write name(expression, …)"),
            })
        }
        _ => refuse("this form of a function call", "Write name(arguments)"),
    }
}

/// Whether a call has the `WITHIN GROUP` that its function takes: one ascending key, or none at all.
fn is_ordered_as(function: &str, keys: &[OrderByExpr]) -> bool {
    match keys {
        [] => function != "percentile_cont",
        [key] => {
            function == "percentile_cont"
                && key.options.asc != Some(false)
                && key.options.nulls_first.is_none()
                && key.with_fill.is_none()
        }
        _ => false,
    }
}

fn is_column(list: &FunctionArgumentList) -> bool {
    matches!(
        list.args.as_slice(),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(
            Expr::Identifier(_) | Expr::CompoundIdentifier(_)
        ))]
    )
}

fn check_literal_arguments(
    function: &str,
    args: &FunctionArguments,
    expr: &Expr,
) -> Result<(), SqlError> {
    let FunctionArguments::List(list) = args else {
        return Ok(());
    };
    let of_function = functions::LITERAL_ARGUMENTS
        .iter()
        .filter(|(name, _)| *name == function);
    for (_, position) in of_function {
        let given = list.args.get(*position);
        if given.is_some_and(|argument| !is_literal(argument)) {
            return Err(SqlError::Expression {
                fragment: fragment(expr),
                place: place(expr),
                help: "This argument must be a literal",
            });
        }
    }
    if function == histogram::NAME && !makes_bins(list) {
        return Err(SqlError::Expression {
            fragment: fragment(expr),
            place: place(expr),
            help: "Write HISTOGRAM(x, low, high, bins) with low below high and 1 to 1,000 bins",
        });
    }
    Ok(())
}

fn makes_bins(list: &FunctionArgumentList) -> bool {
    let numbers: Option<Vec<f64>> = list
        .args
        .iter()
        .skip(1)
        .map(|argument| argument.to_string().parse().ok())
        .collect();
    matches!(numbers.as_deref(), Some([low, high, bins]) if Bins::new(*low, *high, *bins).is_some())
}

fn is_literal(argument: &FunctionArg) -> bool {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::UnaryOp { expr, .. })) => {
            matches!(**expr, Expr::Value(_))
        }
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(_))) => true,
        _ => false,
    }
}

const fn binary(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::And
            | BinaryOperator::Or
    )
}

const fn unary(op: UnaryOperator) -> bool {
    matches!(
        op,
        UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not
    )
}

const fn literal(value: &Value) -> bool {
    matches!(
        value,
        Value::Number(..)
            | Value::SingleQuotedString(_)
            | Value::DollarQuotedString(_)
            | Value::EscapedStringLiteral(_)
            | Value::Boolean(_)
            | Value::Null
    )
}
