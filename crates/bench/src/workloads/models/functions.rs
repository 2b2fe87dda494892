//! The functions that are scored with: as models, in native Rust and in Python.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use weir_inside::ModelSource;
use weir_model::{Binding, Evaluator, Limits, Model, Runtime};

use crate::data::Sealed;
use crate::error::{Result, failed};

/// A function of numbers.
pub(super) struct Function {
    /// Its name, as a model and in Python; in the engine what runs it follows.
    pub(super) name: &'static str,
    /// The columns it is called with.
    pub(super) columns: &'static [&'static str],
    /// A module with `row`.
    pub(super) wat: String,
    /// The text of a function of that name.
    pub(super) python: String,
    /// In Rust. A row without a number has no score.
    pub(super) native: Native,
}

/// What a function makes of columns.
pub(super) type Native = Box<dyn Fn(&[&Float64Array]) -> Float64Array + Send + Sync>;

const SCORE_WAT: &str = r#"(module (func (export "row") (param $quantity f64) (param $price f64) (param $discount f64) (result f64)
    (local $risk f64)
    (local.set $risk (f64.add
        (f64.add (f64.mul (local.get $quantity) (f64.const 0.03)) (f64.mul (local.get $price) (f64.const 0.00002)))
        (f64.mul (local.get $discount) (f64.const 5))))
    (if (result f64) (f64.gt (local.get $risk) (f64.const 2))
        (then (f64.const 1))
        (else (f64.div (local.get $risk) (f64.add (f64.const 1) (local.get $risk)))))))"#;

const SCORE_PYTHON: &str = "def score(quantity, price, discount):
    risk = quantity * 0.03 + price * 0.00002 + discount * 5.0
    return 1.0 if risk > 2.0 else risk / (1.0 + risk)
";

fn risk(quantity: f64, price: f64, discount: f64) -> f64 {
    let risk = quantity * 0.03 + price * 0.000_02 + discount * 5.0;
    if risk > 2.0 { 1.0 } else { risk / (1.0 + risk) }
}

/// The least one would score with.
pub(super) fn score() -> Function {
    Function {
        name: "score",
        columns: &["l_quantity", "l_extendedprice", "l_discount"],
        wat: SCORE_WAT.to_owned(),
        python: SCORE_PYTHON.to_owned(),
        native: Box::new(|columns| {
            let rows = columns[0].iter().zip(columns[1]).zip(columns[2]);
            let scores =
                rows.map(|((quantity, price), discount)| Some(risk(quantity?, price?, discount?)));
            scores.collect()
        }),
    }
}

impl Function {
    /// What runs the model in the engine.
    pub(super) fn woven_name(&self) -> String {
        format!("{}_woven", self.name)
    }

    /// What runs the native one.
    pub(super) fn native_name(&self) -> String {
        format!("{}_native", self.name)
    }

    fn model(&self) -> Result<Model> {
        let what = "compiling the model";
        let limits = Limits::default();
        let columns = self.columns.iter();
        let params = columns.map(|column| format!("{}: f64", column.replace('_', "-")));
        let wit = format!(
            "package bench:{}; world model {{ export row: func({}) -> f64; }}",
            self.name,
            params.collect::<Vec<_>>().join(", ")
        );
        let module = wat::parse_str(&self.wat).map_err(failed(what))?;
        let module = weir_model::embed(&module, &wit).map_err(failed(what))?;
        let received = weir_model::receive(&module, &limits).map_err(failed(what))?;
        let runtime = Runtime::new(&limits).map_err(failed(what))?;
        runtime.compile(&received.admitted).map_err(failed(what))
    }

    /// For a run of Weir.
    pub(super) fn source(&self) -> Result<ModelSource> {
        Ok(ModelSource {
            name: self.name.to_owned(),
            model: self.model()?,
        })
    }

    /// The model as a function of the engine's, called as Weir's own plans call it.
    pub(super) fn woven(&self, sealed: &Sealed) -> Result<ScalarUDF> {
        let binding = self
            .model()?
            .bind(&sealed.table.schema())
            .map_err(failed("binding the model"))?;
        Ok(ScalarUDF::new_from_impl(InEngine {
            name: self.woven_name(),
            signature: self.signature(),
            function: Runs::Woven(binding, Mutex::new(Vec::new())),
        }))
    }

    /// The function in Rust.
    pub(super) fn into_native(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(InEngine {
            name: self.native_name(),
            signature: self.signature(),
            function: Runs::Native(self.native),
        })
    }

    fn signature(&self) -> Signature {
        let numbers = vec![DataType::Float64; self.columns.len()];
        Signature::exact(numbers, Volatility::Immutable)
    }
}

/// A function of the engine's.
struct InEngine {
    name: String,
    signature: Signature,
    function: Runs,
}

enum Runs {
    Native(Native),
    /// With the evaluators that nobody uses.
    Woven(Binding, Mutex<Vec<Evaluator>>),
}

impl ScalarUDFImpl for InEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let scores: ArrayRef = match &self.function {
            Runs::Native(native) => {
                let numbers = columns.iter().map(|of| of.as_primitive::<Float64Type>());
                Arc::new(native(&numbers.collect::<Vec<_>>()))
            }
            Runs::Woven(binding, idle) => {
                let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
                let waiting = idle().pop();
                let mut evaluator = waiting.unwrap_or_else(|| binding.evaluator());
                let scores = evaluator
                    .evaluate(&columns, args.number_rows)
                    .map_err(|error| DataFusionError::External(Box::new(error)))?;
                idle().push(evaluator);
                Arc::clone(scores.column(0))
            }
        };
        Ok(ColumnarValue::Array(scores))
    }
}

impl std::fmt::Debug for InEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InEngine")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// There is one of each name.
impl PartialEq for InEngine {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for InEngine {}

impl Hash for InEngine {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
