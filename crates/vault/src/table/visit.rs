//! Reading a snapshot row by row, for an assessment that has to see every row and keeps none.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use futures::StreamExt;

use crate::{Result, VaultError};

/// Hands the unit and the columns at `positions` of the table to `visit`, batch by batch, in the order of the units.
/// Runs its own single-threaded runtime: the caller's thread must be its own, not one of a runtime.
pub(crate) fn visit<E: From<VaultError>>(
    table: &Arc<dyn TableProvider>,
    positions: &[usize],
    visit: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let failed = || VaultError::Internal {
        action: "reading a snapshot",
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|_| failed())?;
    runtime.block_on(async {
        let session =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let projection: Vec<usize> = std::iter::once(0)
            .chain(positions.iter().copied())
            .collect();
        let plan: Arc<dyn ExecutionPlan> = table
            .scan(&session.state(), Some(&projection), &[], None)
            .await
            .map_err(|_| failed())?;
        for partition in 0..plan.properties().output_partitioning().partition_count() {
            let mut batches = plan
                .execute(partition, session.task_ctx())
                .map_err(|_| failed())?;
            while let Some(batch) = batches.next().await {
                visit(&batch.map_err(|_| failed())?)?;
            }
        }
        Ok(())
    })
}
