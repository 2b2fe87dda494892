//! Guests that write by the less common instructions and at awkward places. All attack row independence.

use super::{answers, finds, finds_nothing, finds_nothing_after};

const MEMORY: &str = r#"(memory 1) (data $d "\ff\ff\ff\ff\ff\ff\ff\ff")"#;

/// For every address near a border of 64 bytes, and every width, the guest writes there and looks on both sides.
#[test]
fn misaligned_over_every_border() {
    let stores = [
        "i64.store offset=3 (i32.const {at}) (i64.const -1)",
        "i32.store16 offset=3 (i32.const {at}) (i32.const -1)",
        "f64.store offset=3 (i32.const {at}) (f64.const -1)",
        "v128.store offset=3 (i32.const {at}) (v128.const i64x2 -1 -1)",
        "v128.store64_lane offset=3 1 (i32.const {at}) (v128.const i64x2 -1 -1)",
    ];
    for store in stores {
        let body: String = (45..64)
            .map(|at| format!("({})", store.replace("{at}", &at.to_string())))
            .collect();
        let find = "(i32.wrap_i64 (i64.or (i64.load (i32.const 60)) (i64.or (i64.load (i32.const 68)) (i64.load (i32.const 76)))))";
        finds_nothing(MEMORY, find, &body);
    }
}

/// A store that begins in one line and ends in the next, which is written itself by another row only.
#[test]
fn over_a_border_that_another_row_writes() {
    let body = "(local $found i32)
        (local.set $found (i32.load (i32.const 64)))
        (if (i32.eq (local.get $x) (i32.const 1)) (then (i64.store (i32.const 60) (i64.const -1))))
        (if (i32.eq (local.get $x) (i32.const 2)) (then (i32.store (i32.const 64) (i32.const 9))))
        (if (i32.eq (local.get $x) (i32.const 3))
            (then (i32.store (i32.const 64) (i32.const 9)) (i64.store (i32.const 60) (i64.const -1))))
        (local.get $found)";
    assert_eq!(answers(MEMORY, body), [Some(0); 6]);
}

#[test]
fn on_the_last_bytes_of_memory() {
    finds_nothing(
        MEMORY,
        "(i32.load (i32.const 65532))",
        "(i32.store (i32.const 65532) (local.get $x)) (i32.store8 offset=65535 (i32.const 0) (i32.const 1))",
    );
    finds_nothing_after(
        MEMORY,
        "(i32.load (i32.const 65532))",
        "(i32.store (i32.const 65532) (local.get $x))",
        "(i32.store (i32.const 65533) (i32.const -1))",
    );
}

#[test]
fn by_a_fill() {
    finds_nothing(
        MEMORY,
        "(i32.add (i32.load8_u (i32.const 10)) (i32.load8_u (i32.const 60000)))",
        "(memory.fill (i32.const 10) (local.get $x) (i32.const 60000))",
    );
}

#[test]
fn by_a_copy_over_itself() {
    finds_nothing(
        r#"(memory 1) (data (i32.const 1000) "abcdefghijklmnopqrstuvwxyz")"#,
        "(i32.sub (i32.load8_u (i32.const 1003)) (i32.const 100))",
        "(memory.copy (i32.const 1003) (i32.const 1000) (i32.const 23))
         (memory.copy (i32.const 900) (i32.const 1003) (i32.const 200))",
    );
}

#[test]
fn by_a_segment() {
    finds_nothing(
        MEMORY,
        "(i32.load (i32.const 62))",
        "(memory.init $d (i32.const 60) (i32.const 0) (i32.const 8))",
    );
}

#[test]
fn by_bulk_instructions_that_trap() {
    for put in [
        "(memory.fill (i32.const 65000) (i32.const 1) (i32.const 537))",
        "(memory.copy (i32.const 65000) (i32.const 0) (i32.const 537))",
        "(memory.copy (i32.const 0) (i32.const 65000) (i32.const 537))",
        "(memory.init $d (i32.const 65530) (i32.const 0) (i32.const 7))",
        "(memory.init $d (i32.const 0) (i32.const 2) (i32.const 7))",
        "(memory.fill (i32.const -1) (i32.const 1) (i32.const -1))",
        "(memory.fill (i32.const 65537) (i32.const 1) (i32.const 0))",
    ] {
        finds_nothing_after(MEMORY, "(i32.load (i32.const 65002))", put, "");
    }
}

#[test]
fn of_no_bytes_at_the_very_end() {
    finds(
        MEMORY,
        "(i32.const 3)",
        "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 0))
         (memory.copy (i32.const 65536) (i32.const 65536) (i32.const 0))",
        3,
    );
}

#[test]
fn lane_by_lane() {
    for (lane, width) in [(7, 8), (3, 16), (2, 32), (1, 64)] {
        finds_nothing(
            MEMORY,
            "(i32.load (i32.const 62))",
            &format!("(v128.store{width}_lane {lane} (i32.const 63) (i32x4.splat (i32.const -1)))"),
        );
    }
}

#[test]
fn at_addresses_that_wrap_around() {
    finds_nothing_after(
        MEMORY,
        "(i32.load (i32.const 8))",
        "(i32.store offset=16 (i32.const -8) (i32.const 1))",
        "",
    );
    finds_nothing_after(
        MEMORY,
        "(i32.load (i32.const 8))",
        "(i32.store offset=0xffffffff (i32.const 9) (i32.const 1))",
        "",
    );
}

#[test]
fn on_every_line_of_its_memory() {
    let body = "(local $at i32) (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
            (i32.store (local.get $at) (local.get $x))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 32))) (i32.const 65536))))
        (local.get $sum)";
    assert_eq!(answers(MEMORY, body), [Some(0); 6]);
}

/// In code that is never reached the stack may hold anything; what guards it must still be valid.
#[test]
fn in_dead_code() {
    let body = "(block $b (br $b) (i32.store) (v128.store64_lane 0) (memory.fill) (memory.copy) (drop (memory.grow)))
        (local.get $x)";
    assert_eq!(answers(MEMORY, body)[..3], [Some(1), Some(2), Some(3)]);
}
