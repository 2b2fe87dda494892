//! Backups: taken while runs go on, restored elsewhere, and the record holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_audit::{Checkpoint, Event, Receipt, VerifierKey, verify_log_since};
use weir_client::v1::{DestroySnapshotRequest, Role, RunRequest};
use weir_client::{Client, IdentityFolder, RunAnswer};
use weir_server::{Domain, Folder, Serving, create_backup, restore_backup, verify_backup};
use weir_tests::{OPERATOR, TestDomain, issue, refusal};

const SQL: &str = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";

/// Where backups of a test go.
struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn request(run_id: &str) -> RunRequest {
    RunRequest {
        sql: SQL.to_owned(),
        run_id: run_id.to_owned(),
        snapshots: Vec::new(),
        grant: String::new(),
    }
}

async fn identity(domain: &TestDomain, role: Role, organisation: &str) -> IdentityFolder {
    issue(&domain.bureau, &domain.administrator, role, organisation).await
}

/// Serves what was restored, as a fresh process would.
async fn serve(root: &Path) -> Serving {
    weir_server::serve(Domain::open(root).await.unwrap())
        .await
        .unwrap()
}

async fn connect(serving: &Serving, identity: &IdentityFolder) -> Client {
    Client::connect(&IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..identity.clone()
    })
    .await
    .unwrap()
}

/// Every entry of a log, by the receipts a server gives.
async fn events(auditor: &Client) -> Vec<Event> {
    let note = auditor.checkpoint().await.unwrap();
    let checkpoint = Checkpoint::verify(note.as_bytes(), auditor.log_key()).unwrap();
    let mut events = Vec::new();
    for index in 0..checkpoint.size() {
        let receipt = auditor.receipt(index).await.unwrap();
        let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
        let verified = receipt.verify(auditor.log_key()).unwrap();
        events.push(verified.entry().event.clone());
    }
    events
}

fn key_of(folder: &Path) -> VerifierKey {
    let text = std::fs::read_to_string(folder.join("log.vkey")).unwrap();
    text.trim().parse().unwrap()
}

/// The drill: runs go on, backups are taken, the machine is lost, and every backup becomes a domain by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_runs_go_on_becomes_a_domain() {
    let domain = TestDomain::with_flights().await;
    let operator = identity(&domain, Role::Operator, OPERATOR).await;
    let auditor = identity(&domain, Role::Auditor, "Audit Office").await;
    let before = domain.run(SQL).await.unwrap();

    let shelf = Shelf::new();
    let ended = Arc::new(AtomicBool::new(false));
    let runs = {
        let (client, ended) = (domain.operator.clone(), Arc::clone(&ended));
        tokio::spawn(async move {
            let mut answers: Vec<RunAnswer> = Vec::new();
            while !ended.load(Ordering::Acquire) {
                answers.push(client.run(request(""), |_| {}).await.unwrap());
            }
            answers
        })
    };
    let mut backups = Vec::new();
    for number in 0..3 {
        let into = shelf.place(&format!("backup-{number}"));
        let keys = shelf.place(&format!("keys-{number}"));
        let made = create_backup(domain.folder.root(), &into, Some(&keys)).await;
        backups.push((into, keys, made.unwrap()));
    }
    ended.store(true, Ordering::Release);
    let answers = runs.await.unwrap();
    assert!(!answers.is_empty(), "runs went on meanwhile");
    let (_folder, _guard) = domain.stop().await;

    for (number, (backup, keys, made)) in backups.into_iter().enumerate() {
        assert_eq!(made.snapshots, 1);
        let root = shelf.place(&format!("restored-{number}"));
        restore_backup(&backup, &keys, &root).await.unwrap();
        let serving = serve(&root).await;
        let operator = connect(&serving, &operator).await;
        let auditor = connect(&serving, &auditor).await;

        // The old run answers as it did, the old receipt verifies, and a release can still be made again.
        let again = operator.run(request(&before.run_id), |_| {}).await.unwrap();
        assert_eq!(again.released, before.released);
        assert_eq!(again.receipt_json, before.receipt_json);
        let replay = weir_client::v1::ReplayReleaseRequest {
            release: before.run_id.clone(),
            threads: 0,
            batch_rows: 0,
        };
        assert!(auditor.replay_release(replay, |_| {}).await.unwrap().same);
        // Whatever the registry has of the runs that went on is in the log, and each of them can be asked for again.
        for answer in &answers {
            let known = operator.run(request(&answer.run_id), |_| {}).await.unwrap();
            assert_eq!(known.released, answer.released);
        }
        let events = events(&auditor).await;
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::DomainRestored { entries, .. } if *entries == made.log_entries)),
            "the restore is on record"
        );
        serving.stop().await.unwrap();
        let checkpoint = Checkpoint::verify(made.checkpoint.as_bytes(), &key_of(&root)).unwrap();
        let report = verify_log_since(
            &Folder::new(&root).log(),
            &key_of(&root),
            &checkpoint,
            &mut |_, _| {},
        );
        // And that of the stop.
        assert_eq!(report.unwrap().entries, events.len() as u64 + 1);
    }
}

/// Destroyed stays destroyed: before the backup, and with an older backup's key put beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_snapshot_stays_destroyed() {
    let domain = TestDomain::with_flights().await;
    let operator = identity(&domain, Role::Operator, OPERATOR).await;
    let shelf = Shelf::new();
    let (old, keys) = (shelf.place("old"), shelf.place("keys"));
    create_backup(domain.folder.root(), &old, Some(&keys))
        .await
        .unwrap();
    let destroyed = DestroySnapshotRequest {
        dataset: "flights".to_owned(),
        snapshot: String::new(),
        reason: "term ended".to_owned(),
    };
    domain.bureau.destroy_snapshot(destroyed).await.unwrap();
    let new = shelf.place("new");
    let made = create_backup(domain.folder.root(), &new, None)
        .await
        .unwrap();
    assert_eq!(made.snapshots, 0);
    let (_folder, _guard) = domain.stop().await;

    let root = shelf.place("restored");
    restore_backup(&new, &keys, &root).await.unwrap();
    for part in ["vault/keys", "vault/snapshots"] {
        copy_folder(&old.join(part), &root.join(part));
    }
    let serving = serve(&root).await;
    let operator = connect(&serving, &operator).await;
    let refused = operator.run(request(""), |_| {}).await;
    let refused = refused.map(drop).unwrap_err();
    assert!(refusal(&refused).starts_with("SNAPSHOT_DESTROYED"));
    serving.stop().await.unwrap();
    let keys_left = std::fs::read_dir(root.join("vault/keys")).unwrap();
    let snapshot_key = |name: &str| name.starts_with("snapshot-");
    assert!(
        !keys_left
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .any(|name| snapshot_key(&name)),
        "the key that was put back is gone again"
    );
}

/// An older state is told by whoever has seen a newer checkpoint, before it is put to use.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_backup_does_not_continue_a_newer_checkpoint() {
    let domain = TestDomain::with_flights().await;
    let shelf = Shelf::new();
    let earlier = domain.operator.checkpoint().await.unwrap();
    let backup = shelf.place("backup");
    create_backup(domain.folder.root(), &backup, None)
        .await
        .unwrap();
    domain.run(SQL).await.unwrap();
    let later = domain.operator.checkpoint().await.unwrap();

    let key = domain.operator.log_key();
    verify_backup(&backup, Some(key), Some(&earlier))
        .await
        .unwrap();
    let refused = verify_backup(&backup, Some(key), Some(&later)).await;
    assert_eq!(refused.unwrap_err().code, "AUDIT_SHRUNK");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_backup_is_told_and_nothing_is_restored() {
    let domain = TestDomain::with_flights().await;
    domain.run(SQL).await.unwrap();
    let shelf = Shelf::new();
    let (backup, keys) = (shelf.place("backup"), shelf.place("keys"));
    create_backup(domain.folder.root(), &backup, Some(&keys))
        .await
        .unwrap();

    let mut altered = 0;
    for file in files(&backup) {
        let whole = std::fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        let Some(byte) = flipped.last_mut() else {
            continue;
        };
        *byte ^= 1;
        std::fs::write(&file, &flipped).unwrap();
        let refused = verify_backup(&backup, None, None).await;
        assert_eq!(refused.unwrap_err().code, "BACKUP_DAMAGED", "{file:?}");
        std::fs::remove_file(&file).unwrap();
        let refused = verify_backup(&backup, None, None).await.unwrap_err();
        let expected = match file.ends_with("backup.json") {
            true => "BACKUP_NOT_FOUND",
            false => "BACKUP_DAMAGED",
        };
        assert_eq!(refused.code, expected, "{file:?}");
        let root = shelf.place("refused");
        restore_backup(&backup, &keys, &root).await.unwrap_err();
        assert!(!root.exists());
        std::fs::write(&file, &whole).unwrap();
        altered += 1;
    }
    assert!(altered > 10, "{altered} files");

    let (other, foreign) = (TestDomain::start().await, shelf.place("foreign"));
    create_backup(other.folder.root(), &shelf.place("other"), Some(&foreign))
        .await
        .unwrap();
    let refused = restore_backup(&backup, &foreign, &shelf.place("mixed")).await;
    assert_eq!(refused.unwrap_err().code, "BACKUP_KEYS");
    let again = create_backup(other.folder.root(), &backup, None).await;
    assert_eq!(again.unwrap_err().code, "FOLDER_NOT_EMPTY");
    restore_backup(&backup, &keys, &shelf.place("whole"))
        .await
        .unwrap();
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn copy_folder(from: &Path, into: &Path) {
    for file in files(from) {
        let target = into.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, &target).unwrap();
    }
}
