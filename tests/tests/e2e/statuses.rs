//! What an operator can learn of a run besides its answer: the same, whatever the data are.

use std::time::{Duration, Instant};

use uuid::Uuid;
use weir_client::v1::{Role, RunRequest, RunState, RunStatus};
use weir_client::{Client, ClientError, RunAnswer};
use weir_tests::{DEFAULT_POLICY, TRIPS_MANIFEST, TestDomain, refusal};

/// Trips of one person each: 60 people, 300 each.
const LONG: &str = "SELECT COUNT(*) AS n FROM trips AS a JOIN trips AS b ON a.id = b.id \
                    JOIN trips AS c ON b.id = c.id JOIN trips AS d ON c.id = d.id";

async fn with_trips(settings: &str, csv: &str) -> TestDomain {
    let domain = TestDomain::start_with(|folder| {
        std::fs::write(folder.policy(), DEFAULT_POLICY).unwrap();
        let text = std::fs::read_to_string(folder.config()).unwrap();
        std::fs::write(folder.config(), format!("{settings}\n{text}")).unwrap();
    })
    .await;
    let registered = domain.register_bytes("trips.csv", csv.as_bytes(), TRIPS_MANIFEST);
    registered.await.unwrap();
    domain
}

/// A run's outcome and the stages that were told of it.
async fn run(
    client: &Client,
    sql: &str,
    id: &str,
) -> (Result<RunAnswer, ClientError>, Vec<String>) {
    let request = RunRequest {
        sql: sql.to_owned(),
        run_id: id.to_owned(),
        ..Default::default()
    };
    let mut stages = Vec::new();
    let answer = client
        .run(request, |step| {
            assert_eq!((step.percent, step.rows), (None, None));
            stages.push(step.stage.clone());
        })
        .await;
    (answer, stages)
}

async fn status(client: &Client, id: &str) -> RunStatus {
    let mut status = client.run_status(id).await.unwrap();
    status.run_id.clear();
    status.grant.clear();
    status
}

fn run_id() -> String {
    Uuid::now_v7().to_string()
}

/// Two towns whose people are late, and a third one of so many whose people are all early.
fn early(people: usize) -> String {
    let mut csv = "id,town,delay\n".to_owned();
    for person in 0..400 {
        let town = ["North", "South"][person % 2];
        csv += &format!("p{person},{town},{}\n", person % 50 + 1);
    }
    for person in 0..people {
        csv += &format!("w{person},West,-{}\n", person + 10);
    }
    csv
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unit_and_one_too_few_look_alike() {
    let sql = "SELECT town, SUM(delay) AS late, COUNT(*) AS n FROM trips GROUP BY town";
    let mut seen = Vec::new();
    for people in [0, 1, 9] {
        let domain = with_trips("", &early(people)).await;
        let id = run_id();
        let (answer, stages) = run(&domain.operator, sql, &id).await;
        let answer = answer.unwrap();
        let told = status(&domain.operator, &id).await;
        assert_eq!(told.state(), RunState::Released);
        seen.push((
            stages,
            told,
            answer.cells_withheld_at_most,
            answer.cells_released,
            answer.released,
            answer.table,
        ));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    // With enough of them it is told: people have to look at it.
    let domain = with_trips("", &early(30)).await;
    let refused = domain.refusal(sql).await;
    assert!(refused.starts_with("RUN_IN_REVIEW"), "{refused}");
}

/// People with many trips, to many towns.
fn many() -> String {
    let mut csv = "id,town,delay\n".to_owned();
    for trip in 0..18_000 {
        csv += &format!("p{},t{},1\n", trip % 60, trip / 60 % 60);
    }
    csv
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_called_off_looks_like_one_that_is_refused() {
    let domain = with_trips("result_slot = \"3s\"", &many()).await;
    let operator = &domain.operator;
    // More towns than a key without a domain may have: known only once they are counted.
    let refused = run_id();
    let began = Instant::now();
    let (answer, refused_stages) = run(
        operator,
        "SELECT town, COUNT(*) AS n FROM trips GROUP BY town",
        &refused,
    )
    .await;
    assert_eq!(answer.err().unwrap().code(), "GATE_TOO_MANY_LEVELS");
    assert!(began.elapsed() >= Duration::from_secs(3));

    let called_off = run_id();
    let (client, id) = (operator.clone(), called_off.clone());
    let began = Instant::now();
    let under_way = tokio::spawn(async move { run(&client, LONG, &id).await });
    while operator.run_status(&called_off).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let beta = domain.client(Role::Operator, "Beta").await;
    beta.cancel_run(&called_off).await.unwrap();
    assert_eq!(
        beta.run_status(&called_off).await.err().unwrap().code(),
        "RUN_UNKNOWN"
    );
    assert_eq!(
        status(operator, &called_off).await.state(),
        RunState::Running
    );
    operator.cancel_run(&called_off).await.unwrap();
    let (answer, stages) = under_way.await.unwrap();
    let told = refusal(&answer.err().unwrap());
    assert!(told.starts_with("RUN_NOT_RELEASED"), "{told}");
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(3) && took < Duration::from_secs(5),
        "{took:?}"
    );

    // In slots nothing is told after it began to read, and nothing else differs.
    assert_eq!(stages, ["checking the query", "waiting for a free slot"]);
    assert_eq!(stages, refused_stages);
    let seen = status(operator, &refused).await;
    assert_eq!((seen.state(), seen.percent), (RunState::Refused, 100));
    assert_eq!(seen, status(operator, &called_off).await);
    // Calling off what is over, or never was, is answered alike.
    operator.cancel_run(&called_off).await.unwrap();
    operator.cancel_run(&run_id()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_in_tens() {
    let domain = with_trips("", &many()).await;
    let (id, operator) = (run_id(), domain.operator.clone());
    let (client, of) = (operator.clone(), id.clone());
    let sql = "SELECT COUNT(*) AS n FROM trips AS a JOIN trips AS b ON a.id = b.id";
    let under_way = tokio::spawn(async move { run(&client, sql, &of).await.0 });
    while operator.run_status(&id).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut percents = Vec::new();
    let last = operator
        .watch_run(&id, |status| percents.push(status.percent))
        .await
        .unwrap();
    assert!(percents.is_sorted(), "{percents:?}");
    assert!(
        percents.iter().all(|percent| percent % 10 == 0),
        "{percents:?}"
    );
    assert_eq!((last.state(), last.percent), (RunState::Released, 100));
    assert!(last.seconds_at_most.is_some());
    under_way.await.unwrap().unwrap();
    assert_eq!(
        operator.run_status("x").await.err().unwrap().code(),
        "RUN_ID_INVALID"
    );
}
