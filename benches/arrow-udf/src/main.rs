//! One function of three numbers, in Weir and in arrow-udf-runtime, side by side in one process.
//!
//! Weir gives every row a model as new; arrow-udf-runtime isolates nothing between rows. Build the guest first:
//! `cargo build --release -p guest --target wasm32-wasip1`, then `cargo run --release`; with `--json` every turn is told
//! for a program, and `--turns N` says how many there are. `weir bench` calls it so.

use std::sync::Arc;
use std::time::Instant;

const ROWS: usize = 8192;
const BATCHES: usize = 200;
const TURNS: usize = 25;
/// As in the manifest.
const PEER_VERSION: &str = "0.10";

fn numbers(seed: u64, below: u64) -> Vec<u64> {
    let mut state = seed;
    let step = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..ROWS).map(step).collect()
}

fn component() -> Vec<u8> {
    let wit = "package bench:score; world model { export row: func(age: f64, power: f64, claims: s32) -> f64; }";
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("model.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(
        r#"(module (func (export "row") (param $age f64) (param $power f64) (param $claims i32) (result f64)
            (local $risk f64)
            (local.set $risk (f64.add
                (f64.add (f64.mul (local.get $age) (f64.const 0.03)) (f64.mul (local.get $power) (f64.const 0.5)))
                (f64.convert_i32_s (local.get $claims))))
            (if (result f64) (f64.gt (local.get $risk) (f64.const 40))
                (then (f64.const 1))
                (else (f64.div (local.get $risk) (f64.add (f64.const 1) (local.get $risk)))))))"#,
    )
    .unwrap();
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .unwrap();
    wit_component::ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

/// Built beside this program, in the folder of its target.
fn guest() -> Vec<u8> {
    let program = std::env::current_exe().unwrap();
    let target = program.parent().unwrap().parent().unwrap();
    std::fs::read(target.join("wasm32-wasip1/release/guest.wasm")).expect("build the guest first")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let turns = arguments.windows(2).find(|pair| pair[0] == "--turns");
    let turns = turns.map_or(TURNS, |pair| pair[1].parse().expect("a number of turns"));
    let floats = |seed, below| {
        numbers(seed, below)
            .into_iter()
            .map(|n| n as f64)
            .collect::<Vec<f64>>()
    };
    let (ages, powers) = (floats(1, 100), floats(2, 90));
    let claims: Vec<i32> = numbers(3, 9).into_iter().map(|n| n as i32).collect();

    // Weir.
    use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array};
    use arrow::datatypes::{DataType, Field, Float64Type, Schema};
    let limits = weir_model::Limits::default();
    let model = weir_model::Runtime::new(&limits).unwrap();
    let model = model
        .compile(&weir_model::admit(&component(), &limits).unwrap())
        .unwrap();
    let schema = Schema::new(vec![
        Field::new("age", DataType::Float64, false),
        Field::new("power", DataType::Float64, false),
        Field::new("claims", DataType::Int32, false),
    ]);
    let mut evaluator = model.bind(&schema).unwrap().evaluator();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(ages.clone())),
        Arc::new(Float64Array::from(powers.clone())),
        Arc::new(Int32Array::from(claims.clone())),
    ];

    // arrow-udf-runtime.
    let runtime = arrow_udf_runtime::wasm::Runtime::new(&guest()).unwrap();
    use peer_schema::{DataType as PeerType, Field as PeerField, Schema as PeerSchema};
    let peer_schema = Arc::new(PeerSchema::new(vec![
        PeerField::new("age", PeerType::Float64, false),
        PeerField::new("power", PeerType::Float64, false),
        PeerField::new("claims", PeerType::Int32, false),
    ]));
    let handle = runtime
        .find_function(
            "score",
            vec![PeerType::Float64, PeerType::Float64, PeerType::Int32],
            PeerType::Float64,
        )
        .unwrap();
    let input = peer_arrow::RecordBatch::try_new(
        peer_schema,
        vec![
            Arc::new(peer_arrow::Float64Array::from(ages)),
            Arc::new(peer_arrow::Float64Array::from(powers)),
            Arc::new(peer_arrow::Int32Array::from(claims)),
        ],
    )
    .unwrap();

    // The same answers, before anything is timed.
    let ours = evaluator.evaluate(&columns, ROWS).unwrap();
    let ours = ours
        .column(0)
        .as_primitive::<Float64Type>()
        .values()
        .to_vec();
    let theirs = runtime.call(&handle, &input).unwrap();
    let theirs = theirs
        .column(0)
        .as_any()
        .downcast_ref::<peer_arrow::Float64Array>()
        .unwrap();
    assert_eq!(ours, theirs.values().to_vec());

    let (mut weir, mut peer, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns {
        let start = Instant::now();
        for _ in 0..BATCHES {
            std::hint::black_box(evaluator.evaluate(&columns, ROWS).unwrap());
        }
        let ours = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for _ in 0..BATCHES {
            std::hint::black_box(runtime.call(&handle, &input).unwrap());
        }
        let theirs = start.elapsed().as_secs_f64();
        weir.push(ours * 1e9 / (ROWS * BATCHES) as f64);
        peer.push(theirs * 1e9 / (ROWS * BATCHES) as f64);
        ratios.push(theirs / ours);
    }
    if json {
        println!(
            "{{\"version\":\"{PEER_VERSION}\",\"weir_ns\":{weir:?},\"peer_ns\":{peer:?}}}"
        );
        return;
    }
    for values in [&mut weir, &mut peer, &mut ratios] {
        values.sort_by(f64::total_cmp);
    }
    println!("weir              {:.2} ns per row", weir[turns / 2]);
    println!("arrow-udf-runtime {:.2} ns per row", peer[turns / 2]);
    println!(
        "arrow-udf-runtime ÷ weir {:.2} ({:.2}–{:.2})",
        ratios[turns / 2],
        ratios[0],
        ratios[turns - 1]
    );
}
