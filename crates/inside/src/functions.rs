//! Which functions a query may call inside.
//!
//! Scalar functions are total or made so (`total.rs`), depend on their arguments alone (none is
//! volatile, none reads a clock, a file or a setting) and return one value per row. Aggregates are those the gate can
//! judge by units and rows.

use std::sync::Arc;

use datafusion::functions_aggregate::{average, count, sum};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// Aggregates a query may ask for.
pub(crate) const AGGREGATES: [&str; 3] = ["avg", "count", "sum"];

/// Scalar functions a query may call, by the name the planner resolves.
pub(crate) const SCALARS: [&str; 29] = [
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
pub(crate) const LITERAL_ARGUMENTS: [(&str, usize); 6] = [
    ("date_part", 0),
    ("date_trunc", 0),
    ("left", 1),
    ("right", 1),
    ("round", 1),
    ("trunc", 1),
];

/// Functions that the parser turns from syntax (`EXTRACT`, `CEIL`) into calls of the ones above never appear by
/// another name, so one look-up serves both.
pub(crate) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    if !SCALARS.contains(&name) {
        return None;
    }
    datafusion::functions::all_default_functions()
        .into_iter()
        .find(|function| function.name() == name || function.aliases().iter().any(|a| a == name))
}

/// An aggregate on the allow-list.
pub(crate) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    match name {
        "avg" => Some(average::avg_udaf()),
        "count" => Some(count::count_udaf()),
        "sum" => Some(sum::sum_udaf()),
        _ => None,
    }
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
            assert!(aggregate(name).is_some(), "{name}");
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
        ] {
            assert!(scalar(name).is_none(), "{name}");
            assert!(aggregate(name).is_none(), "{name}");
        }
    }
}
