//! Any sequence of calls by anybody, held against a naive model that knows only what must never be.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use chrono::TimeDelta;
use proptest::prelude::*;
use weir_audit::Event;
use weir_registry::{DatasetRecord, GrantState};

use super::change::settle_at;
use super::states::{ApplicationAct, GrantAct, Named};
use super::terms::Columns;
use super::*;
use crate::access::{Call, allowed};
use crate::folder::Folder;
use crate::init::{InitOptions, init};
use crate::vault_settings::VaultConfig;

const MANIFEST: &str = r#"
name = "people"
population = "persons"
unit = "id"
description = "x"
source = "x"
licence = "x"
provider = "P"
column = [
    { name = "id", type = "string", role = "identifier", description = "x" },
    { name = "town", type = "string", role = "measure", description = "x" },
    { name = "income", type = "string", role = "measure", description = "x" },
]
"#;

const COLUMNS: [&[&str]; 2] = [&["town"], &["town", "income"]];

async fn made() -> (tempfile::TempDir, std::sync::Arc<Domain>) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::new(temporary.path().join("domain"));
    let options = InitOptions {
        name: "test".to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        inboxes: Vec::new(),
        vault: VaultConfig::default(),
        organisation: "B".to_owned(),
        person: "wang".to_owned(),
    };
    init(folder.root(), &options).await.unwrap();
    let domain = Domain::open(folder.root()).await.unwrap();
    let dataset = DatasetRecord {
        name: "people".to_owned(),
        population: "persons".to_owned(),
        manifest_toml: MANIFEST.to_owned(),
        snapshot: "people-1".to_owned(),
        digest: Digest::of(b"").to_string(),
        rows: 0,
        units: 0,
        rows_without_unit: 0,
        registered_at: moment(Utc::now()),
        registered_by: "wang (B)".to_owned(),
    };
    domain.registry.add_dataset(&dataset).await.unwrap();
    (temporary, std::sync::Arc::new(domain))
}

/// Everybody there is; whoever works for two organisations is two people here.
fn somebody(which: u8) -> Caller {
    let people = [
        (Role::Operator, "A", "li"),
        (Role::Operator, "A", "mei"),
        (Role::Operator, "C", "han"),
        (Role::Provider, "P", "zhao"),
        (Role::Bureau, "B", "wang"),
        (Role::Bureau, "A", "li"),
        (Role::Provider, "A", "li"),
        (Role::Operator, "P", "zhao"),
        (Role::Operator, "B", "wang"),
    ];
    let (role, organisation, person) = people[usize::from(which) % people.len()];
    Caller {
        role,
        organisation: organisation.to_owned(),
        person: person.to_owned(),
        fingerprint: Digest::of(person.as_bytes()),
    }
}

fn text(scenario: u8, columns: u8) -> String {
    let columns = COLUMNS[usize::from(columns % 2)];
    format!(
        "scenario = \"s{}\"\npurpose = \"x\"\ndays = 365\nsecurity = [\"x\"]\nmodels = \"any-vetted\"\n\
         partners = [\"C\"]\n[datasets]\npeople = {columns:?}\n",
        scenario % 3
    )
}

fn unkeyed() -> Request<'static> {
    Request {
        key: "",
        digest: Digest::of(b""),
    }
}

/// What the model remembers.
#[derive(Default)]
struct Model {
    applications: BTreeMap<String, Applied>,
    grants: BTreeMap<String, Granted>,
    frozen: bool,
}

/// Organisation, columns asked for, and who is for it or against it in the present text.
type Applied = (String, BTreeSet<String>, BTreeMap<String, bool>);

#[derive(Clone)]
struct Granted {
    holder: String,
    columns: BTreeSet<String>,
    parent: Option<String>,
    ended: bool,
    suspended: bool,
}

impl Model {
    fn ends(&mut self, id: &str) {
        let parts: Vec<String> = self
            .grants
            .iter()
            .filter(|(_, grant)| grant.parent.as_deref() == Some(id))
            .map(|(part, _)| part.clone())
            .collect();
        self.grants.get_mut(id).unwrap().ended = true;
        parts.iter().for_each(|part| self.ends(part));
    }

    fn may_be_read_under(&self, id: &str) -> bool {
        let grant = &self.grants[id];
        let above = grant.parent.as_ref();
        !grant.ended && !grant.suspended && above.is_none_or(|above| self.may_be_read_under(above))
    }

    fn pick<T>(all: &BTreeMap<String, T>, which: u8) -> String {
        let at = usize::from(which) % all.len().max(1);
        all.keys().nth(at).cloned().unwrap_or_default()
    }
}

/// One call: what, by whom, on what, how.
type Step = (u8, u8, u8, u8);

async fn play(steps: Vec<Step>) {
    let (_folder, domain) = made().await;
    let mut model = Model::default();
    for step in steps {
        play_one(&domain, &mut model, step).await;
    }
    // The log has an entry for every grant there is, and no grant is there without one.
    let logged = domain.record.with(|log| {
        let mut issued = BTreeSet::new();
        for index in 0..log.size() {
            if let Event::GrantIssued { grant, .. } = &log.entry(index)?.event {
                issued.insert(grant.clone());
            }
        }
        Ok(issued)
    });
    let there: BTreeSet<String> = model.grants.keys().cloned().collect();
    assert_eq!(logged.unwrap(), there);
    domain.registry.close().await;
}

async fn play_one(domain: &std::sync::Arc<Domain>, model: &mut Model, step: Step) {
    let (what, who, which, how) = step;
    let caller = somebody(who);
    let id = Model::pick(&model.applications, which);
    let grant = Model::pick(&model.grants, which);
    let digest = match domain.registry.application(&id).await.unwrap() {
        Some(application) => application.digest,
        None => String::new(),
    };
    let about = (id.as_str(), digest.as_str());
    // Whose role may not make the call does not get as far over the wire.
    let call = match what % 9 {
        0 | 1 => Call::Apply,
        2 | 3 => Call::ReviewApplication,
        4 => Call::DecideApplication,
        5 => Call::IssueGrant,
        6 => Call::ChangeGrant,
        7 => Call::DelegateGrant,
        _ if how % 5 == 0 => Call::Freeze,
        _ => Call::Run,
    };
    if !allowed(call).contains(&caller.role) {
        return;
    }
    match what % 9 {
        0 | 1 => {
            let again = if how & 4 == 0 { "" } else { &id };
            let applied = apply(domain, &caller, (&text(which, how), "a"), again, unkeyed()).await;
            let Ok(applied) = applied else { return };
            let columns = COLUMNS[usize::from(how % 2)]
                .iter()
                .map(|name| (*name).to_owned());
            let entry = (applied.organisation, columns.collect(), BTreeMap::new());
            model.applications.insert(applied.id, entry);
        }
        2 | 3 => {
            let supports = how % 4 != 0;
            let said = review(domain, &caller, about, supports, "x", unkeyed()).await;
            if said.is_ok() {
                let (of, _, opinions) = model.applications.get_mut(&id).unwrap();
                assert_ne!(*of, caller.organisation, "reviewed by their own");
                opinions.insert(caller.organisation, supports);
            }
        }
        4 => {
            let act = [ApplicationAct::Return, ApplicationAct::Reject][usize::from(how % 2)];
            if decide(domain, &caller, about, act, "x", unkeyed())
                .await
                .is_ok()
            {
                assert_eq!(caller.role, Role::Bureau);
                assert_ne!(model.applications[&id].0, caller.organisation);
            }
        }
        5 => {
            let issued = issue(domain, &caller, about, Narrowed::default(), unkeyed()).await;
            let Ok(issued) = issued else { return };
            let (of, columns, opinions) = &model.applications[&id];
            assert_eq!(caller.role, Role::Bureau, "issued by somebody else");
            assert_ne!(*of, caller.organisation, "issued to their own");
            assert!(
                !opinions.values().any(|supports| !supports),
                "issued against an opinion"
            );
            // Where the applicant is the provider, somebody of the bureau has spoken.
            let spoken = match of.as_str() {
                "P" => !opinions.is_empty(),
                _ => opinions.get("P") == Some(&true),
            };
            assert!(spoken, "issued without the provider");
            let granted = Granted {
                holder: of.clone(),
                columns: columns.clone(),
                parent: None,
                ended: false,
                suspended: false,
            };
            assert_eq!(
                Terms::read(domain, &issued).unwrap().datasets["people"],
                granted.columns
            );
            model.grants.insert(issued.id, granted);
        }
        6 => {
            let acts = [
                GrantAct::Suspend,
                GrantAct::Resume,
                GrantAct::Revoke,
                GrantAct::Terminate,
                GrantAct::Order,
            ];
            let act = acts[usize::from(how) % acts.len()];
            let asked = Asked {
                id: &grant,
                act,
                reason: "x",
                days: 0,
            };
            let Ok(changed) = change(domain, &caller, asked, unkeyed()).await else {
                return;
            };
            let known = model.grants.get_mut(&grant).unwrap();
            assert!(!known.ended, "{} after the end", act.name());
            match act {
                GrantAct::Suspend => known.suspended = true,
                GrantAct::Resume => {
                    assert_ne!(known.holder, caller.organisation, "resumed by their own");
                    known.suspended = false;
                }
                GrantAct::Revoke | GrantAct::Terminate => model.ends(&grant),
                _ => {}
            }
            assert_eq!(changed.id, grant);
        }
        7 => {
            let columns = COLUMNS[usize::from(how % 2)]
                .iter()
                .map(|name| (*name).to_owned());
            let narrowed = Narrowed {
                datasets: BTreeMap::from([("people".to_owned(), columns.collect())]),
                ..Narrowed::default()
            };
            let partner = ["C", "A"][usize::from(how / 2 % 2)];
            let given = delegate(domain, &caller, (&grant, partner), narrowed, unkeyed()).await;
            let Ok(given) = given else { return };
            let above = model.grants[&grant].clone();
            assert_eq!(above.holder, caller.organisation, "gave what is not theirs");
            assert!(
                model.may_be_read_under(&grant),
                "gave what they may not read"
            );
            let columns = Terms::read(domain, &given).unwrap().datasets["people"].clone();
            assert!(
                columns.is_subset(&above.columns),
                "gave more than they have"
            );
            let part = Granted {
                holder: partner.to_owned(),
                columns,
                parent: Some(grant),
                ..above
            };
            model.grants.insert(given.id, part);
        }
        _ if how % 5 == 0 => {
            let scope = ("dataset", "people");
            match model.frozen {
                true => unfreeze(domain, &caller, scope, "x").await.unwrap(),
                false => freeze(domain, &caller, scope, "x").await.unwrap(),
            }
            model.frozen = !model.frozen;
        }
        _ => {
            let need = Need {
                datasets: vec!["people".to_owned()],
                models: Vec::new(),
            };
            let read =
                Columns::from([("people".to_owned(), BTreeSet::from(["income".to_owned()]))]);
            let run = Uuid::now_v7().to_string();
            let run = (run.as_str(), Digest::of(b"q"));
            let lease = lease(domain, &caller, run, &grant, need).await;
            let Some(known) = model.grants.get(&grant) else {
                assert!(lease.is_err() || grant.is_empty());
                return;
            };
            let may = known.holder == caller.organisation
                && model.may_be_read_under(&grant)
                && !model.frozen;
            assert_eq!(lease.is_ok(), may, "{:?}", lease.err());
            if let Ok(lease) = lease {
                assert_eq!(
                    lease.covers_columns(&read).is_ok(),
                    known.columns.contains("income")
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_sequence_of_calls_gets_round_a_review_or_reads_after_the_end(
        steps in proptest::collection::vec(any::<Step>(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}

/// A grant of `people`, of A.
async fn granted(domain: &Domain) -> GrantRecord {
    let applied = apply(domain, &somebody(0), (&text(0, 0), "a"), "", unkeyed())
        .await
        .unwrap();
    let about = (applied.id.as_str(), applied.digest.as_str());
    review(domain, &somebody(3), about, true, "x", unkeyed())
        .await
        .unwrap();
    issue(domain, &somebody(4), about, Narrowed::default(), unkeyed())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_not_mended_is_suspended_and_then_revoked() {
    let (_folder, domain) = made().await;
    let grant = granted(&domain).await;
    let asked = Asked {
        id: &grant.id,
        act: GrantAct::Order,
        reason: "x",
        days: 2,
    };
    let ordered = change(&domain, &somebody(4), asked, unkeyed())
        .await
        .unwrap();
    let deadline = parse_moment(ordered.deadline.as_deref().unwrap()).unwrap();
    let state = async || find(&domain, &grant.id).await.unwrap().state;
    let second = TimeDelta::seconds(1);
    settle_at(&domain, deadline - second).await.unwrap();
    assert_eq!(state().await, GrantState::Mending);
    settle_at(&domain, deadline + second).await.unwrap();
    assert_eq!(state().await, GrantState::Suspended);
    let further = find(&domain, &grant.id).await.unwrap().deadline.unwrap();
    let further = parse_moment(&further).unwrap();
    settle_at(&domain, further + second).await.unwrap();
    assert_eq!(state().await, GrantState::Revoked);
    // What has ended stays as it ended, also when its term is over.
    settle_at(&domain, further + TimeDelta::days(3_000))
        .await
        .unwrap();
    assert_eq!(state().await, GrantState::Revoked);
    domain.registry.close().await;
}

#[tokio::test]
async fn a_grant_that_somebody_changed_in_the_registry_is_not_read_under() {
    let (_folder, domain) = made().await;
    let grant = granted(&domain).await;
    Terms::read(&domain, &grant).unwrap();
    let wider = grant.note.replace("town", "income");
    let later = GrantRecord {
        not_after: moment(Utc::now() + TimeDelta::days(3_000)),
        ..grant.clone()
    };
    let theirs = GrantRecord {
        organisation: "C".to_owned(),
        ..grant.clone()
    };
    let other = granted_again(&domain).await;
    let swapped = GrantRecord {
        note: other.note,
        ..grant.clone()
    };
    let wider = GrantRecord {
        note: wider,
        ..grant
    };
    for forged in [wider, later, theirs, swapped] {
        assert_eq!(
            Terms::read(&domain, &forged).unwrap_err().code,
            "GRANT_FORGED"
        );
    }
    domain.registry.close().await;
}

async fn granted_again(domain: &Domain) -> GrantRecord {
    let applied = apply(domain, &somebody(0), (&text(1, 1), "a"), "", unkeyed())
        .await
        .unwrap();
    let about = (applied.id.as_str(), applied.digest.as_str());
    review(domain, &somebody(3), about, true, "x", unkeyed())
        .await
        .unwrap();
    issue(domain, &somebody(4), about, Narrowed::default(), unkeyed())
        .await
        .unwrap()
}
