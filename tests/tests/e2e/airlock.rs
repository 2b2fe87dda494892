//! Tables that wait for people: who may let them go, what keeps them back, and that exactly what was looked at leaves.

use std::time::Duration;

use uuid::Uuid;
use weir_audit::{Event, Receipt};
use weir_client::v1::{
    AirlockDecision, AirlockEntry, DecideAirlockRequest, GrantAct, ModelState, PutPolicyRequest,
    RegisterDatasetRequest, Role, RunRequest, RunState,
};
use weir_client::{Client, ClientError, IdentityFolder, RunAnswer};
use weir_tests::{OPERATOR, TRIPS_MANIFEST, TestDomain, application, example, issue_to};

pub(crate) const SQL: &str =
    "SELECT town, SUM(delay) AS late, COUNT(*) AS n FROM trips GROUP BY town";

/// People of two towns, some of them early.
pub(crate) fn csv(people: i32) -> String {
    let mut csv = "id,town,delay\n".to_owned();
    for person in 0..people {
        let town = ["North", "South"][person as usize % 2];
        csv += &format!("p{person},{town},{}\n", person % 61 - 5);
    }
    csv
}

pub(crate) async fn with_trips(settings: &str) -> TestDomain {
    let domain = TestDomain::start_with(|folder| {
        let text = std::fs::read_to_string(folder.config()).unwrap();
        std::fs::write(folder.config(), format!("{settings}\n{text}")).unwrap();
    })
    .await;
    let csv = csv(400);
    let registered = domain.register_bytes("trips.csv", csv.as_bytes(), TRIPS_MANIFEST);
    registered.await.unwrap();
    domain
}

pub(crate) async fn someone(domain: &TestDomain, role: Role, of: &str, person: &str) -> Client {
    Client::connect(&identity(domain, role, of, person).await)
        .await
        .unwrap()
}

async fn identity(domain: &TestDomain, role: Role, of: &str, person: &str) -> IdentityFolder {
    issue_to(&domain.bureau, &domain.administrator, role, (of, person)).await
}

pub(crate) async fn ask(client: &Client, run: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: SQL.to_owned(),
        run_id: run.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

/// Code and message of a refusal, without the run's id.
async fn told(client: &Client, run: &str) -> String {
    match ask(client, run).await {
        Ok(_) => "answered".to_owned(),
        Err(error) => weir_tests::refusal(&error).replace(run, "RUN"),
    }
}

pub(crate) fn code<T>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

pub(crate) async fn decide(
    reviewer: &Client,
    run: &str,
    digest: &str,
    decision: AirlockDecision,
) -> Result<AirlockEntry, ClientError> {
    let request = DecideAirlockRequest {
        run_id: run.to_owned(),
        table_digest: digest.to_owned(),
        decision: decision.into(),
        reason: "looked at".to_owned(),
    };
    reviewer.decide_airlock(request).await
}

/// Looks at a table and lets it go; answers with the state it is in then.
pub(crate) async fn approve(reviewer: &Client, run: &str) -> String {
    let digest = match reviewer.airlock_table(run).await {
        Ok(seen) => seen.table.table_digest,
        Err(error) => return error.code().to_owned(),
    };
    let decided = decide(reviewer, run, &digest, AirlockDecision::Approve).await;
    decided.map_or_else(|error| error.code().to_owned(), |entry| entry.state)
}

pub(crate) fn run_id() -> String {
    Uuid::now_v7().to_string()
}

async fn state(client: &Client, run: &str) -> RunState {
    client.run_status(run).await.unwrap().state()
}

/// A run that two people have let go, and that nobody has called for yet.
async fn approved(domain: &TestDomain) -> String {
    let run = run_id();
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("RUN_IN_REVIEW")
    );
    let sun = someone(domain, Role::Bureau, "Ministry", "sun").await;
    assert_eq!(approve(&domain.bureau, &run).await, "waiting");
    assert_eq!(approve(&sun, &run).await, "approved");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_two_organisations_let_a_table_go() {
    let domain = with_trips("").await;
    let run = run_id();
    let waits = told(&domain.operator, &run).await;
    assert!(waits.starts_with("RUN_IN_REVIEW"), "{waits}");
    assert_eq!(told(&domain.operator, &run).await, waits);
    assert_eq!(state(&domain.operator, &run).await, RunState::InReview);

    // Who may look, and who may not.
    let auditor = someone(&domain, Role::Auditor, "Audit Office", "qian").await;
    let listed = auditor.list_airlock(true).await.unwrap();
    assert_eq!((listed.len(), listed[0].sql.as_str()), (1, SQL));
    assert_eq!(code(auditor.airlock_table(&run).await), "ROLE_NOT_ALLOWED");
    assert!(auditor.airlock_entry(&run).await.is_ok());
    assert_eq!(
        code(domain.operator.list_airlock(true).await),
        "ROLE_NOT_ALLOWED"
    );
    let own = someone(&domain, Role::Bureau, OPERATOR, "hu").await;
    assert_eq!(code(own.airlock_table(&run).await), "OWN_WORK");
    assert_eq!(
        code(decide(&own, &run, "sha256:", AirlockDecision::Approve).await),
        "OWN_WORK"
    );
    let namesake = someone(&domain, Role::Bureau, "Ministry", "li").await;
    assert_eq!(code(namesake.airlock_table(&run).await), "OWN_WORK");

    // What a reviewer sees.
    let seen = domain.bureau.airlock_table(&run).await.unwrap();
    assert_eq!(seen.table.reasons, ["negative_contributions"]);
    assert_eq!(
        (seen.table.cells_released, seen.table.cells_negative),
        (2, 2)
    );
    assert_eq!(seen.entry.sql, SQL);

    // One organisation is not enough, whoever of it speaks; another table is not the one.
    let other = format!("sha256:{}", "0".repeat(64));
    assert_eq!(
        code(decide(&domain.bureau, &run, &other, AirlockDecision::Approve).await),
        "AIRLOCK_OTHER"
    );
    assert_eq!(approve(&domain.bureau, &run).await, "waiting");
    assert_eq!(approve(&domain.bureau, &run).await, "waiting");
    let zhao = someone(&domain, Role::Bureau, "Data Bureau", "zhao").await;
    assert_eq!(approve(&zhao, &run).await, "waiting");
    assert_eq!(told(&domain.operator, &run).await, waits);
    let sun = someone(&domain, Role::Bureau, "Ministry", "sun").await;
    assert_eq!(approve(&sun, &run).await, "approved");
    assert_eq!(state(&domain.operator, &run).await, RunState::Ready);

    // Newer data changes nothing of what was looked at.
    std::fs::write(domain.inbox.join("more.csv"), csv(900)).unwrap();
    let update = RegisterDatasetRequest {
        manifest_toml: TRIPS_MANIFEST.to_owned(),
        manifest_name: "manifest.toml".to_owned(),
        source_path: domain.inbox.join("more.csv").display().to_string(),
        update: true,
    };
    domain
        .bureau
        .register_dataset(update, |_| {})
        .await
        .unwrap();
    let answer = ask(&domain.operator, &run).await.unwrap();
    assert_eq!(answer.released, seen.batches);
    assert_eq!(state(&domain.operator, &run).await, RunState::Released);

    // It left once; the same call gets the same answer, another query does not.
    let again = ask(&domain.operator, &run).await.unwrap();
    assert_eq!(again.receipt_json, answer.receipt_json);
    let other = RunRequest {
        sql: SQL.replace("late", "minutes"),
        run_id: run.clone(),
        ..Default::default()
    };
    assert_eq!(
        code(domain.operator.run(other, |_| {}).await),
        "RUN_ID_TAKEN"
    );
    assert_eq!(code(sun.airlock_table(&run).await), "AIRLOCK_ENDED");
    assert_eq!(
        code(
            decide(
                &sun,
                &run,
                &seen.table.table_digest,
                AirlockDecision::Reject
            )
            .await
        ),
        "STATE_REFUSED"
    );
    let ended = auditor.airlock_entry(&run).await.unwrap();
    assert_eq!((ended.state.as_str(), ended.sql.as_str()), ("released", ""));
    the_log_tells_it(
        &auditor,
        &run,
        &seen.table.table_digest,
        answer.entry.index(),
    )
    .await;
}

/// Each step is in the log, and nothing before the release tells what the table is.
async fn the_log_tells_it(auditor: &Client, run: &str, table_digest: &str, release: u64) {
    let mut steps = Vec::new();
    for index in 0..=release + 1 {
        let receipt = auditor.receipt(index).await.unwrap();
        let entry = Receipt::from_json(receipt.as_bytes()).unwrap();
        let entry = entry.verify(auditor.log_key()).unwrap();
        assert_eq!(receipt.contains(table_digest), index == release, "{index}");
        let actor = entry.entry().actor.person.clone();
        steps.push(match &entry.entry().event {
            Event::AirlockEntered { run: of, .. } if of == run => format!("{actor} enters"),
            Event::AirlockSeen { run: of, .. } if of == run => format!("{actor} sees"),
            Event::AirlockChanged {
                run: of,
                act,
                state,
                ..
            } if of == run => format!("{actor} {act}: {state}"),
            Event::RunAuthorised { run: of, .. } if of == run => "reads".to_owned(),
            Event::ReleaseDecided { run: of, .. } if of == run => format!("{actor} gets it"),
            _ => continue,
        });
    }
    let expected = [
        "reads",
        "li enters",
        "wang sees",
        "wang sees",
        "wang approve: waiting",
        "wang sees",
        "zhao sees",
        "zhao approve: waiting",
        "sun sees",
        "sun approve: waiting",
        "server complete: approved",
        "reads",
        "li gets it",
        "server release: released",
    ];
    assert_eq!(steps, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_back_withdrawn_or_expired_is_refused_alike() {
    let domain = with_trips("").await;
    let (rejected, withdrawn) = (run_id(), run_id());
    told(&domain.operator, &rejected).await;
    told(&domain.operator, &withdrawn).await;
    let seen = domain.bureau.airlock_table(&rejected).await.unwrap();
    let digest = &seen.table.table_digest;
    // The tables are the same, and so are their digests; what is sealed is bound to the run.
    let entry = decide(&domain.bureau, &rejected, digest, AirlockDecision::Reject).await;
    assert_eq!(entry.unwrap().state, "rejected");
    let refused = told(&domain.operator, &rejected).await;
    assert!(refused.starts_with("RUN_NOT_RELEASED"), "{refused}");
    let sun = someone(&domain, Role::Bureau, "Ministry", "sun").await;
    assert_eq!(
        code(decide(&sun, &rejected, digest, AirlockDecision::Approve).await),
        "STATE_REFUSED"
    );

    let beta = domain.granted_client("Beta").await;
    beta.cancel_run(&withdrawn).await.unwrap();
    assert!(
        told(&domain.operator, &withdrawn)
            .await
            .starts_with("RUN_IN_REVIEW")
    );
    domain.operator.cancel_run(&withdrawn).await.unwrap();
    assert_eq!(told(&domain.operator, &withdrawn).await, refused);

    // One is enough to keep it back, also after two have let it go.
    let late = approved(&domain).await;
    decide(&sun, &late, digest, AirlockDecision::Reject)
        .await
        .unwrap();
    assert_eq!(told(&domain.operator, &late).await, refused);

    let statuses = [&rejected, &withdrawn, &late].map(async |run| {
        let mut status = domain.operator.run_status(run).await.unwrap();
        status.run_id.clear();
        status
    });
    let [rejected, withdrawn, late] = statuses;
    let first = rejected.await;
    assert_eq!(first.state(), RunState::Refused);
    assert_eq!(first, withdrawn.await);
    assert_eq!(first, late.await);
    // Another run begins anew.
    assert!(
        told(&domain.operator, &run_id())
            .await
            .starts_with("RUN_IN_REVIEW")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decides_on_expires() {
    let domain = with_trips("airlock_wait = \"2s\"").await;
    let run = run_id();
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("RUN_IN_REVIEW")
    );
    assert_eq!(approve(&domain.bureau, &run).await, "waiting");
    let digest = domain.bureau.airlock_table(&run).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let digest = digest.table.table_digest;
    let decided = decide(&domain.bureau, &run, &digest, AirlockDecision::Approve).await;
    assert_eq!(code(decided), "STATE_REFUSED");
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("RUN_NOT_RELEASED")
    );
    assert_eq!(domain.bureau.list_airlock(true).await.unwrap(), []);
    let all = domain.bureau.list_airlock(false).await.unwrap();
    assert_eq!((all.len(), all[0].state.as_str()), (1, "expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_let_go_and_not_called_for_expires() {
    let domain = with_trips("airlock_wait = \"4s\"").await;
    let run = approved(&domain).await;
    tokio::time::sleep(Duration::from_millis(4_100)).await;
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("RUN_NOT_RELEASED")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_waits_through_a_restart() {
    let domain = with_trips("").await;
    let run = run_id();
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("RUN_IN_REVIEW")
    );
    assert_eq!(approve(&domain.bureau, &run).await, "waiting");
    let identities = [
        identity(&domain, Role::Operator, OPERATOR, "li").await,
        identity(&domain, Role::Bureau, "Ministry", "sun").await,
    ];
    let (folder, _guard) = domain.stop().await;
    let serving = weir_server::serve(weir_server::Domain::open(folder.root()).await.unwrap())
        .await
        .unwrap();
    let server_url = format!("https://{}", serving.address());
    let [li, sun] = identities.map(|identity| IdentityFolder {
        server_url: server_url.clone(),
        ..identity
    });
    let (li, sun) = (
        Client::connect(&li).await.unwrap(),
        Client::connect(&sun).await.unwrap(),
    );
    assert!(told(&li, &run).await.starts_with("RUN_IN_REVIEW"));
    assert_eq!(approve(&sun, &run).await, "approved");
    assert_eq!(ask(&li, &run).await.unwrap().cells_released, 2);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_revoked_meanwhile_releases_nothing() {
    let domain = with_trips("").await;
    let (waits, run) = (run_id(), approved(&domain).await);
    told(&domain.operator, &waits).await;
    let grant = domain.operators_grant();
    domain.change_grant(&grant, GrantAct::Revoke).await.unwrap();
    domain.forget_grant();
    assert_eq!(approve(&domain.bureau, &waits).await, "GRANT_REVOKED");
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("GRANT_REVOKED")
    );
    // Neither does another grant: it waits for the one that it read under.
    domain.grant_operator().await;
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("GRANT_REVOKED")
    );
    assert_eq!(domain.bureau.list_releases(10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_table_than_the_one_that_was_looked_at_does_not_leave() {
    let domain = with_trips("").await;
    let run = approved(&domain).await;
    let tightened = PutPolicyRequest {
        text: "name = \"coarse\"\n[rounding]\nsignificant_digits = 1\n".to_owned(),
        source_name: "p.toml".to_owned(),
        dataset: "trips".to_owned(),
    };
    domain.bureau.put_policy(tightened).await.unwrap();
    assert!(
        told(&domain.operator, &run)
            .await
            .starts_with("RUN_NOT_RELEASED")
    );
    let entry = domain.bureau.airlock_entry(&run).await.unwrap();
    assert_eq!(entry.state, "overtaken");
    assert_eq!(domain.bureau.list_releases(10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_is_charged_once() {
    let domain = with_trips("").await;
    let beta = domain.client(Role::Operator, "Beta").await;
    let columns = ["town", "delay"].map(str::to_owned).to_vec();
    let text = application(
        "one run",
        &[("trips", columns)],
        "[quotas]\nruns = 1\ncells = 2",
    );
    domain.grant(&beta, "Beta", &text).await.unwrap();
    let run = run_id();
    assert!(told(&beta, &run).await.starts_with("RUN_IN_REVIEW"));
    let status = beta.run_status(&run).await.unwrap();
    assert_eq!((status.runs_left, status.cells_left), (Some(0), Some(2)));
    let sun = someone(&domain, Role::Bureau, "Ministry", "sun").await;
    assert_eq!(approve(&domain.bureau, &run).await, "waiting");
    assert_eq!(approve(&sun, &run).await, "approved");
    assert!(told(&beta, &run_id()).await.starts_with("GRANT_QUOTA"));
    assert_eq!(ask(&beta, &run).await.unwrap().cells_released, 2);
    let status = beta.run_status(&run).await.unwrap();
    assert_eq!((status.runs_left, status.cells_left), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_approved_by_as_many_as_the_settings_ask_for() {
    let domain = with_trips("model_reviewers = 2").await;
    let component = std::fs::read(example("models/disruption/disruption.wasm")).unwrap();
    let model = domain
        .operator
        .submit_model("disruption", component)
        .await
        .unwrap();
    let first = domain
        .bureau
        .approve_model("disruption", &model.digest)
        .await
        .unwrap();
    assert_eq!(first.state(), ModelState::Submitted);
    assert_eq!(
        (first.approvals_needed, first.approvals),
        (2, vec!["wang (Data Bureau)".to_owned()])
    );
    let zhao = someone(&domain, Role::Bureau, "Data Bureau", "zhao").await;
    let same = zhao
        .approve_model("disruption", &model.digest)
        .await
        .unwrap();
    assert_eq!(
        (same.state(), same.approvals.len()),
        (ModelState::Submitted, 1)
    );
    let own = someone(&domain, Role::Bureau, OPERATOR, "hu").await;
    assert_eq!(
        code(own.approve_model("disruption", &model.digest).await),
        "OWN_WORK"
    );
    let namesake = someone(&domain, Role::Bureau, "Ministry", "wang").await;
    let twice = namesake
        .approve_model("disruption", &model.digest)
        .await
        .unwrap();
    assert_eq!(twice.state(), ModelState::Submitted);
    let sun = someone(&domain, Role::Bureau, "Court", "sun").await;
    let done = sun
        .approve_model("disruption", &model.digest)
        .await
        .unwrap();
    assert_eq!(done.state(), ModelState::Approved);
    assert!(
        done.approved_by.contains("wang (Data Bureau)") && done.approved_by.contains("sun (Court)")
    );
}
