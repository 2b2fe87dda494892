//! Fitted models as aggregate functions: one record of coefficients for each group.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, ListArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::scalar::ScalarStructBuilder;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility, try_cast,
};

use super::design::Design;
use super::linear::Linear;
use super::logistic::Logistic;

/// What `LINEAR_REGRESSION` is written as for the planner: of the fitted number, then the regressors.
pub(crate) const LINEAR: &str = "weir_linear";
/// What `LOGISTIC_REGRESSION` is written as for the planner.
pub(crate) const LOGISTIC: &str = "weir_logistic";

/// The field that tells how many rows were fitted.
pub(crate) const ROWS: &str = "rows";

/// A kind of fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Ordinary least squares.
    Linear,
    /// Maximum likelihood of a number that is 0 or 1.
    Logistic,
}

impl Kind {
    /// The fit that a caller calls so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Linear, Self::Logistic]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// What it is written as for the planner.
    pub(crate) const fn internal_name(self) -> &'static str {
        match self {
            Self::Linear => LINEAR,
            Self::Logistic => LOGISTIC,
        }
    }

    /// What a caller calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear_regression",
            Self::Logistic => "logistic_regression",
        }
    }

    /// The numbers that tell how well it fits.
    pub(crate) const fn measures(self) -> &'static [&'static str] {
        match self {
            Self::Linear => &["r_squared", "residual_standard_error"],
            Self::Logistic => &["deviance", "null_deviance"],
        }
    }

    /// The function as the planner knows it, of numbers of any type.
    pub(crate) fn udaf(self) -> Arc<AggregateUDF> {
        static FUNCTIONS: LazyLock<[Arc<AggregateUDF>; 2]> = LazyLock::new(|| {
            [Kind::Linear, Kind::Logistic].map(|kind| {
                let signature = Signature::variadic_any(Volatility::Immutable);
                Arc::new(AggregateUDF::new_from_impl(FitFunction { kind, signature }))
            })
        });
        Arc::clone(&FUNCTIONS[self as usize])
    }

    /// The fit of a number to others.
    pub(super) fn of(self, terms: &[Expr]) -> Expr {
        let signature =
            Signature::exact(vec![DataType::Float64; terms.len()], Volatility::Immutable);
        let function = AggregateUDF::new_from_impl(FitFunction {
            kind: self,
            signature,
        });
        let terms = terms
            .iter()
            .map(|term| try_cast(term.clone(), DataType::Float64));
        let call = AggregateFunction::new_udf(
            Arc::new(function),
            terms.collect(),
            false,
            None,
            Vec::new(),
            None,
        );
        Expr::AggregateFunction(call)
    }
}

/// Names of the fields for a fit with so many regressors: rows, measures, then coefficients and their standard errors, the
/// intercept first.
fn fields(kind: Kind, regressors: usize) -> Fields {
    let number = |name: String| Field::new(name, DataType::Float64, true);
    let mut fields = vec![Field::new(ROWS, DataType::Int64, true)];
    fields.extend(
        kind.measures()
            .iter()
            .map(|name| number((*name).to_owned())),
    );
    fields.extend((0..=regressors).map(|term| number(coefficient(term))));
    fields.extend((0..=regressors).map(|term| number(standard_error(term))));
    fields.into()
}

/// The field of a term's coefficient; term 0 is the intercept.
pub(crate) fn coefficient(term: usize) -> String {
    format!("coefficient_{term}")
}

/// The field of a coefficient's standard error.
pub(crate) fn standard_error(term: usize) -> String {
    format!("standard_error_{term}")
}

/// What a fit found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitted {
    /// In the order of [`Kind::measures`].
    pub(super) measures: [f64; 2],
    /// The intercept, then one for each regressor.
    pub(super) coefficients: Vec<f64>,
    /// In the order of the coefficients.
    pub(super) standard_errors: Vec<f64>,
}

/// Rows in, a fit out.
pub(super) trait Fitting: Send + Sync + std::fmt::Debug {
    /// Takes the fitted number and the regressors of a row.
    fn row(&mut self, values: &[f64]);
    /// How many rows were taken.
    fn rows(&self) -> u64;
    /// The fit; none where it is not determined.
    fn fit(&self) -> Option<Fitted>;
    /// What it holds, for another of its kind.
    fn state(&self) -> Vec<f64>;
    /// Adds what another of its kind holds, of rows that were not taken here.
    fn merge(&mut self, state: &[f64]);
    /// Bytes held.
    fn size(&self) -> usize;
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FitFunction {
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for FitFunction {
    fn name(&self) -> &'static str {
        self.kind.internal_name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let regressors = arg_types.len().saturating_sub(1);
        Ok(DataType::Struct(fields(self.kind, regressors)))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let terms = args.expr_fields.len();
        let regressors = terms.saturating_sub(1);
        let fitting: Box<dyn Fitting> = match self.kind {
            Kind::Linear => Box::new(Linear::new(regressors)),
            Kind::Logistic => Box::new(Logistic::new(regressors)),
        };
        Ok(Box::new(Rows {
            fitting,
            fields: fields(self.kind, regressors),
            terms,
        }))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(DataType::Float64, true);
        let list = Field::new("state", DataType::List(Arc::new(item)), true);
        Ok(vec![Arc::new(list)])
    }
}

/// The rows of one group.
#[derive(Debug)]
struct Rows {
    fitting: Box<dyn Fitting>,
    fields: Fields,
    terms: usize,
}

impl Accumulator for Rows {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Design::new(values, self.terms).for_each(|row| self.fitting.row(row));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let rows = i64::try_from(self.fitting.rows()).unwrap_or(i64::MAX);
        let mut values = vec![ScalarValue::Int64(Some(rows))];
        match self.fitting.fit() {
            Some(fitted) => {
                let numbers = fitted.measures.iter();
                let numbers = numbers
                    .chain(&fitted.coefficients)
                    .chain(&fitted.standard_errors);
                values.extend(numbers.map(|number| ScalarValue::Float64(Some(*number))));
            }
            None => values.resize(self.fields.len(), ScalarValue::Float64(None)),
        }
        let mut record = ScalarStructBuilder::new();
        for (field, value) in self.fields.iter().zip(values) {
            record = record.with_scalar(Arc::clone(field), value);
        }
        record.build()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.fitting.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.fitting.state().into_iter().map(Some);
        let state = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(state)]);
        Ok(vec![ScalarValue::List(Arc::new(state))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else {
            return internal_err!("a part of a fit is one list");
        };
        for state in states.as_list::<i32>().iter().flatten() {
            self.fitting
                .merge(state.as_primitive::<Float64Type>().values());
        }
        Ok(())
    }
}
