//! Small tables as plain Rust values, and the way into the gate and out of it.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt32Type};
use weir_gate::{
    Approval, Contributions, Contributors, DecisionRecord, EvidenceColumns, FirstUnits, GateError,
    Judged, Key, Levels, Recorded, Recorder, Released, Reviewer, Statistic, Unreleased, Verdict,
    judge_without_history,
};
use weir_ledger::Ledger;
use weir_policy::Policy;

/// One value of a table.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

use Value::{Bool, Float, Int, Null, Text};

impl Value {
    /// The order of released keys, written down a second time: nulls first, NaN last, one zero.
    pub(crate) fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Null, Null) => Ordering::Equal,
            (Null, _) => Ordering::Less,
            (_, Null) => Ordering::Greater,
            (Bool(left), Bool(right)) => left.cmp(right),
            (Int(left), Int(right)) => left.cmp(right),
            (Text(left), Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Float(left), Float(right)) => match (left.is_nan(), right.is_nan()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => left.partial_cmp(right).unwrap(),
            },
            pair => panic!("one column, two kinds: {pair:?}"),
        }
    }
}

/// Equal as the gate sees it.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.order(other) == Ordering::Equal
    }
}

pub(crate) fn order_of(left: &[Value], right: &[Value]) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(l, r)| l.order(r))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What each unit adds to a sum of one cell: its own sum, with its sign.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measure {
    pub(crate) rows: u64,
    pub(crate) unit_sums: Vec<f64>,
}

/// One cell with its evidence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) keys: Vec<Value>,
    pub(crate) values: Vec<Value>,
    pub(crate) units: u64,
    pub(crate) rows: u64,
    /// (units, rows) of each counted argument; as many in every cell of a table.
    pub(crate) counted: Vec<(u64, u64)>,
    /// Likewise for each sum.
    pub(crate) measures: Vec<Measure>,
    /// Distinct values of each sensitive column, likewise.
    pub(crate) sensitive: Vec<u64>,
}

/// Names and types of the columns, keys first; the values are sums. The keys count as fixed by the query, so that they
/// have no margins: these tests are about single cells.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) keys: Vec<(&'static str, DataType)>,
    pub(crate) values: Vec<(&'static str, DataType)>,
}

impl Shape {
    pub(crate) fn batch(&self, cells: &[Cell]) -> RecordBatch {
        let columns: Vec<_> = self.keys.iter().chain(&self.values).collect();
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone(), true))
            .collect();
        let arrays = columns.iter().enumerate().map(|(index, (_, kind))| {
            let value = |cell: &Cell| {
                cell.keys
                    .iter()
                    .chain(&cell.values)
                    .nth(index)
                    .unwrap()
                    .clone()
            };
            array(kind, &cells.iter().map(value).collect::<Vec<_>>())
        });
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect()).unwrap()
    }

    pub(crate) fn unreleased(&self, cells: &[Cell]) -> Result<Unreleased, GateError> {
        Unreleased::new(self.batch(cells), self.plain(), vec![evidence(cells)])
    }

    fn plain(&self) -> weir_gate::Shape {
        fixed(self.keys.len(), self.values.len())
    }

    pub(crate) fn judge(&self, cells: &[Cell], policy: &Policy) -> Result<Judged, GateError> {
        Ok(approved(judge_without_history(
            self.unreleased(cells)?,
            policy,
        )?))
    }

    /// Through the gate to the outside.
    pub(crate) fn pass(&self, cells: &[Cell], policy: &Policy) -> (Released, DecisionRecord) {
        release(self.judge(cells, policy).ok().unwrap())
    }
}

/// A plain table of sums whose keys have no margins.
pub(crate) fn fixed(keys: usize, sums: usize) -> weir_gate::Shape {
    let key = Key {
        levels: Levels::Bounded,
        fixed: true,
        public: false,
    };
    weir_gate::Shape::plain(vec![key; keys], vec![Statistic::Sum; sums])
}

/// The table, with the approval of two people where it needs one.
pub(crate) fn approved(verdict: Verdict) -> Judged {
    let reviewer = |person: &str| Reviewer {
        person: person.to_owned(),
        organisation: format!("office of {person}"),
    };
    match verdict {
        Verdict::Release(judged) => judged,
        Verdict::Review(reviewed) => {
            reviewed.approved(Approval::new(vec![reviewer("ann"), reviewer("bo")]).unwrap())
        }
    }
}

/// Cells that share no unit.
pub(crate) fn strangers(units: impl IntoIterator<Item = u64>) -> FirstUnits {
    const KEPT: u64 = 16;
    let lists = units.into_iter().scan(0_u32, |next, units| {
        let from = *next;
        *next += u32::try_from(units.min(KEPT)).unwrap();
        Some(Some((from..*next).map(Some).collect::<Vec<_>>()))
    });
    FirstUnits {
        kept: KEPT as usize,
        ids: ListArray::from_iter_primitive::<UInt32Type, _, _>(lists),
    }
}

/// Evidence of cells that show counts alone and share no unit.
pub(crate) fn of_counts(units: UInt64Array, rows: UInt64Array) -> EvidenceColumns {
    let first_units = strangers(units.values().iter().copied());
    EvidenceColumns::of_counts(units, rows, first_units)
}

pub(crate) fn evidence(cells: &[Cell]) -> EvidenceColumns {
    let first = cells.first().cloned().unwrap_or_default();
    let counted = |index: usize| Contributors {
        units: column(cells, |cell| cell.counted[index].0),
        rows: column(cells, |cell| cell.counted[index].1),
    };
    EvidenceColumns {
        units: column(cells, |cell| cell.units),
        rows: column(cells, |cell| cell.rows),
        counted: (0..first.counted.len()).map(counted).collect(),
        contributions: (0..first.measures.len())
            .map(|index| contributions(cells, index))
            .collect(),
        first_units: strangers(cells.iter().map(|cell| cell.units)),
        sensitive: (0..first.sensitive.len())
            .map(|index| column(cells, |cell| cell.sensitive[index]))
            .collect(),
        arguments: vec![],
        fits: vec![],
    }
}

fn contributions(cells: &[Cell], index: usize) -> Contributions {
    let measures: Vec<&Measure> = cells.iter().map(|cell| &cell.measures[index]).collect();
    let sizes = |measure: &&Measure| {
        let mut sizes: Vec<f64> = measure.unit_sums.iter().map(|sum| sum.abs()).collect();
        sizes.sort_by(|left, right| right.total_cmp(left));
        sizes
    };
    let sizes: Vec<Vec<f64>> = measures.iter().map(sizes).collect();
    let number = |of: &dyn Fn(&Vec<f64>) -> f64| sizes.iter().map(of).collect::<Vec<_>>().into();
    Contributions {
        units: column(&measures, |measure| measure.unit_sums.len() as u64),
        rows: column(&measures, |measure| measure.rows),
        total: number(&|sizes| sizes.iter().rev().sum()),
        top: [0, 1, 2].map(|n| number(&|sizes| sizes.get(n).copied().unwrap_or(0.0))),
        negative: measures
            .iter()
            .map(|measure| Some(measure.unit_sums.iter().any(|sum| *sum < 0.0)))
            .collect(),
    }
}

fn column<T>(of: &[T], number: impl Fn(&T) -> u64) -> UInt64Array {
    of.iter().map(number).collect::<Vec<_>>().into()
}

fn array(kind: &DataType, values: &[Value]) -> ArrayRef {
    fn collect<T, A: FromIterator<Option<T>>>(
        values: &[Value],
        pick: impl Fn(&Value) -> Option<T>,
    ) -> A {
        values
            .iter()
            .map(|value| {
                if matches!(value, Null) {
                    None
                } else {
                    Some(pick(value).unwrap())
                }
            })
            .collect()
    }
    match kind {
        DataType::Boolean => Arc::new(collect::<_, BooleanArray>(values, |v| {
            if let Bool(v) = v { Some(*v) } else { None }
        })),
        DataType::Int64 => Arc::new(collect::<_, Int64Array>(values, |v| {
            if let Int(v) = v { Some(*v) } else { None }
        })),
        DataType::Float64 => Arc::new(collect::<_, Float64Array>(values, |v| {
            if let Float(v) = v { Some(*v) } else { None }
        })),
        DataType::Utf8 => Arc::new(collect::<_, StringArray>(values, |v| {
            if let Text(v) = v {
                Some(v.clone())
            } else {
                None
            }
        })),
        other => panic!("no test column of {other}"),
    }
}

/// The rows of a released table.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let value = |column: &ArrayRef, row: usize| match column.data_type() {
        _ if column.is_null(row) => Null,
        DataType::Boolean => Bool(column.as_boolean().value(row)),
        DataType::Int64 => Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt32 => Int(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::Float64 => Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Text(column.as_string::<i32>().value(row).to_owned()),
        other => panic!("a released column of {other}"),
    };
    (0..batch.num_rows())
        .map(|row| {
            batch
                .columns()
                .iter()
                .map(|column| value(column, row))
                .collect()
        })
        .collect()
}

/// A recorder that keeps what it is told.
#[derive(Default)]
pub(crate) struct Notebook(pub(crate) Vec<DecisionRecord>);

impl Recorder for Notebook {
    type Proof = usize;
    type Error = std::convert::Infallible;

    fn record(&mut self, decision: &DecisionRecord) -> Result<usize, Self::Error> {
        self.0.push(decision.clone());
        Ok(self.0.len())
    }
}

/// A table that was compared with nothing has nothing to record.
pub(crate) fn recorded(judged: Judged) -> Recorded {
    judged
        .record_units(&mut Ledger::in_memory([0; 16]))
        .unwrap()
}

pub(crate) fn release(judged: Judged) -> (Released, DecisionRecord) {
    let mut notebook = Notebook::default();
    let (released, entries) = recorded(judged).release(&mut notebook).unwrap();
    assert_eq!(entries, 1, "one decision, one entry");
    (released, notebook.0.pop().unwrap())
}

pub(crate) fn policy(units_min: u64, rows_min: u64) -> Policy {
    let text = format!("name = \"test\"\n[cell]\nunits_min = {units_min}\nrows_min = {rows_min}\n");
    Policy::from_toml(&text, "test").unwrap()
}

/// Regions and one number: the shape most cases need.
pub(crate) fn by_region() -> Shape {
    Shape {
        keys: vec![("region", DataType::Utf8)],
        values: vec![("total", DataType::Int64)],
    }
}

pub(crate) fn region(name: &str, total: i64, units: u64) -> Cell {
    Cell {
        keys: vec![Text(name.to_owned())],
        values: vec![Int(total)],
        units,
        rows: units,
        ..Cell::default()
    }
}
