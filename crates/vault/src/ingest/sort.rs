//! Sorting by unit, with DataFusion's sort.
//!
//! The sort has [`SORT_BYTES_MAX`] of memory and no disk: what it would spill are plain values, and nothing plain may
//! touch a disk. A dataset that does not fit is refused.

use std::fmt;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;

use super::Coded;
use super::code::KEY_COLUMN;
use crate::limits::SORT_BYTES_MAX;
use crate::{Result, VaultError};

/// Sorts what comes out of the queue by its key and gives it to `take`, batch by batch.
///
/// Runs its own single-threaded runtime: the caller's thread must be its own, not one of a runtime.
pub(super) fn sorted(
    schema: SchemaRef,
    queue: Receiver<Coded>,
    file: &str,
    mut take: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let failed = |error: DataFusionError| sort_error(&error, file);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|_| VaultError::Internal {
            action: "starting the sort",
        })?;
    runtime.block_on(async {
        let mut sorted = start(schema, queue).map_err(failed)?;
        while let Some(batch) = sorted.next().await {
            take(&batch.map_err(failed)?)?;
        }
        Ok(())
    })
}

fn start(
    schema: SchemaRef,
    queue: Receiver<Coded>,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(SORT_BYTES_MAX)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        )
        .build_arc()?;
    let queue = Arc::new(Queue {
        schema: Arc::clone(&schema),
        queue: Mutex::new(Some(queue)),
    });
    let input =
        StreamingTableExec::try_new(Arc::clone(&schema), vec![queue], None, [], false, None)?;
    let key = Arc::new(Column::new_with_schema(KEY_COLUMN, &schema)?);
    let order = PhysicalSortExpr::new(
        key,
        SortOptions {
            descending: false,
            nulls_first: false,
        },
    );
    let sort = SortExec::new(LexOrdering::from([order]), Arc::new(input));
    sort.execute(
        0,
        Arc::new(TaskContext::default().with_runtime(environment)),
    )
}

/// The queue as a table.
struct Queue {
    schema: SchemaRef,
    queue: Mutex<Option<Receiver<Coded>>>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

impl PartitionStream for Queue {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Waiting for the queue blocks the thread, which has nothing else to do.
        let batches = queue
            .into_iter()
            .flat_map(Receiver::into_iter)
            .map(|coded| {
                coded.ok_or_else(|| DataFusionError::Execution("reading was given up".to_owned()))
            });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            futures::stream::iter(batches),
        ))
    }
}

fn sort_error(error: &DataFusionError, file: &str) -> VaultError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => VaultError::SortMemory {
            file: file.to_owned(),
            limit: SORT_BYTES_MAX,
        },
        _ => VaultError::Internal { action: "sorting" },
    }
}
