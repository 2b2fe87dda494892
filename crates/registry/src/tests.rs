#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::seal::tests::key;
use crate::*;

mod charges;
mod together;

async fn registry() -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("registry.sqlite"), key())
        .await
        .unwrap();
    (folder, registry)
}

fn model(name: &str, digest: &str, at: &str) -> ModelRecord {
    ModelRecord {
        name: name.to_owned(),
        digest: digest.to_owned(),
        component: vec![0, 97, 115, 109],
        signature: "row: func()".to_owned(),
        organisation: "acme".to_owned(),
        submitted_by: "li".to_owned(),
        submitted_at: at.to_owned(),
        vetting: ModelVetting {
            submitted_digest: format!("of-{digest}"),
            report: "{}".to_owned(),
            report_digest: "sha256:00".to_owned(),
        },
        state: ModelState::Submitted,
        approval: Approval::default(),
        end: ModelEnd::default(),
    }
}

fn dataset(name: &str, snapshot: &str) -> DatasetRecord {
    DatasetRecord {
        name: name.to_owned(),
        population: "aircraft".to_owned(),
        manifest_toml: String::new(),
        snapshot: snapshot.to_owned(),
        digest: "sha256:00".to_owned(),
        rows: 3,
        units: 2,
        rows_without_unit: 1,
        registered_at: "2026-01-01T00:00:00Z".to_owned(),
        registered_by: "wang (bureau)".to_owned(),
    }
}

#[tokio::test]
async fn facts_survive_reopening() {
    let (folder, registry) = registry().await;
    let identity = IdentityRecord {
        fingerprint: "sha256:aa".to_owned(),
        role: Role::Auditor,
        organisation: "court".to_owned(),
        person: "zhao".to_owned(),
        not_after: "2027-01-01T00:00:00Z".to_owned(),
        issued_at: "2026-01-01T00:00:00Z".to_owned(),
        end: IdentityEnd::default(),
    };
    registry.add_identity(&identity).await.unwrap();
    registry
        .add_dataset(&dataset("flights", "s1"))
        .await
        .unwrap();
    registry.close().await;

    let registry = Registry::open(&folder.path().join("registry.sqlite"), key())
        .await
        .unwrap();
    assert_eq!(
        registry.identity("sha256:aa").await.unwrap(),
        Some(identity)
    );
    assert_eq!(registry.identity("sha256:bb").await.unwrap(), None);
    assert_eq!(
        registry.datasets().await.unwrap(),
        vec![dataset("flights", "s1")]
    );
}

#[tokio::test]
async fn a_fact_is_what_was_said_last() {
    let (_folder, registry) = registry().await;
    assert_eq!(registry.fact(Fact::PolicyDigest).await.unwrap(), None);
    for digest in ["sha256:00", "sha256:11"] {
        registry.set_fact(Fact::PolicyDigest, digest).await.unwrap();
        let fact = registry.fact(Fact::PolicyDigest).await.unwrap();
        assert_eq!(fact.as_deref(), Some(digest));
    }
}

#[tokio::test]
async fn a_dataset_is_not_overwritten() {
    let (_folder, registry) = registry().await;
    registry
        .add_dataset(&dataset("flights", "s1"))
        .await
        .unwrap();
    let again = registry
        .add_dataset(&dataset("flights", "s2"))
        .await
        .unwrap_err();
    assert_eq!(again.code(), "DATASET_EXISTS");
    assert_eq!(
        registry.dataset("flights").await.unwrap().unwrap().snapshot,
        "s1"
    );
}

#[tokio::test]
async fn approval_binds_to_one_digest_and_stays() {
    let (_folder, registry) = registry().await;
    registry
        .add_model(&model("risk", "d1", "2026-01-01T00:00:00Z"))
        .await
        .unwrap();
    registry
        .add_model(&model("risk", "d2", "2026-01-02T00:00:00Z"))
        .await
        .unwrap();
    registry
        .approve_model("risk", "d1", "wang", "2026-01-03T00:00:00Z")
        .await
        .unwrap();
    registry
        .approve_model("risk", "d1", "sun", "2026-01-04T00:00:00Z")
        .await
        .unwrap();
    let versions = registry.model_versions("risk").await.unwrap();
    let approved: Vec<_> = versions
        .iter()
        .map(|version| {
            (
                version.digest.as_str(),
                version.approval.approved_by.as_deref(),
            )
        })
        .collect();
    assert_eq!(approved, [("d2", None), ("d1", Some("wang"))]);
}

#[tokio::test]
async fn an_approval_that_was_withdrawn_is_asked_for_again() {
    let (_folder, registry) = registry().await;
    let at = "2026-01-01T00:00:00Z";
    registry.add_model(&model("risk", "d1", at)).await.unwrap();
    let review = ModelReview {
        name: "risk".to_owned(),
        digest: "d1".to_owned(),
        organisation: "bureau".to_owned(),
        person: "wang".to_owned(),
        report_digest: "sha256:00".to_owned(),
        given_at: at.to_owned(),
    };
    registry.add_model_review(&review).await.unwrap();
    let approved = registry.approve_model("risk", "d1", "wang", at);
    approved.await.unwrap();
    let state = async || registry.model_state("risk", "d1").await.unwrap();
    assert_eq!(state().await, Some(ModelState::Approved));
    let end = ModelEnd {
        ended_by: "sun".to_owned(),
        ended_at: at.to_owned(),
        end_reason: "it singles somebody out".to_owned(),
    };
    let ended = registry.end_model(("risk", "d1"), ModelState::Withdrawn, &end);
    ended.await.unwrap();
    assert_eq!(state().await, Some(ModelState::Withdrawn));
    let found = registry.model_versions("risk").await.unwrap().remove(0);
    assert_eq!(
        (found.end, found.approval.approved_by.as_deref()),
        (end, Some("wang"))
    );
    let approved = registry.approve_model("risk", "d1", "sun", at);
    approved.await.unwrap();
    let found = registry.model_versions("risk").await.unwrap().remove(0);
    assert_eq!(
        (found.state, found.end),
        (ModelState::Approved, ModelEnd::default())
    );
    assert_eq!(found.approval.approved_by.as_deref(), Some("sun"));
    // One of another digest there is not.
    assert_eq!(registry.model_state("risk", "d2").await.unwrap(), None);
}

#[tokio::test]
async fn the_first_answer_of_a_request_stays() {
    let (_folder, registry) = registry().await;
    let mut request = AnsweredRequest {
        key: "k".to_owned(),
        organisation: "bureau".to_owned(),
        person: "wang".to_owned(),
        digest: "d".to_owned(),
        log_size: 3,
        answer: Vec::new(),
    };
    registry.put_answered_request(&request).await.unwrap();
    for answer in [b"one", b"two"] {
        request.answer = answer.to_vec();
        request.log_size += 1;
        registry.put_answered_request(&request).await.unwrap();
    }
    let kept = registry.answered_request("k").await.unwrap().unwrap();
    assert_eq!((kept.answer.as_slice(), kept.log_size), (&b"one"[..], 3));
    assert_eq!(registry.answered_request("l").await.unwrap(), None);
}

#[tokio::test]
async fn resubmitting_keeps_the_approval() {
    let (_folder, registry) = registry().await;
    registry
        .add_model(&model("risk", "d1", "2026-01-01T00:00:00Z"))
        .await
        .unwrap();
    registry
        .approve_model("risk", "d1", "wang", "2026-01-03T00:00:00Z")
        .await
        .unwrap();
    registry
        .add_model(&model("risk", "d1", "2026-01-05T00:00:00Z"))
        .await
        .unwrap();
    let versions = registry.model_versions("risk").await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].submitted_at, "2026-01-01T00:00:00Z");
    assert!(versions[0].approval.approved_by.is_some());
}

#[tokio::test]
async fn the_first_answer_of_a_run_stays() {
    let (_folder, registry) = registry().await;
    let mut run = RunRecord {
        run: "r".to_owned(),
        organisation: "acme".to_owned(),
        person: "li".to_owned(),
        request_digest: "sha256:00".to_owned(),
        dataset: "flights".to_owned(),
        cells_released: 3,
        cells_withheld: 1,
        table_digest: "sha256:11".to_owned(),
        log_index: 7,
        finished_at: "2026-01-01T00:00:00Z".to_owned(),
        answer: vec![1],
    };
    registry.add_run(&run).await.unwrap();
    run.answer = vec![2];
    registry.add_run(&run).await.unwrap();
    assert_eq!(registry.run("r").await.unwrap().unwrap().answer, vec![1]);
}

#[tokio::test]
async fn a_registry_without_snapshots_has_them_once_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.sqlite");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    // As the first version left it.
    let mut first = sqlx::migrate!();
    let only_first: Vec<_> = first.iter().take(1).cloned().collect();
    first.migrations = only_first.into();
    first.run(&pool).await.unwrap();
    let old = "INSERT INTO datasets VALUES ('flights', 'aircraft', '', 's1', 'sha256:00', 3, 2, 1, 'then', 'wang')";
    sqlx::query(old).execute(&pool).await.unwrap();
    pool.close().await;

    let registry = Registry::open(&file, key()).await.unwrap();
    let snapshots = registry.snapshots("flights").await.unwrap();
    assert_eq!(snapshots.len(), 1);
    assert_eq!((snapshots[0].id.as_str(), snapshots[0].rows), ("s1", 3));
    assert!(snapshots[0].is_live());
}

#[tokio::test]
async fn a_snapshot_ends_once_and_the_newest_comes_first() {
    let (_folder, registry) = registry().await;
    registry
        .add_dataset(&dataset("flights", "s1"))
        .await
        .unwrap();
    registry
        .update_dataset(&dataset("flights", "s2"))
        .await
        .unwrap();
    assert_eq!(
        registry.dataset("flights").await.unwrap().unwrap().snapshot,
        "s2"
    );
    let end = |reason: &str| SnapshotEnd {
        destroyed_at: Some("2026-01-01T00:00:00Z".to_owned()),
        destroyed_by: Some("wang (bureau)".to_owned()),
        destroy_reason: Some(reason.to_owned()),
        certificate: Some("{}".to_owned()),
    };
    registry.end_snapshot("s1", &end("first")).await.unwrap();
    registry.end_snapshot("s1", &end("second")).await.unwrap();
    let snapshots = registry.snapshots("flights").await.unwrap();
    let seen: Vec<_> = snapshots
        .iter()
        .map(|snapshot| (snapshot.id.as_str(), snapshot.is_live()))
        .collect();
    assert_eq!(seen, [("s2", true), ("s1", false)]);
    assert_eq!(snapshots[1].end, end("first"));
    // Half an end is refused by the database itself.
    let half = SnapshotEnd {
        certificate: None,
        ..end("half")
    };
    registry.end_snapshot("s2", &half).await.unwrap_err();
}

#[tokio::test]
async fn an_alert_is_acknowledged_once_and_sent_until_it_is_sent() {
    let (_folder, registry) = registry().await;
    let alert = |id: &str, webhook: &str| AlertRecord {
        id: id.to_owned(),
        rule: "refusal_burst".to_owned(),
        severity: "medium".to_owned(),
        subject: "acme".to_owned(),
        raised_at: format!("2026-01-01T00:00:0{id}.000Z"),
        since: "2026-01-01T00:00:00.000Z".to_owned(),
        measured: 20,
        threshold: 20,
        log_index: None,
        webhook: webhook.to_owned(),
        attempts: 0,
        acknowledged_by: None,
        acknowledged_at: None,
        note: None,
    };
    for (id, webhook) in [("1", "none"), ("2", "waiting"), ("3", "waiting")] {
        registry.add_alert(&alert(id, webhook)).await.unwrap();
        registry.add_alert(&alert(id, "none")).await.unwrap();
    }
    assert!(
        registry
            .acknowledge_alert("1", "wang (bureau)", "2026-01-02T00:00:00.000Z", "seen")
            .await
            .unwrap()
    );
    assert!(
        !registry
            .acknowledge_alert("1", "chen (bureau)", "2026-01-03T00:00:00.000Z", "")
            .await
            .unwrap()
    );
    assert_eq!(
        registry
            .alert("1")
            .await
            .unwrap()
            .unwrap()
            .acknowledged_by
            .unwrap(),
        "wang (bureau)"
    );
    let ids =
        |alerts: Vec<AlertRecord>| alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>();
    assert_eq!(ids(registry.alerts(true, 10).await.unwrap()), ["3", "2"]);
    assert_eq!(ids(registry.alerts(false, 1).await.unwrap()), ["3"]);
    assert_eq!(
        registry.alerts_open().await.unwrap(),
        [("refusal_burst".to_owned(), 2)]
    );
    registry.alert_tried("2", "waiting").await.unwrap();
    registry.alert_tried("3", "sent").await.unwrap();
    let waiting = registry.alerts_waiting(10).await.unwrap();
    assert_eq!(
        (waiting[0].attempts, ids(waiting)),
        (1, vec!["2".to_owned()])
    );
    assert_eq!(registry.alerts_waiting_count().await.unwrap(), 1);
    registry.alert_tried("2", "given up").await.unwrap();
    assert_eq!(registry.alerts_waiting_count().await.unwrap(), 0);
    assert!(registry.alert("4").await.unwrap().is_none());
}

#[tokio::test]
async fn a_basis_is_that_of_the_last_computation_before_an_entry() {
    let (_folder, registry) = registry().await;
    let text = |digest: &str| KeptText {
        digest: digest.to_owned(),
        kind: KeptKind::Basis,
        text: digest.as_bytes().to_vec(),
    };
    let basis = |log_index, basis: &str| BasisRecord {
        log_index,
        run: "r1".to_owned(),
        request_digest: "q".to_owned(),
        basis: basis.to_owned(),
    };
    for (index, digest) in [(4, "a"), (9, "b")] {
        let (record, texts) = (basis(index, digest), [text(digest), text("a")]);
        registry.add_basis(&record, &texts).await.unwrap();
    }
    for (before, expected) in [(4, None), (5, Some("a")), (9, Some("a")), (10, Some("b"))] {
        let found = registry.basis_before("r1", before).await.unwrap();
        assert_eq!(found.map(|found| found.basis).as_deref(), expected);
    }
    assert_eq!(registry.basis_before("r2", 10).await.unwrap(), None);
    assert_eq!(registry.kept_text("b").await.unwrap(), Some(b"b".to_vec()));
    assert_eq!(registry.kept_text("c").await.unwrap(), None);
}

#[tokio::test]
async fn a_copy_is_whole_while_others_write_and_looking_at_it_changes_nothing() {
    let (folder, registry) = registry().await;
    registry
        .add_dataset(&dataset("flights", "s1"))
        .await
        .unwrap();
    let writer = {
        let registry = registry.clone();
        tokio::spawn(async move {
            for number in 0..50 {
                let name = format!("d{number}");
                registry.add_dataset(&dataset(&name, &name)).await.unwrap();
            }
        })
    };
    let file = folder.path().join("registry.sqlite");
    for number in 0..5 {
        let copy = folder.path().join(format!("copy-{number}.sqlite"));
        Registry::copy(&file, &copy).await.unwrap();
        let before = std::fs::read(&copy).unwrap();
        let facts = Registry::inspect(&copy).await.unwrap();
        assert_eq!(facts.problems, Vec::<String>::new());
        assert!(facts.snapshots.iter().any(|snapshot| snapshot.id == "s1"));
        assert_eq!(facts.log_index_max, None);
        assert_eq!(std::fs::read(&copy).unwrap(), before);
        Registry::copy(&file, &copy).await.unwrap_err();
    }
    writer.await.unwrap();
    let missing = folder.path().join("missing.sqlite");
    Registry::copy(&missing, &folder.path().join("none.sqlite"))
        .await
        .unwrap_err();
}

/// What a newer version made of the layout is not touched.
#[tokio::test]
async fn a_registry_of_a_newer_layout_is_refused() {
    let (folder, registry) = registry().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'of the future', 1, x'00', 0)";
    sqlx::query(newer).execute(&registry.writer).await.unwrap();
    registry.close().await;
    let refused = Registry::open(&folder.path().join("registry.sqlite"), key()).await;
    assert_eq!(refused.err().unwrap().code(), "REGISTRY_LAYOUT");
}
