//! Alerts: what people of the bureau are told, once, durably, and somewhere else too.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weir_audit::{Event, Receipt};
use weir_client::v1::{Alert, RevokeIdentityRequest, Role};
use weir_client::{Client, IdentityFolder};
use weir_server::Domain;
use weir_tests::{OPERATOR, TestDomain, add_settings, refusal};

const BURST: &str = "[alerts.rules.refusal_burst]\ncount = 3\n";
const PATIENCE: Duration = Duration::from_secs(20);

async fn alerts(bureau: &Client, at_least: usize) -> Vec<Alert> {
    let begun = Instant::now();
    loop {
        let alerts = bureau.list_alerts(false, 0).await.unwrap();
        if alerts.len() >= at_least || begun.elapsed() > PATIENCE {
            return alerts;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The log's entries about alerts, as their kinds.
async fn logged(auditor: &Client) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut index = 0;
    while let Ok(receipt) = auditor.receipt(index).await {
        let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
        let verified = receipt.verify(auditor.log_key()).unwrap();
        match verified.entry().event {
            Event::AlertRaised { .. } => found.push("raised"),
            Event::AlertAcknowledged { .. } => found.push("acknowledged"),
            _ => {}
        }
        index += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_one_alert_that_a_person_acknowledges() {
    let domain = TestDomain::start_with(|folder| add_settings(folder, BURST)).await;
    let auditor = domain.client(Role::Auditor, "Court").await;
    for _ in 0..12 {
        domain.refusal("SELECT * FROM nothing").await;
    }
    let raised = alerts(&domain.bureau, 1).await;
    let [alert] = raised.as_slice() else {
        panic!("{raised:?}")
    };
    assert_eq!(
        (alert.rule.as_str(), alert.severity.as_str()),
        ("refusal_burst", "medium")
    );
    assert_eq!(
        (alert.subject.as_str(), alert.measured, alert.limit),
        (OPERATOR, 3, 3)
    );
    assert_eq!(
        (alert.webhook.as_str(), &alert.acknowledged_by),
        ("none", &None)
    );
    // The entry that made it is the third refusal.
    let receipt = auditor.receipt(alert.log_index.unwrap()).await.unwrap();
    assert!(receipt.contains("run_refused"), "{receipt}");

    // Nobody else reads, and the auditor does not acknowledge.
    for denied in [
        domain.operator.list_alerts(false, 0).await.unwrap_err(),
        domain
            .operator
            .acknowledge_alert(&alert.id, "")
            .await
            .unwrap_err(),
        auditor.acknowledge_alert(&alert.id, "").await.unwrap_err(),
    ] {
        assert!(refusal(&denied).starts_with("ROLE_NOT_ALLOWED"));
    }
    assert_eq!(auditor.alert(&alert.id).await.unwrap(), *alert);
    for (id, note, code) in [
        ("none", "", "ALERT_UNKNOWN"),
        (&alert.id, "a\nb", "ALERT_NOTE_INVALID"),
    ] {
        let error = domain.bureau.acknowledge_alert(id, note).await.unwrap_err();
        assert!(refusal(&error).starts_with(code));
    }
    let error = domain.bureau.list_alerts(false, 1_001).await.unwrap_err();
    assert!(refusal(&error).starts_with("LIMIT_TOO_LARGE"));

    let seen = domain
        .bureau
        .acknowledge_alert(&alert.id, " a new colleague ")
        .await
        .unwrap();
    assert_eq!(seen.acknowledged_by.as_deref(), Some("wang (Data Bureau)"));
    assert_eq!(seen.note, "a new colleague");
    let again = domain
        .bureau
        .acknowledge_alert(&alert.id, "me too")
        .await
        .unwrap();
    assert_eq!(again, seen, "the first stays");
    assert!(domain.bureau.list_alerts(true, 0).await.unwrap().is_empty());
    assert_eq!(logged(&auditor).await, ["raised", "acknowledged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_no_burst_and_says_none_twice() {
    let domain = TestDomain::start_with(|folder| add_settings(folder, BURST)).await;
    for _ in 0..2 {
        domain.refusal("SELECT * FROM nothing").await;
    }
    let administrator = domain.administrator.clone();
    let (folder, _guard) = domain.stop().await;
    // The third refusal comes after the restart; more come after the next.
    let mut counts = Vec::new();
    for _ in 0..2 {
        let serving = weir_server::serve(Domain::open(folder.root()).await.unwrap())
            .await
            .unwrap();
        let identity = IdentityFolder {
            server_url: format!("https://{}", serving.address()),
            ..administrator.clone()
        };
        let bureau = Client::connect(&identity).await.unwrap();
        let issued = weir_tests::issue(&bureau, &identity, Role::Operator, OPERATOR).await;
        let operator = Client::connect(&issued).await.unwrap();
        for _ in 0..3 {
            let request = weir_client::v1::RunRequest {
                sql: "SELECT * FROM x".to_owned(),
                ..Default::default()
            };
            operator.run(request, |_| {}).await.err().unwrap();
        }
        counts.push(alerts(&bureau, 1).await.len());
        drop((bureau, operator));
        serving.stop().await.unwrap();
    }
    assert_eq!(counts, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_goes_on_knocking_is_noticed() {
    let domain = TestDomain::start().await;
    let operator = domain.client(Role::Operator, "Gone Ltd").await;
    let request = RevokeIdentityRequest {
        organisation: "Gone Ltd".to_owned(),
        person: "li".to_owned(),
        reason: "left".to_owned(),
        ..RevokeIdentityRequest::default()
    };
    domain.bureau.revoke_identity(request).await.unwrap();
    for _ in 0..7 {
        let error = operator.list_datasets().await.unwrap_err();
        assert!(refusal(&error).starts_with("IDENTITY_REVOKED"));
    }
    let raised = alerts(&domain.bureau, 1).await;
    let [alert] = raised.as_slice() else {
        panic!("{raised:?}")
    };
    assert_eq!(
        (alert.rule.as_str(), alert.severity.as_str()),
        ("failed_authentication", "high")
    );
    assert!(alert.subject.starts_with("sha256:"), "{}", alert.subject);
    assert_eq!((alert.measured, alert.log_index), (5, None));
}

/// Somebody who is told of alerts.
struct Receiver {
    address: SocketAddr,
    /// Heads and bodies of what came.
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Receiver {
    /// One that says no to the first `noes`.
    async fn start(noes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&got);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let (head, body) = loop {
                    let mut piece = [0; 4_096];
                    let count = stream.read(&mut piece).await.unwrap();
                    bytes.extend(&piece[..count]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    if count == 0 || body.len() >= length(head) {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push((head, body));
                    seen.len()
                };
                let status = if count <= noes {
                    "503 Not Now"
                } else {
                    "204 No Content"
                };
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, got }
    }

    async fn wait_for(&self, count: usize) -> Vec<(String, String)> {
        let begun = Instant::now();
        while self.got.lock().unwrap().len() < count && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.got.lock().unwrap().clone()
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.unwrap_or_default()
        .split_once(": ")
        .unwrap_or_default()
        .1
}

fn length(head: &str) -> usize {
    header(head, "content-length").parse().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_until_it_listens_and_can_check_who_speaks() {
    let receiver = Receiver::start(2).await;
    let settings = format!(
        "[alerts.webhook]\nurl = \"http://{}/alerts\"\n{BURST}",
        receiver.address
    );
    let domain = TestDomain::start_with(|folder| add_settings(folder, &settings)).await;
    for _ in 0..5 {
        domain.refusal("SELECT * FROM nothing").await;
    }
    let got = receiver.wait_for(3).await;
    assert_eq!(got.len(), 3, "two attempts fail, the third is taken");
    let begun = Instant::now();
    let alert = loop {
        let alert = alerts(&domain.bureau, 1).await.remove(0);
        if alert.webhook == "sent" || begun.elapsed() > PATIENCE {
            break alert;
        }
    };
    assert_eq!(alert.webhook, "sent");
    let (head, body) = got.last().unwrap();
    assert!(head.starts_with("POST /alerts HTTP/1.1"), "{head}");
    let said: Value = serde_json::from_str(body).unwrap();
    assert_eq!(said["type"], "alert.raised");
    assert_eq!(said["data"]["alert"], alert.id.as_str());
    assert_eq!(said["data"]["subject"], OPERATOR);
    assert_eq!(said["data"]["domain"], "test");

    // The receiver checks with the secret that the bureau gave it, over the bytes as they came.
    let secret = std::fs::read_to_string(domain.folder.keys().join("webhook.secret")).unwrap();
    let secret = STANDARD
        .decode(secret.trim().strip_prefix("whsec_").unwrap())
        .unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
    for (head, body) in &got {
        let signed = format!(
            "{}.{}.{body}",
            header(head, "webhook-id"),
            header(head, "webhook-timestamp")
        );
        let tag = header(head, "webhook-signature")
            .strip_prefix("v1,")
            .unwrap();
        let tag = STANDARD.decode(tag).unwrap();
        ring::hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
        let other = signed.replace("refusal_burst", "leak_test");
        assert!(ring::hmac::verify(&key, other.as_bytes(), &tag).is_err());
        assert_eq!(
            header(head, "webhook-id"),
            alert.id,
            "the same id each time"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_away_holds_up_nobody_and_misses_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let settings = format!("[alerts.webhook]\nurl = \"http://{address}/\"\n{BURST}");
    let domain = TestDomain::start_with(|folder| add_settings(folder, &settings)).await;
    for _ in 0..5 {
        domain.refusal("SELECT * FROM nothing").await;
    }
    let alert = alerts(&domain.bureau, 1).await.remove(0);
    assert_eq!(alert.webhook, "waiting");
    let (folder, _guard) = domain.stop().await;
    // After the next start somebody is there.
    let receiver = Receiver::start(0).await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    let settings = settings.replace(&address.to_string(), &receiver.address.to_string());
    std::fs::write(folder.config(), settings).unwrap();
    let serving = weir_server::serve(Domain::open(folder.root()).await.unwrap())
        .await
        .unwrap();
    let got = receiver.wait_for(1).await;
    assert_eq!(header(&got[0].0, "webhook-id"), alert.id);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_refused() {
    let domain = TestDomain::start().await;
    let (folder, _guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    for wrong in [
        "[alerts.rules.refusal_burst]\ncount = 0\n",
        "[alerts.rules.refusal_burst]\nlimit = 3\n",
        "[alerts.rules.no_such_rule]\ncount = 3\n",
        "[alerts.webhook]\nurl = \"http://alerts.example/\"\n",
    ] {
        std::fs::write(folder.config(), format!("{settings}\n{wrong}")).unwrap();
        let fault = Domain::open(folder.root()).await.err().unwrap();
        assert_eq!(fault.code, "CONFIG_INVALID", "{wrong}: {}", fault.message);
    }
}
