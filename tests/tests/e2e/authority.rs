//! Who may do what, through real certificates.

use uuid::Uuid;
use weir_client::v1::{self, DestroySnapshotRequest, RegisterDatasetRequest, Role, RunRequest};
use weir_client::{Client, ClientError, IdentityFolder};
use weir_tests::{TestDomain, example, issue, refusal};

async fn answer(client: &Client, call: &str) -> String {
    let outcome: Result<(), ClientError> = match call {
        "WhoAmI" => client.who_am_i().await.map(drop),
        "IssueIdentity" => {
            let request = v1::IssueIdentityRequest {
                signing_request_pem: String::new(),
                role: Role::Operator.into(),
                organisation: "x".to_owned(),
                person: "y".to_owned(),
                valid_days: 1,
            };
            client.issue_identity(request).await.map(drop)
        }
        "RegisterDataset" => {
            let request = RegisterDatasetRequest {
                manifest_toml: String::new(),
                manifest_name: String::new(),
                source_path: String::new(),
                update: false,
            };
            client.register_dataset(request, |_| {}).await.map(drop)
        }
        "ListDatasets" => client.list_datasets().await.map(drop),
        "GetDataset" => client.dataset("none").await.map(drop),
        "DestroySnapshot" => {
            let request = DestroySnapshotRequest {
                dataset: "none".to_owned(),
                snapshot: String::new(),
                reason: "a test".to_owned(),
            };
            client.destroy_snapshot(request).await.map(drop)
        }
        "GetQuality" => client.quality("none").await.map(drop),
        "AssessRisk" => {
            let request = v1::AssessRiskRequest::default();
            client.assess_risk(request, |_| {}).await.map(drop)
        }
        "SampleDataset" => client
            .sample_dataset(v1::SampleDatasetRequest::default())
            .await
            .map(drop),
        "ExportCatalogue" => client.export_catalogue().await.map(drop),
        "FileFeedback" => client
            .file_feedback(v1::FileFeedbackRequest::default())
            .await
            .map(drop),
        "ListFeedback" => client.list_feedback("").await.map(drop),
        "AnswerFeedback" => client.answer_feedback("none", "x").await.map(drop),
        "SubmitModel" => client.submit_model("m", Vec::new()).await.map(drop),
        "GetModel" => client.model("none", "").await.map(drop),
        "GetModelReport" => client.model_report("none", "", false).await.map(drop),
        "ListModels" => client.list_models().await.map(drop),
        "ApproveModel" => client.approve_model("none", "sha256:00").await.map(drop),
        "GetPolicy" => client.policy(&[]).await.map(drop),
        "ListPolicyChanges" => client.list_policy_changes(true).await.map(drop),
        "PutPolicy" => client
            .put_policy(v1::PutPolicyRequest::default())
            .await
            .map(drop),
        "ApprovePolicy" => client.approve_policy("none", "sha256:00").await.map(drop),
        "WithdrawPolicy" => client.withdraw_policy("none").await.map(drop),
        "ReplayPolicy" => client
            .replay_policy(v1::ReplayPolicyRequest::default(), |_| {})
            .await
            .map(drop),
        "Run" => {
            let request = RunRequest {
                sql: String::new(),
                run_id: String::new(),
                snapshots: Vec::new(),
                grant: String::new(),
            };
            client.run(request, |_| {}).await.map(drop)
        }
        "RenewIdentity" => {
            let request = v1::RenewIdentityRequest::default();
            client.renew_identity(request).await.map(drop)
        }
        "RevokeIdentity" => {
            let request = v1::RevokeIdentityRequest::default();
            client.revoke_identity(request).await.map(drop)
        }
        "ListIdentities" => client.list_identities(false).await.map(drop),
        "Apply" => client.apply(v1::ApplyRequest::default()).await.map(drop),
        "WithdrawApplication" => {
            let request = v1::WithdrawApplicationRequest::default();
            client.withdraw_application(request).await.map(drop)
        }
        "ReviewApplication" => {
            let request = v1::ReviewApplicationRequest::default();
            client.review_application(request).await.map(drop)
        }
        "DecideApplication" => {
            let request = v1::DecideApplicationRequest::default();
            client.decide_application(request).await.map(drop)
        }
        "ListApplications" => client.list_applications(false).await.map(drop),
        "GetApplication" => client.application("none").await.map(drop),
        "IssueGrant" => client
            .issue_grant(v1::IssueGrantRequest::default())
            .await
            .map(drop),
        "DelegateGrant" => {
            let request = v1::DelegateGrantRequest::default();
            client.delegate_grant(request).await.map(drop)
        }
        "ChangeGrant" => client
            .change_grant(v1::ChangeGrantRequest::default())
            .await
            .map(drop),
        "ListGrants" => client.list_grants(false).await.map(drop),
        "GetGrant" => client.grant("none").await.map(drop),
        "Freeze" => client.freeze(v1::FreezeRequest::default()).await.map(drop),
        "Unfreeze" => client
            .unfreeze(v1::FreezeRequest::default())
            .await
            .map(drop),
        "ListFreezes" => client.list_freezes().await.map(drop),
        "GetRunStatus" => client.run_status("none").await.map(drop),
        "WatchRun" => client.watch_run("none", |_| {}).await.map(drop),
        "CancelRun" => client.cancel_run("none").await,
        "ListAirlock" => client.list_airlock(true).await.map(drop),
        "GetAirlock" => client.airlock_entry("none").await.map(drop),
        "DecideAirlock" => client
            .decide_airlock(v1::DecideAirlockRequest::default())
            .await
            .map(drop),
        "ListReleases" => client.list_releases(0).await.map(drop),
        "GetCheckpoint" => client.checkpoint().await.map(drop),
        "GetReceipt" => client.receipt(0).await.map(drop),
        other => panic!("{other}"),
    };
    match outcome {
        Err(error) if error.code() == "ROLE_NOT_ALLOWED" => "-".to_owned(),
        _ => "may".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_by_every_role() {
    let domain = TestDomain::start().await;
    let clients = [
        domain.bureau.clone(),
        domain.client(Role::Provider, "Transport Department").await,
        domain.operator.clone(),
        domain.client(Role::Auditor, "Audit Office").await,
    ];
    let mut table = format!(
        "{:<20}{:<8}{:<9}{:<9}{}\n",
        "", "bureau", "provider", "operator", "auditor"
    );
    for call in [
        "WhoAmI",
        "IssueIdentity",
        "RenewIdentity",
        "RevokeIdentity",
        "ListIdentities",
        "RegisterDataset",
        "ListDatasets",
        "GetDataset",
        "DestroySnapshot",
        "GetQuality",
        "AssessRisk",
        "SampleDataset",
        "ExportCatalogue",
        "FileFeedback",
        "ListFeedback",
        "AnswerFeedback",
        "SubmitModel",
        "GetModel",
        "GetModelReport",
        "ListModels",
        "ApproveModel",
        "GetPolicy",
        "ListPolicyChanges",
        "PutPolicy",
        "ApprovePolicy",
        "WithdrawPolicy",
        "ReplayPolicy",
        "Apply",
        "WithdrawApplication",
        "ReviewApplication",
        "DecideApplication",
        "ListApplications",
        "GetApplication",
        "IssueGrant",
        "DelegateGrant",
        "ChangeGrant",
        "ListGrants",
        "GetGrant",
        "Freeze",
        "Unfreeze",
        "ListFreezes",
        "Run",
        "GetRunStatus",
        "WatchRun",
        "CancelRun",
        "ListAirlock",
        "GetAirlock",
        "DecideAirlock",
        "ListReleases",
        "GetCheckpoint",
        "GetReceipt",
    ] {
        let mut row = Vec::new();
        for client in &clients {
            row.push(answer(client, call).await);
        }
        table += &format!(
            "{call:<20}{:<8}{:<9}{:<9}{}\n",
            row[0], row[1], row[2], row[3]
        );
    }
    insta::assert_snapshot!(table, @r#"
                    bureau  provider operator auditor
WhoAmI              may     may      may      may
IssueIdentity       may     -        -        -
RenewIdentity       may     may      may      may
RevokeIdentity      may     -        -        -
ListIdentities      may     -        -        may
RegisterDataset     may     -        -        -
ListDatasets        may     may      may      may
GetDataset          may     may      may      may
DestroySnapshot     may     -        -        -
GetQuality          may     may      may      may
AssessRisk          may     -        -        -
SampleDataset       may     may      may      may
ExportCatalogue     may     may      may      may
FileFeedback        -       -        may      -
ListFeedback        may     -        may      may
AnswerFeedback      may     -        -        -
SubmitModel         -       -        may      -
GetModel            may     -        may      may
GetModelReport      may     -        may      may
ListModels          may     -        may      may
ApproveModel        may     -        -        -
GetPolicy           may     -        may      may
ListPolicyChanges   may     -        may      may
PutPolicy           may     -        -        -
ApprovePolicy       may     -        -        -
WithdrawPolicy      may     -        -        -
ReplayPolicy        may     -        -        -
Apply               -       -        may      -
WithdrawApplication -       -        may      -
ReviewApplication   may     may      -        -
DecideApplication   may     -        -        -
ListApplications    may     may      may      may
GetApplication      may     may      may      may
IssueGrant          may     -        -        -
DelegateGrant       -       -        may      -
ChangeGrant         may     -        may      -
ListGrants          may     may      may      may
GetGrant            may     may      may      may
Freeze              may     -        -        -
Unfreeze            may     -        -        -
ListFreezes         may     -        -        may
Run                 -       -        may      -
GetRunStatus        -       -        may      -
WatchRun            -       -        may      -
CancelRun           -       -        may      -
ListAirlock         may     -        -        may
GetAirlock          may     -        -        may
DecideAirlock       may     -        -        -
ListReleases        may     -        -        may
GetCheckpoint       may     may      may      may
GetReceipt          may     -        -        may
"#);
}

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
    insta::assert_snapshot!(refusal(&error), @"OWN_WORK: model `pace` was submitted by your own organisation. Someone from another one reviews it");
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
