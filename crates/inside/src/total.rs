//! Makes expressions total: what cannot be computed for a row is null for that row, and never an error.
//!
//! A run that fails on some data and not on other data is an oracle: `1 / (flight - 1545)` would tell whether a flight
//! 1545 is in the cell. So everything that can fail on a value is either rewritten here or not on the allow-list:
//! - casts, the caller's and those the engine adds, give null for what does not fit;
//! - integer division and remainder by zero give null, and the one quotient that overflows (the smallest number by −1)
//!   wraps, as the engine's other integer arithmetic does;
//! - mathematical functions work on floats, whose arithmetic never fails, and `sqrt` of less than zero is null;
//! - casts to decimals, intervals, and functions that fail on an argument's value are not allowed, or only with a
//!   literal there (`expression.rs`).
//!
//! The rewrite runs after the engine's analysis, when every type is known and every implied cast is in the plan.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::functions::math::expr_fn::nanvl;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, TryCast, binary_expr, lit, try_cast,
    when,
};
use datafusion::optimizer::Analyzer;

/// Functions whose integer or decimal form can overflow; what they are of becomes a float.
const FLOAT_ONLY: [&str; 11] = [
    "abs", "ceil", "exp", "floor", "ln", "log10", "log2", "round", "signum", "sqrt", "trunc",
];

/// The analysed plan with total expressions.
pub(crate) fn total(plan: LogicalPlan) -> Result<LogicalPlan> {
    let analysed = Analyzer::new().execute_and_check(plan, &ConfigOptions::default(), |_, _| {})?;
    let rewritten = analysed.transform_up(|node| {
        let input = Arc::new(merge_schema(&node.inputs()));
        // The names are kept: the nodes above refer to them.
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expression| {
            let name = names.save(&expression);
            expression
                .transform_up(|part| rewrite(part, &input))
                .map(|expression| expression.update_data(|expression| name.restore(expression)))
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(rewritten.data)
}

fn rewrite(expression: Expr, input: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Cast(cast) => {
            let total = TryCast::new_from_field(cast.expr, cast.field);
            Ok(Transformed::yes(Expr::TryCast(total)))
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Divide | Operator::Modulo),
            right,
        }) => divide(*left, op, *right, input),
        Expr::ScalarFunction(call) if FLOAT_ONLY.contains(&call.func.name()) => of_float(call),
        other => Ok(Transformed::no(other)),
    }
}

fn of_float(call: ScalarFunction) -> Result<Transformed<Expr>> {
    let ScalarFunction { func, mut args } = call;
    if let Some(first) = args.first_mut() {
        let float = try_cast(first.clone(), DataType::Float64);
        *first = match func.name() {
            "sqrt" => when(float.clone().gt_eq(lit(0.0)), float).end()?,
            _ => float,
        };
    }
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
        func,
        args,
    })))
}

fn divide(left: Expr, op: Operator, right: Expr, input: &DFSchema) -> Result<Transformed<Expr>> {
    let kind = right.get_type(input)?;
    if !kind.is_integer() {
        return Ok(Transformed::no(binary_expr(left, op, right)));
    }
    let zero = ScalarValue::new_zero(&kind)?;
    if op == Operator::Modulo || !kind.is_signed_integer() {
        return Ok(Transformed::yes(binary_expr(
            left,
            op,
            nullif(right, lit(zero)),
        )));
    }
    let minus_one = ScalarValue::new_negative_one(&kind)?;
    let divisor = nullif(
        nullif(right.clone(), lit(zero.clone())),
        lit(minus_one.clone()),
    );
    let wrapped = binary_expr(lit(zero), Operator::Minus, left.clone());
    let quotient =
        when(right.eq(lit(minus_one)), wrapped).otherwise(binary_expr(left, op, divisor))?;
    Ok(Transformed::yes(quotient))
}

/// Makes every NaN of a key the same: the engine groups by bits, and two NaN of different bits would be one cell twice.
pub(crate) fn one_nan(key: &Expr, input: &DFSchema) -> Result<Expr> {
    let nan = match key.get_type(input)? {
        DataType::Float64 => lit(f64::NAN),
        DataType::Float32 => lit(f32::NAN),
        _ => return Ok(key.clone()),
    };
    Ok(nanvl(key.clone(), nan).alias(key.schema_name().to_string()))
}
