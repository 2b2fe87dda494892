//! What running a model costs per row, next to the same function in native Rust and next to a fresh instance per row.
//!
//! One process, one thread, batches of 8,192 rows, including copying columns in and out. The contenders of a case take
//! turns, so that what the machine does meanwhile hits all of them; each figure is the median of the turns, each ratio
//! the median of the ratios within a turn, with the lowest and highest. Answers are compared before anything is timed.
//!
//! `cargo run --release -p weir-benches --bin models`; with `threads` or `memory` instead what two threads do, and what
//! 1,000 models take.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod cases;
mod harness;
mod many;
mod rust;
mod trees;

use harness::Case;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    match wanted.first().map(String::as_str) {
        Some("threads") => return many::threads(),
        Some("memory") => return many::memory(),
        _ => println!("{}", Case::HEADER),
    }
    for (name, case) in cases::ALL {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            println!("{}", case().run(name));
        }
    }
}
