//! A server that is killed (SIGKILL) at random moments of its work, and started again: the record holds, and nobody has to
//! repair anything.
//!
//! What a disk can do to each durable write (lost, torn, landed and yet an error, full) is injected where the write is made:
//! `crates/audit/src/log/tests/faults.rs`, `crates/vault/src/faults/`, `crates/ledger/src/store/faults.rs`; the registry is
//! one SQLite transaction at a time. Here it is about what stands between them: the moments are random, from a seed, so that a
//! failure can be tried again.
//!
//! A few crashes are in the tests. For thousands:
//! `WEIR_CRASHES=5000 WEIR_CRASH_SEED=1 cargo test --workspace --test cli -- crash --nocapture`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use tokio::sync::Mutex;
use weir_audit::{Checkpoint, Event, Receipt, VerifierKey, verify_log_since};
use weir_client::v1::{
    ApplyRequest, IssueGrantRequest, IssueIdentityRequest, KeyKind, RegisterDatasetRequest, Role,
    RunRequest,
};
use weir_client::{Client, IdentityFolder, NewKey};

use crate::process::Served;

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
const APPLICATION: &str = "scenario = \"crashes\"\npurpose = \"a test\"\ndays = 1\nsecurity = [\"a test\"]\n\
                           models = \"any-vetted\"\n[datasets]\ntrips = [\"place\"]\n";

/// Crashes unless told otherwise.
const CRASHES: u64 = 6;
/// A crash comes within this time of the work's beginning.
const CRASH_AFTER_MS_MAX: u64 = 500;

/// Random numbers that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What was asked of the server so far, and what it answered.
#[derive(Default)]
struct Asked {
    /// The released table and the receipt of each run that was answered.
    answered: BTreeMap<String, (Vec<RecordBatch>, String)>,
    /// Runs that were begun and may or may not have been decided.
    open: BTreeSet<String>,
    next: u64,
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn request(run_id: &str, sql: &str) -> RunRequest {
    RunRequest {
        sql: sql.to_owned(),
        run_id: run_id.to_owned(),
        snapshots: Vec::new(),
        grant: String::new(),
    }
}

async fn register(bureau: &Client, inbox: &Path, drivers: u64, update: bool) -> bool {
    let file = inbox.join("trips.csv");
    let mut text = "driver,place\n".to_owned();
    for driver in 0..drivers {
        text.push_str(&format!(
            "d{driver},{}\n",
            ["north", "south"][driver as usize % 2]
        ));
    }
    std::fs::write(&file, text).unwrap();
    let request = RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "trips.toml".to_owned(),
        source_path: file.display().to_string(),
        update,
    };
    bureau.register_dataset(request, |_| {}).await.is_ok()
}

async fn operator_of(bureau: &Client, administrator: &IdentityFolder) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let issued = bureau
        .issue_identity(IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: Role::Operator.into(),
            organisation: "Acme".to_owned(),
            person: "li".to_owned(),
            valid_days: 1,
        })
        .await
        .unwrap();
    IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        ..administrator.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_anywhere_starts_by_itself_and_the_record_holds() {
    let (seed, crashes) = (
        number("WEIR_CRASH_SEED", 7),
        number("WEIR_CRASHES", CRASHES),
    );
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    // What a run reserved that was killed is not given back: here there is enough for thousands.
    let mut served = Served::start_under(folder.path(), &inbox, "", |policy| {
        let roomy = policy.replace("\nper_unit = 16.00\n", "\nper_unit = 1000000.00\n");
        assert_ne!(roomy, policy);
        roomy
    });
    let administrator = IdentityFolder::load(&served.administrator).unwrap();
    let bureau = Client::connect(&administrator).await.unwrap();
    assert!(register(&bureau, &inbox, 60, false).await);
    let identity = operator_of(&bureau, &administrator).await;
    let operator = Client::connect(&identity).await.unwrap();
    let applied = operator
        .apply(ApplyRequest {
            text: APPLICATION.to_owned(),
            ..ApplyRequest::default()
        })
        .await
        .unwrap();
    let grant = IssueGrantRequest {
        id: applied.id,
        digest: applied.digest,
        ..IssueGrantRequest::default()
    };
    bureau.issue_grant(grant).await.unwrap();
    drop((bureau, operator));

    let asked = Arc::new(Mutex::new(Asked::default()));
    for crash in 0..crashes {
        let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(crash));
        let case = format!("seed {seed}, crash {crash}");
        let bureau = Client::connect(&administrator).await.unwrap();
        let operator = Client::connect(&identity).await.unwrap();
        let seen = bureau.checkpoint().await.unwrap();
        let load = [
            tokio::spawn(runs(operator.clone(), Arc::clone(&asked))),
            tokio::spawn(runs(operator.clone(), Arc::clone(&asked))),
            tokio::spawn(refusals(operator.clone())),
            tokio::spawn(changes(bureau, inbox.clone(), dice.below(3))),
        ];
        tokio::time::sleep(Duration::from_millis(dice.below(CRASH_AFTER_MS_MAX))).await;
        served.kill();
        for task in load {
            task.await.unwrap();
        }
        served.start_again();
        holds(
            &served.domain,
            &administrator,
            &identity,
            &seen,
            &asked,
            &case,
        )
        .await;
    }
    let asked = asked.lock().await;
    eprintln!("{crashes} crashes, {} runs answered", asked.answered.len());
    assert!(!asked.answered.is_empty() || crashes == 0);
    served.stop();
}

/// Runs until the server is gone.
async fn runs(operator: Client, asked: Arc<Mutex<Asked>>) {
    loop {
        let id = {
            let mut asked = asked.lock().await;
            asked.next += 1;
            let id = format!("00000000-0000-4000-8000-{:012x}", asked.next);
            asked.open.insert(id.clone());
            id
        };
        let Ok(answer) = operator.run(request(&id, SQL), |_| {}).await else {
            return;
        };
        let mut asked = asked.lock().await;
        asked.open.remove(&id);
        asked
            .answered
            .insert(id, (answer.released, answer.receipt_json));
    }
}

/// Refusals until the server is gone: each is an entry.
async fn refusals(operator: Client) {
    while let Err(error) = operator
        .run(request("", "SELECT * FROM trips"), |_| {})
        .await
    {
        if error.code() != "SQL_NOT_AN_AGGREGATE" {
            return;
        }
    }
}

/// Changes of what the server keeps, until it is gone.
async fn changes(bureau: Client, inbox: std::path::PathBuf, kind: u64) {
    let mut drivers = 60;
    loop {
        drivers += 1;
        let done = match kind {
            0 => register(&bureau, &inbox, drivers, true).await,
            1 => bureau.rotate_key(KeyKind::Master).await.is_ok(),
            _ => bureau.list_keys().await.is_ok(),
        };
        if !done {
            return;
        }
    }
}

/// What must hold after any crash.
async fn holds(
    domain: &Path,
    administrator: &IdentityFolder,
    identity: &IdentityFolder,
    seen: &str,
    asked: &Mutex<Asked>,
    case: &str,
) {
    let bureau = Client::connect(administrator).await.unwrap();
    let operator = Client::connect(identity).await.unwrap();
    let mut asked = asked.lock().await;

    // What was answered is answered the same, with the same receipt. The client verified it; it is still of this log.
    for (id, (released, receipt)) in &asked.answered {
        let again = operator.run(request(id, SQL), |_| {}).await.unwrap();
        assert_eq!(&again.released, released, "{case}");
        assert_eq!(&again.receipt_json, receipt, "{case}");
    }
    // What was not answered can be asked again under its id.
    for id in std::mem::take(&mut asked.open) {
        let answer = operator.run(request(&id, SQL), |_| {}).await;
        let answer = answer.unwrap_or_else(|error| panic!("{case}: {error}"));
        asked
            .answered
            .insert(id, (answer.released, answer.receipt_json));
    }

    // No release without its entry, and no run that was decided without an answer.
    let mut listed = BTreeSet::new();
    for release in bureau.list_releases(1_000).await.unwrap() {
        let receipt = bureau.receipt(release.log_index).await.unwrap();
        let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
        let entry = receipt.verify(bureau.log_key()).unwrap();
        match &entry.entry().event {
            Event::ReleaseDecided {
                run, table_digest, ..
            } => {
                assert_eq!(*run, release.run_id, "{case}");
                assert_eq!(table_digest.to_string(), release.table_digest, "{case}");
            }
            other => panic!("{case}: {other:?}"),
        }
        listed.insert(release.run_id);
    }
    let newest = asked.answered.keys().rev().take(1_000);
    assert!(newest.into_iter().all(|id| listed.contains(id)), "{case}");

    // The log is whole, continues what was seen before the crash, and a change of the key that was cut off is complete.
    let key: VerifierKey = administrator.log_key.parse().unwrap();
    let before = Checkpoint::verify(seen.as_bytes(), &key).unwrap();
    let report = verify_log_since(&domain.join("log"), &key, &before, &mut |_, _| {});
    report.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(!domain.join("keys/master.key.next").exists(), "{case}");
}
