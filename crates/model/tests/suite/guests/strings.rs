//! Guests around the strings that are placed in their memory: by their neighbours they would see what another row left, or
//! what placing the string wrote beside it. They attack row independence, and the border at the memory's end.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::UInt64Type;

use crate::support::{compile, component, evaluate};

/// Puts its string where `place` says, given `$new` bytes, and answers a hash of all memory but the string, and of the
/// string. Memory begins as a pattern, so that every byte that is written shows.
fn watcher(place: &str, memory: &str) -> Vec<u8> {
    let pattern: String = (0..1024)
        .map(|byte| format!("\\{:02x}", byte * 37 % 251))
        .collect();
    component(
        "record seen { around: u64, text: u64 } export row: func(x: string) -> seen;",
        &format!(
            r#"(module (memory (export "memory") {memory})
                (data (i32.const 0) "{pattern}") (data (i32.const 64512) "{pattern}")
                (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
                    {place})
                (func $hash (param $from i32) (param $to i32) (param $hash i64) (result i64)
                    (block $done (loop $next
                        (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
                        (local.set $hash (i64.mul (i64.const 0x100000001b3)
                            (i64.xor (local.get $hash) (i64.load8_u (local.get $from)))))
                        (local.set $from (i32.add (local.get $from) (i32.const 1)))
                        (br $next)))
                    (local.get $hash))
                (func (export "row") (param $at i32) (param $length i32) (result i32)
                    (local $around i64) (local $text i64) (local $end i32)
                    (local.set $end (i32.add (local.get $at) (local.get $length)))
                    (local.set $around (call $hash (local.get $end) (i32.add (local.get $end) (i32.const 200))
                        (call $hash (i32.const 0) (i32.const 1024) (i64.const 5))))
                    (local.set $text (call $hash (local.get $at) (local.get $end) (i64.const 7)))
                    (i64.store (i32.const 60000) (local.get $around))
                    (i64.store (i32.const 60008) (local.get $text))
                    (i32.const 60000)))"#
        ),
    )
}

fn texts(lengths: impl Iterator<Item = usize>) -> Vec<String> {
    let letters = |length: usize| (0..length).map(|n| char::from(b'a' + (n * 7 % 26) as u8));
    lengths.map(|length| letters(length).collect()).collect()
}

fn hash(bytes: &[u8], start: u64) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(start, step)
}

fn answers(model: &[u8], texts: &[String]) -> (Vec<Option<u64>>, Vec<Option<u64>>) {
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let answer = evaluate(&compile(model).unwrap(), &[("x", column)]);
    let column = |column: usize| {
        let column = answer.column(column).as_primitive::<UInt64Type>();
        column.iter().collect()
    };
    (column(0), column(1))
}

/// Every length about every border of sixteen and of sixty-four bytes, long before short and short before long: the bytes
/// are the string's, and those behind it are what they were.
#[test]
fn of_every_length_at_every_place() {
    let pattern: Vec<u8> = (0..1024_u32).map(|byte| (byte * 37 % 251) as u8).collect();
    let mut texts = texts((0..70).chain((0..70).rev()));
    texts.push("a".repeat(300));
    for place in [8_000, 8_001, 8_015, 8_047, 8_063] {
        let (around, text) = answers(&watcher(&format!("(i32.const {place})"), "1"), &texts);
        let untouched = Some(hash(&[0; 200], hash(&pattern, 5)));
        assert!(around.iter().all(|hash| *hash == untouched), "at {place}");
        let wanted: Vec<_> = texts
            .iter()
            .map(|text| Some(hash(text.as_bytes(), 7)))
            .collect();
        assert_eq!(text, wanted, "at {place}");
    }
}

/// The string's last byte is the memory's last, or lies so close that a wider store would not fit.
#[test]
fn up_to_the_end_of_memory() {
    let texts = texts((0..40).chain([3, 16, 1, 32]));
    for room in [0, 1, 7, 15, 16, 17] {
        // Looks 200 bytes beyond, and so fails, wherever the place is; but only the model does.
        let place = format!("(i32.sub (i32.const {}) (local.get $new))", 65_536 - room);
        assert!(
            answers(&watcher(&place, "1"), &texts)
                .1
                .iter()
                .all(Option::is_none)
        );
        // Where memory may grow, there is memory behind the virtual end, and nobody may notice.
        let grown = "(if (i32.eq (local.get $new) (i32.const 16)) (then (drop (memory.grow (i32.const 1)))))";
        let found = answers(&watcher(&format!("{grown} {place}"), "1 3"), &texts).1;
        for (text, found) in texts.iter().zip(found) {
            assert_eq!(
                found.is_some(),
                text.len() == 16,
                "{} bytes, room {room}",
                text.len()
            );
        }
    }
}

/// A place that is in the memory but for its end: a string that does not fit fails, however it would be copied.
#[test]
fn over_the_end_of_memory() {
    let model = component(
        "export row: func(x: string) -> u64;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65516))
            (func (export "row") (param i32 i32) (result i64) (i64.load8_u (i32.const 65535))))"#,
    );
    let column: ArrayRef = Arc::new(StringArray::from(texts(0..40)));
    let answer = evaluate(&compile(&model).unwrap(), &[("x", column)]);
    let found: Vec<bool> = answer
        .column(0)
        .as_primitive::<UInt64Type>()
        .iter()
        .map(|v| v.is_some())
        .collect();
    assert!(
        (0..40).all(|length| found[length] == (length <= 20)),
        "{found:?}"
    );
}

/// Two strings and more in one row, in one place: the last is there, and after the row none.
#[test]
fn several_in_one_place() {
    let model = component(
        "export row: func(a: string, b: string, c: option<string>, x: s32) -> u64;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 126))
            (func (export "row") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i64)
                (i64.add (i64.load (i32.const 120)) (i64.mul (i64.load (i32.const 128)) (i64.load (i32.const 140))))))"#,
    );
    let strings = |salt: usize| -> ArrayRef {
        Arc::new(StringArray::from(texts((0..30).map(|n| n * salt % 41))))
    };
    let optional: ArrayRef = Arc::new(StringArray::from_iter(
        (0..30).map(|n| (n % 3 > 0).then(|| "z".repeat(n))),
    ));
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..30));
    let columns = [
        ("a", strings(7)),
        ("b", strings(11)),
        ("c", optional),
        ("x", numbers),
    ];
    let answer = evaluate(&compile(&model).unwrap(), &columns);
    assert_eq!(answer.column(0).null_count(), 0);
}
