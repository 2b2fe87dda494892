#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use weir_audit::Event;
use weir_registry::{EvidenceRecord, Role, RunRecord};

use super::*;
use crate::test_domain::{TestFolder, entries};

const REASON: &str = "past its term";

fn bureau() -> Caller {
    Caller {
        role: Role::Bureau,
        organisation: "Data Bureau".to_owned(),
        person: "wang".to_owned(),
        fingerprint: Digest::of(b"wang"),
    }
}

async fn keep(domain: &Domain, run: &str, at: &str) {
    let record = RunRecord {
        run: run.to_owned(),
        organisation: "Acme".to_owned(),
        person: "li".to_owned(),
        request_digest: Digest::of(b"request").to_string(),
        dataset: "flights".to_owned(),
        cells_released: 1,
        cells_withheld: 0,
        table_digest: Digest::of(b"table").to_string(),
        log_index: 1,
        finished_at: at.to_owned(),
        answer: b"the answer".to_vec(),
    };
    domain.registry.add_run(&record).await.unwrap();
    let evidence = EvidenceRecord {
        run: run.to_owned(),
        policy: String::new(),
        datasets: "flights".to_owned(),
        snapshots: String::new(),
        kept_at: at.to_owned(),
        sealed: Some(b"the evidence".to_vec()),
    };
    domain.registry.add_evidence(&evidence).await.unwrap();
}

fn on(day: &str) -> DateTime<Utc> {
    format!("{day}T00:00:00Z").parse().unwrap()
}

/// The kind and the digest of each thing that the log says was destroyed.
fn destroyed(domain: &Domain) -> Vec<(String, String, Digest)> {
    let events = entries(domain).into_iter();
    let destroyed = events.filter_map(|event| match event {
        Event::KeptDestroyed {
            kind, run, digest, ..
        } => Some((kind, run, digest)),
        _ => None,
    });
    destroyed.collect()
}

async fn refused(domain: &Arc<Domain>, what: (&str, &str), now: DateTime<Utc>) -> String {
    let refused = destroy(domain, &bureau(), what, REASON, now).await;
    let fault = refused.err().unwrap();
    format!("{}: {}", fault.code, fault.message)
}

#[tokio::test]
async fn what_is_past_its_term_goes_and_nothing_else_does() {
    let made = TestFolder::made().await;
    let domain = Arc::new(made.open().await);
    keep(&domain, "old", "2026-01-01T00:00:00Z").await;
    keep(&domain, "new", "2026-06-01T00:00:00Z").await;

    // A day before, and a day after the year.
    let early = refused(&domain, ("answers", ""), on("2026-12-31")).await;
    assert!(early.starts_with("RETENTION_NOT_DUE"), "{early}");
    assert!(early.contains("2027-01-01"), "{early}");
    let gone = destroy(
        &domain,
        &bureau(),
        ("answers", ""),
        REASON,
        on("2027-01-02"),
    )
    .await;
    let gone = gone.unwrap();
    assert_eq!((gone.count, gone.left), (1, 0));
    let run = domain.registry.run("old").await.unwrap().unwrap();
    assert!(
        run.answer.is_empty(),
        "the row stays, so that no run id is used twice"
    );
    let run = domain.registry.run("new").await.unwrap().unwrap();
    assert_eq!(run.answer, b"the answer");
    let young = refused(&domain, ("answers", "new"), on("2027-01-02")).await;
    assert!(young.starts_with("RETENTION_NOT_DUE"), "{young}");
    let twice = refused(&domain, ("answers", "old"), on("2027-01-02")).await;
    assert!(twice.starts_with("RETENTION_UNKNOWN"), "{twice}");

    // Evidence is of the record: twenty years.
    let early = refused(&domain, ("evidence", "old"), on("2045-12-31")).await;
    assert!(early.starts_with("RETENTION_NOT_DUE"), "{early}");
    let what = ("evidence", "old");
    let gone = destroy(&domain, &bureau(), what, REASON, on("2046-02-01")).await;
    assert_eq!(gone.unwrap().count, 1);
    assert!(domain.registry.evidence("old").await.unwrap().is_none());
    assert!(domain.registry.evidence("new").await.unwrap().is_some());
    // And the log is kept, however late it is.
    let kept = refused(&domain, ("log", ""), on("2299-01-01")).await;
    assert!(kept.starts_with("RETENTION_KEPT"), "{kept}");

    let said = [
        ("answers", "old", b"the answer".as_slice()),
        ("evidence", "old", b"the evidence".as_slice()),
    ];
    let said = said.map(|(kind, run, bytes)| (kind.to_owned(), run.to_owned(), Digest::of(bytes)));
    assert_eq!(destroyed(&domain), said);
}

/// A crash after the entry: the next start does what the log says.
#[tokio::test]
async fn what_the_log_says_was_destroyed_is_destroyed_at_the_next_start() {
    let made = TestFolder::made().await;
    let domain = made.open().await;
    keep(&domain, "old", "2026-01-01T00:00:00Z").await;
    let things = domain.registry.kept_before(Kept::Answers, "2027", 10).await;
    let event = event(Kind::Answers, &things.unwrap()[0], REASON).unwrap();
    domain.record.append(bureau().actor(), event).unwrap();
    made.close(domain).await;

    let domain = made.open().await;
    let run = domain.registry.run("old").await.unwrap().unwrap();
    assert!(run.answer.is_empty());
    let named = |event: &Event| matches!(event, Event::EntryWithoutEffect { .. });
    assert!(!entries(&domain).iter().any(named));
}
