//! `COUNT(DISTINCT identifier)`: how many units a cell has.
//!
//! The identifier is not stored, and the evidence counts the units already; so the aggregate is never computed, only
//! recognised.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

/// What `COUNT(DISTINCT identifier)` is written as for the planner, of the unit column.
pub(crate) const NAME: &str = "weir_units";

/// The function as the planner knows it.
pub(crate) fn units_udaf() -> Arc<AggregateUDF> {
    static FUNCTION: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
        Arc::new(AggregateUDF::new_from_impl(Units {
            signature: Signature::exact(vec![DataType::UInt32], Volatility::Immutable),
        }))
    });
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Units {
    signature: Signature,
}

impl AggregateUDFImpl for Units {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        internal_err!("units are counted by the evidence")
    }
}
