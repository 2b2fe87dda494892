//! The function that is scored with: as a model, and in native Rust.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use weir_inside::ModelSource;
use weir_model::{Binding, Evaluator, Limits, Model, Runtime};

use crate::data::Sealed;
use crate::error::{Result, failed};

pub(super) const NATIVE: &str = "score_native";
pub(super) const WOVEN: &str = "score_woven";

const WIT: &str = "package bench:score; world model { \
                   export row: func(l-quantity: f64, l-extendedprice: f64, l-discount: f64) -> f64; }";

const WAT: &str = r#"(module (func (export "row") (param $quantity f64) (param $price f64) (param $discount f64) (result f64)
    (local $risk f64)
    (local.set $risk (f64.add
        (f64.add (f64.mul (local.get $quantity) (f64.const 0.03)) (f64.mul (local.get $price) (f64.const 0.00002)))
        (f64.mul (local.get $discount) (f64.const 5))))
    (if (result f64) (f64.gt (local.get $risk) (f64.const 2))
        (then (f64.const 1))
        (else (f64.div (local.get $risk) (f64.add (f64.const 1) (local.get $risk)))))))"#;

fn score(quantity: f64, price: f64, discount: f64) -> f64 {
    let risk = quantity * 0.03 + price * 0.000_02 + discount * 5.0;
    if risk > 2.0 { 1.0 } else { risk / (1.0 + risk) }
}

fn model() -> Result<Model> {
    let what = "compiling the model";
    let limits = Limits::default();
    let module = wat::parse_str(WAT).map_err(failed(what))?;
    let module = weir_model::embed(&module, WIT).map_err(failed(what))?;
    let received = weir_model::receive(&module, &limits).map_err(failed(what))?;
    let runtime = Runtime::new(&limits).map_err(failed(what))?;
    runtime.compile(&received.admitted).map_err(failed(what))
}

/// For a run of Weir.
pub(super) fn source() -> Result<ModelSource> {
    Ok(ModelSource {
        name: "score".to_owned(),
        model: model()?,
    })
}

/// The model as a function of the engine's, called as Weir's own plans call it.
pub(super) fn woven(sealed: &Sealed) -> Result<ScalarUDF> {
    let binding = model()?
        .bind(&sealed.table.schema())
        .map_err(failed("binding the model"))?;
    Ok(ScalarUDF::new_from_impl(Woven {
        signature: numbers(),
        binding,
        idle: Mutex::new(Vec::new()),
    }))
}

/// The function in Rust.
pub(super) fn native() -> ScalarUDF {
    ScalarUDF::new_from_impl(Native {
        signature: numbers(),
    })
}

fn numbers() -> Signature {
    Signature::exact(vec![DataType::Float64; 3], Volatility::Immutable)
}

struct Woven {
    signature: Signature,
    binding: Binding,
    idle: Mutex<Vec<Evaluator>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Native {
    signature: Signature,
}

impl ScalarUDFImpl for Native {
    fn name(&self) -> &str {
        NATIVE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let [quantities, prices, discounts] =
            [0, 1, 2].map(|at: usize| columns[at].as_primitive::<Float64Type>());
        let rows = quantities.iter().zip(prices).zip(discounts);
        // As one writes it: a row without a number has no score.
        let scores: Float64Array = rows
            .map(|((quantity, price), discount)| Some(score(quantity?, price?, discount?)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(scores)))
    }
}

impl ScalarUDFImpl for Woven {
    fn name(&self) -> &str {
        WOVEN
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut evaluator = waiting.unwrap_or_else(|| self.binding.evaluator());
        let scores = evaluator
            .evaluate(&columns, args.number_rows)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        idle().push(evaluator);
        Ok(ColumnarValue::Array(Arc::clone(scores.column(0))))
    }
}

impl std::fmt::Debug for Woven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Woven").finish_non_exhaustive()
    }
}

// There is one.
impl PartialEq for Woven {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Woven {}

impl Hash for Woven {
    fn hash<H: Hasher>(&self, state: &mut H) {
        WOVEN.hash(state);
    }
}
