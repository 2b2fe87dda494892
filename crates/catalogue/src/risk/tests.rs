//! The scans against a second implementation that compares every row with every other.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray, UInt32Array};
use proptest::prelude::*;

use super::*;
use crate::{CatalogueError, Column, Manifest};

const MANIFEST: &str = r#"name = "people"
population = "people"
unit = "id"
description = "People"
source = "test"
licence = "CC0-1.0"

[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"

[[column]]
name = "age"
type = "int32"
role = "quasi-identifier"
description = "Age"
bounds = { min = 0, max = 100 }

[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Town"

[[column]]
name = "born"
type = "date"
role = "quasi-identifier"
description = "Born"

[[column]]
name = "job"
type = "string"
role = "quasi-identifier"
description = "Job"
"#;

/// Age, town, day of birth, job.
type Values = (Option<i32>, Option<String>, Option<i32>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<(u32, Values)>> {
    use proptest::option::weighted;
    let values = (
        weighted(0.9, 0..4_i32),
        weighted(0.9, "[ab]c?"),
        weighted(0.9, 0..90_i32),
        weighted(0.9, "[xy]"),
    );
    proptest::collection::vec((0..12_u32, values), 0..24).prop_map(|mut rows| {
        rows.sort_by_key(|(unit, _)| *unit);
        rows
    })
}

fn batch(rows: &[(u32, Values)]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "weir_unit",
            Arc::new(rows.iter().map(|row| Some(row.0)).collect::<UInt32Array>()),
        ),
        (
            "age",
            Arc::new(rows.iter().map(|row| row.1.0).collect::<Int32Array>()),
        ),
        (
            "town",
            Arc::new(
                rows.iter()
                    .map(|row| row.1.1.clone())
                    .collect::<StringArray>(),
            ),
        ),
        (
            "born",
            Arc::new(rows.iter().map(|row| row.1.2).collect::<Date32Array>()),
        ),
        (
            "job",
            Arc::new(
                rows.iter()
                    .map(|row| row.1.3.clone())
                    .collect::<StringArray>(),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn run(rows: &[(u32, Values)], options: Options) -> Result<RiskReport, CatalogueError> {
    let manifest = Manifest::from_toml(MANIFEST, "people.toml").unwrap();
    let columns: Vec<&Column> = manifest.columns()[1..].iter().collect();
    let (first, second) = rows.split_at(rows.len() / 2);
    assess(
        &columns,
        options,
        &mut |visit| {
            visit(&batch(first))?;
            visit(&batch(second))
        },
        &mut |_| Ok(()),
    )
}

/// A row's values as text, coarsened by hand.
fn words(values: &Values, coarse: Option<(usize, Coarsening)>) -> Vec<String> {
    let mut words = vec![
        format!("{:?}", values.0),
        format!("{:?}", values.1),
        format!("{:?}", values.2),
        format!("{:?}", values.3),
    ];
    let Some((column, how)) = coarse else {
        return words;
    };
    let text = |text: &Option<String>, keep| {
        let cut = text
            .as_ref()
            .map(|text| text.chars().take(keep).collect::<String>());
        format!("{cut:?}")
    };
    words[column] = match (column, how) {
        (_, Coarsening::Dropped) => String::new(),
        (0, Coarsening::TenBins) => format!("{:?}", values.0.map(|age| age / 10)),
        (0, Coarsening::OneDigit) => format!("{:?}", values.0),
        (1, Coarsening::Prefix1) => text(&values.1, 1),
        (1, Coarsening::Prefix3) => text(&values.1, 3),
        (3, Coarsening::Prefix1) => text(&values.3, 1),
        (3, Coarsening::Prefix3) => text(&values.3, 3),
        // 1970 begins with months of 31, 28 and 31 days.
        (2, Coarsening::Month) => {
            format!(
                "{:?}",
                values
                    .2
                    .map(|day| u8::from(day >= 31) + u8::from(day >= 59))
            )
        }
        (2, Coarsening::Year) => format!("{:?}", values.2.map(|_| 1970)),
        other => format!("not a coarsening of this column: {other:?}"),
    };
    words
}

struct Naive {
    k: u64,
    unique: BTreeSet<u32>,
    classes: u64,
}

fn naive(rows: &[(u32, Values)], columns: &[usize], coarse: Option<(usize, Coarsening)>) -> Naive {
    let mut units: BTreeMap<Vec<String>, BTreeSet<u32>> = BTreeMap::new();
    for (unit, values) in rows {
        let words = words(values, coarse);
        let key = columns
            .iter()
            .map(|&column| words[column].clone())
            .collect();
        units.entry(key).or_default().insert(*unit);
    }
    Naive {
        k: units
            .values()
            .map(|units| units.len() as u64)
            .min()
            .unwrap_or(0),
        unique: units
            .values()
            .filter(|units| units.len() == 1)
            .flatten()
            .copied()
            .collect(),
        classes: units.len() as u64,
    }
}

/// Units with a row that no other unit shares on these columns, and that some other unit shares on each part of them.
fn minimal(rows: &[(u32, Values)], columns: &[usize]) -> BTreeSet<u32> {
    let alone = |unit: u32, values: &Values, columns: &[usize]| {
        let of = |values: &Values| {
            let words = words(values, None);
            columns
                .iter()
                .map(|&column| words[column].clone())
                .collect::<Vec<_>>()
        };
        rows.iter()
            .all(|(other, theirs)| *other == unit || of(theirs) != of(values))
    };
    let parts = |columns: &[usize]| -> Vec<Vec<usize>> {
        (1..(1_usize << columns.len()) - 1)
            .map(|mask| {
                let chosen = columns.iter().enumerate();
                chosen
                    .filter(|(place, _)| mask >> place & 1 == 1)
                    .map(|(_, column)| *column)
                    .collect()
            })
            .collect()
    };
    rows.iter()
        .filter(|(unit, values)| {
            alone(*unit, values, columns)
                && parts(columns)
                    .iter()
                    .all(|part| !alone(*unit, values, part))
        })
        .map(|(unit, _)| *unit)
        .collect()
}

const NAMES: [&str; 4] = ["age", "town", "born", "job"];

fn positions(names: &[String]) -> Vec<usize> {
    names
        .iter()
        .map(|name| NAMES.iter().position(|known| known == name).unwrap())
        .collect()
}

fn agrees(rows: &[(u32, Values)], report: &RiskReport) {
    let units: BTreeSet<u32> = rows.iter().map(|(unit, _)| *unit).collect();
    assert_eq!(
        (report.rows, report.units),
        (rows.len() as u64, units.len() as u64)
    );
    let whole = naive(rows, &[0, 1, 2, 3], None);
    assert_eq!(report.whole.k, whole.k);
    assert_eq!(report.whole.unique_units, whole.unique.len() as u64);
    assert_eq!(report.classes, whole.classes);
    assert_eq!(report.combinations.len(), 4 + 6 + 4);
    for found in &report.combinations {
        let columns = positions(&found.columns);
        let expected = naive(rows, &columns, None);
        assert_eq!(found.k, expected.k, "{:?}", found.columns);
        assert_eq!(
            found.unique_units,
            expected.unique.len() as u64,
            "{:?}",
            found.columns
        );
        let minimal = minimal(rows, &columns).len() as u64;
        assert_eq!(found.minimal_units, Some(minimal), "{:?}", found.columns);
    }
    assert!(
        report
            .combinations
            .is_sorted_by_key(|found| std::cmp::Reverse(found.unique_units))
    );
    for found in &report.coarsened {
        let column = NAMES.iter().position(|name| *name == found.column).unwrap();
        let expected = naive(rows, &positions(&found.columns), Some((column, found.how)));
        assert_eq!(found.k, expected.k, "{found:?}");
        assert_eq!(
            found.unique_units,
            expected.unique.len() as u64,
            "{found:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_scans_agree_with_comparing_all_rows(rows in rows()) {
        agrees(&rows, &run(&rows, Options::default()).unwrap());
    }

    #[test]
    fn little_memory_makes_more_scans_and_the_same_report(rows in rows(), entries_max in 1..60_usize) {
        let options = Options { entries_max, ..Options::default() };
        match run(&rows, options) {
            Ok(report) => agrees(&rows, &report),
            Err(error) => prop_assert_eq!(error.code(), "RISK_TOO_LARGE"),
        }
    }
}

#[test]
fn memory_is_traded_for_scans() {
    let rows: Vec<(u32, Values)> = (0..40)
        .map(|unit| {
            let day = i32::try_from(unit).unwrap();
            let town = format!("a{}", unit % 7);
            (unit, (Some(day % 5), Some(town), Some(day), None))
        })
        .collect();
    let plenty = run(&rows, Options::default()).unwrap();
    let little = Options {
        entries_max: 120,
        ..Options::default()
    };
    let little = run(&rows, little).unwrap();
    assert!(
        little.scans > plenty.scans,
        "{} {}",
        little.scans,
        plenty.scans
    );
    assert_eq!(
        RiskReport { scans: 0, ..little },
        RiskReport { scans: 0, ..plenty }
    );
}

#[test]
fn no_columns_and_too_many_are_refused() {
    let manifest = Manifest::from_toml(MANIFEST, "people.toml").unwrap();
    let column = &manifest.columns()[1];
    for count in [0, crate::limits::RISK_COLUMNS_MAX + 1] {
        let refused = assess::<CatalogueError>(
            &vec![column; count],
            Options::default(),
            &mut |_| Ok(()),
            &mut |_| Ok(()),
        );
        assert_eq!(refused.unwrap_err().code(), "RISK_COLUMNS");
    }
}

/// pycanon's answers on the Adult census extract, which is not part of the repository.
#[test]
fn a_published_tool_finds_the_same_k_and_classes() {
    let folder = std::env::var_os("WEIR_SHARED_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        Into::into,
    );
    let expected = folder.join("expected/kanon-04-adult-raw.json");
    let Ok(expected) = std::fs::read(&expected) else {
        println!("skipped: {} is not there", expected.display());
        return;
    };
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let file = std::fs::File::open(folder.join("cases/kanon_adult_raw.csv.gz")).unwrap();
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    let header = reader.headers().unwrap().clone();
    let names: Vec<&str> = expected["quasi_identifiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let units: UInt32Array = (0..u32::try_from(records.len()).unwrap()).collect();
    let mut arrays: Vec<(String, ArrayRef)> = vec![("weir_unit".to_owned(), Arc::new(units))];
    let mut text = MANIFEST
        .split("[[column]]\nname = \"age\"")
        .next()
        .unwrap()
        .to_owned();
    for (index, name) in names.iter().enumerate() {
        let place = header.iter().position(|known| known == *name).unwrap();
        let values = records.iter().map(|record| Some(&record[place]));
        arrays.push((
            format!("q{index}"),
            Arc::new(values.collect::<StringArray>()),
        ));
        text.push_str(&format!(
            "[[column]]\nname = \"q{index}\"\ntype = \"string\"\nrole = \"quasi-identifier\"\ndescription = \"{name}\"\n"
        ));
    }
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let manifest = Manifest::from_toml(&text, "adult.toml").unwrap();
    let columns: Vec<&Column> = manifest.columns()[1..].iter().collect();
    let report = assess::<CatalogueError>(
        &columns,
        Options::default(),
        &mut |visit| visit(&batch),
        &mut |_| Ok(()),
    )
    .unwrap();
    assert_eq!(report.rows, expected["n_rows"].as_u64().unwrap());
    assert_eq!(report.whole.k, expected["expected"]["k"].as_u64().unwrap());
    let classes = expected["expected"]["n_equivalence_classes"]
        .as_u64()
        .unwrap();
    assert_eq!(report.classes, classes);
    let unique = expected["groups_below"]["2"]["records"].as_u64().unwrap();
    assert_eq!(report.whole.unique_units, unique);
}
