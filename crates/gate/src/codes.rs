//! Keys as small numbers, so that cells that agree in some of their keys are found without comparing values.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef};
use arrow::row::{RowConverter, SortField};

use crate::error::GateError;

const STEP: GateError = GateError::Step { step: "compare" };

/// Per key column the code of each row: equal codes, equal values. Columns must be in canonical form.
pub(crate) struct Codes {
    columns: Vec<Vec<u32>>,
    /// How many codes each column has.
    counts: Vec<u64>,
}

/// Rows in groups that agree.
pub(crate) struct Runs {
    rows: Vec<u32>,
    ends: Vec<usize>,
}

impl Codes {
    pub(crate) fn of(columns: &[ArrayRef]) -> Result<Codes, GateError> {
        let mut codes = Codes {
            columns: Vec::new(),
            counts: Vec::new(),
        };
        for column in columns {
            let (of_rows, count) = coded(column)?;
            codes.columns.push(of_rows);
            codes.counts.push(count);
        }
        Ok(codes)
    }

    /// The code of a key in a row.
    pub(crate) fn at(&self, key: usize, row: usize) -> u32 {
        self.columns[key][row]
    }

    /// How many codes a key has.
    pub(crate) fn count(&self, key: usize) -> u64 {
        self.counts[key]
    }

    /// The codes of a key in these rows, renumbered in the order in which they appear: two keys of which each value of one
    /// goes with one value of the other have the same.
    pub(crate) fn renumbered(&self, key: usize, rows: &[u32]) -> Vec<u32> {
        let mut numbers = vec![u32::MAX; self.counts[key] as usize];
        let mut next = 0;
        let mut number = |row: &u32| {
            let number = &mut numbers[self.columns[key][*row as usize] as usize];
            if *number == u32::MAX {
                *number = next;
                next += 1;
            }
            *number
        };
        rows.iter().map(&mut number).collect()
    }

    /// These rows, grouped by these keys.
    pub(crate) fn runs(&self, keys: impl Iterator<Item = usize>, rows: &[u32]) -> Runs {
        let mut ids = vec![0_u64; rows.len()];
        let mut bound = 1_u64;
        for key in keys {
            let count = self.counts[key].max(1);
            let next = bound.checked_mul(count).unwrap_or_else(|| {
                // As many as there are rows at most, of which there are far fewer than 2^32.
                bound = compacted(&mut ids);
                bound.saturating_mul(count)
            });
            let column = &self.columns[key];
            for (id, row) in ids.iter_mut().zip(rows) {
                *id = *id * count + u64::from(column[*row as usize]);
            }
            bound = next;
        }
        grouped(&ids, bound, rows)
    }
}

impl Runs {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.rows[start..*end])
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no two rows agree.
    pub(crate) fn are_single(&self) -> bool {
        self.ends.len() == self.rows.len()
    }
}

fn coded(column: &ArrayRef) -> Result<(Vec<u32>, u64), GateError> {
    let fields = vec![SortField::new(column.data_type().clone())];
    let converter = RowConverter::new(fields).map_err(|_| STEP)?;
    let rows = converter.convert_columns(std::slice::from_ref(column));
    let rows = rows.map_err(|_| STEP)?;
    let mut codes: HashMap<&[u8], u32> = HashMap::new();
    let mut of_rows = Vec::with_capacity(column.len());
    for row in &rows {
        let next = u32::try_from(codes.len()).map_err(|_| STEP)?;
        of_rows.push(*codes.entry(row.data()).or_insert(next));
    }
    Ok((of_rows, codes.len() as u64))
}

/// Renumbers the ids without gaps, and says how many there are.
fn compacted(ids: &mut [u64]) -> u64 {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for id in ids {
        *id = distinct.partition_point(|other| *other < *id) as u64;
    }
    distinct.len().max(1) as u64
}

fn grouped(ids: &[u64], bound: u64, rows: &[u32]) -> Runs {
    if bound <= 2 * ids.len() as u64 {
        return counted(ids, bound as usize, rows);
    }
    let mut pairs: Vec<(u64, u32)> = ids.iter().copied().zip(rows.iter().copied()).collect();
    pairs.sort_unstable();
    let mut runs = Runs {
        rows: Vec::with_capacity(rows.len()),
        ends: Vec::new(),
    };
    for run in pairs.chunk_by(|left, right| left.0 == right.0) {
        runs.rows.extend(run.iter().map(|(_, row)| *row));
        runs.ends.push(runs.rows.len());
    }
    runs
}

/// The same without a sort, where there are few ids.
fn counted(ids: &[u64], bound: usize, rows: &[u32]) -> Runs {
    let mut places = vec![0_usize; bound + 1];
    for id in ids {
        places[*id as usize + 1] += 1;
    }
    for id in 0..bound {
        places[id + 1] += places[id];
    }
    let mut ends = places[1..].to_vec();
    let mut grouped = vec![0; rows.len()];
    for (id, row) in ids.iter().zip(rows) {
        let place = &mut places[*id as usize];
        grouped[*place] = *row;
        *place += 1;
    }
    ends.dedup();
    if ends.first() == Some(&0) {
        ends.remove(0);
    }
    Runs {
        rows: grouped,
        ends,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    fn codes(columns: &[&[i64]]) -> Option<Codes> {
        let arrays: Vec<ArrayRef> = columns
            .iter()
            .map(|column| Arc::new(Int64Array::from(column.to_vec())) as ArrayRef)
            .collect();
        Codes::of(&arrays).ok()
    }

    fn groups(codes: Option<Codes>, keys: &[usize], rows: &[u32]) -> Vec<Vec<u32>> {
        let runs = codes.map(|codes| codes.runs(keys.iter().copied(), rows));
        let mut groups: Vec<Vec<u32>> = runs
            .iter()
            .flat_map(|runs| runs.iter().map(<[u32]>::to_vec))
            .collect();
        groups.sort();
        groups
    }

    #[test]
    fn rows_that_agree_are_together() {
        let of = || codes(&[&[7, 7, 8, 7], &[1, 2, 1, 1]]);
        assert_eq!(groups(of(), &[0], &[0, 1, 2, 3]), [vec![0, 1, 3], vec![2]]);
        assert_eq!(
            groups(of(), &[0, 1], &[0, 1, 2, 3]),
            [vec![0, 3], vec![1], vec![2]]
        );
        assert_eq!(groups(of(), &[1], &[1, 2, 3]), [vec![1], vec![2, 3]]);
        assert_eq!(groups(of(), &[], &[1, 2]), [vec![1, 2]]);
        assert_eq!(groups(of(), &[], &[]), Vec::<Vec<u32>>::new());
    }

    #[test]
    fn more_combinations_than_fit_a_number_are_told_apart() {
        let column: Vec<i64> = (0..2_000).collect();
        let columns = vec![column.as_slice(); 8];
        let rows: Vec<u32> = (0..2_000).collect();
        let all: Vec<usize> = (0..8).collect();
        assert_eq!(groups(codes(&columns), &all, &rows).len(), 2_000);
    }
}
