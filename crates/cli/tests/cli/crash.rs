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
use weir_client::v1::KeyKind;
use weir_client::{Client, IdentityFolder};

use crate::process::{Served, roomy};
use crate::scene::{Dice, SQL, number, operator_of, register, request};

/// Crashes unless told otherwise.
const CRASHES: u64 = 6;
/// Earlier answers that are asked for again after a crash: the last ones, and as many others.
const ASKED_AGAIN: usize = 8;
/// Releases whose receipts are looked at after a crash.
const LISTED: u32 = 40;
/// A crash comes within this time of the work's beginning.
const CRASH_AFTER_MS_MAX: u64 = 500;

/// What was asked of the server so far, and what it answered.
#[derive(Default)]
struct Asked {
    /// The released table and the receipt of each run that was answered.
    answered: BTreeMap<String, (Vec<RecordBatch>, String)>,
    /// Runs that were begun and may or may not have been decided.
    open: BTreeSet<String>,
    next: u64,
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
    let mut served = Served::start_under(folder.path(), &inbox, "", roomy);
    let administrator = IdentityFolder::load(&served.administrator).unwrap();
    let bureau = Client::connect(&administrator).await.unwrap();
    assert!(register(&bureau, &inbox, 60, false).await);
    let identity = operator_of(&bureau, &administrator).await;
    drop(bureau);

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
            (&case, &mut dice),
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
    (case, dice): (&str, &mut Dice),
) {
    let bureau = Client::connect(administrator).await.unwrap();
    let operator = Client::connect(identity).await.unwrap();
    let mut asked = asked.lock().await;

    // What was answered is answered the same, with the same receipt. The client verified it; it is still of this log. Of
    // what was answered before many crashes some is asked for, or most of a long drill would be that.
    let answered = asked.answered.len();
    let some = (0..ASKED_AGAIN).map(|_| dice.below(answered.max(1) as u64) as usize);
    let some: BTreeSet<usize> = some
        .chain(answered.saturating_sub(ASKED_AGAIN)..answered)
        .collect();
    let again = asked.answered.iter().enumerate();
    for (_, (id, (released, receipt))) in again.filter(|(at, _)| some.contains(at)) {
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
    for release in bureau.list_releases(LISTED).await.unwrap() {
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
    assert!(
        listed.iter().all(|id| asked.answered.contains_key(id)),
        "{case}"
    );

    // The log is whole, continues what was seen before the crash, and a change of the key that was cut off is complete.
    let key: VerifierKey = administrator.log_key.parse().unwrap();
    let before = Checkpoint::verify(seen.as_bytes(), &key).unwrap();
    let report = verify_log_since(&domain.join("log"), &key, &before, &mut |_, _| {});
    report.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(!domain.join("keys/master.key.next").exists(), "{case}");
}
