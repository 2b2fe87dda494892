//! A crash is played by copying the folder at each durable step of a commit, as a crash would leave it.

use std::fs;
use std::path::Path;

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
fn leftovers_of_a_crash_are_cleared_and_ids_stay_what_they_were() {
    let fixture = Fixture::new();
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    let rows = lines(&fixture.query(&first.id, "SELECT * FROM t"));
    let before = fixture.files();

    // While staging: the folder is there, whole or half.
    let source = fixture.write("source.csv", TRIPS_CSV);
    let staged = fixture.stage(TRIPS, &source).unwrap();
    let id = staged.meta().id.clone();
    let left = fixture.path("left");
    copy(&fixture.path("vault/staging"), &left);
    drop(staged);
    copy(&left, &fixture.path("vault/staging"));
    // While replacing a file: it has no name yet.
    for unfinished in [
        "keys/population-drivers.key.new",
        "populations/drivers.map.new",
        "vault.json.new",
    ] {
        fs::write(fixture.path("vault").join(unfinished), b"half").unwrap();
    }
    // Between the key and the rename: a key without a snapshot.
    fs::write(
        fixture
            .path("vault/keys")
            .join(format!("snapshot-{id}.key")),
        b"key",
    )
    .unwrap();
    assert_ne!(fixture.files(), before);

    let fixture = fixture.reopen();
    assert_eq!(fixture.files(), before);
    assert_eq!(lines(&fixture.query(&first.id, "SELECT * FROM t")), rows);
    let again = fixture.register_csv(TRIPS, TRIPS_CSV);
    assert_eq!(lines(&fixture.query(&again.id, "SELECT * FROM t")), rows);
}

#[test]
fn units_that_a_crash_left_in_the_map_harm_nothing() {
    let fixture = Fixture::new();
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    let rows = lines(&fixture.query(&first.id, "SELECT * FROM t"));
    let second = fixture.register_csv(TRIPS, &TRIPS_CSV.replace("kim", "new"));
    // As if the crash had come after the map was stored and before the snapshot had its name.
    fs::remove_dir_all(fixture.path("vault/snapshots").join(&second.id)).unwrap();
    let fixture = fixture.reopen();
    assert_eq!(
        fixture.vault.snapshot_ids().unwrap(),
        std::slice::from_ref(&first.id)
    );
    let third = fixture.register_csv(TRIPS, TRIPS_CSV);
    assert_eq!(lines(&fixture.query(&third.id, "SELECT * FROM t")), rows);
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

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
