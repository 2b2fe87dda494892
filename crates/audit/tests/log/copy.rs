//! A log copied while it grows.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use weir_audit::{AuditError, Log, copy_log, verify_log, verify_log_since};

use crate::place::{Place, entries, entry};

#[test]
fn a_copy_of_a_growing_log_is_a_log_that_was_there() {
    let place = Place::new();
    let mut log = place.create();
    log.append_all(&entries(0..250)).unwrap();
    let key = place.key().verifier().clone();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 250..1_200 {
                log.append(&entry("e", number)).unwrap();
                if ended.load(Ordering::Acquire) {
                    break;
                }
            }
        });
        for number in 0..12 {
            let to = place.dir().with_file_name(format!("copy-{number}"));
            let mut names = BTreeSet::new();
            let copied = copy_log(&place.dir(), &to, &key, &mut |name| {
                assert!(names.insert(name.to_owned()), "{name} twice");
            })
            .unwrap();
            let report = verify_log(&to, &key, &mut |_, _| {}).unwrap();
            assert_eq!(report.entries, copied.size());
            assert!(report.unexpected.is_empty() && report.beyond_checkpoint.is_empty());
            assert!(names.contains("checkpoint"));
            // It opens as a log, and the original continues it.
            drop(Log::open(&to, place.key()).unwrap());
            verify_log_since(&place.dir(), &key, &copied, &mut |_, _| {}).unwrap();
            let again = copy_log(&place.dir(), &to, &key, &mut |_| {});
            assert!(matches!(again, Err(AuditError::LogExists { .. })));
        }
        ended.store(true, Ordering::Release);
    });
}
