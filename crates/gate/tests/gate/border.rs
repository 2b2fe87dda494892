//! Canaries: what must not leave is planted where libraries tend to leave it behind, then searched for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int8Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, StringViewArray, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, TimeUnit};
use weir_gate::{Released, Unreleased, judge_without_history};
use weir_policy::Policy;

use crate::table::{approved, by_region, evidence, fixed, region, release};

const CANARY: &str = "canary-7f3a-secret-region";

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn a_withheld_cell_leaves_no_trace() {
    let withheld = 0x0dd5_ecc1_e7ab_cdef_i64;
    let cells = [region("north", 5, 10), region(CANARY, withheld, 9)];
    let judged = by_region()
        .judge(&cells, &Policy::built_in_default())
        .ok()
        .unwrap();
    let record = serde_json::to_string(judged.record()).unwrap();
    let (released, _) = release(judged);
    assert!(
        !holds(released.arrow_ipc(), CANARY.as_bytes())
            && !holds(released.arrow_ipc(), &withheld.to_le_bytes())
    );
    assert!(
        !record.contains(CANARY)
            && !format!("{released:?} {:?}", released.batch()).contains(CANARY)
    );
    // Nor does a buffer shared with the table inside: every buffer holds what its array shows, and no more.
    let bytes: usize = released
        .batch()
        .columns()
        .iter()
        .map(|column| {
            column
                .to_data()
                .buffers()
                .iter()
                .map(Buffer::len)
                .sum::<usize>()
        })
        .sum();
    assert_eq!(bytes, (2 * 4 + "north".len()) + 8);
}

#[test]
fn empty_and_nearly_full_cells_look_alike() {
    let with = |units: u64| {
        by_region()
            .pass(
                &[region("a", 1, 10), region("b", 2, units)],
                &Policy::built_in_default(),
            )
            .0
    };
    let absent = by_region()
        .pass(&[region("a", 1, 10)], &Policy::built_in_default())
        .0;
    for units in 0..10 {
        let released = with(units);
        assert_eq!(released.arrow_ipc(), absent.arrow_ipc());
        assert_eq!(
            released.cells_withheld_at_most(),
            absent.cells_withheld_at_most()
        );
        assert_eq!(format!("{released:?}"), format!("{absent:?}"));
    }
}

#[test]
fn printing_a_release_shows_its_shape_only() {
    let (released, _) =
        by_region().pass(&[region("north", 987_654, 10)], &Policy::built_in_default());
    let printed = format!("{released:?}");
    assert!(
        !printed.contains("north") && !printed.contains("987654") && !printed.contains("region"),
        "{printed}"
    );
}

/// A column of three cells through the gate; the last cell is withheld.
fn pass(column: ArrayRef) -> Released {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let fields = vec![
        Field::new("id", DataType::Int64, true),
        Field::new("x", column.data_type().clone(), true),
    ];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![ids, column]).unwrap();
    let cells = [region("", 0, 10), region("", 0, 10), region("", 0, 2)];
    let unreleased = Unreleased::new(batch, fixed(2, 0), vec![evidence(&cells)])
        .ok()
        .unwrap();
    release(approved(
        judge_without_history(unreleased, &Policy::built_in_default())
            .ok()
            .unwrap(),
    ))
    .0
}

fn bytes_of(column: ArrayRef) -> Vec<u8> {
    pass(column).arrow_ipc().to_vec()
}

fn middle_null() -> Option<NullBuffer> {
    Some(NullBuffer::new(BooleanBuffer::from(vec![
        true, false, true,
    ])))
}

#[test]
fn what_lies_under_a_null_stays_inside() {
    let numbers = |hidden: i64| {
        Arc::new(Int64Array::new(
            ScalarBuffer::from(vec![7, hidden, 8]),
            middle_null(),
        ))
    };
    assert_eq!(bytes_of(numbers(0)), bytes_of(numbers(-1)));
    let floats = |hidden: f64| {
        Arc::new(Float64Array::new(
            ScalarBuffer::from(vec![7.0, hidden, 8.0]),
            middle_null(),
        ))
    };
    assert_eq!(bytes_of(floats(0.0)), bytes_of(floats(4.2)));
    let truths = |hidden: bool| {
        Arc::new(BooleanArray::new(
            BooleanBuffer::from(vec![true, hidden, true]),
            middle_null(),
        ))
    };
    assert_eq!(bytes_of(truths(false)), bytes_of(truths(true)));
    let texts = |hidden: &str| {
        let offsets = OffsetBuffer::from_lengths([1, hidden.len(), 1]);
        let text = format!("a{hidden}b");
        Arc::new(StringArray::new(
            offsets,
            Buffer::from(text.into_bytes()),
            middle_null(),
        ))
    };
    assert_eq!(bytes_of(texts("")), bytes_of(texts(CANARY)));
}

#[test]
fn every_kind_of_number_and_instant_leaves_in_one_form() {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let zone = || Some("+08:00".into());
    let kinds: [(DataType, usize); 26] = [
        (DataType::Int8, 1),
        (DataType::Int16, 2),
        (DataType::Int32, 4),
        (DataType::Int64, 8),
        (DataType::UInt8, 1),
        (DataType::UInt16, 2),
        (DataType::UInt32, 4),
        (DataType::UInt64, 8),
        (DataType::Float32, 4),
        (DataType::Float64, 8),
        (DataType::Decimal128(38, 2), 16),
        (DataType::Decimal256(76, -3), 32),
        (DataType::Date32, 4),
        (DataType::Date64, 8),
        (DataType::Time32(Second), 4),
        (DataType::Time32(Millisecond), 4),
        (DataType::Time64(Microsecond), 8),
        (DataType::Time64(Nanosecond), 8),
        (DataType::Timestamp(Second, None), 8),
        (DataType::Timestamp(Millisecond, None), 8),
        (DataType::Timestamp(Microsecond, None), 8),
        (DataType::Timestamp(Nanosecond, None), 8),
        (DataType::Timestamp(Second, zone()), 8),
        (DataType::Timestamp(Millisecond, zone()), 8),
        (DataType::Timestamp(Microsecond, zone()), 8),
        (DataType::Timestamp(Nanosecond, zone()), 8),
    ];
    for (kind, width) in kinds {
        let column = |hidden: u8| -> ArrayRef {
            let bytes = [[1; 32], [hidden; 32], [1; 32]]
                .map(|value| value[..width].to_vec())
                .concat();
            let data = ArrayData::builder(kind.clone())
                .len(3)
                .add_buffer(Buffer::from(bytes))
                .nulls(middle_null());
            make_array(data.build().unwrap())
        };
        assert_eq!(bytes_of(column(0)), bytes_of(column(1)), "{kind}");
        let released = pass(column(1));
        assert_eq!(released.batch().column(1).data_type(), &kind);
        assert_eq!(
            released.batch().column(1).as_ref(),
            column(1).slice(0, 2).as_ref(),
            "{kind}"
        );
    }
}

#[test]
fn how_a_text_column_was_held_does_not_show() {
    let texts = [
        Some("a text too long to be held inline"),
        None,
        Some(CANARY),
    ];
    let expected = bytes_of(Arc::new(StringArray::from_iter(texts)));
    assert!(!holds(&expected, CANARY.as_bytes()));
    assert_eq!(
        bytes_of(Arc::new(LargeStringArray::from_iter(texts))),
        expected
    );
    assert_eq!(
        bytes_of(Arc::new(StringViewArray::from_iter(texts))),
        expected
    );
    assert_eq!(
        bytes_of(Arc::new(DictionaryArray::<Int8Type>::from_iter(texts))),
        expected
    );
    // A null by way of a value, and entries that no row refers to.
    let values = StringArray::from(vec![Some("unused"), texts[0], None, texts[2]]);
    let indirect = DictionaryArray::new(Int8Array::from(vec![1, 2, 3]), Arc::new(values));
    assert_eq!(bytes_of(Arc::new(indirect)), expected);
    // A slice of something longer.
    let longer = StringArray::from_iter(
        [Some(CANARY)]
            .into_iter()
            .chain(texts)
            .chain([Some(CANARY)]),
    );
    assert_eq!(bytes_of(Arc::new(longer.slice(1, 3))), expected);
}

#[test]
fn a_dictionary_without_values_is_a_column_of_nulls() {
    let nulls = DictionaryArray::new(
        Int8Array::from(vec![None, None, None]),
        Arc::new(StringArray::from(Vec::<&str>::new())),
    );
    assert_eq!(
        bytes_of(Arc::new(nulls)),
        bytes_of(Arc::new(StringArray::from(vec![None::<&str>; 3])))
    );
}

#[test]
fn a_nan_and_a_zero_carry_no_message() {
    let floats =
        |first: f64, second: f64| bytes_of(Arc::new(Float64Array::from(vec![first, second, 1.0])));
    let message = f64::from_bits(0xfff8_0000_dead_beef);
    assert_eq!(floats(message, -0.0), floats(f64::NAN, 0.0));
}

#[test]
fn metadata_stays_inside() {
    let plain = by_region().batch(&[region("a", 1, 10)]);
    let note = || HashMap::from([("note".to_owned(), CANARY.to_owned())]);
    let fields: Vec<Field> = plain
        .schema_ref()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_metadata(note()))
        .collect();
    let noted = RecordBatch::try_new(
        Arc::new(Schema::new_with_metadata(fields, note())),
        plain.columns().to_vec(),
    )
    .unwrap();
    let through = |batch: RecordBatch| {
        let unreleased = Unreleased::new(batch, fixed(1, 1), vec![evidence(&[region("a", 1, 10)])])
            .ok()
            .unwrap();
        release(approved(
            judge_without_history(unreleased, &Policy::built_in_default())
                .ok()
                .unwrap(),
        ))
        .0
    };
    let (noted, plain) = (through(noted), through(plain));
    assert!(!holds(noted.arrow_ipc(), CANARY.as_bytes()));
    assert_eq!(noted.arrow_ipc(), plain.arrow_ipc());
    assert!(noted.batch().schema().metadata().is_empty());
}
