//! Many clients at once, calls of every kind, and a server that is killed in between: nothing is lost, nothing is done
//! twice, and registry and log agree.
//!
//! Whoever is cut off asks again, with the same key, until there is an answer. A short version is in the tests; for a long
//! one `cargo xtask soak --mixed`, or
//! `WEIR_MIXED_CLIENTS=200 WEIR_MIXED_CALLS=10000 WEIR_MIXED_KILLS=5 cargo test --workspace --test cli -- mixed --nocapture`

mod agree;
mod calls;
mod cast;
mod more;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use weir_client::{Client, ClientError, IdentityFolder};

use crate::process::Served;
use cast::Player;

/// Unless the environment says otherwise.
const CLIENTS: u64 = 20;
const CALLS: u64 = 400;
const KILLS: u64 = 2;

/// How long somebody who is cut off goes on asking.
const PATIENCE: Duration = Duration::from_secs(120);

/// Random numbers that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A run that was answered: what is kept to compare with.
#[derive(Clone)]
struct Answered {
    player: usize,
    sql: &'static str,
    cells: u64,
    table_digest: String,
    receipt: String,
}

/// What was asked and answered so far.
#[derive(Default)]
struct Board {
    /// Applications for somebody to give an opinion on, to grant, and grants for somebody to change: id and digest.
    to_review: VecDeque<(String, String)>,
    to_issue: VecDeque<(String, String)>,
    to_change: VecDeque<String>,
    /// The state that each was in when somebody was last told, and whom it is of.
    applications: BTreeMap<String, String>,
    grants: BTreeMap<String, String>,
    /// The grant that each application led to.
    led_to: BTreeMap<String, String>,
    runs: BTreeMap<String, Answered>,
    /// Models and products for somebody to decide on: name and digest. Products that are run.
    models_to_vet: VecDeque<(String, String)>,
    products_to_judge: VecDeque<(String, String)>,
    products: VecDeque<(String, usize)>,
    /// Tables for people to look at, and those that whoever asked may fetch: run and player.
    to_look: VecDeque<(String, usize)>,
    to_fetch: VecDeque<(String, usize)>,
    /// The state that each of them was in when somebody was last told.
    models_are: BTreeMap<String, &'static str>,
    products_are: BTreeMap<String, String>,
    tables_are: BTreeMap<String, (usize, String)>,
    /// Outcomes by code.
    outcomes: BTreeMap<String, u64>,
    /// How often somebody was cut off.
    cut_off: u64,
    took: Vec<Duration>,
}

/// All that players share.
struct Game {
    board: Mutex<Board>,
    /// Begun so far, and how many each player makes: reads that belong to one count as one.
    calls: AtomicU64,
    calls_each: u64,
    seed: u64,
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Connects, and goes on trying while the server is away.
async fn connect(identity: &IdentityFolder) -> Client {
    let begun = Instant::now();
    loop {
        match Client::connect(identity).await {
            Ok(client) => return client,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

impl Game {
    /// Calls until there is an answer, whichever: a call that was cut off is made again, as it was.
    async fn insist<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        identity: &IdentityFolder,
        client: &mut Client,
        call: impl Fn(Client) -> F,
    ) -> Result<T, ClientError> {
        let begun = Instant::now();
        loop {
            match call(client.clone()).await {
                Err(ClientError::Connection { reason, .. }) => {
                    assert!(begun.elapsed() < PATIENCE, "{reason}");
                    self.board.lock().await.cut_off += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    *client = connect(identity).await;
                }
                // It is under way from before, for this very caller.
                Err(error) if ["RUN_UNDER_WAY", "RUNS_TOO_MANY"].contains(&error.code()) => {
                    assert!(begun.elapsed() < PATIENCE, "{error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => {
                    let mut board = self.board.lock().await;
                    board.took.push(begun.elapsed());
                    let code = match &outcome {
                        Ok(_) => "answered",
                        Err(error) => error.code(),
                    };
                    *board.outcomes.entry(code.to_owned()).or_default() += 1;
                    return outcome;
                }
            }
        }
    }

    /// Counts a call that is begun.
    fn next(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_and_a_server_that_is_killed() {
    let clients = number("WEIR_MIXED_CLIENTS", CLIENTS);
    let kills = number("WEIR_MIXED_KILLS", KILLS);
    let seed = number("WEIR_MIXED_SEED", 1);
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let mut served = Served::start_quiet(folder.path(), &inbox);
    let administrator = IdentityFolder::load(&served.administrator).unwrap();
    let players = cast::enter(&administrator, &inbox, clients).await;
    let seen = Client::connect(&administrator)
        .await
        .unwrap()
        .checkpoint()
        .await
        .unwrap();

    let game = Arc::new(Game {
        board: Mutex::default(),
        calls: AtomicU64::new(0),
        calls_each: number("WEIR_MIXED_CALLS", CALLS).div_ceil(clients),
        seed,
    });
    let begun = Instant::now();
    let players: Vec<Arc<Player>> = players.into_iter().map(Arc::new).collect();
    let tasks: Vec<_> = players
        .iter()
        .map(|player| tokio::spawn(calls::play(Arc::clone(&game), Arc::clone(player))))
        .collect();
    let (mut dice, mut away) = (Dice(seed), Vec::new());
    for kill in 0..kills {
        let all = game.calls_each * clients;
        let at = all * (kill + 1) / (kills + 1) + dice.below(20);
        while game.calls.load(Ordering::Relaxed) < at.min(all - 1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        served.kill();
        let killed = Instant::now();
        served.start_again();
        away.push(killed.elapsed().as_millis());
    }
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (domain, game) = (served.domain.clone(), Arc::into_inner(game).unwrap());
    let mut board = game.board.into_inner();
    board.took.sort();
    let at = |share: f64| {
        let last = board.took.len() - 1;
        board.took[(last as f64 * share) as usize].as_millis()
    };
    println!(
        "seed {seed}: {clients} clients, {} calls in {seconds:.0} s ({:.0} a second), {kills} kills, {} times cut off; a \
         call takes {} ms (median), {} ms (99 %)",
        board.took.len(),
        board.took.len() as f64 / seconds,
        board.cut_off,
        at(0.5),
        at(0.99)
    );
    println!("{:?}; the server was away for {away:?} ms", board.outcomes);
    agree::holds(&players, &administrator, &board).await;
    served.stop();
    agree::log(&domain, &administrator, &seen, &board);
}
