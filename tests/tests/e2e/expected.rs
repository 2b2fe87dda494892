//! Tables that another tool computed: `tests/expected/*.csv`, read by Arrow's CSV reader.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;

/// A value of a cell: exact as text, or a number that may differ in the last bits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Number(f64),
}

/// Cells by key.
pub(crate) type Cells = BTreeMap<Vec<String>, Vec<Value>>;

/// An expected table: what must be released and what must not.
pub(crate) struct Expected {
    pub(crate) released: Cells,
    pub(crate) withheld: Cells,
}

/// Reads `tests/expected/<name>.csv`: `keys` key columns, then values up to `units`, `rows`, `released`.
pub(crate) fn load(name: &str, keys: usize) -> Expected {
    let table = read(name);
    let released_column = table.num_columns() - 1;
    let values = keys..table.num_columns() - 3;
    let mut expected = Expected {
        released: Cells::new(),
        withheld: Cells::new(),
    };
    for row in 0..table.num_rows() {
        let cell = values
            .clone()
            .map(|column| value(&table, column, row))
            .collect();
        let side = match text(&table, released_column, row).as_str() {
            "true" => &mut expected.released,
            "false" => &mut expected.withheld,
            other => panic!("{other}"),
        };
        assert!(
            side.insert(key(&table, keys, row), cell).is_none(),
            "a key twice in {name}"
        );
    }
    expected
}

/// The rows of `tests/expected/<name>.csv` in their order, the first `columns` columns of each.
pub(crate) fn load_rows(name: &str, columns: usize) -> Vec<Vec<Value>> {
    let table = read(name);
    rows(&table, columns)
}

/// The rows of an answer in their order.
pub(crate) fn rows(table: &RecordBatch, columns: usize) -> Vec<Vec<Value>> {
    (0..table.num_rows())
        .map(|row| {
            (0..columns)
                .map(|column| value(table, column, row))
                .collect()
        })
        .collect()
}

/// An answer as cells by key.
pub(crate) fn cells(batches: &[RecordBatch], keys: usize) -> Cells {
    let mut cells = Cells::new();
    for table in batches {
        for row in 0..table.num_rows() {
            let values = (keys..table.num_columns())
                .map(|column| value(table, column, row))
                .collect();
            assert!(
                cells.insert(key(table, keys, row), values).is_none(),
                "a key twice"
            );
        }
    }
    cells
}

/// Asserts that two sets of cells are the same; numbers to a relative 1e-12, for the order of a float sum is free.
pub(crate) fn assert_same(actual: &Cells, expected: &Cells) {
    assert_eq!(
        actual.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "other cells than expected"
    );
    for (key, values) in actual {
        let wanted = &expected[key];
        assert_eq!(values.len(), wanted.len());
        for (value, wanted) in values.iter().zip(wanted) {
            assert!(same(value, wanted), "{key:?}: {value:?} is not {wanted:?}");
        }
    }
}

pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            (left - right).abs() <= 1e-12 * left.abs().max(right.abs())
        }
        (left, right) => left == right,
    }
}

fn read(name: &str) -> RecordBatch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("expected")
        .join(format!("{name}.csv"));
    let text = std::fs::read_to_string(path).unwrap();
    let header = text.lines().next().unwrap();
    let fields: Vec<_> = header
        .split(',')
        .map(|name| Field::new(name, DataType::Utf8, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let reader = ReaderBuilder::new(Arc::clone(&schema))
        .with_header(true)
        .build(text.as_bytes())
        .unwrap();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

fn key(table: &RecordBatch, keys: usize, row: usize) -> Vec<String> {
    (0..keys).map(|column| text(table, column, row)).collect()
}

fn text(table: &RecordBatch, column: usize, row: usize) -> String {
    let array = table.column(column);
    if array.is_null(row) {
        "∅".to_owned()
    } else {
        array_value_to_string(array, row).unwrap()
    }
}

fn value(table: &RecordBatch, column: usize, row: usize) -> Value {
    if table.column(column).is_null(row) {
        return Value::Null;
    }
    let text = text(table, column, row);
    text.parse().map_or(Value::Text(text), Value::Number)
}
