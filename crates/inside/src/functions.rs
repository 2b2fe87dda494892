//! Which functions a query may call inside.
//!
//! Scalar functions are total or made so (`total.rs`), depend on their arguments alone (none is
//! volatile, none reads a clock, a file or a setting) and return one value per row. Aggregates are those the gate can
//! judge by units and rows.

use std::sync::Arc;

use datafusion::functions_aggregate::{
    average, correlation, count, covariance, grouping, regr, stddev, sum, variance,
};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use crate::histogram;
use crate::statistics::{Kind, LINEAR, LOGISTIC, QUANTILE, quantile_udaf};
use crate::units;

/// Aggregates a query may ask for.
pub(crate) const AGGREGATES: [&str; 28] = [
    "avg",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "grouping",
    "linear_regression",
    "logistic_regression",
    "median",
    "percentile_cont",
    "quantile_cont",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var",
    "var_pop",
    "var_samp",
    "variance",
];

/// Scalar functions a query may call, by the name the planner resolves.
pub(crate) const SCALARS: [&str; 30] = [
    "abs",
    "btrim",
    "ceil",
    "character_length",
    "char_length",
    "coalesce",
    "concat",
    "date_part",
    "date_trunc",
    "exp",
    "floor",
    "greatest",
    "histogram",
    "least",
    "left",
    "length",
    "ln",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "nullif",
    "right",
    "round",
    "rtrim",
    "signum",
    "sqrt",
    "starts_with",
    "trunc",
    "upper",
];

/// Arguments that must be literals, by function and position from 0: another value there could make it fail for a row.
pub(crate) const LITERAL_ARGUMENTS: [(&str, usize); 11] = [
    ("date_part", 0),
    ("date_trunc", 0),
    ("histogram", 1),
    ("histogram", 2),
    ("histogram", 3),
    ("percentile_cont", 0),
    ("quantile_cont", 1),
    ("left", 1),
    ("right", 1),
    ("round", 1),
    ("trunc", 1),
];

/// Functions that the parser turns from syntax (`EXTRACT`, `CEIL`) into calls of the ones above never appear by
/// another name, so one look-up serves both.
pub(crate) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    if name == histogram::NAME {
        return Some(histogram::histogram());
    }
    if !SCALARS.contains(&name) {
        return None;
    }
    datafusion::functions::all_default_functions()
        .into_iter()
        .find(|function| function.name() == name || function.aliases().iter().any(|a| a == name))
}

/// Whether a query may call a function of this name.
pub(crate) fn is_allowed(name: &str) -> bool {
    AGGREGATES.contains(&name) || scalar(name).is_some()
}

/// The aggregate that the planner knows by this name, after `rewrite.rs`.
pub(crate) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    Some(match name {
        "avg" => average::avg_udaf(),
        "corr" => correlation::corr_udaf(),
        "count" => count::count_udaf(),
        "covar_pop" => covariance::covar_pop_udaf(),
        "covar_samp" => covariance::covar_samp_udaf(),
        "grouping" => grouping::grouping_udaf(),
        "regr_avgx" => regr::regr_avgx_udaf(),
        "regr_avgy" => regr::regr_avgy_udaf(),
        "regr_count" => regr::regr_count_udaf(),
        "regr_intercept" => regr::regr_intercept_udaf(),
        "regr_r2" => regr::regr_r2_udaf(),
        "regr_slope" => regr::regr_slope_udaf(),
        "regr_sxx" => regr::regr_sxx_udaf(),
        "regr_sxy" => regr::regr_sxy_udaf(),
        "regr_syy" => regr::regr_syy_udaf(),
        "stddev" | "stddev_samp" => stddev::stddev_udaf(),
        "stddev_pop" => stddev::stddev_pop_udaf(),
        "sum" => sum::sum_udaf(),
        "var" | "var_samp" | "variance" => variance::var_samp_udaf(),
        "var_pop" => variance::var_pop_udaf(),
        LINEAR => Kind::Linear.udaf(),
        LOGISTIC => Kind::Logistic.udaf(),
        QUANTILE => quantile_udaf(),
        units::NAME => units::units_udaf(),
        _ => return None,
    })
}

/// What to do instead of calling `name`.
pub(crate) fn help(name: &str) -> String {
    match name {
        "min" | "max" => {
            "A minimum or maximum is one unit's value: use AVG, or count above a bound".to_owned()
        }
        "array_agg" | "string_agg" | "list" | "first_value" | "last_value" | "nth_value"
        | "any_value" => {
            format!(
                "It returns rows' values. Aggregates are: {}",
                AGGREGATES.join(", ")
            )
        }
        _ => format!(
            "Aggregates are: {}. Scalar functions are: {}",
            AGGREGATES.join(", "),
            SCALARS.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::Volatility;

    #[test]
    fn every_allowed_name_exists_and_is_immutable() {
        for name in SCALARS {
            let function = scalar(name);
            let function = function.as_ref().map(|f| f.signature().volatility);
            assert_eq!(function, Some(Volatility::Immutable), "{name}");
        }
        for name in AGGREGATES {
            let is_rewritten = matches!(name, "median" | "percentile_cont" | "quantile_cont")
                || Kind::named(name).is_some();
            assert_eq!(aggregate(name).is_none(), is_rewritten, "{name}");
        }
    }

    #[test]
    fn internal_functions_cannot_be_called_by_name() {
        for name in [
            LINEAR,
            LOGISTIC,
            QUANTILE,
            units::NAME,
            "weir_tag",
            "weir_evidence",
        ] {
            assert!(!is_allowed(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_listed_does_not_exist() {
        for name in [
            "now",
            "random",
            "uuid",
            "version",
            "current_date",
            "arrow_cast",
            "max",
            "array_agg",
            "approx_distinct",
            "get_field",
        ] {
            assert!(!is_allowed(name), "{name}");
            assert!(aggregate(name).is_none(), "{name}");
        }
    }
}
