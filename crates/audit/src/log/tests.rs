//! The crash table: an append, a creation and a recovery are stopped after each durable step, in each way a step can
//! fail, with and without a power failure on top. Whatever happened, the log opens, is whole, and grows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod faults;
mod random;
mod sigsum;

use std::fs;
use std::path::PathBuf;

use self::faults::{FaultyDisk, Power, Step};
use super::*;
use crate::entry::{Actor, Timestamp};
use crate::event::Event;
use crate::key::VerifierKey;
use crate::layout::JOURNAL;
use crate::verify::{LogReport, verify_log};

/// The ways a step can end that differ from each other: what the step did, and what became of volatile names.
const ENDS: [(Step, Power); 8] = [
    (Step::Lost, Power::Stays),
    (Step::Lost, Power::Fails),
    (Step::Lost, Power::FailsKeepingNames),
    (Step::Torn, Power::FailsKeepingTemporaries),
    (Step::Landed, Power::Stays),
    (Step::Landed, Power::Fails),
    (Step::Landed, Power::FailsKeepingTemporaries),
    (Step::Landed, Power::FailsKeepingNames),
];

/// A place for logs, and the key of all of them.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        LogKey::generate("weir.example/log")
            .unwrap()
            .save(&place.key_file())
            .unwrap();
        place
    }

    fn key_file(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    fn key(&self) -> LogKey {
        LogKey::load(&self.key_file()).unwrap()
    }

    fn verifier(&self) -> VerifierKey {
        self.key().verifier().clone()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, log: &Path) -> Log {
        Log::open_on(log, self.key(), Box::new(FaultyDisk::never())).unwrap()
    }

    /// A log of `size` entries.
    fn template(&self, size: u64) -> PathBuf {
        let dir = self.log(&format!("template-{size}"));
        if dir.exists() {
            return dir;
        }
        let mut log = Log::create_on(&dir, self.key(), Box::new(FaultyDisk::never())).unwrap();
        // The last few one by one, so that there are partial files to make obsolete.
        let bulk = size.saturating_sub(3);
        log.append_all(&entries("old", 0..bulk)).unwrap();
        for index in bulk..size {
            log.append(&entries("old", index..index + 1)[0]).unwrap();
        }
        dir
    }

    fn verify(&self, log: &Path) -> LogReport {
        verify_log(log, &self.verifier(), &mut |_, _| {}).unwrap()
    }

    fn copy(&self, from: &Path) -> PathBuf {
        let to = self.log("copy");
        if to.exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        copy_dir(from, &to);
        to
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_dir(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

fn entries(tag: &str, numbers: Range<u64>) -> Vec<Entry> {
    let time = Timestamp::parse("2026-01-31T09:30:00.000Z").unwrap();
    let entry = |number| {
        let actor = Actor {
            person: tag.to_owned(),
            organisation: String::new(),
            role: String::new(),
        };
        Entry::new(
            time,
            actor,
            Event::DomainInitialised {
                domain: format!("{number}"),
                origin: String::new(),
            },
        )
    };
    numbers.map(entry).collect()
}

/// What was going on when the log's process ended.
struct Crash<'a> {
    dir: &'a Path,
    old_size: u64,
    batch: u64,
    /// The new entries had been acknowledged.
    acknowledged: bool,
    what: String,
}

/// Opens a log after a crash and checks that it holds the old entries, all or none of the new ones, and goes on.
fn check_recovered(place: &Place, crash: &Crash<'_>) {
    let Crash {
        dir,
        old_size,
        batch,
        acknowledged,
        what,
    } = crash;
    let signed = fs::read(dir.join(CHECKPOINT_TMP)).ok();
    let signed = signed.and_then(|bytes| Checkpoint::verify(&bytes, &place.verifier()).ok());
    let mut log = place.open(dir);
    assert!(
        [*old_size, old_size + batch].contains(&log.size()),
        "{what}: size {}",
        log.size()
    );
    assert!(
        !acknowledged || log.size() == old_size + batch,
        "{what}: an acknowledged entry is gone"
    );
    assert!(
        signed.is_none_or(|signed| log.size() >= signed.size()),
        "{what}: a signed checkpoint was abandoned"
    );
    let expected: Vec<_> = entries("old", 0..*old_size)
        .into_iter()
        .chain(entries("new", 0..*batch))
        .collect();
    for index in [
        0,
        old_size.saturating_sub(1),
        *old_size,
        log.size().saturating_sub(1),
    ] {
        if index < log.size() {
            assert_eq!(
                log.entry(index).unwrap(),
                expected[index as usize],
                "{what}: entry {index}"
            );
            log.receipt(index)
                .unwrap()
                .verify(&place.verifier())
                .unwrap();
        }
    }
    // Other entries than those that were interrupted, in other batches: nothing old may shine through.
    log.append(&entries("later", 0..1)[0]).unwrap();
    log.append_all(&entries("later", 1..8)).unwrap();
    let report = place.verify(dir);
    let stray = [report.beyond_checkpoint, report.unexpected].concat();
    assert_eq!((report.entries, stray), (log.size(), vec![]), "{what}");
}

/// Appends `batch` entries to `dir` on `disk`.
fn interrupted_append(
    place: &Place,
    dir: &Path,
    disk: &FaultyDisk,
    batch: u64,
) -> Result<Vec<Receipt>, AuditError> {
    let mut log = place.open(dir);
    let size = log.size();
    log.publisher = Publisher::new(dir, Box::new(disk.clone()));
    let outcome = log.append_all(&entries("new", 0..batch));
    if outcome.is_err() {
        let again = log.append_all(&entries("new", 0..batch)).unwrap_err();
        assert_eq!(again.code(), "AUDIT_INTERRUPTED");
        assert_eq!(log.size(), size);
    }
    outcome
}

#[test]
fn an_append_may_stop_anywhere() {
    let place = Place::new();
    let mut crashes = 0;
    for (old_size, batch) in [(0, 1), (1, 1), (5, 252), (255, 1), (255, 3)] {
        let template = place.template(old_size);
        for (step, power) in ENDS {
            for fail_at in 0.. {
                let what = format!("{old_size}+{batch}, step {fail_at} {step:?}, power {power:?}");
                let dir = place.copy(&template);
                let disk = FaultyDisk::failing(fail_at, step);
                let outcome = interrupted_append(&place, &dir, &disk, batch);
                if let Err(error) = &outcome {
                    assert_eq!(error.code(), "AUDIT_IO", "{what}");
                }
                disk.crash(power);
                let acknowledged = outcome.is_ok();
                check_recovered(
                    &place,
                    &Crash {
                        dir: &dir,
                        old_size,
                        batch,
                        acknowledged,
                        what,
                    },
                );
                if !disk.failed() {
                    break;
                }
                crashes += 1;
            }
        }
    }
    assert!(crashes > 300, "only {crashes} crashes were tried");
}

/// What witnesses gave is kept or not; whatever was shown as cosigned before still is.
#[test]
fn keeping_a_cosigned_checkpoint_may_stop_anywhere() {
    let place = Place::new();
    let template = place.template(5);
    let mut crashes = 0;
    for (step, power) in ENDS {
        for fail_at in 0.. {
            let dir = place.copy(&template);
            let mut log = place.open(&dir);
            let first = log.checkpoint().clone();
            log.keep_cosigned(first.clone()).unwrap();
            log.append(&entries("new", 0..1)[0]).unwrap();
            let second = log.checkpoint().clone();
            let disk = FaultyDisk::failing(fail_at, step);
            log.publisher = Publisher::new(&dir, Box::new(disk.clone()));
            let kept = log.keep_cosigned(second.clone());
            assert_eq!(kept.is_err(), disk.failed());
            drop(log);
            disk.crash(power);
            let mut log = place.open(&dir);
            let cosigned = log.cosigned().unwrap();
            let what = format!("step {fail_at} {step:?}, power {power:?}");
            assert!([&first, &second].contains(&cosigned), "{what}");
            assert!(kept.is_err() || *cosigned == second, "{what}");
            log.append(&entries("later", 0..1)[0]).unwrap();
            assert_eq!(place.verify(&dir).entries, 7, "{what}");
            if !disk.failed() {
                break;
            }
            crashes += 1;
        }
    }
    assert!(
        crashes >= 3 * ENDS.len(),
        "only {crashes} crashes were tried"
    );
}

#[test]
fn a_recovery_may_stop_anywhere() {
    let place = Place::new();
    let mut crashes = 0;
    for (old_size, batch, fail_at) in [
        (5, 300, 8),
        (5, 300, 20),
        (5, 300, 24),
        (255, 3, 5),
        (255, 1, 12),
    ] {
        let template = place.template(old_size);
        for (step, power) in ENDS {
            for recovery_fail_at in 0.. {
                let dir = place.copy(&template);
                let append_disk = FaultyDisk::failing(fail_at, Step::Landed);
                let acknowledged = interrupted_append(&place, &dir, &append_disk, batch).is_ok();
                let disk = append_disk.revived(recovery_fail_at, step);
                let opened = Log::open_on(&dir, place.key(), Box::new(disk.clone())).map(drop);
                assert_eq!(opened.is_err(), disk.failed());
                disk.crash(power);
                let what = format!(
                    "{old_size}+{batch}, step {fail_at}, recovery {recovery_fail_at} {step:?}, {power:?}"
                );
                check_recovered(
                    &place,
                    &Crash {
                        dir: &dir,
                        old_size,
                        batch,
                        acknowledged,
                        what,
                    },
                );
                if !disk.failed() {
                    break;
                }
                crashes += 1;
            }
        }
    }
    assert!(crashes > 100, "only {crashes} crashes were tried");
}

/// A process dies and leaves names that are not durable; another opens the log, relies on them and shows a checkpoint
/// or acknowledges an entry; then the power fails.
#[test]
fn what_a_later_process_shows_survives_what_the_earlier_one_left_undone() {
    let place = Place::new();
    for (old_size, batch, count) in [(0, 1, 0), (0, 1, 1), (255, 3, 0), (255, 3, 1)] {
        let template = place.template(old_size);
        for (step, power) in ENDS {
            for fail_at in 0.. {
                let dir = place.copy(&template);
                let first = FaultyDisk::failing(fail_at, step);
                drop(interrupted_append(&place, &dir, &first, batch));
                let second = first.revived(usize::MAX, Step::Lost);
                let mut log = Log::open_on(&dir, place.key(), Box::new(second.clone())).unwrap();
                let receipts = log.append_all(&entries("second", 0..count)).unwrap();
                let shown = log.checkpoint().clone();
                drop(log);
                second.crash(power);
                let log = place.open(&dir);
                let what = format!("{old_size}+{batch}, step {fail_at} {step:?}, power {power:?}");
                assert_eq!(log.checkpoint(), &shown, "{what}");
                for receipt in receipts {
                    assert_eq!(
                        log.entry(receipt.index()).unwrap(),
                        entries("second", 0..1)[0],
                        "{what}"
                    );
                }
                place.verify(&dir);
                if !first.failed() {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_creation_may_stop_anywhere() {
    let place = Place::new();
    for (step, power) in ENDS {
        for fail_at in 0.. {
            let dir = place.log(&format!("new-{fail_at}-{step:?}-{power:?}"));
            let disk = FaultyDisk::failing(fail_at, step);
            let created = Log::create_on(&dir, place.key(), Box::new(disk.clone())).map(drop);
            assert_eq!(created.is_err(), disk.failed());
            disk.crash(power);
            let again = Log::create_on(&dir, place.key(), Box::new(FaultyDisk::never()));
            match again {
                Ok(log) => drop(log),
                Err(error) => assert_eq!(error.code(), "AUDIT_LOG_EXISTS"),
            }
            place.open(&dir).append(&entries("first", 0..1)[0]).unwrap();
            assert_eq!(place.verify(&dir).entries, 1);
            if !disk.failed() {
                break;
            }
        }
    }
}

#[test]
fn an_older_checkpoint_put_back_is_noticed_and_costs_nothing() {
    let place = Place::new();
    let dir = place.template(5);
    let old = fs::read(dir.join(CHECKPOINT)).unwrap();
    let mut log = place.open(&dir);
    log.append_all(&entries("new", 0..1_000)).unwrap();
    log.append_all(&entries("new", 1_000..1_100)).unwrap();
    drop(log);
    let new = fs::read(dir.join(CHECKPOINT)).unwrap();
    fs::write(dir.join(CHECKPOINT), old).unwrap();
    let error = Log::open(&dir, place.key()).unwrap_err();
    assert_eq!(error.code(), "AUDIT_ROLLED_BACK");
    assert!(error.to_string().contains("tile/entries/00"), "{error}");
    let error = verify_log(&dir, &place.verifier(), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.code(), "AUDIT_ROLLED_BACK");
    assert!(error.to_string().contains("tile/0/00"), "{error}");
    fs::write(dir.join(CHECKPOINT), new).unwrap();
    assert_eq!(place.open(&dir).size(), 1_105);
    assert_eq!(place.verify(&dir).beyond_checkpoint, Vec::<String>::new());
}

#[test]
fn a_copy_taken_while_the_log_grew_opens() {
    let place = Place::new();
    let dir = place.template(255);
    let old = fs::read(dir.join(CHECKPOINT)).unwrap();
    place.open(&dir).append_all(&entries("new", 0..2)).unwrap();
    // The copy has the checkpoint of before, and tiles of after: the partial ones of 255 are gone, and so is the journal.
    fs::write(dir.join(CHECKPOINT), old).unwrap();
    assert!(!dir.join("tile/entries/000.p").exists());
    fs::remove_file(dir.join(JOURNAL)).unwrap();
    let report = place.verify(&dir);
    assert_eq!(report.entries, 255);
    assert!(
        report
            .beyond_checkpoint
            .contains(&"tile/entries/000".to_owned())
    );
    check_recovered(
        &place,
        &Crash {
            dir: &dir,
            old_size: 255,
            batch: 0,
            acknowledged: true,
            what: "copy".to_owned(),
        },
    );
}

/// As the last, but with the journal: what it has was acknowledged, and is completed.
#[test]
fn a_copy_with_the_journal_has_what_was_acknowledged() {
    let place = Place::new();
    let dir = place.template(255);
    let old = fs::read(dir.join(CHECKPOINT)).unwrap();
    let mut log = place.open(&dir);
    log.append_all(&entries("new", 0..2)).unwrap();
    let dir = place.copy(&dir);
    drop(log);
    fs::write(dir.join(CHECKPOINT), old).unwrap();
    check_recovered(
        &place,
        &Crash {
            dir: &dir,
            old_size: 255,
            batch: 2,
            acknowledged: true,
            what: "copy".to_owned(),
        },
    );
}

/// A journal of another log, or of before, is not replayed.
#[test]
fn a_journal_that_was_put_back_changes_nothing() {
    let place = Place::new();
    let dir = place.template(5);
    let mut log = place.open(&dir);
    log.append_all(&entries("new", 0..2)).unwrap();
    let old = fs::read(dir.join(JOURNAL)).unwrap();
    log.append_all(&entries("new", 2..4)).unwrap();
    drop(log);
    fs::write(dir.join(JOURNAL), &old).unwrap();
    assert_eq!(place.open(&dir).size(), 9);
    let other = place.template(8);
    fs::write(other.join(JOURNAL), &old).unwrap();
    assert!(Log::open(&other, place.key()).is_err() || place.open(&other).size() == 8);
    // A flipped bit takes a record, and all that follow, with it: the files are there.
    let mut bytes = old;
    let at = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[at] ^= 1;
    fs::write(dir.join(JOURNAL), &bytes).unwrap();
    assert_eq!(place.open(&dir).size(), 9);
    place.verify(&dir);
}

#[test]
fn a_log_never_outgrows_its_arithmetic() {
    let place = Place::new();
    let mut log = place.open(&place.template(1));
    let note =
        Checkpoint::sign(&place.key(), TREE_SIZE_MAX - 1, log.checkpoint.root_hash()).unwrap();
    let before = std::mem::replace(&mut log.checkpoint, note);
    let error = log.append_all(&entries("new", 0..2)).unwrap_err();
    assert_eq!(error.code(), "AUDIT_LOG_FULL");
    log.checkpoint = before;
}

/// Whoever holds the key can put anything under a signature; the auditor still finds what is not an entry.
#[test]
fn a_signature_does_not_make_an_entry() {
    let place = Place::new();
    let dir = place.template(2);
    let mut log = place.open(&dir);
    let spaced = entries("new", 0..1)[0].to_canonical().unwrap();
    let spaced = [spaced.as_slice(), b" "].concat();
    log.commit(&[&spaced]).unwrap();
    assert_eq!(
        log.entry(2).unwrap_err().code(),
        "AUDIT_ENTRY_NOT_CANONICAL"
    );
    let receipt = log.receipt(2).unwrap();
    assert_eq!(
        receipt.verify(&place.verifier()).unwrap_err().code(),
        "AUDIT_ENTRY_NOT_CANONICAL"
    );
    let error = verify_log(&dir, &place.verifier(), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.code(), "AUDIT_BUNDLE_ENTRY");
    assert!(
        error
            .to_string()
            .contains("`tile/entries/000.p/3`: entry 2"),
        "{error}"
    );
}
