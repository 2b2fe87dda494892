//! The plan of a scan: which partition reads which files, and what is known about their order.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, SplitPoint, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr, RangePartitioning};
use datafusion::physical_plan::ExecutionPlan;

use super::UNIT_COLUMN;
use super::reader::{OpenFile, SealedFiles};

/// Plans a scan of all files in at most `partitions` partitions.
pub(super) fn plan(
    files: &Arc<SealedFiles>,
    schema: &SchemaRef,
    partitions: usize,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let source = ParquetSource::new(Arc::clone(schema))
        .with_parquet_file_reader_factory(Arc::clone(files) as _);
    let source: Arc<dyn FileSource> = source.into();
    let runs = runs(
        &files
            .iter()
            .map(|file| file.sealed.rows)
            .collect::<Vec<_>>(),
        partitions,
    );
    let starts: Vec<u32> = runs
        .iter()
        .skip(1)
        .map(|run| files[run.start].sealed.unit_first)
        .collect();
    let groups = runs
        .into_iter()
        .map(|run| group(schema, &files[run]))
        .collect();
    // No object store is asked for anything: the files' own reader does the reading. The URL only has to be one that
    // every session knows.
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
        .with_file_groups(groups)
        .with_statistics(statistics(schema, files.iter()))
        .with_output_ordering(vec![by_unit()])
        .with_output_partitioning(Some(Partitioning::Range(RangePartitioning::try_new(
            by_unit(),
            split_points(starts),
        )?)))
        .with_limit(limit)
        .with_projection_indices(projection.cloned())?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// Cuts the files into at most `partitions` runs of about equal rows, in order, none empty.
fn runs(rows: &[u64], partitions: usize) -> Vec<std::ops::Range<usize>> {
    let total: u64 = rows.iter().sum();
    let partitions = partitions.clamp(1, rows.len().max(1)) as u64;
    let mut runs = Vec::new();
    let (mut start, mut before) = (0, 0);
    for (index, file_rows) in rows.iter().enumerate() {
        before += file_rows;
        // Ends a run where the rows so far reach its share of the whole.
        if before * partitions >= total * (runs.len() as u64 + 1) {
            runs.push(start..index + 1);
            start = index + 1;
        }
    }
    if start < rows.len() {
        runs.push(start..rows.len());
    }
    runs
}

fn group(schema: &Schema, files: &[OpenFile]) -> FileGroup {
    let group = files.iter().map(|file| {
        PartitionedFile::new(file.location(), file.sealed.bytes)
            .with_statistics(Arc::new(statistics(schema, std::iter::once(file))))
    });
    FileGroup::new(group.collect()).with_statistics(Arc::new(statistics(schema, files.iter())))
}

fn by_unit() -> LexOrdering {
    let unit = Arc::new(Column::new(UNIT_COLUMN, 0));
    LexOrdering::from([PhysicalSortExpr::new(
        unit,
        SortOptions {
            descending: false,
            nulls_first: false,
        },
    )])
}

fn split_points(starts: Vec<u32>) -> Vec<SplitPoint> {
    starts
        .into_iter()
        .map(|unit| SplitPoint::new(vec![ScalarValue::UInt32(Some(unit))]))
        .collect()
}

/// What is known without reading: rows, and the range of units.
pub(super) fn statistics<'a>(
    schema: &Schema,
    files: impl Iterator<Item = &'a OpenFile>,
) -> Statistics {
    let mut known = Statistics::new_unknown(schema);
    let (mut rows, mut first, mut last) = (0, u32::MAX, 0);
    for OpenFile { sealed, .. } in files {
        rows += sealed.rows;
        first = first.min(sealed.unit_first);
        last = last.max(sealed.unit_last);
    }
    known.num_rows = Precision::Exact(usize::try_from(rows).unwrap_or(usize::MAX));
    known.column_statistics[0] = ColumnStatistics {
        null_count: Precision::Exact(0),
        min_value: Precision::Exact(ScalarValue::UInt32(Some(first))),
        max_value: Precision::Exact(ScalarValue::UInt32(Some(last))),
        ..ColumnStatistics::new_unknown()
    };
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn runs_are_whole_in_order_and_no_more_than_asked(
            rows in proptest::collection::vec(1_u64..1000, 1..40),
            partitions in 0_usize..12,
        ) {
            let runs = runs(&rows, partitions);
            assert!(runs.len() <= partitions.max(1));
            assert!(runs.iter().all(|run| !run.is_empty()));
            let files: Vec<_> = runs.into_iter().flatten().collect();
            assert_eq!(files, (0..rows.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn equal_files_make_equal_runs() {
        assert_eq!(runs(&[10; 8], 2), [0..4, 4..8]);
        assert_eq!(runs(&[10; 3], 8), [0..1, 1..2, 2..3]);
    }
}
