//! Which columns a plan reads, so that a grant can be held against them before a row is read.
//!
//! What counts is what the engine would fetch: a column that only an unused output of a model needs is not read. Where
//! that cannot be told, every column counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{Optimizer, OptimizerContext};

use crate::error::SqlError;
use crate::names::RESERVED_PREFIX;
use crate::planner::planning_error;
use crate::split::Plan;
use crate::unit_model::UnitCall;

impl Plan {
    /// The columns that the part below the aggregate reads, by dataset. Unit columns are not named: whoever may read a
    /// dataset may read which of its rows are of one unit.
    ///
    /// # Errors
    /// [`SqlError`] where the engine cannot walk its own plan.
    pub fn columns_read(&self) -> Result<BTreeMap<String, BTreeSet<String>>, SqlError> {
        columns_read(&self.below).map_err(|error| planning_error(&error))
    }
}

fn columns_read(plan: &LogicalPlan) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let optimizer = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
    let pruned = optimizer.optimize(plan.clone(), &OptimizerContext::new(), |_, _| {})?;
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    pruned.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let (dataset, columns) = scanned(scan)?;
            let columns = columns
                .into_iter()
                .filter(|name| !name.starts_with(RESERVED_PREFIX));
            read.entry(dataset).or_default().extend(columns);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

fn scanned(scan: &TableScan) -> Result<(String, Vec<String>)> {
    let provider = source_as_provider(&scan.source)?;
    if let Some(call) = provider.downcast_ref::<UnitCall>() {
        return Ok((call.dataset().to_owned(), call.inputs()));
    }
    let fields = scan.projected_schema.fields().iter();
    let filters = scan.filters.iter().flat_map(|filter| {
        let columns = filter.column_refs().into_iter();
        columns
            .map(|column| column.name.clone())
            .collect::<Vec<_>>()
    });
    let columns = fields.map(|field| field.name().clone()).chain(filters);
    Ok((scan.table_name.table().to_owned(), columns.collect()))
}
