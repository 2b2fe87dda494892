//! A run in memory.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;

use super::{Run, failed, keys};
use crate::Result;
use crate::limits::SPILL_CHUNK_ROWS;

/// A row's sort key and where it lies.
#[derive(Clone, Copy)]
struct Entry {
    key: u64,
    batch: u32,
    row: u32,
}

/// Memory that sorting takes per row, beside the row.
pub(super) const ENTRY_BYTES: usize = size_of::<Entry>();

/// Batches, and the order of their rows.
pub(super) struct MemoryRun {
    batches: Vec<RecordBatch>,
    order: Vec<Entry>,
    next: usize,
    chunk_rows: usize,
}

impl MemoryRun {
    /// Sorts the rows. Chunks will have about `chunk_bytes`.
    pub(super) fn sort(batches: Vec<RecordBatch>, chunk_bytes: usize) -> Self {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut order = Vec::with_capacity(rows);
        for (index, batch) in batches.iter().enumerate() {
            let located = keys(batch).iter().enumerate().map(|(row, &key)| Entry {
                key,
                // A run has fewer rows than its bytes, which are far below 2^32.
                batch: index as u32,
                row: row as u32,
            });
            order.extend(located);
        }
        // Files are often in unit order already.
        if !order.is_sorted_by_key(|entry| entry.key) {
            order.sort_unstable_by_key(|entry| entry.key);
        }
        let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let row_bytes = bytes.checked_div(rows).unwrap_or_default().max(1);
        Self {
            batches,
            order,
            next: 0,
            chunk_rows: (chunk_bytes / row_bytes).clamp(1, SPILL_CHUNK_ROWS),
        }
    }
}

impl Run for MemoryRun {
    fn next_chunk(&mut self) -> Result<Option<RecordBatch>> {
        let end = (self.next + self.chunk_rows).min(self.order.len());
        let chunk = &self.order[self.next..end];
        let (Some(&first), Some(&last)) = (chunk.first(), chunk.last()) else {
            return Ok(None);
        };
        self.next = end;
        let in_one_piece = |(offset, entry): (usize, &Entry)| {
            entry.batch == first.batch && entry.row as usize == first.row as usize + offset
        };
        if last.batch == first.batch && chunk.iter().enumerate().all(in_one_piece) {
            let batch = &self.batches[first.batch as usize];
            return Ok(Some(batch.slice(first.row as usize, chunk.len())));
        }
        let batches: Vec<_> = self.batches.iter().collect();
        let places: Vec<_> = chunk
            .iter()
            .map(|entry| (entry.batch as usize, entry.row as usize))
            .collect();
        interleave_record_batch(&batches, &places)
            .map(Some)
            .map_err(failed)
    }
}
