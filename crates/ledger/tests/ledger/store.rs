//! The ledger on a disk: it comes back as it was, shows nothing, and notices every change.

use std::fs;
use std::path::Path;

use weir_ledger::{History, Ledger, LedgerError, LedgerKey, Release, Verdict};

use crate::support::{answers, cell, question, record, release, release_one, set};

fn key() -> LedgerKey {
    LedgerKey::new([9; 32])
}

fn made() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    Ledger::create(&folder.path().join("ledger"), &key()).unwrap();
    let ledger = open(folder.path()).unwrap();
    (folder, ledger)
}

fn open(folder: &Path) -> weir_ledger::Result<Ledger> {
    Ledger::open(&folder.join("ledger"), key())
}

#[test]
fn it_comes_back_as_it_was() {
    let (folder, mut ledger) = made();
    release(
        &mut ledger,
        question(vec![cell(0, 0..1000), cell(0, 2000..2100)]),
    );
    release(
        &mut ledger,
        question(vec![cell(0, (0..90_000).filter(|unit| unit % 3 == 0))]),
    );
    let state = ledger.state();
    drop(ledger);
    let mut ledger = open(folder.path()).unwrap();
    assert_eq!(ledger.state(), state);
    assert_eq!(
        (ledger.releases(), ledger.sets()),
        (2, 4),
        "two cells, their union, a cell"
    );
    let again = question(vec![
        cell(0, 0..1000),
        cell(0, 2001..2100),
        cell(0, 3000..3100),
    ]);
    let expected = [
        Verdict::Same(b"0/0/0".as_slice().into()),
        Verdict::Near(b"0/1/0".as_slice().into()),
        Verdict::Fresh,
    ];
    assert_eq!(release_one(&mut ledger, again), expected);
    let thirds = question(vec![cell(0, (3..90_000).filter(|unit| unit % 3 == 0))]);
    assert_eq!(
        release_one(&mut ledger, thirds),
        [Verdict::Near(b"1/0/0".as_slice().into())]
    );
}

#[test]
fn no_file_shows_a_name_an_answer_or_a_digest() {
    let (folder, mut ledger) = made();
    let asked = ledger.ask(question(vec![cell(0, 0..1000)])).unwrap();
    let mut answers = answers(asked.verdicts(), 0);
    answers[0][0] = Some(b"canary answer".to_vec());
    let id = "canary release".to_owned();
    ledger.record(asked, Release { id, answers }).unwrap();
    for file in fs::read_dir(folder.path().join("ledger")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for plain in [
            b"canary".as_slice(),
            b"persons",
            &[1; 32],
            &[100; 32],
            &[200; 32],
        ] {
            assert!(!bytes.windows(plain.len()).any(|window| window == plain));
        }
    }
}

#[test]
fn releases_of_one_cell_have_few_lengths() {
    let mut lengths = std::collections::BTreeSet::new();
    for units in [10, 20, 50, 100, 200, 500, 900] {
        let (_folder, mut ledger) = made();
        release(
            &mut ledger,
            question(vec![cell(0, (0..units).map(|unit| unit * 977))]),
        );
        lengths.insert(ledger.bytes());
    }
    assert_eq!(lengths.len(), 1, "{lengths:?}");
}

#[test]
fn every_changed_byte_is_noticed() {
    let (folder, mut ledger) = made();
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    drop(ledger);
    for name in ["releases", "head"] {
        let path = folder.path().join("ledger").join(name);
        let whole = fs::read(&path).unwrap();
        // What follows the sets of the only release is padding, which nobody reads.
        let read = if name == "head" { whole.len() } else { 430 };
        for byte in 0..read {
            let mut changed = whole.clone();
            changed[byte] ^= 1;
            fs::write(&path, &changed).unwrap();
            let noticed = match open(folder.path()) {
                Err(LedgerError::Damaged { .. } | LedgerError::Format { .. }) => true,
                Err(_) => false,
                // A set is opened when it is needed.
                Ok(mut ledger) => matches!(
                    ledger.ask(question(vec![cell(0, 1..1000)])),
                    Err(LedgerError::Damaged { .. })
                ),
            };
            assert!(noticed, "{name}, byte {byte}");
        }
        fs::write(&path, &whole).unwrap();
    }
    open(folder.path()).unwrap();
}

#[test]
fn a_file_that_was_cut_or_swapped_is_noticed() {
    let (folder, mut ledger) = made();
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let releases = folder.path().join("ledger/releases");
    let mut first = fs::read(&releases).unwrap();
    // What follows is reserved for the next.
    first.truncate(usize::try_from(ledger.bytes()).unwrap());
    release(&mut ledger, question(vec![cell(0, 5000..6000)]));
    drop(ledger);
    let both = fs::read(&releases).unwrap();
    let second = both[first.len()..].to_vec();
    let swapped = [&first[..32], &second, &first[32..]].concat();
    let repeated = [&first[..], &first[32..]].concat();
    for changed in [first, swapped, repeated] {
        fs::write(&releases, &changed).unwrap();
        assert!(matches!(
            open(folder.path()),
            Err(LedgerError::Damaged { .. })
        ));
    }
    fs::write(&releases, &both).unwrap();
    let other = Ledger::open(&folder.path().join("ledger"), LedgerKey::new([8; 32]));
    assert!(matches!(other, Err(LedgerError::Damaged { .. })));
    open(folder.path()).unwrap();
}

#[test]
fn a_folder_that_was_set_back_is_found_by_the_state_in_the_log() {
    let (folder, mut ledger) = made();
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let early = ledger.state();
    let file = |name: &str| folder.path().join("ledger").join(name);
    let backup: Vec<Vec<u8>> = ["releases", "head"]
        .iter()
        .map(|name| fs::read(file(name)).unwrap())
        .collect();
    release(&mut ledger, question(vec![cell(0, 5000..6000)]));
    let late = ledger.state();
    ledger.check_state(&early).unwrap();
    ledger.check_state(&late).unwrap();
    drop(ledger);
    fs::write(file("releases"), &backup[0]).unwrap();
    fs::write(file("head"), &backup[1]).unwrap();
    let mut ledger = open(folder.path()).unwrap();
    ledger.check_state(&early).unwrap();
    assert!(matches!(
        ledger.check_state(&late),
        Err(LedgerError::SetBack)
    ));
    // Nor does another release in its place help.
    release(&mut ledger, question(vec![cell(0, 7000..8000)]));
    assert!(matches!(
        ledger.check_state(&late),
        Err(LedgerError::SetBack)
    ));
}

#[test]
fn one_process_one_ledger() {
    let (folder, ledger) = made();
    assert!(matches!(
        open(folder.path()),
        Err(LedgerError::Locked { .. })
    ));
    let again = Ledger::create(&folder.path().join("ledger"), &key());
    assert!(matches!(again, Err(LedgerError::Exists { .. })));
    drop(ledger);
    fs::remove_dir_all(folder.path().join("ledger")).unwrap();
    assert!(matches!(
        open(folder.path()),
        Err(LedgerError::Missing { .. })
    ));
}

#[test]
fn a_release_without_anything_new_is_recorded_too() {
    let (_folder, mut ledger) = made();
    for _ in 0..2 {
        let asked = ledger.ask(question(vec![cell(0, 0..1000)])).unwrap();
        record(&mut ledger, asked).unwrap();
    }
    assert_eq!((ledger.releases(), ledger.sets()), (2, 1));
    assert_eq!(set(0..3).len(), 3);
}
