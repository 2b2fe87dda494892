//! The outside engine: what a query does with cells once they are released.
//!
//! **For**: `HAVING`, `ORDER BY`, `LIMIT`, `DISTINCT` and arithmetic over aggregates, run over one released table.
//!
//! **Not for**: reading data. This crate has no path, direct or through another crate, to `vault` or `inside`; the
//! only table its session ever holds is made from a [`Released`].
//!
//! **Invariants**
//! - The plan it is handed has exactly one source, an empty relation, which it fills with the released table; a plan
//!   with any other source or with a node that is not row-wise, a sort or a limit is refused.
//! - What it computes is a function of the released table and of the query's text.

mod error;
mod fill;
mod format;

pub use error::{Family, OutsideError};
pub use format::arrow_ipc;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;
use weir_gate::Released;

/// Applies what stands above a query's aggregate to the cells that were released.
///
/// # Errors
/// [`OutsideError::Plan`] where the plan is not one the split makes, [`OutsideError::Compute`] where an expression
/// over released cells fails (its words are passed on: they speak of released values only).
pub async fn answer(above: &LogicalPlan, released: &Released) -> Result<RecordBatch, OutsideError> {
    let plan = fill::fill(above, released)?;
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_information_schema(false);
    // It knows no function by name: the plan brings those that it calls.
    let state = SessionStateBuilder::new().with_config(config).build();
    let frame = SessionContext::new_with_state(state)
        .execute_logical_plan(plan)
        .await?;
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await?;
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    concat_batches(&schema, &batches).map_err(|error| OutsideError::Compute(error.to_string()))
}
