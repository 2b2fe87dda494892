//! A table is judged once and released once: a laxer policy cannot be tried on the same table.

use weir_gate::{Judged, Recorder, Unreleased, judge};
use weir_policy::Policy;

fn judge_twice(table: Unreleased, strict: &Policy, lax: &Policy) {
    let _ = judge(table, strict);
    let _ = judge(table, lax);
}

fn release_twice<R: Recorder>(judged: Judged, recorder: &mut R) {
    let _ = judged.release(recorder);
    let _ = judged.release(recorder);
}

fn main() {}
