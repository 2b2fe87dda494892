//! Takes a query's aggregates apart.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::functions::core::expr_fn::{named_struct, nullif};
use datafusion::functions::math::expr_fn::abs;
use datafusion::functions_aggregate::count::count;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_fn::{ident, when};
use datafusion::logical_expr::{Expr, ExprSchemable, lit, try_cast};
use weir_gate::{Fit, Quantiles, Statistic};

use super::knows::Knows;
use super::significant::significant;
use super::sum::sum;
use super::{
    Argument, Arguments, Kind, LINEAR, LOGISTIC, Of, Print, REGRESSORS_MAX, ROWS, Source,
    StatisticColumn, Statistics, column_name, computed_name, literal, mark, position, quantile,
};
use crate::evidence::Depth;
use crate::grouping::Grouping;
use crate::units;

/// Takes the aggregates of a table apart.
///
/// `units` are the unit columns of a row, `grouping` is how rows are grouped.
pub(crate) fn statistics(
    aggregates: &[Expr],
    input: &DFSchema,
    units: &[Expr],
    grouping: &Grouping,
    depth: Depth,
    knows: Knows<'_>,
) -> Result<Statistics> {
    let mut builder = Builder {
        input,
        units,
        grouping,
        depth,
        knows,
        is_chosen: false,
        quantiles_of: Vec::new(),
        made: Statistics {
            computed: Vec::new(),
            columns: Vec::new(),
            arguments: Arguments::default(),
            rebuilt: Vec::new(),
            quantiles: Vec::new(),
            fits: Vec::new(),
        },
    };
    for aggregate in aggregates {
        let rebuilt = builder.aggregate(aggregate)?;
        builder.made.rebuilt.push(rebuilt);
    }
    builder.made.quantiles = builder
        .quantiles_of
        .into_iter()
        .map(|(contributions, asked)| Quantiles {
            contributions,
            count: asked.len() as u64,
        })
        .collect();
    Ok(builder.made)
}

/// Sums and counts are one kind: a count is a sum of ones.
const SUM: &str = "sum";

struct Builder<'a> {
    input: &'a DFSchema,
    units: &'a [Expr],
    grouping: &'a Grouping,
    depth: Depth,
    knows: Knows<'a>,
    /// Whether a model or a condition decides what a unit contributes to the aggregate that is taken apart.
    is_chosen: bool,
    /// The quantiles asked of each argument, by its position among contributions.
    quantiles_of: Vec<(usize, Vec<u64>)>,
    made: Statistics,
}

impl Builder<'_> {
    /// What one aggregate is of released columns.
    fn aggregate(&mut self, aggregate: &Expr) -> Result<Expr> {
        let Some(call) = call(aggregate) else {
            return plan_err!("{aggregate} is not an aggregate that is computed inside the domain");
        };
        let arguments = call.params.args.as_slice();
        self.is_chosen = self.knows.by_model || !self.are_measured(arguments)?;
        let rebuilt = match (call.func.name(), arguments) {
            ("grouping", keys) => self.grouping.function(keys)?,
            ("count", [of]) => self.count(of)?,
            (units::NAME, [unit]) => self.units(unit)?,
            ("sum", [of]) => self.sum(of)?,
            ("avg", [of]) => self.mean(of)?,
            (quantile::NAME, [of, at]) => self.quantile(of, at)?,
            ("var" | "var_samp" | "var_pop" | "stddev" | "stddev_samp" | "stddev_pop", [of]) => {
                self.spread(call, of)?
            }
            (name @ ("covar_samp" | "covar_pop" | "corr"), [y, x]) => {
                self.joint(call, name, y, x)?
            }
            (name, [y, x]) if name.starts_with("regr_") => self.joint(call, name, y, x)?,
            (LINEAR, [y, xs @ ..]) => self.fit(Kind::Linear, y.clone(), xs)?,
            (LOGISTIC, [y, xs @ ..]) => self.fit(Kind::Logistic, zero_or_one(y)?, xs)?,
            (name, _) => {
                return plan_err!("{name} is not an aggregate that is computed inside the domain");
            }
        };
        Ok(rebuilt)
    }

    /// Whether arguments are columns, perhaps in another unit of measure, or comparisons, which are one of two values: not a
    /// function that could give one unit its value and all others a constant.
    fn are_measured(&self, arguments: &[Expr]) -> Result<bool> {
        for argument in arguments {
            let is_boolean = argument.get_type(self.input)? == DataType::Boolean;
            if !is_boolean && !self.knows.is_measured(argument) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn column(&mut self, column: StatisticColumn) -> Expr {
        let columns = &mut self.made.columns;
        let known = columns
            .iter()
            .position(|other| other.source == column.source);
        let at = known.unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        });
        ident(column_name(at))
    }

    /// What a statistic is of: of the contributors to an argument, where it may be null, and of these contributions.
    fn of(
        &mut self,
        (kind, what): (&str, &str),
        of: &[&Expr],
        contributors: Option<Argument>,
        prints: Vec<Print>,
    ) -> Result<Of> {
        let arguments = &mut self.made.arguments;
        for print in &prints {
            arguments.keep_print(*print)?;
        }
        let is_column = of.iter().all(|of| self.knows.is_of_the_data(of));
        let mut set = None;
        if let Some(argument) = contributors {
            arguments.keep_set(argument)?;
            if !is_column {
                set = Some(argument);
            } else if !arguments.parts.contains(&argument) {
                arguments.parts.push(argument);
            }
        }
        Ok(Of {
            kind: kind.to_owned(),
            column: is_column.then(|| label(what, of)),
            is_chosen: self.is_chosen,
            set,
            prints,
        })
    }

    fn computed(
        &mut self,
        expression: Expr,
        statistic: Statistic,
        label: String,
        of: Of,
    ) -> Result<Expr> {
        let data_type = expression.get_type(self.input)?;
        let at = position(&mut self.made.computed, expression);
        Ok(self.column(StatisticColumn {
            source: Source::Computed(at),
            statistic,
            data_type,
            label,
            of,
        }))
    }

    fn count(&mut self, of: &Expr) -> Result<Expr> {
        if of.nullable(self.input)? {
            let label = format!("count({})", of.human_display());
            let evidence = position(&mut self.made.arguments.counts, of.clone().is_not_null());
            mark(&mut self.made.arguments.named.0, evidence)?;
            let counted = Argument::Counted(evidence);
            let behind = self.of(
                (SUM, "count"),
                &[of],
                Some(counted),
                vec![Print::Of(counted)],
            )?;
            let statistic = Statistic::Rows {
                evidence: Some(evidence),
            };
            self.rows(
                Some(evidence),
                count(of.clone()),
                (statistic, label),
                behind,
            )
        } else {
            let every = Statistic::Rows { evidence: None };
            let behind = self.of((SUM, "count"), &[], None, vec![Print::Rows])?;
            let named = (every, "count(*)".to_owned());
            self.rows(None, count(lit(1_i64)), named, behind)
        }
    }

    /// A number of rows: the evidence has it, where every row names a unit.
    fn rows(
        &mut self,
        counted: Option<usize>,
        expression: Expr,
        (statistic, label): (Statistic, String),
        of: Of,
    ) -> Result<Expr> {
        if self.may_lack_units()? {
            return self.computed(expression, statistic, label, of);
        }
        Ok(self.column(StatisticColumn {
            source: Source::Rows(counted),
            statistic,
            data_type: DataType::Int64,
            label,
            of,
        }))
    }

    /// Whether a row may name no unit of the first kind, so that the evidence does not have all rows.
    fn may_lack_units(&self) -> Result<bool> {
        match self.units.first() {
            Some(unit) => unit.nullable(self.input),
            None => Ok(true),
        }
    }

    fn units(&mut self, unit: &Expr) -> Result<Expr> {
        let Some(kind) = self.units.iter().position(|known| known == unit) else {
            return plan_err!("{unit} identifies no unit");
        };
        let of = self.of((&format!("units {kind}"), "units"), &[], None, Vec::new())?;
        Ok(self.column(StatisticColumn {
            source: Source::Units(kind),
            of,
            statistic: Statistic::Units { kind },
            data_type: DataType::Int64,
            label: format!("units({kind})"),
        }))
    }

    /// Keeps the contributions of units to the sum of a number, and how many distinct values it has where it is sensitive.
    fn contributions(&mut self, of: &Expr) -> usize {
        if (self.knows.is_sensitive)(of) {
            position(&mut self.made.arguments.values, of.clone());
        }
        let number = try_cast(of.clone(), DataType::Float64);
        position(&mut self.made.arguments.sums, number)
    }

    fn sum(&mut self, of: &Expr) -> Result<Expr> {
        let summed = self.contributions(of);
        let argument = Argument::Summed(summed);
        let mut contributors = None;
        if of.nullable(self.input)? {
            mark(&mut self.made.arguments.named.1, summed)?;
            contributors = Some(argument);
        }
        let behind = self.of((SUM, "sum"), &[of], contributors, vec![Print::Of(argument)])?;
        let label = format!("sum({})", of.human_display());
        // Where numbers have noise, what is added up is clamped first.
        let is_float = of.get_type(self.input)? == DataType::Float64;
        if !is_float || self.may_lack_units()? || self.depth.rows_per_unit().is_some() {
            return self.computed(sum(of.clone()), Statistic::Sum, label, behind);
        }
        Ok(self.column(StatisticColumn {
            source: Source::Sum(summed),
            statistic: Statistic::Sum,
            data_type: DataType::Float64,
            label,
            of: behind,
        }))
    }

    /// A released sum divided by a released count.
    fn mean(&mut self, of: &Expr) -> Result<Expr> {
        let total = self.sum(of)?;
        let counted = self.count(of)?;
        Ok(significant(ratio(total, counted), self.depth.digits()))
    }

    fn spread(&mut self, call: &AggregateFunction, of: &Expr) -> Result<Expr> {
        let argument = Argument::Summed(self.contributions(of));
        self.squares(of);
        let contributors = of.nullable(self.input)?.then_some(argument);
        self.itself(call, &[of], contributors, vec![Print::Of(argument)])
    }

    /// One unit far from the rest may be nearly all of a sum of squares and little of the sum.
    fn squares(&mut self, of: &Expr) {
        let number = try_cast(of.clone(), DataType::Float64);
        position(&mut self.made.arguments.sums, number.clone() * number);
    }

    fn itself(
        &mut self,
        call: &AggregateFunction,
        arguments: &[&Expr],
        contributors: Option<Argument>,
        prints: Vec<Print>,
    ) -> Result<Expr> {
        let label = label(call.func.name(), arguments);
        let of = self.of((&label, &label), arguments, contributors, prints)?;
        let call = Expr::AggregateFunction(call.clone());
        self.computed(call, Statistic::Real, label, of)
    }

    /// Statistics over the rows in which two numbers have a value.
    fn joint(&mut self, call: &AggregateFunction, name: &str, y: &Expr, x: &Expr) -> Result<Expr> {
        let [only_y, only_x] = [self.where_other(y, x)?, self.where_other(x, y)?];
        match name {
            "regr_count" => {
                let both = when(x.clone().is_not_null(), only_y).end()?;
                return self.count(&both);
            }
            "regr_avgx" => return self.mean(&only_x),
            "regr_avgy" => return self.mean(&only_y),
            _ => {}
        }
        let mut contributions = Vec::new();
        for of in [&only_y, &only_x] {
            contributions.push(self.contributions(of));
            self.squares(of);
        }
        let entered = y.clone().is_not_null().and(x.clone().is_not_null());
        let prints = contributions
            .iter()
            .map(|of| Print::Of(Argument::Summed(*of)));
        let prints = prints.collect();
        // A covariance fits nothing, but is as close to the data as the slope that follows from it.
        let counted = self.fitted(entered, contributions, 2);
        let some = y.nullable(self.input)? || x.nullable(self.input)?;
        let contributors = some.then_some(Argument::Counted(counted));
        self.itself(call, &[y, x], contributors, prints)
    }

    /// A number where another has a value too.
    fn where_other(&self, of: &Expr, other: &Expr) -> Result<Expr> {
        if other.nullable(self.input)? {
            when(other.clone().is_not_null(), of.clone()).end()
        } else {
            Ok(of.clone())
        }
    }

    /// The position of the rows that enter, among what is counted.
    fn fitted(&mut self, entered: Expr, contributions: Vec<usize>, parameters: u64) -> usize {
        let counted = position(&mut self.made.arguments.counts, entered);
        let fits = &mut self.made.arguments.fits;
        let fitted = fits.iter().position(|known| *known == counted);
        let fitted = fitted.unwrap_or_else(|| {
            fits.push(counted);
            fits.len() - 1
        });
        self.made.fits.push(Fit {
            contributions,
            fitted,
            parameters,
        });
        counted
    }

    fn quantile(&mut self, of: &Expr, at: &Expr) -> Result<Expr> {
        let share = literal(Some(at))?;
        if !(0.0..=1.0).contains(&share) {
            return plan_err!("a quantile lies between 0 and 1, and {share} does not");
        }
        let contributions = self.contributions(of);
        let asked = match self
            .quantiles_of
            .iter_mut()
            .find(|(known, _)| *known == contributions)
        {
            Some((_, asked)) => asked,
            None => {
                self.quantiles_of.push((contributions, Vec::new()));
                match self.quantiles_of.last_mut() {
                    Some((_, asked)) => asked,
                    None => return plan_err!("a quantile is of something"),
                }
            }
        };
        if !asked.contains(&share.to_bits()) {
            asked.push(share.to_bits());
        }
        let Some(unit) = self.units.first() else {
            return plan_err!("rows are about no unit");
        };
        let label = format!("quantile({}, {share})", of.human_display());
        let averaged = quantile::averaged(of.clone(), unit.clone(), share, self.depth.neighbours());
        let argument = Argument::Summed(contributions);
        let contributors = of.nullable(self.input)?.then_some(argument);
        let behind = self.of(
            (&label, &label),
            &[of],
            contributors,
            vec![Print::Of(argument)],
        )?;
        self.computed(averaged, Statistic::Real, label, behind)
    }

    fn fit(&mut self, kind: Kind, y: Expr, xs: &[Expr]) -> Result<Expr> {
        if xs.is_empty() || xs.len() > REGRESSORS_MAX {
            return plan_err!("a regression takes 1 to {REGRESSORS_MAX} regressors");
        }
        let terms: Vec<Expr> = std::iter::once(&y).chain(xs).cloned().collect();
        let entered = terms
            .iter()
            .map(|term| term.clone().is_not_null())
            .reduce(Expr::and)
            .unwrap_or_else(|| lit(true));
        let contributions = self.terms(&terms, &entered)?;
        // Of each term one side: the other one follows from it.
        let prints = contributions.iter().step_by(2);
        let prints: Vec<Print> = prints.map(|of| Print::Of(Argument::Summed(*of))).collect();
        let counted = self.fitted(entered, contributions, xs.len() as u64 + 1);
        let evidence = Some(counted);

        let expression = kind.of(&terms);
        let DataType::Struct(fields) = expression.get_type(self.input)? else {
            return plan_err!("a regression returns a record");
        };
        let label = label(kind.name(), &terms.iter().collect::<Vec<_>>());
        let entering = Argument::Counted(counted);
        let at = position(&mut self.made.computed, expression);
        let mut record = Vec::new();
        for field in &fields {
            let statistic = match field.name().as_str() {
                ROWS => Statistic::Rows { evidence },
                _ => Statistic::Real,
            };
            let of = match statistic {
                Statistic::Rows { .. } => self.of(
                    (SUM, "count"),
                    &terms.iter().collect::<Vec<_>>(),
                    Some(entering),
                    vec![Print::Of(entering)],
                )?,
                _ => {
                    let kind = format!("{label}.{}", field.name());
                    self.of(
                        (&kind, &kind),
                        &terms.iter().collect::<Vec<_>>(),
                        Some(entering),
                        prints.clone(),
                    )?
                }
            };
            let column = self.field(at, field, statistic, &label, of);
            record.extend([lit(field.name().clone()), column]);
        }
        Ok(named_struct(record))
    }

    /// The contributions of units to each term of a fit, of the rows that enter it. A term that is 0, or 1, for all but a
    /// few units is a mark on these few: so units are counted, and dominance is asked, on either side.
    fn terms(&mut self, terms: &[Expr], entered: &Expr) -> Result<Vec<usize>> {
        let mut contributions = Vec::new();
        for term in terms {
            if (self.knows.is_sensitive)(term) {
                position(&mut self.made.arguments.values, term.clone());
            }
            let value = try_cast(term.clone(), DataType::Float64);
            let value = when(entered.clone(), value).end()?;
            let rest = lit(1.0) - value.clone();
            for side in [value, rest] {
                // Without signs: below zero a term says nothing that it does not say above.
                let side = nullif(abs(side), lit(0.0));
                contributions.push(position(&mut self.made.arguments.sums, side));
            }
        }
        Ok(contributions)
    }

    fn field(
        &mut self,
        at: usize,
        field: &Field,
        statistic: Statistic,
        label: &str,
        of: Of,
    ) -> Expr {
        self.column(StatisticColumn {
            source: Source::Field(at, field.name().clone()),
            statistic,
            data_type: field.data_type().clone(),
            label: format!("{label}.{}", field.name()),
            of,
        })
    }
}

fn label(function: &str, arguments: &[&Expr]) -> String {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| argument.human_display().to_string())
        .collect();
    format!("{function}({})", arguments.join(", "))
}

/// A number where it is 0 or 1: other rows do not enter the fit.
fn zero_or_one(number: &Expr) -> Result<Expr> {
    let number = try_cast(number.clone(), DataType::Float64);
    let is = |value: f64| number.clone().eq(lit(value));
    when(is(0.0).or(is(1.0)), number.clone()).end()
}

/// The quotient of two released numbers; null where nothing was counted.
fn ratio(total: Expr, counted: Expr) -> Expr {
    try_cast(total, DataType::Float64) / try_cast(nullif(counted, lit(0_i64)), DataType::Float64)
}

/// The aggregate call behind its names.
fn call(aggregate: &Expr) -> Option<&AggregateFunction> {
    match aggregate {
        Expr::Alias(alias) => call(&alias.expr),
        Expr::AggregateFunction(function) => Some(function),
        _ => None,
    }
}

impl Statistics {
    /// The aggregates to compute below the split, under their names.
    pub(crate) fn named(&self) -> impl Iterator<Item = Expr> {
        let computed = self.computed.iter().enumerate();
        computed.map(|(at, expression)| expression.clone().alias(computed_name(at)))
    }
}
