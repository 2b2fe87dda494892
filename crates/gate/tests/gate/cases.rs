//! One case per rule.

use std::sync::Arc;

use arrow::array::{
    Array, DictionaryArray, Int16Array, Int64Array, ListArray, RecordBatch, StringArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::ipc::reader::StreamReader;
use weir_gate::{
    CELLS_JUDGED_MAX, COLUMNS_MAX, DecisionRecord, Family, GateError, Past, Recorder,
    TEXT_BYTES_MAX, Unreleased, judge_without_history,
};
use weir_ledger::rounding::CoinKey;
use weir_ledger::{Ledger, LedgerKey};
use weir_policy::Policy;

use crate::table::{
    Cell, Shape, Value, approved, by_region, fixed, of_counts, policy, recorded, region, release,
    rows,
};

fn ids(count: usize) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, false)]);
    let ids = Int64Array::from_iter_values(0..count as i64);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids)]).unwrap()
}

fn same(count: usize, number: u64) -> UInt64Array {
    UInt64Array::from(vec![number; count])
}

#[test]
fn a_cell_at_the_threshold_passes_and_one_below_is_absent() {
    let cells = [region("b", 2, 9), region("c", 3, 10), region("a", 1, 11)];
    let (released, record) = by_region().pass(&cells, &Policy::built_in_default());
    let text = |name: &str| Value::Text(name.to_owned());
    assert_eq!(
        rows(released.batch()),
        vec![
            vec![text("a"), Value::Int(1)],
            vec![text("c"), Value::Int(3)]
        ]
    );
    assert_eq!((record.cells_released, record.cells_withheld), (2, 1));
}

#[test]
fn units_and_rows_each_have_their_threshold() {
    let cell = |name: &str, units, rows| Cell {
        units,
        rows,
        ..region(name, 0, 0)
    };
    let cells = [
        cell("few units", 5, 1_000),
        cell("few rows", 6, 7),
        cell("enough", 6, 8),
    ];
    let (released, _) = by_region().pass(&cells, &policy(6, 8));
    assert_eq!(
        rows(released.batch())[0][0],
        Value::Text("enough".to_owned())
    );
    assert_eq!(released.batch().num_rows(), 1);
}

#[test]
fn a_grand_total_has_no_key_and_one_cell() {
    let shape = Shape {
        keys: vec![],
        values: vec![("total", DataType::Int64)],
    };
    let total = |units| Cell {
        keys: vec![],
        values: vec![Value::Int(7)],
        units,
        rows: units,
        ..Cell::default()
    };
    assert_eq!(
        rows(shape.pass(&[total(10)], &policy(10, 10)).0.batch()),
        vec![vec![Value::Int(7)]]
    );
    assert_eq!(
        shape
            .pass(&[total(9)], &policy(10, 10))
            .0
            .batch()
            .num_rows(),
        0
    );
    assert_eq!(
        shape
            .pass(&[total(0)], &policy(10, 10))
            .0
            .batch()
            .num_rows(),
        0
    );
    assert_eq!(
        shape.judge(&[total(10), total(10)], &policy(10, 10)).err(),
        Some(GateError::CellTwice)
    );
}

#[test]
fn a_table_of_keys_alone_passes() {
    let shape = Shape {
        keys: by_region().keys,
        values: vec![],
    };
    let cells = [Cell {
        values: vec![],
        ..region("a", 0, 10)
    }];
    assert_eq!(shape.pass(&cells, &policy(10, 10)).0.batch().num_rows(), 1);
}

#[test]
fn nothing_released_is_an_empty_table_with_its_schema() {
    for cells in [vec![], vec![region("a", 1, 3)]] {
        let (released, record) = by_region().pass(&cells, &Policy::built_in_default());
        assert_eq!(
            (released.batch().num_rows(), released.batch().num_columns()),
            (0, 2)
        );
        assert_eq!(record.cells_released, 0);
    }
}

#[test]
fn the_same_cell_twice_is_a_bug_even_where_both_halves_are_withheld() {
    let zeros = [Value::Float(0.0), Value::Float(-0.0)];
    let nans = [
        Value::Float(f64::NAN),
        Value::Float(f64::from_bits(0xfff8_0000_0000_dead)),
    ];
    let nulls = [Value::Null, Value::Null];
    for pair in [zeros, nans, nulls] {
        let shape = Shape {
            keys: vec![("x", DataType::Float64)],
            values: vec![],
        };
        let cells = pair.map(|key| Cell {
            keys: vec![key],
            values: vec![],
            units: 1,
            rows: 1,
            ..Cell::default()
        });
        let error = shape
            .judge(&cells, &Policy::built_in_default())
            .err()
            .unwrap();
        assert_eq!(
            (error.code(), error.family()),
            ("GATE_CELL_TWICE", Family::Bug)
        );
    }
}

#[test]
fn what_was_computed_without_history_is_not_judged_beside_it() {
    let mut ledger = Ledger::in_memory([7; 16]);
    let mut past = Past {
        history: &mut ledger,
        coins: &CoinKey::new(&LedgerKey::new([7; 32])).unwrap(),
        snapshots: [7; 32],
        release: "run".to_owned(),
    };
    let counts = of_counts(same(2, 10), same(2, 10));
    let table = Unreleased::new(ids(2), fixed(1, 0), vec![counts]).unwrap();
    let refused = weir_gate::judge(table, &Policy::built_in_default(), &mut past);
    assert_eq!(refused.err(), Some(GateError::EvidenceMissing));
}

#[test]
fn evidence_must_cover_the_table() {
    let refused = |units: UInt64Array, rows: UInt64Array| {
        let error = Unreleased::new(ids(2), fixed(1, 0), vec![of_counts(units, rows)])
            .err()
            .unwrap();
        assert_eq!(error.family(), Family::Bug);
        error
    };
    assert_eq!(refused(same(1, 10), same(2, 10)), GateError::EvidenceLength);
    assert_eq!(refused(same(2, 10), same(3, 10)), GateError::EvidenceLength);
    assert_eq!(
        refused(UInt64Array::from(vec![Some(10), None]), same(2, 10)),
        GateError::EvidenceMissing
    );
    assert_eq!(
        refused(same(2, 11), same(2, 10)),
        GateError::EvidenceContradiction
    );
}

#[test]
fn columns_off_the_list_are_refused_before_any_cell_is_judged() {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(424_242)])]);
    let schema = Schema::new(vec![Field::new("ids", list.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(list)]).unwrap();
    let error = Unreleased::new(
        batch,
        fixed(0, 1),
        vec![of_counts(same(1, 99), same(1, 99))],
    )
    .err()
    .unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_COLUMN_KIND", Family::Caller)
    );
    assert_eq!(
        error.to_string(),
        "column `ids` holds lists or records, which cannot be released; use numbers, texts, booleans, dates or times \
         instead"
    );
}

#[test]
fn more_columns_than_allowed_are_refused() {
    let fields: Vec<Field> = (0..=COLUMNS_MAX)
        .map(|i| Field::new(i.to_string(), DataType::Int64, true))
        .collect();
    let batch = RecordBatch::new_empty(Arc::new(Schema::new(fields)));
    let error = Unreleased::new(
        batch,
        fixed(0, COLUMNS_MAX + 1),
        vec![of_counts(same(0, 0), same(0, 0))],
    )
    .err()
    .unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_TOO_MANY_COLUMNS", Family::Caller)
    );
}

#[test]
fn a_table_over_the_limits_is_refused_without_a_number_of_the_data() {
    let limits = |cells, bytes| {
        let text = format!("name = \"x\"\n[table]\ncells_max = {cells}\nbytes_max = {bytes}\n");
        Policy::from_toml(&text, "x").unwrap()
    };
    let judged = |count, policy: &Policy| {
        let evidence = of_counts(same(count, 10), same(count, 10));
        let table = Unreleased::new(ids(count), fixed(1, 0), vec![evidence]);
        judge_without_history(table.ok().unwrap(), policy).map(approved)
    };
    assert!(judged(1_234, &limits(1_234, 65_536)).is_ok());
    let error = judged(1_235, &limits(1_234, 65_536)).err().unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_TOO_MANY_CELLS", Family::Policy)
    );
    assert_eq!(
        error.to_string(),
        "the table would have more cells than the 1234 that the policy in force allows; group by fewer or coarser keys"
    );

    let bytes = release(judged(1_000, &limits(1_000, 65_536)).ok().unwrap())
        .0
        .arrow_ipc()
        .len() as u64;
    assert!(judged(1_000, &limits(1_000, bytes)).is_ok());
    let error = judged(1_000, &limits(1_000, bytes - 1)).err().unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_TOO_MANY_BYTES", Family::Policy)
    );
    let expected = format!(
        "the table would have more bytes than the {} that the policy in force allows; select fewer columns or coarser keys",
        bytes - 1
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn more_groups_than_the_gate_judges_are_refused() {
    let count = CELLS_JUDGED_MAX + 1;
    let evidence = of_counts(same(count, 1), same(count, 1));
    let error = Unreleased::new(ids(count), fixed(1, 0), vec![evidence])
        .err()
        .unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_TOO_MANY_GROUPS", Family::Policy)
    );
}

#[test]
fn a_dictionary_that_stands_for_too_much_text_is_refused_before_it_is_unpacked() {
    // A few MB in memory, a little more than the limit when written out.
    let text = "x".repeat(1 << 20);
    let count = (TEXT_BYTES_MAX >> 20) + 1;
    let keys = Int16Array::from_iter_values((0..count).map(|_| 0));
    let column = DictionaryArray::new(keys, Arc::new(StringArray::from(vec![text])));
    let schema = Schema::new(vec![Field::new("x", column.data_type().clone(), false)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(column)]).unwrap();
    let evidence = of_counts(same(count, 10), same(count, 10));
    let error = judge_without_history(
        Unreleased::new(batch, fixed(1, 0), vec![evidence])
            .ok()
            .unwrap(),
        &Policy::built_in_default(),
    )
    .err()
    .unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_TOO_MUCH_TEXT", Family::Policy)
    );
}

#[test]
fn withheld_cells_do_not_count_towards_the_limit() {
    let policy = Policy::from_toml("name = \"x\"\ntable.cells_max = 1", "x").unwrap();
    let cells = [region("a", 1, 9), region("b", 2, 10), region("c", 3, 9)];
    assert_eq!(by_region().pass(&cells, &policy).0.batch().num_rows(), 1);
}

#[test]
fn the_bytes_are_an_arrow_stream_of_the_table_and_their_digest_is_pinned() {
    let cells = [
        region("北", 1, 10),
        region("東", -2, 10),
        Cell {
            keys: vec![Value::Null],
            ..region("", 3, 10)
        },
    ];
    let (released, record) = by_region().pass(&cells, &Policy::built_in_default());
    let read: Vec<RecordBatch> = StreamReader::try_new(released.arrow_ipc(), None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, [released.batch().clone()]);
    assert_eq!(record.table_digest, released.digest());
    // Pinned: an auditor finds the digest again years later. If a new Arrow encodes differently, old logs need the old one.
    assert_eq!(
        released.digest(),
        "sha256:b1f15caa179d7c8f6a19ec96f1f2929833c3f6635074e4c906211110d9c7b09f"
    );
}

#[test]
fn the_decision_is_recorded_as_a_stable_json_object() {
    let (released, record) = by_region().pass(
        &[region("a", 1, 10), region("b", 1, 3)],
        &Policy::built_in_default(),
    );
    let expected = format!(
        "{{\"cells_released\":1,\"cells_withheld\":1,\"cells_withheld_at_most\":10,\"withheld_by\":{{\"units\":1,\"rows\":1,\
         \"not_finite\":0,\"dominance\":0,\"p_ratio\":0,\"homogeneity\":0,\"fit\":0,\"quantile\":0,\"off_domain\":0,\
         \"complement\":0,\"class_disclosure\":0,\"history\":0}},\"cells_negative\":0,\"review\":[],\"approved_by\":[],\
         \"evidence_kept\":true,\"policy_digest\":\"{}\",\"table_digest\":\"{}\"}}",
        Policy::built_in_default().digest(),
        released.digest()
    );
    assert_eq!(serde_json::to_string(&record).unwrap(), expected);
}

/// A log whose disk is full.
struct Full;

impl Recorder for Full {
    type Proof = ();
    type Error = &'static str;

    fn record(&mut self, _: &DecisionRecord) -> Result<(), &'static str> {
        Err("no space left")
    }
}

#[test]
fn without_a_record_there_is_no_release() {
    let judged = by_region()
        .judge(&[region("a", 1, 10)], &Policy::built_in_default())
        .ok()
        .unwrap();
    assert_eq!(judged.record().cells_released, 1);
    assert_eq!(
        recorded(judged).release(&mut Full).err(),
        Some("no space left")
    );
}
