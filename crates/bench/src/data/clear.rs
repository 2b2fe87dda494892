//! The rows of a sealed snapshot in the clear, for those who read plain Parquet.

use std::fs::File;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::Sealed;
use crate::error::{BenchError, Result, failed};
use crate::plain;

/// One Parquet file with the same rows in the same order, units as numbers included, written with the vault's own
/// properties but for the keys. Made if it is not there.
pub(crate) async fn write_clear(sealed: &Sealed) -> Result<PathBuf> {
    let file = sealed.folder.join("clear.parquet");
    if file.exists() {
        return Ok(file);
    }
    let unfinished = file.with_extension("unfinished");
    rows(sealed, &unfinished).await?;
    std::fs::rename(&unfinished, &file).map_err(|error| BenchError::file(&file, error))?;
    Ok(file)
}

async fn rows(sealed: &Sealed, file: &Path) -> Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(weir_vault::limits::ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    // One partition: the order is that of the units.
    let context = plain::session(sealed, 1)?;
    let reading = "reading the sealed snapshot";
    let table = context.table(plain::TABLE).await.map_err(failed(reading))?;
    let mut stream = table.execute_stream().await.map_err(failed(reading))?;
    let out = File::create(file).map_err(|error| BenchError::file(file, error))?;
    let mut writer = ArrowWriter::try_new(out, stream.schema(), Some(properties))
        .map_err(|error| BenchError::file(file, error))?;
    while let Some(batch) = stream.next().await {
        writer
            .write(&batch.map_err(failed(reading))?)
            .map_err(|error| BenchError::file(file, error))?;
    }
    writer
        .close()
        .map_err(|error| BenchError::file(file, error))?;
    Ok(())
}
