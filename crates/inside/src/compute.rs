//! Computes the cells of a split query.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use weir_gate::Unreleased;

use crate::error::ComputeError;
use crate::evidence::{OutOfOrder, TooManyGroups};
use crate::in_order::in_order;
use crate::split::Plan;
use crate::turns::{Carried, Turns};
use crate::yielding::yielding;

/// Most groups a run may make before the gate looks at them. Above it a table is useless to everyone but an attacker,
/// and the policy's own bound on released cells lies far below.
pub const GROUPS_MAX: usize = 1_000_000;

/// In how many parts a snapshot is read, each a run of whole units. The same on every machine, however many threads it has:
/// the parts decide the order of additions.
pub(crate) const PARTITIONS: usize = 4;

/// Rows that the engine handles at once, unless told otherwise.
const BATCH_ROWS: usize = 8_192;

/// Bounds of one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Memory the engine may hold for sorting and grouping, in bytes.
    pub memory_bytes_max: usize,
    /// Longest computation. A join makes rows out of rows, so that the size of the data does not bound it.
    pub duration_max: Duration,
    /// Rows that the engine handles at once. It changes no bit of what comes of it.
    pub batch_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 1024 * 1024 * 1024,
            duration_max: Duration::from_secs(600),
            batch_rows: BATCH_ROWS,
        }
    }
}

impl Plan {
    /// Computes the cells and their evidence. Dropping the future stops the work.
    ///
    /// # Errors
    /// [`ComputeError`], whose messages are constants: nothing of the data is in them.
    pub async fn compute(&self, limits: Limits) -> Result<Unreleased, ComputeError> {
        self.compute_in_turn(limits, None).await
    }

    /// The same, giving way after each batch to whoever is to go first. The wait counts towards the longest duration.
    ///
    /// # Errors
    /// As [`Plan::compute`].
    pub async fn compute_in_turn(
        &self,
        limits: Limits,
        turns: Option<Arc<dyn Turns>>,
    ) -> Result<Unreleased, ComputeError> {
        let table = self.in_order_or_not(limits, turns);
        let table = tokio::time::timeout(limits.duration_max, table)
            .await
            .map_err(|_| ComputeError::Time {
                limit_s: limits.duration_max.as_secs(),
            })??;
        self.cells(&table)
    }

    /// The running update where rows come in the order of units, and the exact table where they turn out not to.
    async fn in_order_or_not(
        &self,
        limits: Limits,
        turns: Option<Arc<dyn Turns>>,
    ) -> Result<RecordBatch, ComputeError> {
        match table(&self.below, self.partitions, (limits, turns.clone())).await {
            Err(ComputeError::Order) => {
                let below = self.below_in_any_order().map_err(|_| ComputeError::Bug)?;
                table(&below, 1, (limits, turns)).await
            }
            done => done,
        }
    }
}

/// What bounds a computation, and whose turn it is.
type Bounds = (Limits, Option<Arc<dyn Turns>>);

async fn table(
    below: &LogicalPlan,
    partitions: usize,
    bounds: Bounds,
) -> Result<RecordBatch, ComputeError> {
    let mut stream = started(below, partitions, bounds)
        .await
        .map_err(|error| classify(&error))?;
    let schema = stream.schema();
    let (mut batches, mut groups) = (Vec::new(), 0_usize);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| classify(&error))?;
        groups += batch.num_rows();
        if groups > GROUPS_MAX {
            return Err(ComputeError::Groups { limit: GROUPS_MAX });
        }
        batches.push(batch);
    }
    concat_batches(&schema, &batches).map_err(|_| ComputeError::Bug)
}

async fn started(
    below: &LogicalPlan,
    partitions: usize,
    bounds: Bounds,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let context = session(partitions, bounds)?;
    let plan = context.state().create_physical_plan(below).await?;
    execute_stream(yielding(in_order(plan)?)?, context.task_ctx())
}

/// A session for one run. No spilling: a temporary file would hold raw values in the clear.
fn session(partitions: usize, (limits, turns): Bounds) -> Result<SessionContext, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes_max)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        )
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(limits.batch_rows.max(1))
        .with_round_robin_repartition(false)
        .with_repartition_aggregations(false)
        .with_information_schema(false);
    if let Some(turns) = turns {
        config = config.with_extension(Arc::new(Carried(turns)));
    }
    let options = config.options_mut();
    // A model's result is a record that is taken apart: pushed towards the rows, that would pull the model below the
    // conditions of WHERE, and it would run for rows that nobody asked for.
    options.optimizer.enable_leaf_expression_pushdown = false;
    // Evidence is of groups: where nearly every row makes one, the engine would hand rows on one by one, each a part.
    options
        .execution
        .skip_partial_aggregation_probe_rows_threshold = usize::MAX;
    // It knows no function by name: a plan brings those that it calls.
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// Keeps the kind of an engine's error and drops its words, which may quote values.
fn classify(error: &DataFusionError) -> ComputeError {
    match error.find_root() {
        DataFusionError::External(inner) if inner.is::<OutOfOrder>() => ComputeError::Order,
        DataFusionError::External(inner) if inner.is::<TooManyGroups>() => {
            ComputeError::Groups { limit: GROUPS_MAX }
        }
        DataFusionError::ResourcesExhausted(_) => ComputeError::Memory,
        DataFusionError::Internal(_) => ComputeError::Bug,
        _ => ComputeError::Failed,
    }
}
