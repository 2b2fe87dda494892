//! Bits of NaN: whatever a model does to see those that arithmetic made, it sees what it would see if every result
//! were made canonical, as the reference's engine does.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::Int64Type;
use proptest::prelude::*;

use crate::support::{compile, component, evaluate};

/// Numbers and NaN of several kinds: both signs, quiet, signalling, with a payload.
const SPECIAL: [u64; 10] = [
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0xfff4_dead_beef_cafe,
    0x7ff8_0000_2000_0001,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x8000_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0xc005_0000_0000_0000,
];

/// Four `f64` locals, two `f32` ones, a memory, a global, a function, and steps that move floats between them.
#[derive(Clone, Debug)]
enum Step {
    Binary(usize, usize, usize, usize),
    Unary(usize, usize, usize),
    Single(usize, usize),
    Constant(usize, usize),
    Copy(usize, usize),
    Select(usize, usize, usize),
    If(usize, usize, usize),
    Loop(usize, usize),
    Table(usize, usize, usize),
    Memory(usize, usize),
    Global(usize),
    Call(usize, usize),
    Vector(usize, usize, usize),
    Lanes(usize, usize),
    Tell(usize, usize),
}

const BINARY: [&str; 7] = ["add", "sub", "mul", "div", "min", "max", "copysign"];
const UNARY: [&str; 7] = ["sqrt", "ceil", "floor", "trunc", "nearest", "neg", "abs"];

fn get(local: usize) -> String {
    format!("(local.get $f{local})")
}

fn set(local: usize, value: &str) -> String {
    format!("(local.set $f{local} {value})")
}

fn tell(bits: &str) -> String {
    format!("(local.set $acc (i64.add (i64.mul (local.get $acc) (i64.const 31)) {bits}))")
}

impl Step {
    fn text(&self) -> String {
        match *self {
            Self::Binary(to, a, b, op) => {
                set(to, &format!("(f64.{} {} {})", BINARY[op], get(a), get(b)))
            }
            Self::Unary(to, a, op) => set(to, &format!("(f64.{} {})", UNARY[op], get(a))),
            Self::Single(to, a) => format!(
                "(local.set $s0 (f32.{} (f32.demote_f64 {}) (local.get $s1)))
                 (local.set $s1 (f32.neg (local.get $s0))) {} {}",
                BINARY[(to + a) % 7],
                get(a),
                set(to, "(f64.promote_f32 (local.get $s1))"),
                tell("(i64.extend_i32_u (i32.reinterpret_f32 (local.get $s1)))"),
            ),
            Self::Constant(to, special) => set(
                to,
                &format!(
                    "(f64.reinterpret_i64 (i64.const {}))",
                    SPECIAL[special].cast_signed()
                ),
            ),
            Self::Copy(to, from) => format!("(drop (local.tee $f{to} {}))", get(from)),
            Self::Select(to, a, b) => set(
                to,
                &format!(
                    "(select (f64.add {} {}) {} (f64.lt {} {}))",
                    get(a),
                    get(b),
                    get(b),
                    get(a),
                    get(to)
                ),
            ),
            Self::If(to, a, b) => set(
                to,
                &format!(
                    "(if (result f64) (f64.eq {0} {0}) (then (f64.div {0} {1})) (else (f64.neg {1})))",
                    get(a),
                    get(b)
                ),
            ),
            Self::Loop(to, a) => set(
                to,
                &format!(
                    "(block $out (result f64) (loop $again (result f64)
                        (br_if $out (f64.mul {0} {1}) (f64.lt {0} {1}))
                        (br $out (f64.abs (f64.sub {0} {1})))))",
                    get(to),
                    get(a)
                ),
            ),
            Self::Table(to, a, b) => set(
                to,
                &format!(
                    "(block $x (result f64) (f64.add (f64.const 0) (block $y (result f64)
                        (br_table $x $y (f64.mul {} {}) (i32.wrap_i64 (local.get $acc))))))",
                    get(a),
                    get(b)
                ),
            ),
            Self::Memory(to, a) => format!(
                "(f64.store offset={} (i32.const 0) {}) {} {}",
                8 * a,
                get(a),
                set(to, &format!("(f64.load (i32.const {}))", 8 * to)),
                tell(&format!("(i64.load (i32.const {}))", 8 * a)),
            ),
            Self::Global(a) => format!(
                "(global.set $g (f64.add (global.get $g) {})) {}",
                get(a),
                tell("(i64.reinterpret_f64 (global.get $g))")
            ),
            Self::Call(to, a) => set(to, &format!("(call $f {} {})", get(a), get(to))),
            Self::Vector(to, a, op) => format!(
                "(local.set $v (f64x2.{} (f64x2.splat {}) (f64x2.replace_lane 1 (local.get $v) {}))) {} {}",
                BINARY[op % 6],
                get(a),
                get(to),
                set(to, "(f64x2.extract_lane 1 (local.get $v))"),
                tell("(i64x2.extract_lane 0 (local.get $v))")
            ),
            Self::Lanes(to, a) => format!(
                "(local.set $v (f32x4.{} (f32x4.demote_f64x2_zero (f64x2.splat {})))) {} {}",
                UNARY[to % 7],
                get(a),
                tell("(i64x2.extract_lane 0 (local.get $v))"),
                set(
                    to,
                    "(f64x2.extract_lane 0 (f64x2.promote_low_f32x4 (local.get $v)))"
                )
            ),
            Self::Tell(a, how) => match how {
                0 => tell(&format!("(i64.reinterpret_f64 {})", get(a))),
                1 => tell(&format!(
                    "(i64.reinterpret_f64 (f64.copysign (f64.const 2) {}))",
                    get(a)
                )),
                2 => tell(&format!("(i64.trunc_sat_f64_s {})", get(a))),
                _ => tell(&format!(
                    "(i64.extend_i32_u (f64.lt {} (f64.const 1)))",
                    get(a)
                )),
            },
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let local = || 0..4_usize;
    prop_oneof![
        6 => (local(), local(), local(), 0..7_usize).prop_map(|(to, a, b, op)| Step::Binary(to, a, b, op)),
        4 => (local(), local(), 0..7_usize).prop_map(|(to, a, op)| Step::Unary(to, a, op)),
        2 => (local(), local()).prop_map(|(to, a)| Step::Single(to, a)),
        4 => (local(), 0..SPECIAL.len()).prop_map(|(to, special)| Step::Constant(to, special)),
        2 => (local(), local()).prop_map(|(to, from)| Step::Copy(to, from)),
        1 => (local(), local(), local()).prop_map(|(to, a, b)| Step::Select(to, a, b)),
        1 => (local(), local(), local()).prop_map(|(to, a, b)| Step::If(to, a, b)),
        1 => (local(), local()).prop_map(|(to, a)| Step::Loop(to, a)),
        1 => (local(), local(), local()).prop_map(|(to, a, b)| Step::Table(to, a, b)),
        2 => (local(), local()).prop_map(|(to, a)| Step::Memory(to, a)),
        1 => local().prop_map(Step::Global),
        1 => (local(), local()).prop_map(|(to, a)| Step::Call(to, a)),
        1 => (local(), local(), 0..7_usize).prop_map(|(to, a, op)| Step::Vector(to, a, op)),
        1 => (local(), local()).prop_map(|(to, a)| Step::Lanes(to, a)),
        2 => (local(), 0..4_usize).prop_map(|(a, how)| Step::Tell(a, how)),
    ]
}

fn model(steps: &[Step]) -> Vec<u8> {
    let steps: Vec<String> = steps.iter().map(Step::text).collect();
    component(
        "export row: func(a: f64, b: f64) -> s64;",
        &format!(
            r#"(module (memory 1) (global $g (mut f64) (f64.const 0))
                (func $f (param f64 f64) (result f64)
                    (f64.sub (local.get 0) (f64.mul (local.get 1) (local.get 1))))
                (func (export "row") (param $f0 f64) (param $f1 f64) (result i64)
                    (local $f2 f64) (local $f3 f64) (local $s0 f32) (local $s1 f32) (local $v v128) (local $acc i64)
                    {} (local.get $acc)))"#,
            steps.join("\n")
        ),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::support::cases(48)))]

    #[test]
    fn no_model_sees_bits_that_the_machine_chose(
        steps in prop::collection::vec(step(), 1..30),
        rows in prop::collection::vec((0..SPECIAL.len(), 0..SPECIAL.len()), 1..12),
    ) {
        let mut steps = steps;
        steps.extend((0..4).map(|local| Step::Tell(local, 0)));
        let column = |pick: fn(&(usize, usize)) -> usize| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|row| f64::from_bits(SPECIAL[pick(row)])),
            ))
        };
        // Compares the woven way with the reference.
        evaluate(&compile(&model(&steps)).unwrap(), &[("a", column(|row| row.0)), ("b", column(|row| row.1))]);
    }
}

/// The answer of a model that looks at the bits of a float, for a NaN with a payload and one more number.
fn bits_of(items: &str, float: &str) -> i64 {
    let module = format!(
        r#"(module (memory 1) {items}
            (func (export "row") (param $a f64) (param $b f64) (result i64) (local $c f64) {float}))"#
    );
    let model = compile(&component(
        "export row: func(a: f64, b: f64) -> s64;",
        &module,
    ))
    .unwrap();
    let payload: ArrayRef = Arc::new(Float64Array::from(vec![f64::from_bits(
        0xfff8_dead_beef_cafe,
    )]));
    let one: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let answer: Int64Array = evaluate(&model, &[("a", payload), ("b", one)])
        .column(0)
        .as_primitive::<Int64Type>()
        .clone();
    answer.value(0)
}

const CANONICAL: i64 = 0x7ff8_0000_0000_0000;
const PAYLOAD: i64 = 0xfff8_dead_beef_cafe_u64.cast_signed();

#[test]
fn what_arithmetic_made_is_canonical_wherever_it_is_told() {
    let sum = "(f64.add (local.get $a) (local.get $b))";
    for told in [
        format!("(i64.reinterpret_f64 {sum})"),
        format!("(i64.reinterpret_f64 (f64.abs (f64.neg {sum})))"),
        format!("(f64.store (i32.const 8) {sum}) (i64.load (i32.const 8))"),
        format!("(local.set $c {sum}) (i64.reinterpret_f64 (local.get $c))"),
        format!("(i64.reinterpret_f64 (select {sum} (local.get $b) (i32.const 1)))"),
        format!("(i64.reinterpret_f64 (block (result f64) (br 0 {sum})))"),
        format!(
            "(i64.reinterpret_f64 (if (result f64) (i32.const 1) (then {sum}) (else (f64.const 0))))"
        ),
        format!("(i64x2.extract_lane 1 (f64x2.splat {sum}))"),
        format!(
            "(i64x2.extract_lane 1 (f64x2.mul (f64x2.splat {sum}) (f64x2.splat (local.get $b))))"
        ),
    ] {
        assert_eq!(bits_of("", &told), CANONICAL, "{told}");
    }
    let sign = format!("(i64.reinterpret_f64 (f64.copysign (f64.const 2) {sum}))");
    assert_eq!(bits_of("", &sign), 2.0_f64.to_bits().cast_signed());
    let items = "(global $g (mut f64) (f64.const 0)) (func $bits (param f64) (result i64) (i64.reinterpret_f64 (local.get 0)))
        (func $sum (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))";
    for told in [
        format!("(global.set $g {sum}) (i64.reinterpret_f64 (global.get $g))"),
        format!("(call $bits {sum})"),
        "(i64.reinterpret_f64 (call $sum (local.get $a) (local.get $b)))".to_owned(),
    ] {
        assert_eq!(bits_of(items, &told), CANONICAL, "{told}");
    }
}

#[test]
fn what_arithmetic_did_not_make_is_untouched() {
    for told in [
        "(i64.reinterpret_f64 (local.get $a))",
        "(f64.store (i32.const 8) (local.get $a)) (i64.load (i32.const 8))",
        "(i64.reinterpret_f64 (f64.neg (f64.neg (local.get $a))))",
        "(i64.reinterpret_f64 (select (local.get $a) (f64.add (local.get $a) (local.get $b)) (i32.const 1)))",
        "(i64.reinterpret_f64 (if (result f64) (i32.const 0) (then (f64.sqrt (local.get $a))) (else (local.get $a))))",
    ] {
        assert_eq!(bits_of("", told), PAYLOAD, "{told}");
    }
}

/// `row`'s own result may be loose only where nobody else is given it.
#[test]
fn the_result_of_row_called_by_the_model_itself_is_told() {
    let again = component(
        "export row: func(a: f64, b: f64) -> f64;",
        r#"(module
            (func $row (export "row") (param f64 f64) (result f64)
                (if (f64.eq (local.get 1) (f64.const 0)) (then (return (f64.add (local.get 0) (local.get 0)))))
                (f64.copysign (f64.const 3) (call $row (local.get 0) (f64.const 0)))))"#,
    );
    let payload: ArrayRef = Arc::new(Float64Array::from(vec![f64::from_bits(
        PAYLOAD.cast_unsigned(),
    )]));
    let one: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let answer = evaluate(&compile(&again).unwrap(), &[("a", payload), ("b", one)]);
    assert_eq!(answer.column(0).as_ref(), &Float64Array::from(vec![3.0]));
}
