//! Destroying a snapshot, and trying to read it all the same.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use weir_vault::{Destruction, SnapshotMeta};

use crate::common::{Fixture, TRIPS, TRIPS_CSV, copy, lines, session};

fn order(meta: &SnapshotMeta) -> Destruction {
    Destruction {
        dataset: meta.dataset.clone(),
        digest: meta.digest.clone(),
        person: "wang".to_owned(),
        organisation: "Data Bureau".to_owned(),
        reason: "retention ended".to_owned(),
        at_unix_ms: 1_700_000_000_000,
    }
}

#[test]
fn a_destroyed_snapshot_is_gone_with_its_files_and_says_so() {
    let fixture = Fixture::new();
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    let second = fixture.register_csv(TRIPS, TRIPS_CSV);
    let rows = lines(&fixture.query(&second.id, "SELECT * FROM t"));
    let key_of = |ids: [&SnapshotMeta; 2]| {
        let ids = ids.map(|meta| meta.id.clone());
        fixture.vault.derive_key_of(&ids, "a test")
    };
    let (key, alone) = (
        key_of([&first, &second]).unwrap(),
        key_of([&second, &second]).unwrap(),
    );
    assert_eq!(*key, *key_of([&second, &first]).unwrap());
    assert_ne!(*key, *alone);
    let certificate = fixture.vault.destroy(&first.id, &order(&first)).unwrap();
    assert_eq!(
        key_of([&second, &first]).unwrap_err().code(),
        "SNAPSHOT_DESTROYED"
    );
    assert_eq!(*alone, *key_of([&second, &second]).unwrap());
    let text = certificate
        .to_json()
        .unwrap()
        .replace(&first.id, "ID")
        .replace(&first.digest, "DIGEST")
        .replace(
            certificate.key_fingerprint.as_deref().unwrap(),
            "FINGERPRINT",
        );
    assert_snapshot!(text, @r#"{"version":1,"dataset":"trips","snapshot":"ID","digest":"DIGEST","key_fingerprint":"FINGERPRINT","destroyed_at":"2023-11-14T22:13:20Z","person":"wang","organisation":"Data Bureau","reason":"retention ended","statement":"The wrapped key of this snapshot was overwritten and removed. It was the only copy that Weir kept. The sealed files cannot be decrypted without it."}"#);
    // Again gives the same, whoever asks.
    let again = Destruction {
        reason: "another".to_owned(),
        ..order(&first)
    };
    assert_eq!(
        fixture.vault.destroy(&first.id, &again).unwrap(),
        certificate
    );

    {
        let fixture = fixture.reopen();
        assert_eq!(
            fixture.vault.snapshot_ids().unwrap(),
            std::slice::from_ref(&second.id)
        );
        assert_eq!(
            fixture.vault.certificates().unwrap(),
            std::slice::from_ref(&certificate)
        );
        let refused = fixture.vault.table(&first.id).unwrap_err();
        assert_snapshot!(refused.to_string().replace(&first.id, "ID"), @"snapshot `ID` was destroyed on 2023-11-14T22:13:20Z; nobody can read it any more. Use another snapshot, or register the data again");
        let left = fixture.files();
        assert!(
            left.keys()
                .all(|name| !name.contains(&first.id) || name.starts_with("destroyed/")),
            "{:?}",
            left.keys()
        );
        assert_eq!(lines(&fixture.query(&second.id, "SELECT * FROM t")), rows);
    }
}

#[test]
fn a_backup_of_everything_but_the_key_brings_nothing_back() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    let backup = fixture.path("backup");
    copy(&fixture.path("vault"), &backup);
    fs::remove_file(backup.join(format!("keys/snapshot-{}.key", meta.id))).unwrap();
    fixture.vault.destroy(&meta.id, &order(&meta)).unwrap();

    // The sealed files are put back into this vault.
    let put_back = |into: &Path| copy(&backup.join("snapshots"), &into.join("snapshots"));
    put_back(&fixture.path("vault"));
    let fixture = fixture.reopen();
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "SNAPSHOT_DESTROYED"
    );

    // The whole backup becomes the vault, without the certificate: there is no key, and no way to make one.
    fs::remove_dir_all(fixture.path("vault")).unwrap();
    copy(&backup, &fixture.path("vault"));
    let fixture = fixture.reopen();
    assert!(fixture.vault.snapshot_ids().unwrap().is_empty());
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "SNAPSHOT_KEY_MISSING"
    );
    // Not with the key of another snapshot either.
    let other = fixture.register_csv(TRIPS, TRIPS_CSV);
    let keys = fixture.path("vault/keys");
    fs::copy(
        keys.join(format!("snapshot-{}.key", other.id)),
        keys.join(format!("snapshot-{}.key", meta.id)),
    )
    .unwrap();
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "KEY_DAMAGED"
    );
}

#[test]
fn a_key_that_a_backup_brings_back_is_refused_and_erased_again() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    let backup = fixture.path("backup");
    copy(&fixture.path("vault"), &backup);
    fixture.vault.destroy(&meta.id, &order(&meta)).unwrap();
    for part in ["snapshots", "keys"] {
        copy(&backup.join(part), &fixture.path("vault").join(part));
    }
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "SNAPSHOT_DESTROYED"
    );
    let fixture = fixture.reopen();
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "SNAPSHOT_DESTROYED"
    );
    let left = fixture.files();
    assert!(
        left.keys()
            .all(|name| !name.contains(&meta.id) || name.starts_with("destroyed/"))
    );
}

#[test]
fn a_scan_under_way_fails_when_its_snapshot_is_destroyed() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    let session = session(1);
    session
        .register_table("t", fixture.vault.table(&meta.id).unwrap())
        .unwrap();
    fixture.vault.destroy(&meta.id, &order(&meta)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scanned = runtime.block_on(async {
        session
            .sql("SELECT * FROM t")
            .await
            .unwrap()
            .collect()
            .await
    });
    assert!(scanned.is_err());
}

#[test]
fn what_is_not_there_cannot_be_destroyed() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    for id in ["trips-00000000000000000000", "../keys", ""] {
        let refused = fixture.vault.destroy(id, &order(&meta)).unwrap_err();
        assert_eq!(refused.code(), "SNAPSHOT_UNKNOWN");
    }
    fixture.vault.verify(&meta.id).unwrap();
}

#[test]
fn a_damaged_certificate_is_named_and_opens_nothing() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    let certificate = fixture
        .path("vault/destroyed")
        .join(format!("{}.json", meta.id));
    fs::write(&certificate, "{}").unwrap();
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "CERTIFICATE_DAMAGED"
    );
}
