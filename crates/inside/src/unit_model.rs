//! `model(dataset)` in `FROM` for a model over units: one row for each unit, with the model's outputs.
//!
//! The snapshot is sorted by unit and read in one partition, so the rows of a unit follow each other and the model takes
//! them as a stream. What comes out is the unit's number and the outputs, sorted by unit as well, so that evidence stays
//! a running update and the result joins with other datasets on the unit.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{SortOptions, cast};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};
use weir_model::{Binding, UnitAnswers, UnitEvaluator};
use weir_vault::UNIT_COLUMN;

/// The table that a call of a unit model stands for.
pub(crate) struct UnitCall {
    name: String,
    dataset: Arc<dyn TableProvider>,
    binding: Binding,
    schema: SchemaRef,
}

impl UnitCall {
    /// Of a model bound to the columns of a dataset. Whoever binds sees to it that they may be read.
    pub(crate) fn new(name: &str, dataset: Arc<dyn TableProvider>, binding: Binding) -> Self {
        let unit = Arc::new(Field::new(UNIT_COLUMN, DataType::UInt32, false));
        let outputs = binding.model().output_fields();
        let fields: Vec<_> = std::iter::once(unit)
            .chain(outputs.iter().cloned())
            .collect();
        Self {
            name: name.to_owned(),
            dataset,
            binding,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// The dataset's name.
    pub(crate) fn dataset(&self) -> &str {
        &self.name
    }

    /// The columns that the model reads.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let columns = self.binding.columns().iter();
        columns.map(|input| input.column.clone()).collect()
    }
}

impl fmt::Debug for UnitCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitCall").finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for UnitCall {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let dataset = self.dataset.schema();
        let mut read = vec![dataset.index_of(UNIT_COLUMN)?];
        for input in self.binding.columns() {
            read.push(dataset.index_of(&input.column)?);
        }
        let rows = self.dataset.scan(state, Some(&read), &[], None).await?;
        let all = (0..self.schema.fields().len()).collect();
        let call = UnitModelExec::new(
            rows,
            self.binding.clone(),
            projection.cloned().unwrap_or(all),
            &self.schema,
        )?;
        Ok(Arc::new(call))
    }
}

/// Rows sorted by unit in, one row per unit out.
struct UnitModelExec {
    rows: Arc<dyn ExecutionPlan>,
    binding: Binding,
    /// Positions among the unit and the model's outputs.
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl UnitModelExec {
    fn new(
        rows: Arc<dyn ExecutionPlan>,
        binding: Binding,
        projection: Vec<usize>,
        whole: &SchemaRef,
    ) -> Result<Self> {
        let schema = Arc::new(whole.project(&projection)?);
        let mut equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        if let Ok(unit) = schema.index_of(UNIT_COLUMN) {
            equivalences.add_ordering([ascending(unit)]);
        }
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            rows,
            binding,
            projection,
            properties: Arc::new(properties),
        })
    }
}

fn ascending(column: usize) -> PhysicalSortExpr {
    PhysicalSortExpr::new(
        Arc::new(Column::new(UNIT_COLUMN, column)),
        SortOptions::new(false, true),
    )
}

impl DisplayAs for UnitModelExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnitModelExec")
    }
}

impl fmt::Debug for UnitModelExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnitModelExec")
    }
}

impl ExecutionPlan for UnitModelExec {
    fn name(&self) -> &'static str {
        "UnitModelExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows]
    }

    /// A unit is never divided: one partition, in the order of units. Where the engine cannot give that it sorts.
    fn required_input_distribution(&self) -> Vec<datafusion::physical_plan::Distribution> {
        vec![datafusion::physical_plan::Distribution::SinglePartition]
    }

    fn required_input_ordering(
        &self,
    ) -> Vec<Option<datafusion::physical_expr::OrderingRequirements>> {
        vec![LexOrdering::new([ascending(0)]).map(Into::into)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(rows), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("a unit model reads one input");
        };
        Ok(Arc::new(Self {
            rows,
            binding: self.binding.clone(),
            projection: self.projection.clone(),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.rows.execute(partition, context)?;
        let schema = self.schema();
        let state = Units {
            evaluator: self.binding.unit_evaluator(),
            binding: self.binding.clone(),
            projection: self.projection.clone(),
            schema: Arc::clone(&schema),
        };
        // After the last batch comes `None`, which ends the last unit.
        let batches = rows.map_ok(Some).chain(stream::once(async { Ok(None) }));
        let answers = batches.scan(state, |state, batch| {
            let answers = batch.and_then(|batch| state.answers(batch));
            futures::future::ready(Some(answers))
        });
        let answers = answers.try_filter(|batch| futures::future::ready(batch.num_rows() > 0));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, answers)))
    }
}

/// One stream under way.
struct Units {
    evaluator: UnitEvaluator,
    binding: Binding,
    projection: Vec<usize>,
    schema: SchemaRef,
}

impl Units {
    fn answers(&mut self, rows: Option<RecordBatch>) -> Result<RecordBatch> {
        let failed = |error| DataFusionError::External(Box::new(error));
        let answers = match rows {
            Some(rows) => {
                let (units, inputs) = (rows.column(0), &rows.columns()[1..]);
                let inputs = self.binding.columns().iter().zip(inputs);
                let inputs = inputs.map(|(bound, column)| cast(column, &bound.data_type));
                let inputs = inputs.collect::<Result<Vec<ArrayRef>, _>>()?;
                Some(self.evaluator.push(units, &inputs).map_err(failed)?)
            }
            None => self.evaluator.finish().map_err(failed)?,
        };
        match answers {
            Some(answers) => self.batch(&answers),
            None => Ok(RecordBatch::new_empty(Arc::clone(&self.schema))),
        }
    }

    fn batch(&self, answers: &UnitAnswers) -> Result<RecordBatch> {
        let outputs = answers.outputs.columns();
        let columns: Vec<ArrayRef> = self
            .projection
            .iter()
            .map(|position| match position.checked_sub(1) {
                None => Arc::clone(&answers.units),
                Some(output) => Arc::clone(&outputs[output]),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(answers.units.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}
