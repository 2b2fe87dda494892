//! Attacks on the real server over gRPC, each as a clever operator would make it, and the scoreboard of what they find out.
//!
//! **For**: showing which attacks work against thresholds alone, and that what Weir adds stops them. The short version is a
//! test like any other; `cargo xtask attacks` runs all of them and writes `SCOREBOARD.md`.
//!
//! **Not for**: faults of code. That a rule does what it says is tested where the rule is; here the question is whether the
//! rules are enough.
//!
//! **Invariants**: whether somebody is exposed is decided by comparing the attacker's guess with a planted truth, never by
//! looking at what the server did. An attack sees what an operator sees. Everything random comes from a seed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod arena;
mod catalogue;
mod defence;
mod differencing;
mod hostile;
mod masks;
mod models;
mod noise;
mod oracles;
mod people;
mod reconstruction;
mod report;
mod score;
mod search;
mod tables;
mod utility;
mod visits;

use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use arena::Trial;
use catalogue::{Attack, Kind, OPEN, attacks};
use defence::Defence;
use report::Board;
use score::Outcome;

/// What is wrong with an outcome; none where it is as it has to be.
fn complaint(attack: &Attack, defence: Defence, outcome: &Outcome) -> Option<String> {
    let told = |problem: &str| {
        let (name, title) = (attack.name, defence.title());
        Some(format!("{name}, {title}: {}; {problem}", outcome.entry()))
    };
    match (defence, outcome.works()) {
        (Defence::Thresholds, works) if works == attack.beats_thresholds => None,
        (Defence::Thresholds, true) => told("thresholds should stop it"),
        (Defence::Thresholds, false) => told("it should work, or it shows nothing"),
        (_, true) if attack.kind == Kind::Deterministic => told("nobody may be exposed"),
        _ => None,
    }
}

/// The same, but that what is known to be open has to be so.
fn news(attack: &Attack, defence: Defence, outcome: &Outcome) -> Option<String> {
    if defence != Defence::Ledger || !OPEN.contains(&attack.name) {
        return complaint(attack, defence, outcome);
    }
    (!outcome.works()).then(|| format!("{} is stopped: take it off the list", attack.name))
}

/// How many attacks run at the same time, each in a domain of its own: they mostly wait for disks.
const AT_ONCE: usize = 4;

/// What is wrong with an outcome.
type Complaint = fn(&Attack, Defence, &Outcome) -> Option<String>;

/// Runs attacks under every defence there is. What is wrong with an outcome is told as soon as it is known.
async fn run(
    chosen: impl Fn(&Attack) -> bool,
    tries: usize,
    secrets: usize,
    complaint: Complaint,
) -> (Board, Vec<String>) {
    let slots = Rc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let tasks = LocalSet::new();
    for (index, attack) in attacks().enumerate().filter(|(_, attack)| chosen(attack)) {
        for defence in Defence::ALL {
            let slots = Rc::clone(&slots);
            let trial = Trial {
                defence,
                has_budgets: attack.kind == Kind::Budgeted,
                tries,
                secrets,
            };
            let one = async move {
                let slot = slots.acquire().await.unwrap();
                let start = Instant::now();
                let outcome = (attack.run)(trial).await;
                drop(slot);
                let complaint = complaint(attack, defence, &outcome);
                println!(
                    "{}, {}: {}; {} runs, {:.1} s{}",
                    attack.name,
                    defence.title(),
                    outcome.entry(),
                    outcome.runs,
                    start.elapsed().as_secs_f64(),
                    complaint.as_ref().map_or("", |_| "  <<<")
                );
                ((index, defence.title()), outcome, complaint)
            };
            running.spawn_local_on(one, &tasks);
        }
    }
    let (mut board, mut complaints) = (Board::new(), Vec::new());
    tasks
        .run_until(async {
            while let Some(one) = running.join_next().await {
                let (place, outcome, complaint) = one.unwrap();
                board.insert(place, outcome);
                complaints.extend(complaint);
            }
        })
        .await;
    (board, complaints)
}

/// The attacks that stand for the others, on a few targets each.
#[tokio::test(flavor = "multi_thread")]
async fn attacks_beat_thresholds_and_nothing_more() {
    let (_, complaints) = run(|attack| attack.short, 3, 24, news).await;
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// All attacks. Writes the scoreboard, unless `WEIR_ATTACK` names the only attacks to try; fails where a deterministic
/// attack exposes somebody.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: run it with `cargo xtask attacks`"]
async fn scoreboard() {
    let only = std::env::var("WEIR_ATTACK").unwrap_or_default();
    let (board, complaints) = run(|attack| attack.name.contains(&only), 20, 100, complaint).await;
    if only.is_empty() {
        report::write(&board);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
