//! A sealed snapshot beside the same Parquet in the clear, read by the same engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use weir_vault::Source;

use crate::{Result, data, measure};

/// What is read: everything; three numbers; one text.
const QUERIES: [(&str, &str); 3] = [
    ("all columns", "SELECT * FROM t"),
    (
        "three sums",
        "SELECT SUM(l_quantity), SUM(l_extendedprice), SUM(l_discount) FROM t",
    ),
    (
        "by ship mode",
        "SELECT l_shipmode, COUNT(*), AVG(l_tax) FROM t GROUP BY l_shipmode",
    ),
];

/// Registers, writes the same rows in the clear, and reads both in turns.
pub(crate) fn compare(folder: &Path, rows: u64, turns: usize) -> Result<()> {
    let csv = data::csv(folder, rows)?;
    let (vault, place) = measure::new_vault(folder)?;
    let manifest = data::manifest("l_orderkey")?;
    let mut carry_on = |_| std::ops::ControlFlow::Continue(());
    let staged = vault.ingest(&manifest, &Source::file(&csv), 0, &mut carry_on)?;
    let meta = staged.commit()?;
    let table = vault.table(&meta.id)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        for threads in [1, 2] {
            let sealed = context(threads);
            sealed.register_table("t", Arc::clone(&table))?;
            let plain = context(threads);
            let clear = place.join("clear");
            if threads == 1 {
                write_clear(&sealed, &clear).await?;
            }
            let options = ParquetReadOptions::default();
            plain
                .register_parquet("t", clear.to_string_lossy(), options)
                .await?;
            for (name, sql) in QUERIES {
                let (mut ratios, mut seconds) = (Vec::new(), Vec::new());
                for _ in 0..turns {
                    let (sealed_s, sealed_rows) = timed(&sealed, sql).await?;
                    let (plain_s, plain_rows) = timed(&plain, sql).await?;
                    if sealed_rows != plain_rows {
                        return Err("the two did not read the same rows".into());
                    }
                    ratios.push(sealed_s / plain_s);
                    seconds.push(plain_s);
                }
                ratios.sort_by(f64::total_cmp);
                seconds.sort_by(f64::total_cmp);
                println!(
                    "{threads} partitions, {name:<13} plain {:>7.3} s   sealed ÷ plain {:.2} ({:.2}–{:.2})",
                    seconds[turns / 2],
                    ratios[turns / 2],
                    ratios[0],
                    ratios[turns - 1]
                );
            }
        }
        Ok(())
    })
}

fn context(partitions: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions);
    SessionContext::new_with_config(config)
}

async fn write_clear(sealed: &SessionContext, folder: &Path) -> Result<()> {
    write_clear_of(sealed, "t", folder).await
}

/// The rows of a table in their order, in Parquet written with the vault's own properties but for the keys.
pub(crate) async fn write_clear_of(
    sealed: &SessionContext,
    table: &str,
    folder: &Path,
) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(weir_vault::limits::ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let mut stream = sealed.table(table).await?.execute_stream().await?;
    let file = std::fs::File::create(folder.join("part-00000.parquet"))?;
    let mut writer = ArrowWriter::try_new(file, stream.schema(), Some(properties))?;
    while let Some(batch) = stream.next().await {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}

async fn timed(context: &SessionContext, sql: &str) -> Result<(f64, usize)> {
    let start = Instant::now();
    let mut stream = context.sql(sql).await?.execute_stream().await?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch: RecordBatch = batch?;
        rows += batch.num_rows();
    }
    Ok((start.elapsed().as_secs_f64(), rows))
}
