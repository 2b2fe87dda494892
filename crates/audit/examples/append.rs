//! How fast a log takes entries from many threads, each waiting for its receipt as a run does.
//!
//! `cargo run -p weir-audit --example append -- DIR [THREADS] [SECONDS]` makes a log in `DIR`, which must not hold one.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use weir_audit::{
    Actor, AuditError, DatasetRef, Digest, Entry, Event, Log, LogKey, SharedLog, Timestamp,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("name the folder for the log")?);
    let threads: usize = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let shared = SharedLog::new(Log::create(&dir, LogKey::generate("weir/append")?)?);
    let waits = Mutex::new(Vec::new());
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    thread::scope(|scope| {
        let (shared, waits) = (&shared, &waits);
        let threads: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || work(shared, thread, end, waits)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    let elapsed = start.elapsed().as_secs_f64();
    let mut waits = waits.into_inner().unwrap_or_else(PoisonError::into_inner);
    waits.sort_unstable();
    let at = |share: usize| {
        waits
            .get((waits.len() * share / 1_000).min(waits.len() - 1))
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{threads} threads, {} entries in {elapsed:.1} s: {:.0} a second; append p50 {:.1?}, p99 {:.1?}, worst {:.1?}",
        waits.len(),
        waits.len() as f64 / elapsed,
        at(500),
        at(990),
        at(1_000),
    );
    Ok(())
}

/// Appends until the time is over, and notes how long each append took.
fn work(
    shared: &SharedLog,
    thread: usize,
    end: Instant,
    waits: &Mutex<Vec<Duration>>,
) -> Result<(), AuditError> {
    let mut mine = Vec::new();
    for number in 0_u64.. {
        let start = Instant::now();
        if start >= end {
            break;
        }
        shared.append(&entry(thread, number))?;
        mine.push(start.elapsed());
    }
    waits
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(mine);
    Ok(())
}

/// An entry as long as those of releases.
fn entry(thread: usize, number: u64) -> Entry {
    let digest = Digest::of(&number.to_be_bytes());
    let actor = Actor {
        person: format!("person-{thread}"),
        organisation: "Acme Insurance".to_owned(),
        role: "operator".to_owned(),
    };
    let event = Event::ReleaseDecided {
        run: format!("0190a5c0-0000-7000-8000-{number:012}"),
        request_digest: digest,
        datasets: vec![DatasetRef {
            name: "flights".to_owned(),
            snapshot: "flights-0190a5c0".to_owned(),
        }],
        models: Vec::new(),
        policy_digest: digest,
        cells_released: 15,
        cells_withheld_at_most: 10,
        table_digest: digest,
        ledger: None,
        bits_out: None,
    };
    Entry::new(Timestamp::from(chrono::Utc::now()), actor, event)
}
