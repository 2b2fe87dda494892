//! The one pass against a second implementation that keeps every value.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, StringArray};
use proptest::prelude::*;

use super::*;
use crate::Manifest;

const MANIFEST: &str = r#"name = "trips"
population = "vehicles"
unit = "plate"
description = "Trips"
source = "test"
licence = "CC0-1.0"
time_column = "day"

[[rule]]
left = "start"
relation = "at-most"
right = "end"
description = "ends after it starts"

[[column]]
name = "plate"
type = "string"
role = "identifier"
description = "Plate"

[[column]]
name = "start"
type = "int32"
role = "measure"
description = "Start"
bounds = { min = 0, max = 20 }

[[column]]
name = "end"
type = "int32"
role = "measure"
description = "End"
domain = [1, 2, 3]

[[column]]
name = "fare"
type = "float64"
role = "measure"
description = "Fare"
bounds = { min = 0.5 }

[[column]]
name = "kind"
type = "string"
role = "public"
description = "Kind"
domain = ["a", "b"]

[[column]]
name = "paid"
type = "bool"
role = "public"
description = "Paid"
domain = [true]

[[column]]
name = "day"
type = "date"
role = "public"
description = "Day"
bounds = { max = 1970-01-11 }
"#;

type Row = (
    Option<String>,
    Option<i32>,
    Option<i32>,
    Option<f64>,
    Option<String>,
    Option<bool>,
    Option<i32>,
);

fn row() -> impl Strategy<Value = Row> {
    use proptest::option::of;
    (
        of("[a-c]"),
        of(-3..25_i32),
        of(0..5_i32),
        of((0..5_i32).prop_map(|value| f64::from(value) / 4.0 - 0.0)),
        of("[a-c]"),
        of(any::<bool>()),
        of(0..20_i32),
    )
}

fn arrays(rows: &[Row]) -> Vec<ArrayRef> {
    vec![
        Arc::new(
            rows.iter()
                .map(|row| row.0.clone())
                .collect::<StringArray>(),
        ),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
        Arc::new(
            rows.iter()
                .map(|row| row.4.clone())
                .collect::<StringArray>(),
        ),
        Arc::new(rows.iter().map(|row| row.5).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.6).collect::<Date32Array>()),
    ]
}

fn manifest() -> Manifest {
    Manifest::from_toml(MANIFEST, "trips.toml").unwrap()
}

/// The slow way: all values as text in a set, every row looked at by itself.
fn naive(rows: &[Row]) -> QualityReport {
    let column = |name: &str, of: &dyn Fn(&Row) -> Option<(String, bool)>, declared: bool| {
        let values: Vec<_> = rows.iter().filter_map(of).collect();
        let distinct: HashSet<_> = values.iter().map(|(value, _)| value.clone()).collect();
        ColumnQuality {
            name: name.to_owned(),
            missing: (rows.len() - values.len()) as u64,
            distinct: exact(distinct.len()),
            outside: declared.then(|| values.iter().filter(|(_, fits)| !fits).count() as u64),
        }
    };
    let both: Vec<_> = rows.iter().filter_map(|row| row.1.zip(row.2)).collect();
    let whole: HashSet<_> = rows.iter().map(|row| format!("{row:?}")).collect();
    QualityReport {
        rows: rows.len() as u64,
        distinct_rows: exact(whole.len()),
        columns: vec![
            column("plate", &|row| Some((row.0.clone()?, true)), false),
            column(
                "start",
                &|row| Some((row.1?.to_string(), row.1? >= 0 && row.1? <= 20)),
                true,
            ),
            column(
                "end",
                &|row| Some((row.2?.to_string(), [1, 2, 3].contains(&row.2?))),
                true,
            ),
            column(
                "fare",
                &|row| Some((row.3?.to_string(), row.3? >= 0.5)),
                true,
            ),
            column(
                "kind",
                &|row| Some((row.4.clone()?, row.4.as_deref() != Some("c"))),
                true,
            ),
            column("paid", &|row| Some((row.5?.to_string(), row.5?)), true),
            column("day", &|row| Some((row.6?.to_string(), row.6? <= 10)), true),
        ],
        rules: vec![RuleQuality {
            description: "ends after it starts".to_owned(),
            checked: both.len() as u64,
            broken: both.iter().filter(|(start, end)| start > end).count() as u64,
        }],
        newest_unix_ms: rows
            .iter()
            .filter_map(|row| row.6)
            .max()
            .map(|day| i64::from(day) * 86_400_000),
    }
}

fn exact(count: usize) -> Distinct {
    Distinct {
        count: count as u64,
        exact: true,
    }
}

proptest! {
    #[test]
    fn the_pass_agrees_with_keeping_everything(
        rows in proptest::collection::vec(row(), 0..60),
        cut in 0..60_usize,
    ) {
        let manifest = manifest();
        let mut collector = Collector::new(&manifest);
        let (first, second) = rows.split_at(cut.min(rows.len()));
        collector.observe(&arrays(first)).unwrap();
        collector.observe(&arrays(second)).unwrap();
        prop_assert_eq!(collector.finish(), naive(&rows));
    }
}

#[test]
fn many_distinct_values_are_estimated_within_their_error() {
    for count in [1_000_u64, 65_536, 65_537, 200_000, 3_000_000] {
        let hasher = ahash::RandomState::new();
        let mut counter = distinct::Counter::new(crate::limits::DISTINCT_EXACT_MAX);
        for value in (0..count).chain(0..count / 2) {
            counter.add(hasher.hash_one(value));
        }
        let found = counter.count();
        assert_eq!(found.exact, count <= 65_536, "{count}");
        let error = (found.count as f64 - count as f64).abs() / count as f64;
        // Six standard errors of 1/√32,768.
        assert!(
            error <= if found.exact { 0.0 } else { 0.034 },
            "{count}: {error}"
        );
    }
}

#[test]
fn columns_that_are_not_the_manifests_are_a_defect() {
    let mut collector = Collector::new(&manifest());
    let mut columns = arrays(&[(None, None, None, None, None, None, None)]);
    assert!(collector.observe(&columns[1..]).is_err());
    columns[0] = Arc::new(arrow::array::BinaryArray::from_vec(vec![b"x"]));
    assert_eq!(
        collector.observe(&columns).unwrap_err().code(),
        "CATALOGUE_INTERNAL"
    );
}

#[test]
fn an_operator_hears_steps_of_five_percent_and_nothing_of_few_units() {
    let rows: Vec<Row> = (0..100)
        .map(|index| {
            let start = (index < 93).then_some(index % 30);
            (
                Some("a".to_owned()),
                start,
                Some(20),
                None,
                None,
                None,
                Some(index),
            )
        })
        .collect();
    let manifest = manifest();
    let mut collector = Collector::new(&manifest);
    collector.observe(&arrays(&rows)).unwrap();
    let report = collector.finish();
    assert_eq!(report.coarse(&manifest, 199, 10), None);
    let coarse = report.coarse(&manifest, 200, 10).unwrap();
    assert!(coarse.columns.iter().all(|column| column.name != "plate"));
    let start = &coarse.columns[0];
    assert_eq!((start.name.as_str(), start.completeness), ("start", 0.95));
    for share in coarse
        .columns
        .iter()
        .flat_map(|column| [Some(column.completeness), column.validity])
        .flatten()
        .chain(coarse.rules.iter().map(|rule| rule.consistency))
    {
        assert!(
            (share * 20.0 - (share * 20.0).round()).abs() < 1e-9,
            "{share}"
        );
    }
}

#[test]
fn a_report_survives_being_stored() {
    let rows = [(
        Some("a".to_owned()),
        Some(1),
        Some(2),
        None,
        None,
        None,
        Some(3),
    )];
    let mut collector = Collector::new(&manifest());
    collector.observe(&arrays(&rows)).unwrap();
    let report = collector.finish();
    assert_eq!(report.age_days(10 * 86_400_000), Some(7));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(
        serde_json::from_str::<QualityReport>(&text).unwrap(),
        report
    );
}
