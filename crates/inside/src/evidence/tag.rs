//! A tag for each value, by which distinct values are counted whatever their type.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Fixed, so that a run over the same rows has the same evidence. Two values that share a tag count as one, which
/// withholds and never releases.
const SEED: u64 = 0x5eed;

/// The tag of an expression's value; null where it is null.
pub(crate) fn tag(expression: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Tag {
            signature: Signature::any(1, Volatility::Immutable),
        }))
    });
    FUNCTION.call(vec![expression])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Tag {
    signature: Signature,
}

impl ScalarUDFImpl for Tag {
    fn name(&self) -> &'static str {
        "weir_tag"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let mut hashes = vec![0; columns.first().map_or(0, |column| column.len())];
        create_hashes(&columns, &RandomState::with_seed(SEED), &mut hashes)?;
        let nulls = columns.first().and_then(|column| column.logical_nulls());
        Ok(ColumnarValue::Array(Arc::new(UInt64Array::new(
            hashes.into(),
            nulls,
        ))))
    }
}
