//! Guests that use the size of their memory. All attack row independence.

use super::{answers, finds, finds_nothing, finds_nothing_after};

const MEMORY: &str = "(memory 1 3)";
const GROW: &str = "(drop (memory.grow (i32.const 1)))";

#[test]
fn the_size_is_a_counter() {
    finds(MEMORY, "(memory.size)", GROW, 1);
    finds(MEMORY, "(memory.grow (i32.const 1))", GROW, 1);
    finds(MEMORY, "(memory.grow (i32.const 2))", GROW, 1);
}

#[test]
fn a_row_writes_beyond_and_the_next_grows_to_it() {
    finds_nothing(
        MEMORY,
        &format!("(block (result i32) {GROW} (i32.load (i32.const 70000)))"),
        "(i32.store (i32.const 70000) (local.get $x))",
    );
}

/// The real memory is larger than what the row has: reading there must trap as if it were not.
#[test]
fn what_was_not_grown_is_not_there() {
    for beyond in [
        "(i32.load (i32.const 65536))",
        "(i32.load (i32.const 65533))",
        "(i32.load8_u (i32.const 65536))",
        "(i32.wrap_i64 (i64.load offset=65535 (i32.const 0)))",
        "(i32x4.extract_lane 0 (v128.load (i32.const 65521)))",
        "(i32x4.extract_lane 0 (v128.load32_splat (i32.const 65533)))",
        "(i32x4.extract_lane 0 (v128.load8_lane 0 (i32.const 65536) (v128.const i64x2 0 0)))",
        "(i32.load offset=0xffffffff (i32.const 65536))",
    ] {
        // Even rows grow before they read, odd ones do not.
        let body =
            format!("(if (i32.eqz (i32.and (local.get $x) (i32.const 1))) (then {GROW})) {beyond}");
        let grown = if beyond.contains("0xffffffff") {
            None
        } else {
            Some(0)
        };
        assert_eq!(
            answers(MEMORY, &body),
            [None, grown, None, None, grown, None],
            "{beyond}"
        );
    }
}

#[test]
fn bulk_instructions_respect_the_size_too() {
    for put in [
        "(memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))",
        "(memory.copy (i32.const 65530) (i32.const 0) (i32.const 7))",
        "(memory.copy (i32.const 0) (i32.const 65530) (i32.const 7))",
        "(i32.store (i32.const 65536) (i32.const 1))",
    ] {
        // The instruction makes the model one that grows; the row never does.
        let find = format!(
            "(if (result i32) (i32.eqz (local.get $x)) (then {GROW} (i32.const 0)) (else (i32.load (i32.const 65532))))"
        );
        finds_nothing_after(MEMORY, &find, put, "");
    }
}

#[test]
fn growth_past_the_maximum_is_refused_alike() {
    assert_eq!(answers(MEMORY, "(memory.grow (i32.const 2))"), [Some(1); 6]);
    assert_eq!(
        answers(MEMORY, "(memory.grow (i32.const 3))"),
        [Some(-1); 6]
    );
    assert_eq!(
        answers(MEMORY, "(memory.grow (i32.const -1))"),
        [Some(-1); 6]
    );
    assert_eq!(
        answers("(memory 1 1)", "(memory.grow (i32.const 1))"),
        [Some(-1); 6]
    );
    assert_eq!(
        answers("(memory 1 1)", "(memory.grow (i32.const 0))"),
        [Some(1); 6]
    );
    let twice = format!("{GROW} (memory.grow (i32.const 2))");
    assert_eq!(answers(MEMORY, &twice), [Some(-1); 6]);
}

#[test]
fn a_row_that_grows_and_fails_leaves_no_page() {
    let odd = "(i32.and (local.get $x) (i32.const 1))";
    let body = format!("(if {odd} (then {GROW} unreachable)) (memory.size)");
    assert_eq!(
        answers(MEMORY, &body),
        [None, Some(1), None, None, Some(1), None]
    );
}

/// A start function may grow: every row then begins with what it left.
#[test]
fn what_the_start_function_grew_stays() {
    let items = "(memory 1 3)
        (func $s (drop (memory.grow (i32.const 1))) (i32.store (i32.const 70000) (i32.const 40)))
        (start $s)";
    finds(
        items,
        "(i32.add (memory.size) (i32.load (i32.const 70000)))",
        &format!("{GROW} (i32.store (i32.const 70000) (local.get $x))"),
        42,
    );
}

#[test]
fn all_pages_written_and_gone() {
    let items = "(memory 1)";
    let body = "(local $found i32)
        (drop (memory.grow (i32.const 20)))
        (local.set $found (i32.add (i32.load (i32.const 1000000)) (i32.load (i32.const 300000))))
        (memory.fill (i32.const 65000) (local.get $x) (i32.const 40000))
        (i32.store (i32.const 1000000) (local.get $x)) (i32.store (i32.const 300000) (local.get $x))
        (local.get $found)";
    assert_eq!(answers(items, body), [Some(0); 6]);
}
