//! Plain rows with unit ids, and the evidence of their cells: the slow, obvious way.

use std::collections::{BTreeMap, BTreeSet};

use crate::table::{Cell, Measure, Value};

/// One row of raw data.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) keys: Vec<String>,
    pub(crate) unit: String,
    /// One number per summed column; none where it is null.
    pub(crate) numbers: Vec<Option<f64>>,
    /// One value per sensitive column.
    pub(crate) secrets: Vec<String>,
}

/// The cells of the rows, grouped by their keys, in the order of the keys.
pub(crate) fn cells(rows: &[Row]) -> Vec<Cell> {
    let mut groups: BTreeMap<&[String], Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(&row.keys).or_default().push(row);
    }
    groups
        .into_iter()
        .map(|(keys, rows)| cell(keys, &rows))
        .collect()
}

fn cell(keys: &[String], rows: &[&Row]) -> Cell {
    let units: BTreeSet<&str> = rows.iter().map(|row| row.unit.as_str()).collect();
    let columns = rows.first().map_or(0, |row| row.numbers.len());
    Cell {
        keys: keys.iter().cloned().map(Value::Text).collect(),
        units: units.len() as u64,
        rows: rows.len() as u64,
        measures: (0..columns).map(|column| measure(rows, column)).collect(),
        sensitive: (0..rows.first().map_or(0, |row| row.secrets.len()))
            .map(|column| distinct(rows, column))
            .collect(),
        ..Cell::default()
    }
}

fn distinct(rows: &[&Row], column: usize) -> u64 {
    let values: BTreeSet<&str> = rows
        .iter()
        .map(|row| row.secrets[column].as_str())
        .collect();
    values.len() as u64
}

fn measure(rows: &[&Row], column: usize) -> Measure {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    let mut rows_with_value = 0;
    for row in rows {
        if let Some(number) = row.numbers[column] {
            rows_with_value += 1;
            *sums.entry(&row.unit).or_default() += number;
        }
    }
    Measure {
        rows: rows_with_value,
        unit_sums: sums.into_values().collect(),
    }
}
