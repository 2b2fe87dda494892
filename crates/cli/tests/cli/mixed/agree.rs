//! What must hold at the end: nothing lost, nothing done twice, and registry and log agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use weir_audit::{Checkpoint, Digest, Entry, Event, Log, LogKey, VerifierKey, verify_log_since};
use weir_client::v1::{GetUsageRequest, ModelState, RunRequest, RunState};
use weir_client::{Client, IdentityFolder};

use super::Board;
use super::cast::Player;

/// Runs that are asked for once more at the end.
const RUNS_AGAIN_MAX: usize = 300;

/// What clients were told is what there is, and no more of it.
pub(super) async fn holds(
    players: &[std::sync::Arc<Player>],
    administrator: &IdentityFolder,
    board: &Board,
) {
    let bureau = Client::connect(administrator).await.unwrap();
    let standing: BTreeSet<_> = players.iter().map(|player| player.grant.clone()).collect();

    let grants = bureau.list_grants(false).await.unwrap();
    let is: BTreeMap<_, _> = grants
        .iter()
        .filter(|grant| !standing.contains(&grant.id))
        .map(|grant| (grant.id.clone(), grant.state.clone()))
        .collect();
    assert_eq!(is, board.grants, "grants, each once and in its state");
    let of: BTreeMap<_, _> = grants
        .iter()
        .filter(|grant| !standing.contains(&grant.id))
        .map(|grant| (grant.application.clone(), grant.id.clone()))
        .collect();
    assert_eq!(of, board.led_to, "the grant of each application");
    for (id, state) in &board.applications {
        assert_eq!(bureau.application(id).await.unwrap().state, *state, "{id}");
    }
    let applications = bureau.list_applications(false).await.unwrap();
    let known = applications
        .iter()
        .filter(|application| application.scenario != "standing")
        .all(|application| board.applications.contains_key(&application.id));
    assert!(known, "no application but those that somebody was told of");

    // What was answered is answered the same.
    for (id, answered) in board.runs.iter().take(RUNS_AGAIN_MAX) {
        let player = &players[answered.player];
        let client = Client::connect(&player.identity).await.unwrap();
        let request = RunRequest {
            sql: answered.sql.to_owned(),
            run_id: id.clone(),
            grant: player.grant.clone(),
            ..Default::default()
        };
        let again = client.run(request, |_| {}).await.unwrap();
        assert_eq!(again.receipt_json, answered.receipt, "{id}");
        let digest = Digest::of(format!("{:?}", again.released).as_bytes()).to_string();
        assert_eq!(digest, answered.table_digest, "{id}");
    }
    println!(
        "{} applications, {} grants, {} runs: each once, in the state that its client was told",
        board.applications.len(),
        board.grants.len(),
        board.runs.len()
    );
    ended(&bureau, players, board).await;
    used(&bureau, board).await;
}

/// Models, products and tables are in the state that somebody was told, and there are no others.
async fn ended(bureau: &Client, players: &[std::sync::Arc<Player>], board: &Board) {
    let models = bureau.list_models().await.unwrap();
    let is: BTreeMap<_, _> = models
        .iter()
        .map(|model| {
            let state = match model.state() {
                ModelState::Submitted => "submitted",
                ModelState::Approved => "approved",
                ModelState::Rejected => "rejected",
                ModelState::Withdrawn => "withdrawn",
                ModelState::Unspecified => "",
            };
            (model.name.clone(), state)
        })
        .collect();
    assert_eq!(is, board.models_are, "models, each once and in its state");
    let products = bureau.list_products().await.unwrap();
    let is: BTreeMap<_, _> = products
        .iter()
        .map(|product| (product.name.clone(), product.state.clone()))
        .collect();
    assert_eq!(
        is, board.products_are,
        "products, each once and in its state"
    );
    for (id, (player, state)) in &board.tables_are {
        let client = Client::connect(&players[*player].identity).await.unwrap();
        let is = client.run_status(id).await.unwrap().state();
        let must = match state.as_str() {
            "waiting" => RunState::InReview,
            "approved" => RunState::Ready,
            "released" => RunState::Released,
            _ => RunState::Refused,
        };
        assert_eq!(is, must, "{id}");
    }
    println!(
        "{} models, {} products, {} tables that people had to look at: the same",
        board.models_are.len(),
        board.products_are.len(),
        board.tables_are.len()
    );
}

/// What was charged is what was run.
async fn used(bureau: &Client, board: &Board) {
    let usage = bureau.usage(GetUsageRequest::default()).await.unwrap();
    let total = usage.total.unwrap();
    // Those too whose table was not released.
    let ids: BTreeSet<_> = board.runs.keys().chain(board.tables_are.keys()).collect();
    let runs = ids.len() as u64;
    assert_eq!(total.runs, runs, "each run is charged once");
    assert_eq!(total.releases, board.runs.len() as u64);
    let cells: u64 = board.runs.values().map(|run| run.cells).sum();
    assert_eq!(total.cells, cells);
    assert_eq!(total.rows, 100 * runs);
    let grants = bureau.list_grants(false).await.unwrap();
    let charged: u64 = grants.iter().map(|grant| grant.runs_used).sum();
    assert_eq!(charged, runs, "to its grant, once");
}

/// The log is whole, continues what was seen before, and says what the registry says.
pub(super) fn log(domain: &Path, administrator: &IdentityFolder, seen: &str, board: &Board) {
    let key: VerifierKey = administrator.log_key.parse().unwrap();
    let before = Checkpoint::verify(seen.as_bytes(), &key).unwrap();
    verify_log_since(&domain.join("log"), &key, &before, &mut |_, _| {}).unwrap();
    let secret = LogKey::load(&domain.join("keys/log.key")).unwrap();
    let log = Log::open(&domain.join("log"), secret).unwrap();
    let entries: Vec<Entry> = (0..log.size()).map(|at| log.entry(at).unwrap()).collect();

    let (mut issued, mut states) = (BTreeMap::new(), BTreeMap::new());
    let (mut submitted, mut released) = (BTreeSet::new(), BTreeMap::<_, Vec<_>>::new());
    let mut charged = BTreeSet::new();
    let (mut models, mut products, mut tables) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut repeated = 0;
    for entry in &entries {
        match &entry.event {
            Event::ApplicationSubmitted { application, .. } => {
                repeated += u64::from(!submitted.insert(application.clone()));
            }
            Event::GrantIssued {
                grant, application, ..
            } => {
                let earlier = issued.insert(application.clone(), grant.clone());
                // An entry whose effect a crash cut off: the grant there is comes after it.
                repeated += u64::from(earlier.is_some());
                states.insert(grant.clone(), "active".to_owned());
            }
            Event::GrantChanged { grant, state, .. } => {
                let before = states.insert(grant.clone(), state.clone());
                repeated += u64::from(before.as_ref() == Some(state));
            }
            Event::ModelVetted { model, .. } => {
                repeated += u64::from(models.insert(model.clone(), "submitted").is_some());
            }
            Event::VettedModelApproved { model, .. } => {
                let before = models.insert(model.clone(), "approved");
                repeated += u64::from(before == Some("approved"));
            }
            Event::ModelRejected { model, .. } => {
                let before = models.insert(model.clone(), "rejected");
                repeated += u64::from(before == Some("rejected"));
            }
            Event::ModelWithdrawn { model, .. } => {
                let before = models.insert(model.clone(), "withdrawn");
                repeated += u64::from(before == Some("withdrawn"));
            }
            Event::ProductChanged { product, state, .. } => {
                let before = products.insert(product.clone(), state.clone());
                repeated += u64::from(before.as_ref() == Some(state));
            }
            Event::AirlockEntered { run, .. } => {
                let before = tables.insert(run.clone(), "waiting".to_owned());
                repeated += u64::from(before.is_some());
            }
            Event::AirlockChanged { run, state, .. } => {
                tables.insert(run.clone(), state.clone());
            }
            Event::RunCharged { run, .. } => {
                charged.insert(run.clone());
            }
            Event::ReleaseDecided {
                run, table_digest, ..
            } => released.entry(run.clone()).or_default().push(*table_digest),
            _ => {}
        }
    }
    for (application, grant) in &board.led_to {
        assert_eq!(
            issued.get(application),
            Some(grant),
            "the last entry is of the grant there is"
        );
    }
    for (grant, state) in &board.grants {
        assert_eq!(states.get(grant), Some(state), "{grant}");
    }
    assert_eq!(models, board.models_are);
    assert_eq!(products, board.products_are);
    let told = board.tables_are.iter();
    let told: BTreeMap<_, _> = told
        .map(|(run, (_, state))| (run.clone(), state.clone()))
        .collect();
    assert_eq!(tables, told);
    assert!(board.applications.keys().all(|id| submitted.contains(id)));
    for (id, tables) in &released {
        assert!(
            board.runs.contains_key(id),
            "a release that nobody was told of: {id}"
        );
        assert!(
            tables.iter().all(|table| *table == tables[0]),
            "{id}: other tables"
        );
        repeated += tables.len() as u64 - 1;
    }
    assert!(
        board
            .runs
            .keys()
            .all(|id| released.contains_key(id) && charged.contains(id))
    );
    assert!(
        repeated <= board.cut_off,
        "{repeated} entries came twice, and only {} calls were cut off",
        board.cut_off
    );
    println!(
        "{} entries of the log agree; {repeated} were written again after a kill",
        entries.len()
    );
}
