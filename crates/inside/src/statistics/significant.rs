//! Means to as many digits as other released numbers have: more say nothing, for both parts are rounded.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// A float to so many significant digits.
pub(super) fn significant(number: Expr, digits: u64) -> Expr {
    ScalarUDF::new_from_impl(Significant {
        digits,
        signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable),
    })
    .call(vec![number])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Significant {
    digits: u64,
    signature: Signature,
}

impl ScalarUDFImpl for Significant {
    fn name(&self) -> &'static str {
        "weir_significant"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let rounded: Float64Array = columns
            .iter()
            .flat_map(|column| column.as_primitive::<Float64Type>())
            .map(|number| number.map(|number| weir_gate::significant(number, self.digits)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(rounded) as ArrayRef))
    }
}
