//! Who may do what, through real certificates.

use uuid::Uuid;
use weir_client::v1::{self, Role, RunRequest};
use weir_client::{Client, IdentityFolder};
use weir_tests::{TestDomain, example, issue, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_spoken_to() {
    let (domain, other) = (TestDomain::start().await, TestDomain::start().await);
    // A certificate of another domain: the handshake ends it.
    let foreign = IdentityFolder {
        certificate_pem: other.administrator.certificate_pem.clone(),
        key_pem: other.administrator.key_pem.clone(),
        ..domain.administrator.clone()
    };
    let refused = match Client::connect(&foreign).await {
        Ok(client) => client.who_am_i().await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(refused.unwrap_err().code(), "CONNECTION_FAILED");
    // A server of another domain: the client does not trust it.
    let astray = IdentityFolder {
        server_url: other.administrator.server_url.clone(),
        ..domain.administrator.clone()
    };
    assert_eq!(
        Client::connect(&astray)
            .await
            .err()
            .map(|error| error.code().to_owned())
            .as_deref(),
        Some("CONNECTION_FAILED")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_the_work_of_their_own_organisation() {
    let domain = TestDomain::start().await;
    let insider = domain.client(Role::Operator, "Data Bureau").await;
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    let model = insider.submit_model("pace", component).await.unwrap();
    let error = domain
        .bureau
        .approve_model("pace", &model.digest)
        .await
        .unwrap_err();
    insta::assert_snapshot!(refusal(&error), @"OWN_WORK: model `pace` is of your own organisation. Someone from another one decides on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_stored_answer_and_an_id_is_nobody_elses() {
    let domain = TestDomain::with_flights().await;
    let request = RunRequest {
        sql: "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin".to_owned(),
        run_id: Uuid::now_v7().to_string(),
        snapshots: Vec::new(),
        grant: String::new(),
    };
    let first = domain.operator.run(request.clone(), |_| {}).await.unwrap();
    let again = domain.operator.run(request.clone(), |_| {}).await.unwrap();
    assert_eq!(
        first.entry.index(),
        again.entry.index(),
        "the retry made no second release"
    );
    assert_eq!(first.receipt_json, again.receipt_json);

    let other_sql = RunRequest {
        sql: "SELECT COUNT(*) FROM flights".to_owned(),
        ..request.clone()
    };
    let error = domain.operator.run(other_sql, |_| {}).await.err().unwrap();
    assert_eq!(error.code(), "RUN_ID_TAKEN");
    let rival = domain.client(Role::Operator, "Rival").await;
    assert_eq!(
        rival
            .run(request.clone(), |_| {})
            .await
            .err()
            .unwrap()
            .code(),
        "RUN_ID_TAKEN"
    );
    let no_uuid = RunRequest {
        run_id: "1".to_owned(),
        ..request
    };
    assert_eq!(
        domain
            .operator
            .run(no_uuid, |_| {})
            .await
            .err()
            .unwrap()
            .code(),
        "RUN_ID_INVALID"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_checked_before_they_are_made() {
    let domain = TestDomain::start().await;
    let request = |person: &str, days: u32, role: Role| v1::IssueIdentityRequest {
        signing_request_pem: "not a request".to_owned(),
        role: role.into(),
        organisation: "交通局".to_owned(),
        person: person.to_owned(),
        valid_days: days,
        request_key: String::new(),
    };
    let mut seen = String::new();
    for (person, days, role) in [
        ("", 1, Role::Operator),
        ("li\n", 1, Role::Operator),
        ("李雷", 398, Role::Operator),
        ("李雷", 1, Role::Unspecified),
        ("李雷", 1, Role::Operator),
    ] {
        let error = domain
            .bureau
            .issue_identity(request(person, days, role))
            .await
            .unwrap_err();
        seen += &format!("{}\n", refusal(&error));
    }
    insta::assert_snapshot!(seen, @r#"
NAME_INVALID: the person must have 1 to 64 characters, none of them a control character, and no space at its ends
NAME_INVALID: the person must have 1 to 64 characters, none of them a control character, and no space at its ends
VALIDITY_TOO_LONG: 398 days are asked for; a certificate lives at most 397. Ask for fewer
ROLE_MISSING: no role is named. Name one of: bureau, provider, operator, auditor
SIGNING_REQUEST_INVALID: the signing request is not a PKCS#10 request in PEM (Could not parse certificate signing request). Make it with `weir identity issue`
"#);
    let identity = issue(
        &domain.bureau,
        &domain.administrator,
        Role::Auditor,
        "审计局",
    )
    .await;
    let who = Client::connect(&identity)
        .await
        .unwrap()
        .who_am_i()
        .await
        .unwrap();
    assert_eq!(
        (who.organisation.as_str(), who.role()),
        ("审计局", Role::Auditor)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_no_exact_figures_and_no_other_operators_models() {
    let domain = TestDomain::with_flights().await;
    let of_operator = domain.operator.dataset("flights").await.unwrap();
    assert_eq!(
        (
            of_operator.rows,
            of_operator.units,
            of_operator.rows_without_unit
        ),
        (None, None, None)
    );
    assert!(
        of_operator
            .columns
            .iter()
            .any(|column| column.name == "carrier")
    );
    let of_bureau = domain.bureau.dataset("flights").await.unwrap();
    assert_eq!(
        (of_bureau.rows, of_bureau.units, of_bureau.rows_without_unit),
        (Some(334_264), Some(4_043), Some(2_512))
    );

    let rival = domain.client(Role::Operator, "Rival").await;
    assert!(rival.list_models().await.unwrap().is_empty());
    assert_eq!(
        rival.model("pace", "").await.unwrap_err().code(),
        "MODEL_UNKNOWN"
    );
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    assert_eq!(
        rival
            .submit_model("pace", component)
            .await
            .unwrap_err()
            .code(),
        "MODEL_NAME_TAKEN"
    );
}
