//! The policy that a grant's runs are judged by, as it is shown.

use weir_audit::Event;
use weir_client::Client;
use weir_client::v1::{DelegateGrantRequest, Policy, Role, RunRequest};
use weir_tests::{OPERATOR, TestDomain};

use crate::grants::{text, with_people};

const SQL: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";

/// Value and layer of a limit.
fn limit<'a>(policy: &'a Policy, key: &str) -> (&'a str, &'a str) {
    let limit = policy.limits.iter().find(|limit| limit.key == key).unwrap();
    (limit.value.as_deref().unwrap_or(""), &limit.layer)
}

/// The digest of the policy that a run was judged by, as its log entry has it.
async fn judged_by(client: &Client, grant: &str) -> String {
    let request = RunRequest {
        sql: SQL.to_owned(),
        grant: grant.to_owned(),
        ..Default::default()
    };
    let answer = client.run(request, |_| {}).await.unwrap();
    match &answer.entry.entry().event {
        Event::ReleaseDecided { policy_digest, .. } => policy_digest.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn tighten(domain: &TestDomain) {
    let dataset = weir_client::v1::PutPolicyRequest {
        text: "name = \"people\"\n[cell]\nrows_min = 60\n".to_owned(),
        source_name: "p.toml".to_owned(),
        dataset: "people".to_owned(),
    };
    domain.bureau.put_policy(dataset).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_a_grant_is_the_one_that_its_runs_are_judged_by() {
    let domain = with_people().await;
    tighten(&domain).await;
    let operator = &domain.operator;
    let more = "partners = [\"Beta\"]\npolicy.cell.units_min = 50\n";
    let asked = text("strict", &["town"], more);
    let grant = domain.grant(operator, OPERATOR, &asked).await.unwrap();
    let delegated = DelegateGrantRequest {
        id: grant.id.clone(),
        organisation: "Beta".to_owned(),
        ..Default::default()
    };
    let part = operator.delegate_grant(delegated).await.unwrap();

    let shown = operator.policy_under(&grant.id, &[]).await.unwrap();
    let by_grant = format!("grant {}", grant.id);
    assert_eq!(limit(&shown, "cell.units_min"), ("50", by_grant.as_str()));
    assert_eq!(limit(&shown, "cell.rows_min"), ("60", "dataset people"));
    assert_eq!(limit(&shown, "rounding.count_base").1, "domain");
    let layers: Vec<_> = shown
        .layers
        .iter()
        .map(|layer| (layer.dataset.as_str(), layer.grant.as_str()))
        .collect();
    assert_eq!(layers, [("", ""), ("people", ""), ("", grant.id.as_str())]);
    assert_eq!(judged_by(operator, &grant.id).await, shown.digest);

    // A part is under what the whole asks for; without a grant nothing of it holds.
    let beta = domain.client(Role::Operator, "Beta").await;
    let under_part = beta.policy_under(&part.id, &[]).await.unwrap();
    assert_eq!(under_part.digest, shown.digest);
    assert_eq!(judged_by(&beta, &part.id).await, shown.digest);
    let without = operator.policy(&["people".to_owned()]).await.unwrap();
    assert_ne!(without.digest, shown.digest);
    assert_eq!(
        judged_by(operator, &domain.operators_grant()).await,
        without.digest
    );

    // Whoever may not see the grant is told that there is none.
    for (of, may) in [("Beta", false), ("Rival", false)] {
        let client = domain.client(Role::Operator, of).await;
        let told = client.policy_under(&grant.id, &[]).await;
        assert_eq!(told.is_ok(), may, "{of}");
        assert_eq!(told.unwrap_err().code(), "GRANT_UNKNOWN");
    }
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let audited = auditor.policy_under(&grant.id, &[]).await.unwrap();
    assert_eq!(audited.digest, shown.digest);
    let provider = domain.client(Role::Provider, "Civil Registry").await;
    let refused = provider.policy_under(&grant.id, &[]).await.unwrap_err();
    assert_eq!(refused.code(), "ROLE_NOT_ALLOWED");
}
