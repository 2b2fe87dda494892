//! The whole life of a scenario, each person with a certificate of their own: applied for, given opinions on, reviewed,
//! granted; a model submitted, vetted and approved; run, reviewed, released; made a product; suspended while a run reads,
//! resumed, expired. And what the log says of it.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use uuid::Uuid;
use weir_audit::{Log, LogKey};
use weir_client::v1::{
    DecideProductRequest, GrantAct, ModelState, Opinion, ProductDecision, RegisterProductRequest,
    Role, RunProductRequest, RunRequest, RunState,
};
use weir_client::{Client, ClientError, RunAnswer};
use weir_tests::{DEFAULT_POLICY, TestDomain, add_settings, application, example, issue_to};

use crate::airlock::approve;
use crate::grants::{apply, columns, issue, opinion};
use crate::grants_runs::LONG;

const ACME: &str = "Harbour Insurance";
const PROVIDER: &str = "US Bureau of Transportation Statistics";

/// Sums of what may be negative: people look at the table before it leaves.
const REVIEWED: &str = "SELECT band, COUNT(*) AS flights, SUM(score) AS score, SUM(arr_delay) AS late \
                        FROM disruption(flights) GROUP BY band";
const PLAIN: &str = "SELECT band, COUNT(*) AS flights FROM disruption(flights) GROUP BY band";

async fn someone(domain: &TestDomain, role: Role, of: &str, name: &str) -> Client {
    let identity = issue_to(&domain.bureau, &domain.administrator, role, (of, name)).await;
    Client::connect(&identity).await.unwrap()
}

async fn run(client: &Client, sql: &str, run_id: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        run_id: run_id.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

fn code<T>(outcome: Result<T, ClientError>) -> String {
    outcome.map_or_else(|error| error.code().to_owned(), |_| "done".to_owned())
}

/// What the log says from here on: who did what.
fn told(log: &mut Log, from: u64) -> Vec<String> {
    let entries = (from..log.size()).map(|index| {
        let entry = log.entry(index).unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&entry.to_canonical().unwrap()).unwrap();
        let event = &json["event"];
        let what = ["opinion", "act", "state", "code"]
            .iter()
            .filter_map(|key| event[key].as_str())
            .collect::<Vec<_>>()
            .join(" ");
        format!(
            "{}: {} {what}",
            entry.actor.person,
            event["type"].as_str().unwrap_or("?")
        )
        .trim_end()
        .to_owned()
    });
    entries.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_scenario() {
    let domain = TestDomain::start_with(|folder| {
        std::fs::write(folder.policy(), DEFAULT_POLICY).unwrap();
        let text = std::fs::read_to_string(folder.config()).unwrap();
        let two = "grant_reviewers = 2\nmodel_reviewers = 2\n";
        std::fs::write(folder.config(), format!("{two}{text}")).unwrap();
        add_settings(folder, "");
    })
    .await;
    let manifest = std::fs::read_to_string(example("flights.toml")).unwrap();
    let flights = std::fs::read(example("flights.parquet")).unwrap();
    let registered = domain.register_bytes("flights.parquet", &flights, &manifest);
    registered.await.unwrap();

    let li = someone(&domain, Role::Operator, ACME, "li").await;
    let zhao = someone(&domain, Role::Provider, PROVIDER, "zhao").await;
    let qian = someone(&domain, Role::Bureau, "Data Bureau", "qian").await;
    let sun = someone(&domain, Role::Bureau, "Ministry", "sun").await;
    let chen = someone(&domain, Role::Auditor, "Audit Office", "chen").await;
    let begun =
        weir_audit::Checkpoint::verify(chen.checkpoint().await.unwrap().as_bytes(), chen.log_key())
            .unwrap()
            .size();

    // Applied for, with what is necessary and no more.
    assert_eq!(code(run(&li, PLAIN, "").await), "MODEL_UNKNOWN");
    let read = columns(&[
        "dep_delay",
        "arr_delay",
        "distance",
        "hour",
        "origin",
        "tailnum",
    ]);
    let all = domain.bureau.dataset("flights").await.unwrap();
    let readable = |name: &String| {
        let found = all.columns.iter().find(|column| column.name == *name);
        found.is_some() && name != "tailnum"
    };
    let read: Vec<String> = read.into_iter().filter(readable).collect();
    let text = application("disruption", &[("flights", read)], "");
    let applied = li.apply(apply(&text)).await.unwrap();
    assert_eq!(
        applied.outstanding,
        [format!(
            "the opinion of `{PROVIDER}`, which provides `flights`"
        )]
    );

    // Opinions of two organisations, and a decision by a third person: nobody of the applicant's.
    assert_eq!(
        code(qian.issue_grant(issue(&applied)).await),
        "APPLICATION_UNREVIEWED"
    );
    let supports = |client: Client| {
        let request = opinion(&applied, Opinion::Support);
        async move { client.review_application(request).await.unwrap().state }
    };
    assert_eq!(supports(sun.clone()).await, "submitted");
    assert_eq!(supports(zhao).await, "reviewed");
    assert_eq!(
        code(li.issue_grant(issue(&applied)).await),
        "ROLE_NOT_ALLOWED"
    );
    let grant = qian.issue_grant(issue(&applied)).await.unwrap();
    assert_eq!(
        (grant.state.as_str(), grant.blocked.as_str()),
        ("active", "")
    );

    // A model: vetted by the server, approved by two people who read that report.
    let component = std::fs::read(example("models/disruption/disruption.wasm")).unwrap();
    let model = li.submit_model("disruption", component).await.unwrap();
    assert_eq!(code(run(&li, PLAIN, "").await), "MODEL_NOT_APPROVED");
    let report = qian
        .model_report("disruption", &model.digest, false)
        .await
        .unwrap();
    let approves = |client: Client| {
        let (digest, report) = (model.digest.clone(), report.report_digest.clone());
        async move {
            let approved = client.approve_reviewed_model("disruption", &digest, &report);
            approved.await.unwrap().state()
        }
    };
    assert_eq!(approves(qian.clone()).await, ModelState::Submitted);
    assert_eq!(code(run(&li, PLAIN, "").await), "MODEL_NOT_APPROVED");
    assert_eq!(approves(sun.clone()).await, ModelState::Approved);

    // Run; looked at by two; released, with a receipt that an auditor verifies.
    let id = Uuid::now_v7().to_string();
    assert_eq!(code(run(&li, REVIEWED, &id).await), "RUN_IN_REVIEW");
    let seen = qian.airlock_table(&id).await.unwrap();
    assert_eq!(approve(&qian, &id).await, "waiting");
    assert_eq!(code(run(&li, REVIEWED, &id).await), "RUN_IN_REVIEW");
    assert_eq!(approve(&sun, &id).await, "approved");
    let answer = run(&li, REVIEWED, &id).await.unwrap();
    assert_eq!(answer.released, seen.batches);
    assert_eq!(
        li.run_status(&id).await.unwrap().state(),
        RunState::Released
    );
    let receipt = chen.receipt(answer.entry.index()).await.unwrap();
    let receipt = weir_audit::Receipt::from_json(receipt.as_bytes()).unwrap();
    assert_eq!(
        receipt.verify(chen.log_key()).unwrap().entry(),
        answer.entry.entry()
    );

    // A product: registered, reviewed, listed for everybody, run.
    let registering = RegisterProductRequest {
        name: "bands".to_owned(),
        title: "Flights by disruption".to_owned(),
        purpose: "the monthly report".to_owned(),
        sql: PLAIN.to_owned(),
        ..Default::default()
    };
    let product = li.register_product(registering).await.unwrap();
    let runs_product = || async {
        let request = RunProductRequest {
            name: "bands".to_owned(),
            ..Default::default()
        };
        code(li.run_product(request, |_| {}).await)
    };
    assert_eq!(runs_product().await, "PRODUCT_NOT_APPROVED");
    let decision = DecideProductRequest {
        name: "bands".to_owned(),
        digest: product.digest,
        decision: ProductDecision::Approve.into(),
        reason: "as read".to_owned(),
    };
    qian.decide_product(decision).await.unwrap();
    assert_eq!(chen.list_products().await.unwrap().len(), 1);
    assert_eq!(runs_product().await, "done");

    // Suspended while a run reads; resumed by the bureau.
    let reading = Uuid::now_v7().to_string();
    let (client, of) = (li.clone(), reading.clone());
    let under_way =
        tokio::spawn(async move { (code(run(&client, LONG, &of).await), Instant::now()) });
    while li.run_status(&reading).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let before = domain.bureau.list_releases(0).await.unwrap().len();
    domain
        .change_grant(&grant.id, GrantAct::Suspend)
        .await
        .unwrap();
    let suspended = Instant::now();
    let (refused, ended) = under_way.await.unwrap();
    assert_eq!(refused, "GRANT_SUSPENDED");
    let took = ended.saturating_duration_since(suspended);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(runs_product().await, "GRANT_SUSPENDED");
    assert_eq!(domain.bureau.list_releases(0).await.unwrap().len(), before);
    domain
        .change_grant(&grant.id, GrantAct::Resume)
        .await
        .unwrap();
    assert_eq!(runs_product().await, "done");

    // Its term ends: 30 days later nothing is read, and what was answered is still answered.
    domain.clock.set_ahead(TimeDelta::days(31));
    assert_eq!(code(run(&li, PLAIN, "").await), "GRANT_EXPIRED");
    assert_eq!(runs_product().await, "GRANT_EXPIRED");
    assert_eq!(
        domain.bureau.grant(&grant.id).await.unwrap().state,
        "expired"
    );
    let again = run(&li, REVIEWED, &id).await.unwrap();
    assert_eq!(again.receipt_json, answer.receipt_json);

    let (folder, _guard) = domain.stop().await;
    let key = LogKey::load(&folder.root().join("keys/log.key")).unwrap();
    let mut log = Log::open(&folder.log(), key).unwrap();
    insta::assert_snapshot!(told(&mut log, begun).join("\n"));
}
