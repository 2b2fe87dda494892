//! The vault on an object store: a real S3 server, spoken to over HTTP.
//!
//! The server is moto, a Python package; `.ci/run` installs it. Where it is not there, these tests say so and pass.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use weir_vault::{Destruction, Family, MasterKey, S3Credentials, S3Settings, StoreSettings, Vault};

use crate::common::{Fixture, TRIPS, TRIPS_CSV, lines};

/// How long the server may take to start; Python on a busy machine is slow.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server process with one bucket.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// `None` where moto is not installed. `WEIR_TEST_PYTHON` names the Python that has it.
    fn start() -> Option<Self> {
        let python = std::env::var("WEIR_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let installed = Command::new(&python)
            .args(["-c", "import moto.server"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !installed {
            assert!(
                std::env::var_os("WEIR_TEST_PYTHON").is_none(),
                "`{python}` was named for the tests and has no moto[server]"
            );
            println!("skipped: the Python package moto[server] is not installed");
            return None;
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(
                begun.elapsed() < START_TIMEOUT,
                "the S3 server does not start"
            );
            thread::sleep(Duration::from_millis(50));
        }
        server.request("PUT", "/city", "");
        Some(server)
    }

    /// A request whose signature is made up: moto wants one and takes any. Returns the whole answer.
    fn request(&self, method: &str, path: &str, header: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n{header}Authorization: AWS4-HMAC-SHA256 \
             Credential=weir/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: 0\r\n\r\n",
            self.port
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        answer
    }

    fn copy(&self, from: &str, to: &str) {
        self.request("PUT", to, &format!("x-amz-copy-source: {from}\r\n"));
    }

    /// The names of all objects, by the server's own account.
    fn objects(&self) -> Vec<String> {
        let listing = self.request("GET", "/city?list-type=2", "");
        listing
            .split("<Key>")
            .skip(1)
            .map(|rest| rest.split("</Key>").next().unwrap().to_owned())
            .collect()
    }

    fn settings(&self, prefix: &str) -> StoreSettings {
        self.bucket("city", prefix)
    }

    fn bucket(&self, bucket: &str, prefix: &str) -> StoreSettings {
        StoreSettings::S3(S3Settings {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            credentials: Some(S3Credentials {
                access_key_id: "weir".to_owned(),
                secret_access_key: "hush-hush".to_owned().into(),
                session_token: None,
            }),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn fixture(settings: &StoreSettings) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::create(&folder.path().join("master.key")).unwrap();
    let vault =
        Vault::create_with(&folder.path().join("vault"), Box::new(master), settings).unwrap();
    Fixture { folder, vault }
}

fn reopen(fixture: Fixture, settings: &StoreSettings) -> Result<Fixture, weir_vault::VaultError> {
    let Fixture { folder, vault } = fixture;
    drop(vault);
    open(folder, settings)
}

fn open(
    folder: tempfile::TempDir,
    settings: &StoreSettings,
) -> Result<Fixture, weir_vault::VaultError> {
    let master = MasterKey::load(&folder.path().join("master.key")).unwrap();
    let vault = Vault::open_with(&folder.path().join("vault"), Box::new(master), settings)?;
    Ok(Fixture { folder, vault })
}

#[test]
fn snapshots_on_a_store_are_what_they_are_in_a_folder() {
    let Some(server) = Server::start() else {
        return;
    };
    let local = Fixture::new();
    let expected = local.register_csv(TRIPS, TRIPS_CSV);
    let expected = lines(&local.query(&expected.id, "SELECT * FROM t"));

    let settings = server.settings("bureau/one");
    let fixture = fixture(&settings);
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    assert_eq!(
        lines(&fixture.query(&first.id, "SELECT * FROM t")),
        expected
    );
    // Dropping a registration leaves nothing in the store.
    let before = server.objects();
    drop(
        fixture
            .stage(TRIPS, &fixture.write("source.csv", TRIPS_CSV))
            .unwrap(),
    );
    assert_eq!(server.objects(), before);
    let prefix = format!("bureau/one/snapshots/{}/", first.id);
    assert!(
        before
            .iter()
            .all(|name| name == "bureau/one/vault-id" || name.starts_with(&prefix)),
        "{before:?}"
    );
    // Nothing sealed is left in the folder, and no key is in the store.
    assert!(
        fixture
            .files()
            .keys()
            .all(|name| !name.starts_with("snapshots/"))
    );
    assert!(before.iter().all(|name| !name.contains("key")));

    let fixture = reopen(fixture, &settings).unwrap();
    assert_eq!(
        lines(&fixture.query(&first.id, "SELECT * FROM t")),
        expected
    );
    let second = fixture.register_csv(TRIPS, TRIPS_CSV);

    // Destroyed: gone from the store, whatever was there before; the other snapshot stays.
    let order = Destruction {
        dataset: "trips".to_owned(),
        digest: first.digest.clone(),
        person: "wang".to_owned(),
        organisation: "bureau".to_owned(),
        reason: "a test".to_owned(),
        at_unix_ms: 0,
    };
    fixture.vault.destroy(&first.id, &order).unwrap();
    assert!(
        server
            .objects()
            .iter()
            .all(|name| !name.contains(&first.id))
    );
    assert_eq!(
        fixture.vault.table(&first.id).unwrap_err().code(),
        "SNAPSHOT_DESTROYED"
    );
    assert_eq!(
        lines(&fixture.query(&second.id, "SELECT * FROM t")),
        expected
    );
}

#[test]
fn a_vault_of_many_files_is_read_back_from_a_store() {
    let Some(server) = Server::start() else {
        return;
    };
    let settings = server.settings("");
    let fixture = fixture(&settings);
    let mut csv = "driver,phone,km,fare,place,night,day,started\n".to_owned();
    for row in 0..100_000 {
        csv.push_str(&format!(
            "d{},p,{},{}.5,place{},true,2024-01-02,\n",
            row % 9_000,
            row % 300,
            row,
            row % 77
        ));
    }
    let meta = fixture.register_csv(TRIPS, &csv);
    let sql =
        "SELECT COUNT(*), SUM(km), COUNT(DISTINCT weir_unit), MAX(place) FROM t WHERE km < 200";
    let remote = lines(&fixture.query(&meta.id, sql));
    let local = Fixture::new();
    let same = local.register_csv(TRIPS, &csv);
    assert_eq!(remote, lines(&local.query(&same.id, sql)));
    assert!(server.objects().len() > 3, "{:?}", server.objects());
}

#[test]
fn a_store_that_is_away_wrong_or_altered_is_named() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let settings = server.settings("one");
    let fixture = fixture(&settings);
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    let second = fixture.register_csv(TRIPS, TRIPS_CSV);

    // Another vault's prefix, none at all, another bucket, the folder.
    let other = self::fixture(&server.settings("two"));
    drop(other);
    let folder = fixture.folder;
    drop(fixture.vault);
    let again = |settings: &StoreSettings| {
        let master = MasterKey::load(&folder.path().join("master.key")).unwrap();
        Vault::open_with(&folder.path().join("vault"), Box::new(master), settings)
    };
    assert_eq!(
        again(&server.settings("two")).unwrap_err().code(),
        "STORE_FOREIGN"
    );
    assert_eq!(
        again(&server.settings("three")).unwrap_err().code(),
        "STORE_FOREIGN"
    );
    assert_eq!(
        again(&StoreSettings::Folder).unwrap_err().code(),
        "STORE_FOREIGN"
    );
    let refused = again(&server.bucket("none", "one")).unwrap_err();
    assert!(
        ["STORE_FAILED", "STORE_FOREIGN"].contains(&refused.code()),
        "{refused}"
    );
    // Nothing of it was touched.
    let vault = again(&settings).unwrap();
    vault.verify(&first.id).unwrap();

    // Swapped, cut, removed and extra objects.
    let object = |id: &str, file: &str| format!("/city/one/snapshots/{id}/{file}");
    server.copy(
        &object(&second.id, "part-00000.parquet"),
        &object(&first.id, "part-00000.parquet"),
    );
    let swapped = vault.verify(&first.id).unwrap_err();
    assert!(
        swapped.to_string().contains("part-00000.parquet"),
        "{swapped}"
    );
    assert_eq!(swapped.code(), "SNAPSHOT_DAMAGED");
    server.request("DELETE", &object(&first.id, "part-00000.parquet"), "");
    assert!(
        vault
            .verify(&first.id)
            .unwrap_err()
            .to_string()
            .contains("missing")
    );
    server.copy(
        &object(&second.id, "meta"),
        &object(&second.id, "part-00007.parquet"),
    );
    let stranger = vault.verify(&second.id).unwrap_err();
    assert!(
        stranger.to_string().contains("is not one of its files"),
        "{stranger}"
    );
    server.request("DELETE", &object(&second.id, "part-00007.parquet"), "");
    vault.verify(&second.id).unwrap();

    // The server goes away.
    drop(vault);
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    let away = again(&settings).unwrap_err();
    assert_eq!(
        (away.code(), away.family()),
        ("STORE_FAILED", Family::Environment)
    );
    assert!(away.to_string().contains("does not answer"), "{away}");
    assert!(!away.to_string().contains("hush"), "{away}");
}
