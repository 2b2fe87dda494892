//! The example models that ship, against their rules written again in Rust.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array};
use arrow::datatypes::Float64Type;
use insta::assert_snapshot;
use proptest::prelude::*;

use crate::support::{compile, evaluate, table, texts};

pub(crate) const DISRUPTION: &[u8] =
    include_bytes!("../../../../examples/flights/models/disruption/disruption.wasm");
pub(crate) const PACE: &[u8] = include_bytes!("../../../../examples/flights/models/pace/pace.wasm");

fn disruption(dep: Option<f64>, arr: Option<f64>, distance: i32, hour: i32) -> (&'static str, f64) {
    let (Some(_), Some(arr)) = (dep, arr) else {
        return ("cancelled", 1.0);
    };
    let late = if arr > 0.0 { arr } else { 0.0 };
    let relative = late / (60.0 + f64::from(distance) / 8.0);
    let score = relative * if hour >= 17 { 1.25 } else { 1.0 };
    let score = if score > 1.0 { 1.0 } else { score };
    let band = match score {
        s if s < 0.05 => "on-time",
        s if s < 0.25 => "minor",
        s if s < 0.6 => "major",
        _ => "severe",
    };
    (band, score)
}

fn pace(distance: i32, air_time: Option<f64>) -> Option<(&'static str, f64)> {
    let minutes = air_time.filter(|minutes| *minutes > 0.0)?;
    let speed = f64::from(distance) / (minutes / 60.0);
    let pace = match speed {
        s if s < 350.0 => "slow",
        s if s < 430.0 => "typical",
        _ => "fast",
    };
    Some((pace, speed))
}

fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

fn integers(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

#[test]
fn a_table_of_each() {
    let flights = [
        (Some(2.0), Some(11.0), 1400, 5),
        (Some(850.0), Some(851.0), 1000, 17),
        (Some(30.0), Some(-4.0), 200, 9),
        (Some(5.0), Some(40.0), 719, 18),
        (Some(60.0), Some(70.0), 760, 12),
        (None, None, 500, 8),
        (Some(1.0), None, 500, 8),
    ];
    let answer = evaluate(
        &compile(DISRUPTION).unwrap(),
        &[
            ("dep_delay", floats(flights.map(|flight| flight.0))),
            ("arr_delay", floats(flights.map(|flight| flight.1))),
            ("distance", integers(flights.map(|flight| flight.2))),
            ("hour", integers(flights.map(|flight| flight.3))),
        ],
    );
    assert_snapshot!(table(&answer), @"
    band | score
    on-time | 0.04680851063829787
    severe | 1.0
    on-time | 0.0
    major | 0.3336113427856547
    major | 0.45161290322580644
    cancelled | 1.0
    cancelled | 1.0
    ");

    let flights = [
        (1400, Some(227.0)),
        (1416, Some(183.0)),
        (200, Some(40.0)),
        (200, Some(0.0)),
        (200, None),
    ];
    let answer = evaluate(
        &compile(PACE).unwrap(),
        &[
            ("distance", integers(flights.map(|flight| flight.0))),
            ("air_time", floats(flights.map(|flight| flight.1))),
        ],
    );
    assert_snapshot!(table(&answer), @"
    pace | ground_speed_mph
    typical | 370.04405286343615
    fast | 464.26229508196724
    slow | 300.0
    ∅ | ∅
    ∅ | ∅
    ");
}

fn minutes() -> impl Strategy<Value = Option<f64>> {
    prop::option::weighted(
        0.9,
        prop_oneof![(-100..2_000_i32).prop_map(f64::from), any::<f64>()],
    )
    .prop_map(|minutes| minutes.filter(|minutes| !minutes.is_nan()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn both_say_what_their_rules_say(
        flights in prop::collection::vec((minutes(), minutes(), 0..5_000_i32, 0..24_i32), 1..50)
    ) {
        let columns = [
            ("dep_delay", floats(flights.iter().map(|flight| flight.0))),
            ("arr_delay", floats(flights.iter().map(|flight| flight.1))),
            ("distance", integers(flights.iter().map(|flight| flight.2))),
            ("hour", integers(flights.iter().map(|flight| flight.3))),
        ];
        let answer = evaluate(&compile(DISRUPTION).unwrap(), &columns);
        let paces = evaluate(
            &compile(PACE).unwrap(),
            &[("distance", Arc::clone(&columns[2].1)), ("air_time", Arc::clone(&columns[1].1))],
        );
        for (row, (dep, arr, distance, hour)) in flights.iter().copied().enumerate() {
            let (band, score) = disruption(dep, arr, distance, hour);
            let found = texts(answer.column(0));
            prop_assert_eq!(found.value(row), band);
            let found = answer.column(1).as_primitive::<Float64Type>().value(row);
            prop_assert_eq!(found.to_bits(), score.to_bits());

            let wanted = pace(distance, arr);
            let pace = texts(paces.column(0));
            let speed = paces.column(1).as_primitive::<Float64Type>();
            prop_assert_eq!(pace.is_valid(row).then(|| pace.value(row)), wanted.map(|(pace, _)| pace));
            prop_assert_eq!(
                speed.is_valid(row).then(|| speed.value(row).to_bits()),
                wanted.map(|(_, speed)| speed.to_bits())
            );
        }
    }
}

/// A year of flights must score while a user waits, in an unoptimised build too.
#[test]
fn a_batch_takes_microseconds_per_row() {
    let model = compile(DISRUPTION).unwrap();
    let rows = 8_192;
    let columns = [
        (
            "dep_delay",
            floats((0..rows).map(|row| Some(f64::from(row)))),
        ),
        (
            "arr_delay",
            floats((0..rows).map(|row| Some(f64::from(row) / 10.0))),
        ),
        ("distance", integers(0..rows)),
        ("hour", integers((0..rows).map(|row| row % 24))),
    ];
    let best = (0..3)
        .map(|_| {
            let start = Instant::now();
            let answer = evaluate(&model, &columns);
            start.elapsed() / u32::try_from(answer.len()).unwrap()
        })
        .min();
    println!("{best:?} per row");
    assert!(
        best < Some(Duration::from_micros(45)),
        "{best:?} per row: a year of flights takes over 15 s"
    );
}
