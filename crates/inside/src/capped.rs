//! Under differential privacy, a table of which each unit has so many rows and no more.
//!
//! What a unit adds to any table is then bounded whatever is asked: it is in no more cells than it has rows, adds no more than
//! its rows to a count, and no more than so many times the largest value to a sum. The rows that stay are the first ones, in the
//! order in which they are stored. Which these are follows from the unit's own rows: conditions are applied afterwards, and the
//! scan is told none, as what it leaves out by statistics of a stretch of rows would depend on other units.
//!
//! Rows come sorted by unit, and no unit is in two parts; a part that is not so ends the run.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use weir_vault::unit_column;

use crate::evidence::OutOfOrder;
use crate::planner::Table;

/// The first rows of each unit of a table.
pub(crate) fn capped(table: Table, rows_max: u64) -> Table {
    Arc::new(Capped { table, rows_max })
}

struct Capped {
    table: Table,
    rows_max: u64,
}

impl fmt::Debug for Capped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capped")
    }
}

#[async_trait::async_trait]
impl TableProvider for Capped {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let unit = schema.index_of(&unit_column(0))?;
        let asked: Vec<usize> = match projection {
            Some(asked) => asked.clone(),
            None => (0..schema.fields().len()).collect(),
        };
        // Read with the unit first where it is not asked for, and left out again afterwards.
        let at = asked.iter().position(|column| *column == unit);
        let read = match at {
            Some(_) => asked.clone(),
            None => [vec![unit], asked.clone()].concat(),
        };
        let input = self.table.scan(state, Some(&read), &[], None).await?;
        let first: Arc<dyn ExecutionPlan> = Arc::new(FirstRows {
            input,
            unit: at.unwrap_or(0),
            rows_max: self.rows_max,
        });
        if at.is_some() {
            return Ok(first);
        }
        let schema = first.schema();
        let columns = (1..=asked.len()).map(|column| {
            let name = schema.field(column).name().clone();
            let of = datafusion::physical_expr::expressions::Column::new(&name, column);
            (Arc::new(of) as Arc<dyn PhysicalExpr>, name)
        });
        Ok(Arc::new(ProjectionExec::try_new(
            columns.collect::<Vec<_>>(),
            first,
        )?))
    }
}

/// Lets the first rows of each unit pass.
struct FirstRows {
    input: Arc<dyn ExecutionPlan>,
    /// Position of the unit's column.
    unit: usize,
    rows_max: u64,
}

impl DisplayAs for FirstRows {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstRows")
    }
}

impl fmt::Debug for FirstRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstRows")
    }
}

impl ExecutionPlan for FirstRows {
    fn name(&self) -> &'static str {
        "FirstRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self {
                input,
                unit: self.unit,
                rows_max: self.rows_max,
            })),
            _ => internal_err!("the first rows are those of one input"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, context)?;
        let schema = batches.schema();
        let mut kept = Kept {
            unit: None,
            rows: 0,
            rows_max: self.rows_max,
        };
        let at = self.unit;
        let batches = batches.map(move |batch| kept.first(&batch?, at));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// How far a part was read.
struct Kept {
    unit: Option<u32>,
    rows: u64,
    rows_max: u64,
}

impl Kept {
    fn first(&mut self, batch: &RecordBatch, unit: usize) -> Result<RecordBatch> {
        let units = batch.column(unit).as_primitive_opt::<UInt32Type>();
        let units = units.filter(|units| units.null_count() == 0);
        let Some(units) = units else {
            return internal_err!("every row has a unit");
        };
        let mut keep = Vec::with_capacity(units.len());
        for unit in units.values() {
            match self.unit {
                Some(before) if before == *unit => self.rows += 1,
                Some(before) if before > *unit => {
                    return Err(DataFusionError::External(Box::new(OutOfOrder)));
                }
                _ => (self.unit, self.rows) = (Some(*unit), 1),
            }
            keep.push(self.rows <= self.rows_max);
        }
        Ok(filter_record_batch(batch, &BooleanArray::from(keep))?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use datafusion::arrow::array::{ArrayRef, Int64Array, UInt32Array};

    use super::*;

    fn batch(units: &[u32]) -> RecordBatch {
        let rows: Int64Array = (0..units.len() as i64).collect();
        RecordBatch::try_from_iter([
            ("u", Arc::new(UInt32Array::from(units.to_vec())) as ArrayRef),
            ("n", Arc::new(rows) as ArrayRef),
        ])
        .unwrap()
    }

    fn of(kept: &mut Kept, units: &[u32]) -> Vec<u32> {
        let batch = kept.first(&batch(units), 0).unwrap();
        batch
            .column(0)
            .as_primitive::<UInt32Type>()
            .values()
            .to_vec()
    }

    #[test]
    fn each_unit_keeps_its_first_rows_over_batches() {
        let mut kept = Kept {
            unit: None,
            rows: 0,
            rows_max: 2,
        };
        assert_eq!(of(&mut kept, &[1, 1, 1, 2, 3]), [1, 1, 2, 3]);
        assert_eq!(of(&mut kept, &[3, 3, 3, 9]), [3, 9]);
        assert_eq!(of(&mut kept, &[9, 9]), [9]);
        kept.first(&batch(&[4]), 0).unwrap_err();
    }
}
