//! Instructions instead of time: what evidence, the gate and the ledger execute beside the plain aggregate, counted by
//! valgrind's callgrind and held against bounds. A count says the same on an idle machine and on a busy one.
//!
//! Without a test harness: it starts itself again under valgrind, and there the harness would be counted as well. Where there is
//! no valgrind it says so and passes, unless `WEIR_TEST_VALGRIND` asks for it.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

mod bounds;
mod callgrind;
mod measured;
#[path = "../../benches/steps/mod.rs"]
mod steps;

use callgrind::Counts;

/// The step that is counted. Callgrind knows it by its name, so it is a function of its own whatever is optimised.
#[inline(never)]
fn counted(step: &mut dyn FnMut()) {
    step();
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(callgrind::CHILD) => measured::run(),
        // A filter for other tests, or a list of tests, which this is none of.
        Some(argument) if argument != "--nocapture" => {}
        _ => held(),
    }
}

fn held() {
    match callgrind::counts(measured::COUNTS) {
        Counts::Of(counts) => bounds::hold(&measured::figures(&counts)),
        Counts::Absent(why) => {
            assert!(
                std::env::var_os("WEIR_TEST_VALGRIND").is_none(),
                "instructions were to be counted: {why}"
            );
            println!("skipped: instructions are not counted: {why}");
        }
    }
}
