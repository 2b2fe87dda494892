//! What is metered agrees with the log, and tells an operator nothing about the data.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use weir_audit::{Event, Log, LogKey};
use weir_client::v1::{GetUsageRequest, Role, RunRequest, Usage, UsageKey, UsageLine};
use weir_client::{Client, ClientError, RunAnswer};
use weir_tests::{OPERATOR, TestDomain};

use crate::grants::{text, with_people_where};

const BY_TOWN: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";
const INCOME: &str = "SELECT town, AVG(income) AS mean FROM people GROUP BY town";

const PRICES: &str = r#"
[usage]
currency = "fen"
[[usage.prices]]
from = "2020-01"
run = 101
cell = 7
million_rows = 5000
million_row_days = 100
shares = { provider = 2, "Data Bureau" = 1 }
"#;

async fn run(client: &Client, sql: &str, run_id: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        run_id: run_id.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

async fn usage(client: &Client, by: &[UsageKey]) -> Usage {
    let by = by.iter().map(|key| i32::from(*key)).collect();
    let request = GetUsageRequest {
        by,
        ..Default::default()
    };
    client.usage(request).await.unwrap()
}

async fn priced() -> TestDomain {
    with_people_where(|settings| settings + PRICES).await
}

/// What the log says, read naively: line by line into sums of what is told apart.
type Sums = BTreeMap<(String, String, String, String), [u64; 6]>;

fn from_log(log: &mut Log) -> Sums {
    let entries: Vec<_> = (0..log.size()).map(|at| log.entry(at).unwrap()).collect();
    let mut released: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for entry in &entries {
        if let Event::ReleaseDecided {
            run,
            request_digest,
            cells_released,
            ..
        } = &entry.event
        {
            let key = (
                entry.actor.organisation.clone(),
                run.clone(),
                request_digest.to_string(),
            );
            let cells = released.entry(key).or_default();
            *cells = (*cells).max(*cells_released);
        }
    }
    let (mut sums, mut seen) = (Sums::new(), BTreeSet::new());
    for entry in &entries {
        let Event::RunCharged {
            run,
            request_digest,
            reads,
            ..
        } = &entry.event
        else {
            continue;
        };
        let operator = &entry.actor.organisation;
        let key = (operator.clone(), run.clone(), request_digest.to_string());
        if !seen.insert(key.clone()) {
            continue;
        }
        for read in reads {
            let month = entry.time.to_string()[..7].to_owned();
            let line = (
                month,
                operator.clone(),
                read.provider.clone(),
                read.dataset.clone(),
            );
            let cells = released.get(&key);
            let more = [
                1,
                read.rows,
                read.bytes,
                read.fuel,
                cells.copied().unwrap_or(0),
                u64::from(cells.is_some()),
            ];
            let sum = sums.entry(line).or_default();
            sum.iter_mut()
                .zip(more)
                .for_each(|(own, more)| *own += more);
        }
    }
    sums
}

fn from_report(usage: &Usage) -> Sums {
    let runs = usage.lines.iter().filter(|line| line.runs > 0);
    runs.map(|line| {
        let key = (
            line.month.clone(),
            line.operator.clone(),
            line.provider.clone(),
            line.dataset.clone(),
        );
        (key, quantities(line))
    })
    .collect()
}

fn quantities(line: &UsageLine) -> [u64; 6] {
    [
        line.runs,
        line.rows,
        line.bytes,
        line.fuel,
        line.cells,
        line.releases,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_agree_with_the_log_to_the_last_unit() {
    let domain = TestDomain::with_flights().await;
    let beta = domain.granted_client("Beta").await;
    let by_carrier = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier";
    let model = "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band";
    let own = "SELECT COUNT(*) AS n FROM flights AS a JOIN flights AS b ON a.tailnum = b.tailnum \
               WHERE a.month = 1 AND a.day = 1 AND b.month = 1 AND b.day = 1";
    for sql in [by_carrier, model] {
        run(&domain.operator, sql, "").await.unwrap();
    }
    // A retry is one run; a refusal after reading is one that releases nothing; a refusal before is none.
    let id = Uuid::now_v7().to_string();
    for _ in 0..3 {
        run(&beta, by_carrier, &id).await.unwrap();
    }
    drop(run(&beta, own, "").await);
    run(&beta, "SELECT carrier FROM flights", "")
        .await
        .err()
        .unwrap();

    let report = usage(&domain.bureau, &[]).await;
    let again = usage(&domain.bureau, &[]).await;
    assert_eq!(report.lines, again.lines);
    let total = report.total.clone().unwrap();
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let audited = usage(&auditor, &[]).await;
    assert_eq!(audited.lines, report.lines);
    let operator = usage(&domain.operator, &[]).await.total.unwrap();
    assert!(operator.fuel > 0, "a model is charged for its instructions");

    let (folder, _guard) = domain.stop().await;
    let key = LogKey::load(&folder.root().join("keys/log.key")).unwrap();
    let mut log = Log::open(&folder.log(), key).unwrap();
    let told = from_report(&report);
    let logged = from_log(&mut log);
    assert_eq!(told, logged);
    let mut sum = [0; 6];
    for line in logged.values() {
        sum.iter_mut()
            .zip(line)
            .for_each(|(own, more)| *own += more);
    }
    assert_eq!(quantities(&total), sum);
    assert_eq!(sum[0], 4, "runs that began to read: {logged:?}");
    assert!(report.log_entries <= log.size());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sees_what_concerns_it_and_shares_add_up() {
    let domain = priced().await;
    let beta = domain.granted_client("Beta").await;
    run(&domain.operator, BY_TOWN, "").await.unwrap();
    run(&beta, INCOME, "").await.unwrap();
    run(&beta, BY_TOWN, "").await.unwrap();

    let all = usage(&domain.bureau, &[]).await;
    let total = all.total.clone().unwrap();
    assert_eq!(all.currency, "fen");
    // Three runs at 101, six cells at 7, 400 rows at 5,000 a million each; a day of 400 rows is less than one unit.
    let line = |of: &str| {
        let lines = all.lines.iter();
        lines
            .filter(|line| line.operator == of)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(line(OPERATOR)[0].charge, 101 + 2 * 7 + 2);
    assert_eq!(line("Beta")[0].charge, 2 * 101 + 4 * 7 + 4);
    assert_eq!(line("")[0].row_days, 400);
    assert_eq!(
        total.charge,
        all.lines.iter().map(|line| line.charge).sum::<u64>()
    );
    for line in all.lines.iter().filter(|line| line.runs > 0) {
        let shares: u64 = line.shares.iter().map(|share| share.amount).sum();
        assert_eq!(shares, line.charge);
    }
    // However it is looked at, the sum is the same.
    for by in [
        UsageKey::Operator,
        UsageKey::Provider,
        UsageKey::Dataset,
        UsageKey::Product,
    ] {
        let coarse = usage(&domain.bureau, &[by]).await;
        assert_eq!(coarse.total, all.total);
        assert_eq!(
            coarse.lines.iter().map(|line| line.charge).sum::<u64>(),
            total.charge
        );
    }

    let provider = domain.client(Role::Provider, "Civil Registry").await;
    let provided = usage(&provider, &[]).await;
    assert_eq!(provided.total.as_ref().unwrap().charge, total.charge);
    let shares: Vec<_> = provided
        .lines
        .iter()
        .flat_map(|line| &line.shares)
        .collect();
    assert!(!shares.is_empty() && shares.iter().all(|share| share.party == "Civil Registry"));
    let stranger = domain.client(Role::Provider, "Elsewhere").await;
    assert_eq!(usage(&stranger, &[]).await.lines, []);

    let own = usage(&beta, &[]).await;
    assert_eq!(own.lines.len(), 1);
    assert_eq!(own.lines[0].charge, line("Beta")[0].charge);
    assert!(
        own.lines
            .iter()
            .all(|line| line.shares.is_empty() && line.row_days == 0)
    );
}

/// A domain of so many people, of whom the last has a name and an income of their own.
async fn of_people(people: u32, income: u32) -> TestDomain {
    let domain = with_people_where(|settings| settings).await;
    let mut csv = "id,town,income,faith\n".to_owned();
    for person in 0..people {
        let town = ["North", "South", "a town whose name is long"][person as usize % 3];
        csv += &format!("q{person},{town},{},none\n", person * income);
    }
    let more = crate::grants::MANIFEST.replace("name = \"people\"", "name = \"more\"");
    domain
        .register_bytes("more.csv", csv.as_bytes(), &more)
        .await
        .unwrap();
    domain
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_no_oracle() {
    let mut told = Vec::new();
    for (people, income) in [(4_010, 1), (4_099, 999)] {
        let domain = of_people(people, income).await;
        let sql = "SELECT town, COUNT(*) AS n, AVG(income) AS mean FROM more GROUP BY town";
        run(&domain.operator, sql, "").await.unwrap();
        // Some rows, no row, and a refusal: all cost what reading costs.
        let none = "SELECT COUNT(*) AS n FROM more WHERE income < 0";
        drop(run(&domain.operator, none, "").await);
        let report = usage(&domain.operator, &[]).await;
        let lines = report.lines.into_iter();
        told.push(
            lines
                .map(|line| (line.dataset, line.runs, line.rows, line.bytes, line.fuel))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_and_fuel_are_charged_before_a_run_reads() {
    let domain = with_people_where(|settings| settings).await;
    let beta = domain.client(Role::Operator, "Beta").await;
    // 400 rows of a text and a unit: 8,000 bytes a run.
    let quotas = "quotas.bytes = 16500\n";
    let asked = text("towns", &["town"], quotas);
    let grant = domain.grant(&beta, "Beta", &asked).await.unwrap();
    for expected in [None, None, Some("GRANT_QUOTA"), Some("GRANT_QUOTA")] {
        let outcome = run(&beta, BY_TOWN, "").await;
        assert_eq!(
            outcome
                .err()
                .map(|error| error.code().to_owned())
                .as_deref(),
            expected
        );
    }
    let used = beta.grant(&grant.id).await.unwrap();
    // What is refused for a quota is charged nothing.
    assert_eq!(
        (used.runs_used, used.bytes_used, used.fuel_used),
        (2, 16_000, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fuel_has_quotas_of_a_grant_and_of_a_day() {
    let domain = TestDomain::with_flights().await;
    let sql = "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band";
    let id = Uuid::now_v7().to_string();
    run(&domain.operator, sql, &id).await.unwrap();
    let own = domain.operators_grant();
    let fuel = domain.operator.grant(&own).await.unwrap().fuel_used;
    assert!(fuel > 0);
    let beta = domain.client(Role::Operator, "Beta").await;
    let whole = domain.whole_application().unwrap();
    let quota = format!("quotas.fuel = {}\n[datasets]", fuel * 2 - 1);
    let asked = whole.replace("[datasets]", &quota);
    let grant = domain.grant(&beta, "Beta", &asked).await.unwrap();
    run(&beta, sql, "").await.unwrap();
    let refused = run(&beta, sql, "").await.err().unwrap();
    assert_eq!(refused.code(), "GRANT_QUOTA");
    // SQL without a model takes none.
    run(
        &beta,
        "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier",
        "",
    )
    .await
    .unwrap();
    let used = beta.grant(&grant.id).await.unwrap();
    assert_eq!((used.runs_used, used.fuel_used), (2, fuel));
}

#[tokio::test(flavor = "multi_thread")]
async fn months_and_keys_that_are_none_are_refused() {
    let domain = TestDomain::start().await;
    let code = |from: &str, to: &str, by: Vec<i32>| {
        let (from, to) = (from.to_owned(), to.to_owned());
        let bureau = domain.bureau.clone();
        async move {
            let request = GetUsageRequest { from, to, by };
            bureau.usage(request).await.unwrap_err().code().to_owned()
        }
    };
    assert_eq!(code("2026-13", "", vec![]).await, "USAGE_MONTH");
    assert_eq!(code("2026-02", "2026-01", vec![]).await, "USAGE_MONTH");
    assert_eq!(code("", "", vec![0]).await, "USAGE_KEY");
    assert_eq!(code("", "", vec![99]).await, "USAGE_KEY");
    let past = GetUsageRequest {
        from: "2020-01".to_owned(),
        to: "2020-12".to_owned(),
        by: Vec::new(),
    };
    assert_eq!(domain.bureau.usage(past).await.unwrap().lines, []);
}
