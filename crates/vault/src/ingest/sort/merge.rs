//! Merging sorted runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;

use super::{Run, failed, keys};
use crate::Result;
use crate::limits::SPILL_CHUNK_ROWS;

/// A run and how far it is merged.
struct Head {
    run: Box<dyn Run>,
    chunk: RecordBatch,
    next: usize,
}

impl Head {
    fn key(&self) -> u64 {
        keys(&self.chunk)[self.next]
    }

    /// How many of the next rows come before `bound`. Runs of a few rows are the usual case, whole chunks the other.
    fn rows_below(&self, bound: u64) -> usize {
        let rest = &keys(&self.chunk)[self.next..];
        let mut far = 1;
        while far < rest.len() && rest[far] < bound {
            far *= 2;
        }
        let near = far / 2;
        let end = far.min(rest.len());
        near + rest[near..end].partition_point(|&key| key < bound)
    }
}

/// Gives the rows of all runs to `take`, in order.
pub(super) fn merge(
    runs: Vec<Box<dyn Run>>,
    mut take: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut heads = Vec::with_capacity(runs.len());
    for mut run in runs {
        if let Some(chunk) = run.next_chunk()? {
            heads.push(Head {
                run,
                chunk,
                next: 0,
            });
        }
    }
    let mut order: BinaryHeap<_> = heads
        .iter()
        .enumerate()
        .map(|(index, head)| Reverse((head.key(), index)))
        .collect();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(SPILL_CHUNK_ROWS);
    while let Some(Reverse((_, index))) = order.pop() {
        let head = &mut heads[index];
        let rows = match order.peek() {
            Some(Reverse((bound, _))) => head.rows_below(*bound),
            None => head.chunk.num_rows() - head.next,
        };
        let start = head.next;
        head.next += rows;
        let used_up = head.next == head.chunk.num_rows();
        if places.is_empty() && used_up {
            // A chunk, or the rest of one, that comes before all others: nothing to mix.
            take(head.chunk.slice(start, rows))?;
        } else {
            places.extend((start..start + rows).map(|row| (index, row)));
            // A used-up chunk makes room for the next one, so its rows must go first.
            if used_up || places.len() >= SPILL_CHUNK_ROWS {
                take(mixed(&heads, &places)?)?;
                places.clear();
            }
        }
        let head = &mut heads[index];
        if used_up {
            let Some(chunk) = head.run.next_chunk()? else {
                // Its memory and its file go now, not when all runs have ended.
                head.chunk = RecordBatch::new_empty(head.chunk.schema());
                head.run = Box::new(Ended);
                continue;
            };
            head.chunk = chunk;
            head.next = 0;
        }
        order.push(Reverse((head.key(), index)));
    }
    Ok(())
}

fn mixed(heads: &[Head], places: &[(usize, usize)]) -> Result<RecordBatch> {
    let chunks: Vec<_> = heads.iter().map(|head| &head.chunk).collect();
    interleave_record_batch(&chunks, places).map_err(failed)
}

/// A run without rows.
struct Ended;

impl Run for Ended {
    fn next_chunk(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }
}
