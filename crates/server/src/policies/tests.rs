//! A domain that is stopped at every step of a change, and a `policy.toml` that somebody edits meanwhile.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use chrono::TimeDelta;
use weir_audit::{Digest, Event};
use weir_registry::{ChangeState, Fact, Role};

use super::*;
use crate::access::Caller;
use crate::config::Config;
use crate::folder::Folder;
use crate::init::{InitOptions, init};
use crate::vault_settings::VaultConfig;
use crate::wait::Wait;

const STRICT: &str = "name = \"strict\"\ncell.units_min = 20\n";
const LOOSE: &str = "name = \"loose\"\ncell.units_min = 5\n";

async fn made(wait: &str) -> (tempfile::TempDir, Folder) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::new(temporary.path().join("domain"));
    let options = InitOptions {
        name: "test".to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        inboxes: Vec::new(),
        vault: VaultConfig::default(),
        organisation: "Data Bureau".to_owned(),
        person: "wang".to_owned(),
    };
    init(folder.root(), &options).await.unwrap();
    let config = Config {
        policy_loosening_wait: Wait::try_from(wait.to_owned()).unwrap(),
        ..Config::load(&folder.config()).unwrap()
    };
    std::fs::write(folder.config(), config.to_toml().unwrap()).unwrap();
    (temporary, folder)
}

async fn open(folder: &Folder) -> Domain {
    Domain::open(folder.root()).await.unwrap()
}

async fn close(domain: Domain) {
    domain.registry.close().await;
}

fn person(name: &str) -> Caller {
    Caller {
        role: Role::Bureau,
        organisation: "Data Bureau".to_owned(),
        person: name.to_owned(),
        fingerprint: Digest::of(name.as_bytes()),
    }
}

async fn units_min(domain: &Domain) -> u64 {
    policy_in_force(domain, &[]).await.unwrap().units_min()
}

async fn put_text(domain: &Domain, by: &str, text: &str) -> PolicyChangeRecord {
    put(domain, &person(by), (text, "p.toml"), "")
        .await
        .unwrap()
        .change
}

fn copy(folder: &Folder) -> String {
    std::fs::read_to_string(folder.policy()).unwrap()
}

/// The policies that came into force, by their names, as the log has them.
fn logged(domain: &Domain) -> Vec<String> {
    let names = |log: &mut weir_audit::Log| {
        let mut names = Vec::new();
        for index in 0..log.size() {
            if let Event::PolicyInForce { name, .. } = &log.entry(index)?.event {
                names.push(name.clone());
            }
        }
        Ok(names)
    };
    domain.record.with(names).unwrap()
}

#[tokio::test]
async fn a_tightening_is_in_force_at_once_and_after_a_restart() {
    let (_guard, folder) = made("0s").await;
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 10);
    let change = put_text(&domain, "wang", STRICT).await;
    assert_eq!(change.state, ChangeState::InForce);
    assert_eq!(units_min(&domain).await, 20);
    assert_eq!(copy(&folder), STRICT);
    let again = put_text(&domain, "li", STRICT).await;
    assert_eq!((again.id.as_str(), again.state), ("", ChangeState::InForce));
    assert_eq!(logged(&domain), ["default", "strict"]);
    close(domain).await;
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 20);
    assert_eq!(logged(&domain), ["default", "strict"]);
}

#[tokio::test]
async fn a_loosening_takes_two_people_and_its_time() {
    let (_guard, folder) = made("1h").await;
    let domain = open(&folder).await;
    let proposed = put_text(&domain, "wang", LOOSE).await;
    assert_eq!(proposed.state, ChangeState::Proposed);
    assert_eq!(
        put_text(&domain, "wang", LOOSE).await,
        proposed,
        "handed in again"
    );
    let own = approve(&domain, &person("wang"), &proposed.id, &proposed.digest).await;
    assert_eq!(own.unwrap_err().code, "POLICY_OWN_CHANGE");
    let other = approve(&domain, &person("li"), &proposed.id, "sha256:00").await;
    assert_eq!(other.unwrap_err().code, "POLICY_OTHER");
    let approved = approve(&domain, &person("li"), &proposed.id, &proposed.digest)
        .await
        .unwrap();
    assert_eq!(approved.state, ChangeState::Approved);
    assert_eq!(units_min(&domain).await, 10, "it waits");
    close(domain).await;

    // Restarted before its time: still waiting. Restarted after it: in force.
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 10);
    let past = PolicyChangeRecord {
        effective_at: Some(moment(Utc::now() - TimeDelta::seconds(1))),
        ..approved
    };
    domain.registry.put_policy_change(&past).await.unwrap();
    close(domain).await;
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 5);
    assert_eq!(copy(&folder), LOOSE);
    assert_eq!(logged(&domain), ["default", "loose"]);
    let in_force = domain.policies.now();
    assert_eq!(
        in_force.records(&[])[0].set_by,
        "wang (Data Bureau), approved by li (Data Bureau)"
    );
}

#[tokio::test]
async fn without_a_wait_an_approval_is_enough() {
    let (_guard, folder) = made("0s").await;
    let domain = open(&folder).await;
    let proposed = put_text(&domain, "wang", LOOSE).await;
    let approved = approve(&domain, &person("li"), &proposed.id, &proposed.digest)
        .await
        .unwrap();
    assert_eq!(approved.state, ChangeState::InForce);
    assert_eq!(units_min(&domain).await, 5);
    let again = approve(&domain, &person("li"), &proposed.id, &proposed.digest).await;
    assert_eq!(again.unwrap().state, ChangeState::InForce, "a lost answer");
    let late = withdraw(&domain, &person("li"), &proposed.id).await;
    assert_eq!(late.unwrap_err().code, "POLICY_CHANGE_CLOSED");
}

#[tokio::test]
async fn a_tightening_overtakes_what_waits() {
    let (_guard, folder) = made("1h").await;
    let domain = open(&folder).await;
    let proposed = put_text(&domain, "wang", LOOSE).await;
    approve(&domain, &person("li"), &proposed.id, &proposed.digest)
        .await
        .unwrap();
    put_text(&domain, "zhao", STRICT).await;
    let change = domain.registry.policy_change(&proposed.id).await.unwrap();
    assert_eq!(change.unwrap().state, ChangeState::Overtaken);
    assert_eq!(domain.policies.now().due, None);
    // And a mixture of tighter and looser is a loosening.
    let mixed = put_text(
        &domain,
        "wang",
        "name = \"m\"\ncell.units_min = 30\ntable.levels_max = 50",
    )
    .await;
    assert_eq!(mixed.state, ChangeState::Proposed);
    let other = put(&domain, &person("wang"), (LOOSE, "p"), "").await;
    assert_eq!(other.err().unwrap().code, "POLICY_CHANGE_OPEN");
    approve(&domain, &person("li"), &mixed.id, &mixed.digest)
        .await
        .unwrap();
    withdraw(&domain, &person("zhao"), &mixed.id).await.unwrap();
    let gone = approve(&domain, &person("li"), &mixed.id, &mixed.digest).await;
    assert_eq!(gone.unwrap_err().code, "POLICY_CHANGE_CLOSED");
    withdraw(&domain, &person("zhao"), &mixed.id).await.unwrap();
    assert_eq!(
        put_text(&domain, "wang", LOOSE).await.state,
        ChangeState::Proposed
    );
    assert_eq!(units_min(&domain).await, 20);
}

#[tokio::test]
async fn of_many_at_once_one_is_open_and_the_tightest_holds() {
    let (_guard, folder) = made("1h").await;
    let domain = Arc::new(open(&folder).await);
    let texts = (4..=9).map(|units| format!("name = \"loose\"\ncell.units_min = {units}"));
    let tight = (11..=16).map(|units| format!("name = \"tight\"\ncell.units_min = {units}"));
    let mut work = tokio::task::JoinSet::new();
    for (number, text) in texts.chain(tight).enumerate() {
        let domain = Arc::clone(&domain);
        work.spawn(async move {
            let by = person(&format!("p{number}"));
            let put = put(&domain, &by, (&text, "p"), "").await;
            put.map(|put| put.change.state).map_err(|fault| fault.code)
        });
    }
    for outcome in work.join_all().await {
        assert!(
            matches!(
                outcome,
                Ok(ChangeState::Proposed | ChangeState::InForce) | Err("POLICY_CHANGE_OPEN")
            ),
            "{outcome:?}"
        );
    }
    assert!(
        units_min(&domain).await >= 11,
        "each of the tight ones was in force, or came too late to tighten"
    );
    let open = domain.registry.policy_changes(true, 100).await.unwrap();
    assert!(open.len() <= 1, "{open:?}");
    let in_force = domain.policies.now();
    let record = &in_force.records(&[])[0];
    assert_eq!(record.digest, in_force.policy(&Scope::Domain).digest());
    assert_eq!(copy(&folder), record.text);
}

#[tokio::test]
async fn a_stop_between_registry_and_copy_is_no_edit() {
    let (_guard, folder) = made("0s").await;
    let domain = open(&folder).await;
    let before = copy(&folder);
    let proposed = put_text(&domain, "wang", LOOSE).await;
    approve(&domain, &person("li"), &proposed.id, &proposed.digest)
        .await
        .unwrap();
    let known = domain.registry.fact(Fact::PolicyFile).await.unwrap();
    // Stopped before the copy was written: the old one is there, and known as it is. It is stricter than what is in
    // force, and must not be taken for somebody's tightening.
    std::fs::write(folder.policy(), &before).unwrap();
    let old = open::digest_of(&before);
    domain
        .registry
        .set_fact(Fact::PolicyFile, &old)
        .await
        .unwrap();
    close(domain).await;
    let domain = open(&folder).await;
    assert_eq!(
        (units_min(&domain).await, copy(&folder).as_str()),
        (5, LOOSE)
    );
    assert_eq!(domain.registry.fact(Fact::PolicyFile).await.unwrap(), known);
    // Stopped after the copy was written, before that was noted.
    domain
        .registry
        .set_fact(Fact::PolicyFile, &old)
        .await
        .unwrap();
    close(domain).await;
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 5);
    assert_eq!(domain.registry.fact(Fact::PolicyFile).await.unwrap(), known);
    assert_eq!(logged(&domain), ["default", "loose"]);
    // The copy is gone.
    close(domain).await;
    std::fs::remove_file(folder.policy()).unwrap();
    let domain = open(&folder).await;
    assert_eq!(
        (units_min(&domain).await, copy(&folder).as_str()),
        (5, LOOSE)
    );
}

#[tokio::test]
async fn an_edited_file_may_tighten_and_never_loosens() {
    let (_guard, folder) = made("0s").await;
    // Before the first start the file is the policy, looser than the default or not.
    std::fs::write(folder.policy(), LOOSE).unwrap();
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 5);
    assert_eq!(logged(&domain), ["default", "loose"]);
    close(domain).await;

    std::fs::write(folder.policy(), STRICT).unwrap();
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 20);
    assert_eq!(logged(&domain), ["default", "loose", "strict"]);
    close(domain).await;

    std::fs::write(folder.policy(), LOOSE).unwrap();
    let aside = folder.root().join("policy.toml.edited");
    let domain = open(&folder).await;
    assert_eq!(units_min(&domain).await, 20);
    assert_eq!(copy(&folder), STRICT);
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), LOOSE);
    close(domain).await;

    // Comments alone: the text is taken, and nothing came into force.
    let commented = format!("# why\n{STRICT}");
    std::fs::write(folder.policy(), &commented).unwrap();
    let domain = open(&folder).await;
    assert_eq!(domain.policies.now().records(&[])[0].text, commented);
    assert_eq!(logged(&domain), ["default", "loose", "strict"]);
    close(domain).await;

    std::fs::write(folder.policy(), "name = \"x\"\ncell.units_min = 1\n").unwrap();
    let refused = Domain::open(folder.root()).await.err().unwrap();
    assert_eq!(refused.code, "POLICY_BELOW_FLOOR");
    std::fs::write(folder.policy(), &commented).unwrap();
    assert_eq!(units_min(&open(&folder).await).await, 20);
}

#[tokio::test]
async fn the_settings_have_the_wait_and_old_ones_the_default() {
    let (_guard, folder) = made("2s").await;
    let text = std::fs::read_to_string(folder.config()).unwrap();
    assert!(text.contains("policy_loosening_wait = \"2s\""), "{text}");
    let old = text.replace("policy_loosening_wait = \"2s\"\n", "");
    std::fs::write(folder.config(), old).unwrap();
    let config = Config::load(&folder.config()).unwrap();
    assert_eq!(config.policy_loosening_wait, Wait::POLICY_LOOSENING);
    let wrong = text.replace("\"2s\"", "\"soon\"");
    std::fs::write(folder.config(), wrong).unwrap();
    let fault = Config::load(Path::new(&folder.config())).unwrap_err();
    assert_eq!(fault.code, "CONFIG_INVALID");
    assert!(
        fault.message.contains("`soon` is not a span of time"),
        "{}",
        fault.message
    );
}
