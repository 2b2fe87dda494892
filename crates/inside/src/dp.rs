//! Differential privacy, the part before anything is added up: what a unit can add to a column is bounded.
//!
//! Of each unit the first rows count (`capped.rs`), so that it is in no more cells than that. What is summed is clamped to the
//! bounds that the manifest declares, and is a whole multiple of a power of two, so that floats add up without rounding. The
//! gate adds noise for as much as a unit can add in all.
//!
//! What cannot be bounded is refused: another statistic than a count or a sum, a sum without declared bounds, rows about
//! several units.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::functions::math::expr_fn::round;
use datafusion::logical_expr::expr_fn::when;
use datafusion::logical_expr::{Expr, ExprSchemable, cast, lit};
use weir_gate::{Noise, Statistic};

use crate::bits::column;
use crate::error::SqlError;
use crate::keys::Meanings;
use crate::names::fragment;
use crate::planner::planning_error;
use crate::statistics::{Source, Statistics};

/// How much finer the grid of a float is than its bounds, as a power of two: with it a sum of 2^32 rows is exact.
const GRID_BITS: i32 = 16;

/// Bounds what is added up, and says what noise each column needs. `rows` of a unit count, in each of so many grouping sets.
///
/// # Errors
/// [`SqlError::NoiseStatistic`], [`SqlError::NoiseBounds`].
pub(crate) fn bound(
    statistics: &mut Statistics,
    input: &DFSchema,
    meanings: Meanings<'_>,
    (rows, sets): (u64, usize),
) -> Result<Vec<Noise>, SqlError> {
    let rows = rows.saturating_mul(sets as u64);
    let mut noises = Vec::new();
    for column in &statistics.columns {
        noises.push(match (column.statistic, &column.source) {
            (Statistic::Rows { .. } | Statistic::Units { .. }, _) => Noise {
                grid: 1.0,
                unit_most: rows,
            },
            (Statistic::Sum, Source::Computed(at)) => {
                let bounded = bounded(&statistics.computed[*at], input, meanings)?;
                let (clamped, noise) = bounded;
                statistics.computed[*at] = clamped;
                Noise {
                    unit_most: noise.unit_most.saturating_mul(rows),
                    ..noise
                }
            }
            _ => {
                return Err(SqlError::NoiseStatistic {
                    statistic: fragment(&column.label),
                });
            }
        });
    }
    Ok(noises)
}

/// A sum of clamped values, and the most that a row adds to it.
fn bounded(
    sum: &Expr,
    input: &DFSchema,
    meanings: Meanings<'_>,
) -> Result<(Expr, Noise), SqlError> {
    let Expr::AggregateFunction(call) = sum else {
        return Err(without_bounds(sum));
    };
    let [of] = call.params.args.as_slice() else {
        return Err(without_bounds(sum));
    };
    let data_type = of.get_type(input).map_err(|error| planning_error(&error))?;
    let bounds = column(of).and_then(|column| meanings.bounds(column));
    let (least, most) = bounds.ok_or_else(|| without_bounds(of))?;
    let (clamped, noise) =
        clamped(of, &data_type, (least, most)).ok_or_else(|| without_bounds(of))?;
    let mut call = call.clone();
    call.params.args = vec![clamped];
    Ok((Expr::AggregateFunction(call), noise))
}

fn without_bounds(of: &Expr) -> SqlError {
    SqlError::NoiseBounds {
        expression: fragment(&of.human_display().to_string()),
    }
}

/// A value between its bounds, of the same type; none where the type has no arithmetic for it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the casts saturate, and a bound that did so is refused"
)]
fn clamped(of: &Expr, data_type: &DataType, (least, most): (f64, f64)) -> Option<(Expr, Noise)> {
    let size = least.abs().max(most.abs());
    if !size.is_finite() || least > most {
        return None;
    }
    if data_type.is_integer() {
        let (least, most) = (least.floor(), most.ceil());
        // Beyond that a float no longer tells whole numbers apart.
        if size > 9e15 {
            return None;
        }
        let literal = |bound: f64| cast(lit(bound as i64), data_type.clone());
        let noise = Noise {
            grid: 1.0,
            unit_most: least.abs().max(most.abs()) as u64,
        };
        return Some((between(of, literal(least), literal(most))?, noise));
    }
    if !matches!(data_type, DataType::Float64 | DataType::Float32) {
        return None;
    }
    if size == 0.0 {
        let zero = || cast(lit(0.0_f64), data_type.clone());
        let noise = Noise {
            grid: 1.0,
            unit_most: 0,
        };
        return Some((between(of, zero(), zero())?, noise));
    }
    let grid = 2_f64.powi(size.log2().ceil() as i32 - GRID_BITS);
    if !grid.is_normal() {
        return None;
    }
    let (least, most) = ((least / grid).floor(), (most / grid).ceil());
    let multiple = round(vec![cast(of.clone(), DataType::Float64) / lit(grid)]);
    let multiple = between(&multiple, lit(least), lit(most))?;
    let noise = Noise {
        grid,
        unit_most: least.abs().max(most.abs()) as u64,
    };
    Some((cast(multiple * lit(grid), data_type.clone()), noise))
}

/// The value, or the bound that it lies beyond. What is no number lies beyond the upper one; null stays null.
fn between(of: &Expr, least: Expr, most: Expr) -> Option<Expr> {
    when(of.clone().lt(least.clone()), least.clone())
        .when(of.clone().lt_eq(most.clone()), of.clone())
        .when(of.clone().is_not_null(), most)
        .end()
        .ok()
}
