//! Requests that are sent again, as they were: by a client whose answer got lost, or by somebody who recorded them and has
//! the certificate. What they do a second time is one table.

use std::fmt::Write as _;

use uuid::Uuid;
use weir_client::v1::{
    AirlockDecision, ChangeGrantRequest, DecideAirlockRequest, DecideProductRequest,
    DelegateGrantRequest, DestroySnapshotRequest, FeedbackKind, FileFeedbackRequest, FreezeRequest,
    GrantAct, IssueIdentityRequest, KeyKind, Opinion, ProductDecision, PutPolicyRequest,
    RegisterProductRequest, ReviewApplicationRequest, RevokeIdentityRequest, Role, RunRequest,
    WithdrawApplicationRequest,
};
use weir_client::{Client, ClientError, NewKey};
use weir_tests::{OPERATOR, TestDomain, example};

use crate::airlock::SQL as REVIEWED;
use crate::cast::{cast, of, stage};
use crate::grants::{apply, issue, text};

/// What the log has grown to.
async fn size(domain: &TestDomain) -> u64 {
    // Not verified: the key that signs is another one at the end.
    let note = domain.bureau.checkpoint().await.unwrap();
    let size = note.lines().nth(1);
    size.unwrap().parse().unwrap()
}

/// Sends the same three times, and says what came of it and how many entries it made.
async fn thrice<F: Future<Output = Result<String, ClientError>>>(
    (domain, table): (&TestDomain, &mut String),
    name: &str,
    call: impl Fn() -> F,
) {
    write!(table, "{name:<22}").unwrap();
    let mut first = None;
    for time in 0..3 {
        let before = size(domain).await;
        let outcome = call().await;
        let entries = size(domain).await - before;
        let told = match (outcome, &first) {
            (Err(error), _) => {
                assert!(time > 0, "{name}: {error}");
                error.code().to_owned()
            }
            (Ok(answer), None) => {
                first = Some(answer);
                "done".to_owned()
            }
            (Ok(answer), Some(first)) if answer == *first => "the same".to_owned(),
            (Ok(_), Some(_)) => "another".to_owned(),
        };
        write!(table, " {:<24}", format!("{told}, {entries}")).unwrap();
    }
    let trimmed = table.trim_end().len();
    table.truncate(trimmed);
    table.push('\n');
}

fn freezing() -> FreezeRequest {
    FreezeRequest {
        scope: "operator".to_owned(),
        name: "Nobody".to_owned(),
        reason: "a test".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_done_once() {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let (bureau, operator) = (of(&people, "bureau"), of(&people, "operator"));
    let provider = of(&people, "provider");
    let mut table = format!("{:<22} {:<24} {:<24} again\n", "call", "first", "again");

    // With a key of the caller's: an answer, whatever has become of it since.
    let keys: Vec<_> = (0..6).map(|_| Uuid::now_v7().to_string()).collect();
    let asked = weir_client::v1::ApplyRequest {
        request_key: keys[0].clone(),
        ..apply(&text("again", &["town"], "partners = [\"Beta\"]"))
    };
    thrice((&domain, &mut table), "Apply", || async {
        Ok(operator.apply(asked.clone()).await?.id)
    })
    .await;
    let applied = operator.apply(asked.clone()).await.unwrap();
    let review = ReviewApplicationRequest {
        request_key: keys[1].clone(),
        ..crate::grants::opinion(&applied, Opinion::Support)
    };
    thrice((&domain, &mut table), "ReviewApplication", || async {
        Ok(provider.review_application(review.clone()).await?.state)
    })
    .await;
    let granting = weir_client::v1::IssueGrantRequest {
        request_key: keys[2].clone(),
        ..issue(&applied)
    };
    thrice((&domain, &mut table), "IssueGrant", || async {
        Ok(bureau.issue_grant(granting.clone()).await?.id)
    })
    .await;
    let grant = bureau.issue_grant(granting.clone()).await.unwrap().id;
    let part = DelegateGrantRequest {
        id: grant.clone(),
        organisation: "Beta".to_owned(),
        request_key: keys[3].clone(),
        ..Default::default()
    };
    thrice((&domain, &mut table), "DelegateGrant", || async {
        Ok(operator.delegate_grant(part.clone()).await?.id)
    })
    .await;
    let run = RunRequest {
        sql: "SELECT town, COUNT(*) AS n FROM people GROUP BY town".to_owned(),
        run_id: Uuid::now_v7().to_string(),
        grant: grant.clone(),
        ..Default::default()
    };
    thrice((&domain, &mut table), "Run", || async {
        Ok(operator.run(run.clone(), |_| {}).await?.receipt_json)
    })
    .await;
    let suspend = ChangeGrantRequest {
        id: grant.clone(),
        act: GrantAct::Suspend.into(),
        reason: "a test".to_owned(),
        request_key: keys[4].clone(),
        ..Default::default()
    };
    thrice((&domain, &mut table), "ChangeGrant", || async {
        Ok(bureau.change_grant(suspend.clone()).await?.state)
    })
    .await;
    let other = operator
        .apply(apply(&text("taken back", &["town"], "")))
        .await
        .unwrap();
    let withdraw = WithdrawApplicationRequest {
        id: other.id,
        reason: "a mistake".to_owned(),
        request_key: keys[5].clone(),
    };
    thrice((&domain, &mut table), "WithdrawApplication", || async {
        Ok(operator.withdraw_application(withdraw.clone()).await?.state)
    })
    .await;
    without_a_key(&domain, (bureau, operator), &mut table).await;
    insta::assert_snapshot!(table);
}

/// Calls that are known by what they are about.
async fn without_a_key(
    domain: &TestDomain,
    (bureau, operator): (&Client, &Client),
    table: &mut String,
) {
    let component = std::fs::read(example("models/pace/pace.wasm")).unwrap();
    thrice((domain, &mut *table), "SubmitModel", || async {
        Ok(operator
            .submit_model("pace", component.clone())
            .await?
            .digest)
    })
    .await;
    let digest = bureau.model("pace", "").await.unwrap().digest;
    thrice((domain, &mut *table), "ApproveModel", || async {
        Ok(bureau.approve_model("pace", &digest).await?.approved_by)
    })
    .await;
    thrice((domain, &mut *table), "WithdrawModel", || async {
        let ended = bureau.withdraw_model("pace", &digest, "a test").await?;
        Ok(ended.ended_at)
    })
    .await;
    let component = std::fs::read(example("models/disruption/disruption.wasm")).unwrap();
    let other = operator.submit_model("other", component).await.unwrap();
    thrice((domain, &mut *table), "RejectModel", || async {
        let ended = bureau
            .reject_model("other", &other.digest, "a test")
            .await?;
        Ok(ended.ended_at)
    })
    .await;
    let product = RegisterProductRequest {
        name: "towns".to_owned(),
        title: "by town".to_owned(),
        purpose: "a report".to_owned(),
        sql: "SELECT town, COUNT(*) AS n FROM people GROUP BY town".to_owned(),
        grant: domain.operators_grant(),
        ..Default::default()
    };
    thrice((domain, &mut *table), "RegisterProduct", || async {
        Ok(operator.register_product(product.clone()).await?.digest)
    })
    .await;
    let decision = DecideProductRequest {
        name: "towns".to_owned(),
        digest: bureau.product("towns").await.unwrap().digest,
        decision: ProductDecision::Approve.into(),
        reason: "as read".to_owned(),
    };
    thrice((domain, &mut *table), "DecideProduct", || async {
        Ok(bureau.decide_product(decision.clone()).await?.state)
    })
    .await;
    thrice((domain, &mut *table), "RetireProduct", || async {
        Ok(bureau.retire_product("towns", "a test").await?.state)
    })
    .await;
    airlock(domain, (bureau, operator), table).await;
    thrice((domain, &mut *table), "Freeze", || async {
        Ok(bureau.freeze(freezing()).await?.len().to_string())
    })
    .await;
    thrice((domain, &mut *table), "Unfreeze", || async {
        Ok(bureau.unfreeze(freezing()).await?.len().to_string())
    })
    .await;
    let tighter = PutPolicyRequest {
        text: "name = \"tighter\"\n[cell]\nunits_min = 20\n".to_owned(),
        source_name: "p.toml".to_owned(),
        dataset: "people".to_owned(),
    };
    thrice((domain, &mut *table), "PutPolicy", || async {
        Ok(bureau.put_policy(tighter.clone()).await?.digest)
    })
    .await;
    let said = FileFeedbackRequest {
        dataset: "people".to_owned(),
        kind: FeedbackKind::Quality.into(),
        text: "towns are missing".to_owned(),
    };
    thrice((domain, &mut *table), "FileFeedback", || async {
        Ok(operator.file_feedback(said.clone()).await?.id)
    })
    .await;
    let filed = operator.file_feedback(said).await.unwrap().id;
    thrice((domain, &mut *table), "AnswerFeedback", || async {
        Ok(bureau.answer_feedback(&filed, "mended").await?.id)
    })
    .await;
    keys_and_certificates(domain, bureau, table).await;
}

async fn airlock(domain: &TestDomain, (bureau, operator): (&Client, &Client), table: &mut String) {
    let run = RunRequest {
        sql: REVIEWED.to_owned(),
        run_id: Uuid::now_v7().to_string(),
        grant: domain.operators_grant(),
        ..Default::default()
    };
    operator.run(run.clone(), |_| {}).await.err().unwrap();
    let seen = bureau.airlock_table(&run.run_id).await.unwrap();
    let decision = DecideAirlockRequest {
        run_id: run.run_id,
        table_digest: seen.table.table_digest,
        decision: AirlockDecision::Approve.into(),
        reason: "looked at".to_owned(),
    };
    thrice((domain, table), "DecideAirlock", || async {
        Ok(bureau.decide_airlock(decision.clone()).await?.state)
    })
    .await;
}

async fn keys_and_certificates(domain: &TestDomain, bureau: &Client, table: &mut String) {
    let key = NewKey::generate().unwrap();
    let request = IssueIdentityRequest {
        signing_request_pem: key.signing_request_pem,
        role: Role::Operator.into(),
        organisation: OPERATOR.to_owned(),
        person: "he".to_owned(),
        valid_days: 1,
        request_key: Uuid::now_v7().to_string(),
    };
    thrice((domain, &mut *table), "IssueIdentity", || async {
        Ok(bureau.issue_identity(request.clone()).await?.fingerprint)
    })
    .await;
    let revoke = RevokeIdentityRequest {
        person: "he".to_owned(),
        organisation: OPERATOR.to_owned(),
        reason: "a test".to_owned(),
        ..Default::default()
    };
    thrice((domain, &mut *table), "RevokeIdentity", || async {
        Ok(bureau
            .revoke_identity(revoke.clone())
            .await?
            .len()
            .to_string())
    })
    .await;
    for (name, kind) in [
        ("RotateKey, master", KeyKind::Master),
        ("RotateKey, signing", KeyKind::Signing),
        ("RotateKey, authority", KeyKind::Authority),
    ] {
        let key = Uuid::now_v7().to_string();
        thrice((domain, &mut *table), name, || async {
            let rotated = bureau.rotate_key_once(kind, &key).await?;
            Ok(format!("{rotated:?}"))
        })
        .await;
    }
    let destroy = DestroySnapshotRequest {
        dataset: "trips".to_owned(),
        reason: "its time is over".to_owned(),
        ..Default::default()
    };
    thrice((domain, &mut *table), "DestroySnapshot", || async {
        Ok(bureau
            .destroy_snapshot(destroy.clone())
            .await?
            .certificate_json)
    })
    .await;
    let key = Uuid::now_v7().to_string();
    thrice((domain, &mut *table), "RetireKeys", || async {
        let retired = bureau.retire_keys_once(KeyKind::Signing, &key).await?;
        Ok(format!("{retired:?}"))
    })
    .await;
    // A key of a request is one request's, and one person's.
    let taken = bureau.rotate_key_once(KeyKind::Signing, &key).await;
    assert_eq!(taken.unwrap_err().code(), "REQUEST_KEY_TAKEN");
    let invalid = bureau.rotate_key_once(KeyKind::Master, "again").await;
    assert_eq!(invalid.unwrap_err().code(), "REQUEST_KEY_INVALID");
}
