//! Changes of the policy.

use chrono::TimeDelta;
use weir_client::ClientError;
use weir_client::v1::{PolicyChange, PolicyChangeState, PutPolicyRequest};
use weir_tests::TestDomain;

use super::{Subject, matrix};
use crate::cast::{Person, cast, of, stage};

struct Changes<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    ahead: TimeDelta,
    made: u32,
}

impl Changes<'_> {
    async fn find(&self, id: &str) -> PolicyChange {
        let changes = self.domain.bureau.list_policy_changes(false).await.unwrap();
        changes.into_iter().find(|change| change.id == id).unwrap()
    }

    /// A policy of the dataset `people` under another name, or one that is tighter.
    fn put(&self, units_min: u32) -> PutPolicyRequest {
        PutPolicyRequest {
            text: format!(
                "name = \"p{}\"\n[cell]\nunits_min = {units_min}\n",
                self.made
            ),
            source_name: "p.toml".to_owned(),
            dataset: "people".to_owned(),
        }
    }
}

impl Subject for Changes<'_> {
    const OF: &'static str = "";

    fn states(&self) -> Vec<&'static str> {
        vec!["proposed", "approved", "in force", "withdrawn", "overtaken"]
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "approve", "withdraw"]
    }

    /// The namesake proposes: nobody of that name approves it.
    async fn make(&mut self, state: &str) -> String {
        let (bureau, namesake) = (of(self.people, "bureau"), of(self.people, "namesake"));
        for open in bureau.list_policy_changes(true).await.unwrap() {
            bureau.withdraw_policy(&open.id).await.unwrap();
        }
        self.made += 1;
        bureau
            .put_policy(self.put(100 + 10 * self.made))
            .await
            .unwrap();
        let loosened = namesake.put_policy(self.put(50)).await.unwrap();
        if matches!(state, "approved" | "in force") {
            let approved = bureau.approve_policy(&loosened.id, &loosened.digest);
            approved.await.unwrap();
        }
        match state {
            "in force" => {
                self.ahead += TimeDelta::hours(25);
                self.domain.clock.set_ahead(self.ahead);
            }
            "withdrawn" => {
                bureau.withdraw_policy(&loosened.id).await.unwrap();
            }
            "overtaken" => {
                bureau
                    .put_policy(self.put(105 + 10 * self.made))
                    .await
                    .unwrap();
            }
            _ => {}
        }
        loosened.id
    }

    async fn act(&self, who: &Person, act: &str, id: &str) -> Result<(), ClientError> {
        let client = &who.client;
        match act {
            "read" => client.list_policy_changes(false).await.map(drop),
            "approve" => {
                let digest = self.find(id).await.digest;
                client.approve_policy(id, &digest).await.map(drop)
            }
            _ => client.withdraw_policy(id).await.map(drop),
        }
    }

    async fn state(&self, id: &str) -> String {
        match self.find(id).await.state() {
            PolicyChangeState::Approved => "approved",
            PolicyChangeState::InForce => "in force",
            PolicyChangeState::Withdrawn => "withdrawn",
            PolicyChangeState::Overtaken => "overtaken",
            _ => "proposed",
        }
        .to_owned()
    }

    fn is_party(&self, _who: &Person, _act: &str) -> bool {
        true
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Changes {
        domain: &domain,
        people: &people,
        ahead: TimeDelta::zero(),
        made: 0,
    };
    matrix(&mut subject, &people).await
}
