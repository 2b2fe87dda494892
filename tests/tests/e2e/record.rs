//! The log, and what of it is served.

use weir_audit::{Event, Receipt, verify_log};
use weir_client::v1::Role;
use weir_tests::TestDomain;

#[tokio::test(flavor = "multi_thread")]
async fn every_change_and_every_decision_is_an_entry() {
    let domain = TestDomain::with_flights().await;
    let key = domain.operator.log_key().clone();
    let answer = domain
        .run("SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin")
        .await
        .unwrap();
    assert!(
        domain
            .refusal("SELECT * FROM flights")
            .await
            .starts_with("SQL_NOT_AN_AGGREGATE")
    );
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let mut kinds = Vec::new();
    for index in 0..=answer.entry.index() + 2 {
        let receipt = auditor.receipt(index).await.unwrap();
        let entry = Receipt::from_json(receipt.as_bytes())
            .unwrap()
            .verify(&key)
            .unwrap();
        kinds.push(match &entry.entry().event {
            Event::DomainInitialised { .. } => "domain_initialised",
            Event::PolicyInForce { .. } => "policy_in_force",
            Event::IdentityIssued { .. } => "identity_issued",
            Event::DatasetRegistered { .. } => "dataset_registered",
            Event::ModelSubmitted { .. } => "model_submitted",
            Event::ModelApproved { .. } => "model_approved",
            Event::ReleaseDecided { .. } => "release_decided",
            Event::RunRefused { .. } => "run_refused",
            Event::SnapshotDestroyed { .. } => "snapshot_destroyed",
            Event::ModelVetted { .. } => "model_vetted",
            Event::VettedModelApproved { .. } => "vetted_model_approved",
            Event::RiskAssessed { .. } => "risk_assessed",
            Event::FeedbackFiled { .. } => "feedback_filed",
            Event::FeedbackAnswered { .. } => "feedback_answered",
            Event::PolicyProposed { .. } => "policy_proposed",
            Event::PolicyApproved { .. } => "policy_approved",
            Event::PolicyWithdrawn { .. } => "policy_withdrawn",
            Event::DatasetPolicyInForce { .. } => "dataset_policy_in_force",
            Event::PolicyReplayed { .. } => "policy_replayed",
            Event::ApplicationSubmitted { .. } => "application_submitted",
            Event::ApplicationReviewed { .. } => "application_reviewed",
            Event::GrantIssued { .. } => "grant_issued",
            Event::GrantChanged { .. } => "grant_changed",
            Event::FreezeChanged { .. } => "freeze_changed",
            Event::RunAuthorised { .. } => "run_authorised",
            Event::IdentityRenewed { .. } => "identity_renewed",
            Event::IdentityRevoked { .. } => "identity_revoked",
            Event::AirlockEntered { .. } => "airlock_entered",
            Event::AirlockSeen { .. } => "airlock_seen",
            Event::AirlockChanged { .. } => "airlock_changed",
            Event::ModelReviewed { .. } => "model_reviewed",
            Event::ModelRejected { .. } => "model_rejected",
            Event::ModelWithdrawn { .. } => "model_withdrawn",
            Event::AlertRaised { .. } => "alert_raised",
            Event::AlertAcknowledged { .. } => "alert_acknowledged",
            Event::BasisKept { .. } => "basis_kept",
            Event::DomainRestored { .. } => "domain_restored",
            Event::KeyRotated { .. } => "key_rotated",
            Event::KeyRetired { .. } => "key_retired",
            Event::ReleaseReplayed { .. } => "release_replayed",
            Event::RunCharged { .. } => "run_charged",
            Event::ProductChanged { .. } => "product_changed",
            Event::KeptDestroyed { .. } => "kept_destroyed",
            Event::EntryWithoutEffect { .. } => "entry_without_effect",
            Event::SettingsChanged { .. } => "settings_changed",
            Event::RegistrySealed { .. } => "registry_sealed",
        });
    }
    // The test's own policy was put in place before the server started, which it noted.
    insta::assert_snapshot!(kinds.join("\n"), @r#"
domain_initialised
policy_in_force
identity_issued
policy_in_force
identity_issued
dataset_registered
application_submitted
identity_issued
application_reviewed
grant_issued
model_submitted
model_vetted
vetted_model_approved
model_submitted
model_vetted
vetted_model_approved
run_charged
run_authorised
basis_kept
release_decided
run_refused
identity_issued
"#);
    assert_eq!(
        auditor.receipt(1_000).await.unwrap_err().code(),
        "AUDIT_NO_SUCH_ENTRY"
    );

    let (folder, _guard) = domain.stop().await;
    let report = verify_log(&folder.log(), &key, &mut |_, _| {}).unwrap();
    // And that of the stop.
    assert_eq!(report.entries, kinds.len() as u64 + 1);
    assert!(report.unexpected.is_empty() && report.beyond_checkpoint.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_receipt_does_not_verify() {
    let domain = TestDomain::with_flights().await;
    let answer = domain
        .run("SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin")
        .await
        .unwrap();
    let changed =
        answer
            .receipt_json
            .replacen("\\\"cells_released\\\":3", "\\\"cells_released\\\":4", 1);
    assert_ne!(
        changed, answer.receipt_json,
        "the entry's text is in the receipt"
    );
    let verified = Receipt::from_json(changed.as_bytes())
        .and_then(|receipt| receipt.verify(domain.operator.log_key()));
    assert!(verified.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let domain = TestDomain::start().await;
    let request = HealthCheckRequest {
        service: "weir.v1.RunService".to_owned(),
    };
    let health = HealthClient::new(domain.operator.channel())
        .check(request)
        .await
        .unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);

    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(domain.operator.channel())
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
        panic!("no list of services");
    };
    let names: Vec<_> = services
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    assert!(
        names.contains(&"weir.v1.RunService".to_owned()),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_opens_again_as_it_was() {
    let domain = TestDomain::with_flights().await;
    let sql = "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band";
    let before = domain.run(sql).await.unwrap();
    let identity = weir_tests::issue(
        &domain.bureau,
        &domain.administrator,
        Role::Operator,
        "Acme Insurance",
    )
    .await;
    let (folder, _guard) = domain.stop().await;

    let serving = weir_server::serve(weir_server::Domain::open(folder.root()).await.unwrap())
        .await
        .unwrap();
    let second = weir_server::Domain::open(folder.root())
        .await
        .err()
        .map(|fault| fault.code);
    assert!(second.is_some(), "one process at a time");
    let identity = weir_client::IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..identity
    };
    let operator = weir_client::Client::connect(&identity).await.unwrap();
    let request = weir_client::v1::RunRequest {
        sql: sql.to_owned(),
        run_id: String::new(),
        snapshots: Vec::new(),
        grant: String::new(),
    };
    let after = operator.run(request, |_| {}).await.unwrap();
    assert_eq!(before.released, after.released);
    serving.stop().await.unwrap();
}
