//! Metrics: what the bureau's own machines are told of the server, and what they are not.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_tests::{EXACT_POLICY, OPERATOR, TestDomain};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a line.
fn value(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("`{name}` is missing from\n{text}"))
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_entries_and_slots_are_counted_and_nothing_is_named() {
    let settings = "[metrics]\nlisten = \"127.0.0.1:0\"\n[alerts.rules.refusal_burst]\ncount = 2\n";
    let domain = TestDomain::with_flights_and(EXACT_POLICY, settings).await;
    let address = domain.metrics_address().unwrap();
    let before = get(address, "/metrics").await;
    for sql in [
        "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin",
        "SELECT COUNT(*) AS n FROM flights",
    ] {
        domain.run(sql).await.unwrap();
    }
    for _ in 0..3 {
        domain.refusal("SELECT * FROM flights").await;
    }
    domain.operator.list_alerts(false, 0).await.unwrap_err();
    // The alert takes a moment.
    for _ in 0..500 {
        if !domain.bureau.list_alerts(true, 0).await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let text = get(address, "/metrics").await;
    let (head, text) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("openmetrics-text"),
        "{head}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (name, expected) in [
        ("weir_runs_total{outcome=\"released\",code=\"\"}", 2.0),
        (
            "weir_runs_total{outcome=\"refused\",code=\"SQL_NOT_AN_AGGREGATE\"}",
            3.0,
        ),
        ("weir_run_seconds_count{outcome=\"released\"}", 2.0),
        (
            "weir_run_seconds_bucket{le=\"+Inf\",outcome=\"refused\"}",
            3.0,
        ),
        (
            "weir_runs_in_stage{stage=\"computing inside the domain\"}",
            0.0,
        ),
        ("weir_runs_in_stage{stage=\"finishing outside\"}", 0.0),
        ("weir_calls_refused_total{code=\"ROLE_NOT_ALLOWED\"}", 1.0),
        ("weir_alerts_raised_total{rule=\"refusal_burst\"}", 1.0),
        ("weir_alerts_open{rule=\"refusal_burst\"}", 1.0),
        ("weir_alerts_unsent", 0.0),
        ("weir_signals_lost", 0.0),
        ("weir_slots_free{work=\"registration\"}", 1.0),
        ("weir_witnesses_required", 0.0),
    ] {
        assert!(
            (value(text, name) - expected).abs() < f64::EPSILON,
            "{name}: {}",
            value(text, name)
        );
    }
    // Four entries for each run that was released, one for each refusal, and the alert.
    let (_, before) = before.split_once("\r\n\r\n").unwrap();
    let grown = value(text, "weir_log_entries") - value(before, "weir_log_entries");
    assert!((grown - 12.0).abs() < f64::EPSILON, "{grown}");
    let appended = value(text, "weir_log_append_seconds_count")
        - value(before, "weir_log_append_seconds_count");
    assert!((appended - 12.0).abs() < f64::EPSILON, "{appended}");
    assert!(value(text, "weir_vault_bytes") > 1_000_000.0);
    for named in [OPERATOR, "flights", "origin", "wang", "disruption"] {
        assert!(!text.contains(named), "{named} is in\n{text}");
    }

    assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));
    // An acknowledged alert is not open any more.
    let alert = domain.bureau.list_alerts(true, 0).await.unwrap().remove(0);
    domain
        .bureau
        .acknowledge_alert(&alert.id, "")
        .await
        .unwrap();
    assert!(!get(address, "/metrics").await.contains("weir_alerts_open{"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_unless_it_is_asked_for() {
    let domain = TestDomain::start().await;
    assert_eq!(domain.metrics_address(), None);
}
