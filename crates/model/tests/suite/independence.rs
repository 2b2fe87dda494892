//! Row independence: a row's answer is the same in any batch, order, evaluator and thread, whatever the other rows do.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use proptest::prelude::*;
use weir_model::Binding;

use crate::support::{compile, integer_model};

/// A model that tries everything: it counts in a global, in memory and in pages, mixes the counts into its answer, traps
/// on multiples of 5, spins on multiples of 7, and overflows its stack on multiples of 11.
fn leaky() -> Vec<u8> {
    let items = "(memory 1) (global $g (mut i32) (i32.const 0))
        (func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let multiple = |of: u32, then: &str| {
        format!("(if (i32.eqz (i32.rem_s (local.get $x) (i32.const {of}))) (then {then}))")
    };
    let body = format!(
        "(global.set $g (i32.add (global.get $g) (local.get $x)))
         (i32.store (i32.const 100) (i32.add (i32.load (i32.const 100)) (local.get $x)))
         {} {} {} {}
         (i32.add (i32.mul (global.get $g) (i32.const 3))
            (i32.add (i32.load (i32.const 100)) (i32.mul (memory.size) (i32.const 1000000))))",
        multiple(2, "(drop (memory.grow (i32.const 1)))"),
        multiple(5, "unreachable"),
        multiple(7, "(loop $spin (br $spin))"),
        multiple(11, "(drop (call $deep (i32.const 0)))"),
    );
    integer_model(items, &body)
}

fn expected(x: i32) -> Option<i32> {
    let failed = [5, 7, 11].iter().any(|of| x % of == 0);
    let pages = if x % 2 == 0 { 2 } else { 1 };
    (!failed).then_some(x * 4 + pages * 1_000_000)
}

fn binding() -> Binding {
    let schema = Schema::new(vec![Field::new("x", DataType::Int32, true)]);
    compile(&leaky()).unwrap().bind(&schema).unwrap()
}

fn answers(binding: &Binding, batches: &[&[i32]]) -> Vec<Option<i32>> {
    let mut evaluator = binding.evaluator();
    let mut answers = Vec::new();
    for batch in batches {
        let column: ArrayRef = Arc::new(Int32Array::from(batch.to_vec()));
        let answer = evaluator.evaluate(&[column], batch.len()).unwrap();
        answers.extend(answer.column(0).as_primitive::<Int32Type>().iter());
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_split_and_no_order_changes_an_answer(
        rows in prop::collection::vec(1..200_i32, 0..40),
        order in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let binding = binding();
        let wanted: Vec<_> = rows.iter().map(|x| expected(*x)).collect();
        prop_assert_eq!(&answers(&binding, &[&rows]), &wanted);

        let cut = cut.index(rows.len() + 1);
        prop_assert_eq!(&answers(&binding, &[&rows[..cut], &rows[cut..]]), &wanted);

        let mut permuted = rows.clone();
        permuted.rotate_left(order.index(rows.len() + 1).min(rows.len()));
        permuted.reverse();
        let wanted: Vec<_> = permuted.iter().map(|x| expected(*x)).collect();
        prop_assert_eq!(&answers(&binding, &[&permuted]), &wanted);
    }
}

#[test]
fn threads_do_not_see_each_other() {
    let binding = binding();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let binding = &binding;
            scope.spawn(move || {
                let rows: Vec<i32> = (0..300).map(|row| row * 4 + thread + 1).collect();
                let wanted: Vec<_> = rows.iter().map(|x| expected(*x)).collect();
                assert_eq!(answers(binding, &[&rows]), wanted);
            });
        }
    });
}
