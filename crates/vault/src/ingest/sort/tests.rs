#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{Read, Seek, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray, UInt64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;

use super::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::UInt64, false),
        Field::new("number", DataType::Int32, true),
        Field::new("text", DataType::Utf8, true),
    ]))
}

/// A batch whose other columns follow from its keys, with nulls among them.
fn batch(keys: &[u64]) -> RecordBatch {
    let numbers = keys.iter().map(|key| (key % 3 != 0).then_some(*key as i32));
    let texts = keys
        .iter()
        .map(|key| (key % 5 != 0).then(|| "x".repeat((key % 40) as usize) + &key.to_string()));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(keys.to_vec())),
        Arc::new(Int32Array::from_iter(numbers)),
        Arc::new(StringArray::from_iter(texts)),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Sorts the batches with so much memory. Also says how many runs were spilled.
fn sorted(batches: &[RecordBatch], bytes_max: usize) -> (RecordBatch, usize) {
    let folder = tempfile::tempdir().unwrap();
    let sorting = Sorting {
        folder: folder.path(),
        schema: schema(),
        bytes_max,
    };
    let sorted = std::thread::scope(|scope| {
        let mut sorter = Sorter::start(scope, &sorting).unwrap();
        for batch in batches {
            sorter.push(batch.clone()).unwrap();
        }
        sorter.finish().unwrap()
    });
    let spilled = sorted.spilled.len();
    let mut rows = Vec::new();
    sorted
        .merge(
            |_| Ok(()),
            |batch| {
                assert!(batch.num_rows() > 0);
                rows.push(batch);
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    (concat_batches(&schema(), &rows).unwrap(), spilled)
}

/// The other way: all in one vector, with the standard library's stable sort.
fn expected(batches: &[RecordBatch]) -> RecordBatch {
    let mut all: Vec<u64> = batches
        .iter()
        .flat_map(|batch| keys(batch).to_vec())
        .collect();
    all.sort();
    batch(&all)
}

fn shuffled(rows: u64) -> Vec<u64> {
    // A multiplier that shares no divisor with a power of two visits every number below it once.
    assert!(rows.is_power_of_two());
    (0..rows)
        .map(|row| row.wrapping_mul(2_654_435_761) % rows)
        .collect()
}

#[test]
fn what_fits_does_not_touch_the_disk() {
    let batches = [batch(&shuffled(1 << 14))];
    let (rows, spilled) = sorted(&batches, 1 << 30);
    assert_eq!((rows, spilled), (expected(&batches), 0));
}

#[test]
fn more_runs_than_are_merged_at_once_come_out_in_order() {
    let batches: Vec<_> = shuffled(1 << 13).chunks(16).map(batch).collect();
    let (rows, spilled) = sorted(&batches, 1);
    assert_eq!(spilled, batches.len() - 1);
    assert!(spilled > 3 * MERGE_RUNS_MAX);
    assert_eq!(rows, expected(&batches));
}

#[test]
fn rows_in_order_stay_in_order_and_whole_chunks_pass() {
    let all: Vec<u64> = (0..100_000).collect();
    let batches: Vec<_> = all.chunks(7_000).map(batch).collect();
    assert_eq!(sorted(&batches, 1 << 20).0, expected(&batches));
}

#[test]
fn long_rows_among_short_ones_are_spilled_in_pieces() {
    let texts: Vec<_> = (0..1_000)
        .map(|row| "y".repeat(if row > 990 { SPILL_CHUNK_BYTES } else { 1 }))
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(0..1_000)),
        Arc::new(Int32Array::from(vec![None; 1_000])),
        Arc::new(StringArray::from(texts)),
    ];
    let long = RecordBatch::try_new(schema(), columns).unwrap();
    let short = batch(&[1_001, 1_000]);
    let (rows, spilled) = sorted(&[long.clone(), short], 1);
    assert_eq!(spilled, 1);
    assert_eq!(rows.slice(0, 1_000), long);
    assert_eq!(rows.slice(1_000, 2), batch(&[1_000, 1_001]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_memory_gives_the_order_of_a_sort_in_memory(
        keys in proptest::collection::hash_set(any::<u64>(), 1..600),
        cuts in proptest::collection::vec(1..80_usize, 1..12),
        bytes_max in 1..200_000_usize,
    ) {
        let keys: Vec<u64> = keys.into_iter().collect();
        let mut rest = keys.as_slice();
        let mut batches = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            batches.push(batch(head));
            rest = tail;
        }
        prop_assert_eq!(sorted(&batches, bytes_max).0, expected(&batches));
    }
}

fn spilled(rows: &RecordBatch) -> (tempfile::TempDir, SpilledRun) {
    let folder = tempfile::tempdir().unwrap();
    let mut spills = Spills {
        folder: folder.path().to_owned(),
        schema: schema(),
        key: SpillKey::random().unwrap(),
    };
    let mut writer = spills.writer().unwrap();
    writer.write(rows).unwrap();
    writer.write(rows).unwrap();
    (folder, writer.finish().unwrap())
}

#[test]
fn spilled_bytes_hold_nothing_planted_and_have_no_name() {
    let planted = "PLANTED-VALUE";
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(vec![1; 100])),
        Arc::new(Int32Array::from(vec![8_675_309; 100])),
        Arc::new(StringArray::from(vec![planted; 100])),
    ];
    let rows = RecordBatch::try_new(schema(), columns).unwrap();
    let (folder, mut run) = spilled(&rows);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut bytes = Vec::new();
    let file = &mut run.file_mut();
    file.read_to_end(&mut bytes).unwrap();
    file.rewind().unwrap();
    assert!(bytes.len() > 200);
    for needle in [planted.as_bytes(), &8_675_309_i32.to_le_bytes(), b"text"] {
        assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    }
    // Equal rows, other bytes: the nonce is another.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_ne!(first, second);
    assert_eq!(run.next_chunk().unwrap().unwrap(), rows);
    assert_eq!(run.next_chunk().unwrap().unwrap(), rows);
    assert!(run.next_chunk().unwrap().is_none());
}

#[test]
fn a_spilled_byte_that_changed_is_found() {
    let rows = batch(&[1, 2, 3]);
    let length = {
        let (_folder, mut run) = spilled(&rows);
        run.file_mut().seek(std::io::SeekFrom::End(0)).unwrap()
    };
    for position in 0..length / 2 {
        let (_folder, mut run) = spilled(&rows);
        let file = run.file_mut();
        let mut byte = [0];
        file.seek(std::io::SeekFrom::Start(position)).unwrap();
        file.read_exact(&mut byte).unwrap();
        file.seek(std::io::SeekFrom::Start(position)).unwrap();
        file.write_all(&[byte[0] ^ 1]).unwrap();
        file.rewind().unwrap();
        assert_eq!(run.next_chunk().unwrap_err().code(), "VAULT_IO");
    }
    // A chunk at another chunk's place.
    let (_folder, mut run) = spilled(&rows);
    let file = run.file_mut();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes.rotate_left(length as usize / 2);
    file.rewind().unwrap();
    file.write_all(&bytes).unwrap();
    file.rewind().unwrap();
    assert_eq!(run.next_chunk().unwrap_err().code(), "VAULT_IO");
}
