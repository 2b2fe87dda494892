use std::fs;

use insta::assert_snapshot;
use weir_vault::{Family, SnapshotMeta, VaultError};

use crate::common::{Fixture, TRIPS, TRIPS_CSV};

/// A vault with two snapshots of one dataset.
fn two() -> (Fixture, SnapshotMeta, SnapshotMeta) {
    let fixture = Fixture::new();
    let first = fixture.register_csv(TRIPS, TRIPS_CSV);
    let second = fixture.register_csv(TRIPS, &TRIPS_CSV.replace("north", "nowhere"));
    (fixture, first, second)
}

/// What the vault says of a snapshot after being opened again, with the random part of ids made constant.
fn said(fixture: &Fixture, meta: &SnapshotMeta) -> String {
    let error = fixture.vault.table(&meta.id).unwrap_err();
    assert_eq!(error.family(), Family::Environment, "{error}");
    error.to_string().replace(&meta.id, "ID")
}

#[test]
fn swapped_cut_missing_and_foreign_files_are_named() {
    let (fixture, first, second) = two();
    let vault = fixture.path("vault");
    let path = |meta: &SnapshotMeta, file: &str| vault.join("snapshots").join(&meta.id).join(file);
    let key = |meta: &SnapshotMeta| vault.join("keys").join(format!("snapshot-{}.key", meta.id));
    let part = path(&first, "part-00000.parquet");
    let whole = fs::read(&part).unwrap();

    fs::copy(path(&second, "part-00000.parquet"), &part).unwrap();
    let swapped = said(&fixture, &first);
    assert!(
        swapped.starts_with("snapshot `ID`, file `part-00000.parquet`: "),
        "{swapped}"
    );

    let mut altered = whole.clone();
    altered[40] ^= 1;
    fs::write(&part, &altered).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`, file `part-00000.parquet`: was altered, or is another file (its SHA-256 is not the sealed one); restore the file from a backup");
    fs::write(&part, &whole[..whole.len() - 1]).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`, file `part-00000.parquet`: does not have the length it was sealed with; restore the file from a backup");
    fs::remove_file(&part).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`, file `part-00000.parquet`: missing; restore the file from a backup");
    fs::write(&part, &whole).unwrap();

    let meta = fs::read(path(&first, "meta")).unwrap();
    fs::copy(path(&second, "meta"), path(&first, "meta")).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`, file `meta`: altered, cut short, or from another snapshot; restore the file from a backup");
    fs::remove_file(path(&first, "meta")).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`, file `meta`: missing; restore the file from a backup");
    fs::write(path(&first, "meta"), meta).unwrap();

    let kept = fs::read(key(&first)).unwrap();
    fs::copy(key(&second), key(&first)).unwrap();
    assert_snapshot!(said(&fixture, &first), @"`snapshot-ID.key`: the wrapped key is damaged or belongs elsewhere; restore it from a backup");
    fs::remove_file(key(&first)).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`: its key is not in the vault; the snapshot was destroyed or the key was lost");
    fs::write(key(&first), kept).unwrap();

    fs::copy(&part, path(&first, "part-00001.parquet")).unwrap();
    assert_snapshot!(said(&fixture, &first), @"snapshot `ID`, file `part-00001.parquet`: is not one of its files; restore the file from a backup");
    fs::remove_file(path(&first, "part-00001.parquet")).unwrap();

    fixture.vault.table(&first.id).unwrap();
    let unknown = |id: &str| fixture.vault.table(id).unwrap_err().code();
    assert_eq!(unknown("trips-00000000000000000000"), "SNAPSHOT_UNKNOWN");
    assert_eq!(unknown("../keys"), "SNAPSHOT_UNKNOWN");
}

#[test]
fn a_whole_snapshot_in_the_place_of_another_does_not_open() {
    let (fixture, first, second) = two();
    let folder = |meta: &SnapshotMeta| fixture.path("vault/snapshots").join(&meta.id);
    fs::remove_dir_all(folder(&first)).unwrap();
    fs::rename(folder(&second), folder(&first)).unwrap();
    let keys = fixture.path("vault/keys");
    fs::copy(
        keys.join(format!("snapshot-{}.key", second.id)),
        keys.join(format!("snapshot-{}.key", first.id)),
    )
    .unwrap();
    assert_eq!(
        fixture.vault.table(&first.id).unwrap_err().code(),
        "KEY_DAMAGED"
    );
}

#[test]
fn a_flipped_bit_in_any_stored_file_is_detected() {
    let (fixture, first, _) = two();
    for (name, bytes) in fixture.files() {
        let ours = name.contains(&first.id) || name.contains("drivers");
        if !ours {
            continue;
        }
        let stride = (bytes.len() / 40).max(1);
        for position in (0..bytes.len()).step_by(stride) {
            let mut altered = bytes.clone();
            altered[position] ^= 1 << (position % 8);
            fs::write(fixture.path("vault").join(&name), altered).unwrap();
            let detected = if name.contains("drivers") {
                fixture
                    .stage(TRIPS, &fixture.write("source.csv", TRIPS_CSV))
                    .map(|_| ())
                    .unwrap_err()
            } else {
                fixture.vault.verify(&first.id).unwrap_err()
            };
            assert!(
                matches!(
                    detected,
                    VaultError::SnapshotDamaged { .. }
                        | VaultError::KeyDamaged { .. }
                        | VaultError::PopulationDamaged { .. }
                ),
                "{name} at {position}: {detected}"
            );
        }
        fs::write(fixture.path("vault").join(&name), bytes).unwrap();
    }
    fixture.vault.verify(&first.id).unwrap();
}

#[test]
fn a_bit_flipped_after_the_check_fails_the_scan_without_a_value() {
    let (fixture, first, _) = two();
    fixture.vault.table(&first.id).unwrap();
    let part = fixture
        .path("vault/snapshots")
        .join(&first.id)
        .join("part-00000.parquet");
    let mut bytes = fs::read(&part).unwrap();
    for byte in &mut bytes[60..300] {
        *byte ^= 0x55;
    }
    fs::write(&part, bytes).unwrap();
    let session = crate::common::session(1);
    session
        .register_table("t", fixture.vault.table(&first.id).unwrap())
        .unwrap();
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
fn an_older_map_put_back_is_refused() {
    let fixture = Fixture::new();
    fixture.register_csv(TRIPS, TRIPS_CSV);
    let map = fixture.path("vault/populations/drivers.map");
    let older = fs::read(&map).unwrap();
    fixture.register_csv(TRIPS, &TRIPS_CSV.replace("kim", "new"));
    fs::write(&map, older).unwrap();
    let source = fixture.write("source.csv", TRIPS_CSV);
    assert_snapshot!(fixture.stage(TRIPS, &source).unwrap_err(), @"population `drivers`: its map is older than the snapshots that use it; restore the map and its key from a backup");
    fs::remove_file(&map).unwrap();
    assert_eq!(
        fixture.stage(TRIPS, &source).unwrap_err().code(),
        "POPULATION_DAMAGED"
    );
}
