//! The Rust examples: what `rustc` makes by the ordinary component toolchain.

use arrow::array::{Array, AsArray, Float64Array, StringArray};
use arrow::datatypes::Int32Type;

use crate::cases::{cases, integers, numbers};
use crate::harness::{Case, column};

#[inline(never)]
fn strained(distance: i32, hour: i32, month: i32) -> (u8, f64) {
    let planned_min = 60.0 + f64::from(distance) / 8.0;
    let evening = if hour >= 17 { 1.25 } else { 1.0 };
    let winter = if month == 12 || month <= 2 { 1.2 } else { 1.0 };
    let strain = (planned_min * evening * winter / 600.0).clamp(0.0, 1.0);
    let band = match strain {
        strain if strain < 0.25 => 0,
        strain if strain < 0.5 => 1,
        _ => 2,
    };
    (band, strain)
}

pub(crate) fn strain() -> Case {
    const BANDS: [&str; 3] = ["light", "normal", "heavy"];
    let model = include_bytes!("../../../../examples/flights/models/strain/strain.wasm");
    let columns = vec![
        ("distance", integers(1, 5_000)),
        ("hour", integers(2, 24)),
        ("month", integers(3, 13)),
    ];
    Case::new(model, columns, |columns| {
        let [distances, hours, months] =
            [0, 1, 2].map(|input| columns[input].as_primitive::<Int32Type>().values());
        let rows = distances.iter().zip(hours).zip(months);
        let (bands, strains): (Vec<u8>, Vec<f64>) = rows
            .map(|((distance, hour), month)| strained(*distance, *hour, *month))
            .unzip();
        vec![
            cases(bands.into_iter().map(Some), &BANDS),
            column(Float64Array::from(strains)),
        ]
    })
}

#[inline(never)]
fn kind_and_reach(carrier: &str, distance: i32) -> (u8, f64) {
    let (kind, usual_miles) = match carrier.trim() {
        "AA" | "AS" | "DL" | "HA" | "UA" | "US" => (0, 1_100.0),
        "B6" | "F9" | "FL" | "VX" | "WN" => (1, 1_000.0),
        "9E" | "EV" | "MQ" | "OO" | "YV" => (2, 500.0),
        _ => (3, 800.0),
    };
    (kind, f64::from(distance) / usual_miles)
}

pub(crate) fn business() -> Case {
    const KINDS: [&str; 4] = ["network", "low-cost", "regional", "other"];
    const CARRIERS: [&str; 6] = ["AA", "UA", "B6", "EV", "MQ", "XX"];
    let model = include_bytes!("../../../../examples/flights/models/business/business.wasm");
    let carriers = numbers(1).map(|n| CARRIERS[n as usize % CARRIERS.len()]);
    let columns = vec![
        ("carrier", column(StringArray::from_iter_values(carriers))),
        ("distance", integers(2, 5_000)),
    ];
    Case::new(model, columns, |columns| {
        let carriers = columns[0].as_string::<i32>();
        let distances = columns[1].as_primitive::<Int32Type>().values();
        let rows = (0..carriers.len()).zip(distances);
        let (kinds, reaches): (Vec<u8>, Vec<f64>) = rows
            .map(|(row, distance)| kind_and_reach(carriers.value(row), *distance))
            .unzip();
        vec![
            cases(kinds.into_iter().map(Some), &KINDS),
            column(Float64Array::from(reaches)),
        ]
    })
}
