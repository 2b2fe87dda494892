//! Many at once: two threads, and a thousand models.

use std::sync::Barrier;
use std::time::Instant;

use arrow::array::{ArrayRef, Int32Array};
use weir_model::{Binding, Limits, Model, Runtime, admit};

use crate::cases::numbers;
use crate::harness::{ROWS, bind, column, component};

/// Times that one thread and two take turns.
const TURNS: usize = 15;
/// Batches a thread answers per turn.
const BATCHES: usize = 400;
const MODELS: usize = 1_000;

/// A model that keeps its engine busy: some arithmetic, a store, a global.
fn busy(salt: usize) -> Vec<u8> {
    component(
        "export row: func(x: s32) -> s32;",
        &format!(
            r#"(module (memory (export "memory") 2) (global $g (mut i32) (i32.const {salt}))
                (func (export "row") (param $x i32) (result i32)
                    (global.set $g (i32.mul (global.get $g) (local.get $x)))
                    (i32.store (i32.and (local.get $x) (i32.const 4095)) (global.get $g))
                    (i32.add (global.get $g) (i32.load offset=8 (i32.const {salt})))))"#
        ),
    )
}

fn rows() -> ArrayRef {
    column(Int32Array::from_iter_values(
        numbers(1).map(|n| (n % 1_000) as i32),
    ))
}

/// Rows a second that some threads answer together, each with an evaluator of its own.
fn rate(binding: &Binding, rows: &ArrayRef, threads: usize) -> f64 {
    let barrier = Barrier::new(threads + 1);
    let mut start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (barrier, columns) = (&barrier, [rows.clone()]);
            scope.spawn(move || {
                let mut evaluator = binding.evaluator();
                evaluator.evaluate(&columns, ROWS).unwrap();
                barrier.wait();
                for _ in 0..BATCHES {
                    evaluator.evaluate(&columns, ROWS).unwrap();
                }
            });
        }
        barrier.wait();
        start = Instant::now();
    });
    (threads * BATCHES * ROWS) as f64 / start.elapsed().as_secs_f64()
}

/// How much faster two threads are than one, median of the turns, with the lowest and highest.
pub(crate) fn threads() {
    let rows = rows();
    let binding = bind(&busy(7), &[("x", rows.clone())]);
    let mut ratios: Vec<f64> = (0..TURNS)
        .map(|_| rate(&binding, &rows, 2) / rate(&binding, &rows, 1))
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "two threads answer {:.2} ({:.2}–{:.2}) times the rows of one",
        ratios[TURNS / 2],
        ratios[0],
        ratios[TURNS - 1]
    );
}

/// Bytes of this process that are in memory.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<usize>().unwrap() * 1_024
}

/// What 1,000 different models take that were compiled, bound, each asked one batch, and are idle.
pub(crate) fn memory() {
    let limits = Limits::default();
    let runtime = Runtime::new(&limits).unwrap();
    let rows = rows();
    let models: Vec<Vec<u8>> = (0..=MODELS).map(busy).collect();
    let load = |component: &Vec<u8>| -> Model {
        let model = runtime
            .compile(&admit(component, &limits).unwrap())
            .unwrap();
        let schema = arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new(
            "x",
            arrow::datatypes::DataType::Int32,
            true,
        )]);
        let mut evaluator = model.bind(&schema).unwrap().evaluator();
        evaluator.evaluate(&[rows.clone()], ROWS).unwrap();
        model
    };
    let first = load(&models[0]);
    let before = resident_bytes();
    let loaded: Vec<Model> = models[1..].iter().map(load).collect();
    let idle = resident_bytes() - before;
    println!(
        "{MODELS} idle models take {:.1} KiB each, code and component included",
        idle as f64 / 1_024.0 / MODELS as f64
    );
    drop((first, loaded));
}
