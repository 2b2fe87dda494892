//! What the types forbid, held by the compiler. Each file under `ui` must fail, and for the reason pinned beside it.
//!
//! After a change of wording in a new compiler, run with `TRYBUILD=overwrite` and read the difference: the error codes
//! must stay.

#[test]
fn the_door_has_no_side_entrance() {
    trybuild::TestCases::new().compile_fail("tests/gate/ui/*.rs");
}
