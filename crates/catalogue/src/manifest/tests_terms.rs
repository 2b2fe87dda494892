//! The optional keys: what they mean, what they default to, and how a contradiction is refused.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use insta::assert_snapshot;

use super::*;
use crate::{
    ColumnType, Content, Form, Frequency, Grading, Listed, Opening, Relation, Retention, Sharing,
    Value,
};

const FULL: &str = r#"name = "trips"
population = "vehicles"
unit = "plate"
title = "出租车行程"
description = "Taxi trips"
source = "meters"
licence = "CC0-1.0"
provider = "市交通运输局"
form = "database"
classification = ["transport", "taxi"]
grading = "general-2"
sharing = { type = "conditional", condition = "for traffic planning" }
opening = { type = "not-open" }
update_frequency = "daily"
time_column = "start"
scenarios = ["traffic planning"]
keywords = ["taxi"]
retention = { years = 3 }
contact = { name = "Data office", email = "data@example.org", phone = "12345" }

[[rule]]
left = "start"
relation = "at-most"
right = "end"
description = "A trip does not end before it starts"

[[column]]
name = "plate"
type = "string"
role = "identifier"
description = "Plate"

[[column]]
name = "start"
type = "timestamp"
role = "quasi-identifier"
description = "Start"
bounds = { min = 2020-01-01, max = 2030-01-01T00:00:00+08:00 }
group_by = false

[[column]]
name = "end"
type = "timestamp"
role = "quasi-identifier"
description = "End"

[[column]]
name = "payment"
type = "string"
role = "public"
description = "How it was paid"
domain = [{ value = "C", label = "cash" }, "W"]
null_share = 0.1

[[column]]
name = "fare"
type = "float64"
role = "measure"
description = "Fare"
unit_of_measure = "yuan"
bounds = { min = 0 }

[[column]]
name = "complaint"
type = "int16"
role = "sensitive"
description = "Kind of complaint"

[[column]]
name = "route"
type = "string"
role = "quasi-identifier"
description = "Route"
not_shared = "Data Security Law, article 21"
"#;

/// The message for the full manifest with one change.
fn refused(from: &str, to: &str) -> String {
    let text = FULL.replacen(from, to, 1);
    assert_ne!(text, FULL);
    parse(&text, "trips.toml").unwrap_err().to_string()
}

#[test]
fn every_key_is_read() {
    let manifest = parse(FULL, "trips.toml").unwrap();
    let terms = manifest.terms();
    assert_eq!(terms.title.as_deref(), Some("出租车行程"));
    assert_eq!(terms.provider.as_deref(), Some("市交通运输局"));
    assert_eq!(terms.form, Some(Form::Database));
    assert_eq!(terms.classification, ["transport", "taxi"]);
    assert_eq!(terms.grading, Grading::General2);
    assert_eq!(terms.sharing.ground(), Some("for traffic planning"));
    assert_eq!(terms.update_frequency, Some(Frequency::Daily));
    assert_eq!(terms.time_column, Some(1));
    assert_eq!(terms.retention, Some(Retention::Years(3)));
    assert_eq!(
        terms.contact.as_ref().unwrap().phone.as_deref(),
        Some("12345")
    );
    let rule = &manifest.rules()[0];
    assert_eq!(
        (rule.left, rule.relation, rule.right),
        (1, Relation::AtMost, 2)
    );
    let column = |name| manifest.column(name).unwrap();
    assert_eq!(
        column("start").content,
        Some(Content::Bounds {
            min: Some(Value::Timestamp(1_577_836_800_000_000)),
            max: Some(Value::Timestamp(1_893_427_200_000_000)),
        })
    );
    assert_eq!(
        column("payment").content,
        Some(Content::Domain(vec![
            Listed {
                value: Value::Text("C".to_owned()),
                label: Some("cash".to_owned()),
            },
            Listed {
                value: Value::Text("W".to_owned()),
                label: None,
            },
        ]))
    );
    assert_eq!(column("payment").null_share, Some(0.1));
    assert_eq!(column("fare").unit_of_measure.as_deref(), Some("yuan"));
}

#[test]
fn what_is_left_out_is_the_stricter_choice() {
    let manifest = parse(super::tests::GOOD, "flights.toml").unwrap();
    let terms = manifest.terms();
    assert_eq!(terms.grading, Grading::General4);
    assert_eq!(terms.sharing, Sharing::Conditional(None));
    assert_eq!(terms.opening, Opening::NotOpen);
    assert_eq!(terms.update_frequency, None);
    assert!(manifest.rules().is_empty());
}

#[test]
fn rights_follow_the_role_unless_declared() {
    let manifest = parse(FULL, "trips.toml").unwrap();
    let rights = |name| {
        let column = manifest.column(name).unwrap();
        (
            column.is_readable(),
            column.may_group(),
            column.may_compare(),
        )
    };
    assert_eq!(rights("plate"), (false, false, false));
    assert_eq!(rights("start"), (true, false, true));
    assert_eq!(rights("end"), (true, true, true));
    assert_eq!(rights("payment"), (true, true, true));
    assert_eq!(rights("fare"), (true, true, true));
    assert_eq!(rights("complaint"), (true, true, false));
    assert_eq!(rights("route"), (false, false, false));
}

#[test]
fn nothing_of_a_dataset_on_the_negative_list_is_readable() {
    let text = FULL.replace(
        "{ type = \"conditional\", condition = \"for traffic planning\" }",
        "{ type = \"not-shared\", legal_basis = \"State Secrets Law\" }",
    );
    let manifest = parse(&text, "trips.toml").unwrap();
    for column in manifest.columns() {
        assert!(!column.is_readable(), "{}", column.name);
        assert!(!column.may_group(), "{}", column.name);
        assert!(!column.may_compare(), "{}", column.name);
    }
}

#[test]
fn a_declared_right_overrides_the_role() {
    let text = FULL.replace(
        "description = \"Kind of complaint\"",
        "description = \"Kind\"\ncomparable_with_literal = true\ngroup_by = false",
    );
    let manifest = parse(&text, "trips.toml").unwrap();
    let column = manifest.column("complaint").unwrap();
    assert!(column.may_compare() && !column.may_group());
}

#[test]
fn the_examples_are_read() {
    for text in [
        include_str!("../../../../examples/flights/flights.toml"),
        include_str!("../../../../examples/flights/planes.toml"),
    ] {
        let manifest = parse(text, "example.toml").unwrap();
        assert!(manifest.terms().provider.is_some());
    }
}

#[test]
fn mistakes_in_the_terms_are_named_with_their_place() {
    assert_snapshot!(refused("grading = \"general-2\"", "grading = \"general2\""), @"`trips.toml`, line 11, column 11: grading: `general2` is none of `general-1`, `general-2`, `general-3`, `general-4`, `important`, `core`; did you mean `general-2`?");
    assert_snapshot!(refused("form = \"database\"", "form = \"paper\""), @"`trips.toml`, line 9, column 8: form: `paper` is none of `database`, `spreadsheet`, `file`, `graphics`, `stream`, `self-describing`, `interface`");
    assert_snapshot!(refused("provider =", "provder ="), @"`trips.toml`, line 8, column 1: unknown key `provder`, expected one of `name`, `population`, `unit`, `description`, `source`, `licence`, `null_values`, `title`, `provider`, `form`, `classification`, `grading`, `sharing`, `opening`, `update_frequency`, `time_column`, `scenarios`, `keywords`, `retention`, `contact`, `rule`, `structural`, `column`; did you mean `provider`?");
    assert_snapshot!(refused("condition = \"for", "conditions = \"for"), @"`trips.toml`, line 12, column 35: unknown key `conditions`, expected one of `type`, `condition`, `legal_basis`; did you mean `condition`?");
    assert_snapshot!(refused(", condition = \"for traffic planning\"", ""), @"`trips.toml`, line 12, column 11: sharing of type `conditional` needs its `condition`; state it");
    assert_snapshot!(refused("type = \"conditional\"", "type = \"unconditional\""), @"`trips.toml`, line 12, column 49: sharing of type `unconditional` has no `condition`; remove it, or change the type");
    assert_snapshot!(refused("type = \"conditional\", condition = \"for traffic planning\"", "type = \"not-shared\""), @"`trips.toml`, line 12, column 11: sharing of type `not-shared` needs its `legal_basis`; state it");
    assert_snapshot!(refused("type = \"conditional\", condition = \"for traffic planning\"", "type = \"not-shared\", legal_basis = \" \""), @"`trips.toml`, line 12, column 48: legal_basis is empty; say it in a few words");
    assert_snapshot!(refused("{ type = \"not-open\" }", "{ type = \"not-open\", legal_basis = \"law\" }"), @"`trips.toml`, line 13, column 46: opening of type `not-open` has no `legal_basis`; remove it, or change the type");
    assert_snapshot!(refused("update_frequency = \"daily\"", "update_frequency = \"dayly\""), @"`trips.toml`, line 14, column 20: update_frequency: `dayly` is none of `real-time`, `daily`, `weekly`, `monthly`, `quarterly`, `half-yearly`, `yearly`, `irregular`, `never`; did you mean `daily`?");
    assert_snapshot!(refused("time_column = \"start\"", "time_column = \"fare\""), @"`trips.toml`, line 15, column 15: time_column = `fare`: its type is `float64`, not `date` or `timestamp`; name another column");
    assert_snapshot!(refused("time_column = \"start\"", "time_column = \"plate\""), @"`trips.toml`, line 15, column 15: time_column = `plate`: no [[column]] that is stored has this name; name another");
    assert_snapshot!(refused("keywords = [\"taxi\"]", "keywords = [\"taxi\", \"taxi\"]"), @"`trips.toml`, line 17, column 21: keywords lists `taxi` twice; remove one");
    assert_snapshot!(refused("{ years = 3 }", "{ years = 3, days = 1 }"), @"`trips.toml`, line 18, column 13: retention is one of `years`, `months`, `days`, such as `{ years = 5 }`");
    assert_snapshot!(refused("{ years = 3 }", "{ years = 0 }"), @"`trips.toml`, line 18, column 13: retention is a period of 1 to 36525");
    assert_snapshot!(refused("data@example.org", "nobody"), @"`trips.toml`, line 19, column 43: email of the contact has no `@`; give a mail address");
    assert_snapshot!(refused("right = \"end\"", "right = \"fare\""), @"`trips.toml`, line 24, column 9: a rule is about two columns of one type; `start` is `timestamp` and `fare` is `float64`");
    assert_snapshot!(refused("relation = \"at-most\"", "relation = \"before\""), @"`trips.toml`, line 23, column 12: relation: `before` is none of `less`, `at-most`, `equal`, `different`");
    assert_snapshot!(refused("description = \"A trip does not end before it starts\"\n", ""), @"`trips.toml`, line 21, column 1: missing key `description`");
}

#[test]
fn contradictions_in_the_terms_are_refused() {
    let open = refused(
        "grading = \"general-2\"",
        "grading = \"core\"\nopening = { type = \"unconditional\" }",
    );
    assert!(open.contains("duplicate key"), "{open}");
    let core = FULL
        .replace("general-2", "core")
        .replace("not-open", "unconditional");
    assert_snapshot!(parse(&core, "trips.toml").unwrap_err(), @"`trips.toml`, line 13, column 11: important and core data is not opened without a condition; make opening `conditional` or `not-open`");
    let both = FULL
        .replace(
            "{ type = \"conditional\", condition = \"for traffic planning\" }",
            "{ type = \"not-shared\", legal_basis = \"law\" }",
        )
        .replace("not-open", "unconditional");
    assert_snapshot!(parse(&both, "trips.toml").unwrap_err(), @"`trips.toml`, line 13, column 11: what departments may not share cannot be open to the public; make opening `not-open`");
}

#[test]
fn mistakes_in_a_column_are_named_with_their_place() {
    assert_snapshot!(refused("{ min = 0 }", "{ min = 0, max = -1 }"), @"`trips.toml`, line 61, column 10: bounds of `fare` are reversed: min 0 is above max -1");
    assert_snapshot!(refused("{ min = 0 }", "{ min = \"0\" }"), @"`trips.toml`, line 61, column 18: bounds of `fare`: the text `0` is not a finite number (float64)");
    assert_snapshot!(refused("{ min = 0 }", "{ min = nan }"), @"`trips.toml`, line 61, column 18: bounds of `fare`: `NaN` is not a finite number (float64)");
    assert_snapshot!(refused("{ min = 0 }", "{}"), @"`trips.toml`, line 61, column 10: bounds of `fare` give neither `min` nor `max`; give one or both");
    assert_snapshot!(refused("{ min = 0 }", "{ minimum = 0 }"), @"`trips.toml`, line 61, column 12: unknown key `minimum`, expected `min` or `max`; did you mean `min`?");
    assert_snapshot!(refused("bounds = { min = 0 }", "domain = [0.5]"), @"`trips.toml`, line 61, column 10: `fare` is `float64`, whose values cannot be listed; give bounds instead of a domain");
    assert_snapshot!(refused("null_share = 0.1", "bounds = { min = \"A\" }"), @"`trips.toml`, line 53, column 10: `payment` has a domain and bounds; the domain is enough, remove bounds");
    assert_snapshot!(refused("domain = [{ value = \"C\", label = \"cash\" }, \"W\"]", "bounds = { min = \"A\" }"), @"`trips.toml`, line 52, column 10: `payment` is `string`, which has no bounds; give a domain instead");
    assert_snapshot!(refused("\"W\"]", "\"C\"]"), @"`trips.toml`, line 52, column 44: domain of `payment` lists this value twice; remove one");
    assert_snapshot!(refused("\"W\"]", "7]"), @"`trips.toml`, line 52, column 44: domain of `payment`: `7` is not text");
    assert_snapshot!(refused("label = \"cash\"", "lable = \"cash\""), @"`trips.toml`, line 52, column 10: unknown key `lable`, expected `value` or `label`; did you mean `label`?");
    assert_snapshot!(refused("[{ value = \"C\", label = \"cash\" }, \"W\"]", "[]"), @"`trips.toml`, line 52, column 10: domain of `payment` has 0 values; a domain has 1 to 10000");
    assert_snapshot!(refused("null_share = 0.1", "null_share = 1.5"), @"`trips.toml`, line 53, column 14: null_share of `payment` is a share from 0 to 1");
    assert_snapshot!(refused("description = \"Kind of complaint\"", "description = \"Kind\"\ndomain = [1, 40000]"), @"`trips.toml`, line 68, column 14: domain of `complaint`: `40000` is not a whole number from -32768 to 32767 (int16)");
    assert_snapshot!(refused("description = \"Plate\"", "description = \"Plate\"\ngroup_by = true"), @"`trips.toml`, line 32, column 12: `plate` is an identifier, which is not stored, so group_by cannot be true; remove the key");
    assert_snapshot!(refused("description = \"Plate\"", "description = \"Plate\"\ndomain = [\"A\"]"), @"`trips.toml`, line 32, column 10: `plate` is an identifier, which is not stored, so domain has no meaning; remove it");
    assert_snapshot!(refused("not_shared = \"Data Security Law, article 21\"", "not_shared = \"\""), @"`trips.toml`, line 74, column 14: not_shared of `route` is empty; say it in a few words");
    assert_snapshot!(refused("not_shared = \"Data Security Law, article 21\"", "not_shared = true"), @"`trips.toml`, line 74, column 14: invalid type: boolean `true`, expected a string");
    assert_snapshot!(refused("description = \"Route\"", "description = \"Route\"\ncomparable_with_literal = true"), @"`trips.toml`, line 74, column 27: `route` is not shared, so comparable_with_literal cannot be true; remove the key");
    assert_snapshot!(refused("2020-01-01", "2040-01-01"), @"`trips.toml`, line 38, column 10: bounds of `start` are reversed: min 2040-01-01T00:00:00 is above max 2029-12-31T16:00:00");
    assert_snapshot!(refused("group_by = false", "groupby = false"), @"`trips.toml`, line 39, column 1: unknown key `groupby`, expected one of `name`, `header`, `type`, `role`, `description`, `unit_of_measure`, `domain`, `bounds`, `null_share`, `comparable_with_literal`, `group_by`, `not_shared`; did you mean `group_by`?");
}

/// A value of the type, as TOML.
fn value_text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:?}")),
        any::<bool>().prop_map(|value| value.to_string()),
        "[a-z]{0,4}".prop_map(|value| format!("\"{value}\"")),
        (1970..2100, 1..29).prop_map(|(year, day)| format!("{year}-02-{day:02}")),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
    ]
}

proptest::proptest! {
    /// Whatever is accepted holds what its type promises.
    #[test]
    fn accepted_content_fits_its_type(
        kind in proptest::sample::select(&ColumnType::ALL[..]),
        one in value_text(),
        other in value_text(),
        listed: bool,
    ) {
        let content = if listed {
            format!("domain = [{one}, {other}]")
        } else {
            format!("bounds = {{ min = {one}, max = {other} }}")
        };
        let text = super::tests::GOOD
            .replace("\"int32\"", &format!("\"{}\"", kind.name()))
            .replace("description = \"Miles\"", &format!("description = \"Miles\"\n{content}"));
        let Ok(manifest) = parse(&text, "a") else { return Ok(()) };
        let fits = |value: &Value| match (value, kind.whole_range()) {
            (Value::Int(value), Some((min, max))) => (min..=max).contains(value),
            (Value::Bool(_), None) => kind == ColumnType::Bool,
            (Value::Float(value), None) => value.is_finite()
                && matches!(kind, ColumnType::Float32 | ColumnType::Float64),
            (Value::Text(_), None) => kind == ColumnType::String,
            (Value::Date(_), None) => kind == ColumnType::Date,
            (Value::Timestamp(_), None) => kind == ColumnType::Timestamp,
            _ => false,
        };
        match manifest.columns()[1].content.as_ref() {
            Some(Content::Domain(values)) => {
                proptest::prop_assert!(listed && values.len() == 2);
                proptest::prop_assert!(values.iter().all(|value| fits(&value.value)));
                proptest::prop_assert_ne!(&values[0].value, &values[1].value);
            }
            Some(Content::Bounds { min: Some(min), max: Some(max) }) => {
                proptest::prop_assert!(!listed && fits(min) && fits(max));
                let reversed = match (min, max) {
                    (Value::Int(min), Value::Int(max)) => min > max,
                    (Value::Float(min), Value::Float(max)) => min > max,
                    (Value::Date(min), Value::Date(max)) => min > max,
                    (Value::Timestamp(min), Value::Timestamp(max)) => min > max,
                    _ => true,
                };
                proptest::prop_assert!(!reversed);
            }
            other => proptest::prop_assert!(false, "{other:?}"),
        }
    }
}

/// A key of the wrong shape is told the right one, in TOML's words and not in Rust's.
#[test]
fn a_table_is_shown_where_something_else_stands() {
    let (top, column) = FULL.split_at(FULL.find("[[rule]]").unwrap());
    for (key, bad, shown) in [
        ("sharing", "\"not-shared\"", "{ type = \"unconditional\" }"),
        ("opening", "true", "{ type = \"unconditional\" }"),
        ("retention", "3", "{ years = 5 }"),
        ("contact", "\"me\"", "{ name = \"Data office\""),
    ] {
        let lines = top.lines().filter(|line| !line.starts_with(key));
        let top: Vec<&str> = lines.collect();
        let text = format!("{}\n{key} = {bad}\n{column}", top.join("\n"));
        let message = Manifest::from_toml(&text, "m.toml")
            .unwrap_err()
            .to_string();
        assert!(message.contains(shown), "{message}");
        assert!(!message.contains("struct"), "{message}");
    }
}
