//! What inside would hand to the gate: cells and evidence, from the same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, ListArray,
    RecordBatch, UInt32Array, UInt64Array,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema, UInt32Type,
};
use weir_gate::{
    ArgumentUnits, Contributions, Contributors, EvidenceColumns, FirstUnits, Fit, GateError, Key,
    Levels, Quantiles, Shape, Statistic, Unreleased,
};

use super::naive::{Table, raw};
use super::rules::{CellOf, cells_of, rows_of};
use super::world::{Domain, Query, Row, Stat};

/// How many units of a cell are named.
const KEPT: usize = 7;

/// The cells of every grouping set; without keys there is one cell, even of no rows.
pub(super) fn cells(query: &Query, rows: &[Row]) -> Vec<CellOf> {
    let of_set = |set| cells_of(query, rows, set);
    (0..query.sets.len()).flat_map(of_set).collect()
}

pub(super) fn shape(query: &Query) -> Shape {
    let key = |key: &super::world::KeyOf| Key {
        levels: match &key.domain {
            Domain::Open => Levels::Open,
            Domain::Bounded => Levels::Bounded,
            Domain::Closed(values) => Levels::Closed(Arc::new(Int64Array::from(values.clone()))),
        },
        fixed: key.fixed,
        public: key.public,
    };
    let statistic = |stat: &Stat| match stat {
        Stat::CountRows => Statistic::Rows { evidence: None },
        Stat::CountNotes => Statistic::Rows { evidence: Some(0) },
        Stat::CountUnits(kind) => Statistic::Units { kind: *kind },
        Stat::SumWhole | Stat::SumDecimal | Stat::SumTenths => Statistic::Sum,
        Stat::Other => Statistic::Real,
    };
    Shape {
        keys: query.keys.iter().map(key).collect(),
        sets: query.sets.clone(),
        statistics: query.stats.iter().map(statistic).collect(),
        structural: query.structural.clone(),
        quantiles: query
            .quantiles
            .iter()
            .map(|count| Quantiles {
                contributions: 0,
                count: *count,
            })
            .collect(),
        fits: query
            .parameters
            .iter()
            .map(|parameters| Fit {
                contributions: vec![0, 1],
                fitted: 0,
                parameters: *parameters,
            })
            .collect(),
    }
}

/// The table with its evidence, cells in this order.
pub(super) fn unreleased(
    query: &Query,
    rows: &[Row],
    cells: &[CellOf],
) -> Result<Unreleased, GateError> {
    let of_cells: Vec<Vec<&Row>> = cells
        .iter()
        .map(|cell| rows_of(query, rows, cell))
        .collect();
    let evidence = (0..query.kinds)
        .map(|kind| evidence(&of_cells, kind))
        .collect();
    Unreleased::new(batch(query, cells, &of_cells), shape(query), evidence)
}

fn batch(query: &Query, cells: &[CellOf], rows: &[Vec<&Row>]) -> RecordBatch {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for key in 0..query.keys.len() {
        fields.push(Field::new(format!("k{key}"), DataType::Int64, true));
        let keys = cells.iter().map(|cell| cell.keys[key]);
        columns.push(Arc::new(keys.collect::<Int64Array>()));
    }
    if query.sets.len() > 1 {
        fields.push(Field::new("set", DataType::UInt32, false));
        let sets = cells.iter().map(|cell| Some(cell.set as u32));
        columns.push(Arc::new(sets.collect::<UInt32Array>()));
    }
    for (at, stat) in query.stats.iter().enumerate() {
        let texts: Vec<String> = rows.iter().map(|rows| raw(*stat, rows)).collect();
        let column = column(*stat, &texts);
        fields.push(Field::new(
            format!("s{at}"),
            column.data_type().clone(),
            true,
        ));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn column(stat: Stat, texts: &[String]) -> ArrayRef {
    match stat {
        Stat::SumTenths | Stat::Other => {
            let numbers = texts.iter().map(|text| Some(text.parse::<f64>().unwrap()));
            Arc::new(numbers.collect::<Float64Array>())
        }
        Stat::SumDecimal => {
            let numbers = texts.iter().map(|text| Some(text.parse::<i128>().unwrap()));
            let column: Decimal128Array = numbers.collect();
            Arc::new(column.with_precision_and_scale(20, 2).unwrap())
        }
        _ => {
            let numbers = texts.iter().map(|text| Some(text.parse::<i64>().unwrap()));
            Arc::new(numbers.collect::<Int64Array>())
        }
    }
}

fn evidence(cells: &[Vec<&Row>], kind: usize) -> EvidenceColumns {
    let cells: Vec<Vec<&Row>> = cells
        .iter()
        .map(|rows| {
            rows.iter()
                .copied()
                .filter(|row| row.units[kind].is_some())
                .collect()
        })
        .collect();
    let notes = filtered(&cells, |row| row.note.is_some());
    let fitted = filtered(&cells, |row| row.amount.is_some() && row.other.is_some());
    let secrets = |rows: &Vec<&Row>| {
        let secrets: BTreeSet<u8> = rows.iter().map(|row| row.secret).collect();
        secrets.len() as u64
    };
    EvidenceColumns {
        units: unit_counts(&cells, kind),
        rows: row_counts(&cells),
        counted: vec![Contributors {
            units: unit_counts(&notes, kind),
            rows: row_counts(&notes),
        }],
        contributions: vec![
            contributions(&cells, kind, |row| row.amount),
            contributions(&cells, kind, |row| row.other),
        ],
        first_units: FirstUnits {
            kept: KEPT,
            ids: first_units(&cells, kind),
        },
        arguments: [
            notes,
            filtered(&cells, |row| row.amount.is_some()),
            filtered(&cells, |row| row.other.is_some()),
        ]
        .map(|of| ArgumentUnits {
            units: unit_counts(&of, kind),
            first_units: FirstUnits {
                kept: KEPT,
                ids: first_units(&of, kind),
            },
        })
        .into(),
        sensitive: vec![cells.iter().map(secrets).collect::<Vec<u64>>().into()],
        fits: vec![unit_counts(&fitted, kind)],
    }
}

fn filtered<'a>(cells: &[Vec<&'a Row>], keep: fn(&Row) -> bool) -> Vec<Vec<&'a Row>> {
    cells
        .iter()
        .map(|rows| rows.iter().copied().filter(|row| keep(row)).collect())
        .collect()
}

fn unit_counts(cells: &[Vec<&Row>], kind: usize) -> UInt64Array {
    let units = |rows: &Vec<&Row>| {
        let units: BTreeSet<Option<u32>> = rows.iter().map(|row| row.units[kind]).collect();
        units.len() as u64
    };
    cells.iter().map(units).collect::<Vec<_>>().into()
}

fn row_counts(cells: &[Vec<&Row>]) -> UInt64Array {
    cells
        .iter()
        .map(|rows| rows.len() as u64)
        .collect::<Vec<_>>()
        .into()
}

/// In order of appearance.
fn first_units(cells: &[Vec<&Row>], kind: usize) -> ListArray {
    let lists = cells.iter().map(|rows| {
        let mut first: Vec<Option<u32>> = Vec::new();
        for row in rows {
            if first.len() < KEPT && !first.contains(&row.units[kind]) {
                first.push(row.units[kind]);
            }
        }
        Some(first)
    });
    ListArray::from_iter_primitive::<UInt32Type, _, _>(lists)
}

fn contributions(
    cells: &[Vec<&Row>],
    kind: usize,
    number: fn(&Row) -> Option<i32>,
) -> Contributions {
    let with_number: Vec<Vec<&Row>> = cells
        .iter()
        .map(|rows| {
            rows.iter()
                .copied()
                .filter(|row| number(row).is_some())
                .collect()
        })
        .collect();
    let sums = |rows: &Vec<&Row>| {
        let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
        for row in rows {
            *sums.entry(row.units[kind].unwrap()).or_default() += f64::from(number(row).unwrap());
        }
        sums.into_values().collect::<Vec<f64>>()
    };
    let sums: Vec<Vec<f64>> = with_number.iter().map(sums).collect();
    let sizes: Vec<Vec<f64>> = sums
        .iter()
        .map(|sums| {
            let mut sizes: Vec<f64> = sums.iter().map(|sum| sum.abs()).collect();
            sizes.sort_by(|left, right| right.total_cmp(left));
            sizes
        })
        .collect();
    let number = |of: &dyn Fn(&Vec<f64>) -> f64| sizes.iter().map(of).collect::<Vec<f64>>().into();
    let negative = |sums: &Vec<f64>| Some(sums.iter().any(|sum| *sum < 0.0));
    Contributions {
        units: unit_counts(&with_number, kind),
        rows: row_counts(&with_number),
        total: number(&|sizes| sizes.iter().sum()),
        top: [0, 1, 2].map(|n| number(&|sizes| sizes.get(n).copied().unwrap_or(0.0))),
        negative: sums.iter().map(negative).collect::<BooleanArray>(),
    }
}

/// A released table in the form of the second implementation.
pub(super) fn read(query: &Query, batch: &RecordBatch) -> Vec<(CellOf, Vec<Option<String>>)> {
    let keys = query.keys.len();
    let at = keys + usize::from(query.sets.len() > 1);
    (0..batch.num_rows())
        .map(|row| {
            let set = if at > keys {
                batch.column(keys).as_primitive::<UInt32Type>().value(row) as usize
            } else {
                0
            };
            let key = |key: usize| {
                let column = batch.column(key).as_primitive::<Int64Type>();
                column.is_valid(row).then(|| column.value(row))
            };
            let cell = CellOf {
                set,
                keys: (0..keys).map(key).collect(),
            };
            let texts = batch.columns()[at..].iter().map(|column| text(column, row));
            (cell, texts.collect())
        })
        .collect()
}

fn text(column: &ArrayRef, row: usize) -> Option<String> {
    column.is_valid(row).then(|| match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(_, _) => column
            .as_primitive::<Decimal128Type>()
            .value(row)
            .to_string(),
        _ => column.as_primitive::<Int64Type>().value(row).to_string(),
    })
}

/// Rows as a map; a table has each of them once.
pub(super) fn as_table(rows: &[(CellOf, Vec<Option<String>>)]) -> Table {
    let table: Table = rows.iter().cloned().collect();
    assert_eq!(table.len(), rows.len(), "a row twice");
    table
}
