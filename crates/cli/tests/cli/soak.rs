//! A domain at full load for as long as one likes, while its server, its witnesses and its clients are killed at random: nothing
//! that was answered is lost, everything that was asked is answered in the end, and no process grows.
//!
//! `WEIR_SOAK_MINUTES=30 cargo test --workspace --test cli -- --ignored --nocapture soak`, or `cargo xtask soak --kill`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use weir_audit::{Event, Log, LogKey, Receipt, VerifierKey, verify_log};
use weir_client::{Client, IdentityFolder};

use crate::process::{Served, binary, roomy, succeeds, wait_until};
use crate::scene::{Dice, number, operator_of, register, request};

/// Clients within this process, each with one run under way.
const CLIENTS: u64 = 6;
/// Clients that are processes.
const PROCESSES: u64 = 2;
/// Kills come this often, in seconds: server, witness.
const SERVER_EVERY_S: u64 = 90;
const WITNESS_EVERY_S: u64 = 60;
/// A server is warm after so many seconds.
const WARM_S: u64 = 20;
/// How much a server may grow from when it was warm, and servers from the first to the last, in MiB.
const GROWTH_MIB_MAX: u64 = 96;
/// Answers that are asked for once more at the end.
const ASKED_AGAIN: usize = 2_000;
/// How long one run may stay without an answer.
const PATIENCE: Duration = Duration::from_secs(180);

const QUERIES: [&str; 4] = [
    "SELECT place, COUNT(*) AS n FROM trips GROUP BY place",
    "SELECT COUNT(*) AS n FROM trips",
    "SELECT COUNT(*) AS n FROM trips WHERE place = 'north'",
    "SELECT place, COUNT(*) AS n FROM trips GROUP BY place ORDER BY place DESC",
];

/// What was answered: SQL and receipt by run.
type Answered = Arc<Mutex<BTreeMap<String, (&'static str, String)>>>;

/// What everybody who takes part knows.
#[derive(Clone)]
struct Drill {
    identity: IdentityFolder,
    folder: PathBuf,
    answered: Answered,
    over: Arc<AtomicBool>,
    tries: Arc<AtomicU64>,
    killed_clients: Arc<AtomicU64>,
    seed: u64,
}

struct Seat {
    folder: PathBuf,
    port: u16,
    log_key: PathBuf,
    process: Option<Child>,
}

impl Seat {
    /// A witness and its lines of the settings.
    fn new(home: &Path, name: &str) -> (Self, String) {
        let folder = home.join(name);
        let port = free_port();
        let key = succeeds(None, &["audit", "witness", text(&folder), "--name", name]);
        let settings = format!(
            "[[log.witnesses]]\nkey = \"{}\"\nurl = \"http://127.0.0.1:{port}/\"\n",
            key.trim()
        );
        let log_key = home.join("domain/log.vkey");
        let seat = Self {
            folder,
            port,
            log_key,
            process: None,
        };
        (seat, settings)
    }

    fn start(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let (folder, key) = (text(&self.folder), text(&self.log_key));
        let process = Command::new(binary())
            .env_clear()
            .args([
                "audit",
                "witness",
                folder,
                "--log-key",
                key,
                "--listen",
                &listen,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.unwrap());
        wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Memory of a process that is in use, in MiB.
fn resident_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

/// What a process needed, from when it was warm.
#[derive(Debug, Clone, Copy)]
struct Life {
    seconds: u64,
    warm_mib: u64,
    end_mib: u64,
}

fn id(client: u64, run: u64) -> String {
    format!("00000000-0000-4000-{:04x}-{run:012x}", 0x8000 + client)
}

/// Runs one after the other; each is asked for until it is answered, whatever happens meanwhile.
async fn asks(drill: Drill, client: u64) {
    let mut connected = None;
    let mut run = 0;
    while !drill.over.load(Ordering::Relaxed) {
        run += 1;
        let (id, sql) = (id(client, run), QUERIES[(run % 4) as usize]);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "{id} is not answered");
            drill.tries.fetch_add(1, Ordering::Relaxed);
            let operator = match connected.take() {
                Some(operator) => operator,
                None => match Client::connect(&drill.identity).await {
                    Ok(operator) => operator,
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            match operator.run(request(&id, sql), |_| {}).await {
                Ok(answer) => {
                    let mut answered = drill.answered.lock().unwrap();
                    answered.insert(id, (sql, answer.receipt_json));
                    connected = Some(operator);
                    break;
                }
                Err(error) => {
                    assert!(is_of_a_crash(&error), "{id}: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Whether a run may end like this while processes are killed: no answer, or nobody to witness.
fn is_of_a_crash(error: &weir_client::ClientError) -> bool {
    match error {
        weir_client::ClientError::Refused { code, .. } => {
            ["WITNESSES_UNAVAILABLE", "RUN_UNDER_WAY", "SERVER_STOPPING"].contains(&code.as_str())
        }
        weir_client::ClientError::Untrusted(_) => false,
        _ => true,
    }
}

/// `weir run` as a process, which is killed in the middle of most runs and started again.
fn asks_as_a_process(drill: &Drill, client: u64) {
    let mut dice = Dice(drill.seed ^ (client << 32));
    let folder = drill.folder.join(format!("client-{client}"));
    drill.identity.save(&folder).unwrap();
    let receipt = drill.folder.join(format!("receipt-{client}.json"));
    let mut run = 0;
    while !drill.over.load(Ordering::Relaxed) {
        run += 1;
        let (id, sql) = (id(client, run), QUERIES[(run % 4) as usize]);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "{id} is not answered");
            let mut process = Command::new(binary())
                .env_clear()
                .args(["--identity", text(&folder), "run", sql, "--run-id", &id])
                .args(["--receipt", text(&receipt)])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if dice.below(3) > 0 {
                std::thread::sleep(Duration::from_millis(dice.below(400)));
                drill.killed_clients.fetch_add(1, Ordering::Relaxed);
                drop(process.kill());
                process.wait().unwrap();
                continue;
            }
            if process.wait().unwrap().success() {
                let receipt = std::fs::read_to_string(&receipt).unwrap();
                drill.answered.lock().unwrap().insert(id, (sql, receipt));
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // The machine is for the domain, and not for starting processes.
        std::thread::sleep(Duration::from_millis(1_000));
    }
}

/// Watches the memory of a process for its life.
struct Watch {
    began: Instant,
    warm_mib: u64,
    end_mib: u64,
}

impl Watch {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            warm_mib: 0,
            end_mib: 0,
        }
    }

    fn look(&mut self, pid: u32) {
        let Some(now) = resident_mib(pid) else {
            return;
        };
        if self.began.elapsed() < Duration::from_secs(WARM_S) {
            self.warm_mib = now;
        }
        self.end_mib = now;
    }

    fn ended(self, lives: &mut Vec<Life>) {
        let seconds = self.began.elapsed().as_secs();
        if seconds >= WARM_S * 2 {
            lives.push(Life {
                seconds,
                warm_mib: self.warm_mib,
                end_mib: self.end_mib,
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as many minutes as it is told; `cargo xtask soak --kill --minutes N`"]
async fn full_load_while_everything_is_killed_at_random() {
    let minutes = std::env::var("WEIR_SOAK_MINUTES").map_or(1.0, |text| text.parse().unwrap());
    let seed = number("WEIR_SOAK_SEED", 1);
    let home = tempfile::tempdir().unwrap();
    let inbox = home.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let (mut first, one) = Seat::new(home.path(), "w1");
    let (mut second, two) = Seat::new(home.path(), "w2");
    let settings = format!("[log]\nwitnesses_required = 1\n{one}{two}");
    let mut served = Served::start_under(home.path(), &inbox, &settings, roomy);
    first.start();
    second.start();
    let mut seats = [first, second];
    let administrator = IdentityFolder::load(&served.administrator).unwrap();
    let bureau = Client::connect(&administrator).await.unwrap();
    assert!(register(&bureau, &inbox, 60, false).await);
    let identity = operator_of(&bureau, &administrator).await;
    drop(bureau);
    served.kill();
    served.be_quiet();
    served.start_again();

    let drill = Drill {
        identity,
        folder: home.path().to_owned(),
        answered: Arc::default(),
        over: Arc::default(),
        tries: Arc::default(),
        killed_clients: Arc::default(),
        seed,
    };
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        clients.push(tokio::spawn(asks(drill.clone(), client)));
    }
    for client in CLIENTS..CLIENTS + PROCESSES {
        let drill = drill.clone();
        clients.push(tokio::task::spawn_blocking(move || {
            asks_as_a_process(&drill, client)
        }));
    }

    let begun = Instant::now();
    let length = Duration::from_secs_f64(minutes * 60.0);
    let mut dice = Dice(seed);
    let next = |dice: &mut Dice, every_s: u64| {
        Instant::now() + Duration::from_millis(2_000 + dice.below(2_000 * every_s))
    };
    let (mut server_at, mut witness_at) = (
        next(&mut dice, SERVER_EVERY_S),
        next(&mut dice, WITNESS_EVERY_S),
    );
    let (mut kills, mut lives, mut watch) = ([0_u64; 2], Vec::new(), Watch::new());
    let mut witness_mib: Vec<u64> = Vec::new();
    let mut slowest = Duration::ZERO;
    while begun.elapsed() < length {
        tokio::time::sleep(Duration::from_millis(200)).await;
        watch.look(served.pid());
        for seat in &seats {
            witness_mib.extend(seat.process.as_ref().and_then(|one| resident_mib(one.id())));
        }
        if clients.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
        if Instant::now() >= witness_at {
            let seat = &mut seats[dice.below(2) as usize];
            seat.kill();
            seat.start();
            kills[1] += 1;
            witness_at = next(&mut dice, WITNESS_EVERY_S);
        }
        if Instant::now() >= server_at {
            served.kill();
            std::mem::replace(&mut watch, Watch::new()).ended(&mut lives);
            let begun = Instant::now();
            served.start_again();
            slowest = slowest.max(begun.elapsed());
            watch = Watch::new();
            kills[0] += 1;
            server_at = next(&mut dice, SERVER_EVERY_S);
        }
    }
    watch.ended(&mut lives);
    let seconds = begun.elapsed().as_secs_f64();
    drill.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }

    let answered = drill.answered.lock().unwrap().clone();
    println!(
        "{:.0} s, seed {seed}: {} runs answered ({:.0} a minute) in {} calls; killed: server {}, witnesses {}, clients {}; \
         slowest start {} ms",
        seconds,
        answered.len(),
        answered.len() as f64 * 60.0 / seconds,
        drill.tries.load(Ordering::Relaxed),
        kills[0],
        kills[1],
        drill.killed_clients.load(Ordering::Relaxed),
        slowest.as_millis(),
    );
    for life in &lives {
        println!(
            "server of {} s: {} MiB warm, {} MiB at its end",
            life.seconds, life.warm_mib, life.end_mib
        );
    }
    let witness = (witness_mib.iter().min(), witness_mib.iter().max());
    println!(
        "a witness: {:?} to {:?} MiB",
        witness.0.unwrap(),
        witness.1.unwrap()
    );
    nothing_is_lost(&mut served, &drill, &answered).await;
    assert!(seconds >= length.as_secs_f64(), "a client gave up");
    for life in &lives {
        assert!(life.end_mib < life.warm_mib + GROWTH_MIB_MAX, "{life:?}");
    }
    let ends = |lives: &[Life]| lives.iter().map(|life| life.end_mib).max().unwrap_or(0);
    let half = lives.len() / 2;
    if half > 0 {
        let (early, late) = (ends(&lives[..half]), ends(&lives[half..]));
        assert!(
            late < early + GROWTH_MIB_MAX,
            "{early} MiB, then {late} MiB"
        );
    }
    assert!(*witness.1.unwrap() < witness.0.unwrap() + GROWTH_MIB_MAX);
}

/// Every answer is in the log, as it was; what is asked again is answered the same; and no release is without its answer.
async fn nothing_is_lost(
    served: &mut Served,
    drill: &Drill,
    answered: &BTreeMap<String, (&'static str, String)>,
) {
    let operator = Client::connect(&drill.identity).await.unwrap();
    let key: VerifierKey = drill.identity.log_key.parse().unwrap();
    let mut dice = Dice(drill.seed);
    let all: Vec<_> = answered.iter().collect();
    for _ in 0..ASKED_AGAIN.min(all.len()) {
        let (id, (sql, receipt)) = all[dice.below(all.len() as u64) as usize];
        let again = operator.run(request(id, sql), |_| {}).await.unwrap();
        let same = |text: &str| Receipt::from_json(text.as_bytes()).unwrap().index();
        assert_eq!(same(&again.receipt_json), same(receipt), "{id}");
    }
    drop(operator);
    // A last kill: what it leaves is settled by the start after it.
    served.kill();
    served.start_again();
    served.kill();
    verify_log(&served.domain.join("log"), &key, &mut |_, _| {}).unwrap();
    let signing = LogKey::load(&served.domain.join("keys/log.key")).unwrap();
    let log = Log::open(&served.domain.join("log"), signing).unwrap();
    let (mut releases, mut without) = (BTreeMap::new(), BTreeSet::new());
    for (index, entry) in (0..).zip(log.entries(0..log.size()).unwrap()) {
        match entry.event {
            Event::ReleaseDecided { run, .. } => drop(releases.insert(index, run)),
            Event::EntryWithoutEffect { entry, .. } => drop(without.insert(entry)),
            _ => {}
        }
    }
    for (id, (_, receipt)) in answered {
        let index = Receipt::from_json(receipt.as_bytes()).unwrap().index();
        assert_eq!(
            releases.get(&index),
            Some(id),
            "the release of {id} is not in the log"
        );
    }
    let undelivered = releases
        .keys()
        .filter(|index| without.contains(index))
        .count();
    let counted = releases.len() - undelivered;
    println!(
        "{} releases in the log, {undelivered} of them named as without effect; {} entries named in all",
        releases.len(),
        without.len()
    );
    // Each that is not named is an answer, and one of a run: no run was released twice.
    let runs: BTreeSet<_> = releases
        .iter()
        .filter(|(index, _)| !without.contains(index))
        .map(|(_, run)| run)
        .collect();
    assert_eq!(runs.len(), counted, "a run was released twice");
    assert!(answered.keys().all(|id| runs.contains(id)));
}
