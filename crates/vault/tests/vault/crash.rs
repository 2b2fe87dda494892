//! What a crash leaves, played by hand. Every durable step has its crash in the tables of faults (`src/faults`).

use std::fs;

use weir_vault::{MasterKey, Vault};

use crate::common::{Fixture, TRIPS, TRIPS_CSV, lines};

#[test]
fn dropping_a_staged_registration_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.register_csv(TRIPS, TRIPS_CSV);
    let before = fixture.files();
    let source = fixture.write("source.csv", TRIPS_CSV);
    drop(fixture.stage(TRIPS, &source).unwrap());
    assert_eq!(fixture.files(), before);
}

#[test]
fn units_that_a_crash_left_in_the_map_harm_nothing() {
    let fixture = Fixture::new();
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    let rows = lines(&fixture.query(&first.id, "SELECT * FROM t"));
    let second = fixture.register_csv(TRIPS, &TRIPS_CSV.replace("kim", "new"));
    // As if the crash had come after the map was stored and before the snapshot's key had its name.
    fs::create_dir(fixture.path("vault/staging").join(&second.id)).unwrap();
    fs::remove_file(key(&fixture, &second.id)).unwrap();
    let fixture = fixture.reopen();
    assert_eq!(
        fixture.vault.snapshot_ids().unwrap(),
        std::slice::from_ref(&first.id)
    );
    assert!(!fixture.path("vault/snapshots").join(&second.id).exists());
    let third = fixture.register_csv(TRIPS, TRIPS_CSV);
    assert_eq!(lines(&fixture.query(&third.id, "SELECT * FROM t")), rows);
}

#[test]
fn data_without_its_key_is_left_alone_unless_the_journal_names_it() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    // As a restore that forgot `keys/` leaves it.
    let kept = fs::read(key(&fixture, &meta.id)).unwrap();
    fs::remove_file(key(&fixture, &meta.id)).unwrap();
    let fixture = fixture.reopen();
    assert_eq!(
        fixture.vault.table(&meta.id).unwrap_err().code(),
        "SNAPSHOT_KEY_MISSING"
    );
    fs::write(key(&fixture, &meta.id), kept).unwrap();
    fixture.reopen().vault.verify(&meta.id).unwrap();
}

fn key(fixture: &Fixture, id: &str) -> std::path::PathBuf {
    fixture
        .path("vault/keys")
        .join(format!("snapshot-{id}.key"))
}

#[test]
fn a_half_made_vault_is_no_vault() {
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    fs::create_dir_all(vault.join("keys")).unwrap();
    let master = || MasterKey::load(&folder.path().join("master.key")).unwrap();
    MasterKey::create(&folder.path().join("master.key")).unwrap();
    assert_eq!(
        Vault::open(&vault, master()).unwrap_err().code(),
        "VAULT_MISSING"
    );
    assert_eq!(
        Vault::create(&vault, master()).unwrap_err().code(),
        "VAULT_EXISTS"
    );
}
