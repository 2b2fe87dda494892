//! The models that are measured.

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int32Array, StringArray, UInt8Array,
    UInt32Array,
};
use arrow::datatypes::{Float64Type, Int32Type, UInt32Type};

use crate::harness::{Case, ROWS, column, component};
use crate::{rust, trees};

type Make = fn() -> Case;

pub(crate) const ALL: &[(&str, Make)] = &[
    ("scalar: 3 numbers in, 1 out", scalar),
    ("`disruption` (C, options in, record out)", disruption),
    ("`pace` (AssemblyScript, record of options out)", pace),
    ("`strain` (Rust, 3 numbers in, record out)", rust::strain),
    ("`business` (Rust, string in, record out)", rust::business),
    ("string of 16 bytes in, sum of its bytes out", string),
    ("100 trees of depth 6 over 8 numbers", trees::case),
    ("`unit`: 10 rows of 2 numbers in, 1 out", unit),
];

/// Numbers that look random, the same in every run.
pub(crate) fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    })
    .take(ROWS)
}

fn floats(seed: u64, below: u64) -> ArrayRef {
    column(Float64Array::from_iter_values(
        numbers(seed).map(|n| (n % below) as f64),
    ))
}

pub(crate) fn integers(seed: u64, below: u64) -> ArrayRef {
    column(Int32Array::from_iter_values(
        numbers(seed).map(|n| (n % below) as i32),
    ))
}

#[inline(never)]
fn score(age: f64, power: f64, claims: i32) -> f64 {
    let risk = age * 0.03 + power * 0.5 + f64::from(claims);
    if risk > 40.0 {
        1.0
    } else {
        risk / (1.0 + risk)
    }
}

fn scalar() -> Case {
    let model = component(
        "export row: func(age: f64, power: f64, claims: s32) -> f64;",
        r#"(module (func (export "row") (param $age f64) (param $power f64) (param $claims i32) (result f64)
            (local $risk f64)
            (local.set $risk (f64.add
                (f64.add (f64.mul (local.get $age) (f64.const 0.03)) (f64.mul (local.get $power) (f64.const 0.5)))
                (f64.convert_i32_s (local.get $claims))))
            (if (result f64) (f64.gt (local.get $risk) (f64.const 40))
                (then (f64.const 1))
                (else (f64.div (local.get $risk) (f64.add (f64.const 1) (local.get $risk)))))))"#,
    );
    let columns = vec![
        ("age", floats(1, 100)),
        ("power", floats(2, 90)),
        ("claims", integers(3, 9)),
    ];
    Case::new(&model, columns, |columns| {
        let ages = columns[0].as_primitive::<Float64Type>().values();
        let powers = columns[1].as_primitive::<Float64Type>().values();
        let claims = columns[2].as_primitive::<Int32Type>().values();
        let scores = ages.iter().zip(powers).zip(claims);
        vec![column(Float64Array::from_iter_values(
            scores.map(|((age, power), claims)| score(*age, *power, *claims)),
        ))]
    })
}

#[inline(never)]
fn disrupted(dep: Option<f64>, arr: Option<f64>, distance: i32, hour: i32) -> (u32, f64) {
    let (Some(_), Some(arr)) = (dep, arr) else {
        return (4, 1.0);
    };
    let late = if arr > 0.0 { arr } else { 0.0 };
    let relative = late / (60.0 + f64::from(distance) / 8.0);
    let score = relative * if hour >= 17 { 1.25 } else { 1.0 };
    let score = if score > 1.0 { 1.0 } else { score };
    let band = match score {
        s if s < 0.05 => 0,
        s if s < 0.25 => 1,
        s if s < 0.6 => 2,
        _ => 3,
    };
    (band, score)
}

/// A column of an enum's cases, by their numbers.
pub(crate) fn cases(numbers: impl Iterator<Item = Option<u8>>, names: &[&str]) -> ArrayRef {
    let names = column(StringArray::from(names.to_vec()));
    let numbers = UInt8Array::from_iter(numbers);
    column(DictionaryArray::try_new(numbers, names).unwrap())
}

fn delays(seed: u64) -> ArrayRef {
    column(Float64Array::from_iter(
        numbers(seed).map(|n| (n % 40 != 0).then_some((n % 200) as f64 - 40.0)),
    ))
}

fn disruption() -> Case {
    const BANDS: [&str; 5] = ["on-time", "minor", "major", "severe", "cancelled"];
    let model = include_bytes!("../../../../examples/flights/models/disruption/disruption.wasm");
    let columns = vec![
        ("dep_delay", delays(1)),
        ("arr_delay", delays(2)),
        ("distance", integers(3, 5_000)),
        ("hour", integers(4, 24)),
    ];
    Case::new(model, columns, |columns| {
        let deps = columns[0].as_primitive::<Float64Type>();
        let arrs = columns[1].as_primitive::<Float64Type>();
        let distances = columns[2].as_primitive::<Int32Type>().values();
        let hours = columns[3].as_primitive::<Int32Type>().values();
        let rows = deps.iter().zip(arrs).zip(distances.iter().zip(hours));
        let answers =
            rows.map(|((dep, arr), (distance, hour))| disrupted(dep, arr, *distance, *hour));
        let (bands, scores): (Vec<u32>, Vec<f64>) = answers.unzip();
        vec![
            cases(bands.iter().map(|band| Some(*band as u8)), &BANDS),
            column(Float64Array::from(scores)),
        ]
    })
}

#[inline(never)]
fn paced(distance: i32, air_time: Option<f64>) -> Option<(u8, f64)> {
    let minutes = air_time.filter(|minutes| *minutes > 0.0)?;
    let speed = f64::from(distance) / (minutes / 60.0);
    let pace = match speed {
        s if s < 350.0 => 0,
        s if s < 430.0 => 1,
        _ => 2,
    };
    Some((pace, speed))
}

fn pace() -> Case {
    const PACES: [&str; 3] = ["slow", "typical", "fast"];
    let model = include_bytes!("../../../../examples/flights/models/pace/pace.wasm");
    let columns = vec![("distance", integers(1, 5_000)), ("air_time", delays(2))];
    Case::new(model, columns, |columns| {
        let distances = columns[0].as_primitive::<Int32Type>().values();
        let rows = distances
            .iter()
            .zip(columns[1].as_primitive::<Float64Type>());
        let answers: Vec<_> = rows.map(|(distance, air)| paced(*distance, air)).collect();
        vec![
            cases(
                answers.iter().map(|answer| answer.map(|(pace, _)| pace)),
                &PACES,
            ),
            column(Float64Array::from_iter(
                answers.iter().map(|answer| answer.map(|(_, speed)| speed)),
            )),
        ]
    })
}

#[inline(never)]
fn sum(text: &str) -> u32 {
    text.bytes().map(u32::from).sum()
}

fn string() -> Case {
    let model = component(
        "export row: func(text: string) -> u32;",
        r#"(module (memory (export "memory") 1) (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get $new))))
            (func (export "row") (param $at i32) (param $length i32) (result i32)
                (local $sum i32) (local $end i32)
                (local.set $end (i32.add (local.get $at) (local.get $length)))
                (block $done (loop $next
                    (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
                    (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br $next)))
                (local.get $sum)))"#,
    );
    let texts =
        StringArray::from_iter_values(numbers(1).map(|n| format!("{:016}", n % 10_u64.pow(16))));
    Case::new(&model, vec![("text", column(texts))], |columns| {
        let texts = columns[0].as_string::<i32>();
        let sums = (0..texts.len()).map(|row| sum(texts.value(row)));
        let sums: UInt32Array = arrow::array::PrimitiveArray::<UInt32Type>::from_iter_values(sums);
        vec![column(sums)]
    })
}

/// Mean of the products, weighted by position: something that needs all rows, in order.
#[inline(never)]
fn drift(levels: &[f64], counts: &[i32]) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (level, count) in levels.iter().zip(counts) {
        let weight = f64::from(*count);
        sum = sum * 0.5 + level * weight;
        total += weight;
    }
    sum / total
}

/// Rows of a unit.
const UNIT_ROWS: usize = 10;

fn unit() -> Case {
    let model = component(
        "record item { level: f64, count: s32 } export unit: func(items: list<item>) -> f64;",
        r#"(module (memory (export "memory") 1) (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get $new))))
            (func (export "unit") (param $at i32) (param $count i32) (result f64)
                (local $sum f64) (local $total f64) (local $weight f64)
                (loop $next
                    (local.set $weight (f64.convert_i32_s (i32.load offset=8 (local.get $at))))
                    (local.set $sum (f64.add (f64.mul (local.get $sum) (f64.const 0.5))
                        (f64.mul (f64.load (local.get $at)) (local.get $weight))))
                    (local.set $total (f64.add (local.get $total) (local.get $weight)))
                    (local.set $at (i32.add (local.get $at) (i32.const 16)))
                    (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
                (f64.div (local.get $sum) (local.get $total))))"#,
    );
    let units = column(UInt32Array::from_iter_values(
        (0..ROWS as u32).map(|row| row / UNIT_ROWS as u32),
    ));
    let columns = vec![("level", floats(1, 100)), ("count", integers(2, 90))];
    Case::of_units(&model, &units, columns, |columns| {
        let levels = columns[0].as_primitive::<Float64Type>().values();
        let counts = columns[1].as_primitive::<Int32Type>().values();
        let units = levels.chunks(UNIT_ROWS).zip(counts.chunks(UNIT_ROWS));
        vec![column(Float64Array::from_iter_values(
            units.map(|(levels, counts)| drift(levels, counts)),
        ))]
    })
}
