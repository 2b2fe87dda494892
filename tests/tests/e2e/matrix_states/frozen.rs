//! An operator that is frozen, or not.

use weir_client::ClientError;
use weir_client::v1::{FreezeRequest, RunRequest};
use weir_tests::{OPERATOR, TestDomain};

use super::{Subject, matrix};
use crate::cast::{Person, cast, stage};

struct Frozen<'a> {
    domain: &'a TestDomain,
    grant: String,
}

impl Subject for Frozen<'_> {
    const OF: &'static str = "";

    fn states(&self) -> Vec<&'static str> {
        vec!["free", "frozen"]
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "run", "freeze", "unfreeze"]
    }

    async fn make(&mut self, state: &str) -> String {
        let request = freezing(OPERATOR);
        let bureau = &self.domain.bureau;
        match state {
            "frozen" => bureau.freeze(request).await.unwrap(),
            _ => bureau.unfreeze(request).await.unwrap(),
        };
        OPERATOR.to_owned()
    }

    async fn act(&self, who: &Person, act: &str, name: &str) -> Result<(), ClientError> {
        let client = &who.client;
        match act {
            "read" => client.list_freezes().await.map(drop),
            "freeze" => client.freeze(freezing(name)).await.map(drop),
            "unfreeze" => client.unfreeze(freezing(name)).await.map(drop),
            _ => {
                let grant = match who.part {
                    "operator" => self.grant.clone(),
                    _ => String::new(),
                };
                let request = RunRequest {
                    sql: "SELECT town, COUNT(*) AS n FROM people GROUP BY town".to_owned(),
                    grant,
                    ..Default::default()
                };
                client.run(request, |_| {}).await.map(drop)
            }
        }
    }

    async fn state(&self, name: &str) -> String {
        let frozen = self.domain.bureau.list_freezes().await.unwrap();
        match frozen.iter().any(|one| one.name == name) {
            true => "frozen",
            false => "free",
        }
        .to_owned()
    }

    fn is_party(&self, _who: &Person, _act: &str) -> bool {
        true
    }
}

fn freezing(name: &str) -> FreezeRequest {
    FreezeRequest {
        scope: "operator".to_owned(),
        name: name.to_owned(),
        reason: "so it is".to_owned(),
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Frozen {
        grant: domain.operators_grant(),
        domain: &domain,
    };
    matrix(&mut subject, &people).await
}
