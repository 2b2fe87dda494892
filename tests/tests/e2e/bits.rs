//! What releases may say is bounded before they are made, over everybody who asks, and what they said is on record.

use weir_audit::{Event, Log, LogKey};
use weir_client::v1::{Estimate, EstimateRunRequest, RunRequest};
use weir_client::{Client, ClientError, RunAnswer};
use weir_tests::{DEFAULT_POLICY, OPERATOR, TestDomain, application};

use crate::grants::MANIFEST;

/// 400 people: 6,400 bits, of which 100 are for chosen cells.
const PEOPLE: usize = 400;

async fn people(policy: &str, towns: usize) -> TestDomain {
    let domain = TestDomain::start_under(policy).await;
    let mut csv = "id,town,income,faith\n".to_owned();
    for person in 0..PEOPLE {
        csv += &format!(
            "p{person},town {},{},none\n",
            person % towns,
            1_000 + person
        );
    }
    let registered = domain.register_bytes("people.csv", csv.as_bytes(), MANIFEST);
    registered.await.unwrap();
    domain
}

fn policy(key: &str, from: &str, to: &str) -> String {
    let policy =
        DEFAULT_POLICY.replace(&format!("\n{key} = {from}\n"), &format!("\n{key} = {to}\n"));
    assert_ne!(policy, DEFAULT_POLICY);
    policy
}

async fn estimate(client: &Client, sql: &str) -> Estimate {
    let request = EstimateRunRequest {
        sql: sql.to_owned(),
        snapshots: Vec::new(),
    };
    client.estimate_run(request).await.unwrap()
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

/// Those in towns that a literal names, one literal after the other.
fn chosen(nth: usize) -> String {
    format!("SELECT COUNT(*) AS n FROM people WHERE town <> 'town {nth}'")
}

const BY_TOWN: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_over_everybody_and_is_asked_before_anything_is_read() {
    let domain = people(DEFAULT_POLICY, 20).await;
    let beta = domain.granted_client("Beta").await;
    let told = estimate(&domain.operator, &chosen(0)).await;
    // Multiples of five up to 405, null, withheld.
    assert_eq!((told.bits_min, told.bits_max), (7, 7));
    assert!(told.is_chosen && told.bits_run_max == 131_072);
    let left = |told: &Estimate| -> Vec<(String, u64, u64)> {
        let budgets = told.budgets.iter();
        budgets
            .map(|of| (of.budget.clone(), of.allows, of.left))
            .collect()
    };
    assert_eq!(
        left(&told),
        [
            ("bits".to_owned(), 6_400, 6_400),
            ("chosen bits".to_owned(), 100, 100)
        ]
    );
    // 14 times 7 bits: 98 of 100. Two operators take turns, and neither has more than the other.
    for nth in 0..14 {
        let client = [&domain.operator, &beta][nth % 2];
        assert_eq!(code(run(client, &chosen(nth)).await), "answered", "{nth}");
    }
    for client in [&domain.operator, &beta] {
        assert_eq!(code(run(client, &chosen(14)).await), "BUDGET_USED_UP");
        // What anybody was answered before is answered again, to anybody.
        assert_eq!(code(run(client, &chosen(3)).await), "answered");
    }
    let told = estimate(&beta, &chosen(15)).await;
    assert_eq!(left(&told)[1], ("chosen bits".to_owned(), 100, 2));
    // What nobody chooses is another matter.
    let plain = estimate(&beta, BY_TOWN).await;
    assert!(!plain.is_chosen);
    assert_eq!(code(run(&beta, BY_TOWN).await), "answered");

    let (folder, _guard) = domain.stop().await;
    let key = LogKey::load(&folder.root().join("keys/log.key"));
    let log = Log::open(&folder.log(), key.unwrap()).unwrap();
    let entries = (0..log.size()).map(|at| log.entry(at).unwrap());
    let (mut reserved, mut said, mut refused) = (Vec::new(), Vec::new(), 0);
    let mut reading = false;
    for entry in entries {
        match entry.event {
            Event::RunCharged { bits_reserved, .. } => {
                reserved.push(bits_reserved.unwrap());
                reading = true;
            }
            Event::ReleaseDecided { bits_out, .. } => {
                said.push(bits_out.unwrap());
                reading = false;
            }
            Event::RunRefused { code, .. } => {
                assert_eq!(code, "BUDGET_USED_UP");
                assert!(!reading, "it was charged before it was refused");
                refused += 1;
            }
            _ => {}
        }
    }
    assert_eq!(refused, 2);
    assert_eq!(said[..14], [7; 14]);
    assert_eq!(said[14..16], [0, 0], "the same again is free");
    assert!(
        said[16] > 0 && said[16] < reserved[16],
        "{said:?} {reserved:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keys_did_not_say_is_given_back() {
    let domain = people(DEFAULT_POLICY, 4).await;
    let told = estimate(&domain.operator, BY_TOWN).await;
    assert!(told.bits_min < 50 && told.bits_max > 6_400, "{told:?}");
    // Half of what is left is reserved, and nearly all is given back: four rows and their names.
    assert_eq!(code(run(&domain.operator, BY_TOWN).await), "answered");
    let bits = |told: Estimate| told.budgets[0].left;
    let left = bits(estimate(&domain.operator, BY_TOWN).await);
    assert!((5_800..6_300).contains(&left), "{left}");
    let grant = domain.operators_grant();
    let grant = domain.operator.grant(&grant).await.unwrap();
    assert!((100..600).contains(&grant.bits_out_used), "{grant:?}");
    // A table for which too little is left does not leave, and nothing is given back.
    let strict = people(&policy("per_unit", "16.00", "0.30"), 8).await;
    let told = estimate(&strict.operator, BY_TOWN).await;
    assert!(told.budgets[0].allows == 120 && told.bits_min < 120);
    let mut outcomes = Vec::new();
    for _ in 0..8 {
        outcomes.push(code(run(&strict.operator, BY_TOWN).await));
    }
    assert_eq!(outcomes[0], "BUDGET_TABLE");
    assert_eq!(outcomes[7], "BUDGET_USED_UP", "{outcomes:?}");
    let told = estimate(&strict.operator, BY_TOWN).await;
    assert!(told.budgets[0].left < told.bits_min, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_release_and_one_grant_have_their_own() {
    let domain = people(&policy("run_max", "131072", "64"), 4).await;
    let wide = "SELECT COUNT(*) AS n, SUM(income) AS a, VAR_SAMP(income) AS b, STDDEV_SAMP(income) AS c FROM people";
    assert_eq!(code(run(&domain.operator, wide).await), "BUDGET_RUN");
    let told = estimate(&domain.operator, wide).await;
    assert!(told.bits_min > told.bits_run_max);

    let domain = people(DEFAULT_POLICY, 20).await;
    let beta = domain.client(weir_client::v1::Role::Operator, "Beta").await;
    let columns = vec!["town".to_owned(), "income".to_owned()];
    let text = application(
        "few bits",
        &[("people", columns)],
        "[quotas]\nbits_out = 20\n",
    );
    let grant = domain.grant(&beta, "Beta", &text).await.unwrap();
    let outcomes = [
        code(run(&beta, &chosen(0)).await),
        code(run(&beta, &chosen(1)).await),
        code(run(&beta, &chosen(2)).await),
        code(run(&beta, &chosen(1)).await),
    ];
    assert_eq!(
        outcomes,
        ["answered", "answered", "GRANT_QUOTA", "answered"]
    );
    let grant = beta.grant(&grant.id).await.unwrap();
    assert_eq!(grant.bits_out_used, 14);
    assert_ne!(OPERATOR, "Beta");
}
