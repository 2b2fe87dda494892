//! The Rust examples, made by the ordinary component toolchain, against their rules written again.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::Float64Type;
use proptest::prelude::*;
use weir_model::Isolation;

use crate::support::{compile, evaluate, texts};

const STRAIN: &[u8] = include_bytes!("../../../../examples/flights/models/strain/strain.wasm");
const BUSINESS: &[u8] =
    include_bytes!("../../../../examples/flights/models/business/business.wasm");

fn strain(distance: i32, hour: i32, month: i32) -> (&'static str, f64) {
    let mut minutes = 60.0 + f64::from(distance) / 8.0;
    if hour > 16 {
        minutes *= 1.25;
    }
    if !(3..12).contains(&month) && month < 13 {
        minutes *= 1.2;
    }
    let share = (minutes / 600.0).clamp(0.0, 1.0);
    let bands = [(0.25, "light"), (0.5, "normal"), (2.0, "heavy")];
    let band = bands.iter().find(|(below, _)| share < *below).unwrap();
    (band.1, share)
}

const CARRIERS: [(&str, &str, f64); 16] = [
    ("AA", "network", 1_100.0),
    ("AS", "network", 1_100.0),
    ("DL", "network", 1_100.0),
    ("HA", "network", 1_100.0),
    ("UA", "network", 1_100.0),
    ("US", "network", 1_100.0),
    ("B6", "low-cost", 1_000.0),
    ("F9", "low-cost", 1_000.0),
    ("FL", "low-cost", 1_000.0),
    ("VX", "low-cost", 1_000.0),
    ("WN", "low-cost", 1_000.0),
    ("9E", "regional", 500.0),
    ("EV", "regional", 500.0),
    ("MQ", "regional", 500.0),
    ("OO", "regional", 500.0),
    ("YV", "regional", 500.0),
];

fn business(carrier: &str, distance: i32) -> (&'static str, f64) {
    let found = CARRIERS.iter().find(|(code, ..)| *code == carrier.trim());
    let (_, kind, usual) = found.unwrap_or(&("", "other", 800.0));
    (kind, f64::from(distance) / usual)
}

fn carrier() -> impl Strategy<Value = String> {
    let known = (0..CARRIERS.len()).prop_map(|at| CARRIERS[at].0.to_owned());
    prop_oneof![
        known,
        "[A-Z0-9]{0,3}",
        " {0,20}(UA|EV)?\u{2003}{0,20}",
        ".{0,200}"
    ]
}

fn column(numbers: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(numbers))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_say_what_their_rules_say(
        flights in prop::collection::vec((any::<i32>(), -1..26_i32, -1..15_i32, carrier()), 1..40)
    ) {
        let distances = column(flights.iter().map(|flight| flight.0 % 9_000));
        let carriers = StringArray::from_iter_values(flights.iter().map(|flight| &flight.3));
        let strains = evaluate(&compile(STRAIN).unwrap(), &[
            ("distance", Arc::clone(&distances)),
            ("hour", column(flights.iter().map(|flight| flight.1))),
            ("month", column(flights.iter().map(|flight| flight.2))),
        ]);
        let kinds = evaluate(&compile(BUSINESS).unwrap(), &[
            ("carrier", Arc::new(carriers)),
            ("distance", distances),
        ]);
        for (row, (distance, hour, month, carrier)) in flights.iter().enumerate() {
            let both = [strain(distance % 9_000, *hour, *month), business(carrier, distance % 9_000)];
            for ((name, number), answer) in both.into_iter().zip([&strains, &kinds]) {
                let names = texts(answer.column(0));
                prop_assert_eq!(names.value(row), name);
                let found = answer.column(1).as_primitive::<Float64Type>().value(row);
                prop_assert!((found - number).abs() <= 1e-12 * number.abs(), "{} {}", found, number);
            }
        }
    }
}

/// A module of numbers has an allocator that no row comes to; one with a string has one that grows the memory.
#[test]
fn what_a_row_does_not_need_does_not_count() {
    let numbers = compile(STRAIN).unwrap().tier();
    assert_eq!(numbers.isolation, Isolation::Restored);
    assert!(
        numbers.row_cost_max.is_some_and(|cost| cost < 300),
        "{numbers:?}"
    );
    let strings = compile(BUSINESS).unwrap().tier();
    assert_eq!(
        (strings.isolation, strings.row_cost_max),
        (Isolation::Restored, None)
    );
}
