//! Random stateful models: woven and fresh instances must agree on every row, in any split and order.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use proptest::prelude::*;
use weir_model::{Binding, Evaluator, Isolation};

use crate::support::{compile, integer_model};

/// One step of a model's program. Each mixes what it finds into the answer, so that any state that is left shows.
#[derive(Clone, Debug)]
enum Step {
    /// Loads, changes and stores back, by an instruction of some width, near some address.
    Memory {
        width: usize,
        address: i32,
        by_row: bool,
    },
    Vector {
        address: i32,
    },
    Lane {
        address: i32,
    },
    Fill {
        address: i32,
        length: i32,
    },
    Copy {
        from: i32,
        to: i32,
        length: i32,
    },
    Init {
        to: i32,
    },
    Global(usize),
    Grow(i32),
    Size,
    /// Reads and writes where memory may or may not have grown to.
    Beyond(i32),
    Trap(i32),
    Spin(i32),
    Recurse(i32),
    Table,
    Drop,
}

const WIDTHS: [(&str, &str, &str); 9] = [
    ("i32.store8", "i32.load8_u", ""),
    ("i32.store16", "i32.load16_s", ""),
    ("i32.store", "i32.load", ""),
    ("i64.store8", "i64.load8_s", "i64"),
    ("i64.store16", "i64.load16_u", "i64"),
    ("i64.store32", "i64.load32_u", "i64"),
    ("i64.store", "i64.load", "i64"),
    ("f32.store", "f32.load", "f32"),
    ("f64.store", "f64.load", "f64"),
];

const ITEMS: &str = r#"
    (memory 1 4) (table $t 4 8 funcref) (elem declare func $f) (func $f)
    (data (i32.const 100) "pristine bytes of the model") (data $passive "\05\06\07\08")
    (global $g0 (mut i32) (i32.const 7)) (global $g1 (mut i64) (i64.const 8))
    (global $g2 (mut f64) (f64.const 9)) (global $g3 (mut funcref) (ref.null func))
    (func $deep (param i32) (result i32)
        (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))"#;

fn mix(value: &str) -> String {
    format!("(local.set $acc (i32.add (i32.mul (local.get $acc) (i32.const 31)) {value}))")
}

fn on_multiple(of: i32, then: &str) -> String {
    format!("(if (i32.eqz (i32.rem_s (local.get $x) (i32.const {of}))) (then {then}))")
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Memory {
                width,
                address,
                by_row,
            } => {
                let (store, load, ty) = WIDTHS[*width];
                let base = match by_row {
                    true => "(i32.and (local.get $x) (i32.const 4095))",
                    false => "(i32.const 0)",
                };
                let (value, to_int) = match ty {
                    "" => ("(local.get $acc)".to_owned(), String::new()),
                    "i64" => (
                        "(i64.extend_i32_s (local.get $acc))".to_owned(),
                        "i32.wrap_i64".to_owned(),
                    ),
                    float => (
                        format!("({float}.convert_i32_s (local.get $acc))"),
                        format!("i32.trunc_sat_{float}_s"),
                    ),
                };
                let loaded = format!("({load} offset={address} {base})");
                let loaded = match to_int.as_str() {
                    "" => loaded,
                    convert => format!("({convert} {loaded})"),
                };
                format!("{} ({store} offset={address} {base} {value})", mix(&loaded))
            }
            Self::Vector { address } => format!(
                "{} (v128.store (i32.const {address}) (i32x4.splat (local.get $acc)))",
                mix(&format!(
                    "(i32x4.extract_lane 2 (v128.load (i32.const {address})))"
                ))
            ),
            Self::Lane { address } => format!(
                "(v128.store16_lane 3 (i32.const {address})
                    (v128.load8_lane 6 (i32.const {address}) (i32x4.splat (local.get $acc)))) {}",
                mix(&format!("(i32.load16_u (i32.const {address}))"))
            ),
            Self::Fill { address, length } => format!(
                "{} (memory.fill (i32.const {address}) (local.get $x) (i32.const {length}))",
                mix(&format!("(i32.load8_u (i32.const {address}))"))
            ),
            Self::Copy { from, to, length } => format!(
                "(memory.copy (i32.const {to}) (i32.const {from}) (i32.const {length})) {}",
                mix(&format!("(i32.load8_u (i32.const {to}))"))
            ),
            Self::Init { to } => format!(
                "(memory.init $passive (i32.const {to}) (i32.const 1) (i32.const 3)) {}",
                mix(&format!("(i32.load (i32.const {to}))"))
            ),
            Self::Global(0) => format!(
                "{} (global.set $g0 (local.get $acc))",
                mix("(global.get $g0)")
            ),
            Self::Global(1) => format!(
                "{} (global.set $g1 (i64.extend_i32_u (local.get $acc)))",
                mix("(i32.wrap_i64 (global.get $g1))")
            ),
            Self::Global(2) => format!(
                "{} (global.set $g2 (f64.convert_i32_s (local.get $acc)))",
                mix("(i32.trunc_sat_f64_s (global.get $g2))")
            ),
            Self::Global(_) => format!(
                "{} (global.set $g3 (ref.func $f))",
                mix("(ref.is_null (global.get $g3))")
            ),
            Self::Grow(pages) => mix(&format!("(memory.grow (i32.const {pages}))")),
            Self::Size => mix("(memory.size)"),
            Self::Beyond(address) => on_multiple(
                3,
                &format!(
                    "{} (i32.store (i32.const {address}) (local.get $acc))",
                    mix(&format!("(i32.load (i32.const {address}))"))
                ),
            ),
            Self::Trap(of) => on_multiple(*of, "unreachable"),
            Self::Spin(of) => on_multiple(*of, "(loop $spin (br $spin))"),
            Self::Recurse(of) => on_multiple(*of, "(drop (call $deep (i32.const 0)))"),
            Self::Table => format!(
                "{} (table.set $t (i32.const 1) (ref.func $f)) (drop (table.grow $t (ref.null func) (i32.const 1)))",
                mix("(i32.add (table.size $t) (ref.is_null (table.get $t (i32.const 1))))")
            ),
            Self::Drop => "(memory.init $passive (i32.const 8) (i32.const 0) (i32.const 1)) (data.drop $passive)".to_owned(),
        }
    }
}

fn address() -> impl Strategy<Value = i32> {
    // Around the borders of lines, the model's data, and the end of the first page.
    prop_oneof![0..200_i32, 4_000..4_200_i32, 65_400..65_540_i32]
}

fn step() -> impl Strategy<Value = Step> {
    let length = || prop_oneof![0..20_i32, 60..300_i32];
    prop_oneof![
        8 => (0..9_usize, address(), any::<bool>())
            .prop_map(|(width, address, by_row)| Step::Memory { width, address, by_row }),
        2 => address().prop_map(|address| Step::Vector { address }),
        1 => address().prop_map(|address| Step::Lane { address }),
        2 => (address(), length()).prop_map(|(address, length)| Step::Fill { address, length }),
        2 => (address(), address(), length()).prop_map(|(from, to, length)| Step::Copy { from, to, length }),
        1 => address().prop_map(|to| Step::Init { to }),
        3 => (0..4_usize).prop_map(Step::Global),
        1 => (0..3_i32).prop_map(Step::Grow),
        1 => Just(Step::Size),
        1 => (65_500..140_000_i32).prop_map(Step::Beyond),
        1 => (2..9_i32).prop_map(Step::Trap),
        1 => (5..20_i32).prop_map(Step::Spin),
        1 => (5..20_i32).prop_map(Step::Recurse),
    ]
}

fn binding(steps: &[Step]) -> Binding {
    let program: Vec<String> = steps.iter().map(Step::text).collect();
    let body = format!(
        "(local $acc i32) (local.set $acc (local.get $x)) {} (local.get $acc)",
        program.join("\n")
    );
    let model = compile(&integer_model(ITEMS, &body)).unwrap();
    let schema = Schema::new(vec![Field::new("x", DataType::Int32, true)]);
    model.bind(&schema).unwrap()
}

fn answers(evaluator: &mut Evaluator, rows: &[i32]) -> Vec<Option<i32>> {
    let column: ArrayRef = Arc::new(Int32Array::from(rows.to_vec()));
    let answer = evaluator.evaluate(&[column], rows.len()).unwrap();
    answer
        .column(0)
        .as_primitive::<Int32Type>()
        .iter()
        .collect()
}

/// Woven in one batch, in two, in another order, checked row by row: always what fresh instances say.
fn agree(steps: &[Step], rows: &[i32], cut: usize) -> Result<Isolation, TestCaseError> {
    let binding = binding(steps);
    let wanted = answers(&mut binding.reference_evaluator(), rows);
    let mut evaluator = binding.evaluator();
    prop_assert_eq!(&answers(&mut evaluator, rows), &wanted);
    let mut split = answers(&mut evaluator, &rows[..cut]);
    split.extend(answers(&mut evaluator, &rows[cut..]));
    prop_assert_eq!(&split, &wanted);
    let reversed: Vec<i32> = rows.iter().rev().copied().collect();
    let mut found = answers(&mut evaluator, &reversed);
    found.reverse();
    prop_assert_eq!(&found, &wanted);
    let checked = rows.len().min(8);
    let found = answers(&mut binding.checking_evaluator(), &rows[..checked]);
    prop_assert_eq!(&found, &wanted[..checked]);
    Ok(binding.model().tier().isolation)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::support::cases(24)))]

    #[test]
    fn woven_and_fresh_agree(
        steps in prop::collection::vec(step(), 1..14),
        rows in prop::collection::vec(-50..5_000_i32, 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let isolation = agree(&steps, &rows, cut.index(rows.len()))?;
        prop_assert!(isolation != Isolation::Fresh, "{:?}", isolation);
    }

    #[test]
    fn models_that_change_tables_or_drop_segments_run_fresh(
        steps in prop::collection::vec(step(), 1..6),
        drops in any::<bool>(),
        rows in prop::collection::vec(1..100_i32, 1..10),
    ) {
        let mut steps = steps;
        steps.push(if drops { Step::Drop } else { Step::Table });
        prop_assert_eq!(agree(&steps, &rows, 0)?, Isolation::Fresh);
    }
}
