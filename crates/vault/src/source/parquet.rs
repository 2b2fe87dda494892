//! Parquet: columns matched by name, widened where that loses nothing.

use std::fs::File;
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use weir_catalogue::Manifest;

use super::columnar::{self, ColumnarBlock, guarded};
use super::fault::{Fault, Problem};
use super::parts::Part;
use super::{Block, Fields, PartReader};
use crate::limits::BATCH_ROWS;
use crate::{Place, Result, VaultError};

pub(super) struct ParquetPart {
    reader: ParquetRecordBatchReader,
    fields: Fields,
    rows_read: u64,
    rows_total: u64,
    bytes_total: u64,
}

impl ParquetPart {
    pub(super) fn open(file: File, part: &Part, manifest: &Manifest) -> Result<Self> {
        let place = || Place::file(&part.name);
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, Default::default()))
            .ok_or_else(|| VaultError::ParquetDamaged { place: place() })?
            .map_err(|error| metadata_error(&error, place()))?;
        let rows_total =
            u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or_default();
        let unsupported = |what| VaultError::ParquetUnsupported {
            place: place(),
            what,
        };
        let fields = columnar::check_schema(&part.name, metadata.schema(), manifest, unsupported)?;
        check_compression(metadata.metadata()).map_err(unsupported)?;
        let reader = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_batch_size(BATCH_ROWS)
                .with_projection(ProjectionMask::all())
                .build()
                .ok()
        })
        .flatten()
        .ok_or_else(|| VaultError::ParquetDamaged { place: place() })?;
        Ok(Self {
            reader,
            fields,
            rows_read: 0,
            rows_total,
            bytes_total: part.bytes,
        })
    }
}

impl PartReader for ParquetPart {
    fn next_block(&mut self) -> Result<Option<Block>, Fault> {
        let damaged = || Fault::Row {
            row: 0,
            byte: None,
            column: None,
            problem: Problem::ParquetDamaged,
        };
        let reader = &mut self.reader;
        let next = guarded(|| reader.next().transpose())
            .and_then(Result::ok)
            .ok_or_else(damaged)?;
        let Some(batch) = next else {
            // A file cut at a row group's edge can end early without an error of its own.
            if self.rows_read != self.rows_total {
                return Err(damaged());
            }
            return Ok(None);
        };
        self.rows_read += batch.num_rows() as u64;
        Ok(Some(Block::Columnar(ColumnarBlock {
            batch,
            fields: Arc::clone(&self.fields),
            damaged: || Problem::ParquetDamaged,
        })))
    }

    /// The reader does not say how far into the file it is; rows stand in for bytes.
    fn bytes_read(&self) -> u64 {
        let bytes = u128::from(self.bytes_total) * u128::from(self.rows_read);
        let bytes = bytes.checked_div(u128::from(self.rows_total));
        bytes.unwrap_or_default().min(u128::from(self.bytes_total)) as u64
    }
}

/// Codecs this build reads; others are refused by name before any page is.
fn check_compression(metadata: &ParquetMetaData) -> Result<(), String> {
    for column in metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
    {
        let codec = match column.compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => continue,
            Compression::GZIP(_) => "gzip",
            Compression::BROTLI(_) => "brotli",
            Compression::LZO => "LZO",
            Compression::LZ4 | Compression::LZ4_RAW => "LZ4",
        };
        return Err(format!(
            "compressed with {codec}, which is not read; write it with snappy, zstd or no compression"
        ));
    }
    Ok(())
}

/// The Parquet crate's errors may quote the data, so they end here.
fn metadata_error(error: &ParquetError, place: Place) -> VaultError {
    match error {
        ParquetError::General(message) if message.contains("encrypted footer") => {
            VaultError::ParquetUnsupported {
                place,
                what: "the file is encrypted; write it without encryption".to_owned(),
            }
        }
        _ => VaultError::ParquetDamaged { place },
    }
}
