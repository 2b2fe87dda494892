//! Encoding the columns of a row group side by side.

use std::sync::{Mutex, PoisonError};
use std::thread;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::ParquetError;

/// A column to be encoded and, once it is, its bytes.
type Slot = Mutex<Option<Result<ArrowColumnChunk, ParquetError>>>;

/// Encodes the rows: one chunk per column, in order.
pub(super) fn encode_columns(
    rows: &[RecordBatch],
    writers: Vec<ArrowColumnWriter>,
    threads: usize,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    let slots: Vec<Slot> = writers.iter().map(|_| Slot::default()).collect();
    let waiting = Mutex::new(writers.into_iter().enumerate());
    let work = || {
        // The lock is let go before the work begins.
        let next = || {
            waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()
        };
        while let Some((column, writer)) = next() {
            let encoded = encode(rows, column, writer);
            *slots[column].lock().unwrap_or_else(PoisonError::into_inner) = Some(encoded);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let encoded = slots
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    encoded
        .map(|chunk| chunk.unwrap_or_else(|| Err(ParquetError::EOF(String::new()))))
        .collect()
}

fn encode(
    rows: &[RecordBatch],
    column: usize,
    mut writer: ArrowColumnWriter,
) -> Result<ArrowColumnChunk, ParquetError> {
    for batch in rows {
        let schema = batch.schema_ref();
        // Stored columns are flat: one leaf each.
        for leaf in compute_leaves(schema.field(column), batch.column(column))? {
            writer.write(&leaf)?;
        }
    }
    writer.close()
}
