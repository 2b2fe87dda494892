//! Several snapshots of a dataset: updating, pinning, destroying.

use weir_audit::{Certificate, Event, VerifierKey, verify_log};
use weir_client::v1::{
    Dataset, DestroySnapshotRequest, DestroySnapshotResponse, RegisterDatasetRequest, Role,
    RunRequest, SnapshotState,
};
use weir_client::{ClientError, RunAnswer};
use weir_tests::{TestDomain, refusal};

const MANIFEST: &str = r#"
name = "trips"
population = "drivers"
unit = "driver"
description = "Trips"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "driver"
type = "string"
role = "identifier"
description = "Who drove"

[[column]]
name = "place"
type = "string"
role = "public"
description = "Where to"
"#;

const SQL: &str = "SELECT place, COUNT(*) AS n FROM trips GROUP BY place";

/// Trips of `drivers` people, with a column more where it is asked for.
fn csv(drivers: usize, more: bool) -> String {
    let mut text = format!("driver,place{}\n", if more { ",km" } else { "" });
    for driver in 0..drivers {
        let km = if more { ",3" } else { "" };
        text.push_str(&format!(
            "d{driver},{}{km}\n",
            ["north", "south"][driver % 2]
        ));
    }
    text
}

fn with_km(kind: &str) -> String {
    format!(
        "{MANIFEST}\n[[column]]\nname = \"km\"\ntype = \"{kind}\"\nrole = \"measure\"\ndescription = \"How far\"\n"
    )
}

async fn update(domain: &TestDomain, csv: &str, manifest: &str) -> Result<Dataset, ClientError> {
    let file = domain.inbox.join("trips.csv");
    std::fs::write(&file, csv).unwrap();
    let request = RegisterDatasetRequest {
        manifest_toml: manifest.to_owned(),
        manifest_name: "manifest.toml".to_owned(),
        source_path: file.display().to_string(),
        update: true,
    };
    domain.bureau.register_dataset(request, |_| {}).await
}

async fn pinned(
    domain: &TestDomain,
    sql: &str,
    snapshots: &[&str],
) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        run_id: String::new(),
        snapshots: snapshots.iter().map(|&id| id.to_owned()).collect(),
        grant: String::new(),
    };
    domain.operator.run(request, |_| {}).await
}

async fn destroy(
    domain: &TestDomain,
    snapshot: &str,
) -> Result<DestroySnapshotResponse, ClientError> {
    let request = DestroySnapshotRequest {
        dataset: "trips".to_owned(),
        snapshot: snapshot.to_owned(),
        reason: "retention ended".to_owned(),
    };
    domain.bureau.destroy_snapshot(request).await
}

/// Rows counted in the answer, over all groups.
fn counted(answer: &RunAnswer) -> i64 {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let counts = answer.table.iter().map(|batch| {
        let column = batch.column_by_name("n").unwrap();
        column
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .sum::<i64>()
    });
    counts.sum()
}

fn read(answer: &RunAnswer) -> String {
    match &answer.entry.entry().event {
        Event::ReleaseDecided { datasets, .. } => datasets[0].snapshot.clone(),
        other => panic!("{other:?}"),
    }
}

fn told(outcome: Result<impl Sized, ClientError>) -> String {
    refusal(&outcome.map(drop).unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_another_snapshot_and_runs_may_pin_the_old_one() {
    let domain = TestDomain::start().await;
    assert!(told(update(&domain, &csv(60, false), MANIFEST).await).starts_with("DATASET_UNKNOWN"));
    let first = domain
        .register_bytes("trips.csv", csv(60, false).as_bytes(), MANIFEST)
        .await
        .unwrap();
    let again = domain
        .register_bytes("trips.csv", csv(60, false).as_bytes(), MANIFEST)
        .await;
    assert!(told(again).starts_with("DATASET_EXISTS"));
    let second = update(&domain, &csv(80, true), &with_km("int32"))
        .await
        .unwrap();
    assert_ne!(first.snapshot, second.snapshot);

    // Units keep their ids, so 60 of the 80 are the same.
    assert_eq!((first.units, second.units), (Some(60), Some(80)));
    let newest = domain.run(SQL).await.unwrap();
    assert_eq!(
        (counted(&newest), read(&newest)),
        (80, second.snapshot.clone())
    );
    let old = pinned(&domain, SQL, &[&first.snapshot]).await.unwrap();
    assert_eq!((counted(&old), read(&old)), (60, first.snapshot.clone()));
    let told_of = |answer| refusal(&answer);
    let stray = pinned(&domain, SQL, &["other-00112233445566778899"]).await;
    assert!(told_of(stray.map(drop).unwrap_err()).starts_with("SNAPSHOT_NOT_READ"));
    let both = pinned(&domain, SQL, &[&first.snapshot, &second.snapshot]).await;
    assert!(told_of(both.map(drop).unwrap_err()).starts_with("SNAPSHOT_PINNED_TWICE"));

    // What an update may not do.
    let cases = [
        (csv(60, false), MANIFEST.to_owned()),
        (csv(60, true), with_km("float64")),
        (
            csv(60, true),
            with_km("int32").replace("\"public\"", "\"sensitive\""),
        ),
        (
            csv(60, true),
            with_km("int32").replace("\"drivers\"", "\"others\""),
        ),
    ];
    let mut refusals = Vec::new();
    for (rows, manifest) in cases {
        refusals.push(told(update(&domain, &rows, &manifest).await));
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    DATASET_UPDATE_INCOMPATIBLE: `trips` cannot be updated so: column `km` is missing. Columns may be added; for anything else register another dataset
    DATASET_UPDATE_INCOMPATIBLE: `trips` cannot be updated so: column `km` has the type int32, and not float64. Columns may be added; for anything else register another dataset
    DATASET_UPDATE_INCOMPATIBLE: `trips` cannot be updated so: column `place` has the role public, and not sensitive. Columns may be added; for anything else register another dataset
    DATASET_UPDATE_INCOMPATIBLE: `trips` cannot be updated so: its rows are about `driver` of `drivers`, and not about `driver` of `others`. Columns may be added; for anything else register another dataset
    ");

    let shown = domain.bureau.dataset("trips").await.unwrap();
    let ids: Vec<_> = shown
        .snapshots
        .iter()
        .map(|snapshot| &snapshot.id)
        .collect();
    assert_eq!(ids, [&second.snapshot, &first.snapshot]);
    assert_eq!(shown.snapshots[1].digest, first.digest);
    // An operator sees which there are, and no counts and no names.
    let shown = domain.operator.dataset("trips").await.unwrap();
    assert_eq!(shown.snapshots.len(), 2);
    let snapshot = &shown.snapshots[0];
    assert_eq!((snapshot.rows, snapshot.registered_by.as_str()), (None, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_snapshot_cannot_be_run_and_its_certificate_verifies_offline() {
    let domain = TestDomain::start().await;
    let first = domain
        .register_bytes("trips.csv", csv(60, false).as_bytes(), MANIFEST)
        .await
        .unwrap();
    let second = update(&domain, &csv(80, false), MANIFEST).await.unwrap();
    let mut refusals = Vec::new();
    for snapshot in ["", "trips-00112233445566778899"] {
        refusals.push(told(destroy(&domain, snapshot).await));
    }
    for reason in ["", "two\nlines", &"x".repeat(501)] {
        let request = DestroySnapshotRequest {
            dataset: "trips".to_owned(),
            snapshot: first.snapshot.clone(),
            reason: reason.to_owned(),
        };
        refusals.push(told(domain.bureau.destroy_snapshot(request).await));
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    SNAPSHOT_AMBIGUOUS: `trips` has 2 snapshots. Name one with --snapshot ID; `weir dataset show trips` lists them
    SNAPSHOT_UNKNOWN: `trips-00112233445566778899` is no snapshot of `trips`. `weir dataset show trips` lists those there are
    REASON_INVALID: say why in one line of 1 to 500 characters; it goes into the certificate and the log
    REASON_INVALID: say why in one line of 1 to 500 characters; it goes into the certificate and the log
    REASON_INVALID: say why in one line of 1 to 500 characters; it goes into the certificate and the log
    ");

    let destroyed = destroy(&domain, &second.snapshot).await.unwrap();
    let again = destroy(&domain, &second.snapshot).await.unwrap();
    assert_eq!(destroyed, again);
    // The newest that is left is read; the one that is gone is refused.
    let left = domain.run(SQL).await.unwrap();
    assert_eq!((counted(&left), read(&left)), (60, first.snapshot.clone()));
    let gone = told(pinned(&domain, SQL, &[&second.snapshot]).await);
    assert!(gone.starts_with("SNAPSHOT_DESTROYED: "), "{gone}");
    let only = destroy(&domain, "").await.unwrap();
    assert_eq!(only.snapshot, first.snapshot);
    let gone = told(domain.run(SQL).await);
    assert!(gone.starts_with("SNAPSHOT_DESTROYED: "), "{gone}");

    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let shown = auditor.dataset("trips").await.unwrap();
    let states: Vec<_> = shown
        .snapshots
        .iter()
        .map(|snapshot| snapshot.state())
        .collect();
    assert_eq!(states, [SnapshotState::Destroyed; 2]);
    assert_eq!(
        shown.snapshots[0].certificate_json,
        destroyed.certificate_json
    );
    assert_eq!(shown.snapshots[0].destroy_reason, "retention ended");
    let shown = domain.operator.dataset("trips").await.unwrap();
    assert_eq!(shown.snapshots[0].certificate_json, "");

    // Offline: the certificate, the log's key, nothing else.
    let key: VerifierKey = domain.administrator.log_key.parse().unwrap();
    let certificate = Certificate::from_json(destroyed.certificate_json.as_bytes()).unwrap();
    certificate.verify(&key).unwrap();
    assert!(certificate.text().contains(&second.snapshot));
    assert!(certificate.text().contains(&second.digest));
    let changed = destroyed
        .certificate_json
        .replacen("retention", "detention", 1);
    let changed = Certificate::from_json(changed.as_bytes()).unwrap();
    assert_eq!(
        changed.verify(&key).unwrap_err().code(),
        "AUDIT_RECEIPT_UNPROVEN"
    );

    let (folder, _guard) = domain.stop().await;
    verify_log(&folder.log(), &key, &mut |_, _| {}).unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.vault().join("snapshots"))
        .unwrap()
        .collect();
    assert!(left.is_empty());
}

/// A crash after the vault has destroyed a snapshot and before the log has heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_a_crash_kept_from_the_record_is_completed_at_the_next_start() {
    let domain = TestDomain::start().await;
    let dataset = domain
        .register_bytes("trips.csv", csv(60, false).as_bytes(), MANIFEST)
        .await
        .unwrap();
    let key: VerifierKey = domain.administrator.log_key.parse().unwrap();
    let administrator = domain.administrator.clone();
    let (folder, _guard) = domain.stop().await;
    let before = verify_log(&folder.log(), &key, &mut |_, _| {})
        .unwrap()
        .entries;
    // The vault's own first step, by hand: the certificate is there and the key still is, as after a crash in between.
    let certificate = serde_json::json!({
        "version": 1,
        "dataset": "trips",
        "snapshot": dataset.snapshot,
        "digest": dataset.digest,
        "key_fingerprint": null,
        "destroyed_at": "2026-01-01T00:00:00Z",
        "person": "wang",
        "organisation": "Data Bureau",
        "reason": "a test",
        "statement": "",
    });
    let file = folder
        .vault()
        .join(format!("destroyed/{}.json", dataset.snapshot));
    std::fs::write(file, certificate.to_string()).unwrap();

    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    let serving = weir_server::serve(opened).await.unwrap();
    let bureau = weir_client::Client::connect(&weir_client::IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..administrator
    })
    .await
    .unwrap();
    let shown = bureau.dataset("trips").await.unwrap();
    assert_eq!(shown.snapshots[0].state(), SnapshotState::Destroyed);
    let certificate =
        Certificate::from_json(shown.snapshots[0].certificate_json.as_bytes()).unwrap();
    assert_eq!(certificate.verify(&key).unwrap().index(), before);
    serving.stop().await.unwrap();
    let key_file = folder
        .vault()
        .join(format!("keys/snapshot-{}.key", dataset.snapshot));
    assert!(!key_file.exists());
    // It is on record once; the other entry is that of the stop.
    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    drop(opened);
    let after = verify_log(&folder.log(), &key, &mut |_, _| {})
        .unwrap()
        .entries;
    assert_eq!(after, before + 2);
}
