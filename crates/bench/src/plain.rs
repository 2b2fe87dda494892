//! The plain engine: the same DataFusion over the same sealed files, without a check.

use std::sync::Arc;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::data::Sealed;
use crate::error::{Result, failed};

/// The name that every system knows the generated table by.
pub(crate) const TABLE: &str = "lineitem";

/// A session as a careful user would set it up: a partition for each thread, nothing else changed but that rows stay in the
/// order in which they lie, which is faster here.
pub(crate) fn session(sealed: &Sealed, threads: usize) -> Result<SessionContext> {
    let config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_round_robin_repartition(false);
    let context = SessionContext::new_with_config(config);
    context
        .register_table(TABLE, Arc::clone(&sealed.table))
        .map_err(failed("handing the table to the plain engine"))?;
    Ok(context)
}

/// Seconds and the answer.
pub(crate) async fn asked(context: &SessionContext, sql: &str) -> Result<(f64, Vec<RecordBatch>)> {
    let what = "the plain query";
    let start = Instant::now();
    let frame = context.sql(sql).await.map_err(failed(what))?;
    let batches = frame.collect().await.map_err(failed(what))?;
    Ok((start.elapsed().as_secs_f64(), batches))
}
