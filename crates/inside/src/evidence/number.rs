//! What tells the rows of a unit apart where several relations are joined: which rows of theirs it is made of.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, UInt32Array};
use datafusion::arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// One number for several, zero where all are, or where there are none.
pub(crate) fn row_number(numbers: Vec<Expr>) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Number {
            signature: Signature::variadic(vec![DataType::UInt32], Volatility::Immutable),
        }))
    });
    FUNCTION.call(numbers)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Number {
    signature: Signature,
}

impl ScalarUDFImpl for Number {
    fn name(&self) -> &'static str {
        "weir_row_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn is_nullable(&self, _args: &[Expr], _schema: &dyn datafusion::common::ExprSchema) -> bool {
        false
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut all = vec![0_u64; args.number_rows];
        for column in ColumnarValue::values_to_arrays(&args.args)? {
            let Some(numbers) = column.as_primitive_opt::<UInt32Type>() else {
                return internal_err!("numbers of rows are whole");
            };
            for (row, all) in all.iter_mut().enumerate().take(numbers.len()) {
                // The right side of a left join may have none.
                let number = match numbers.is_valid(row) {
                    true => numbers.value(row),
                    false => 0,
                };
                *all = combined(*all, number);
            }
        }
        let one = |all: u64| match all {
            0 => 0,
            _ => ((all >> 32) as u32).max(1),
        };
        let numbers: UInt32Array = all.into_iter().map(one).collect::<Vec<_>>().into();
        Ok(ColumnarValue::Array(Arc::new(numbers)))
    }
}

/// A hash over numbers that is zero as long as they are: Fibonacci hashing, one after the other.
const fn combined(all: u64, number: u32) -> u64 {
    (all.rotate_left(23) ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_in_any_place() {
        let of = |numbers: &[u32]| numbers.iter().fold(0, |all, of| combined(all, *of)) >> 32;
        let mut seen = std::collections::HashSet::new();
        for one in 0..60 {
            for other in 0..60 {
                assert!(seen.insert(of(&[one, other])), "{one} {other}");
            }
        }
        assert_eq!(of(&[0, 0, 0]), 0);
    }
}
