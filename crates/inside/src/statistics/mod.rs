//! What a query's aggregates are made of.
//!
//! The gate rounds numbers and derives totals; means and ratios must follow from what it released, or they would give
//! away what rounding took. So each aggregate is taken apart into *statistics* (counts, sums, and numbers that are what
//! they are, such as a variance), which are computed inside and judged, and put together again above the split:
//! `AVG(x)` is a sum and a count below it, and a division above it.
//!
//! | aggregate | statistics | evidence |
//! |---|---|---|
//! | `COUNT(*)`, `COUNT(x)` | a count | units and rows with a value |
//! | `COUNT(DISTINCT identifier)` | the number of units | – |
//! | `SUM(x)` | a sum | contributions of units to it |
//! | `AVG(x)`, `REGR_AVGX`, `REGR_AVGY` | a sum and a count | those of the sum |
//! | `VAR…`, `STDDEV…` | itself | contributions to the sum and to the sum of squares |
//! | `COVAR…`, `CORR`, `REGR_…` | itself | the same of both arguments, over rows that have both; it is a fit of two parameters |
//! | `MEDIAN`, `PERCENTILE_CONT` | itself, averaged over neighbours | contributions; how many quantiles are asked of the argument |
//! | `LINEAR_REGRESSION`, `LOGISTIC_REGRESSION` | coefficients, errors, rows | contributions of each term on either side of 0 and 1; a fit |

mod build;
mod design;
mod fit;
mod knows;
mod linear;
mod logistic;
mod quantile;
mod significant;
mod sum;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use weir_gate::{Fit, Quantiles, Statistic};

pub(crate) use build::statistics;
pub(crate) use fit::{Kind, LINEAR, LOGISTIC, ROWS, coefficient, standard_error};
pub(crate) use knows::Knows;
pub(crate) use quantile::{NAME as QUANTILE, quantile_udaf};

/// Most expressions that one query counts, and as many that it sums.
pub const ARGUMENTS_MAX: usize = 64;

/// Most regressors of one fit: each costs a row and a column of a matrix that is kept for every group.
pub const REGRESSORS_MAX: usize = 16;

/// The statistics of a table, and how its aggregates follow from them.
pub(crate) struct Statistics {
    /// The aggregates that are computed below the split, each under the name [`computed_name`].
    pub(crate) computed: Vec<Expr>,
    /// The columns of the table of cells behind its keys.
    pub(crate) columns: Vec<StatisticColumn>,
    /// What evidence is asked of.
    pub(crate) arguments: Arguments,
    /// For each aggregate of the query, in their order, what it is of the released columns.
    pub(crate) rebuilt: Vec<Expr>,
    /// Quantiles asked of one argument.
    pub(crate) quantiles: Vec<Quantiles>,
    /// Fitted models.
    pub(crate) fits: Vec<Fit>,
}

/// One statistic: a column of the table of cells.
pub(crate) struct StatisticColumn {
    /// Where it comes from.
    pub(crate) source: Source,
    /// How the gate rounds and derives it.
    pub(crate) statistic: Statistic,
    /// Its type.
    pub(crate) data_type: DataType,
    /// What it is, in the caller's words: the released table's header.
    pub(crate) label: String,
    /// Which units and which contributions it is of.
    pub(crate) of: Of,
}

/// Which units a statistic is of, and how much of it each is: what the ledger compares.
#[derive(Clone)]
pub(crate) struct Of {
    /// Numbers of one kind can be subtracted.
    pub(crate) kind: String,
    /// The column of the data that it is of, where it is of nothing computed.
    pub(crate) column: Option<String>,
    /// Whether a model or a condition of the query decides what a unit contributes.
    pub(crate) is_chosen: bool,
    /// The argument whose contributors its units are; none where they are all of the cell.
    pub(crate) set: Option<Argument>,
    /// The arguments whose contributions it is made of; none where every unit is as much of it as any other.
    pub(crate) prints: Vec<Print>,
}

/// An argument, by its position among those that are counted or those that are summed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Counted(usize),
    Summed(usize),
}

/// What each unit contributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Print {
    /// Its rows.
    Rows,
    /// Its part of an argument.
    Of(Argument),
}

/// Where a statistic comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The computed aggregate at this position.
    Computed(usize),
    /// A field of the record that the computed aggregate at this position returns.
    Field(usize, String),
    /// The evidence for this kind of unit.
    Units(usize),
    /// The evidence for the first kind: all rows, or those in which a counted argument has a value.
    Rows(Option<usize>),
    /// Likewise: the sum of a summed argument.
    Sum(usize),
}

/// What evidence is computed of, each once.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Conditions: units and rows for which they hold are counted.
    pub(crate) counts: Vec<Expr>,
    /// Numbers: the contributions of units to their sum are kept.
    pub(crate) sums: Vec<Expr>,
    /// Sensitive values: distinct ones are counted.
    pub(crate) values: Vec<Expr>,
    /// Positions among `counts`, one for each fitted model: the rows that enter it.
    pub(crate) fits: Vec<usize>,
    /// Positions among `counts` and among `sums` of the nullable arguments of counts and sums: what a margin has beside a
    /// cell may be of few units there, though many have rows.
    pub(crate) named: (u64, u64),
    /// Likewise those whose contributors are kept as a set.
    pub(crate) with_set: (u64, u64),
    /// Likewise those of which a print is kept.
    pub(crate) with_print: (u64, u64),
    /// Those with a set that nobody chose: columns of the data that are null in some rows.
    pub(crate) parts: Vec<Argument>,
}

impl Arguments {
    fn keep_set(&mut self, of: Argument) -> Result<()> {
        match of {
            Argument::Counted(at) => mark(&mut self.with_set.0, at),
            Argument::Summed(at) => mark(&mut self.with_set.1, at),
        }
    }

    fn keep_print(&mut self, of: Print) -> Result<()> {
        match of {
            Print::Rows => Ok(()),
            Print::Of(Argument::Counted(at)) => mark(&mut self.with_print.0, at),
            Print::Of(Argument::Summed(at)) => mark(&mut self.with_print.1, at),
        }
    }
}

/// The name of the computed aggregate at `position`.
pub(crate) fn computed_name(position: usize) -> String {
    format!("weir_computed_{position}")
}

/// The name of the statistic at `position`, above the split.
pub(crate) fn column_name(position: usize) -> String {
    format!("weir_statistic_{position}")
}

/// Above the split, the column that tells a cell's grouping set.
pub(crate) const SET_COLUMN: &str = "weir_set";

/// Marks a position in a set of them; whether it is one of those that a set can hold.
fn mark(set: &mut u64, position: usize) -> Result<()> {
    let bit = u32::try_from(position)
        .ok()
        .and_then(|at| 1_u64.checked_shl(at));
    let Some(bit) = bit else {
        return datafusion::common::plan_err!(
            "a query counts and sums at most {ARGUMENTS_MAX} expressions"
        );
    };
    *set |= bit;
    Ok(())
}

/// Position of an expression among others, added where it is not there yet.
fn position(among: &mut Vec<Expr>, expression: Expr) -> usize {
    let found = among.iter().position(|other| *other == expression);
    found.unwrap_or_else(|| {
        among.push(expression);
        among.len() - 1
    })
}

/// The literal number that an argument is.
fn literal(argument: Option<&Expr>) -> Result<f64> {
    let value = match argument {
        Some(Expr::Literal(value, _)) => value.cast_to(&DataType::Float64)?,
        _ => return datafusion::common::plan_err!("this argument must be a literal number"),
    };
    match value {
        datafusion::common::ScalarValue::Float64(Some(number)) => Ok(number),
        _ => datafusion::common::plan_err!("this argument must be a literal number"),
    }
}
