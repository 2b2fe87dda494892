//! Hostile guests, by family. Each test is one attack and names the guarantee it is made on; every batch runs woven,
//! woven with all state compared after each row, and in fresh instances, and the three must agree.
//!
//! - **Row independence**: an answer depends on its row and the model's bytes, and on nothing else.
//! - **Border**: nothing leaves but values of the declared types, in one form.
//! - **Bounds**: memory, fuel, stack and size are limited, and what one row uses is not taken from another.

mod border;
mod bounds;
mod edge;
mod growth;
mod hidden;
mod stash;
mod stores;
mod strings;

use crate::support::{integer_model, integers};

/// What a model of `x` answers to 1, 2, 3, 1, 2, 3.
fn answers(items: &str, body: &str) -> Vec<Option<i32>> {
    integers(&integer_model(items, body), &[1, 2, 3, 1, 2, 3])
}

/// The guest puts `x` somewhere and answers what it finds there; it must find what was there at first.
fn finds_nothing(items: &str, find: &str, put: &str) {
    finds(items, find, put, 0);
}

/// The same, where something else than 0 is there at first.
fn finds(items: &str, find: &str, put: &str, first: i32) {
    let body = format!("(local $found i32) (local.set $found {find}) {put} (local.get $found)");
    assert_eq!(answers(items, &body), [Some(first); 6], "{put}");
}

/// The guest puts `x` somewhere and then fails, on odd rows; on even rows it answers what it finds there.
fn finds_nothing_after(items: &str, find: &str, put: &str, fail: &str) {
    let odd = "(i32.and (local.get $x) (i32.const 1))";
    let body = format!("(if {odd} (then {put} {fail})) {find}");
    let wanted = [None, Some(0), None, None, Some(0), None];
    assert_eq!(answers(items, &body), wanted, "{put} {fail}");
}
