//! Clocks that are set forward and back, and what ends by itself.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use weir_audit::{Log, LogKey};
use weir_client::v1::{
    ChangeGrantRequest, Grant, GrantAct, RegisterProductRequest, Role, RunRequest,
};
use weir_client::{Client, ClientError, IdentityFolder, RunAnswer};
use weir_server::Domain;
use weir_tests::{OPERATOR, TestDomain, issue_to};

use crate::grants::{apply, text, with_people};
use crate::grants_runs::LONG;

const SQL: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";

async fn someone(domain: &TestDomain, role: Role, of: &str, name: &str) -> Client {
    let identity = issue_to(&domain.bureau, &domain.administrator, role, (of, name)).await;
    Client::connect(&identity).await.unwrap()
}

async fn run(client: &Client, sql: &str, grant: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        grant: grant.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

fn code<T>(outcome: Result<T, ClientError>) -> String {
    outcome.map_or_else(|error| error.code().to_owned(), |_| "answered".to_owned())
}

/// A grant of Acme's for a year or less.
async fn granted(domain: &TestDomain, client: &Client, scenario: &str, days: u32) -> Grant {
    let text = text(scenario, &["town"], "").replace("days = 30", &format!("days = {days}"));
    domain.grant(client, OPERATOR, &text).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_forward_ends_a_run_that_reads_and_one_set_back_brings_nothing_back() {
    let domain = TestDomain::with_flights().await;
    let grant = domain.operators_grant();
    let operator = domain.operator.clone();
    let under_way = {
        let (client, grant) = (operator.clone(), grant.clone());
        tokio::spawn(async move { (code(run(&client, LONG, &grant).await), Instant::now()) })
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    domain.clock.set_ahead(TimeDelta::days(31));
    let set = Instant::now();
    let (ended, at) = under_way.await.unwrap();
    assert_eq!(ended, "GRANT_EXPIRED");
    let took = at.saturating_duration_since(set);
    println!(
        "the run ended {} ms after the clock was set",
        took.as_millis()
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(domain.bureau.list_releases(0).await.unwrap(), []);

    // Set back by hours and by a month: what has expired stays expired.
    for back in [TimeDelta::hours(5), TimeDelta::days(31)] {
        domain.clock.set_ahead(TimeDelta::days(31) - back);
        assert_eq!(
            code(run(&operator, "SELECT COUNT(*) AS n FROM flights", &grant).await),
            "GRANT_EXPIRED"
        );
        assert_eq!(domain.bureau.grant(&grant).await.unwrap().state, "expired");
    }
    // And entries are in the order of their times.
    let (folder, _guard) = domain.stop().await;
    let key = LogKey::load(&folder.root().join("keys/log.key")).unwrap();
    let log = Log::open(&folder.log(), key).unwrap();
    let times: Vec<_> = (0..log.size())
        .map(|index| log.entry(index).unwrap().time.to_utc())
        .collect();
    assert!(times.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_with_its_clock_set_back_goes_on_from_its_log() {
    let domain = with_people().await;
    let grant = granted(&domain, &domain.operator, "short", 1).await;
    domain.clock.set_ahead(TimeDelta::hours(23));
    assert_eq!(
        code(run(&domain.operator, SQL, &grant.id).await),
        "answered"
    );
    let identity = issue_to(
        &domain.bureau,
        &domain.administrator,
        Role::Auditor,
        ("Audit Office", "chen"),
    );
    // Handshakes go by the machine's clock: what is issued meanwhile is good for them too.
    let early = Client::connect(&identity.await).await.unwrap();
    assert_eq!(early.who_am_i().await.unwrap().person, "chen");

    let administrator = domain.administrator.clone();
    let (folder, _guard) = domain.stop().await;
    let opened = Domain::open(folder.root()).await.unwrap();
    let clock = opened.clock();
    let serving = weir_server::serve(opened).await.unwrap();
    let again = IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..administrator
    };
    let bureau = Client::connect(&again).await.unwrap();
    // The machine's clock is 23 hours behind the log: the domain's stands at the log's end.
    assert_eq!(bureau.grant(&grant.id).await.unwrap().state, "active");
    clock.set_ahead(TimeDelta::hours(25));
    assert_eq!(bureau.grant(&grant.id).await.unwrap().state, "expired");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_mended_in_time_is_suspended_and_then_revoked() {
    let domain = with_people().await;
    let qian = someone(&domain, Role::Bureau, "Data Bureau", "qian").await;
    let li = someone(&domain, Role::Operator, OPERATOR, "li").await;
    let grant = granted(&domain, &li, "mended", 365).await;
    let order = ChangeGrantRequest {
        id: grant.id.clone(),
        act: GrantAct::Order.into(),
        reason: "the contact person has left".to_owned(),
        ..Default::default()
    };
    let mending = qian.change_grant(order).await.unwrap();
    assert_eq!(mending.state, "mending");
    assert_eq!(code(run(&li, SQL, &grant.id).await), "answered");
    let mut seen = Vec::new();
    for days in [29, 31, 60, 62] {
        domain.clock.set_ahead(TimeDelta::days(days));
        let ran = code(run(&li, SQL, &grant.id).await);
        let is = qian.grant(&grant.id).await.unwrap();
        seen.push(format!(
            "day {days}: {}, by {}, a run: {ran}",
            is.state, is.changed_by
        ));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    day 29: mending, by qian (Data Bureau), a run: answered
    day 31: suspended, by server, a run: GRANT_SUSPENDED
    day 60: suspended, by server, a run: GRANT_SUSPENDED
    day 62: revoked, by server, a run: GRANT_REVOKED
    ");
}

/// Though nobody calls: the log has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_while_nobody_calls_is_on_record() {
    let domain = with_people().await;
    let (grant, mut heard) = (domain.operators_grant(), false);
    domain.change_grant(&grant, GrantAct::Order).await.unwrap();
    domain
        .clock
        .set_ahead(TimeDelta::days(29) + TimeDelta::hours(23));
    let entries = domain.folder.log().join("tile/entries");
    domain.clock.set_ahead(TimeDelta::days(30));
    for _ in 0..100 {
        heard = heard
            || contains(&entries, b"a deadline has passed")
            || contains(&entries, b"its term is over");
        if heard {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(heard, "nothing was logged");
}

/// Whether some file below a folder holds these bytes.
fn contains(folder: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => contains(&path, bytes),
            false => {
                let text = std::fs::read(&path).unwrap();
                text.windows(bytes.len()).any(|window| window == bytes)
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_can_be_renewed_in_its_last_three_months() {
    let domain = with_people().await;
    let li = someone(&domain, Role::Operator, OPERATOR, "li").await;
    let zhao = someone(&domain, Role::Provider, "Civil Registry", "zhao").await;
    let qian = someone(&domain, Role::Bureau, "Data Bureau", "qian").await;
    let year = granted(&domain, &li, "year", 365).await;
    let renewal = text("year", &["town"], &format!("renews = \"{}\"\n", year.id));
    let mut seen = Vec::new();
    for day in [200, 272, 276] {
        domain.clock.set_ahead(TimeDelta::days(day));
        seen.push((day, code(li.apply(apply(&renewal)).await)));
    }
    assert_eq!(
        seen,
        [
            (200, "RENEWAL_TOO_EARLY".to_owned()),
            (272, "RENEWAL_TOO_EARLY".to_owned()),
            (276, "answered".to_owned())
        ]
    );
    // Reviewed like any other, it begins where the first one ends.
    let applied = li.list_applications(true).await.unwrap().remove(0);
    zhao.review_application(crate::grants::opinion(
        &applied,
        weir_client::v1::Opinion::Support,
    ))
    .await
    .unwrap();
    let next = qian
        .issue_grant(crate::grants::issue(&applied))
        .await
        .unwrap();
    assert_eq!(next.not_before, year.not_after);
    assert_eq!(code(run(&li, SQL, &next.id).await), "GRANT_NOT_YET");
    domain.clock.set_ahead(TimeDelta::days(366));
    assert_eq!(code(run(&li, SQL, &year.id).await), "GRANT_EXPIRED");
    assert_eq!(code(run(&li, SQL, &next.id).await), "answered");
}

/// A slot of a product is run once, whatever the clock does.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_not_run_again_by_a_clock_that_is_set_back() {
    let domain = with_people().await;
    let product = RegisterProductRequest {
        name: "towns".to_owned(),
        title: "People by town".to_owned(),
        purpose: "a report".to_owned(),
        sql: SQL.to_owned(),
        every: "6h".to_owned(),
        ..Default::default()
    };
    let product = domain.operator.register_product(product).await.unwrap();
    let decision = weir_client::v1::DecideProductRequest {
        name: product.name,
        digest: product.digest,
        decision: weir_client::v1::ProductDecision::Approve.into(),
        reason: "as read".to_owned(),
    };
    domain.bureau.decide_product(decision).await.unwrap();
    // The schedule may be at it: then it is asked for again.
    let runs = || async {
        loop {
            let request = weir_client::v1::RunProductRequest {
                name: "towns".to_owned(),
                ..Default::default()
            };
            match domain.operator.run_product(request, |_| {}).await {
                Ok(answer) => return answer.run_id,
                Err(error) => assert_eq!(error.code(), "RUN_UNDER_WAY"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let first = runs().await;
    domain.clock.set_ahead(TimeDelta::hours(7));
    let second = runs().await;
    assert_ne!(first, second);
    domain.clock.set_ahead(TimeDelta::zero());
    assert_eq!(runs().await, second, "time stands still");
    assert_eq!(domain.bureau.list_releases(0).await.unwrap().len(), 2);
}
