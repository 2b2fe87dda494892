//! Grants.

use chrono::TimeDelta;
use weir_client::ClientError;
use weir_client::v1::{
    ChangeGrantRequest, DelegateGrantRequest, GrantAct, IssueGrantRequest, RunRequest,
};
use weir_tests::TestDomain;

use super::{Subject, is_near, matrix, states_of};
use crate::cast::{Person, cast, of, stage};
use crate::grants::{issue, text};

const SQL: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";

struct Grants<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    made: u32,
    /// How far the clock was set forward.
    ahead: TimeDelta,
}

impl Grants<'_> {
    async fn change(&self, who: &Person, act: GrantAct, id: &str) -> Result<(), ClientError> {
        let request = ChangeGrantRequest {
            id: id.to_owned(),
            act: act.into(),
            reason: "so it is".to_owned(),
            ..Default::default()
        };
        who.client.change_grant(request).await.map(drop)
    }
}

impl Subject for Grants<'_> {
    const OF: &'static str = "grant";

    fn states(&self) -> Vec<&'static str> {
        states_of(Self::OF)
    }

    fn acts(&self) -> Vec<&'static str> {
        vec![
            "read",
            "run",
            "delegate",
            "suspend",
            "resume",
            "order",
            "accept",
            "revoke",
            "terminate",
        ]
    }

    async fn make(&mut self, state: &str) -> String {
        self.made += 1;
        let scenario = format!("grant {}", self.made);
        let text = text(&scenario, &["town"], "partners = [\"Beta\"]");
        let operator = of(self.people, "operator");
        let applied = self
            .domain
            .applied(operator, weir_tests::OPERATOR, &text)
            .await
            .unwrap();
        let until = match state {
            "expired" => (chrono::Utc::now() + self.ahead + TimeDelta::minutes(10)).to_rfc3339(),
            _ => String::new(),
        };
        let request = IssueGrantRequest {
            until,
            ..issue(&applied)
        };
        let id = of(self.people, "bureau")
            .issue_grant(request)
            .await
            .unwrap()
            .id;
        let act = match state {
            "suspended" => GrantAct::Suspend,
            "mending" => GrantAct::Order,
            "revoked" => GrantAct::Revoke,
            "terminated" => GrantAct::Terminate,
            "expired" => {
                self.ahead += TimeDelta::minutes(20);
                self.domain.clock.set_ahead(self.ahead);
                return id;
            }
            _ => return id,
        };
        self.domain.change_grant(&id, act).await.unwrap();
        id
    }

    async fn act(&self, who: &Person, act: &str, id: &str) -> Result<(), ClientError> {
        let act = match act {
            "read" => return who.client.grant(id).await.map(drop),
            "run" => {
                let request = RunRequest {
                    sql: SQL.to_owned(),
                    grant: id.to_owned(),
                    ..Default::default()
                };
                return who.client.run(request, |_| {}).await.map(drop);
            }
            "delegate" => {
                let request = DelegateGrantRequest {
                    id: id.to_owned(),
                    organisation: "Beta".to_owned(),
                    ..Default::default()
                };
                return who.client.delegate_grant(request).await.map(drop);
            }
            "suspend" => GrantAct::Suspend,
            "resume" => GrantAct::Resume,
            "order" => GrantAct::Order,
            "accept" => GrantAct::Accept,
            "revoke" => GrantAct::Revoke,
            _ => GrantAct::Terminate,
        };
        self.change(who, act, id).await
    }

    async fn state(&self, id: &str) -> String {
        self.domain.bureau.grant(id).await.unwrap().state
    }

    fn is_party(&self, who: &Person, act: &str) -> bool {
        match act {
            "resume" | "accept" => !is_near(who),
            _ => who.part != "rival",
        }
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Grants {
        domain: &domain,
        people: &people,
        made: 0,
        ahead: TimeDelta::zero(),
    };
    matrix(&mut subject, &people).await
}
