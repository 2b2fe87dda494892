//! What has to be kept until when, and what of it can be destroyed.

use weir_audit::verify_log;
use weir_client::Client;
use weir_client::v1::{DestroyKeptRequest, Role};
use weir_server::Domain;
use weir_tests::{TestDomain, refusal};

const SQL: &str = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";

async fn destroy(client: &Client, kind: &str, run_id: &str) -> Result<u64, String> {
    let request = DestroyKeptRequest {
        kind: kind.to_owned(),
        run_id: run_id.to_owned(),
        reason: "a test".to_owned(),
    };
    let answer = client.destroy_kept(request).await;
    answer
        .map(|answer| answer.destroyed)
        .map_err(|error| refusal(&error))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_kept_is_not_destroyed() {
    let domain = TestDomain::with_flights().await;
    let answer = domain.run(SQL).await.unwrap();
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let kinds = auditor.retention().await.unwrap();
    let of = |kind: &str| kinds.iter().find(|one| one.kind == kind).unwrap();
    for kind in ["log", "ledger", "bases", "evidence"] {
        assert!(of(kind).days >= 20 * 365, "{kind}");
        assert!(of(kind).count > 0, "{kind}");
        assert_eq!(of(kind).due, 0, "{kind}");
        // Twenty years from now on, whatever year it is.
        let years = |text: &str| text[..4].parse::<i32>().unwrap();
        assert!(
            years(&of(kind).until) >= years(&of(kind).oldest) + 20,
            "{kind}"
        );
    }
    assert_eq!((of("answers").days, of("answers").count), (365, 1));
    let destroyable = kinds.iter().filter(|one| one.destroyable);
    let destroyable: Vec<_> = destroyable.map(|one| one.kind.as_str()).collect();
    assert_eq!(destroyable, ["evidence", "answers"]);

    for kind in ["log", "ledger", "bases"] {
        let refused = destroy(&domain.bureau, kind, "").await.unwrap_err();
        assert!(refused.starts_with("RETENTION_KEPT"), "{refused}");
    }
    for (kind, run) in [
        ("evidence", ""),
        ("answers", ""),
        ("answers", answer.run_id.as_str()),
        ("evidence", answer.run_id.as_str()),
    ] {
        let refused = destroy(&domain.bureau, kind, run).await.unwrap_err();
        assert!(refused.starts_with("RETENTION_NOT_DUE"), "{refused}");
    }
    let refused = destroy(&domain.bureau, "answers", "no such run")
        .await
        .unwrap_err();
    assert!(refused.starts_with("RETENTION_UNKNOWN"), "{refused}");
    let refused = destroy(&domain.bureau, "everything", "").await.unwrap_err();
    assert!(refused.starts_with("RETENTION_KIND"), "{refused}");
    for client in [&auditor, &domain.operator] {
        let refused = destroy(client, "answers", "").await.unwrap_err();
        assert!(refused.starts_with("ROLE_NOT_ALLOWED"), "{refused}");
    }
    let refused = refusal(&domain.operator.retention().await.unwrap_err());
    assert!(refused.starts_with("ROLE_NOT_ALLOWED"));

    // Nothing of this is an entry, and the answer is there.
    let key = domain.operator.log_key().clone();
    let again = domain.run(SQL).await.unwrap();
    assert_eq!(again.released, answer.released);
    let (folder, _guard) = domain.stop().await;
    let report = verify_log(&folder.log(), &key, &mut |_, _| {}).unwrap();
    // But that of the stop.
    assert_eq!(report.entries, again.entry.index() + 2);
}

/// The floors are no setting.
#[tokio::test(flavor = "multi_thread")]
async fn terms_below_the_floors_are_refused() {
    let domain = TestDomain::start().await;
    let (folder, _guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    for (terms, code) in [
        ("record_years = 19", "RETENTION_TOO_SHORT"),
        ("record_years = 0", "RETENTION_TOO_SHORT"),
        ("answers_days = 29", "RETENTION_TOO_SHORT"),
        ("record_years = 201", "CONFIG_INVALID"),
        ("log_days = 1", "CONFIG_INVALID"),
    ] {
        std::fs::write(
            folder.config(),
            format!("{settings}\n[retention]\n{terms}\n"),
        )
        .unwrap();
        let fault = Domain::open(folder.root()).await.err().unwrap();
        assert_eq!(fault.code, code, "{terms}");
    }
    std::fs::write(
        folder.config(),
        format!("{settings}\n[retention]\nrecord_years = 30\nanswers_days = 30\n"),
    )
    .unwrap();
    drop(Domain::open(folder.root()).await.unwrap());
}
