//! Models, where it takes two to approve one.

use weir_client::ClientError;
use weir_client::v1::ModelState;
use weir_tests::{TestDomain, example};

use super::{Subject, matrix};
use crate::cast::{Person, cast, of, stage};

struct Models<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    component: Vec<u8>,
    made: u32,
}

impl Subject for Models<'_> {
    const OF: &'static str = "";

    fn states(&self) -> Vec<&'static str> {
        vec!["submitted", "half way", "approved"]
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "report", "submit", "approve"]
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
            "approved" => &["bureau", "2nd bureau"],
            _ => &[],
        };
        for who in by {
            let approved = of(self.people, who).approve_model(&name, &submitted.digest);
            approved.await.unwrap();
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
                let model = self.domain.bureau.model(name, "").await.unwrap();
                client.approve_model(name, &model.digest).await.map(drop)
            }
        }
    }

    async fn state(&self, name: &str) -> String {
        let model = self.domain.bureau.model(name, "").await.unwrap();
        match (model.state(), model.approvals.len()) {
            (ModelState::Approved, _) => "approved",
            (_, 0) => "submitted",
            _ => "half way",
        }
        .to_owned()
    }

    fn is_party(&self, _who: &Person, _act: &str) -> bool {
        true
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("model_reviewers = 2").await;
    let people = cast(&domain).await;
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    let mut subject = Models {
        domain: &domain,
        people: &people,
        component,
        made: 0,
    };
    matrix(&mut subject, &people).await
}
