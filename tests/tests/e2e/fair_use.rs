//! One operator's load is not another's wait.

use std::time::{Duration, Instant};

use weir_client::v1::{EstimateRunRequest, GrantAct, RunRequest};
use weir_client::{Client, ClientError, RunAnswer};
use weir_tests::{TestDomain, example};

use crate::grants::with_people_where;

const SMALL: &str = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier";

/// Takes minutes: flights of one aircraft, in threes.
const LONG: &str = "SELECT COUNT(*) AS n FROM flights AS a JOIN flights AS b ON a.tailnum = b.tailnum \
                    JOIN flights AS c ON b.tailnum = c.tailnum";

/// What a hog may have under way: all that an operator may.
const HOG_RUNS: usize = 16;

/// Runs in a row, and how often there is such a row of either kind.
const RUNS: usize = 8;
const ROUNDS: usize = 5;

async fn run(client: &Client, sql: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

/// How long runs take, one after the other.
async fn durations(client: &Client) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        run(client, SMALL).await.unwrap();
        took.push(begun.elapsed());
    }
    took
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}

/// Puts endless work on the domain, and gives back what ends it.
fn hog(client: &Client) -> tokio::task::JoinSet<()> {
    let mut work = tokio::task::JoinSet::new();
    for _ in 0..HOG_RUNS {
        let client = client.clone();
        work.spawn(async move {
            loop {
                drop(run(&client, LONG).await);
            }
        });
    }
    work
}

/// Medians alone and beside another operator's worst load, in turn, so that what else the machine does falls on both.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: run it alone, with --nocapture"]
async fn a_hog_moves_anothers_median_by_half_at_most() {
    let domain = TestDomain::with_flights().await;
    let hogging = domain.granted_client("Hog").await;
    let grant = hogging.list_grants(true).await.unwrap().remove(0).id;
    let small = &domain.operator;
    durations(small).await;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.extend(durations(small).await);
        let work = hog(&hogging);
        tokio::time::sleep(Duration::from_secs(2)).await;
        beside.extend(durations(small).await);
        // The server goes on when a client is gone: what it does is ended by suspending the grant.
        drop(work);
        domain
            .change_grant(&grant, GrantAct::Suspend)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        domain.change_grant(&grant, GrantAct::Resume).await.unwrap();
    }
    let (alone, beside) = (median(alone), median(beside));
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!("alone {alone:?}, beside a hog {beside:?}: {ratio:.2} times");
    assert!(ratio <= 1.5);
}

/// What else somebody may put on a domain without end.
#[derive(Debug, Clone, Copy)]
enum Load {
    Small,
    /// Runs that are refused before anything is looked up, by as many callers as may have runs under way, and by one.
    Refused,
    RefusedToOne,
    /// Runs that are refused when they are planned.
    RefusedLate,
    Lists,
    Estimates,
    Submissions,
}

impl Load {
    const ALL: [Self; 7] = [
        Self::Small,
        Self::Refused,
        Self::RefusedToOne,
        Self::RefusedLate,
        Self::Lists,
        Self::Estimates,
        Self::Submissions,
    ];

    fn callers(self) -> usize {
        match self {
            Self::RefusedToOne => 1,
            _ => HOG_RUNS,
        }
    }
}

/// Puts it on, from as many callers as may have runs under way.
fn load(client: &Client, of: Load) -> tokio::task::JoinSet<()> {
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    let mut work = tokio::task::JoinSet::new();
    for caller in 0..of.callers() {
        let (client, component) = (client.clone(), component.clone());
        work.spawn(async move {
            for call in 0.. {
                match of {
                    Load::Small => drop(run(&client, SMALL).await),
                    Load::Refused | Load::RefusedToOne => {
                        drop(run(&client, "SELECT carrier FROM flights").await);
                    }
                    Load::RefusedLate => {
                        let sql = "SELECT nothing, COUNT(*) AS n FROM flights GROUP BY nothing";
                        drop(run(&client, sql).await);
                    }
                    Load::Lists => drop(client.list_grants(false).await),
                    Load::Estimates => {
                        let request = EstimateRunRequest {
                            sql: LONG.to_owned(),
                            ..Default::default()
                        };
                        drop(client.estimate_run(request).await);
                    }
                    Load::Submissions => {
                        let name = format!("m_{caller}_{call}");
                        drop(client.submit_model(&name, component.clone()).await);
                    }
                }
            }
        });
    }
    work
}

/// As above, with loads of every other kind. Those who put it on are in this very process, and have a part of its
/// processors: what is measured is more than the server does. `WEIR_LOADS=Refused,Lists` measures some alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures: run it alone, with --nocapture"]
async fn other_loads_of_a_hog() {
    let domain = TestDomain::with_flights().await;
    let hogging = domain.granted_client("Hog").await;
    let small = &domain.operator;
    durations(small).await;
    let chosen = std::env::var("WEIR_LOADS").unwrap_or_default();
    let is_chosen = |of: &Load| {
        let mut names = chosen.split(',');
        chosen.is_empty() || names.any(|name| name == format!("{of:?}"))
    };
    let mut over = Vec::new();
    for of in Load::ALL.into_iter().filter(is_chosen) {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.extend(durations(small).await);
            let work = load(&hogging, of);
            tokio::time::sleep(Duration::from_secs(1)).await;
            beside.extend(durations(small).await);
            drop(work);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let (alone, beside) = (median(alone), median(beside));
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        println!("{of:?}: alone {alone:?}, beside {beside:?}: {ratio:.2} times");
        if ratio > 1.5 {
            over.push((of, ratio));
        }
    }
    assert!(over.is_empty(), "{over:?}");
}

/// The same without a clock to be right: a small run ends while every run of a hog that came first is still under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_run_does_not_wait_for_a_hogs() {
    let domain = TestDomain::with_flights().await;
    let hogging = domain.granted_client("Hog").await;
    let work = hog(&hogging);
    tokio::time::sleep(Duration::from_secs(2)).await;
    for _ in 0..3 {
        let small = tokio::time::timeout(Duration::from_secs(60), run(&domain.operator, SMALL));
        small.await.unwrap().unwrap();
    }
    let more = run(&hogging, SMALL).await.err().unwrap();
    assert_eq!(more.code(), "RUNS_TOO_MANY", "the hog's are all under way");
    drop(work);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_as_much_as_the_settings_say() {
    let limits = "\n[fair_use]\nunder_way = 1\nfuel_per_day = 1\nmemory_mib_per_run = 64\n";
    let domain = with_people_where(|settings| settings + limits).await;
    let sql = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";
    let both = futures_of_two(&domain.operator, sql).await;
    let refused: Vec<_> = both
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    assert!(refused.iter().all(|error| error.code() == "RUNS_TOO_MANY"));
    assert!(refused.len() <= 1, "one of them goes on");
    run(&domain.operator, sql).await.unwrap();

    let manifest = std::fs::read_to_string(example("flights.toml")).unwrap();
    let file = example("flights.parquet");
    let registered = domain.register_file(&file, &manifest);
    registered.await.unwrap();
    let component = std::fs::read(example("models/disruption/disruption.wasm")).unwrap();
    domain.approved_model("disruption", component).await;
    let model = "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band";
    let refused = run(&domain.operator, model).await.err().unwrap();
    assert_eq!(refused.code(), "FUEL_PER_DAY");
    let used = domain
        .operator
        .grant(&domain.operators_grant())
        .await
        .unwrap();
    assert_eq!(
        (used.runs_used, used.fuel_used),
        (0, 0),
        "nothing was charged"
    );
}

async fn futures_of_two(client: &Client, sql: &str) -> [Result<RunAnswer, ClientError>; 2] {
    let (one, other) = tokio::join!(run(client, sql), run(client, sql));
    [one, other]
}
