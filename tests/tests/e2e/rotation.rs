//! Keys changed while the domain goes on.

use weir_audit::{Event, Receipt, VerifierKey, verify_log};
use weir_client::v1::{DomainKey, IssueIdentityRequest, KeyKind, Role, RunRequest};
use weir_client::{Client, ClientError, IdentityFolder, NewKey, RunAnswer};
use weir_server::{create_backup, restore_backup};
use weir_tests::{TestDomain, refusal};

const SQL: &str = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_changed_while_runs_go_on() {
    let domain = TestDomain::with_flights().await;
    let master = domain.folder.keys().join("master.key");
    let shelf = tempfile::tempdir().unwrap();
    let place = |name: &str| shelf.path().join(name);
    let before = (
        domain.run(SQL).await.unwrap(),
        std::fs::read(&master).unwrap(),
    );
    create_backup(
        domain.folder.root(),
        &place("old"),
        Some(&place("old-keys")),
    )
    .await
    .unwrap();

    for client in [
        &domain.operator,
        &domain.client(Role::Auditor, "Audit Office").await,
    ] {
        let refused = client.rotate_key(KeyKind::Master).await.unwrap_err();
        assert!(refusal(&refused).starts_with("ROLE_NOT_ALLOWED"));
    }
    let (rotated, during) = tokio::join!(domain.bureau.rotate_key(KeyKind::Master), async {
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(domain.run(SQL).await.unwrap());
        }
        answers
    });
    // A snapshot's, a population's and the vault's own.
    assert_eq!(rotated.unwrap().rewrapped, 3);
    assert_ne!(std::fs::read(&master).unwrap(), before.1);
    let after = domain.run(SQL).await.unwrap();
    for answer in during.iter().chain([&after]) {
        assert_eq!(answer.released, before.0.released);
        let receipt = Receipt::from_json(before.0.receipt_json.as_bytes()).unwrap();
        receipt.verify(domain.operator.log_key()).unwrap();
    }
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let keys = auditor.list_keys().await.unwrap();
    assert!(
        keys.iter()
            .any(|key| key.kind() == KeyKind::Master && key.public == "file")
    );

    // Each backup opens with the keys of its time, and with no others.
    create_backup(
        domain.folder.root(),
        &place("new"),
        Some(&place("new-keys")),
    )
    .await
    .unwrap();
    let (folder, _guard) = domain.stop().await;
    for (backup, keys, opens) in [
        ("old", "old-keys", true),
        ("new", "new-keys", true),
        ("old", "new-keys", false),
        ("new", "old-keys", false),
    ] {
        let into = place(&format!("{backup}-with-{keys}"));
        let restored = restore_backup(&place(backup), &place(keys), &into).await;
        match opens {
            true => drop(restored.unwrap()),
            false => assert_eq!(restored.unwrap_err().code, "MASTER_KEY_WRONG"),
        }
    }

    // And it starts again.
    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    let serving = weir_server::serve(opened).await.unwrap();
    serving.stop().await.unwrap();
    let key = std::fs::read_to_string(folder.log_verifier_key()).unwrap();
    let traced = weir_audit::trace(
        &folder.log(),
        &key.trim().parse().unwrap(),
        "wang",
        &mut |_, _| {},
    );
    let rotated = |event: &Event| matches!(event, Event::KeyRotated { key, .. } if key == "master");
    let traced = traced.unwrap();
    let entries = traced.changes.iter();
    assert_eq!(entries.filter(|one| rotated(&one.entry.event)).count(), 1);
}

/// A server that was killed while the key changed: whichever step it was at, the next start completes it and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_cut_off_is_completed_at_the_next_start() {
    let domain = TestDomain::with_flights().await;
    let before = domain.run(SQL).await.unwrap();
    let (folder, _guard) = domain.stop().await;
    let master = folder.keys().join("master.key");
    let next = folder.keys().join("master.key.next");
    // As after the first step: the next key is there, and everything is wrapped under the last one.
    let old = std::fs::read_to_string(&master).unwrap();
    let digits: String = old.trim().chars().rev().take(64).collect();
    std::fs::write(&next, format!("weir-master-key-v1:{digits}\n")).unwrap();
    std::fs::set_permissions(&next, std::fs::metadata(&master).unwrap().permissions()).unwrap();

    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    assert!(!next.exists());
    assert_ne!(std::fs::read_to_string(&master).unwrap(), old);
    let serving = weir_server::serve(opened).await.unwrap();
    serving.stop().await.unwrap();
    let key = std::fs::read_to_string(folder.log_verifier_key()).unwrap();
    let report =
        weir_audit::verify_log(&folder.log(), &key.trim().parse().unwrap(), &mut |_, _| {});
    // Its own, that of the change, and one for each stop.
    assert_eq!(report.unwrap().entries, before.entry.index() + 4);
}

/// The log's key is changed twice and the earlier ones retired: whoever knows only the first key goes on until then, old
/// receipts and grants hold for ever, and the domain starts again in between.
#[tokio::test(flavor = "multi_thread")]
async fn the_signing_key_is_changed_and_nobody_has_to_learn_of_it_at_once() {
    let domain = TestDomain::with_flights().await;
    let first = domain.operator.log_key().clone();
    let before = domain.run(SQL).await.unwrap();

    let rotated = domain.bureau.rotate_key(KeyKind::Signing).await.unwrap();
    let second: VerifierKey = rotated.key.unwrap().public.parse().unwrap();
    assert_ne!(second, first);
    // The operator knows the first key alone; its client verifies every receipt before it hands out an answer.
    let after = domain.run(SQL).await.unwrap();
    let verifies = |answer: &RunAnswer, key: &VerifierKey| {
        let receipt = Receipt::from_json(answer.receipt_json.as_bytes()).unwrap();
        receipt.verify(key).is_ok()
    };
    assert!(verifies(&after, &first) && verifies(&after, &second));
    assert!(verifies(&before, &first) && !verifies(&before, &second));

    // Somebody who comes now is told of both.
    let late = identity(&domain, Role::Operator, "Acme Insurance").await;
    let known: VerifierKey = late.log_key.parse().unwrap();
    assert_eq!(known.singles(), [second.clone(), first.clone()]);
    assert!(verifies(&before, &known) && verifies(&after, &known));

    domain.bureau.rotate_key(KeyKind::Signing).await.unwrap();
    let states = |keys: Vec<DomainKey>| -> Vec<String> {
        let signing = keys
            .into_iter()
            .filter(|key| key.kind() == KeyKind::Signing);
        signing.map(|key| key.state).collect()
    };
    assert_eq!(
        states(domain.bureau.list_keys().await.unwrap()),
        ["in use", "signs too", "signs too"]
    );
    domain.run(SQL).await.unwrap();
    domain.bureau.retire_keys(KeyKind::Signing).await.unwrap();
    assert_eq!(
        states(domain.bureau.list_keys().await.unwrap()),
        ["in use", "accepted", "accepted"]
    );
    // From here on the first key is not enough. What was granted under it still is: the run goes on to its receipt.
    let told = domain.run(SQL).await.map(drop).unwrap_err();
    assert!(
        told.to_string().contains("AUDIT_") || matches!(told, ClientError::Untrusted(_)),
        "{told}"
    );

    let (folder, _guard) = domain.stop().await;
    let key: VerifierKey = std::fs::read_to_string(folder.log_verifier_key())
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(key.singles().len(), 3);
    let serving = weir_server::serve(weir_server::Domain::open(folder.root()).await.unwrap())
        .await
        .unwrap();
    let operator = Client::connect(&IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        log_key: key.to_string(),
        ..late
    })
    .await
    .unwrap();
    let request = RunRequest {
        sql: SQL.to_owned(),
        run_id: String::new(),
        snapshots: Vec::new(),
        grant: String::new(),
    };
    let last = operator.run(request, |_| {}).await.unwrap();
    assert!(!verifies(&last, &first) && !verifies(&last, &second) && verifies(&last, &key));
    assert!(verifies(&before, &key));
    serving.stop().await.unwrap();
    verify_log(&folder.log(), &key, &mut |_, _| {}).unwrap();
}

async fn identity(domain: &TestDomain, role: Role, organisation: &str) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let request = IssueIdentityRequest {
        signing_request_pem: key.signing_request_pem,
        role: role.into(),
        organisation: organisation.to_owned(),
        person: "li".to_owned(),
        valid_days: 1,
        request_key: String::new(),
    };
    let issued = domain.bureau.issue_identity(request).await.unwrap();
    IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        log_key: domain.bureau.who_am_i().await.unwrap().log_key,
        ..domain.administrator.clone()
    }
}
