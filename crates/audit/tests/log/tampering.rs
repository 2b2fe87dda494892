//! Every way to tamper with the files: detected, and the file named.

use std::fs;
use std::path::Path;

use weir_audit::{Log, PreparedEntry};

use crate::place::{Place, entries, files, sample};

/// Applies `change` to the log, expects verification to fail and name one of `culprits`, and undoes the change.
fn expect_named(place: &Place, what: &str, culprits: &[&str], change: impl FnOnce(&Path)) {
    let dir = place.dir();
    let before: Vec<_> = culprits
        .iter()
        .map(|name| fs::read(dir.join(name)).unwrap())
        .collect();
    change(&dir);
    let outcome = place.verify();
    assert!(outcome.is_err(), "{what}: not noticed");
    let message = outcome.unwrap_err().to_string();
    assert!(
        culprits
            .iter()
            .any(|name| message.contains(&format!("`{name}`"))),
        "{what}: {message}"
    );
    assert!(!message.contains("wang.lei"), "{what}: {message}");
    for (name, bytes) in culprits.iter().zip(before) {
        let path = dir.join(name);
        if path.is_dir() {
            fs::remove_dir(&path).unwrap();
        }
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn tampering_with_any_file_is_detected_and_the_file_named() {
    let place = sample();
    place.verify().unwrap();
    let obsolete = |name: &str| {
        ["1", "2", "3"]
            .iter()
            .any(|w| name.ends_with(&format!("002.p/{w}")))
            || name == "tile/1/000.p/1"
    };
    for name in files(&place.dir()) {
        let name = name.as_str();
        let bytes = fs::read(place.dir().join(name)).unwrap();
        let write = |bytes: Vec<u8>| move |dir: &Path| fs::write(dir.join(name), bytes).unwrap();
        for position in [0, 1, 2, 31, bytes.len() / 2, bytes.len() - 1] {
            for bit in [0, 7] {
                let mut altered = bytes.clone();
                altered[position] ^= 1 << bit;
                expect_named(
                    &place,
                    &format!("{name}: byte {position} bit {bit}"),
                    &[name],
                    write(altered),
                );
            }
        }
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            expect_named(
                &place,
                &format!("{name}: cut to {length}"),
                &[name],
                write(bytes[..length].to_vec()),
            );
        }
        let extended = [bytes.as_slice(), &[0]].concat();
        expect_named(
            &place,
            &format!("{name}: extended"),
            &[name],
            write(extended),
        );
        let doubled = [bytes.as_slice(), &bytes].concat();
        expect_named(&place, &format!("{name}: doubled"), &[name], write(doubled));
        if !obsolete(name) {
            expect_named(&place, &format!("{name}: deleted"), &[name], |dir| {
                fs::remove_file(dir.join(name)).unwrap()
            });
            expect_named(&place, &format!("{name}: a directory"), &[name], |dir| {
                fs::remove_file(dir.join(name)).unwrap();
                fs::create_dir(dir.join(name)).unwrap();
            });
        }
    }
    place.verify().unwrap();
}

#[test]
fn swapping_any_two_files_is_detected_and_one_of_them_named() {
    let place = sample();
    let files = files(&place.dir());
    for (number, a) in files.iter().enumerate() {
        for b in &files[number + 1..] {
            expect_named(&place, &format!("{a} and {b} swapped"), &[a, b], |dir| {
                let [first, second] = [a, b].map(|name| fs::read(dir.join(name)).unwrap());
                fs::write(dir.join(a), second).unwrap();
                fs::write(dir.join(b), first).unwrap();
            });
        }
    }
    place.verify().unwrap();
}

#[test]
fn replacing_entries_together_with_their_hashes_is_detected() {
    let place = sample();
    expect_named(
        &place,
        "two bundles swapped with their tiles",
        &[
            "tile/entries/000",
            "tile/0/000",
            "tile/entries/001",
            "tile/0/001",
        ],
        |dir| {
            for kind in ["entries", "0"] {
                let [a, b] = ["000", "001"].map(|name| dir.join(format!("tile/{kind}/{name}")));
                let [first, second] = [fs::read(&a).unwrap(), fs::read(&b).unwrap()];
                fs::write(a, second).unwrap();
                fs::write(b, first).unwrap();
            }
        },
    );
    // A whole other history under the old checkpoint.
    let other = Place::new();
    other.create().append_all(&entries(1_000..1_003)).unwrap();
    let small = Place::new();
    small.create().append_all(&entries(0..3)).unwrap();
    for name in ["tile/0/000.p/3", "tile/entries/000.p/3"] {
        fs::copy(other.dir().join(name), small.dir().join(name)).unwrap();
    }
    assert_eq!(small.verify().unwrap_err().code(), "AUDIT_ROOT_MISMATCH");
    assert_eq!(
        Log::open(&small.dir(), small.key()).unwrap_err().code(),
        "AUDIT_ROOT_MISMATCH"
    );
}

#[test]
fn opening_notices_a_tampered_edge_and_reading_a_tampered_page() {
    let place = sample();
    for name in [
        "checkpoint",
        "tile/0/002.p/4",
        "tile/1/000.p/2",
        "tile/entries/002.p/4",
    ] {
        let path = place.dir().join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[40] ^= 1;
        fs::write(&path, bad).unwrap();
        let error = Log::open(&place.dir(), place.key()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        fs::remove_file(&path).unwrap();
        let error = Log::open(&place.dir(), place.key()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        fs::write(&path, good).unwrap();
    }
    let log = place.open();
    for name in ["tile/0/000", "tile/entries/000"] {
        let path = place.dir().join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[40] ^= 1;
        fs::write(&path, bad).unwrap();
        for error in [log.receipt(0).unwrap_err(), log.entry(0).unwrap_err()] {
            assert!(error.to_string().contains(name), "{error}");
        }
        log.receipt(300).unwrap();
        fs::write(&path, good).unwrap();
    }
    log.receipt(0).unwrap();
}

/// Deeper trees have tiles of tiles of tiles: 65,540 entries reach the third level.
#[test]
fn tampering_high_up_in_a_deep_tree_is_detected_and_the_file_named() {
    let place = Place::new();
    let mut log = place.create();
    let prepared: Vec<_> = entries(0..1_024)
        .iter()
        .map(|entry| PreparedEntry::new(entry).unwrap())
        .collect();
    let batch: Vec<_> = prepared.iter().collect();
    for _ in 0..64 {
        log.append_prepared(&batch).unwrap();
    }
    log.append_prepared(&batch[..4]).unwrap();
    assert_eq!(log.size(), 65_540);
    for index in [0, 40_000, 65_535, 65_536, 65_539] {
        log.receipt(index).unwrap().verify(&place.verifier).unwrap();
    }
    drop(log);
    for name in ["tile/2/000.p/1", "tile/1/000"] {
        let mut bytes = fs::read(place.dir().join(name)).unwrap();
        bytes[20] ^= 1;
        expect_named(&place, &format!("{name}: a bit"), &[name], |dir| {
            fs::write(dir.join(name), bytes).unwrap();
        });
        expect_named(&place, &format!("{name}: removed"), &[name], |dir| {
            fs::remove_file(dir.join(name)).unwrap();
        });
    }
}
