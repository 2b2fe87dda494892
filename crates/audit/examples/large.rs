//! A log of many entries: how long it takes to open, to prove an entry and to prove that it continues an earlier tree.
//!
//! `cargo run --release -p weir-audit --example large -- DIR [ENTRIES]` grows the log in `DIR` to that many entries (10
//! million, about 3 GB, unless said otherwise), then measures. A log that is there already is measured as it is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_audit::{
    Actor, BATCH_ENTRIES_MAX, Digest, Entry, Event, Log, LogKey, PreparedEntry, Timestamp,
};

/// Proofs of each kind.
const PROOFS: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("name the folder for the log")?);
    let entries: u64 = arguments
        .next()
        .map_or(Ok(10_000_000), |text| text.parse())?;
    let key_file = dir.with_extension("key");
    grow(&dir, &key_file, entries)?;
    let key = LogKey::load(&key_file)?;
    let verifier = key.verifier().clone();

    let start = Instant::now();
    let log = Log::open(&dir, key)?;
    println!("{} entries; opened in {:.1?}", log.size(), start.elapsed());

    let size = log.size();
    // Places all over the log, the same in every run.
    let places = (0..PROOFS).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size);
    let (mut included, mut continued) = (Vec::new(), Vec::new());
    for place in places {
        let start = Instant::now();
        let receipt = log.receipt(place)?;
        included.push(start.elapsed());
        receipt.verify(&verifier)?;
        let start = Instant::now();
        log.consistency(place)?;
        continued.push(start.elapsed());
    }
    show("inclusion", included);
    show("consistency", continued);
    Ok(())
}

fn grow(dir: &Path, key_file: &Path, entries: u64) -> Result<(), Box<dyn Error>> {
    if !key_file.exists() {
        let key = LogKey::generate("weir/large")?;
        key.save(key_file)?;
        Log::create(dir, key)?;
    }
    let mut log = Log::open(dir, LogKey::load(key_file)?)?;
    let prepared = (0..BATCH_ENTRIES_MAX as u64).map(|number| PreparedEntry::new(&entry(number)));
    let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let before = log.size();
    while log.size() < entries {
        let left = usize::try_from(entries - log.size()).unwrap_or(usize::MAX);
        let batch: Vec<_> = prepared.iter().take(left).collect();
        log.append_prepared(&batch)?;
    }
    let elapsed = start.elapsed();
    println!("{} entries appended in {elapsed:.1?}", log.size() - before);
    Ok(())
}

fn entry(number: u64) -> Entry {
    let actor = Actor {
        person: "li".to_owned(),
        organisation: "Acme Insurance".to_owned(),
        role: "operator".to_owned(),
    };
    let event = Event::RunRefused {
        run: format!("0190a5c0-0000-7000-8000-{number:012}"),
        request_digest: Digest::of(&number.to_be_bytes()),
        code: "SQL_NOT_AN_AGGREGATE".to_owned(),
    };
    Entry::new(Timestamp::from(chrono::Utc::now()), actor, event)
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .or(times.last())
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what}: p50 {:.1?}, p99 {:.1?}, worst {:.1?}",
        at(50),
        at(99),
        at(100)
    );
}
