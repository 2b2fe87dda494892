//! The authority changed for another one while the domain goes on.

use weir_client::v1::{DomainKey, KeyKind, RenewIdentityRequest, Role, RunRequest};
use weir_client::{Client, IdentityFolder, NewKey};
use weir_tests::{TestDomain, issue, refusal};

const SQL: &str = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";

fn request() -> RunRequest {
    RunRequest {
        sql: SQL.to_owned(),
        run_id: String::new(),
        snapshots: Vec::new(),
        grant: String::new(),
    }
}

async fn renewed(client: &Client, identity: &IdentityFolder) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let request = RenewIdentityRequest {
        signing_request_pem: key.signing_request_pem,
        valid_days: 1,
    };
    let issued = client.renew_identity(request).await.unwrap();
    IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        ..identity.clone()
    }
}

fn states(keys: &[DomainKey]) -> Vec<&str> {
    let authorities = keys.iter().filter(|key| key.kind() == KeyKind::Authority);
    authorities.map(|key| key.state.as_str()).collect()
}

/// Whoever has a certificate of the old authority goes on, until it is retired; whoever has one of the new goes on after it.
#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_changed_and_nobody_is_shut_out_before_the_old_one_is_retired() {
    let domain = TestDomain::with_flights().await;
    let old = issue(
        &domain.bureau,
        &domain.administrator,
        Role::Operator,
        "Acme Insurance",
    )
    .await;
    let open = Client::connect(&old).await.unwrap();
    let nothing = domain.bureau.retire_keys(KeyKind::Authority).await;
    assert!(refusal(&nothing.unwrap_err()).starts_with("KEY_NOTHING_TO_RETIRE"));
    for client in [
        &domain.operator,
        &domain.client(Role::Auditor, "Audit Office").await,
    ] {
        let refused = client.rotate_key(KeyKind::Authority).await.unwrap_err();
        assert!(refusal(&refused).starts_with("ROLE_NOT_ALLOWED"));
    }

    // A run is under way while it changes.
    let (rotated, during) = tokio::join!(
        domain.bureau.rotate_key(KeyKind::Authority),
        open.run(request(), |_| {})
    );
    let fingerprint = rotated.unwrap().key.unwrap().public;
    during.unwrap();
    let keys = domain.bureau.list_keys().await.unwrap();
    assert_eq!(states(&keys), ["in use", "accepted"]);
    assert!(keys.iter().any(|key| key.public == fingerprint));
    let twice = domain.bureau.rotate_key(KeyKind::Authority).await;
    assert!(refusal(&twice.unwrap_err()).starts_with("KEY_EARLIER_ACCEPTED"));

    // The old certificate, which knows the old authority alone: the connection that was open, and a new one.
    open.run(request(), |_| {}).await.unwrap();
    let again = Client::connect(&old).await.unwrap();
    again.run(request(), |_| {}).await.unwrap();
    // Two ways to one of the new authority, which knows that one alone.
    let renewed_old = renewed(&again, &old).await;
    assert_ne!(renewed_old.authority_pem, old.authority_pem);
    let issued = issue(
        &domain.bureau,
        &domain.administrator,
        Role::Operator,
        "Acme Insurance",
    )
    .await;
    assert_eq!(issued.authority_pem, renewed_old.authority_pem);
    for new in [&renewed_old, &issued] {
        let client = Client::connect(new).await.unwrap();
        client.run(request(), |_| {}).await.unwrap();
    }
    // A certificate of the one authority and trust in the other: each works, as long as both are accepted.
    let mixed = IdentityFolder {
        authority_pem: old.authority_pem.clone(),
        ..issued.clone()
    };
    Client::connect(&mixed).await.unwrap();
    let bureau = renewed(&domain.bureau, &domain.administrator).await;
    let bureau = Client::connect(&bureau).await.unwrap();

    // From here on the old one is refused, on what was open too; the new one does not notice.
    let new = Client::connect(&issued).await.unwrap();
    let (retired, during) = tokio::join!(
        bureau.retire_keys(KeyKind::Authority),
        new.run(request(), |_| {})
    );
    retired.unwrap();
    during.unwrap();
    assert!(open.run(request(), |_| {}).await.is_err());
    assert!(again.who_am_i().await.is_err());
    assert!(domain.bureau.who_am_i().await.is_err());
    let shut_out = match Client::connect(&old).await {
        Ok(client) => client.who_am_i().await.is_err(),
        Err(_) => true,
    };
    assert!(shut_out);
    new.run(request(), |_| {}).await.unwrap();
    assert_eq!(states(&bureau.list_keys().await.unwrap()), ["in use"]);

    // All of it is on record, and holds after a start.
    let log_key = domain.operator.log_key().clone();
    let (folder, _guard) = domain.stop().await;
    let traced = weir_audit::trace(&folder.log(), &log_key, "wang", &mut |_, _| {}).unwrap();
    let changes = traced
        .changes
        .iter()
        .filter_map(|one| match &one.entry.event {
            weir_audit::Event::KeyRotated { key, public } => Some(("rotated", key, public)),
            weir_audit::Event::KeyRetired { key, public } => Some(("retired", key, public)),
            _ => None,
        });
    let changes: Vec<_> = changes.collect();
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (changes[0].0, changes[0].1.as_str()),
        ("rotated", "authority")
    );
    assert_eq!(changes[0].2, &fingerprint);
    assert_eq!(changes[1].0, "retired");
    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    let serving = weir_server::serve(opened).await.unwrap();
    let at = |identity: &IdentityFolder| IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..identity.clone()
    };
    let client = Client::connect(&at(&issued)).await.unwrap();
    client.run(request(), |_| {}).await.unwrap();
    let refused = match Client::connect(&at(&old)).await {
        Ok(client) => client.who_am_i().await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    serving.stop().await.unwrap();
}

/// A domain that was made before authorities could be changed has the certificate in a file of its own; one that was stopped
/// right after a change has the earlier one in it. Both are mended by a start, and an overlap outlives it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_over_starts_and_an_older_folder_is_read() {
    let domain = TestDomain::with_flights().await;
    let administrator = domain.administrator.clone();
    let old = issue(
        &domain.bureau,
        &administrator,
        Role::Operator,
        "Acme Insurance",
    )
    .await;
    let (folder, _guard) = domain.stop().await;
    let key = folder.keys().join("authority.key");
    let certificate = folder.keys().join("authority.pem");
    let before = std::fs::read_to_string(&certificate).unwrap();
    let text = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, text.strip_suffix(&before).unwrap()).unwrap();

    for rotates in [true, false] {
        let opened = weir_server::Domain::open(folder.root()).await.unwrap();
        let serving = weir_server::serve(opened).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&certificate).unwrap() == before,
            rotates
        );
        let at = |identity: &IdentityFolder| IdentityFolder {
            server_url: format!("https://{}", serving.address()),
            ..identity.clone()
        };
        let client = Client::connect(&at(&old)).await.unwrap();
        client.run(request(), |_| {}).await.unwrap();
        let bureau = Client::connect(&at(&administrator)).await.unwrap();
        if rotates {
            bureau.rotate_key(KeyKind::Authority).await.unwrap();
        }
        let keys = bureau.list_keys().await.unwrap();
        assert_eq!(states(&keys), ["in use", "accepted"]);
        serving.stop().await.unwrap();
        if rotates {
            std::fs::write(&certificate, &before).unwrap();
        }
    }
}
