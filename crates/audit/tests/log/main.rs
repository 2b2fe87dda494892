//! The log from outside: random histories against a second, naive implementation of RFC 6962; every way to tamper with
//! the files; limits; and that cost does not grow with the log.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod consistency;
mod copy;
mod naive;
mod others;
mod place;
mod shared;
mod table;
mod tampering;
mod trace;
mod witness;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::prelude::*;
use weir_audit::{BATCH_ENTRIES_MAX, ENTRY_BYTES_MAX, Entry, Log, LogKey, Receipt, verify_log};

use crate::place::{Place, entries, entry, files, sample};

/// Checks a receipt with the naive implementation, from its JSON, knowing the whole log.
fn check_naively(receipt: &Receipt, all: &[Entry]) {
    let json: serde_json::Value = serde_json::from_str(&receipt.to_json().unwrap()).unwrap();
    let size = usize::try_from(receipt.tree_size()).unwrap();
    let index = usize::try_from(receipt.index()).unwrap();
    let leaves: Vec<_> = all[..size]
        .iter()
        .map(|entry| naive::leaf(&entry.to_canonical().unwrap()))
        .collect();
    let proof: Vec<_> = naive::path(index, &leaves)
        .iter()
        .map(|hash| BASE64_STANDARD.encode(hash))
        .collect();
    assert_eq!(json["proof"], serde_json::json!(proof));
    assert_eq!(
        json["entry"].as_str().unwrap().as_bytes(),
        all[index].to_canonical().unwrap()
    );
    let root = BASE64_STANDARD.encode(naive::root(&leaves));
    let text = format!("weir.example/traffic-bureau\n{size}\n{root}\n\n— ");
    assert!(json["checkpoint"].as_str().unwrap().starts_with(&text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any history of batches: every receipt verifies, then and later, here and by the naive implementation; entries
    /// come back; the log verifies after each reopening.
    #[test]
    fn any_history_holds(
        first in 0_u64..520,
        batches in prop::collection::vec((1_u64..40, any::<bool>(), ".{0,20}"), 1..6),
    ) {
        let place = Place::new();
        let mut log = place.create();
        let mut all = entries(0..first);
        log.append_all(&all).unwrap();
        let mut receipts = Vec::new();
        for (count, reopen, name) in batches {
            if reopen {
                drop(log);
                log = place.open();
            }
            let size = all.len() as u64;
            let batch: Vec<_> = (size..size + count).map(|number| entry(&name, number)).collect();
            all.extend(batch.iter().cloned());
            let new = log.append_all(&batch).unwrap();
            prop_assert_eq!(new.len() as u64, count);
            check_naively(&new[0], &all);
            receipts.extend(new);
        }
        drop(log);
        let log = place.open();
        prop_assert_eq!(log.size(), all.len() as u64);
        for receipt in &receipts {
            let verified = receipt.verify(&place.verifier).unwrap();
            prop_assert_eq!(verified.entry(), &all[usize::try_from(verified.index()).unwrap()]);
        }
        for index in [0, log.size() / 3, log.size() / 2, log.size() - 1] {
            let receipt = log.receipt(index).unwrap();
            check_naively(&receipt, &all);
            receipt.verify(&place.verifier).unwrap();
            prop_assert_eq!(&log.entry(index).unwrap(), &all[usize::try_from(index).unwrap()]);
        }
        let report = place.verify().unwrap();
        prop_assert_eq!(report.entries, log.size());
        prop_assert_eq!(report.root, log.checkpoint().root());
        prop_assert_eq!([report.beyond_checkpoint, report.unexpected].concat(), Vec::<String>::new());
    }

    /// Whatever a file is replaced with, verifying ends, without a panic, and not with success.
    #[test]
    fn any_replacement_is_refused(victim in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let place = Place::new();
        place.create().append_all(&entries(0..5)).unwrap();
        let files = files(&place.dir());
        let victim = place.dir().join(&files[victim.index(files.len())]);
        fs::write(victim, bytes).unwrap();
        prop_assert!(place.verify().is_err());
        drop(Log::open(&place.dir(), place.key()));
    }
}

#[test]
fn the_files_are_those_of_the_specification() {
    let place = sample();
    let expected = [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/1",
        "tile/0/002.p/2",
        "tile/0/002.p/3",
        "tile/0/002.p/4",
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/1",
        "tile/entries/002.p/2",
        "tile/entries/002.p/3",
        "tile/entries/002.p/4",
    ];
    assert_eq!(files(&place.dir()), expected);
    let canonical: Vec<_> = entries(0..516)
        .iter()
        .map(|entry| entry.to_canonical().unwrap())
        .collect();
    let leaves: Vec<_> = canonical.iter().map(|entry| naive::leaf(entry)).collect();
    let file = |name: &str| fs::read(place.dir().join(name)).unwrap();
    assert_eq!(file("tile/0/001"), leaves[256..512].concat());
    assert_eq!(file("tile/0/002.p/4"), leaves[512..].concat());
    assert_eq!(
        file("tile/1/000.p/2"),
        [naive::root(&leaves[..256]), naive::root(&leaves[256..512])].concat()
    );
    let framed = |entry: &Vec<u8>| {
        [
            &u16::try_from(entry.len()).unwrap().to_be_bytes(),
            entry.as_slice(),
        ]
        .concat()
    };
    assert_eq!(
        file("tile/entries/001"),
        canonical[256..512]
            .iter()
            .flat_map(framed)
            .collect::<Vec<_>>()
    );
}

#[test]
fn foreign_files_are_reported() {
    let place = sample();
    for name in [
        "tile/notes.txt",
        "tile/0/000.bak",
        "tile/7/000",
        "tile/0/002.p/0",
        "tile/x/y/z",
    ] {
        fs::create_dir_all(place.dir().join(name).parent().unwrap()).unwrap();
        fs::write(place.dir().join(name), b"?").unwrap();
    }
    fs::write(place.dir().join("tile/0/003"), b"?").unwrap();
    std::os::unix::fs::symlink("/", place.dir().join("tile/root")).unwrap();
    let report = place.verify().unwrap();
    let unexpected: BTreeSet<_> = report.unexpected.iter().map(String::as_str).collect();
    let expected = [
        "tile/notes.txt",
        "tile/0/000.bak",
        "tile/7/000",
        "tile/0/002.p/0",
        "tile/x/y/z",
        "tile/root",
    ];
    assert_eq!(unexpected, BTreeSet::from(expected));
    assert_eq!(report.beyond_checkpoint, ["tile/0/003"]);
    // They hinder nobody.
    let mut log = place.open();
    log.append_all(&entries(516..1_000)).unwrap();
    assert_eq!(place.verify().unwrap().unexpected.len(), expected.len());
}

#[test]
fn another_key_does_not_verify_and_does_not_open() {
    let place = sample();
    let stranger = LogKey::generate("weir.example/traffic-bureau").unwrap();
    let other_name = LogKey::generate("weir.example/other").unwrap();
    let receipt = place.open().receipt(3).unwrap();
    for key in [stranger, other_name] {
        let error = verify_log(&place.dir(), key.verifier(), &mut |_, _| {}).unwrap_err();
        assert_eq!(error.code(), "AUDIT_CHECKPOINT_UNSIGNED");
        assert_eq!(
            receipt.verify(key.verifier()).unwrap_err().code(),
            "AUDIT_CHECKPOINT_UNSIGNED"
        );
        assert_eq!(
            Log::open(&place.dir(), key).unwrap_err().code(),
            "AUDIT_CHECKPOINT_UNSIGNED"
        );
    }
}

#[test]
fn a_log_has_one_writer_and_one_beginning() {
    let place = Place::new();
    assert_eq!(
        Log::open(&place.dir(), place.key()).unwrap_err().code(),
        "AUDIT_NO_LOG"
    );
    assert_eq!(place.verify().unwrap_err().code(), "AUDIT_NO_LOG");
    let log = place.create();
    for error in [
        Log::open(&place.dir(), place.key()),
        Log::create(&place.dir(), place.key()),
    ]
    .map(Result::unwrap_err)
    {
        assert_eq!(error.code(), "AUDIT_LOCKED");
        assert!(error.to_string().contains(place.dir().to_str().unwrap()));
    }
    drop(log);
    assert_eq!(
        Log::create(&place.dir(), place.key()).unwrap_err().code(),
        "AUDIT_LOG_EXISTS"
    );
    let mut log = place.open();
    assert_eq!((log.size(), place.verify().unwrap().entries), (0, 0));
    assert_eq!(log.append_all(&[]).unwrap(), []);
    assert_eq!(log.receipt(0).unwrap_err().code(), "AUDIT_NO_SUCH_ENTRY");
    assert_eq!(
        log.entry(u64::MAX).unwrap_err().code(),
        "AUDIT_NO_SUCH_ENTRY"
    );
    assert_eq!(
        log.receipt(u64::MAX).unwrap_err().code(),
        "AUDIT_NO_SUCH_ENTRY"
    );
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let place = Place::new();
    let mut log = place.create();
    let too_long = entry(&"x".repeat(ENTRY_BYTES_MAX), 0);
    assert_eq!(
        log.append(&too_long).unwrap_err().code(),
        "AUDIT_ENTRY_TOO_LARGE"
    );
    assert_eq!(
        log.append_all(&[entry("a", 0), too_long])
            .unwrap_err()
            .code(),
        "AUDIT_ENTRY_TOO_LARGE"
    );
    let too_many = entries(0..BATCH_ENTRIES_MAX as u64 + 1);
    assert_eq!(
        log.append_all(&too_many).unwrap_err().code(),
        "AUDIT_BATCH_TOO_LARGE"
    );
    assert!(!place.dir().join("tile").exists());
    let longest = entry(&"x".repeat(65_000), 0);
    for receipt in log.append_all(&vec![longest.clone(); 3]).unwrap() {
        let json = receipt.to_json().unwrap();
        let read = Receipt::from_json(json.as_bytes()).unwrap();
        assert_eq!(read.verify(&place.verifier).unwrap().entry(), &longest);
    }
    assert_eq!(place.verify().unwrap().entries, 3);
}

#[test]
fn verifying_reports_progress_and_keeps_up_with_a_growing_log() {
    let place = Place::new();
    let mut log = place.create();
    log.append_all(&entries(0..600)).unwrap();
    let mut calls = Vec::new();
    verify_log(&place.dir(), &place.verifier, &mut |done, total| {
        calls.push((done, total))
    })
    .unwrap();
    assert_eq!(calls, [(0, 600), (256, 600), (512, 600), (600, 600)]);

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let auditor = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds == 0 {
                let report = place.verify().unwrap();
                assert_eq!(report.unexpected, Vec::<String>::new());
                rounds += 1;
            }
        });
        for number in 600..800 {
            log.append(&entry("wang.lei", number)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        auditor.join().unwrap();
    });
    assert_eq!(place.verify().unwrap().entries, 800);
}

/// The median time of thirty appends.
fn append_time(log: &mut Log) -> Duration {
    let size = log.size();
    let mut times: Vec<_> = entries(size..size + 30)
        .iter()
        .map(|entry| {
            let start = Instant::now();
            log.append(entry).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[15]
}

#[test]
fn opening_and_appending_do_not_read_what_is_full() {
    const SIZE: u64 = 10_000;
    let place = Place::new();
    let mut log = place.create();
    log.append_all(&entries(0..16)).unwrap();
    let early = append_time(&mut log);
    while log.size() < SIZE {
        let size = log.size();
        log.append_all(&entries(size..SIZE.min(size + 1_000)))
            .unwrap();
    }
    drop(log);
    let start = Instant::now();
    assert_eq!(place.verify().unwrap().entries, SIZE);
    let verified = start.elapsed();
    let start = Instant::now();
    let mut log = place.open();
    let opened = start.elapsed();
    let late = append_time(&mut log);
    eprintln!(
        "append {early:?} at 16 entries, {late:?} at {SIZE}; open {opened:?}; verify {verified:?}"
    );
    drop(log);

    // The proof: without any full bundle or tile, opening and appending work all the same.
    for name in files(&place.dir())
        .iter()
        .filter(|name| name.starts_with("tile/") && !name.contains(".p/"))
    {
        fs::remove_file(place.dir().join(name)).unwrap();
    }
    let mut log = place.open();
    assert_eq!(log.size(), SIZE + 30);
    log.append_all(&entries(0..20)).unwrap();
    assert_eq!(place.verify().unwrap_err().code(), "AUDIT_FILE_MISSING");
}
