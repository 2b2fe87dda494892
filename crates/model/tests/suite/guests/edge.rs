//! Guests that stand at the very edge of a limit, where one instruction more or less decides. They attack row
//! independence by way of the bounds: whatever an earlier row makes cheaper or dearer for a later one would show here.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array};
use arrow::datatypes::{DataType, Field, Schema};
use weir_model::{Binding, Evaluator};

use crate::support::{compile, integer_model};

fn binding(items: &str, body: &str) -> Binding {
    let model = compile(&integer_model(items, body)).unwrap();
    let schema = Schema::new(vec![Field::new("x", DataType::Int32, true)]);
    model.bind(&schema).unwrap()
}

/// Which rows have an answer.
fn answered(evaluator: &mut Evaluator, rows: &[i32]) -> Vec<bool> {
    let column: ArrayRef = Arc::new(Int32Array::from(rows.to_vec()));
    let answer = evaluator.evaluate(&[column], rows.len()).unwrap();
    (0..rows.len())
        .map(|row| answer.column(0).is_valid(row))
        .collect()
}

/// Finds the largest `x` with an answer, and compares rows on both sides of it: each alone in an instance of its own,
/// and all in one batch, the easy and the impossible first.
fn the_edge_is_where_it_is(items: &str, body: &str) {
    let binding = binding(items, body);
    let alone = |x: i32| answered(&mut binding.evaluator(), &[x])[0];
    let (mut fits, mut fails) = (0, 1 << 22);
    assert!(alone(fits) && !alone(fails));
    while fails - fits > 1 {
        let middle = (fits + fails) / 2;
        if alone(middle) {
            fits = middle;
        } else {
            fails = middle;
        }
    }
    let mut rows = vec![0, 1 << 22, 9, 1];
    rows.extend((0..120).flat_map(|away| [fits + away - 60, fits - 60 + (away * 7) % 120]));
    let wanted: Vec<bool> = rows.iter().map(|x| alone(*x)).collect();
    assert!(wanted.contains(&true) && wanted.contains(&false));
    let mut evaluator = binding.evaluator();
    for _ in 0..2 {
        assert_eq!(answered(&mut evaluator, &rows), wanted);
    }
}

const LOCAL: &str = "(local $i i32)";

/// `x` instructions, to within one or two.
const COUNT: &str = "(loop $next (br_if $next
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.shr_u (local.get $x) (i32.const 3)))))
    (block $b0 (block $b1 (block $b2 (block $b3 (block $b4 (block $b5 (block $b6 (block $b7
        (br_table $b0 $b1 $b2 $b3 $b4 $b5 $b6 $b7 (i32.and (local.get $x) (i32.const 7))))
        (local.set $i (i32.const 7))) (local.set $i (i32.const 6))) (local.set $i (i32.const 5)))
        (local.set $i (i32.const 4))) (local.set $i (i32.const 3))) (local.set $i (i32.const 2)))
        (local.set $i (i32.const 1)))";

#[test]
fn of_the_fuel() {
    the_edge_is_where_it_is("", &format!("{LOCAL} {COUNT} (local.get $i)"));
}

#[test]
fn of_the_fuel_with_stores() {
    let stores =
        "(i32.store (i32.const 100) (local.get $x)) (i64.store (i32.const 253) (i64.const 1))
        (i32.store (i32.const 65532) (local.get $x))";
    the_edge_is_where_it_is(
        "(memory 1)",
        &format!("{LOCAL} {stores} {COUNT} (local.get $i)"),
    );
    the_edge_is_where_it_is(
        "(memory 1)",
        &format!("{LOCAL} {COUNT} {stores} (local.get $i)"),
    );
}

#[test]
fn of_the_fuel_with_bulk_stores_and_growth() {
    let stores = "(drop (memory.grow (i32.const 1))) (memory.fill (i32.const 65000) (i32.const 1) (i32.const 1000))
        (memory.copy (i32.const 300) (i32.const 65000) (i32.const 200)) (global.set $g (local.get $x))";
    the_edge_is_where_it_is(
        "(memory 1 3) (global $g (mut i32) (i32.const 0))",
        &format!("{LOCAL} {COUNT} {stores} (local.get $i)"),
    );
}

#[test]
fn of_the_stack() {
    // The deepest frame stores: what tracking it takes of the stack is the same in the first row and the last.
    let items = "(memory 1) (func $deep (param $left i32) (result i32)
        (if (result i32) (local.get $left)
            (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $left) (i32.const 1)))))
            (else (i32.store (i32.const 500) (i32.const 1)) (i32.const 0))))";
    the_edge_is_where_it_is(items, "(call $deep (local.get $x))");
}
