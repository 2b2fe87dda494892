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

/// Names for up to eight key columns; the gate does not mind which.
const KEYS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

pub(crate) fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

pub(crate) fn texts(value: &Json) -> Vec<&str> {
    value.as_array().unwrap().iter().map(text).collect()
}

/// The argument of this name in a call such as `f(a='x', n=1:2, k=c(80, 70))`, as it stands there.
pub(crate) fn argument<'a>(call: &'a str, name: &str) -> Option<&'a str> {
    let arguments = call.split_once('(')?.1.strip_suffix(')')?;
    let (mut depth, mut from) = (0_i32, 0);
    let mut found = Vec::new();
    for (at, sign) in arguments.char_indices().chain([(arguments.len(), ',')]) {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&arguments[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    let named = found.iter().filter_map(|of| of.split_once('='));
    let mut of_name = named.filter(|(of, _)| of.trim() == name);
    Some(of_name.next()?.1.trim())
}

/// A numeric argument.
pub(crate) fn number(call: &str, name: &str) -> Option<f64> {
    argument(call, name)?.parse().ok()
}

/// A numeric argument, or several: `2`, `c(80, 70)` or `1:3`.
pub(crate) fn numbers(call: &str, name: &str) -> Option<Vec<f64>> {
    let argument = argument(call, name)?;
    if let Some((from, to)) = argument.split_once(':') {
        let (from, to): (u32, u32) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        return Some((from..=to).map(f64::from).collect());
    }
    let list = argument
        .strip_prefix("c(")
        .and_then(|list| list.strip_suffix(')'));
    let parts = list.unwrap_or(argument).split(',');
    parts.map(|part| part.trim().parse().ok()).collect()
}

/// A quoted argument.
pub(crate) fn name(call: &str, of: &str) -> Option<String> {
    let quoted = argument(call, of)?;
    Some(quoted.trim_matches(['\'', '"']).to_owned())
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
        self.rows_with(keys, unit, summed, &[])
    }

    /// The same with sensitive columns.
    pub(crate) fn rows_with(
        &self,
        keys: &[&str],
        unit: Option<&str>,
        summed: Option<&str>,
        sensitive: &[&str],
    ) -> Vec<Row> {
        let column = |name: &str| {
            self.header
                .iter()
                .position(|header| header == name)
                .unwrap()
        };
        let sensitive: Vec<usize> = sensitive.iter().map(|name| column(name)).collect();
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
            secrets: sensitive.iter().map(|of| record[*of].clone()).collect(),
        };
        self.records.iter().enumerate().map(row).collect()
    }
}

/// Each row once per combination of its keys with margins, under this name.
pub(crate) fn with_margins(rows: &[Row], margin: &str) -> Vec<Row> {
    let dimensions = rows.first().map_or(0, |row| row.keys.len());
    let of = |row: &Row, combination: u32| {
        let mut row = row.clone();
        for (dimension, key) in row.keys.iter_mut().enumerate() {
            if combination >> dimension & 1 == 1 {
                margin.clone_into(key);
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
    /// (n, k) rules, k as it stands in the case.
    pub(crate) dominance: Vec<(u64, f64)>,
    pub(crate) p_ratio: Option<f64>,
    pub(crate) zeros_are_disclosive: bool,
    pub(crate) values_min: u64,
}

impl Asked {
    pub(crate) fn count(count_min: u64) -> Asked {
        Asked {
            count_min,
            rows_min: 3,
            dominance: vec![],
            p_ratio: None,
            zeros_are_disclosive: true,
            values_min: 1,
        }
    }

    /// The rules that no policy can ask for, since they lie beyond the compiled-in floors.
    pub(crate) fn beyond(&self) -> Vec<&'static str> {
        let (share, ratio) = (0.01..=0.95, 0.05..=1.0);
        let said = |(n, k): &(u64, f64)| (1..=3).contains(n) && share.contains(k);
        let mut beyond = Vec::new();
        beyond.extend((self.count_min < 3).then_some("threshold"));
        beyond.extend((!self.dominance.iter().all(said)).then_some("nk-rule"));
        beyond.extend((!self.p_ratio.is_none_or(|p| ratio.contains(&p))).then_some("p-ratio"));
        beyond
    }

    /// The policy, with the laxest limit in place of one that is beyond the floors.
    pub(crate) fn policy(&self) -> Policy {
        let beyond = self.beyond();
        let mut shares = [None, Some(0.95), None];
        if !beyond.contains(&"nk-rule") {
            for (n, k) in &self.dominance {
                let share = &mut shares[usize::try_from(*n).unwrap() - 1];
                *share = Some(share.unwrap_or(*k).min(*k));
            }
        }
        let shares: String = shares
            .iter()
            .zip(1..)
            .filter_map(|(share, n)| Some(format!("top{n}_share_max = {:?}\n", (*share)?)))
            .collect();
        let ratio = self.p_ratio.filter(|_| !beyond.contains(&"p-ratio"));
        let text = format!(
            "name = \"case\"\n[cell]\nunits_min = {}\nrows_min = {}\nsensitive_values_min = {}\n[dominance]\n{shares}\
             [p_ratio]\nratio_min = {:?}\nzeros_are_disclosive = {}\n[table]\ncells_max = 50000\n",
            self.count_min.max(3),
            self.rows_min.max(3),
            self.values_min,
            ratio.unwrap_or(0.05),
            self.zeros_are_disclosive
        );
        Policy::from_toml(&text, "case").unwrap()
    }

    /// Without the rules on dominance that the case asks for: the floor alone.
    pub(crate) fn without_dominance(&self) -> Policy {
        Asked {
            dominance: vec![],
            ..*self
        }
        .policy()
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

/// The decision on a whole table.
pub(crate) fn decision(cells: &[Cell], policy: &Policy) -> DecisionRecord {
    let keys = cells.first().map_or(0, |cell| cell.keys.len());
    shape(keys).pass(cells, policy).1
}

/// The decision on a cell that is alone in its table.
pub(crate) fn alone(cell: &Cell, policy: &Policy) -> DecisionRecord {
    decision(std::slice::from_ref(cell), policy)
}

/// Whether people look at a table of this cell, if the laxest policy lets it leave.
pub(crate) fn under_review(cell: &Cell) -> Option<bool> {
    let asked = Asked {
        zeros_are_disclosive: false,
        ..Asked::count(3)
    };
    let record = alone(cell, &asked.policy());
    (record.cells_released > 0).then_some(!record.review.is_empty())
}
