//! A sample as a file.

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;

use crate::{CatalogueError, Result};

/// The format of a sample's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, UTF-8, with a header.
    Csv,
    /// Parquet, uncompressed.
    Parquet,
}

impl Format {
    /// The bytes of a file.
    ///
    /// # Errors
    /// [`CatalogueError::Internal`] where the writer refuses.
    pub fn encode(self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let written = match self {
            Self::Csv => arrow::csv::Writer::new(&mut bytes).write(batch).is_ok(),
            Self::Parquet => parquet(batch, &mut bytes).is_ok(),
        };
        if written {
            Ok(bytes)
        } else {
            Err(CatalogueError::Internal {
                action: "writing a sample",
            })
        }
    }
}

fn parquet(batch: &RecordBatch, bytes: &mut Vec<u8>) -> parquet::errors::Result<()> {
    let mut writer = ArrowWriter::try_new(bytes, batch.schema(), None)?;
    writer.write(batch)?;
    writer.close().map(drop)
}
