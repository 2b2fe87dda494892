//! Samples hold what the manifest declares, and depend on nothing else.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Float64Type, Int8Type};
use proptest::prelude::*;

use super::*;

const MANIFEST: &str = r#"name = "trips"
population = "vehicles"
unit = "plate"
description = "Trips"
source = "test"
licence = "CC0-1.0"

[[column]]
name = "plate"
type = "string"
role = "identifier"
description = "Plate"

[[column]]
name = "kind"
type = "string"
role = "public"
description = "Kind"
domain = ["a", "b"]
null_share = 0.25

[[column]]
name = "level"
type = "int8"
role = "public"
description = "Level"
bounds = { min = 100 }

[[column]]
name = "fare"
type = "float64"
role = "measure"
description = "Fare"
bounds = { min = 0.5, max = 0.75 }

[[column]]
name = "day"
type = "date"
role = "public"
description = "Day"
bounds = { min = 2024-01-01, max = 2024-01-03 }

[[column]]
name = "secret"
type = "string"
role = "public"
description = "Not shared"
not_shared = "law"
"#;

fn manifest() -> Manifest {
    Manifest::from_toml(MANIFEST, "trips.toml").unwrap()
}

proptest! {
    #[test]
    fn every_value_is_as_declared(rows in 1..400_u64, seed: u64) {
        let batch = draw(&manifest(), rows, seed).unwrap();
        prop_assert_eq!(batch.num_rows() as u64, rows);
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        prop_assert_eq!(names, ["plate", "kind", "level", "fare", "day"]);
        let mut by_unit = BTreeMap::new();
        for plate in batch.column(0).as_string::<i32>() {
            *by_unit.entry(plate.unwrap()).or_insert(0) += 1;
        }
        prop_assert!(by_unit.values().all(|rows| (1..=ROWS_PER_UNIT_MAX).contains(rows)));
        prop_assert!(batch.column(1).as_string::<i32>().iter().flatten().all(|kind| ["a", "b"].contains(&kind)));
        prop_assert!(batch.column(2).as_primitive::<Int8Type>().iter().all(|level| level.unwrap() >= 100));
        prop_assert!(batch.column(3).as_primitive::<Float64Type>().iter().all(|fare| (0.5..=0.75).contains(&fare.unwrap())));
        prop_assert!(batch.column(4).as_primitive::<Date32Type>().iter().all(|day| (19_723..=19_725).contains(&day.unwrap())));
        for format in [Format::Csv, Format::Parquet] {
            let again = draw(&manifest(), rows, seed).unwrap();
            prop_assert_eq!(format.encode(&batch).unwrap(), format.encode(&again).unwrap());
        }
    }
}

#[test]
fn the_share_of_nulls_is_the_declared_one() {
    let batch = draw(&manifest(), 20_000, 1).unwrap();
    let nulls = batch.column(1).null_count();
    assert!((4_700..5_300).contains(&nulls), "{nulls}");
    assert_eq!(batch.column(2).null_count(), 0);
}

#[test]
fn another_seed_makes_other_rows() {
    let csv = |seed| {
        Format::Csv
            .encode(&draw(&manifest(), 50, seed).unwrap())
            .unwrap()
    };
    assert_ne!(csv(1), csv(2));
}

#[test]
fn a_seed_makes_the_same_rows_on_every_machine() {
    let csv = Format::Csv
        .encode(&draw(&manifest(), 4, 7).unwrap())
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(csv).unwrap(), @"plate,kind,level,fare,day
plate-000001,b,109,0.72,2024-01-03
plate-000002,a,110,0.71,2024-01-02
plate-000003,,125,0.67,2024-01-03
plate-000003,b,109,0.5,2024-01-02");
}

#[test]
fn a_sample_has_rows_and_not_too_many() {
    for rows in [0, SAMPLE_ROWS_MAX + 1, u64::MAX] {
        assert_eq!(
            draw(&manifest(), rows, 1).unwrap_err().code(),
            "SAMPLE_ROWS"
        );
    }
}

#[test]
fn every_type_is_drawn_without_declarations() {
    for kind in crate::ColumnType::ALL {
        let text = MANIFEST.replace(
            "type = \"int8\"\nrole = \"public\"\ndescription = \"Level\"\nbounds = { min = 100 }",
            &format!(
                "type = \"{}\"\nrole = \"public\"\ndescription = \"Level\"",
                kind.name()
            ),
        );
        let manifest = Manifest::from_toml(&text, "trips.toml").unwrap();
        let batch = draw(&manifest, 100, 3).unwrap();
        assert_eq!(batch.column(2).data_type(), &kind.data_type());
        assert_eq!(batch.column(2).null_count(), 0, "{}", kind.name());
    }
}
