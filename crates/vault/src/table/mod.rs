//! A snapshot as a DataFusion table.
//!
//! The table is self-contained: it opens and decrypts its files itself. Keys pass through no option, plan or registry;
//! a plan shows file names relative to the snapshot, and `Debug` shows the snapshot's id.
//!
//! A scan never splits a unit and never reorders within a partition: each partition is a run of whole files, ascending,
//! declared sorted by [`UNIT_COLUMN`] and range-partitioned on it. The declared partitioning is also what keeps
//! DataFusion from splitting files by byte ranges and from letting partitions steal files from each other.

mod reader;
mod scan;
mod visit;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use zeroize::Zeroizing;

use crate::Result;
use crate::keys::DataKey;
use crate::snapshot::{StoredColumn, StoredMeta};
pub(crate) use reader::SealedFiles;
pub(crate) use visit::visit;

/// The first column of every snapshot: the dense id of the row's unit, `UInt32`, never null, ascending.
pub const UNIT_COLUMN: &str = "weir_unit";

/// The name of the `unit`th unit column, counted from 0, the primary one: `weir_unit`, `weir_unit_2`, `weir_unit_3` …
///
/// All but the primary are nullable and in no order: `UInt32`, null where a row names no such unit.
pub fn unit_column(unit: usize) -> String {
    match unit {
        0 => UNIT_COLUMN.to_owned(),
        _ => format!("{UNIT_COLUMN}_{}", unit + 1),
    }
}

/// The column behind the units: the number of the row among those of its primary unit, from 0, in the order of the source;
/// `UInt32`, never null. It tells rows of a unit apart, and stays the same where rows are added behind.
///
/// A table has it where some unit has several rows, and its snapshot was sealed with it.
pub const ROW_COLUMN: &str = "weir_row";

/// The schema of the files: the units, of which there are `units` columns, the rows' numbers, and then the stored columns.
pub(crate) fn stored_schema(units: usize, columns: &[StoredColumn]) -> SchemaRef {
    schema(units, true, columns, |kind| kind)
}

/// The schema of the table: that of the files, with text as views, which DataFusion reads without copying.
fn table_schema(meta: &StoredMeta) -> SchemaRef {
    let shown = &meta.shown;
    let with_rows = meta.numbers_rows && shown.rows > shown.units;
    schema(
        shown.unit_columns.len(),
        with_rows,
        &shown.columns,
        |kind| {
            if kind == DataType::Utf8 {
                DataType::Utf8View
            } else {
                kind
            }
        },
    )
}

fn schema(
    units: usize,
    with_rows: bool,
    columns: &[StoredColumn],
    seen_as: fn(DataType) -> DataType,
) -> SchemaRef {
    let units = (0..units).map(|unit| Field::new(unit_column(unit), DataType::UInt32, unit > 0));
    let row = with_rows.then(|| Field::new(ROW_COLUMN, DataType::UInt32, false));
    let stored = columns
        .iter()
        .map(|column| Field::new(&column.name, seen_as(column.kind.data_type()), true));
    Arc::new(Schema::new(
        units.chain(row).chain(stored).collect::<Vec<_>>(),
    ))
}

/// The key of a snapshot's Parquet files, as the Parquet crate wants it.
pub(crate) fn parquet_key(key: &DataKey) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(key.derive("snapshot parquet")?.to_vec()))
}

/// A snapshot whose files have been checked.
pub(crate) struct SealedTable {
    id: String,
    schema: SchemaRef,
    files: Arc<SealedFiles>,
}

impl SealedTable {
    pub(crate) fn new(meta: &StoredMeta, files: SealedFiles) -> Self {
        Self {
            id: meta.shown.id.clone(),
            schema: table_schema(meta),
            files: Arc::new(files),
        }
    }
}

impl SealedTable {
    /// Makes every scan of it fail at its next read.
    pub(crate) fn end(&self) {
        self.files.end();
    }
}

impl fmt::Debug for SealedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedTable")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SealedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let partitions = state.config().target_partitions();
        scan::plan(&self.files, &self.schema, partitions, projection, limit)
    }

    /// Filters are not exact here: the physical optimiser pushes them into the scan, which prunes with them, and
    /// whatever is not decided there is filtered again above.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(scan::statistics(&self.schema, self.files.iter()))
    }
}
