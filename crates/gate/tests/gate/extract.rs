//! Extracts of public data as plain rows, and the policies that cases ask for.

use std::path::Path;

use arrow::datatypes::DataType;
use flate2::read::GzDecoder;
use ring::digest::{SHA256, digest};
use serde_json::Value as Json;
use weir_gate::DecisionRecord;
use weir_policy::Policy;

use crate::plain::Row;
use crate::table::{Cell, Shape, Value, rows};

/// The key that stands for all values of a dimension.
const MARGIN: &str = "Total";
/// Names for up to eight key columns; the gate does not mind which.
const KEYS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

pub(crate) fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

pub(crate) fn texts(value: &Json) -> Vec<&str> {
    value.as_array().unwrap().iter().map(text).collect()
}

/// The numeric argument of this name in a call such as `f(a='x', maxN=9)`.
pub(crate) fn number(call: &str, name: &str) -> Option<f64> {
    let arguments = call.split_once('(')?.1.trim_end_matches(')');
    arguments
        .split(',')
        .filter_map(|argument| argument.split_once('='))
        .find(|(argument, _)| argument.trim() == name)
        .and_then(|(_, value)| value.trim().parse().ok())
}

/// The table a case was computed on, every field as text.
pub(crate) struct Extract {
    header: Vec<String>,
    records: Vec<Vec<String>>,
}

impl Extract {
    pub(crate) fn open(case: &Json, folder: &Path) -> Extract {
        let name = Path::new(text(&case["data"]))
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        let file = std::fs::File::open(folder.join("cases").join(format!("{name}.gz"))).unwrap();
        let bytes = std::io::read_to_string(GzDecoder::new(file)).unwrap();
        if let Some(expected) = case["data_sha256"].as_str() {
            let found = hex::encode(digest(&SHA256, bytes.as_bytes()));
            assert_eq!(found, expected, "{name} is not the extract of the case");
        }
        let mut reader = csv::Reader::from_reader(bytes.as_bytes());
        let own = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        Extract {
            header: own(reader.headers().unwrap()),
            records: reader
                .records()
                .map(|record| own(&record.unwrap()))
                .collect(),
        }
    }

    /// The rows, grouped by these columns. Without a column of units, each row is a unit. An empty number is null.
    pub(crate) fn rows(&self, keys: &[&str], unit: Option<&str>, summed: Option<&str>) -> Vec<Row> {
        let column = |name: &str| {
            self.header
                .iter()
                .position(|header| header == name)
                .unwrap()
        };
        let keys: Vec<usize> = keys.iter().map(|name| column(name)).collect();
        let (unit, summed) = (unit.map(column), summed.map(column));
        let number = |field: &String| (!field.is_empty()).then(|| field.parse().unwrap());
        let row = |(index, record): (usize, &Vec<String>)| Row {
            keys: keys.iter().map(|key| record[*key].clone()).collect(),
            unit: unit.map_or_else(|| index.to_string(), |unit| record[unit].clone()),
            numbers: summed
                .iter()
                .map(|summed| number(&record[*summed]))
                .collect(),
        };
        self.records.iter().enumerate().map(row).collect()
    }
}

/// Each row once per combination of its keys with margins.
pub(crate) fn with_margins(rows: &[Row]) -> Vec<Row> {
    let dimensions = rows.first().map_or(0, |row| row.keys.len());
    let of = |row: &Row, combination: u32| {
        let mut row = row.clone();
        for (dimension, key) in row.keys.iter_mut().enumerate() {
            if combination >> dimension & 1 == 1 {
                MARGIN.clone_into(key);
            }
        }
        row
    };
    (0..1 << dimensions)
        .flat_map(|combination| rows.iter().map(move |row| of(row, combination)))
        .collect()
}

/// The keys of a case's cell, in the order of its grouping.
pub(crate) fn keys_of(cell: &Json, group_by: &[&str]) -> Vec<String> {
    group_by
        .iter()
        .map(|name| text(&cell["key"][*name]).to_owned())
        .collect()
}

pub(crate) fn named(keys: &[String]) -> Vec<Value> {
    keys.iter().cloned().map(Value::Text).collect()
}

/// What a case asks for; where it asks for nothing, the laxest that a policy can say.
pub(crate) struct Asked {
    pub(crate) count_min: u64,
    pub(crate) rows_min: u64,
    /// (n, k), k as it stands in the case.
    pub(crate) dominance: Option<(u64, f64)>,
    pub(crate) p_ratio: Option<f64>,
    pub(crate) zeros_are_disclosive: bool,
}

impl Asked {
    pub(crate) fn count(count_min: u64) -> Asked {
        Asked {
            count_min,
            rows_min: 3,
            dominance: None,
            p_ratio: None,
            zeros_are_disclosive: true,
        }
    }

    /// # Errors
    /// What lies beyond the compiled-in floors.
    pub(crate) fn policy(&self) -> Result<Policy, &'static str> {
        let mut shares = [None, Some(0.95), None];
        if let Some((n, k)) = self.dominance {
            let place = usize::try_from(n)
                .ok()
                .and_then(|n| shares.get_mut(n.checked_sub(1)?));
            *place.ok_or("a dominance rule on more than three")? = Some(k);
        }
        let shares: String = shares
            .iter()
            .zip(1..)
            .filter_map(|(share, n)| Some(format!("top{n}_share_max = {}\n", (*share)?)))
            .collect();
        let text = format!(
            "name = \"case\"\n[cell]\nunits_min = {}\nrows_min = {}\n[dominance]\n{shares}[p_ratio]\nratio_min = {}\n\
             zeros_are_disclosive = {}\n[table]\ncells_max = 50000\n",
            self.count_min,
            self.rows_min,
            self.p_ratio.unwrap_or(0.05),
            self.zeros_are_disclosive
        );
        Policy::from_toml(&text, "case").map_err(|_| "limits beyond the compiled-in floors")
    }
}

fn shape(keys: usize) -> Shape {
    Shape {
        keys: KEYS[..keys]
            .iter()
            .map(|name| (*name, DataType::Utf8))
            .collect(),
        values: vec![],
    }
}

/// The keys of the released cells, sorted.
pub(crate) fn released(cells: &[Cell], policy: &Policy) -> Vec<Vec<Value>> {
    let keys = cells.first().map_or(0, |cell| cell.keys.len());
    rows(shape(keys).pass(cells, policy).0.batch())
}

/// The decision on a cell that is alone in its table.
pub(crate) fn alone(cell: &Cell, policy: &Policy) -> DecisionRecord {
    shape(cell.keys.len())
        .pass(std::slice::from_ref(cell), policy)
        .1
}
