//! What must hold after a fault: what the log says, but for what it says did not happen, is what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use weir_audit::{Event, Log, LogKey, Receipt, VerifierKey, verify_log};
use weir_client::IdentityFolder;
use weir_client::v1::{KeyKind, ModelState, PolicyChangeState, SnapshotState};
use weir_server::Folder;

use super::acts::{Done, Hands, by_town};

/// The state of everything, by its name.
type States = BTreeMap<String, String>;

/// Through the contract: nothing that was answered is lost, and the domain goes on. Keeps the states that the domain shows.
pub(crate) async fn holds(hands: &Hands, done: &mut Done, case: &str) {
    for (id, (released, receipt)) in &done.answered {
        // A table that went through the airlock is asked for with its own query; its answer is in the registry as others are.
        if !done.asked.contains(id) {
            continue;
        }
        let again = by_town(hands, id)
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(&again.released, released, "{case}");
        assert_eq!(&again.receipt_json, receipt, "{case}");
    }
    for id in done.asked.clone() {
        let answer = by_town(hands, &id).await;
        let answer = answer.unwrap_or_else(|error| panic!("{case}: {error}"));
        let receipt = Receipt::from_json(answer.receipt_json.as_bytes()).unwrap();
        receipt.verify(hands.operator.log_key()).unwrap();
    }
    // A change of a key that is asked for again comes about, once; of the authority where there is no earlier one.
    for (kind, key) in &done.rotated {
        match hands.bureau.rotate_key_once(*kind, key).await {
            Err(error) if error.code() == "KEY_EARLIER_ACCEPTED" => {}
            answer => drop(answer.unwrap_or_else(|error| panic!("{case}: {error}"))),
        }
    }
    done.shown = shown(hands).await;
}

/// What the domain shows.
async fn shown(hands: &Hands) -> States {
    let mut states = States::new();
    let mut put = |name: String, state: &str| {
        assert!(
            states.insert(name.clone(), state.to_owned()).is_none(),
            "{name}"
        );
    };
    for one in hands.bureau.list_identities(false).await.unwrap() {
        let state = if one.revoked_at.is_empty() {
            "accepted"
        } else {
            "revoked"
        };
        put(format!("identity {}", one.fingerprint), state);
    }
    for one in hands.bureau.list_grants(false).await.unwrap() {
        put(format!("grant {}", one.id), &one.state);
    }
    for one in hands.bureau.list_freezes().await.unwrap() {
        put(format!("freeze {} {}", one.scope, one.name), "frozen");
    }
    for one in hands.bureau.list_airlock(false).await.unwrap() {
        put(format!("airlock {}", one.run_id), &one.state);
    }
    for one in hands.bureau.list_products().await.unwrap() {
        put(format!("product {}", one.name), &one.state);
    }
    for one in hands.bureau.list_models().await.unwrap() {
        let state = match one.state() {
            ModelState::Submitted => "submitted",
            ModelState::Approved => "approved",
            ModelState::Withdrawn => "withdrawn",
            other => panic!("nobody makes one {other:?}"),
        };
        put(format!("model {}", one.name), state);
    }
    for one in hands.bureau.list_feedback("").await.unwrap() {
        let state = one.answer.as_ref().map_or("filed", |_| "answered");
        put(format!("feedback {}", one.id), state);
    }
    for one in hands.bureau.list_policy_changes(true).await.unwrap() {
        let state = match one.state() {
            PolicyChangeState::Proposed => "proposed",
            PolicyChangeState::Approved => "approved",
            other => panic!("{other:?} is not open"),
        };
        put(format!("change {}", one.id), state);
    }
    let datasets = ["trips".to_owned()];
    for one in hands.bureau.policy(&datasets).await.unwrap().layers {
        put(format!("policy {}", one.dataset), &one.digest);
    }
    for one in hands.bureau.dataset("trips").await.unwrap().snapshots {
        let state = match one.state() {
            SnapshotState::Live => "live",
            _ => "destroyed",
        };
        put(format!("snapshot {}", one.id), state);
    }
    for one in hands.bureau.list_releases(1_000).await.unwrap() {
        put(format!("release {}", one.log_index), &one.run_id);
    }
    for one in hands.bureau.list_keys().await.unwrap() {
        if one.kind() != KeyKind::Master && one.state == "in use" {
            let kind = if one.kind() == KeyKind::Signing {
                "signing"
            } else {
                "authority"
            };
            put(format!("key {kind}"), &one.public);
        }
    }
    states
}

/// On disk, once it is stopped: the log verifies, and says what was shown.
pub(crate) fn record_holds(root: &Path, done: &Done, bureau: &IdentityFolder, case: &str) -> usize {
    let folder = Folder::new(root);
    let key = std::fs::read_to_string(folder.log_verifier_key()).unwrap();
    let key: VerifierKey = key.parse().unwrap();
    let first: VerifierKey = bureau.log_key.parse().unwrap();
    assert!(key.singles().contains(&first), "{case}");
    verify_log(&folder.log(), &key, &mut |_, _| {})
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let signing = LogKey::load(&folder.keys().join("log.key")).unwrap();
    let log = Log::open(&folder.log(), signing).unwrap();
    let entries = log.entries(0..log.size()).unwrap();
    let named: BTreeSet<u64> = entries
        .iter()
        .filter_map(|entry| match entry.event {
            Event::EntryWithoutEffect { entry, .. } => Some(entry),
            _ => None,
        })
        .collect();

    // What was decided is in the ledger first, and every run that began to read has an outcome.
    let mut open: BTreeMap<&str, u64> = BTreeMap::new();
    for (index, entry) in (0..).zip(&entries) {
        match &entry.event {
            Event::ReleaseDecided { run, ledger, .. } => {
                assert!(ledger.is_some(), "{case}");
                open.remove(run.as_str());
            }
            Event::RunRefused { run, .. } | Event::AirlockEntered { run, .. } => {
                open.remove(run.as_str());
            }
            Event::RunAuthorised { run, .. } if !named.contains(&index) => {
                open.insert(run, index);
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "{case}: runs without an outcome: {open:?}");

    let rotated = (0..).zip(&entries).filter(|(index, entry)| {
        let is_signing = matches!(&entry.event, Event::KeyRotated { key, .. } if key == "signing");
        is_signing && !named.contains(index)
    });
    let asked = done.rotated.iter();
    let asked = asked.filter(|(kind, _)| *kind == KeyKind::Signing);
    assert_eq!(
        rotated.count(),
        asked.count(),
        "{case}: each key is changed once"
    );

    let said = said(entries.iter().map(|entry| &entry.event), &named);
    let mut shown = done.shown.clone();
    // The keys of before their first change are in no entry.
    for kind in ["key signing", "key authority"] {
        if !said.contains_key(kind) {
            shown.remove(kind);
        }
    }
    let differ: Vec<_> = said
        .iter()
        .filter(|(name, state)| shown.get(*name) != Some(state))
        .map(|(name, state)| format!("{name}: the log says {state}, it is {:?}", shown.get(name)))
        .chain(
            shown
                .keys()
                .filter(|name| !said.contains_key(*name))
                .map(|name| format!("{name} is there, and in no entry")),
        )
        .collect();
    assert!(differ.is_empty(), "{case}: {differ:#?}");
    named.len()
}

/// What the log says that is, but for the entries that it says had no effect.
fn said<'a>(events: impl Iterator<Item = &'a Event>, named: &BTreeSet<u64>) -> States {
    let mut said = States::new();
    let mut put = |name: String, state: &str| drop(said.insert(name, state.to_owned()));
    let mut gone: Vec<String> = Vec::new();
    // Open changes by the dataset whose policy they change: one that takes effect overtakes them.
    let mut open: Vec<(String, String)> = Vec::new();
    for (index, event) in (0..).zip(events) {
        if named.contains(&index) {
            continue;
        }
        match event {
            Event::IdentityIssued { fingerprint, .. }
            | Event::IdentityRenewed { fingerprint, .. } => {
                put(format!("identity {fingerprint}"), "accepted");
            }
            Event::IdentityRevoked { fingerprint, .. } => {
                put(format!("identity {fingerprint}"), "revoked");
            }
            Event::GrantIssued { grant, .. } => put(format!("grant {grant}"), "active"),
            Event::GrantChanged { grant, state, .. } => put(format!("grant {grant}"), state),
            Event::FreezeChanged {
                scope,
                name,
                frozen,
                ..
            } => {
                let name = format!("freeze {scope} {name}");
                match frozen {
                    true => put(name, "frozen"),
                    false => put(name, "let go"),
                }
            }
            Event::AirlockEntered { run, .. } => put(format!("airlock {run}"), "waiting"),
            Event::AirlockChanged { run, state, .. } => put(format!("airlock {run}"), state),
            Event::ProductChanged { product, state, .. } => {
                put(format!("product {product}"), state)
            }
            Event::ModelVetted { model, .. } => put(format!("model {model}"), "submitted"),
            Event::VettedModelApproved { model, .. } => put(format!("model {model}"), "approved"),
            Event::ModelWithdrawn { model, .. } => put(format!("model {model}"), "withdrawn"),
            Event::FeedbackFiled { feedback, .. } => put(format!("feedback {feedback}"), "filed"),
            Event::FeedbackAnswered { feedback, .. } => {
                put(format!("feedback {feedback}"), "answered");
            }
            Event::PolicyProposed {
                change, dataset, ..
            } => {
                open.push((dataset.clone(), format!("change {change}")));
                put(format!("change {change}"), "proposed");
            }
            Event::PolicyApproved { change, .. } => put(format!("change {change}"), "approved"),
            Event::PolicyWithdrawn { change, .. } => gone.push(format!("change {change}")),
            Event::PolicyInForce { digest, .. } => put("policy ".to_owned(), &digest.to_string()),
            Event::DatasetPolicyInForce {
                dataset, digest, ..
            } => {
                let overtaken = open.extract_if(.., |(of, _)| of == dataset);
                gone.extend(overtaken.map(|(_, change)| change));
                put(format!("policy {dataset}"), &digest.to_string());
            }
            Event::DatasetRegistered { snapshot, .. } => {
                put(format!("snapshot {snapshot}"), "live")
            }
            Event::SnapshotDestroyed { snapshot, .. } => {
                put(format!("snapshot {snapshot}"), "destroyed");
            }
            Event::ReleaseDecided { run, .. } => put(format!("release {index}"), run),
            Event::KeyRotated { key, public } if !public.is_empty() => {
                put(format!("key {key}"), public);
            }
            _ => {}
        }
    }
    said.retain(|name, state| state != "let go" && !gone.contains(name));
    said
}
