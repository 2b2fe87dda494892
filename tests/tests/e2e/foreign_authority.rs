//! Certificates of an authority that the settings name beside the domain's own.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use weir_client::v1::{IssueIdentityRequest, Role};
use weir_client::{Client, IdentityFolder};
use weir_tests::TestDomain;

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_connects_and_the_registry_decides() {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = params.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::from_ca_cert_pem(&authority_pem, authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(Vec::new()).unwrap();
    let certificate_pem = params.signed_by(&key, &issuer).unwrap().pem();
    // One that ends before what is asked for it, one that has ended, and one of an authority that nobody named.
    let until = |days: i64| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let day = Duration::from_secs(86_400) * days.unsigned_abs() as u32;
        let now = std::time::SystemTime::now();
        let at = if days < 0 { now - day } else { now + day };
        params.not_after = at.into();
        params
    };
    let short = until(3).signed_by(&key, &issuer).unwrap().pem();
    let ended = until(-3).signed_by(&key, &issuer).unwrap().pem();
    let alone = until(3).self_signed(&key).unwrap().pem();

    let domain = TestDomain::start_with(|folder| {
        let file = folder.root().join("other.pem");
        std::fs::write(&file, authority_pem).unwrap();
        let settings = std::fs::read_to_string(folder.config()).unwrap();
        let named = format!("client_authorities = [{file:?}]\n{settings}");
        std::fs::write(folder.config(), named).unwrap();
    })
    .await;
    let folder = IdentityFolder {
        certificate_pem: certificate_pem.clone(),
        key_pem: key.serialize_pem(),
        ..domain.administrator.clone()
    };
    let client = Client::connect(&folder).await.unwrap();
    assert_eq!(
        client.who_am_i().await.unwrap_err().code(),
        "IDENTITY_UNKNOWN"
    );
    let request = IssueIdentityRequest {
        signing_request_pem: certificate_pem,
        role: Role::Auditor.into(),
        organisation: "Audit Office".to_owned(),
        person: "qian".to_owned(),
        valid_days: 1,
        request_key: String::new(),
    };
    domain.bureau.issue_identity(request.clone()).await.unwrap();
    assert_eq!(client.who_am_i().await.unwrap().person, "qian");
    let twice = domain.bureau.issue_identity(request.clone()).await;
    assert_eq!(twice.unwrap_err().code(), "CERTIFICATE_KNOWN");
    for (pem, code) in [
        (ended, "CERTIFICATE_OTHER"),
        (alone, "CERTIFICATE_OTHER"),
        (
            "-----BEGIN CERTIFICATE-----\nno".to_owned(),
            "CERTIFICATE_INVALID",
        ),
    ] {
        let other = IssueIdentityRequest {
            signing_request_pem: pem,
            ..request.clone()
        };
        let refused = domain.bureau.issue_identity(other).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    // It is known for no longer than it is good.
    let longer = IssueIdentityRequest {
        signing_request_pem: short,
        valid_days: 90,
        ..request.clone()
    };
    let known = domain.bureau.issue_identity(longer).await.unwrap();
    let ends = chrono::DateTime::parse_from_rfc3339(&known.not_after).unwrap();
    assert_eq!((ends.to_utc() - chrono::Utc::now()).num_days(), 2);
    let plain = TestDomain::start().await;
    let foreign = plain.bureau.issue_identity(request).await;
    assert_eq!(foreign.unwrap_err().code(), "CERTIFICATE_FOREIGN");
}
