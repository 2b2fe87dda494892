//! Products.

use std::sync::atomic::{AtomicU32, Ordering};

use prost::Message;
use tonic::Status;
use weir_client::ClientError;
use weir_client::v1::{
    DecideProductRequest, ProductDecision, RegisterProductRequest, RunProductRequest,
};
use weir_tests::TestDomain;

use super::{Subject, is_bureau, is_near, matrix, states_of};
use crate::cast::{Person, cast, of, stage};

struct Products<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    made: u32,
}

impl Products<'_> {
    fn part(&self, part: &str) -> &Person {
        let found = self.people.iter().find(|person| person.part == part);
        found.unwrap()
    }
}

impl Subject for Products<'_> {
    const OF: &'static str = "product";

    fn states(&self) -> Vec<&'static str> {
        states_of(Self::OF)
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "run", "register", "approve", "reject", "retire"]
    }

    async fn make(&mut self, state: &str) -> String {
        self.made += 1;
        let name = format!("product_{}", self.made);
        self.act(self.part("operator"), "register", &name)
            .await
            .unwrap();
        let act = match state {
            "approved" => "approve",
            "rejected" => "reject",
            "retired" => "retire",
            _ => return name,
        };
        self.act(self.part("bureau"), act, &name).await.unwrap();
        name
    }

    async fn act(&self, who: &Person, act: &str, name: &str) -> Result<(), ClientError> {
        let client = &who.client;
        match act {
            "read" => client.product(name).await.map(drop),
            "run" => {
                let request = RunProductRequest {
                    name: name.to_owned(),
                    ..Default::default()
                };
                // The client would look the product up first.
                let call = ("ProductService".to_owned(), "RunProduct".to_owned());
                let status = crate::matrix::call(client, &call, request.encode_to_vec()).await;
                status.map_err(refused)
            }
            "register" => {
                let grant = match who.part {
                    "operator" => self.domain.operators_grant(),
                    _ => String::new(),
                };
                let request = RegisterProductRequest {
                    name: name.to_owned(),
                    title: "People by town".to_owned(),
                    purpose: "a report".to_owned(),
                    sql: "SELECT town, COUNT(*) AS n FROM people GROUP BY town".to_owned(),
                    grant,
                    ..Default::default()
                };
                client.register_product(request).await.map(drop)
            }
            "retire" => client.retire_product(name, &reason()).await.map(drop),
            _ => {
                let decision = match act {
                    "approve" => ProductDecision::Approve,
                    _ => ProductDecision::Reject,
                };
                let request = DecideProductRequest {
                    name: name.to_owned(),
                    digest: self.domain.bureau.product(name).await.unwrap().digest,
                    decision: decision.into(),
                    reason: reason(),
                };
                client.decide_product(request).await.map(drop)
            }
        }
    }

    async fn state(&self, name: &str) -> String {
        let product = of(self.people, "auditor").product(name).await;
        product.unwrap().state
    }

    fn is_party(&self, who: &Person, act: &str) -> bool {
        match act {
            "register" => who.part == "operator",
            "retire" => who.part == "operator" || is_bureau(who),
            _ => !is_near(who),
        }
    }
}

/// Another one each time: the same decision for the same reason is one that is sent again.
fn reason() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("so it is, {}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The refusal in a status, as the client would have it.
fn refused(status: Status) -> ClientError {
    let codes = [
        "ROLE_NOT_ALLOWED",
        "PRODUCT_UNKNOWN",
        "PRODUCT_OF_ANOTHER",
        "PRODUCT_NOT_APPROVED",
    ];
    let code = codes
        .into_iter()
        .find(|code| crate::matrix::is(&status, code));
    ClientError::Refused {
        code: code.unwrap_or("ANOTHER").to_owned(),
        family: String::new(),
        message: status.message().to_owned(),
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Products {
        domain: &domain,
        people: &people,
        made: 0,
    };
    matrix(&mut subject, &people).await
}
