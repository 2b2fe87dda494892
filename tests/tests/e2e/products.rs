//! Products: registered, reviewed, listed, run on their slots and once.

use std::time::Duration;

use weir_client::v1::{
    DecideProductRequest, GetUsageRequest, GrantAct, Product, ProductDecision,
    RegisterProductRequest, Role, RunProductRequest,
};
use weir_client::{Client, ClientError, IdentityFolder, RunAnswer};
use weir_server::Domain;
use weir_tests::{OPERATOR, TestDomain, example};

use crate::grants::{text, with_people_where};

const BY_TOWN: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";

fn registering(name: &str, sql: &str, every: &str) -> RegisterProductRequest {
    RegisterProductRequest {
        name: name.to_owned(),
        title: "People by town".to_owned(),
        purpose: "the monthly report of the town hall".to_owned(),
        sql: sql.to_owned(),
        every: every.to_owned(),
        ..Default::default()
    }
}

async fn decide(
    client: &Client,
    product: &Product,
    decision: ProductDecision,
) -> Result<Product, ClientError> {
    let request = DecideProductRequest {
        name: product.name.clone(),
        digest: product.digest.clone(),
        decision: decision.into(),
        reason: "as read".to_owned(),
    };
    client.decide_product(request).await
}

async fn run(client: &Client, name: &str, slot: &str) -> Result<RunAnswer, ClientError> {
    let request = RunProductRequest {
        name: name.to_owned(),
        slot: slot.to_owned(),
        run_id: String::new(),
    };
    client.run_product(request, |_| {}).await
}

fn code<T>(outcome: Result<T, ClientError>) -> String {
    outcome.map_or_else(|error| error.code().to_owned(), |_| "answered".to_owned())
}

/// Waits until the schedule has ended a slot.
async fn ended(client: &Client, name: &str) -> Product {
    for _ in 0..300 {
        let product = client.product(name).await.unwrap();
        if !product.runs.is_empty() {
            return product;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no slot of `{name}` ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_reviewed_and_then_run_once_a_slot() {
    let domain = with_people_where(|settings| settings).await;
    let beta = domain.granted_client("Beta").await;
    let request = registering("towns", BY_TOWN, "6h");
    let product = domain
        .operator
        .register_product(request.clone())
        .await
        .unwrap();
    assert_eq!(
        (product.state.as_str(), product.every.as_str()),
        ("registered", "6h")
    );
    assert_eq!(product.datasets, ["people"]);

    // Until it is reviewed nobody else sees it, and nobody runs it.
    assert_eq!(code(beta.product("towns").await), "PRODUCT_UNKNOWN");
    assert_eq!(beta.list_products().await.unwrap(), []);
    assert_eq!(
        code(run(&domain.operator, "towns", "").await),
        "PRODUCT_NOT_APPROVED"
    );
    assert_eq!(
        code(beta.register_product(request.clone()).await),
        "PRODUCT_TAKEN"
    );

    // Approval is of what was read, by somebody else, once.
    let other = Product {
        digest: format!("sha256:{}", "0".repeat(64)),
        ..product.clone()
    };
    let approve = ProductDecision::Approve;
    assert_eq!(
        code(decide(&domain.bureau, &other, approve).await),
        "PRODUCT_OTHER"
    );
    assert_eq!(
        code(decide(&domain.operator, &product, approve).await),
        "ROLE_NOT_ALLOWED"
    );
    let own = domain.client(Role::Bureau, OPERATOR).await;
    assert_eq!(code(decide(&own, &product, approve).await), "OWN_WORK");
    // Sent again, as when an answer got lost, it is answered; another decision is none.
    for _ in 0..2 {
        let decided = decide(&domain.bureau, &product, approve).await.unwrap();
        assert_eq!(decided.state, "approved");
    }
    assert_eq!(
        code(decide(&domain.bureau, &product, ProductDecision::Reject).await),
        "PRODUCT_STATE"
    );
    assert_eq!(
        code(domain.operator.register_product(request).await),
        "PRODUCT_TAKEN"
    );

    // It is listed for everybody, and its own operator has its answers.
    let provider = domain.client(Role::Provider, "Civil Registry").await;
    let seen = provider.product("towns").await.unwrap();
    assert_eq!((seen.state.as_str(), seen.runs.len()), ("approved", 0));
    let done = ended(&domain.operator, "towns").await;
    assert_eq!((done.runs.len(), done.runs[0].code.as_str()), (1, ""));
    let answer = run(&domain.operator, "towns", "").await.unwrap();
    assert_eq!(answer.run_id, done.runs[0].run_id);
    let named = run(&domain.operator, "towns", &done.runs[0].slot)
        .await
        .unwrap();
    assert_eq!(named.receipt_json, answer.receipt_json);
    assert_eq!(code(run(&beta, "towns", "").await), "PRODUCT_OF_ANOTHER");
    for slot in ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "x"] {
        let refused = code(run(&domain.operator, "towns", slot).await);
        assert!(
            ["PRODUCT_SLOT", "MOMENT_INVALID"].contains(&refused.as_str()),
            "{refused}"
        );
    }

    // What it used is told apart.
    let usage = domain
        .bureau
        .usage(GetUsageRequest::default())
        .await
        .unwrap();
    let line = usage
        .lines
        .iter()
        .find(|line| line.product == "towns")
        .unwrap();
    assert_eq!(
        (line.operator.as_str(), line.runs, line.releases),
        (OPERATOR, 1, 1)
    );

    // A server that starts again does not run the slot again.
    let administrator = domain.administrator.clone();
    let (folder, _guard) = domain.stop().await;
    let serving = weir_server::serve(Domain::open(folder.root()).await.unwrap())
        .await
        .unwrap();
    let again = IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..administrator
    };
    let bureau = Client::connect(&again).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bureau.list_releases(0).await.unwrap().len(), 1);
    let retired = bureau
        .retire_product("towns", "no longer asked for")
        .await
        .unwrap();
    assert_eq!(
        (retired.state.as_str(), retired.reason.as_str()),
        ("retired", "no longer asked for")
    );
    assert_eq!(
        code(bureau.retire_product("towns", "again").await),
        "PRODUCT_STATE"
    );
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_its_grant_does_not_allow_is_refused_and_on_record() {
    let domain = with_people_where(|settings| settings).await;
    let product = domain
        .operator
        .register_product(registering("towns", BY_TOWN, "6h"))
        .await
        .unwrap();
    let grant = domain.operators_grant();
    assert_eq!(product.grant, grant);
    domain
        .change_grant(&grant, GrantAct::Suspend)
        .await
        .unwrap();
    decide(&domain.bureau, &product, ProductDecision::Approve)
        .await
        .unwrap();
    let done = ended(&domain.operator, "towns").await;
    assert_eq!(done.runs[0].code, "GRANT_SUSPENDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_run_is_not_registered() {
    let domain = with_people_where(|settings| settings).await;
    let beta = domain.client(Role::Operator, "Beta").await;
    let asked = text("towns", &["town"], "");
    domain.grant(&beta, "Beta", &asked).await.unwrap();
    let mut told = String::new();
    for (name, sql, every) in [
        ("towns", BY_TOWN, ""),
        (
            "x",
            "SELECT town, AVG(income) AS mean FROM people GROUP BY town",
            "",
        ),
        ("x", "SELECT town FROM people", ""),
        ("x", "SELECT COUNT(*) AS n FROM nothing", ""),
        ("Towns", BY_TOWN, ""),
        ("weir_x", BY_TOWN, ""),
        ("x", BY_TOWN, "59m"),
        ("x", BY_TOWN, "often"),
    ] {
        let registered = beta.register_product(registering(name, sql, every)).await;
        told += &format!("{name}, {sql}, {every}: {}\n", code(registered));
    }
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_runs_the_models_it_was_reviewed_with() {
    let domain = TestDomain::with_flights().await;
    let sql = "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band";
    let product = domain
        .operator
        .register_product(registering("bands", sql, ""))
        .await
        .unwrap();
    let disruption = domain.bureau.model("disruption", "").await.unwrap();
    assert_eq!(product.models[0].digest, disruption.digest);
    decide(&domain.bureau, &product, ProductDecision::Approve)
        .await
        .unwrap();
    let one = run(&domain.operator, "bands", "").await.unwrap();
    let other = run(&domain.operator, "bands", "").await.unwrap();
    assert_ne!(one.run_id, other.run_id, "each time it is asked for");
    assert_eq!(
        code(run(&domain.operator, "bands", "2026-01-01T00:00:00Z").await),
        "PRODUCT_SLOT"
    );
    // Another version under the same name is not the one that was reviewed.
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    domain.approved_model("disruption", component).await;
    assert_eq!(
        code(run(&domain.operator, "bands", "").await),
        "PRODUCT_MODEL"
    );
}
