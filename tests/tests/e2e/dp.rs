//! Differential privacy, where a policy asks for it: noise that no repetition takes away, and losses that add up over
//! everybody who asks.

use weir_audit::{Event, Log, LogKey};
use weir_client::v1::{EstimateRunRequest, ReplayReleaseRequest, Role, RunRequest};
use weir_client::{Client, ClientError, RunAnswer};
use weir_tests::{DEFAULT_POLICY, TestDomain, application};

const MANIFEST: &str = r#"
name = "people"
population = "persons"
unit = "id"
description = "People"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"
[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Where"
domain = ["North", "South"]
[[column]]
name = "income"
type = "float64"
role = "measure"
description = "How much"
bounds = { min = 0, max = 100 }
[[column]]
name = "visits"
type = "int32"
role = "measure"
description = "How often"
bounds = { min = 0, max = 10 }
[[column]]
name = "debt"
type = "float64"
role = "measure"
description = "Nobody knows how much"
"#;

/// People, half of them in each town. Each has three rows, of which the first counts.
const PEOPLE: usize = 400;

async fn people(epsilon: &str, of_population: &str) -> TestDomain {
    let policy = DEFAULT_POLICY
        .replace("\n# epsilon = 1.00\n", &format!("\nepsilon = {epsilon}\n"))
        .replace(
            "\npopulation_epsilon = 10.00\n",
            &format!("\npopulation_epsilon = {of_population}\n"),
        );
    assert!(policy.contains(&format!("\nepsilon = {epsilon}\n")));
    let domain = TestDomain::start_under(&policy).await;
    let mut csv = "id,town,income,visits,debt\n".to_owned();
    for person in 0..PEOPLE {
        let town = ["North", "South"][person % 2];
        for row in 0..3 {
            // The second and third row would show, and so would what is beyond the bounds.
            let (income, visits) =
                [(50.0 + (person % 7) as f64 / 8.0, 5), (99.0, 10), (1e9, 10)][row];
            csv += &format!("p{person},{town},{income},{visits},1\n");
        }
    }
    let registered = domain.register_bytes("people.csv", csv.as_bytes(), MANIFEST);
    registered.await.unwrap();
    domain
}

async fn run(client: &Client, sql: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

fn code<T>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Ok(_) => "answered".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

fn numbers(answer: &RunAnswer, column: &str) -> Vec<f64> {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{DataType, Float64Type};
    let mut all = Vec::new();
    for batch in &answer.table {
        let column = cast(batch.column_by_name(column).unwrap(), &DataType::Float64).unwrap();
        all.extend(column.as_primitive::<Float64Type>().iter().flatten());
    }
    all
}

const BY_TOWN: &str = "SELECT town, COUNT(*) AS n, SUM(visits) AS v FROM people GROUP BY town";

#[tokio::test(flavor = "multi_thread")]
async fn units_are_bounded_and_the_same_cell_has_the_same_noise() {
    let domain = people("4.00", "40.00").await;
    let answer = run(&domain.operator, BY_TOWN).await.unwrap();
    let mut runs = vec![answer.run_id.clone()];
    let (counts, visits) = (numbers(&answer, "n"), numbers(&answer, "v"));
    assert_eq!((counts.len(), visits.len()), (2, 2));
    // 200 people in a town with a row each that counts, and 5 visits each; scale ½ for counts and 5 for visits. Noise of
    // 40 scales comes once in 10¹⁷.
    for (count, visits) in counts.iter().zip(&visits) {
        assert!((count - 200.0).abs() < 20.0, "{count}");
        assert!((visits - 1_000.0).abs() < 200.0, "{visits}");
        assert!(visits.fract() == 0.0);
    }
    // Again, by somebody else, and in other words: the same numbers.
    let beta = domain.granted_client("Beta").await;
    let others = [
        BY_TOWN,
        "SELECT SUM(visits) AS v, COUNT(*) AS n, town FROM people GROUP BY town ORDER BY town",
        "SELECT town, COUNT(1) AS n, SUM(visits) AS v FROM people WHERE visits >= 0 GROUP BY town",
    ];
    for sql in others {
        let again = run(&beta, sql).await.unwrap();
        assert_eq!(numbers(&again, "n"), counts, "{sql}");
        assert_eq!(numbers(&again, "v"), visits, "{sql}");
        runs.push(again.run_id);
    }
    // Made again, from the noise that was drawn then.
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    for release in runs {
        let request = ReplayReleaseRequest {
            release,
            ..Default::default()
        };
        let replayed = auditor.replay_release(request, |_| {}).await.unwrap();
        assert!(replayed.same, "{}", replayed.sql);
    }
    // Sums of floats are whole multiples of a grid, and clamped: 1e9 is 100 at most, and is not in a first row.
    let income = "SELECT town, SUM(income) AS s, AVG(income) AS m FROM people GROUP BY town";
    let answer = run(&domain.operator, income).await.unwrap();
    for sum in numbers(&answer, "s") {
        assert!((sum - 200.0 * 50.4).abs() < 3_000.0, "{sum}");
        // 2^7 / 2^16
        assert!((sum * 512.0).fract() == 0.0, "{sum}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_bounded_is_refused() {
    let domain = people("1.00", "10.00").await;
    for (sql, expected) in [
        ("SELECT SUM(debt) AS s FROM people", "DP_BOUNDS"),
        ("SELECT SUM(visits * 2) AS s FROM people", "DP_BOUNDS"),
        ("SELECT VAR_SAMP(income) AS s FROM people", "DP_STATISTIC"),
        ("SELECT MEDIAN(income) AS s FROM people", "DP_STATISTIC"),
        (
            "SELECT COUNT(*) AS n FROM people AS a JOIN people AS b ON a.id = b.id",
            "DP_ONE_UNIT",
        ),
    ] {
        assert_eq!(code(run(&domain.operator, sql).await), expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_add_up_over_everybody_and_are_never_given_back() {
    let domain = people("1.00", "3.00").await;
    let beta = domain.granted_client("Beta").await;
    let few = domain.client(Role::Operator, "Few").await;
    let columns = ["town", "income", "visits", "debt"]
        .map(str::to_owned)
        .to_vec();
    let text = application("few", &[("people", columns)], "[quotas]\nepsilon = 0.5\n");
    domain.grant(&few, "Few", &text).await.unwrap();
    assert_eq!(code(run(&few, BY_TOWN).await), "GRANT_QUOTA");

    let request = EstimateRunRequest {
        sql: BY_TOWN.to_owned(),
        snapshots: Vec::new(),
    };
    let told = domain.operator.estimate_run(request).await.unwrap();
    assert_eq!(told.epsilon_millionths, Some(1_000_000));
    let budget = told.budgets.last().unwrap();
    assert_eq!(
        (budget.of.as_str(), budget.allows, budget.left),
        ("persons", 3_000_000, 3_000_000)
    );

    let ask = |nth: usize| {
        format!(
            "SELECT COUNT(*) AS n FROM people WHERE visits < {}",
            6 + nth
        )
    };
    let outcomes = [
        code(run(&domain.operator, BY_TOWN).await),
        code(run(&beta, &ask(0)).await),
        code(run(&domain.operator, &ask(1)).await),
        code(run(&beta, &ask(2)).await),
        // What was answered is answered again, at no loss.
        code(run(&beta, BY_TOWN).await),
        // Nobody's quota is used up by others.
        code(run(&domain.operator, &ask(3)).await),
    ];
    assert_eq!(
        outcomes,
        [
            "answered",
            "answered",
            "answered",
            "BUDGET_USED_UP",
            "answered",
            "BUDGET_USED_UP"
        ]
    );
    let grant = domain.operators_grant();
    let grant = domain.operator.grant(&grant).await.unwrap();
    assert_eq!(grant.epsilon_millionths_used, 2_000_000);

    // The log says the same, and that nothing was read by those who were refused.
    let (folder, _guard) = domain.stop().await;
    let key = LogKey::load(&folder.root().join("keys/log.key")).unwrap();
    let log = Log::open(&folder.log(), key).unwrap();
    let entries = (0..log.size()).map(|at| log.entry(at).unwrap().event);
    let lost: Vec<u64> = entries
        .filter_map(|event| match event {
            Event::RunCharged {
                epsilon_millionths, ..
            } => epsilon_millionths,
            _ => None,
        })
        .collect();
    assert_eq!(lost, [1_000_000, 1_000_000, 1_000_000, 0]);
}
