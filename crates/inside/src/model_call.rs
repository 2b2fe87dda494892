//! `model(dataset)` in `FROM`: the dataset's columns and, beside them, the model's outputs.
//!
//! The call is a view: a projection that applies one scalar function, the model, to the columns it reads and takes its
//! result apart. So the engine prunes columns nobody asked for, pushes conditions below the model and skips the model
//! where no output is used, with nothing of our own.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, Fields, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::provider_as_source;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TableSource, Volatility, ident,
};
use weir_model::{Binding, Evaluator, Grain};

use crate::error::SqlError;
use crate::names::RESERVED_PREFIX;
use crate::planner::{ModelSource, RelationSource};
use crate::unit_model::UnitCall;

/// Name of the column that holds the model's whole result between the two projections.
const RESULT: &str = "weir_result";

/// The view that `model(dataset)` stands for.
pub(crate) fn source(
    model: &ModelSource,
    relation: &RelationSource,
    table: &Arc<dyn TableSource>,
) -> Result<Arc<dyn TableSource>, SqlError> {
    let dataset = relation.dataset.as_str();
    let schema = table.schema();
    let misfit = |message: String| SqlError::ModelBinding {
        model: model.name.clone(),
        dataset: dataset.to_owned(),
        message,
    };
    let binding = model
        .model
        .bind(&without_reserved(&schema))
        .map_err(|error| misfit(error.to_string()))?;
    if model.model.signature().grain() == Grain::Unit {
        if relation.units.len() > 1 {
            return Err(misfit(
                "a model over units reads datasets about one kind of unit, and this one's rows are about several".to_owned(),
            ));
        }
        let call = UnitCall::new(dataset, Arc::clone(&relation.table), binding);
        return Ok(provider_as_source(Arc::new(call)));
    }
    let plan =
        plan(model, dataset, table, binding).map_err(|error| misfit(error.strip_backtrace()))?;
    let schema = Arc::clone(plan.schema().inner());
    Ok(Arc::new(View { plan, schema }))
}

/// What a model may bind to: its parameter `weir-unit` would be the number of the unit.
fn without_reserved(schema: &Schema) -> Schema {
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| !field.name().starts_with(RESERVED_PREFIX));
    Schema::new(fields.cloned().collect::<Fields>())
}

fn plan(
    model: &ModelSource,
    dataset: &str,
    table: &Arc<dyn TableSource>,
    binding: Binding,
) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = table
        .schema()
        .fields()
        .iter()
        .map(|field| ident(field.name()))
        .collect();
    let arguments = binding
        .columns()
        .iter()
        .map(|input| cast(ident(&input.column), input.data_type.clone()))
        .collect();
    let outputs = model.model.output_fields();
    let function = ScalarUDF::new_from_impl(Call::new(model, binding));
    let mut with_result = columns.clone();
    with_result.push(function.call(arguments).alias(RESULT));
    let mut taken_apart = columns;
    taken_apart.extend(
        outputs
            .iter()
            .map(|output| get_field(ident(RESULT), output.name().as_str()).alias(output.name())),
    );
    LogicalPlanBuilder::scan(dataset, Arc::clone(table), None)?
        .project(with_result)?
        .project(taken_apart)?
        .build()
}

struct View {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl TableSource for View {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

/// The model as the engine's scalar function: columns in, one struct out.
struct Call {
    name: String,
    digest: String,
    binding: Binding,
    signature: Signature,
    result: DataType,
    idle: Mutex<Vec<Evaluator>>,
}

impl Call {
    fn new(model: &ModelSource, binding: Binding) -> Self {
        let inputs = binding
            .columns()
            .iter()
            .map(|input| input.data_type.clone())
            .collect();
        Self {
            name: model.name.clone(),
            digest: model.model.digest().to_owned(),
            signature: Signature::exact(inputs, Volatility::Immutable),
            result: DataType::Struct(model.model.output_fields()),
            binding,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut evaluator = waiting.unwrap_or_else(|| self.binding.evaluator());
        let result = evaluator
            .evaluate(columns, rows)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        idle().push(evaluator);
        Ok(Arc::new(result))
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = columns
            .first()
            .map_or(args.number_rows, |column| column.len());
        self.evaluate(&columns, rows).map(ColumnarValue::Array)
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// Two calls are the same function where name and bytes are the same; a binding follows from both and the dataset.
impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.digest == other.digest
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.digest.hash(state);
    }
}
