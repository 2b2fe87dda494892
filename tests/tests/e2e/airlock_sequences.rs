//! The airlock under random sequences of calls, held against its rules written down a second time.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError};
use weir_client::Client;
use weir_client::v1::{AirlockDecision, Role};
use weir_tests::{OPERATOR, TestDomain};

use crate::airlock::{approve, ask, code, decide, run_id, someone, with_trips};
use crate::sequences::runner;

/// Everybody who could decide: organisation and person. The last two are too near to the run.
const PEOPLE: [(&str, &str); 6] = [
    ("Data Bureau", "wang"),
    ("Data Bureau", "zhao"),
    ("Ministry", "sun"),
    ("Court", "wang"),
    (OPERATOR, "hu"),
    ("Ministry", "li"),
];

/// What must be, from what was done, by rules written down a second time.
#[derive(Default)]
struct Model {
    /// The person of each organisation that lets it go.
    lets_go: BTreeMap<&'static str, &'static str>,
    kept_back: bool,
    left: bool,
}

impl Model {
    fn is_approved(&self) -> bool {
        let people: BTreeSet<_> = self.lets_go.values().collect();
        self.lets_go.len() >= 2 && people.len() >= 2
    }

    fn has_ended(&self) -> bool {
        self.kept_back || self.left
    }

    fn approve(&mut self, who: usize) -> &'static str {
        match who {
            4.. => "OWN_WORK",
            _ if self.has_ended() => "AIRLOCK_ENDED",
            _ if self.is_approved() => "STATE_REFUSED",
            _ => {
                let (organisation, person) = PEOPLE[who];
                self.lets_go.insert(organisation, person);
                match self.is_approved() {
                    true => "approved",
                    false => "waiting",
                }
            }
        }
    }

    fn reject(&mut self, who: usize) -> &'static str {
        match who {
            4.. => "OWN_WORK",
            _ if self.has_ended() => "STATE_REFUSED",
            _ => {
                self.kept_back = true;
                "rejected"
            }
        }
    }

    fn ask(&mut self) -> &'static str {
        if self.kept_back {
            return "RUN_NOT_RELEASED";
        }
        self.left |= self.is_approved();
        match self.left {
            true => "done",
            false => "RUN_IN_REVIEW",
        }
    }
}

/// What somebody tries: to keep it back, to have it, to let it go.
#[derive(Debug, Clone, Copy)]
enum Act {
    Reject(usize),
    Ask,
    Approve(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..PEOPLE.len();
    prop_oneof![
        1 => who.clone().prop_map(Act::Reject),
        3 => Just(Act::Ask),
        12 => who.prop_map(Act::Approve),
    ]
}

/// Plays one table's way; says whether it left, and whether it was kept back.
async fn play(domain: &TestDomain, reviewers: &[Client], acts: &[Act]) -> Result<Model, String> {
    let (run, mut model) = (run_id(), Model::default());
    assert_eq!(code(ask(&domain.operator, &run).await), model.ask());
    let seen = domain.bureau.airlock_table(&run).await.unwrap();
    let digest = seen.table.table_digest;
    for (step, act) in acts.iter().enumerate() {
        let (is, must) = match *act {
            Act::Reject(who) => {
                let decision = AirlockDecision::Reject;
                let decided = decide(&reviewers[who], &run, &digest, decision).await;
                let is = decided.map_or_else(|error| error.code().to_owned(), |entry| entry.state);
                (is, model.reject(who))
            }
            Act::Ask => (code(ask(&domain.operator, &run).await), model.ask()),
            Act::Approve(who) => (approve(&reviewers[who], &run).await, model.approve(who)),
        };
        if is != must {
            return Err(format!("step {step}, {act:?}: {is}, and not {must}"));
        }
    }
    Ok(model)
}

#[test]
fn no_sequence_of_calls_lets_a_table_go_without_two() {
    let (mut runner, seed) = runner(16);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (domain, reviewers) = runtime.block_on(async {
        let domain = with_trips("").await;
        let mut reviewers = Vec::new();
        for (organisation, person) in PEOPLE {
            reviewers.push(someone(&domain, Role::Bureau, organisation, person).await);
        }
        (domain, reviewers)
    });
    let counts = std::cell::RefCell::new((0, 0));
    let outcome = runner.run(&vec(act(), 6..14), |acts| {
        let played = runtime.block_on(play(&domain, &reviewers, &acts));
        let model = played.map_err(TestCaseError::fail)?;
        let mut counts = counts.borrow_mut();
        counts.0 += u32::from(model.left);
        counts.1 += u32::from(model.kept_back);
        Ok(())
    });
    if let Err(TestError::Fail(reason, acts)) = outcome {
        panic!("WEIR_SEED={seed}: {reason}\n{acts:?}");
    }
    outcome.unwrap();
    let (left, kept_back) = counts.into_inner();
    // Otherwise it would show little.
    assert!(left >= 2 && kept_back >= 2, "{left} {kept_back}");
    let released = runtime
        .block_on(domain.bureau.list_releases(1_000))
        .unwrap();
    assert_eq!(released.len(), left as usize);
}
