//! Policies over the wire: two people, a wait, a tightening at once, a restart, a dataset's own.

use std::time::{Duration, Instant};

use weir_audit::{Event, Receipt};
use weir_client::v1::{
    PolicyChange, PolicyChangeState, PutPolicyRequest, ReplayPolicyRequest, ReplayedCell, Role,
};
use weir_client::{Client, ClientError, IdentityFolder};
use weir_tests::{TestDomain, issue, refusal};

use crate::expected::cells;

const MANIFEST: &str = r#"
name = "people"
population = "persons"
unit = "id"
description = "People of a country"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"
[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Where"
"#;

/// Persons of each town.
const TOWNS: [(&str, usize); 4] = [("North", 200), ("South", 200), ("East", 15), ("West", 7)];

const SQL: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";

const STRICT: &str = "name = \"strict\"\n[cell]\nunits_min = 20\n";
const LOOSE: &str =
    "name = \"loose\"\n[cell]\nunits_min = 5\nrows_min = 5\ncomplement_units_min = 5\n";

async fn with_people(wait: &str) -> TestDomain {
    let domain = TestDomain::start_with(|folder| {
        let settings = std::fs::read_to_string(folder.config()).unwrap();
        let waits = settings.replace(
            "policy_loosening_wait = \"1d\"",
            &format!("policy_loosening_wait = \"{wait}\""),
        );
        assert_ne!(settings, waits);
        std::fs::write(folder.config(), waits).unwrap();
    })
    .await;
    let mut csv = "id,town\n".to_owned();
    for (town, persons) in TOWNS {
        for person in 0..persons {
            csv += &format!("{town}{person},{town}\n");
        }
    }
    let registered = domain.register_bytes("people.csv", csv.as_bytes(), MANIFEST);
    registered.await.unwrap();
    domain
}

/// The towns that leave, and the digest of the policy that they were judged by.
async fn towns(operator: &Client) -> (Vec<String>, String) {
    let request = weir_client::v1::RunRequest {
        sql: SQL.to_owned(),
        ..Default::default()
    };
    let answer = operator.run(request, |_| {}).await.unwrap();
    let Event::ReleaseDecided { policy_digest, .. } = &answer.entry.entry().event else {
        panic!("another entry");
    };
    let keys = cells(&answer.released, 1).into_keys().flatten();
    (keys.collect(), policy_digest.to_string())
}

async fn put(client: &Client, text: &str, dataset: &str) -> Result<PolicyChange, ClientError> {
    let request = PutPolicyRequest {
        text: text.to_owned(),
        source_name: "p.toml".to_owned(),
        dataset: dataset.to_owned(),
    };
    client.put_policy(request).await
}

/// Serves the domain again and connects as these.
async fn served_again(
    domain: TestDomain,
    identities: [IdentityFolder; 2],
) -> (weir_server::Serving, [Client; 2], tempfile::TempDir) {
    let (folder, guard) = domain.stop().await;
    let serving = weir_server::serve(weir_server::Domain::open(folder.root()).await.unwrap())
        .await
        .unwrap();
    let url = format!("https://{}", serving.address());
    let [first, second] = identities.map(|identity| IdentityFolder {
        server_url: url.clone(),
        ..identity
    });
    let clients = [
        Client::connect(&first).await.unwrap(),
        Client::connect(&second).await.unwrap(),
    ];
    (serving, clients, guard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tightening_is_in_force_at_once() {
    let domain = with_people("1h").await;
    let default = domain.bureau.policy(&[]).await.unwrap();
    assert_eq!(
        towns(&domain.operator).await,
        (
            vec!["East".into(), "North".into(), "South".into()],
            default.digest
        )
    );

    let change = put(&domain.bureau, STRICT, "people").await.unwrap();
    assert_eq!(change.state(), PolicyChangeState::InForce);
    let moved: Vec<_> = change
        .keys
        .iter()
        .map(|key| (key.key.as_str(), key.effect.as_str()))
        .collect();
    assert_eq!(
        moved,
        [("cell.units_min", "cells of 3–19 units are withheld")]
    );
    let effective = domain
        .operator
        .policy(&["people".to_owned()])
        .await
        .unwrap();
    assert_eq!(effective.name, "default+strict");
    assert_eq!(
        towns(&domain.operator).await,
        (
            vec!["North".into(), "South".into()],
            effective.digest.clone()
        )
    );
    let units = effective
        .limits
        .iter()
        .find(|limit| limit.key == "cell.units_min")
        .unwrap();
    assert_eq!(
        (
            units.value.as_deref(),
            units.floor.as_deref(),
            units.layer.as_str()
        ),
        (Some("20"), Some("3"), "dataset people")
    );
    let rows = effective
        .limits
        .iter()
        .find(|limit| limit.key == "cell.rows_min")
        .unwrap();
    assert_eq!(
        (rows.value.as_deref(), rows.layer.as_str()),
        (Some("10"), "domain")
    );
    assert_eq!(effective.layers[1].set_by, "wang (Data Bureau)");

    // Nothing is left of it for the domain, and the same again changes nothing.
    let alone = domain.bureau.policy(&[]).await.unwrap();
    assert_eq!(alone.name, "default");
    let again = put(&domain.bureau, STRICT, "people").await.unwrap();
    assert_eq!(
        (again.id.as_str(), again.state()),
        ("", PolicyChangeState::InForce)
    );
    // To drop a dataset's policy is to loosen it.
    let dropped = put(&domain.bureau, "name = \"none\"", "people")
        .await
        .unwrap();
    assert_eq!(dropped.state(), PolicyChangeState::Proposed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loosening_takes_a_second_person_and_its_time_and_survives_restarts() {
    let domain = with_people("4s").await;
    let second = issue(
        &domain.bureau,
        &domain.administrator,
        Role::Bureau,
        "Data Bureau",
    )
    .await;
    let li = Client::connect(&second).await.unwrap();
    let acme = issue(
        &domain.bureau,
        &domain.administrator,
        Role::Operator,
        "Acme",
    )
    .await;
    let client = Client::connect(&acme).await.unwrap();
    let asked = domain.whole_application().unwrap();
    domain.grant(&client, "Acme", &asked).await.unwrap();

    let change = put(&domain.bureau, LOOSE, "").await.unwrap();
    assert_eq!(change.state(), PolicyChangeState::Proposed);
    let own = domain
        .bureau
        .approve_policy(&change.id, &change.digest)
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&own),
        "POLICY_OWN_CHANGE: you proposed this change, and a loosening takes two people. Another person of the bureau approves it"
    );
    let of_operator = domain
        .operator
        .approve_policy(&change.id, &change.digest)
        .await
        .unwrap_err();
    assert_eq!(of_operator.code(), "ROLE_NOT_ALLOWED");

    // Between proposal and approval.
    let (serving, [li_again, operator], guard) = served_again(domain, [second, acme]).await;
    drop(li);
    let listed = li_again.list_policy_changes(true).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&change));
    let approved = li_again
        .approve_policy(&change.id, &change.digest)
        .await
        .unwrap();
    let since = Instant::now();
    assert_eq!(approved.state(), PolicyChangeState::Approved);
    assert_eq!(approved.approved_by.as_deref(), Some("zhou (Data Bureau)"));
    let (before, _) = towns(&operator).await;
    assert!(
        since.elapsed() < Duration::from_secs(4),
        "too slow a machine for this test"
    );
    assert_eq!(before, ["East", "North", "South"], "it waits");

    tokio::time::sleep(Duration::from_secs(4).saturating_sub(since.elapsed())).await;
    let (after, digest) = towns(&operator).await;
    assert_eq!(after, ["East", "North", "South", "West"]);
    let in_force = operator.policy(&[]).await.unwrap();
    assert_eq!((in_force.name.as_str(), in_force.digest), ("loose", digest));
    assert_eq!(
        in_force.layers[0].set_by,
        "wang (Data Bureau), approved by zhou (Data Bureau)"
    );
    assert!(li_again.list_policy_changes(true).await.unwrap().is_empty());
    let all = li_again.list_policy_changes(false).await.unwrap();
    assert_eq!(all[0].state(), PolicyChangeState::InForce);
    serving.stop().await.unwrap();
    drop(guard);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_withdrawn_or_overtaken_and_refusals_say_what_to_do() {
    let domain = with_people("1h").await;
    let li = domain.client(Role::Bureau, "Data Bureau").await;
    let change = put(&domain.bureau, LOOSE, "").await.unwrap();
    let mut seen = String::new();
    let mut see = |outcome: Result<PolicyChange, ClientError>| {
        let error = refusal(&outcome.unwrap_err())
            .replace(&change.id, "ID")
            .replace(&change.digest, "DIGEST");
        seen += &format!("{error}\n");
    };
    see(put(&li, "name = \"other\"\ntable.levels_max = 41", "").await);
    see(li.approve_policy(&change.id, "").await);
    see(li
        .approve_policy(&change.id, &domain.bureau.policy(&[]).await.unwrap().digest)
        .await);
    see(li
        .approve_policy("x".repeat(100).as_str(), "sha256:00")
        .await);
    li.withdraw_policy(&change.id).await.unwrap();
    see(li.approve_policy(&change.id, &change.digest).await);
    see(put(&li, "name = \"x\"\n[cell]\nunits_min = 2", "").await);
    see(put(&li, STRICT, "nowhere").await);
    see(put(&li, &"#".repeat(70_000), "").await);
    insta::assert_snapshot!(seen, @r#"
POLICY_CHANGE_OPEN: another change of this policy is open: `ID`, policy `loose`. Approve it, or take it back with `weir policy withdraw ID`, before handing in another that loosens
DIGEST_MISSING: an approval binds to a digest and none was sent. Send the digest of the policy that was reviewed
POLICY_OTHER: the policy of this change has the digest DIGEST, another than the one that was reviewed. Look at it again with `weir policy list`
POLICY_CHANGE_UNKNOWN: there is no change `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` of a policy. `weir policy list` shows those that are open
POLICY_CHANGE_CLOSED: this change was withdrawn and cannot be approved. Hand the policy in again with `weir policy put`
POLICY_BELOW_FLOOR: p.toml:3:13: `cell.units_min` is `2`, but the floor is 3: a cell of 1–2 units shows one unit's value to the other. Write 3 or more
DATASET_UNKNOWN: there is no dataset `nowhere`. `weir dataset list` shows those there are
POLICY_TOO_LARGE: p.toml: a policy file has at most 65536 bytes, this one is larger; remove what is not policy
"#);

    let proposed = put(&domain.bureau, LOOSE, "").await.unwrap();
    assert_ne!(proposed.id, change.id);
    li.approve_policy(&proposed.id, &proposed.digest)
        .await
        .unwrap();
    put(&li, STRICT, "").await.unwrap();
    let states: Vec<_> = li
        .list_policy_changes(false)
        .await
        .unwrap()
        .iter()
        .map(|change| (change.name.clone(), change.state()))
        .collect();
    assert_eq!(
        states,
        [
            ("strict".to_owned(), PolicyChangeState::InForce),
            ("loose".to_owned(), PolicyChangeState::Overtaken),
            ("loose".to_owned(), PolicyChangeState::Withdrawn),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_in_the_log() {
    let domain = with_people("0s").await;
    let default = domain.bureau.policy(&[]).await.unwrap().digest;
    let li = domain.client(Role::Bureau, "Data Bureau").await;
    let withdrawn = put(&domain.bureau, LOOSE, "").await.unwrap();
    li.withdraw_policy(&withdrawn.id).await.unwrap();
    let change = put(&domain.bureau, LOOSE, "").await.unwrap();
    let taken = li.approve_policy(&change.id, &change.digest).await.unwrap();
    assert_eq!(
        taken.state(),
        PolicyChangeState::InForce,
        "nothing to wait for"
    );
    put(&li, STRICT, "people").await.unwrap();
    let request = ReplayPolicyRequest {
        text: STRICT.to_owned(),
        ..Default::default()
    };
    let replay = li.replay_policy(request, |_| {}).await.unwrap();
    assert_eq!(replay.summary.releases, 0);

    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let mut events = Vec::new();
    for index in 0.. {
        let Ok(receipt) = auditor.receipt(index).await else {
            break;
        };
        let verified = Receipt::from_json(receipt.as_bytes())
            .and_then(|receipt| receipt.verify(auditor.log_key()))
            .unwrap();
        let entry = verified.entry();
        let said = match &entry.event {
            Event::PolicyInForce { name, .. } => format!("in force: {name}"),
            Event::DatasetPolicyInForce { dataset, name, .. } => {
                format!("in force for {dataset}: {name}")
            }
            Event::PolicyProposed { name, replaces, .. } => {
                assert_eq!(replaces.to_string(), default);
                format!("proposed: {name}")
            }
            Event::PolicyApproved { digest, .. } => {
                assert_eq!(digest.to_string(), change.digest);
                "approved".to_owned()
            }
            Event::PolicyWithdrawn { change, .. } => {
                assert_eq!(*change, withdrawn.id);
                "withdrawn".to_owned()
            }
            Event::PolicyReplayed { .. } => "replayed".to_owned(),
            _ => continue,
        };
        events.push(format!("{}: {said}", entry.actor.person));
    }
    insta::assert_snapshot!(events.join("\n"), @r#"
wang: in force: default
wang: proposed: loose
zhou: withdrawn
wang: proposed: loose
zhou: approved
server: in force: loose
zhou: in force for people: strict
zhou: replayed
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_releases_are_judged_again_under_another_policy() {
    let domain = with_people("1h").await;
    towns(&domain.operator).await;
    towns(&domain.operator).await;
    let replayed = async |text: &str, dataset: &str, limit: u32| {
        let request = ReplayPolicyRequest {
            text: text.to_owned(),
            dataset: dataset.to_owned(),
            limit,
            ..Default::default()
        };
        let replay = domain.bureau.replay_policy(request, |_| {}).await.unwrap();
        let told: Vec<String> = replay
            .releases
            .iter()
            .map(|release| {
                let cells = |cells: &[ReplayedCell]| {
                    let named = cells
                        .iter()
                        .map(|one| format!("{} ({})", one.cell, one.rules.join(", ")));
                    named.collect::<Vec<_>>().join("; ")
                };
                format!(
                    "-{} +{} {}{}",
                    cells(&release.withheld),
                    cells(&release.released),
                    release.refused,
                    release.problem
                )
            })
            .collect();
        let summary = replay.summary;
        (
            told.join("\n"),
            [
                summary.releases,
                summary.cells_before,
                summary.now_withheld,
                summary.newly_released,
            ],
        )
    };
    let default = "name = \"default\"";
    assert_eq!(
        replayed(default, "", 0).await,
        (String::new(), [2, 6, 0, 0])
    );
    let (told, numbers) = replayed(STRICT, "people", 1).await;
    assert_eq!(
        (told.as_str(), numbers),
        ("-town=\"East\" (units) + ", [1, 3, 1, 0])
    );
    let (told, numbers) = replayed(LOOSE, "", 1).await;
    assert_eq!(numbers, [1, 3, 0, 1]);
    assert!(told.starts_with("- +town=\"West\" (units"), "{told}");
    let (told, numbers) = replayed("name = \"x\"\ntable.cells_max = 2", "", 1).await;
    assert_eq!(numbers, [1, 3, 3, 0]);
    assert!(told.ends_with(" GATE_TOO_MANY_CELLS"), "{told}");

    // Under a policy of the dataset's own, what the domain says is tightened as it would be in force.
    put(&domain.bureau, STRICT, "people").await.unwrap();
    let (_, numbers) = replayed(LOOSE, "", 1).await;
    assert_eq!(
        numbers,
        [1, 3, 1, 0],
        "East is withheld by the dataset's policy"
    );
    // What was made of a snapshot goes with it.
    let destroy = weir_client::v1::DestroySnapshotRequest {
        dataset: "people".to_owned(),
        snapshot: String::new(),
        reason: "a test".to_owned(),
    };
    domain.bureau.destroy_snapshot(destroy).await.unwrap();
    let (told, numbers) = replayed(default, "", 1).await;
    assert_eq!(numbers, [0, 0, 0, 0]);
    assert!(told.ends_with("[SNAPSHOT_DESTROYED]"), "{told}");
    let error = domain
        .operator
        .replay_policy(ReplayPolicyRequest::default(), |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), "ROLE_NOT_ALLOWED");
}
