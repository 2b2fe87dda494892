//! Parquet: columns matched by name, widened where that loses nothing.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::columns::match_columns;
use super::widen::{self, Misfit};
use super::{SourceBatch, SourceReader};
use crate::limits::{BATCH_ROWS, FIELD_BYTES_MAX, ROWS_MAX};
use crate::{Place, Result, VaultError};
use weir_catalogue::Manifest;
use weir_catalogue::limits::COLUMNS_MAX;

pub(super) struct ParquetSource<'a> {
    file: &'a str,
    manifest: &'a Manifest,
    reader: ParquetRecordBatchReader,
    /// For each column of the manifest, its position in the file.
    fields: Vec<usize>,
    rows_read: u64,
    rows_total: u64,
    bytes_total: u64,
}

impl<'a> ParquetSource<'a> {
    pub(super) fn open(
        file: File,
        bytes_total: u64,
        name: &'a str,
        manifest: &'a Manifest,
    ) -> Result<Self> {
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, Default::default()))
            .map_err(|problem| problem.at(Place::file(name)))?;
        let rows_total =
            u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or_default();
        match rows_total {
            0 => {
                return Err(VaultError::SourceNoRows {
                    file: name.to_owned(),
                });
            }
            rows if rows > ROWS_MAX => {
                return Err(VaultError::SourceTooManyRows {
                    file: name.to_owned(),
                    limit: ROWS_MAX,
                });
            }
            _ => {}
        }
        let fields = check_schema(name, metadata.schema(), manifest)?;
        check_compression(name, metadata.metadata())?;
        let reader = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_batch_size(BATCH_ROWS)
                .with_projection(ProjectionMask::all())
                .build()
        })
        .map_err(|problem| problem.at(Place::file(name)))?;
        Ok(Self {
            file: name,
            manifest,
            reader,
            fields,
            rows_read: 0,
            rows_total,
            bytes_total,
        })
    }

    fn next_record_batch(&mut self) -> Result<Option<RecordBatch>> {
        let place = Place::row(self.file, self.rows_read + 1, None);
        let reader = &mut self.reader;
        let next = guarded(|| {
            reader
                .next()
                .transpose()
                .map_err(|_| ParquetError::EOF(String::new()))
        });
        next.map_err(|_| VaultError::ParquetDamaged { place })
    }

    fn misfit(&self, misfit: Misfit, column: usize) -> VaultError {
        let column = &self.manifest.columns()[column];
        let place = |row: usize| {
            Place::row(self.file, self.rows_read + row as u64 + 1, None).in_column(&column.name)
        };
        match misfit {
            Misfit::Value(row) => VaultError::ValueType {
                place: place(row),
                expected: column.kind.expects(),
                remedy: "mend the value, or change the column's type",
            },
            Misfit::TooLong(row) => VaultError::FieldTooLong {
                place: place(row),
                limit: FIELD_BYTES_MAX,
            },
            Misfit::Unreadable => VaultError::ParquetDamaged { place: place(0) },
        }
    }
}

impl SourceReader for ParquetSource<'_> {
    fn next_batch(&mut self) -> Result<Option<SourceBatch>> {
        let Some(batch) = self.next_record_batch()? else {
            // A file cut at a row group's edge can end early without an error of its own.
            if self.rows_read != self.rows_total {
                let place = Place::row(self.file, self.rows_read + 1, None);
                return Err(VaultError::ParquetDamaged { place });
            }
            return Ok(None);
        };
        let mut columns = Vec::with_capacity(self.fields.len());
        for (index, &field) in self.fields.iter().enumerate() {
            let kind = self.manifest.columns()[index].kind;
            let widened = widen::widen(batch.column(field), kind)
                .map_err(|misfit| self.misfit(misfit, index))?;
            columns.push(widened);
        }
        self.rows_read += batch.num_rows() as u64;
        // The reader does not say how far into the file it is; rows stand in for bytes.
        let bytes_read = (u128::from(self.bytes_total) * u128::from(self.rows_read)
            / u128::from(self.rows_total)) as u64;
        Ok(Some(SourceBatch {
            columns,
            rows: batch.num_rows(),
            bytes_read,
        }))
    }
}

fn check_schema(file: &str, schema: &Schema, manifest: &Manifest) -> Result<Vec<usize>> {
    if schema.fields().len() > COLUMNS_MAX {
        let what = format!(
            "{} columns, more than the {COLUMNS_MAX} a dataset may have; split the file",
            schema.fields().len()
        );
        return Err(VaultError::ParquetUnsupported {
            place: Place::file(file),
            what,
        });
    }
    let headers: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let fields = match_columns(file, &headers, manifest)?;
    for (column, &field) in manifest.columns().iter().zip(&fields) {
        let found = schema.field(field).data_type();
        if !widen::fits(found, column.kind) {
            return Err(VaultError::ColumnType {
                file: file.to_owned(),
                column: column.name.clone(),
                found: widen::in_words(found),
                declared: column.kind.name(),
            });
        }
    }
    Ok(fields)
}

/// Codecs this build reads; others are refused by name before any page is.
fn check_compression(file: &str, metadata: &ParquetMetaData) -> Result<()> {
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
        let what = format!(
            "compressed with {codec}, which is not read; write it with snappy, zstd or no compression"
        );
        return Err(VaultError::ParquetUnsupported {
            place: Place::file(file),
            what,
        });
    }
    Ok(())
}

enum Problem {
    Damaged,
    Encrypted,
}

impl Problem {
    fn at(self, place: Place) -> VaultError {
        match self {
            Self::Damaged => VaultError::ParquetDamaged { place },
            Self::Encrypted => VaultError::ParquetUnsupported {
                place,
                what: "the file is encrypted; write it without encryption".to_owned(),
            },
        }
    }
}

/// Runs the Parquet crate over untrusted bytes. Its errors may quote the data, so they end here; its decoders index
/// into the file in places where a damaged one can make them panic, which must not take the caller down.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Problem> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(ParquetError::General(message))) if message.contains("encrypted footer") => {
            Err(Problem::Encrypted)
        }
        Ok(Err(_)) | Err(_) => Err(Problem::Damaged),
    }
}
