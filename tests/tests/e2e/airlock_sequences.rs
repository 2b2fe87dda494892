//! The airlock under random sequences of calls, held against its rules written down a second time.

use std::collections::{BTreeMap, BTreeSet};

use weir_client::v1::{AirlockDecision, Role};
use weir_tests::OPERATOR;

use crate::airlock::{approve, ask, code, decide, run_id, someone, with_trips};

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

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_calls_lets_a_table_go_without_two() {
    let domain = with_trips("").await;
    let mut reviewers = Vec::new();
    for (organisation, person) in PEOPLE {
        reviewers.push(someone(&domain, Role::Bureau, organisation, person).await);
    }
    let mut seed: u64 = 20_260_131;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let (mut left, mut kept_back) = (0, 0);
    for _ in 0..12 {
        let (run, mut model) = (run_id(), Model::default());
        assert_eq!(code(ask(&domain.operator, &run).await), model.ask());
        let seen = domain.bureau.airlock_table(&run).await.unwrap();
        let digest = seen.table.table_digest;
        let mut done = Vec::new();
        for _ in 0..10 {
            let (act, who) = (next(16), next(PEOPLE.len()));
            let (is, must) = match act {
                0 => {
                    let decision = AirlockDecision::Reject;
                    let decided = decide(&reviewers[who], &run, &digest, decision).await;
                    let is =
                        decided.map_or_else(|error| error.code().to_owned(), |entry| entry.state);
                    (is, model.reject(who))
                }
                1..4 => (code(ask(&domain.operator, &run).await), model.ask()),
                _ => (approve(&reviewers[who], &run).await, model.approve(who)),
            };
            done.push((act, who, is.clone()));
            assert_eq!(is, must, "{done:?}");
        }
        left += u32::from(model.left);
        kept_back += u32::from(model.kept_back);
    }
    // Otherwise it would show little.
    assert!(left >= 2 && kept_back >= 2, "{left} {kept_back}");
    let released = domain.bureau.list_releases(100).await.unwrap();
    assert_eq!(released.len(), left as usize);
}
