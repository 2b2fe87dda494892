//! Witnesses in the path of a release: cosignatures in receipts, and no release without them where they are required.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_audit::{Checkpoint, Receipt, VerifierKey, Witness, WitnessVerifierKey, verify_log};
use weir_client::v1::{Role, RunRequest};
use weir_client::{Client, ClientError, IdentityFolder};
use weir_server::{Domain, HttpServing, Serving};
use weir_tests::{TestDomain, refusal};

const SQL: &str = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";

/// A witness's folder, and the key others check it with.
struct Seat {
    dir: PathBuf,
    key: WitnessVerifierKey,
}

impl Seat {
    fn new(home: &Path, name: &str) -> Self {
        let dir = home.join(name);
        let key = Witness::create(&dir, name).unwrap().verifier().clone();
        Self { dir, key }
    }

    async fn serve(&self, port: u16, log: &VerifierKey) -> HttpServing {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // The last connection of the one before may hold the folder for a moment.
        for _ in 0..100 {
            if let Ok(witness) = Witness::open(&self.dir, vec![log.clone()])
                && let Ok(serving) = weir_server::serve_witness(listen, witness).await
            {
                return serving;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the witness does not start");
    }
}

async fn serve(root: &Path, settings: &str, witnesses: &str) -> Serving {
    let text = format!("{settings}\n[log]\n{witnesses}");
    std::fs::write(root.join("domain.toml"), text).unwrap();
    weir_server::serve(Domain::open(root).await.unwrap())
        .await
        .unwrap()
}

/// An operator of a domain that was started again.
async fn operator(serving: &Serving, administrator: &IdentityFolder) -> Client {
    let identity = IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..administrator.clone()
    };
    let bureau = Client::connect(&identity).await.unwrap();
    let issued = weir_tests::issue(&bureau, &identity, Role::Operator, "Acme Insurance").await;
    Client::connect(&issued).await.unwrap()
}

async fn run(operator: &Client) -> Result<String, ClientError> {
    let request = RunRequest {
        sql: SQL.to_owned(),
        run_id: String::new(),
        snapshots: Vec::new(),
        grant: String::new(),
    };
    Ok(operator.run(request, |_| {}).await?.receipt_json)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_its_witnesses() {
    let domain = TestDomain::with_flights().await;
    let log_key = domain.operator.log_key().clone();
    let administrator = domain.administrator.clone();
    let (folder, guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    let seats = ["w1", "w2"].map(|name| Seat::new(guard.path(), name));
    let keys = seats.each_ref().map(|seat| seat.key.clone());
    let first = seats[0].serve(0, &log_key).await;
    let second = seats[1].serve(0, &log_key).await;
    let port = first.address().port();
    let entry = |seat: &Seat, serving: &HttpServing| {
        format!(
            "[[log.witnesses]]\nkey = \"{}\"\nurl = \"http://{}/\"\n",
            seat.key,
            serving.address()
        )
    };
    let witnesses = format!(
        "witnesses_required = 1\n{}{}",
        entry(&seats[0], &first),
        entry(&seats[1], &second)
    );
    let serving = serve(folder.root(), &settings, &witnesses).await;
    let operator = operator(&serving, &administrator).await;

    // With both there, and with one of them gone: one is required.
    let mut sizes = Vec::new();
    let mut second = Some(second);
    for _ in 0..2 {
        let receipt = run(&operator).await.unwrap();
        let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
        let (entry, cosigned) = receipt.verify_witnessed(&log_key, &keys, 1).unwrap();
        assert!(!cosigned.is_empty());
        sizes.push(entry.tree_size());
        drop(second.take());
    }
    assert!(sizes.is_sorted());
    // What is published carries the cosignatures.
    let note = operator.checkpoint().await.unwrap();
    let published = Checkpoint::verify(note.as_bytes(), &log_key).unwrap();
    assert!(!published.cosignatures(&keys).unwrap().is_empty(), "{note}");

    // With both gone nothing is released, and the log says what happened.
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = refusal(&run(&operator).await.unwrap_err());
    assert!(refused.starts_with("WITNESSES_UNAVAILABLE"), "{refused}");

    // One comes back, with what it has seen; releases go on.
    let first = seats[0].serve(port, &log_key).await;
    let receipt = run(&operator).await.unwrap();
    let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
    receipt.verify_witnessed(&log_key, &keys[..1], 1).unwrap();
    serving.stop().await.unwrap();
    drop(first);
    let report = verify_log(&folder.log(), &log_key, &mut |_, _| {}).unwrap();
    let cosigned = report.cosigned.unwrap();
    assert!(cosigned.size() > receipt.index());
    cosigned.require_witnesses(&keys, 1).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_is_not_cosigned() {
    let domain = TestDomain::with_flights().await;
    let log_key = domain.operator.log_key().clone();
    let administrator = domain.administrator.clone();
    let (folder, guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    let older = guard.path().join("older");
    copy(folder.root(), &older);
    let seat = Seat::new(guard.path(), "w1");
    let witness = seat.serve(0, &log_key).await;
    let witnesses = format!(
        "witnesses_required = 1\n[[log.witnesses]]\nkey = \"{}\"\nurl = \"http://{}\"\n",
        seat.key,
        witness.address()
    );
    let serving = serve(folder.root(), &settings, &witnesses).await;
    run(&operator(&serving, &administrator).await)
        .await
        .unwrap();
    serving.stop().await.unwrap();

    // The whole domain, put back to the day before: by itself it verifies, and it is refused all the same.
    verify_log(&older.join("log"), &log_key, &mut |_, _| {}).unwrap();
    let settings = settings.replace(
        &folder.root().display().to_string(),
        &older.display().to_string(),
    );
    let serving = serve(&older, &settings, &witnesses).await;
    let refused = refusal(
        &run(&operator(&serving, &administrator).await)
            .await
            .unwrap_err(),
    );
    assert!(refused.starts_with("WITNESSES_UNAVAILABLE"), "{refused}");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_witnesses_are_checked() {
    let domain = TestDomain::start().await;
    let log_key = domain.operator.log_key().to_string();
    let (folder, _guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    for (log, code) in [
        ("witnesses_required = 1\n".to_owned(), "CONFIG_INVALID"),
        (
            format!("[[log.witnesses]]\nkey = \"{log_key}\"\nurl = \"http://w\"\n"),
            "AUDIT_VERIFIER_KEY_INVALID",
        ),
        (
            "[[log.witnesses]]\nkey = \"w\"\nurl = \"ftp://w\"\n".to_owned(),
            "CONFIG_INVALID",
        ),
        ("witness = 1\n".to_owned(), "CONFIG_INVALID"),
    ] {
        std::fs::write(folder.config(), format!("{settings}\n[log]\n{log}")).unwrap();
        let fault = Domain::open(folder.root()).await.err().unwrap();
        assert_eq!(fault.code, code, "{log}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

/// The machine is lost, and a backup is put back on a fresh one, whose address is another. Where nothing happened after the
/// backup the witnesses go on with it; where something did, they say so and nothing is released.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_on_a_fresh_machine_goes_on_where_its_witnesses_let_it() {
    let domain = TestDomain::with_flights().await;
    let log_key = domain.operator.log_key().clone();
    let administrator = domain.administrator.clone();
    let (folder, guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    let seats = ["w1", "w2"].map(|name| Seat::new(guard.path(), name));
    let keys = seats.each_ref().map(|seat| seat.key.clone());
    let first = seats[0].serve(0, &log_key).await;
    let second = seats[1].serve(0, &log_key).await;
    let mut witnesses = "witnesses_required = 2\n".to_owned();
    for (key, serving) in keys.iter().zip([&first, &second]) {
        witnesses += &format!(
            "[[log.witnesses]]\nkey = \"{key}\"\nurl = \"http://{}/\"\n",
            serving.address()
        );
    }
    let serving = serve(folder.root(), &settings, &witnesses).await;
    let on_the_old = operator(&serving, &administrator).await;
    let before = run(&on_the_old).await.unwrap();
    let backup = async |name: &str| {
        let (into, keys) = (
            guard.path().join(name),
            guard.path().join(format!("{name}-keys")),
        );
        weir_server::create_backup(folder.root(), &into, Some(&keys))
            .await
            .unwrap();
        (into, keys)
    };
    let older = backup("older").await;
    run(&on_the_old).await.unwrap();
    let newest = backup("newest").await;
    serving.stop().await.unwrap();
    std::fs::remove_dir_all(folder.root()).unwrap();

    for ((into, secret), goes_on) in [(older, false), (newest, true)] {
        let root = into.with_extension("restored");
        weir_server::restore_backup(&into, &secret, &root)
            .await
            .unwrap();
        let restored = weir_server::Folder::new(&root);
        let settings = std::fs::read_to_string(restored.config()).unwrap();
        let at = settings.find("[log]").unwrap();
        let serving = serve(&root, &settings[..at], &witnesses).await;
        let operator = operator(&serving, &administrator).await;
        match run(&operator).await {
            Ok(receipt) => {
                assert!(goes_on);
                for receipt in [&before, &receipt] {
                    let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
                    receipt.verify_witnessed(&log_key, &keys, 2).unwrap();
                }
            }
            Err(error) => {
                assert!(!goes_on, "{error}");
                assert!(
                    refusal(&error).starts_with("WITNESSES_UNAVAILABLE"),
                    "{error}"
                );
            }
        }
        serving.stop().await.unwrap();
        verify_log(&restored.log(), &log_key, &mut |_, _| {}).unwrap();
        let traced =
            weir_audit::trace(&restored.log(), &log_key, "server", &mut |_, _| {}).unwrap();
        let is_restored =
            |event: &weir_audit::Event| matches!(event, weir_audit::Event::DomainRestored { .. });
        assert!(
            traced
                .changes
                .iter()
                .any(|one| is_restored(&one.entry.event))
        );
    }
}
