//! `HISTOGRAM(x, low, high, bins)`: the bin a number falls into, as a key to group by.
//!
//! Bins are declared by the query, so that no edge of a bin is a unit's value, and each bin is a cell that the gate judges
//! like any other.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function's name.
pub(crate) const NAME: &str = "histogram";

/// Most bins of one histogram.
pub const BINS_MAX: usize = 1_000;

/// The function: a number, then literals for the lower edge of the first bin, the upper edge of the last, and how many
/// there are. A number outside has no bin: null.
pub(crate) fn histogram() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Histogram {
            signature: Signature::exact(vec![DataType::Float64; 4], Volatility::Immutable),
        }))
    });
    Arc::clone(&FUNCTION)
}

/// Declared bins of equal width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bins {
    low: f64,
    width: f64,
    count: usize,
}

impl Bins {
    /// Of two edges and a count; none where they make no bins.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the number was just found to be whole and small"
    )]
    pub(crate) fn new(low: f64, high: f64, count: f64) -> Option<Self> {
        let width = (high - low) / count;
        let sound = low.is_finite()
            && count.fract() == 0.0
            && (1.0..=BINS_MAX as f64).contains(&count)
            && width.is_finite()
            && width > 0.0;
        sound.then_some(Self {
            low,
            width,
            count: count as usize,
        })
    }

    /// The bins of a call, if it is one.
    pub(crate) fn of(call: &ScalarFunction) -> Option<Self> {
        let number = |at: usize| match call.args.get(at)? {
            Expr::Literal(value, _) => match value.cast_to(&DataType::Float64).ok()? {
                ScalarValue::Float64(number) => number,
                _ => None,
            },
            _ => None,
        };
        (call.func.name() == NAME)
            .then(|| Self::new(number(1)?, number(2)?, number(3)?))
            .flatten()
    }

    /// The lower edge of each bin.
    pub(crate) fn edges(self) -> Float64Array {
        (0..self.count).map(|bin| Some(self.edge(bin))).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "there are few bins")]
    fn edge(self, bin: usize) -> f64 {
        self.low + bin as f64 * self.width
    }

    /// The lower edge of the bin that a number falls into.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number of a bin, found to lie among them"
    )]
    fn bin(self, number: f64) -> Option<f64> {
        let bin = ((number - self.low) / self.width).floor();
        let last = self.edge(self.count);
        (number >= self.low && number < last).then(|| self.edge((bin as usize).min(self.count - 1)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Histogram {
    signature: Signature,
}

impl ScalarUDFImpl for Histogram {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let literal = |at: usize| match args.args.get(at) {
            Some(ColumnarValue::Scalar(ScalarValue::Float64(Some(number)))) => Some(*number),
            _ => None,
        };
        let bins = match (literal(1), literal(2), literal(3)) {
            (Some(low), Some(high), Some(count)) => Bins::new(low, high, count),
            _ => None,
        };
        let (Some(bins), Some(numbers)) = (bins, args.args.first()) else {
            return internal_err!("the edges of a histogram were checked");
        };
        let numbers = numbers.to_array(args.number_rows)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let binned: Float64Array = numbers
            .iter()
            .map(|number| number.and_then(|number| bins.bin(number)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(binned) as ArrayRef))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_the_bin_it_lies_in() {
        let bins = Bins::new(-30.0, 30.0, 4.0).unwrap();
        assert_eq!(bins.edges().values().to_vec(), [-30.0, -15.0, 0.0, 15.0]);
        let found = [-31.0, -30.0, -15.1, -15.0, 0.0, 29.9, 30.0, f64::NAN].map(|x| bins.bin(x));
        let (none, of) = (None, Some);
        let expected = [
            none,
            of(-30.0),
            of(-30.0),
            of(-15.0),
            of(0.0),
            of(15.0),
            none,
            none,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn edges_that_make_no_bins_are_refused() {
        for (low, high, count) in [
            (0.0, 0.0, 1.0),
            (1.0, 0.0, 1.0),
            (0.0, 1.0, 0.0),
            (0.0, 1.0, 1.5),
            (0.0, 1.0, 1001.0),
            (f64::NAN, 1.0, 1.0),
            (0.0, f64::INFINITY, 1.0),
        ] {
            assert_eq!(Bins::new(low, high, count), None);
        }
    }
}
