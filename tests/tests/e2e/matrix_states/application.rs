//! Applications.

use weir_client::ClientError;
use weir_client::v1::{
    Application, ApplyRequest, DecideApplicationRequest, Decision, Opinion,
    WithdrawApplicationRequest,
};
use weir_tests::TestDomain;

use super::{Subject, is_bureau, is_near, matrix, states_of};
use crate::cast::{Person, cast, of, stage};
use crate::grants::{apply, issue, opinion, text};

pub(crate) struct Applications<'a> {
    pub(crate) domain: &'a TestDomain,
    pub(crate) people: &'a [Person],
    pub(crate) made: u32,
}

impl Applications<'_> {
    async fn find(&self, id: &str) -> Application {
        self.domain.bureau.application(id).await.unwrap()
    }

    async fn decide(
        &self,
        who: &Person,
        application: &Application,
        decision: Decision,
    ) -> Result<(), ClientError> {
        let request = DecideApplicationRequest {
            id: application.id.clone(),
            digest: application.digest.clone(),
            decision: decision.into(),
            reason: "so it is".to_owned(),
            request_key: String::new(),
        };
        who.client.decide_application(request).await.map(drop)
    }

    fn part(&self, part: &str) -> &Person {
        let found = self.people.iter().find(|person| person.part == part);
        found.unwrap()
    }
}

impl Subject for Applications<'_> {
    const OF: &'static str = "application";

    fn states(&self) -> Vec<&'static str> {
        states_of(Self::OF)
    }

    fn acts(&self) -> Vec<&'static str> {
        vec![
            "read", "support", "oppose", "return", "resubmit", "reject", "withdraw", "grant",
        ]
    }

    async fn make(&mut self, state: &str) -> String {
        self.made += 1;
        let text = text(&format!("application {}", self.made), &["town"], "");
        let operator = of(self.people, "operator");
        let id = operator.apply(apply(&text)).await.unwrap().id;
        let before: &[(&str, &str)] = match state {
            "reviewed" => &[("provider", "support")],
            "granted" => &[("provider", "support"), ("bureau", "grant")],
            "returned" => &[("bureau", "return")],
            "rejected" => &[("bureau", "reject")],
            "withdrawn" => &[("operator", "withdraw")],
            _ => &[],
        };
        for (who, act) in before {
            self.act(self.part(who), act, &id).await.unwrap();
        }
        id
    }

    async fn act(&self, who: &Person, act: &str, id: &str) -> Result<(), ClientError> {
        let application = self.find(id).await;
        let client = &who.client;
        match act {
            "read" => client.application(id).await.map(drop),
            "support" | "oppose" => {
                let said = match act {
                    "support" => Opinion::Support,
                    _ => Opinion::Oppose,
                };
                let request = opinion(&application, said);
                client.review_application(request).await.map(drop)
            }
            "return" => self.decide(who, &application, Decision::Return).await,
            "reject" => self.decide(who, &application, Decision::Reject).await,
            "resubmit" => {
                let again = ApplyRequest {
                    application: id.to_owned(),
                    ..apply(&application.text)
                };
                client.apply(again).await.map(drop)
            }
            "withdraw" => {
                let request = WithdrawApplicationRequest {
                    id: id.to_owned(),
                    reason: "a mistake".to_owned(),
                    request_key: String::new(),
                };
                client.withdraw_application(request).await.map(drop)
            }
            _ => client.issue_grant(issue(&application)).await.map(drop),
        }
    }

    async fn state(&self, id: &str) -> String {
        self.find(id).await.state
    }

    fn is_party(&self, who: &Person, act: &str) -> bool {
        match act {
            "support" | "oppose" => who.part == "provider" || (is_bureau(who) && !is_near(who)),
            "resubmit" | "withdraw" => who.part == "operator",
            _ => !is_near(who),
        }
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Applications {
        domain: &domain,
        people: &people,
        made: 0,
    };
    matrix(&mut subject, &people).await
}
