//! Points at which a computation can be stopped.
//!
//! The engine yields where it reads, and there only now and then. A join makes many batches of one, and a model may take
//! long over a batch; without more points a run that was told to stop would go on for minutes. So every source and every
//! join yields after each batch, and lets go first whoever is to (`turns.rs`).

use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{StreamExt, stream};

use crate::turns::Carried;

/// Longest time that counts as work between a batch and the request for the next: who works on the batch does not say how
/// long it took, and may itself have waited.
const BETWEEN_MAX: Duration = Duration::from_millis(100);

/// The plan with a point to stop at after each batch of a source or a join.
pub(crate) fn yielding(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = plan.transform_up(|node| {
        Ok(match node.children().len() {
            1 => Transformed::no(node),
            _ => Transformed::yes(Arc::new(Yielding { input: node }) as Arc<dyn ExecutionPlan>),
        })
    })?;
    Ok(plan.data)
}

/// Passes batches on, and lets whoever waits have a turn after each.
struct Yielding {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Yielding {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yielding")
    }
}

impl fmt::Debug for Yielding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yielding")
    }
}

impl ExecutionPlan for Yielding {
    fn name(&self) -> &'static str {
        "Yielding"
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
            (Some(input), true) => Ok(Arc::new(Self { input })),
            _ => internal_err!("a point to stop at has one input"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let turns = context.session_config().get_extension::<Carried>();
        let batches = self.input.execute(partition, context)?;
        let schema = batches.schema();
        let begun = (batches, turns, Instant::now());
        let batches = stream::unfold(begun, |(mut batches, turns, handed_out)| async move {
            let between = handed_out.elapsed().min(BETWEEN_MAX);
            let (batch, worked) = timed(&mut batches).await;
            let batch = batch?;
            tokio::task::yield_now().await;
            if let Some(Carried(turns)) = turns.as_deref() {
                turns.next(worked + between).await;
            }
            Some((batch, (batches, turns, Instant::now())))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// The next batch, and how long it was worked on, waiting not included.
async fn timed(batches: &mut SendableRecordBatchStream) -> (Option<Result<RecordBatch>>, Duration) {
    let mut worked = Duration::ZERO;
    futures::future::poll_fn(|context| {
        let begun = Instant::now();
        let polled = batches.poll_next_unpin(context);
        worked += begun.elapsed();
        match polled {
            Poll::Ready(batch) => Poll::Ready((batch, worked)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
