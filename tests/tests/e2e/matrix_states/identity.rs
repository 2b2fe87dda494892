//! Certificates: somebody's, as others act on it.

use chrono::TimeDelta;
use weir_client::ClientError;
use weir_client::NewKey;
use weir_client::v1::{Identity, IssueIdentityRequest, RevokeIdentityRequest, Role};
use weir_tests::TestDomain;

use super::{Subject, matrix};
use crate::cast::{Person, cast, of, stage};

struct Identities<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    ahead: TimeDelta,
}

impl Identities<'_> {
    async fn find(&self, fingerprint: &str) -> Identity {
        let all = of(self.people, "auditor").list_identities(false).await;
        let mut all = all.unwrap().into_iter();
        all.find(|one| one.fingerprint == fingerprint).unwrap()
    }
}

impl Subject for Identities<'_> {
    const OF: &'static str = "";

    fn states(&self) -> Vec<&'static str> {
        vec!["accepted", "revoked", "expired"]
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "revoke"]
    }

    async fn make(&mut self, state: &str) -> String {
        let key = NewKey::generate().unwrap();
        let request = IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: Role::Operator.into(),
            organisation: "Somebody".to_owned(),
            person: "he".to_owned(),
            valid_days: 1,
            request_key: String::new(),
        };
        let issued = self.domain.bureau.issue_identity(request).await.unwrap();
        match state {
            "revoked" => {
                let request = revoking(&issued.fingerprint);
                self.domain.bureau.revoke_identity(request).await.unwrap();
            }
            "expired" => {
                self.ahead += TimeDelta::days(2);
                self.domain.clock.set_ahead(self.ahead);
            }
            _ => {}
        }
        issued.fingerprint
    }

    async fn act(&self, who: &Person, act: &str, fingerprint: &str) -> Result<(), ClientError> {
        match act {
            "read" => who.client.list_identities(false).await.map(drop),
            _ => {
                let request = revoking(fingerprint);
                who.client.revoke_identity(request).await.map(drop)
            }
        }
    }

    async fn state(&self, fingerprint: &str) -> String {
        let identity = self.find(fingerprint).await;
        let now = chrono::Utc::now() + self.ahead;
        let ends = chrono::DateTime::parse_from_rfc3339(&identity.not_after).unwrap();
        match (identity.revoked_at.is_empty(), ends > now) {
            (false, _) => "revoked",
            (true, true) => "accepted",
            (true, false) => "expired",
        }
        .to_owned()
    }

    fn is_party(&self, _who: &Person, _act: &str) -> bool {
        true
    }
}

fn revoking(fingerprint: &str) -> RevokeIdentityRequest {
    RevokeIdentityRequest {
        fingerprint: fingerprint.to_owned(),
        reason: "so it is".to_owned(),
        ..Default::default()
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Identities {
        domain: &domain,
        people: &people,
        ahead: TimeDelta::zero(),
    };
    matrix(&mut subject, &people).await
}
