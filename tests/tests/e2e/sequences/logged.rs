//! The log alone: whether what was released was allowed by what stands before it.

use std::collections::BTreeMap;

use weir_audit::{Event, Log, LogKey};
use weir_tests::TestDomain;

/// What the log says of a grant so far.
struct Grant {
    above: String,
    state: String,
}

/// What the log says of an application so far.
#[derive(Default)]
struct Application {
    organisation: String,
    person: String,
    digest: String,
    /// By organisation: what it said of this digest.
    opinions: BTreeMap<String, String>,
}

/// Reads the log of a domain from its beginning.
pub(crate) async fn holds(domain: TestDomain) {
    let (folder, _guard) = domain.stop().await;
    let key = LogKey::load(&folder.root().join("keys/log.key")).unwrap();
    let log = Log::open(&folder.log(), key).unwrap();
    let mut grants: BTreeMap<String, Grant> = BTreeMap::new();
    let mut applications: BTreeMap<String, Application> = BTreeMap::new();
    let mut reads: BTreeMap<String, String> = BTreeMap::new();
    let mut frozen: Vec<(String, String)> = Vec::new();
    let mut times = Vec::new();
    let mut released = 0;
    for index in 0..log.size() {
        let entry = log.entry(index).unwrap();
        times.push(entry.time.to_utc());
        let actor = entry.actor.clone();
        match entry.event.clone() {
            Event::ApplicationSubmitted {
                application,
                digest,
            } => {
                let new = Application {
                    organisation: actor.organisation,
                    person: actor.person,
                    digest: digest.to_string(),
                    ..Application::default()
                };
                applications.insert(application, new);
            }
            Event::ApplicationReviewed {
                application,
                digest,
                opinion,
                ..
            } => {
                let of = applications.get_mut(&application).unwrap();
                assert_eq!(
                    of.digest,
                    digest.to_string(),
                    "entry {index}: of an old text"
                );
                let own = of.organisation == actor.organisation;
                // Only taking it back is the applicant's.
                assert_eq!(own, opinion == "withdraw", "entry {index}: {opinion}");
                of.opinions.insert(actor.organisation, opinion);
            }
            Event::GrantIssued {
                grant,
                application,
                parent,
                ..
            } => {
                let of = &applications[&application];
                if parent.is_empty() {
                    assert_ne!(of.organisation, actor.organisation, "entry {index}");
                    assert_ne!(of.person, actor.person, "entry {index}");
                    let registry = of.opinions.get("Civil Registry").map(String::as_str);
                    assert_eq!(registry, Some("support"), "entry {index}: unreviewed");
                    let opposed = of.opinions.values().any(|opinion| opinion == "oppose");
                    assert!(!opposed, "entry {index}: opposed");
                }
                let new = Grant {
                    above: parent,
                    state: "active".to_owned(),
                };
                grants.insert(grant, new);
            }
            Event::GrantChanged { grant, state, .. } => {
                let of = grants.get_mut(&grant).unwrap();
                let ended = ["revoked", "expired", "terminated"].contains(&of.state.as_str());
                assert!(!ended, "entry {index}: {} became {state}", of.state);
                of.state = state;
            }
            Event::FreezeChanged {
                scope,
                name,
                frozen: begins,
                ..
            } => {
                frozen.retain(|entry| *entry != (scope.clone(), name.clone()));
                if begins {
                    frozen.push((scope, name));
                }
            }
            Event::RunAuthorised { run, grant, .. } => {
                reads.insert(run, grant);
            }
            Event::ReleaseDecided { run, .. } => {
                released += 1;
                let mut id = reads[&run].clone();
                while !id.is_empty() {
                    let grant = &grants[&id];
                    let live = ["active", "mending"].contains(&grant.state.as_str());
                    assert!(
                        live,
                        "entry {index}: released under what is {}",
                        grant.state
                    );
                    id.clone_from(&grant.above);
                }
                let stops = |(scope, name): &(String, String)| match scope.as_str() {
                    "operator" => *name == actor.organisation,
                    _ => true,
                };
                assert!(!frozen.iter().any(stops), "entry {index}: {frozen:?}");
            }
            _ => {}
        }
    }
    assert!(times.is_sorted(), "entries are in the order of their times");
    println!(
        "{} entries, {released} releases: all allowed by what stands before them",
        times.len()
    );
}
