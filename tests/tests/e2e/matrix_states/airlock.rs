//! Tables in the airlock.

use chrono::TimeDelta;
use weir_client::ClientError;
use weir_client::v1::{AirlockDecision, PutPolicyRequest, RunRequest};
use weir_tests::TestDomain;

use super::{Subject, is_bureau, is_near, matrix, states_of};
use crate::airlock::{SQL, approve, decide, run_id};
use crate::cast::{Person, cast, of, stage};

struct Airlock<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    grant: String,
    ahead: TimeDelta,
}

impl Airlock<'_> {
    async fn ask(&self, who: &Person, run: &str) -> Result<(), ClientError> {
        let grant = match who.part {
            "operator" => self.grant.clone(),
            _ => String::new(),
        };
        let request = RunRequest {
            sql: SQL.to_owned(),
            run_id: run.to_owned(),
            grant,
            ..Default::default()
        };
        who.client.run(request, |_| {}).await.map(drop)
    }

    fn operator(&self) -> &Person {
        let found = self.people.iter().find(|person| person.part == "operator");
        found.unwrap()
    }
}

impl Subject for Airlock<'_> {
    const OF: &'static str = "airlock";

    /// Those first that come of what changes the others.
    fn states(&self) -> Vec<&'static str> {
        let mut states = states_of(Self::OF);
        states.sort_by_key(|state| !matches!(*state, "expired" | "overtaken"));
        states
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "look", "run", "approve", "reject", "withdraw"]
    }

    async fn make(&mut self, state: &str) -> String {
        let run = run_id();
        let asked = self.ask(self.operator(), &run).await;
        assert_eq!(asked.unwrap_err().code(), "RUN_IN_REVIEW");
        if matches!(state, "approved" | "released" | "overtaken") {
            approve(of(self.people, "bureau"), &run).await;
            approve(of(self.people, "2nd bureau"), &run).await;
        }
        match state {
            "released" => self.ask(self.operator(), &run).await.unwrap(),
            "withdrawn" => self.operator().client.cancel_run(&run).await.unwrap(),
            "expired" => {
                self.ahead += TimeDelta::hours(2);
                self.domain.clock.set_ahead(self.ahead);
            }
            "rejected" => {
                let bureau = of(self.people, "bureau");
                let digest = bureau.airlock_table(&run).await.unwrap().table.table_digest;
                let decision = AirlockDecision::Reject;
                decide(bureau, &run, &digest, decision).await.unwrap();
            }
            "overtaken" => {
                let coarse = PutPolicyRequest {
                    text: "name = \"coarse\"\n[rounding]\nsignificant_digits = 1\n".to_owned(),
                    source_name: "p.toml".to_owned(),
                    dataset: "trips".to_owned(),
                };
                self.domain.bureau.put_policy(coarse).await.unwrap();
                self.ask(self.operator(), &run).await.unwrap_err();
            }
            _ => {}
        }
        run
    }

    async fn act(&self, who: &Person, act: &str, run: &str) -> Result<(), ClientError> {
        match act {
            "read" => who.client.airlock_entry(run).await.map(drop),
            "look" => who.client.airlock_table(run).await.map(drop),
            "run" => self.ask(who, run).await,
            "withdraw" => who.client.cancel_run(run).await,
            _ => {
                // Whoever may not look is told of the digest by somebody.
                let seen = of(self.people, "bureau").airlock_table(run).await;
                let digest = seen.map_or_else(
                    |_| format!("sha256:{}", "0".repeat(64)),
                    |seen| seen.table.table_digest,
                );
                let decision = match act {
                    "approve" => AirlockDecision::Approve,
                    _ => AirlockDecision::Reject,
                };
                decide(&who.client, run, &digest, decision).await.map(drop)
            }
        }
    }

    async fn state(&self, run: &str) -> String {
        self.domain.bureau.airlock_entry(run).await.unwrap().state
    }

    fn is_party(&self, who: &Person, act: &str) -> bool {
        match act {
            "withdraw" => who.part == "operator",
            _ => is_bureau(who) && !is_near(who),
        }
    }

    fn is_silent(&self, act: &str) -> bool {
        act == "withdraw"
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("airlock_wait = \"1h\"").await;
    let people = cast(&domain).await;
    let mut subject = Airlock {
        grant: domain.operators_grant(),
        domain: &domain,
        people: &people,
        ahead: TimeDelta::zero(),
    };
    matrix(&mut subject, &people).await
}
