//! A place for a log, its key, and some entries to put into it.

use std::fs;
use std::path::{Path, PathBuf};

use weir_audit::{
    Actor, AuditError, Digest, Entry, Event, Log, LogKey, LogReport, Timestamp, VerifierKey,
    verify_log,
};

pub(crate) struct Place {
    home: tempfile::TempDir,
    pub(crate) verifier: VerifierKey,
}

impl Place {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let key = LogKey::generate("weir.example/traffic-bureau").unwrap();
        key.save(&home.path().join("log.key")).unwrap();
        let verifier = key.verifier().clone();
        Self { home, verifier }
    }

    /// A place for another log under the same key.
    pub(crate) fn with_key_of(other: &Self) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::copy(
            other.home.path().join("log.key"),
            home.path().join("log.key"),
        )
        .unwrap();
        Self {
            home,
            verifier: other.verifier.clone(),
        }
    }

    pub(crate) fn key(&self) -> LogKey {
        LogKey::load(&self.home.path().join("log.key")).unwrap()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.home.path().join("log")
    }

    pub(crate) fn create(&self) -> Log {
        Log::create(&self.dir(), self.key()).unwrap()
    }

    pub(crate) fn open(&self) -> Log {
        Log::open(&self.dir(), self.key()).unwrap()
    }

    pub(crate) fn verify(&self) -> Result<LogReport, AuditError> {
        verify_log(&self.dir(), &self.verifier, &mut |_, _| {})
    }
}

pub(crate) fn entry(name: &str, number: u64) -> Entry {
    let time = Timestamp::parse("2026-01-31T09:30:00.000Z").unwrap();
    let actor = Actor {
        person: name.to_owned(),
        organisation: "交通".to_owned(),
        role: "bureau".to_owned(),
    };
    let digest = Digest::of(&number.to_be_bytes());
    Entry::new(
        time,
        actor,
        Event::ModelApproved {
            model: format!("model-{number}"),
            digest,
        },
    )
}

pub(crate) fn entries(numbers: std::ops::Range<u64>) -> Vec<Entry> {
    numbers.map(|number| entry("wang.lei", number)).collect()
}

/// The checkpoint and everything below `tile/`, relative to `dir`.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, name: &str, found: &mut Vec<String>) {
        for item in fs::read_dir(dir.join(name)).unwrap() {
            let below = format!("{name}/{}", item.unwrap().file_name().to_str().unwrap());
            if dir.join(&below).is_dir() {
                walk(dir, &below, found);
            } else {
                found.push(below);
            }
        }
    }
    let mut found = vec!["checkpoint".to_owned()];
    walk(dir, "tile", &mut found);
    found.sort();
    found
}

/// 516 entries: two full tiles and bundles, partial ones of 4, obsolete ones of 1 to 3, two hashes at level 1 (and an
/// obsolete one).
pub(crate) fn sample() -> Place {
    let place = Place::new();
    let mut log = place.create();
    log.append_all(&entries(0..260)).unwrap();
    log.append_all(&entries(260..513)).unwrap();
    for number in 513..516 {
        log.append(&entry("wang.lei", number)).unwrap();
    }
    place
}
