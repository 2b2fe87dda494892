//! Aggregates that callers write in a way the planner does not know, written as the planner knows them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, ObjectName, SelectItem, SetExpr, Value, VisitMut, VisitorMut, visit_expressions,
};

use crate::names::{normalise, simple};
use crate::statistics::{Kind, QUANTILE, ROWS, coefficient, standard_error};

/// The name a caller calls a function by.
pub(crate) fn name_of(function: &Function) -> Option<String> {
    simple(&function.name).map(normalise)
}

/// The fit that an expression is a call of.
pub(crate) fn fit(expression: &Expr) -> Option<(Kind, &Function)> {
    let Expr::Function(function) = expression else {
        return None;
    };
    let kind = Kind::named(&name_of(function)?)?;
    Some((kind, function))
}

/// The arguments of a call that are plain expressions.
pub(crate) fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    let plain = |argument| match argument {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expression)) => Some(expression),
        _ => None,
    };
    list.args.iter().filter_map(plain).collect()
}

/// Rewrites a checked query: quantiles in one form, and each fit as one column for each of its numbers.
pub(crate) fn rewrite(query: &mut ast::Query) {
    if let SetExpr::Select(select) = query.body.as_mut() {
        let items = std::mem::take(&mut select.projection);
        select.projection = items.into_iter().flat_map(item).collect();
    }
    let ControlFlow::Continue(()) = query.visit(&mut Quantiles);
}

struct Quantiles;

impl VisitorMut for Quantiles {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expression
            && let Some(quantile) = quantile(function)
        {
            *expression = quantile;
        }
        ControlFlow::Continue(())
    }
}

/// `MEDIAN(x)`, `QUANTILE_CONT(x, q)` and `PERCENTILE_CONT(q) WITHIN GROUP (ORDER BY x)`.
fn quantile(function: &Function) -> Option<Expr> {
    let given = arguments(function);
    let (of, at) = match (name_of(function)?.as_str(), given.as_slice()) {
        ("median", [of]) => ((*of).clone(), number("0.5")),
        ("quantile_cont", [of, at]) => ((*of).clone(), (*at).clone()),
        ("percentile_cont", [at]) => {
            let ordered = function.within_group.first()?;
            (ordered.expr.clone(), (*at).clone())
        }
        _ => return None,
    };
    Some(call(QUANTILE, vec![of, at]))
}

/// A fit in the `SELECT` becomes a column for each of its numbers. What is written in another way for the planner keeps the
/// name that its caller would expect. Any other item stays.
fn item(item: SelectItem) -> Vec<SelectItem> {
    let (expression, prefix) = match &item {
        SelectItem::UnnamedExpr(expression) => (expression, String::new()),
        SelectItem::ExprWithAlias { expr, alias } => (expr, format!("{}_", alias.value)),
        _ => return vec![item],
    };
    let Some((kind, function)) = fit(expression) else {
        return vec![match item {
            SelectItem::UnnamedExpr(expr) if is_rewritten(&expr) => SelectItem::ExprWithAlias {
                alias: Ident::with_quote('"', expr.to_string()),
                expr,
            },
            other => other,
        }];
    };
    let terms = arguments(function);
    let fit = call(
        kind.internal_name(),
        terms.iter().map(|term| (*term).clone()).collect(),
    );
    let field = |name: &str| call("get_field", vec![fit.clone(), text(name)]);
    let column = |name: &str, expr: Expr| SelectItem::ExprWithAlias {
        expr,
        alias: Ident::with_quote('"', format!("{prefix}{name}")),
    };
    let freedom = Expr::BinaryOp {
        left: Box::new(field(ROWS)),
        op: ast::BinaryOperator::Minus,
        right: Box::new(number(&terms.len().to_string())),
    };
    let mut items = vec![
        column("rows", field(ROWS)),
        column("residual_degrees_of_freedom", freedom),
    ];
    items.extend(
        kind.measures()
            .iter()
            .map(|measure| column(measure, field(measure))),
    );
    for (at, name) in names(&terms).iter().enumerate() {
        items.push(column(name, field(&coefficient(at))));
        let error = field(&standard_error(at));
        items.push(column(&format!("{name}_standard_error"), error));
    }
    items
}

/// Whether something in an expression is written in another way for the planner, here or in `join.rs`.
fn is_rewritten(expression: &Expr) -> bool {
    let found = visit_expressions(expression, |part| match part {
        Expr::Function(function) if quantile(function).is_some() || is_distinct(function) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment.is_some())
}

/// A name for each coefficient: `intercept`, then each regressor's where it is a column of its own, or else its position.
fn names(terms: &[&Expr]) -> Vec<String> {
    let mut names = vec!["intercept".to_owned()];
    for (at, term) in terms.iter().enumerate().skip(1) {
        let own = match term {
            Expr::Identifier(ident) => Some(normalise(ident)),
            Expr::CompoundIdentifier(parts) => parts.last().map(normalise),
            _ => None,
        };
        let own = own.filter(|own| !names.contains(own));
        names.push(own.unwrap_or_else(|| format!("x{at}")));
    }
    names
}

fn number(text: &str) -> Expr {
    Expr::value(Value::Number(text.to_owned(), false))
}

fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}

/// A plain call.
pub(crate) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let arguments = arguments
        .into_iter()
        .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
