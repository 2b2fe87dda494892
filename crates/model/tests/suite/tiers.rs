//! What the analysis finds in a model's code, and what it does not overlook.

use weir_model::{Isolation, Tier};

use crate::examples::{DISRUPTION, PACE};
use crate::support::{compile, component, integer_model};

fn tier(items: &str, body: &str) -> Tier {
    compile(&integer_model(items, body)).unwrap().tier()
}

const PURE: Tier = Tier {
    isolation: Isolation::Pure,
    row_cost_max: Some(2),
};

#[test]
fn what_is_declared_does_not_matter() {
    let declared = r#"(memory 1 9) (data (i32.const 0) "x") (data "y") (table 4 funcref)
        (global $g (mut i32) (i32.const 1))"#;
    assert_eq!(tier("", "local.get $x"), PURE);
    assert_eq!(tier(declared, "local.get $x"), PURE);
    assert_eq!(
        tier(declared, "(i32.load (local.get $x))").isolation,
        Isolation::Pure
    );
}

#[test]
fn whatever_changes_state_is_found() {
    let items = r#"(memory 1) (data $d "x") (table $t 4 funcref) (elem $e func)
        (global $g (mut i32) (i32.const 1))"#;
    for change in [
        "(i64.store32 offset=9 (i32.const 0) (i64.const 1))",
        "(v128.store64_lane 1 (i32.const 0) (v128.const i64x2 0 0))",
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))",
        "(memory.copy (i32.const 0) (i32.const 0) (i32.const 0))",
        "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))",
        "(global.set $g (i32.const 1))",
    ] {
        let found = tier(items, &format!("{change} (local.get $x)")).isolation;
        assert_eq!(found, Isolation::Restored, "{change}");
    }
    let grows = tier(items, "(memory.grow (local.get $x))").isolation;
    assert_eq!(grows, Isolation::Restored);
    for change in [
        "(table.set $t (i32.const 0) (ref.null func))",
        "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))",
        "(table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 1))",
        "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0))",
        "(drop (table.grow $t (ref.null func) (i32.const 1)))",
        "(elem.drop $e)",
        "(data.drop $d)",
    ] {
        let found = tier(items, &format!("{change} (local.get $x)")).isolation;
        assert_eq!(found, Isolation::Fresh, "{change}");
    }
}

#[test]
fn what_may_run_on_is_metered() {
    assert_eq!(tier("", "(loop) (local.get $x)").row_cost_max, None);
    let doubling: String = (0..40)
        .map(|level| format!("(func $f{level} call $f{0} call $f{0})", level + 1))
        .collect();
    let bomb = tier(
        &format!("{doubling} (func $f40)"),
        "call $f0 (local.get $x)",
    );
    assert_eq!(bomb.row_cost_max, None);
}

#[test]
fn the_examples_are_restored_and_unmetered() {
    for model in [DISRUPTION, PACE] {
        let tier = compile(model).unwrap().tier();
        assert_eq!(tier.isolation, Isolation::Restored);
        assert!(tier.row_cost_max.is_some_and(|cost| cost < 200), "{tier:?}");
    }
}

#[test]
fn strings_in_memory_are_state() {
    let echo = component(
        "export row: func(x: string) -> u32;",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
            (func (export "row") (param i32 i32) (result i32) (i32.load (i32.const 64))))"#,
    );
    assert_eq!(
        compile(&echo).unwrap().tier().isolation,
        Isolation::Restored
    );
}
