//! Random small tables. A failing case prints its seed and shrinks.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, UInt32Type};
use proptest::prelude::*;
use weir_vault::ROW_COLUMN;

use crate::common::Fixture;

const MANIFEST: &str = r#"
name = "random"
population = "people"
unit = "who"
description = "Random"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "who"
type = "string"
role = "identifier"
description = "Who"

[[column]]
name = "amount"
type = "int64"
role = "measure"
description = "How much"

[[column]]
name = "note"
type = "string"
role = "sensitive"
description = "What else"
"#;

type Row = (Option<String>, Option<i64>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let who = proptest::option::weighted(0.8, "[a-c]{1,2}");
    let note = proptest::option::of("[a-z\",\\n é水]{1,6}");
    proptest::collection::vec((who, any::<Option<i64>>(), note), 1..60)
}

fn to_csv(rows: &[Row]) -> String {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::NonNumeric)
        .from_writer(Vec::new());
    writer.write_record(["who", "amount", "note"]).unwrap();
    for (who, amount, note) in rows {
        let amount = amount.map(|amount| amount.to_string()).unwrap_or_default();
        writer
            .write_record([
                who.as_deref().unwrap_or(""),
                &amount,
                note.as_deref().unwrap_or(""),
            ])
            .unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_survive_grouped_and_sorted_by_dense_units(rows in rows()) {
        let named: Vec<_> = rows.iter().filter(|(who, ..)| who.is_some()).collect();
        prop_assume!(!named.is_empty());
        let fixture = Fixture::new();
        let meta = fixture.register_csv(MANIFEST, &to_csv(&rows));
        prop_assert_eq!(meta.rows as usize, named.len());
        prop_assert_eq!(meta.rows_without_unit as usize, rows.len() - named.len());

        let stored = fixture.query(&meta.id, "SELECT * FROM t");
        let units = stored.column(0).as_primitive::<UInt32Type>();
        prop_assert!(units.values().is_sorted());
        // Behind the unit, where some have several rows, is the row's number among its unit's.
        let numbers = stored.column_by_name(ROW_COLUMN);
        prop_assert_eq!(numbers.is_some(), meta.rows > meta.units);
        let first = 1 + usize::from(numbers.is_some());
        if let Some(numbers) = numbers {
            let mut next = HashMap::<u32, u32>::new();
            for (unit, number) in units.values().iter().zip(numbers.as_primitive::<UInt32Type>().values()) {
                let expected = next.entry(*unit).or_insert(0);
                prop_assert_eq!(*number, *expected);
                *expected += 1;
            }
        }
        let amounts = stored.column(first).as_primitive::<Int64Type>();
        let notes = stored.column(first + 1).as_string_view();

        // Units are numbered in the order they appear, and a unit's rows keep theirs.
        let mut ids: HashMap<&str, u32> = HashMap::new();
        let mut expected: Vec<_> = named
            .iter()
            .map(|(who, amount, note)| {
                let next = ids.len() as u32;
                let unit = *ids.entry(who.as_deref().unwrap()).or_insert(next);
                (unit, *amount, note.as_deref())
            })
            .collect();
        expected.sort_by_key(|(unit, ..)| *unit);
        prop_assert_eq!(meta.units as usize, ids.len());
        let found: Vec<_> = (0..stored.num_rows())
            .map(|row| {
                let amount = amounts.is_valid(row).then(|| amounts.value(row));
                (units.value(row), amount, notes.is_valid(row).then(|| notes.value(row)))
            })
            .collect();
        prop_assert_eq!(found, expected);
    }
}
