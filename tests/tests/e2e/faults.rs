//! A fault at every durable step of what a domain does: log, ledger and registry, in the order in which a call takes them.
//!
//! The log, the ledger and the vault have tables of their own, with what a loss of power does to each file. Here the steps of
//! all are one sequence, because the order between them is the argument: whatever happens at one of them, afterwards the
//! domain starts by itself, no release is without its entry and its place in the ledger, no effect is without an entry, and no
//! entry without an effect is without another one that says so.
//!
//! In the tests every step of every act fails in one way, chosen in turn. For all ways at all of them, and for thousands of
//! random sequences from a seed, in which the start after the fault may fail too:
//! `WEIR_FAULTS=5000 WEIR_FAULT_SEED=1 cargo test --workspace --test e2e -- faults --nocapture`

mod acts;
mod disk;
mod holds;

use std::path::{Path, PathBuf};

use futures::StreamExt;
use weir_client::v1::Role;
use weir_client::{Client, IdentityFolder};
use weir_server::{Domain, Serving};
use weir_tests::{OPERATOR, example, issue_to};

use crate::airlock::with_trips;
use acts::{ACTS, Act, Done, Hands};
use disk::{Faulty, HOWS, How};

/// Cases from a seed that are tried at once.
const CASES_AT_ONCE: usize = 6;

/// Steps that no act is expected to take.
const STEPS_MAX: usize = 400;

/// A domain to start from, and who acts on it.
struct Prepared {
    folder: PathBuf,
    bureau: IdentityFolder,
    ministry: IdentityFolder,
    operator: IdentityFolder,
    grant: String,
    _guard: tempfile::TempDir,
}

impl Prepared {
    async fn new() -> Self {
        let domain = with_trips("").await;
        let bureau = domain.administrator.clone();
        let identity = async |role, of, person| {
            issue_to(&domain.bureau, &domain.administrator, role, (of, person)).await
        };
        let ministry = identity(Role::Bureau, "Ministry", "sun").await;
        let operator = identity(Role::Operator, OPERATOR, "li").await;
        let grant = domain.operators_grant();
        let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
        let submitted = domain.operator.submit_model(acts::MODEL, component);
        submitted.await.unwrap();
        let (folder, guard) = domain.stop().await;
        let prepared = Self {
            folder: folder.root().to_owned(),
            bureau,
            ministry,
            operator,
            grant,
            _guard: guard,
        };
        // Once more: from here on entries are held against what they say.
        let serving = serve(&prepared.folder, &Faulty::default()).await.unwrap();
        serving.stop().await.unwrap();
        prepared
    }

    async fn hands(&self, serving: &Serving) -> Hands {
        let at = async |identity: &IdentityFolder| {
            let identity = IdentityFolder {
                server_url: format!("https://{}", serving.address()),
                ..identity.clone()
            };
            Client::connect(&identity).await.unwrap()
        };
        Hands {
            bureau: at(&self.bureau).await,
            ministry: at(&self.ministry).await,
            operator: at(&self.operator).await,
            grant: self.grant.clone(),
        }
    }
}

async fn serve(root: &Path, faulty: &Faulty) -> Result<Serving, weir_server::Fault> {
    let domain = Domain::open_on(root, faulty.parts()).await?;
    weir_server::serve(domain).await
}

/// What fails in a case, and when.
struct Case<'a> {
    name: String,
    acts: &'a [Act],
    fault: Option<(usize, How)>,
    /// What fails in the start after it.
    again: Option<(usize, How)>,
}

/// Does the acts on a copy of the prepared domain while a step fails, starts again, and looks. Answers with the number of steps
/// there were, and of entries that the log says had no effect.
async fn run(prepared: &Prepared, case: &Case<'_>) -> (usize, usize) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("domain");
    copy(&prepared.folder, &root);
    let faulty = Faulty::default();
    let serving = serve(&root, &faulty).await.unwrap();
    let hands = prepared.hands(&serving).await;
    faulty.arm(case.fault);
    let mut done = Done::default();
    for (number, act) in case.acts.iter().enumerate() {
        act.take(&hands, number, &mut done).await;
    }
    let steps = faulty.steps();
    drop(hands);
    // Whatever a stop would write is lost too, where the process is dead.
    drop(serving.stop().await);
    if case.again.is_some() {
        let faulty = Faulty::default();
        faulty.arm(case.again);
        if let Ok(serving) = serve(&root, &faulty).await {
            drop(serving.stop().await);
        }
    }

    let opened = serve(&root, &Faulty::default()).await;
    let serving =
        opened.unwrap_or_else(|fault| panic!("{}: it does not start: {fault:?}", case.name));
    let hands = prepared.hands(&serving).await;
    holds::holds(&hands, &mut done, &case.name).await;
    drop(hands);
    serving.stop().await.unwrap();
    let named = holds::record_holds(&root, &done, &prepared.bureau, &case.name);
    (steps, named)
}

/// The number of steps of each act where nothing fails.
async fn lengths(prepared: &Prepared) -> Vec<usize> {
    let mut lengths = Vec::new();
    for act in ACTS {
        let case = Case {
            name: format!("{act:?}, no fault"),
            acts: &[act],
            fault: None,
            again: None,
        };
        let (steps, named) = run(prepared, &case).await;
        assert!((1..STEPS_MAX).contains(&steps), "{act:?}: {steps} steps");
        assert_eq!(named, 0, "{act:?}: nothing failed");
        lengths.push(steps);
    }
    lengths
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Every step of every act; in all ways where it is asked for, and else in one, which changes from step to step.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_every_durable_step_of_every_act() {
    let all = std::env::var_os("WEIR_FAULTS").is_some();
    let prepared = Prepared::new().await;
    let lengths = lengths(&prepared).await;
    let (mut cases, mut named, begun) = (0, 0, std::time::Instant::now());
    // In the tests one act in full, the release, and of the others every third step.
    for (act, steps) in ACTS.into_iter().zip(&lengths) {
        let every = if all || act == Act::Run { 1 } else { 3 };
        for at in (0..*steps).step_by(every) {
            let hows = match all {
                true => HOWS.to_vec(),
                false => vec![HOWS[(at / every) % HOWS.len()]],
            };
            for how in hows {
                let case = Case {
                    name: format!("{act:?}, step {at} of {steps}, {how:?}"),
                    acts: &[act],
                    fault: Some((at, how)),
                    again: None,
                };
                named += run(&prepared, &case).await.1;
                cases += 1;
            }
        }
    }
    let steps: usize = lengths.iter().sum();
    eprintln!(
        "{} acts of {steps} durable steps, {cases} faults in {:.0} s; {named} entries had no effect, and are named",
        ACTS.len(),
        begun.elapsed().as_secs_f64()
    );
    // A table of faults in which nothing goes wrong would be one of no faults.
    assert!(named > cases / 20, "{named} of {cases}");
}

/// Random numbers that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// Sequences of acts, and a fault somewhere in them, from a seed.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_a_random_step_of_random_acts() {
    let (seed, cases) = (number("WEIR_FAULT_SEED", 7), number("WEIR_FAULTS", 20));
    let prepared = Prepared::new().await;
    let (prepared, begun) = (&prepared, std::time::Instant::now());
    let random = async |number: u64| {
        let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let acts: Vec<Act> = (0..=dice.below(3))
            .map(|_| ACTS[dice.below(ACTS.len())])
            .collect();
        let fault = (dice.below(25 * acts.len()), HOWS[dice.below(HOWS.len())]);
        let again = (dice.below(12), HOWS[dice.below(HOWS.len())]);
        let again = (dice.below(3) == 0).then_some(again);
        let case = Case {
            name: format!("seed {seed}, case {number}: {acts:?}, {fault:?}, then {again:?}"),
            acts: &acts,
            fault: Some(fault),
            again,
        };
        let (steps, named) = run(prepared, &case).await;
        (u64::from(steps > fault.0), named)
    };
    // Each has a domain of its own, and waits for others to connect and to close more than it computes.
    let all = futures::stream::iter(0..cases)
        .map(random)
        .buffer_unordered(CASES_AT_ONCE)
        .fold((0, 0), async |sum, case| (sum.0 + case.0, sum.1 + case.1));
    let (reached, named) = all.await;
    eprintln!(
        "seed {seed}: {cases} cases in {:.0} s, {reached} of them reached their fault; {named} entries had no effect, and are named",
        begun.elapsed().as_secs_f64()
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}
