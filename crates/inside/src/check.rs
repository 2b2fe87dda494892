//! The allow-list over clauses. Each structure is taken apart field by field, without `..`, so that a clause a newer
//! parser learns does not compile until someone has decided about it.

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Function, GroupByExpr, LimitClause, OrderBy, OrderByKind, Query, Select,
    SelectItem, SetExpr,
};

use crate::error::{Place, SqlError};
use crate::expression;
use crate::names::{fragment, place};
use crate::relations::{Relation, relations};
use crate::rewrite;

const ONE_SELECT: &str =
    "A run is one SELECT … FROM … WHERE … GROUP BY … HAVING … ORDER BY … LIMIT";

/// Checks every clause of a query and names what it reads from.
pub(crate) fn query(query: &Query) -> Result<Vec<Relation>, SqlError> {
    let Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    let whole = place(query);
    refuse_if(
        with.is_some(),
        "WITH",
        whole,
        "Write it as one SELECT; subqueries are not read",
    )?;
    refuse_if(fetch.is_some(), "FETCH", whole, "Use LIMIT")?;
    refuse_if(!locks.is_empty(), "FOR UPDATE", whole, ONE_SELECT)?;
    refuse_if(
        for_clause.is_some(),
        "FOR XML or FOR JSON",
        whole,
        ONE_SELECT,
    )?;
    refuse_if(settings.is_some(), "SETTINGS", whole, ONE_SELECT)?;
    refuse_if(format_clause.is_some(), "FORMAT", whole, ONE_SELECT)?;
    refuse_if(
        !pipe_operators.is_empty(),
        "a pipe operator",
        whole,
        ONE_SELECT,
    )?;
    let select = match body.as_ref() {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { .. } => {
            return Err(clause(
                "UNION, INTERSECT or EXCEPT",
                whole,
                "Send each SELECT as a run of its own",
            ));
        }
        SetExpr::Values(_) | SetExpr::Table(_) => {
            return Err(SqlError::NotAnAggregate {
                fragment: fragment(query),
            });
        }
        SetExpr::Query(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_) => {
            return Err(SqlError::NotASelect {
                fragment: fragment(query),
            });
        }
    };
    let read = check_select(select)?;
    if let Some(order_by) = order_by {
        check_order_by(order_by, whole)?;
    }
    if let Some(limit) = limit_clause {
        check_limit(limit, whole)?;
    }
    Ok(read)
}

fn check_select(select: &Select) -> Result<Vec<Relation>, SqlError> {
    let Select {
        select_token: _,
        optimizer_hints: _, // comments; nothing reads them
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor: _,
    } = select;
    let here = place(select);
    refuse_if(
        matches!(distinct, Some(Distinct::On(_))),
        "DISTINCT ON",
        here,
        "Use GROUP BY",
    )?;
    refuse_if(
        select_modifiers.is_some(),
        "a MySQL modifier of SELECT",
        here,
        ONE_SELECT,
    )?;
    refuse_if(top.is_some(), "TOP", here, "Use LIMIT")?;
    refuse_if(exclude.is_some(), "EXCLUDE", here, ONE_SELECT)?;
    refuse_if(
        into.is_some(),
        "INTO",
        here,
        "Nothing is written inside the domain; the result comes back to you",
    )?;
    refuse_if(!lateral_views.is_empty(), "LATERAL VIEW", here, ONE_SELECT)?;
    refuse_if(prewhere.is_some(), "PREWHERE", here, "Use WHERE")?;
    refuse_if(!connect_by.is_empty(), "CONNECT BY", here, ONE_SELECT)?;
    refuse_if(
        !cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty(),
        "CLUSTER BY, DISTRIBUTE BY or SORT BY",
        here,
        "Use ORDER BY",
    )?;
    refuse_if(
        !named_window.is_empty(),
        "WINDOW",
        here,
        "Window functions return rows; use GROUP BY",
    )?;
    refuse_if(
        qualify.is_some(),
        "QUALIFY",
        here,
        "Window functions return rows; use GROUP BY and HAVING",
    )?;
    refuse_if(value_table_mode.is_some(), "SELECT AS", here, ONE_SELECT)?;
    let read = relations(from, here)?;
    for item in projection {
        check_item(item, select)?;
    }
    selection
        .iter()
        .chain(having)
        .try_for_each(expression::check)?;
    check_group_by(group_by, here)?;
    Ok(read)
}

fn check_item(item: &SelectItem, select: &Select) -> Result<(), SqlError> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, alias: _ } => {
            match rewrite::fit(expr) {
                Some((_, call)) => check_fit(expr, call),
                None => expression::check(expr),
            }
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
            Err(SqlError::NotAnAggregate {
                fragment: fragment(select),
            })
        }
        SelectItem::ExprWithAliases { .. } => Err(clause(
            "an expression with several names",
            place(item),
            "Give it one name",
        )),
    }
}

/// A regression: the fitted number and the regressors, and nothing else in the call.
fn check_fit(expr: &Expr, call: &Function) -> Result<(), SqlError> {
    let terms = rewrite::arguments(call);
    let plain = terms.iter().map(|term| (*term).clone()).collect();
    if rewrite::call(&call.name.to_string(), plain) != *expr || terms.len() < 2 {
        return Err(SqlError::Expression {
            fragment: fragment(expr),
            place: place(expr),
            help: "Write LINEAR_REGRESSION(y, x, …) or LOGISTIC_REGRESSION(y, x, …)",
        });
    }
    terms.into_iter().try_for_each(expression::check)
}

fn check_group_by(group_by: &GroupByExpr, here: Place) -> Result<(), SqlError> {
    match group_by {
        GroupByExpr::Expressions(expressions, modifiers) => {
            refuse_if(
                !modifiers.is_empty(),
                "a modifier of GROUP BY",
                here,
                "Write GROUP BY ROLLUP (…), CUBE (…) or GROUPING SETS (…)",
            )?;
            expressions.iter().try_for_each(check_key)
        }
        GroupByExpr::All(_) => Err(clause("GROUP BY ALL", here, "Name the keys")),
    }
}

fn check_key(key: &Expr) -> Result<(), SqlError> {
    match key {
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
            sets.iter().flatten().try_for_each(expression::check)
        }
        _ => expression::check(key),
    }
}

fn check_order_by(order_by: &OrderBy, here: Place) -> Result<(), SqlError> {
    refuse_if(
        order_by.interpolate.is_some(),
        "INTERPOLATE",
        here,
        ONE_SELECT,
    )?;
    match &order_by.kind {
        OrderByKind::Expressions(keys) => keys.iter().try_for_each(|key| {
            refuse_if(key.with_fill.is_some(), "WITH FILL", here, ONE_SELECT)?;
            expression::check(&key.expr)
        }),
        OrderByKind::All(_) => Err(clause("ORDER BY ALL", here, "Name the keys")),
    }
}

fn check_limit(limit: &LimitClause, here: Place) -> Result<(), SqlError> {
    match limit {
        LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        } => {
            refuse_if(!limit_by.is_empty(), "LIMIT BY", here, "Use LIMIT")?;
            let offset = offset.as_ref().map(|offset| &offset.value);
            limit.iter().chain(offset).try_for_each(expression::check)
        }
        LimitClause::OffsetCommaLimit { offset, limit } => {
            expression::check(offset)?;
            expression::check(limit)
        }
    }
}

pub(crate) fn refuse_if(
    found: bool,
    name: &'static str,
    place: Place,
    help: &'static str,
) -> Result<(), SqlError> {
    if found {
        Err(clause(name, place, help))
    } else {
        Ok(())
    }
}

pub(crate) fn clause(clause: &'static str, place: Place, help: &'static str) -> SqlError {
    SqlError::Clause {
        clause,
        place,
        help,
    }
}
