//! Random sequences of calls by everybody, over a real server, held against the rules written down a second time
//! (`sequences/model.rs`): each answer is foretold. And, without that model, the log alone is asked afterwards: whether
//! anything was released that its own entries do not allow.
//!
//! `WEIR_SEQUENCES=200 WEIR_SEED=7 cargo test --workspace --test e2e -- sequences:: --nocapture`

mod act;
mod logged;
mod model;
mod play;
mod vetted;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use play::Stage;

/// Sequences, unless the environment says otherwise.
const SEQUENCES: u32 = 24;
/// Calls of a sequence.
const CALLS: std::ops::Range<usize> = 30..70;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// A runner of this many cases, or of as many as the environment says, from a seed that is printed: what fails can be tried
/// again.
pub(crate) fn runner(cases: u32) -> (TestRunner, u64) {
    let seed = number("WEIR_SEED", 20_261_122);
    let cases = u32::try_from(number("WEIR_SEQUENCES", u64::from(cases))).unwrap();
    println!("WEIR_SEED={seed} WEIR_SEQUENCES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        max_shrink_iters: 100,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    (TestRunner::new_with_rng(config, rng), seed)
}

#[test]
fn no_sequence_of_calls_gets_around_the_rules() {
    let (mut runner, seed) = runner(SEQUENCES);
    let cases = runner.config().cases;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = std::cell::RefCell::new(runtime.block_on(Stage::open()));
    let outcome = runner.run(&act::sequence(CALLS), |acts| {
        let mut stage = stage.borrow_mut();
        let played = runtime.block_on(stage.play(&acts));
        played.map_err(TestCaseError::fail)
    });
    if let Err(TestError::Fail(reason, acts)) = outcome {
        panic!("WEIR_SEED={seed}: {reason}\n{acts:#?}");
    }
    outcome.unwrap();
    let stage = stage.into_inner();
    let seen = stage.seen.clone();
    println!("{seen:?}");
    // Otherwise it would show little.
    if cases >= SEQUENCES {
        for what in [
            "issued",
            "delegated",
            "released",
            "expired",
            "approved product",
            "ran product",
            "approved model",
            "rejected model",
            "withdrawn model",
        ] {
            assert!(seen.contains_key(what), "{what} never happened");
        }
    }
    runtime.block_on(stage.close());
}
