//! A table is judged once and released once: a laxer policy cannot be tried on the same table.

use weir_gate::{Judged, Past, Recorded, Recorder, Unreleased, judge};
use weir_ledger::History;
use weir_policy::Policy;

fn judge_twice(table: Unreleased, strict: &Policy, lax: &Policy, past: &mut Past<'_>) {
    let _ = judge(table, strict, past);
    let _ = judge(table, lax, past);
}

fn record_twice(judged: Judged, history: &mut dyn History) {
    let _ = judged.record_units(history);
    let _ = judged.record_units(history);
}

fn release_twice<R: Recorder>(recorded: Recorded, recorder: &mut R) {
    let _ = recorded.release(recorder);
    let _ = recorded.release(recorder);
}

fn main() {}
