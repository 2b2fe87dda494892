//! A model that is rejected after vetting, and one whose approval is taken back.

use std::time::Duration;

use weir_audit::{Event, Receipt};
use weir_client::v1::{ModelState, RegisterProductRequest, Role};
use weir_client::{Client, ClientError};
use weir_tests::{OPERATOR, TestDomain, example, issue_to};

use crate::grants_runs::stopped_run_by;

const BANDS: &str = "SELECT band, COUNT(*) AS n FROM late(flights) GROUP BY band";
/// Takes minutes.
const LONG: &str = "SELECT d.band, COUNT(*) AS n FROM late(flights) AS d JOIN flights AS b ON d.tailnum = b.tailnum \
                    JOIN flights AS c ON b.tailnum = c.tailnum GROUP BY d.band";

fn code<T>(outcome: Result<T, ClientError>) -> String {
    outcome.map_or_else(|error| error.code().to_owned(), |_| "answered".to_owned())
}

async fn somebody(domain: &TestDomain, role: Role, of: (&str, &str)) -> Client {
    let identity = issue_to(&domain.bureau, &domain.administrator, role, of).await;
    Client::connect(&identity).await.unwrap()
}

async fn submitted(domain: &TestDomain) -> String {
    let component = std::fs::read(example("models/disruption/disruption.wasm")).unwrap();
    let submitted = domain.operator.submit_model("late", component).await;
    submitted.unwrap().digest
}

/// The newest entry of the log.
async fn newest(domain: &TestDomain) -> (String, Event) {
    let auditor = domain.client(Role::Auditor, "Audit Office").await;
    let note = auditor.checkpoint().await.unwrap();
    let key = auditor.log_key();
    let size = weir_audit::Checkpoint::verify(note.as_bytes(), key)
        .unwrap()
        .size();
    // The auditor's own certificate is the newest one.
    let receipt = auditor.receipt(size - 2).await.unwrap();
    let receipt = Receipt::from_json(receipt.as_bytes()).unwrap();
    let entry = receipt.verify(key).unwrap().entry().clone();
    (entry.actor.person, entry.event)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_was_rejected_never_runs() {
    let domain = TestDomain::with_flights().await;
    let digest = submitted(&domain).await;
    let (bureau, operator) = (&domain.bureau, &domain.operator);
    let colleague = somebody(&domain, Role::Bureau, (OPERATOR, "zhou")).await;
    let provider = somebody(&domain, Role::Provider, ("Registry", "gu")).await;

    // Not by one's own, not by other roles, not without a reason, and not another version than the one that was read.
    let why = "its constants name aircraft";
    for (who, expected) in [
        (&colleague, "OWN_WORK"),
        (operator, "ROLE_NOT_ALLOWED"),
        (&provider, "ROLE_NOT_ALLOWED"),
    ] {
        let refused = who.reject_model("late", &digest, why).await;
        assert_eq!(code(refused), expected);
    }
    for (digest, reason, expected) in [
        ("", why, "DIGEST_MISSING"),
        ("sha256:00", why, "MODEL_UNKNOWN"),
        (digest.as_str(), " \n", "REASON_INVALID"),
        (digest.as_str(), &"x".repeat(501), "REASON_INVALID"),
    ] {
        let refused = bureau.reject_model("late", digest, reason).await;
        assert_eq!(code(refused), expected);
    }
    // There is no approval to take back.
    let refused = bureau.withdraw_model("late", &digest, why).await;
    assert_eq!(code(refused), "STATE_REFUSED");

    let rejected = bureau.reject_model("late", &digest, why).await.unwrap();
    assert_eq!(rejected.state(), ModelState::Rejected);
    assert_eq!(rejected.ended_by, "wang (Data Bureau)");
    assert_eq!(rejected.end_reason, why);
    let (by, event) = newest(&domain).await;
    assert_eq!(by, "wang");
    assert_eq!(
        event,
        Event::ModelRejected {
            model: "late".to_owned(),
            digest: digest.parse().unwrap(),
            reason: why.to_owned(),
        }
    );
    // The operator reads why; the same bytes stay rejected however often they are sent.
    let seen = operator.model("late", "").await.unwrap();
    assert_eq!(seen.end_reason, why);
    assert_eq!(submitted(&domain).await, digest);
    let approved = bureau.approve_model("late", &digest).await;
    assert_eq!(code(approved), "STATE_REFUSED");
    assert_eq!(code(domain.run(BANDS).await), "MODEL_NOT_APPROVED");
    // Another version of the name has a life of its own.
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    domain.approved_model("late", component).await;
    let other = operator.model("late", "").await.unwrap();
    assert_eq!(other.state(), ModelState::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_with_a_model_stops_within_a_second_of_its_withdrawal() {
    let domain = TestDomain::with_flights().await;
    let digest = submitted(&domain).await;
    let (bureau, operator) = (&domain.bureau, &domain.operator);
    bureau.approve_model("late", &digest).await.unwrap();
    domain.run(BANDS).await.unwrap();
    let product = RegisterProductRequest {
        name: "bands".to_owned(),
        title: "Bands".to_owned(),
        purpose: "a report".to_owned(),
        sql: BANDS.to_owned(),
        grant: domain.operators_grant(),
        ..Default::default()
    };
    operator.register_product(product.clone()).await.unwrap();

    let colleague = somebody(&domain, Role::Bureau, (OPERATOR, "zhou")).await;
    let why = "a mistake was found";
    let refused = colleague.withdraw_model("late", &digest, why).await;
    assert_eq!(code(refused), "OWN_WORK");
    let rejected = bureau.reject_model("late", &digest, why).await;
    assert_eq!(code(rejected), "STATE_REFUSED", "it is approved");

    let grant = domain.operators_grant();
    let stopped = stopped_run_by(operator, (&grant, LONG), || async {
        let ended = bureau.withdraw_model("late", &digest, why).await;
        assert_eq!(ended.unwrap().state(), ModelState::Withdrawn);
    });
    let (ended, after) = stopped.await;
    println!("the run ended {} ms after", after.as_millis());
    assert_eq!(ended, "MODEL_WITHDRAWN");
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert_eq!(bureau.list_releases(0).await.unwrap().len(), 1);

    // Whoever asks now hears the same; `any vetted` is not that model any more; what needs no model goes on.
    assert_eq!(code(domain.run(BANDS).await), "MODEL_WITHDRAWN");
    let registered = operator.register_product(product).await;
    assert_eq!(code(registered), "MODEL_WITHDRAWN");
    domain
        .run("SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier")
        .await
        .unwrap();
    // Asked for again as it was, as by somebody whose answer got lost, it is answered; another reason is another decision.
    let again = bureau.withdraw_model("late", &digest, why).await;
    assert_eq!(again.unwrap().state(), ModelState::Withdrawn);
    let other = bureau.withdraw_model("late", &digest, "another").await;
    assert_eq!(code(other), "STATE_REFUSED");

    // Approved again, by somebody who answers for it, it runs again.
    let approved = bureau.approve_model("late", &digest).await.unwrap();
    assert_eq!(approved.state(), ModelState::Approved);
    assert_eq!(approved.end_reason, "");
    domain.run(BANDS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_by_two_is_given_again_by_two() {
    let domain = TestDomain::start_with(|folder| {
        let text = std::fs::read_to_string(folder.config()).unwrap();
        std::fs::write(folder.config(), format!("model_reviewers = 2\n{text}")).unwrap();
        weir_tests::add_settings(folder, "");
    })
    .await;
    let digest = submitted(&domain).await;
    let sun = somebody(&domain, Role::Bureau, ("Ministry", "sun")).await;
    let bureau = &domain.bureau;
    for _ in 0..2 {
        let half = bureau.approve_model("late", &digest).await.unwrap();
        assert_eq!((half.state(), half.approvals.len()), (half.state(), 1));
        assert_ne!(half.state(), ModelState::Approved);
        let whole = sun.approve_model("late", &digest).await.unwrap();
        assert_eq!(whole.state(), ModelState::Approved);
        let ended = bureau
            .withdraw_model("late", &digest, "a doubt")
            .await
            .unwrap();
        assert_eq!(ended.state(), ModelState::Withdrawn);
    }
}
