//! Yearly reports of a domain that something happened in.

use chrono::{Datelike, Utc};
use weir_client::v1::Role;
use weir_report::{Language, Report, Scope, Year, operation, security};
use weir_tests::{EXACT_POLICY, OPERATOR, TestDomain};

/// The number in the row of this name, in the column of this heading.
fn number(report: &Report, section: &str, row: &str, column: &str) -> u64 {
    let found = report.sections.iter().find(|one| one.title == section);
    let found = found.unwrap_or_else(|| panic!("no section `{section}`"));
    let at = found
        .columns
        .iter()
        .position(|name| name == column)
        .unwrap();
    let row = found.rows.iter().find(|cells| cells[0] == row.into());
    match row.map(|cells| &cells[at]) {
        Some(weir_report::Cell::Number(number)) => *number,
        other => panic!("{section}, {column}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_is_told_as_it_was() {
    let settings = "[alerts.rules.refusal_burst]\ncount = 4\n";
    let domain = TestDomain::with_flights_and(EXACT_POLICY, settings).await;
    let key = domain.bureau.log_key().clone();
    let mut cells = 0;
    for sql in [
        "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin",
        "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier",
        "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band",
    ] {
        cells += domain.run(sql).await.unwrap().cells_released;
    }
    for _ in 0..5 {
        domain.refusal("SELECT * FROM flights").await;
    }
    let other = domain.client(Role::Operator, "Other <b>Ltd</b>").await;
    let request = weir_client::v1::RunRequest {
        sql: "SELECT 1".to_owned(),
        ..Default::default()
    };
    other.run(request, |_| {}).await.err().unwrap();
    for _ in 0..500 {
        if let [alert] = domain.bureau.list_alerts(true, 0).await.unwrap().as_slice() {
            domain
                .bureau
                .acknowledge_alert(&alert.id, "seen")
                .await
                .unwrap();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (folder, _guard) = domain.stop().await;

    let year_of = |year: i32, operator: Option<&str>| {
        let mut gathered = Year::new(Scope {
            year,
            operator: operator.map(str::to_owned),
        });
        let log = weir_audit::read_log(
            &folder.log(),
            &key,
            &mut |_, entry| gathered.hear(entry),
            &mut |_, _| {},
        );
        (gathered, log.unwrap())
    };
    let now = Utc::now().year();
    let (year, log) = year_of(now, None);
    let report = operation(&year, &log, Language::English);
    assert_eq!(number(&report, "Summary", "Releases", "Count"), 3);
    assert_eq!(number(&report, "Summary", "Refused", "Count"), 6);
    assert_eq!(number(&report, "Summary", "Cells released", "Count"), cells);
    assert_eq!(number(&report, "By operator", OPERATOR, "Refused"), 5);
    assert_eq!(number(&report, "By dataset", "flights", "Releases"), 3);
    assert_eq!(number(&report, "By model", "disruption", "Releases"), 1);
    let report = security(&year, &log, Language::English);
    assert_eq!(number(&report, "Summary", "Alerts raised", "Count"), 1);
    assert_eq!(
        number(&report, "Summary", "Alerts acknowledged", "Count"),
        1
    );
    assert_eq!(
        number(&report, "Alerts by rule", "refusal_burst", "Raised"),
        1
    );
    assert_eq!(
        number(
            &report,
            "Refusals by operator",
            "Other <b>Ltd</b>",
            "Refused"
        ),
        1
    );

    // Of one operator, and of a year in which nothing happened.
    let (year, log) = year_of(now, Some(OPERATOR));
    let report = security(&year, &log, Language::Chinese);
    assert_eq!(number(&report, "概况", "被拒绝的运行", "数量"), 5);
    assert_eq!(number(&report, "概况", "发出的告警", "数量"), 1);
    let (year, log) = year_of(now, Some("Other <b>Ltd</b>"));
    assert_eq!(
        number(
            &security(&year, &log, Language::English),
            "Summary",
            "Alerts raised",
            "Count"
        ),
        0
    );
    let (year, log) = year_of(now - 1, None);
    assert_eq!(
        number(
            &operation(&year, &log, Language::English),
            "Summary",
            "Releases",
            "Count"
        ),
        0
    );
}
