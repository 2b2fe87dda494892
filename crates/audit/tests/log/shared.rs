//! Group commit: many threads, one log.

use std::sync::Barrier;
use std::thread;

use weir_audit::{ENTRY_BYTES_MAX, Log, SharedLog};

use crate::place::{Place, entry};

const THREADS: u64 = 16;
const EACH: u64 = 12;

#[test]
fn whoever_appends_at_once_shares_checkpoints_and_loses_nothing() {
    let place = Place::new();
    let shared = SharedLog::new(place.create());
    let start = Barrier::new(usize::try_from(THREADS).unwrap());
    let receipts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (shared, start) = (&shared, &start);
                scope.spawn(move || {
                    start.wait();
                    let mine = (0..EACH).map(|number| {
                        let entry = entry(&format!("thread-{thread}"), number);
                        (entry.clone(), shared.append(&entry).unwrap())
                    });
                    mine.collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    // Each receipt proves its own entry; each place is taken once; a thread's own order is the log's order.
    let mut indexes = Vec::new();
    let mut sizes = Vec::new();
    for (entry, receipt) in &receipts {
        let verified = receipt.verify(&place.verifier).unwrap();
        assert_eq!(verified.entry(), entry);
        indexes.push(verified.index());
        sizes.push(verified.tree_size());
    }
    for mine in indexes.chunks(usize::try_from(EACH).unwrap()) {
        assert!(mine.is_sorted());
    }
    indexes.sort_unstable();
    assert!(indexes.iter().copied().eq(0..THREADS * EACH));
    sizes.sort_unstable();
    sizes.dedup();
    assert!(
        (sizes.len() as u64) < THREADS * EACH / 2,
        "{} checkpoints",
        sizes.len()
    );
    drop(shared);
    assert_eq!(place.verify().unwrap().entries, THREADS * EACH);
}

#[test]
fn a_bad_entry_harms_nobody_else() {
    let place = Place::new();
    let shared = SharedLog::new(place.create());
    let too_long = entry(&"x".repeat(ENTRY_BYTES_MAX), 0);
    thread::scope(|scope| {
        for number in 0..8 {
            let (shared, too_long) = (&shared, &too_long);
            scope.spawn(move || {
                assert_eq!(
                    shared.append(too_long).unwrap_err().code(),
                    "AUDIT_ENTRY_TOO_LARGE"
                );
                shared.append(&entry("li", number)).unwrap();
            });
        }
    });
    assert_eq!(shared.with(|log| log.size()), 8);
}

#[test]
fn when_the_disk_fails_everybody_hears_of_it() {
    let place = Place::new();
    let shared = SharedLog::new(place.create());
    shared.append(&entry("li", 0)).unwrap();
    // A file where the next bundle's directory belongs.
    std::fs::remove_dir_all(place.dir().join("tile")).unwrap();
    std::fs::write(place.dir().join("tile"), b"").unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let shared = &shared;
            scope.spawn(move || {
                let code = shared.append(&entry("li", number)).unwrap_err().code();
                assert!(["AUDIT_IO", "AUDIT_INTERRUPTED"].contains(&code), "{code}");
            });
        }
    });
    assert_eq!(shared.with(|log| log.size()), 1);
    drop(shared);
    assert_eq!(
        Log::open(&place.dir(), place.key()).unwrap_err().code(),
        "AUDIT_IO"
    );
}
