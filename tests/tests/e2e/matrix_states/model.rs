//! Models: where one person approves them, held against the table; and where it takes two.

use weir_client::ClientError;
use weir_client::v1::{Model, ModelState};
use weir_tests::{TestDomain, example};

use super::{Subject, is_near, matrix, states_of};
use crate::cast::{Person, cast, of, stage};

/// Where one approves, the states are those of the table; where it takes two, one is half way.
struct Models<'a, const BY_TWO: bool> {
    domain: &'a TestDomain,
    people: &'a [Person],
    component: Vec<u8>,
    made: u32,
}

impl<const BY_TWO: bool> Subject for Models<'_, BY_TWO> {
    const OF: &'static str = if BY_TWO { "" } else { "model" };

    fn states(&self) -> Vec<&'static str> {
        match BY_TWO {
            true => vec!["submitted", "half way", "approved", "withdrawn"],
            false => states_of(Self::OF),
        }
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "report", "submit", "approve", "reject", "withdraw"]
    }

    async fn make(&mut self, state: &str) -> String {
        self.made += 1;
        let name = format!("model_{}", self.made);
        let submitted = of(self.people, "operator")
            .submit_model(&name, self.component.clone())
            .await
            .unwrap();
        let by: &[&str] = match state {
            "half way" => &["bureau"],
            "approved" | "withdrawn" if BY_TWO => &["bureau", "2nd bureau"],
            "approved" | "withdrawn" => &["bureau"],
            _ => &[],
        };
        for who in by {
            let approved = of(self.people, who).approve_model(&name, &submitted.digest);
            approved.await.unwrap();
        }
        let bureau = &self.domain.bureau;
        let (digest, why) = (&submitted.digest, "before");
        match state {
            "rejected" => drop(bureau.reject_model(&name, digest, why).await.unwrap()),
            "withdrawn" => drop(bureau.withdraw_model(&name, digest, why).await.unwrap()),
            _ => {}
        }
        name
    }

    async fn act(&self, who: &Person, act: &str, name: &str) -> Result<(), ClientError> {
        let client = &who.client;
        match act {
            "read" => client.model(name, "").await.map(drop),
            "report" => client.model_report(name, "", true).await.map(drop),
            "submit" => client
                .submit_model(name, self.component.clone())
                .await
                .map(drop),
            _ => {
                let Model { digest, .. } = self.domain.bureau.model(name, "").await.unwrap();
                match act {
                    "approve" => client.approve_model(name, &digest).await.map(drop),
                    "reject" => client.reject_model(name, &digest, "now").await.map(drop),
                    _ => client.withdraw_model(name, &digest, "now").await.map(drop),
                }
            }
        }
    }

    async fn state(&self, name: &str) -> String {
        let model = self.domain.bureau.model(name, "").await.unwrap();
        match (model.state(), model.approvals.len()) {
            (ModelState::Approved, _) => "approved",
            (ModelState::Rejected, _) => "rejected",
            (ModelState::Withdrawn, 0) => "withdrawn",
            (_, 0) => "submitted",
            _ => "half way",
        }
        .to_owned()
    }

    fn is_party(&self, who: &Person, _act: &str) -> bool {
        !is_near(who)
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried<const BY_TWO: bool>() -> String {
    let domain = stage(if BY_TWO { "model_reviewers = 2" } else { "" }).await;
    let people = cast(&domain).await;
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    let mut subject = Models::<BY_TWO> {
        domain: &domain,
        people: &people,
        component,
        made: 0,
    };
    matrix(&mut subject, &people).await
}
