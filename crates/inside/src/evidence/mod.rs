//! What the gate will judge a cell on, computed beside the cell in the same aggregate and in one pass.
//!
//! A cell shows one number per aggregate, and each number speaks of the units that contribute a value to it: a mean over
//! a column that is null for all but one unit is that unit's value, however many units the cell has. So units and rows
//! are counted for the cell as a whole and again for every argument, and for sums and means the contributions of the
//! largest units are kept, because one unit may be nearly all of a sum of many.
//!
//! The vault keeps rows sorted by unit, so all of it is a running update of "the unit we are in" (`accumulator.rs`),
//! and the set of a cell's units is written down in order (`presence.rs`). The order is asked for as a requirement of the aggregate, so the engine sorts where
//! it is lost, and every row is checked against the one before it in its group. Should they come in another order all the
//! same, the run is computed again with the exact table: a count is right, or there is none.
//!
//! Rows may be about several kinds of unit, such as the driver and the vehicle of a trip, and can be sorted by one. The
//! evidence of every further kind is kept by group and unit in a table (`unordered.rs`), exact and at the cost of memory.
//! A row that names no unit of a kind says nothing about that kind.

mod accumulator;
mod contributions;
mod function;
mod groups;
mod kept;
mod layout;
mod merge;
mod number;
mod presence;
mod prints;
mod runs;
mod sets;
mod several;
mod tag;
mod unordered;
mod whole;

use datafusion::arrow::array::{
    Array, AsArray, BinaryArray, Float64Array, StructArray, UInt64Array,
};
use datafusion::arrow::datatypes::{Float64Type, UInt64Type};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;
use weir_gate::{
    ArgumentUnits, Basis, Contributions, Contributors, EvidenceColumns, FirstUnits, Members, Most,
    RowsSeen, Statistic, TOP_UNITS,
};
use weir_policy::Policy;

use crate::error::ComputeError;
use crate::statistics::{Argument, Arguments, Print, StatisticColumn, Statistics};
use function::evidence_of;

pub(crate) use accumulator::{OutOfOrder, TooManyGroups};
pub(crate) use function::Rows;
use layout::{Layout, RowsOf};
pub(crate) use number::row_number;

/// Most units that are kept of a cell, and most distinct values that are counted, whatever a policy asks: both cost memory
/// for every group. A policy that asks for more is one that releases nothing, and the gate says so.
const KEPT_MAX: usize = 1_000;

/// How much the gate will want to know of each cell, and how exactly it will tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// How many of a cell's first units are kept: as many as a complement must have.
    units: usize,
    /// How far distinct sensitive values are counted.
    values: usize,
    /// Over how many units a quantile is averaged at least.
    neighbours: u64,
    /// To how many digits means are given.
    digits: u64,
    /// How many buckets a print has.
    buckets: usize,
    /// How many rows of a unit count, where numbers have noise.
    rows_per_unit: Option<u64>,
    /// Whether cells will be compared with earlier ones.
    history: bool,
}

/// Fewest and most buckets of a print, and how many there are for each unit by which two cells have to differ: with twice
/// as many, units that differ are mostly in a bucket each.
const BUCKETS: (usize, usize, usize) = (32, 512, 2);

impl Depth {
    /// What a policy asks for.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let kept = |asked: u64| usize::try_from(asked).unwrap_or(KEPT_MAX).min(KEPT_MAX);
        Self {
            units: kept(policy.complement_units_min()),
            values: kept(policy.sensitive_values_min()),
            neighbours: policy.units_min(),
            digits: policy.significant_digits(),
            buckets: {
                let (least, most, each) = BUCKETS;
                let asked = kept(policy.history_units_min()) * each;
                asked.next_power_of_two().clamp(least, most)
            },
            rows_per_unit: policy
                .dp_epsilon_millionths()
                .map(|_| policy.dp_rows_per_unit()),
            history: true,
        }
    }

    /// The same for a table that is judged by itself ([`weir_gate::judge_without_history`]): what the ledger compares is not
    /// computed, and the gate takes such a table for nothing else.
    #[must_use]
    pub const fn without_history(self) -> Self {
        Self {
            history: false,
            ..self
        }
    }

    pub(crate) const fn history(self) -> bool {
        self.history
    }

    pub(crate) const fn digits(self) -> u64 {
        self.digits
    }

    /// How many rows of a unit count, where numbers have noise.
    pub(crate) const fn rows_per_unit(self) -> Option<u64> {
        self.rows_per_unit
    }

    pub(crate) const fn neighbours(self) -> u64 {
        self.neighbours
    }
}

/// A kind of unit that rows are about.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// The unit of a row.
    pub(crate) unit: Expr,
    /// What tells the rows of a unit apart, zero for the first; none where each has one row.
    pub(crate) number: Option<Expr>,
}

/// The evidence that one table's statistics ask for.
pub(crate) struct EvidencePlan {
    /// The aggregates that compute it, one for each kind of unit.
    pub(crate) aggregates: Vec<Expr>,
    layout: Layout,
    /// Positions among counted arguments, one for each fitted model.
    fits: Vec<usize>,
}

impl EvidencePlan {
    /// Evidence of these arguments, of rows that are about these kinds of unit and come in the order of the first, or in any.
    /// Rows of a unit are told apart where there are so many groups at most.
    pub(crate) fn new(
        arguments: &Arguments,
        kinds: &[Kind],
        rows: Rows,
        groups_max: usize,
        depth: Depth,
    ) -> Self {
        let history = depth.history;
        let if_compared = |which: (u64, u64)| if history { which } else { (0, 0) };
        let layout = Layout {
            rows: RowsOf::One,
            counts: arguments.counts.len(),
            sums: arguments.sums.len(),
            values: arguments.values.len(),
            named: arguments.named,
            history,
            with_set: if_compared(arguments.with_set),
            with_print: if_compared(arguments.with_print),
            buckets: depth.buckets,
            set_units_min: depth.neighbours,
            units_kept: depth.units,
            values_kept: depth.values,
        };
        let tags = arguments.values.iter().cloned().map(tag::tag);
        let all = arguments.counts.iter().chain(&arguments.sums).cloned();
        let all: Vec<Expr> = all.chain(tags).collect();
        let aggregates = kinds.iter().enumerate().map(|(at, kind)| {
            let unit = &kind.unit;
            let number = kind.number.as_ref().filter(|_| history);
            let layout = Layout {
                rows: match number {
                    Some(_) => RowsOf::Numbered { groups_max },
                    None => RowsOf::One,
                },
                ..layout
            };
            let arguments = std::iter::once(unit).chain(number).chain(&all);
            let arguments = arguments.cloned().collect();
            // Rows come in the order of the first kind; one order is all they can have.
            let (rows, order) = match (at, rows) {
                (0, Rows::ByUnit) => (Rows::ByUnit, vec![unit.clone().sort(true, false)]),
                _ => (Rows::InAnyOrder, Vec::new()),
            };
            let function = evidence_of(layout, rows);
            let call = AggregateFunction::new_udf(function, arguments, false, None, order, None);
            Expr::AggregateFunction(call).alias(format!("weir_evidence_{at}"))
        });
        Self {
            aggregates: aggregates.collect(),
            layout,
            fits: arguments.fits.clone(),
        }
    }

    /// The units behind each number, of one kind's column of the computed table.
    pub(crate) fn members(
        &self,
        evidence: &StructArray,
        population: &str,
    ) -> Result<Members, ComputeError> {
        let column = |name: String| evidence.column_by_name(&name).ok_or(ComputeError::Bug);
        // Null throughout where the argument has a value in every row.
        let or_the_cells = |what: &str, at: usize| {
            let own = column(format!("{what}_{at}"))?;
            match own.null_count() == own.len() {
                true => column(format!("{what}_0")),
                false => Ok(own),
            }
        };
        let is_the_cells = |what: &str, at: usize| {
            let own = column(format!("{what}_{at}"))?;
            Ok::<_, ComputeError>(own.null_count() == own.len())
        };
        let set = |at: usize| {
            let set = or_the_cells("set", at)?.as_list_opt::<i32>();
            set.cloned().ok_or(ComputeError::Bug)
        };
        let print = |at: usize| {
            let print = or_the_cells("print", at)?.as_fixed_size_binary_opt();
            print.cloned().ok_or(ComputeError::Bug)
        };
        let several = |at: usize| {
            let weight = or_the_cells("weight", at)?.as_primitive_opt::<UInt64Type>();
            let weight = weight.cloned().ok_or(ComputeError::Bug)?;
            if weight.null_count() > 0 {
                return Ok(None);
            }
            let set = |what: &str| {
                let set = or_the_cells(what, at)?.as_list_opt::<i32>();
                set.cloned().ok_or(ComputeError::Bug)
            };
            let noted = match is_the_cells("weight", at)? {
                true => column("noted_0".to_owned())?,
                false => column(format!("noted_{at}"))?,
            };
            let noted: BinaryArray = noted.as_binary_opt().cloned().ok_or(ComputeError::Bug)?;
            // Nothing is said of cells whose units have their first row alone.
            let weight = weight.values().iter().zip(&noted);
            let weight = weight.map(|(weight, noted)| match noted {
                Some([]) => 0,
                _ => *weight,
            });
            Ok(Some(RowsSeen {
                twos: set("twos")?,
                threes: set("threes")?,
                weight: weight.collect::<Vec<u64>>().into(),
                noted,
            }))
        };
        let most = (0..self.layout.counts).map(|at| format!("count_{at}_most"));
        let most = std::iter::once("most".to_owned()).chain(most);
        Ok(Members {
            population: population.to_owned(),
            sets: (0..self.layout.sets_kept())
                .map(set)
                .collect::<Result<_, _>>()?,
            rows: (0..self.layout.sets_kept())
                .map(several)
                .collect::<Result<_, ComputeError>>()?,
            prints: (0..self.layout.prints_kept())
                .map(print)
                .collect::<Result<_, _>>()?,
            rows_most: most
                .map(|name| counts(evidence, &name))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Where the members have what each statistic is of.
    pub(crate) fn bases(
        &self,
        statistics: &Statistics,
        members: &[Members],
    ) -> Result<Vec<Basis>, ComputeError> {
        let prints = self.layout.prints();
        let print = |of: &Print| match of {
            Print::Rows => Some(0),
            Print::Of(Argument::Counted(at)) => prints.counts.get(*at).copied().flatten(),
            Print::Of(Argument::Summed(at)) => prints.sums.get(*at).copied().flatten(),
        };
        let basis = |column: &StatisticColumn| {
            let of = &column.of;
            let set = of
                .set
                .map_or(Some(0), |argument| self.set(argument, members));
            let prints: Option<Vec<usize>> = of.prints.iter().map(print).collect();
            let most = match (column.statistic, of.prints.as_slice()) {
                (Statistic::Units { .. }, _) => Most::One,
                (Statistic::Rows { .. }, [Print::Of(Argument::Counted(at))]) => Most::Rows(1 + at),
                (Statistic::Rows { .. }, _) => Most::Rows(0),
                (Statistic::Sum, [Print::Of(Argument::Summed(at))]) => Most::Contribution(*at),
                _ => Most::NotASum,
            };
            Ok(Basis {
                kind: of.kind.clone(),
                column: of.column.clone(),
                is_chosen: of.is_chosen,
                set: set.ok_or(ComputeError::Bug)?,
                prints: prints.ok_or(ComputeError::Bug)?,
                most,
            })
        };
        statistics.columns.iter().map(basis).collect()
    }

    /// Where the members have the sets that nobody chose.
    pub(crate) fn parts(
        &self,
        statistics: &Statistics,
        members: &[Members],
    ) -> Result<Vec<usize>, ComputeError> {
        let parts = statistics.arguments.parts.iter();
        let parts = parts.map(|part| self.set(*part, members).ok_or(ComputeError::Bug));
        // Not those that turned out to be the cell's, which nobody chose either.
        parts.filter(|part| !matches!(part, Ok(0))).collect()
    }

    /// Where the contributors to an argument are: with the cell's where they are the same in every cell.
    fn set(&self, argument: Argument, members: &[Members]) -> Option<usize> {
        let sets = self.layout.sets();
        let own = match argument {
            Argument::Counted(at) => sets.counts.get(at).copied().flatten(),
            Argument::Summed(at) => sets.sums.get(at).copied().flatten(),
        }?;
        let is_the_cells = |of: &Members| match (of.sets.first(), of.sets.get(own)) {
            (Some(cells), Some(own)) => cells.to_data().ptr_eq(&own.to_data()),
            _ => false,
        };
        Some(if members.iter().all(is_the_cells) {
            0
        } else {
            own
        })
    }

    /// The sum of a summed argument, of the first kind's column of the computed table. Null where no row has a value.
    pub(crate) fn sum(evidence: &StructArray, at: usize) -> Result<Float64Array, ComputeError> {
        let rows = counts(evidence, &format!("sum_{at}_rows"))?;
        let sums = evidence.column_by_name(&format!("sum_{at}_sum"));
        let sums = sums.and_then(|sums| sums.as_primitive_opt::<Float64Type>());
        let sums = sums.ok_or(ComputeError::Bug)?.values().iter();
        let of_cells = sums.zip(rows.values());
        Ok(of_cells
            .map(|(sum, rows)| (*rows > 0).then_some(*sum))
            .collect())
    }

    /// What one kind's column of the computed table says.
    pub(crate) fn columns(&self, evidence: &StructArray) -> Result<EvidenceColumns, ComputeError> {
        let counted: Vec<Contributors> = (0..self.layout.counts)
            .map(|index| contributors(evidence, index))
            .collect::<Result<_, _>>()?;
        let fits = self.fits.iter().map(|counted_at| {
            let of = counted.get(*counted_at).ok_or(ComputeError::Bug)?;
            Ok(of.units.clone())
        });
        let first_units = |name: &str| {
            let ids = evidence.column_by_name(name);
            let ids = ids.and_then(|ids| ids.as_list_opt::<i32>());
            Ok::<_, ComputeError>(FirstUnits {
                kept: self.layout.units_kept,
                ids: ids.cloned().ok_or(ComputeError::Bug)?,
            })
        };
        let names = self.layout.named();
        let named = |of: &str, names: Vec<Option<usize>>| {
            let named = names.into_iter().enumerate();
            let named = named.filter_map(|(at, name)| Some((at, name?)));
            named
                .map(|(at, name)| {
                    Ok(ArgumentUnits {
                        units: counts(evidence, &format!("{of}_{at}_units"))?,
                        first_units: first_units(&format!("named_{name}"))?,
                    })
                })
                .collect::<Result<Vec<_>, ComputeError>>()
        };
        let mut arguments = named("count", names.counts)?;
        arguments.extend(named("sum", names.sums)?);
        Ok(EvidenceColumns {
            units: counts(evidence, "units")?,
            rows: counts(evidence, "rows")?,
            first_units: first_units("first_units")?,
            arguments,
            sensitive: (0..self.layout.values)
                .map(|index| counts(evidence, &format!("value_{index}")))
                .collect::<Result<_, _>>()?,
            fits: fits.collect::<Result<_, ComputeError>>()?,
            contributions: (0..self.layout.sums)
                .map(|index| contributions(evidence, index))
                .collect::<Result<_, _>>()?,
            counted,
        })
    }
}

fn contributors(evidence: &StructArray, index: usize) -> Result<Contributors, ComputeError> {
    Ok(Contributors {
        units: counts(evidence, &format!("count_{index}_units"))?,
        rows: counts(evidence, &format!("count_{index}_rows"))?,
    })
}

fn contributions(evidence: &StructArray, index: usize) -> Result<Contributions, ComputeError> {
    let column = |what: &str| {
        evidence
            .column_by_name(&format!("sum_{index}_{what}"))
            .ok_or(ComputeError::Bug)
    };
    let floats = |what: &str| {
        let column = column(what)?.as_primitive_opt::<Float64Type>();
        column.cloned().ok_or(ComputeError::Bug)
    };
    let negative = column("negative")?.as_boolean_opt();
    let top: Vec<Float64Array> = (0..TOP_UNITS)
        .map(|rank| floats(&format!("top_{rank}")))
        .collect::<Result<_, _>>()?;
    Ok(Contributions {
        units: counts(evidence, &format!("sum_{index}_units"))?,
        rows: counts(evidence, &format!("sum_{index}_rows"))?,
        total: floats("total")?,
        top: top.try_into().map_err(|_| ComputeError::Bug)?,
        negative: negative.cloned().ok_or(ComputeError::Bug)?,
    })
}

fn counts(evidence: &StructArray, name: &str) -> Result<UInt64Array, ComputeError> {
    let column = evidence.column_by_name(name).ok_or(ComputeError::Bug)?;
    column
        .as_primitive_opt::<UInt64Type>()
        .cloned()
        .ok_or(ComputeError::Bug)
}
