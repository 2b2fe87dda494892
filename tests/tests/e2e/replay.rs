//! Releases made again: the same bits, however they are computed, from what was kept and from nothing else.

use weir_audit::{Checkpoint, Event, Receipt};
use weir_client::v1::{
    DestroySnapshotRequest, PutPolicyRequest, RegisterDatasetRequest, ReleaseReplay,
    ReplayReleaseRequest, Role,
};
use weir_client::{Client, ClientError};
use weir_tests::{DEFAULT_POLICY, EXACT_POLICY, TestDomain, example, refusal};

/// Sums of floats, means, variances, quantiles, regressions, models over rows, joins of conditions: whatever could depend on
/// the order of additions.
const QUERIES: [&str; 10] = [
    "SELECT carrier, month, COUNT(*) AS n, SUM(air_time) AS s, AVG(dep_delay) AS d FROM flights GROUP BY carrier, month",
    "SELECT COUNT(*) AS n, SUM(arr_delay / 7.0) AS s, AVG(distance / 3.0) AS d FROM flights",
    "SELECT origin, VAR_SAMP(arr_delay) AS v, STDDEV_POP(air_time) AS s FROM flights GROUP BY origin",
    "SELECT origin, CORR(air_time, distance) AS c, COVAR_SAMP(air_time, distance) AS v FROM flights GROUP BY origin",
    "SELECT carrier, MEDIAN(distance) AS m, QUANTILE_CONT(dep_delay, 0.9) AS q FROM flights GROUP BY carrier",
    "SELECT origin, LINEAR_REGRESSION(air_time, distance, hour) AS fit FROM flights GROUP BY origin",
    "SELECT LOGISTIC_REGRESSION(dep_delay > 15, hour, distance) FROM flights WHERE dep_delay IS NOT NULL",
    "SELECT carrier, band, COUNT(*) AS n, AVG(score) AS s FROM disruption(flights) GROUP BY carrier, band \
     HAVING COUNT(*) > 100 ORDER BY s",
    "SELECT pace, AVG(ground_speed_mph) AS g, SUM(ground_speed_mph) AS s FROM pace(flights) GROUP BY pace",
    "SELECT HISTOGRAM(distance, 0, 3000, 6) AS bin, COUNT(DISTINCT tailnum) AS n FROM flights GROUP BY bin",
];

/// Threads and rows at once; 0 as runs have.
const ENGINES: [(u32, u32); 3] = [(0, 0), (1, 997), (3, 20_000)];

async fn replay(
    auditor: &Client,
    release: &str,
    (threads, batch_rows): (u32, u32),
) -> Result<ReleaseReplay, ClientError> {
    let request = ReplayReleaseRequest {
        release: release.to_owned(),
        threads,
        batch_rows,
    };
    auditor.replay_release(request, |_| {}).await
}

/// Why a replay was not made.
async fn refused(auditor: &Client, release: &str) -> String {
    refusal(&replay(auditor, release, (0, 0)).await.unwrap_err())
}

/// The newest entry of the log.
async fn newest(auditor: &Client) -> Event {
    let note = auditor.checkpoint().await.unwrap();
    let checkpoint = Checkpoint::verify(note.as_bytes(), auditor.log_key()).unwrap();
    let receipt = auditor.receipt(checkpoint.size() - 1).await.unwrap();
    let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
    let verified = receipt.verify(auditor.log_key()).unwrap();
    verified.entry().event.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_and_batches_change_no_bit() {
    let domain = TestDomain::with_flights().await;
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    for sql in QUERIES {
        let answer = domain.run(sql).await.unwrap();
        for engine in ENGINES {
            let replayed = replay(&auditor, &answer.run_id, engine).await.unwrap();
            assert!(replayed.same, "{sql} {engine:?}");
            assert_eq!(replayed.sql, sql);
            assert_eq!(replayed.log_index, answer.entry.index());
        }
    }
}

/// What comes after a release changes nothing of it: a stricter policy, another version of the model, another snapshot with
/// another manifest.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_made_again_from_what_was_there_then() {
    let domain = TestDomain::with_flights_under(DEFAULT_POLICY).await;
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let sql = "SELECT origin, band, COUNT(*) AS n, AVG(score) AS s FROM disruption(flights) GROUP BY origin, band";
    let before = domain.run(sql).await.unwrap();

    let manifest = std::fs::read_to_string(example("flights.toml")).unwrap();
    let file = domain.inbox.join("flights.parquet");
    let update = RegisterDatasetRequest {
        manifest_toml: manifest.replacen("description = \"", "description = \"Once more: ", 1),
        manifest_name: "manifest.toml".to_owned(),
        source_path: file.display().to_string(),
        update: true,
    };
    domain
        .bureau
        .register_dataset(update, |_| {})
        .await
        .unwrap();
    let tighter = DEFAULT_POLICY.replacen("count_base = 5", "count_base = 10", 1);
    assert_ne!(tighter, DEFAULT_POLICY);
    let put = PutPolicyRequest {
        text: tighter,
        source_name: "tighter.toml".to_owned(),
        dataset: String::new(),
    };
    domain.bureau.put_policy(put).await.unwrap();

    let after = domain.run(sql).await.unwrap();
    assert_ne!(
        before.released, after.released,
        "the policy rounds otherwise"
    );
    // By the number of its entry too.
    for release in [
        before.run_id,
        before.entry.index().to_string(),
        after.run_id,
    ] {
        let replayed = replay(&auditor, &release, (0, 0)).await.unwrap();
        assert!(replayed.same, "{release}");
        assert!(matches!(
            newest(&auditor).await,
            Event::ReleaseReplayed { outcome, .. } if outcome == "same"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_a_destroyed_snapshot_says_so() {
    let domain = TestDomain::with_flights().await;
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let sql = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";
    let answer = domain.run(sql).await.unwrap();

    for other in [&domain.bureau, &domain.operator] {
        let told = refused(other, &answer.run_id).await;
        assert!(told.starts_with("ROLE_NOT_ALLOWED"), "{told}");
    }
    for unknown in ["0", "nothing", "0190a5c0-0000-7000-8000-000000000000"] {
        let told = refused(&auditor, unknown).await;
        assert!(told.starts_with("RELEASE_UNKNOWN"), "{told}");
    }
    let told = refused(&auditor, "100000").await;
    assert!(told.starts_with("AUDIT_NO_SUCH_ENTRY"), "{told}");

    let destroyed = DestroySnapshotRequest {
        dataset: "flights".to_owned(),
        snapshot: String::new(),
        reason: "term ended".to_owned(),
    };
    domain.bureau.destroy_snapshot(destroyed).await.unwrap();
    let told = refused(&auditor, &answer.run_id).await;
    assert!(told.starts_with("REPLAY_SNAPSHOT_DESTROYED"), "{told}");
    assert!(told.contains("receipt"), "it says what is left: {told}");
    assert!(matches!(
        newest(&auditor).await,
        Event::ReleaseReplayed { outcome, .. } if outcome == "REPLAY_SNAPSHOT_DESTROYED"
    ));
}

const GLIDERS: &str = r#"
name = "gliders"
population = "gliders"
unit = "id"
description = "Gliders"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Which"
[[column]]
name = "kind"
type = "string"
role = "quasi-identifier"
description = "Of which kind"
domain = ["wood", "glass"]
[[column]]
name = "size"
type = "int32"
role = "quasi-identifier"
description = "How large"
bounds = { min = 0, max = 1000 }
"#;

/// A cell that came too near to an earlier one was given that one's answer. Made again it is given it again, also once the
/// ledger has the release itself and others; the earlier one is worked out.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_with_earlier_answers_is_made_again_as_of_then() {
    let domain = TestDomain::start_under(EXACT_POLICY).await;
    let mut csv = "id,kind,size\n".to_owned();
    for at in 0..200 {
        csv += &format!("g{at},{},{at}\n", ["wood", "glass"][at % 2]);
    }
    let registered = domain.register_bytes("gliders.csv", csv.as_bytes(), GLIDERS);
    registered.await.unwrap();
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let all = "SELECT kind, COUNT(*) AS n FROM gliders GROUP BY kind ORDER BY kind";
    let but_one =
        "SELECT kind, COUNT(*) AS n FROM gliders WHERE size < 199 GROUP BY kind ORDER BY kind";
    let first = domain.run(all).await.unwrap();
    let near = domain.run(but_one).await.unwrap();
    let numbers = |answer: &weir_client::RunAnswer| {
        let batches = answer.table.clone();
        datafusion::arrow::util::pretty::pretty_format_batches(&batches)
            .unwrap()
            .to_string()
    };
    assert!(numbers(&first).contains("| glass | 100 |"));
    assert_eq!(numbers(&near), numbers(&first), "99 would be one unit");
    let again = domain.run(but_one).await.unwrap();
    let other = "SELECT kind, COUNT(*) AS n FROM gliders WHERE size < 100 GROUP BY kind";
    let other = domain.run(other).await.unwrap();
    for answer in [first, near, again, other] {
        let replayed = replay(&auditor, &answer.run_id, (1, 997)).await.unwrap();
        assert!(replayed.same, "{}", replayed.sql);
    }
}

/// Whoever writes into the registry's file swaps nothing: another request, another policy. The domain does not open.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_swapped_is_found() {
    let cases = [
        ("COUNT(*) AS honest", "COUNT(*) AS fudged"),
        ("units_min = ", "units_mim = "),
    ];
    for (honest, fudged) in cases {
        let domain = TestDomain::with_flights_under(EXACT_POLICY).await;
        let sql = "SELECT origin, COUNT(*) AS honest FROM flights GROUP BY origin";
        domain.run(sql).await.unwrap();
        let (folder, _guard) = domain.stop().await;
        swap(&folder.registry(), honest.as_bytes(), fudged.as_bytes());
        let Err(fault) = weir_server::Domain::open(folder.root()).await else {
            panic!("`{fudged}` was taken");
        };
        assert_eq!(fault.code, "REGISTRY_ALTERED");
        assert!(
            fault.message.contains("`registry.sqlite`"),
            "{}",
            fault.message
        );
    }
}

/// Changes bytes in a file, wherever they stand.
fn swap(file: &std::path::Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(file).unwrap();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "it is in the file");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(file, bytes).unwrap();
}
