//! What people do to a domain, each as one act. What is refused because of a fault before is let be.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use weir_client::v1::{
    ApplyRequest, ChangeGrantRequest, DecideProductRequest, FeedbackKind, FileFeedbackRequest,
    FreezeRequest, GrantAct, IssueGrantRequest, IssueIdentityRequest, KeyKind, ProductDecision,
    PutPolicyRequest, RegisterProductRequest, RevokeIdentityRequest, Role, RunProductRequest,
    RunRequest,
};
use weir_client::{Client, ClientError, NewKey, RunAnswer};
use weir_tests::application;

use crate::airlock::{approve, ask};

/// A model that was submitted before.
pub(crate) const MODEL: &str = "pace";

const BY_TOWN: &str = "SELECT town, COUNT(*) AS n FROM trips GROUP BY town";

/// Who acts.
pub(crate) struct Hands {
    pub(crate) bureau: Client,
    pub(crate) ministry: Client,
    pub(crate) operator: Client,
    /// The grant that the operator's runs name: another may cover them too, where a fault kept it from being revoked.
    pub(crate) grant: String,
}

/// What was answered, and what may be asked again.
#[derive(Default)]
pub(crate) struct Done {
    /// Released table and receipt by run.
    pub(crate) answered: BTreeMap<String, (Vec<RecordBatch>, String)>,
    /// Runs that were asked for.
    pub(crate) asked: Vec<String>,
    /// Changes of keys that were asked for, by the keys of their requests.
    pub(crate) rotated: Vec<(KeyKind, String)>,
    /// What the domain shows in the end, by name.
    pub(crate) shown: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A run, from intent to answer.
    Run,
    /// A run that is refused.
    Refuse,
    /// A table that two people let go, and the call that has it.
    Airlock,
    /// A product, registered, approved and run.
    Product,
    /// A certificate, issued and revoked.
    Identity,
    /// An operator, frozen and let go.
    Freeze,
    /// Feedback, filed and answered.
    Feedback,
    /// A grant: applied for, issued, suspended.
    Grant,
    /// A dataset's policy, tightened; the domain's, loosened by two.
    Policy,
    /// The key of the log and the authority, changed.
    Keys,
    /// A model that was submitted: approved, and the approval taken back.
    Model,
}

pub(crate) const ACTS: [Act; 11] = [
    Act::Run,
    Act::Refuse,
    Act::Airlock,
    Act::Product,
    Act::Identity,
    Act::Freeze,
    Act::Feedback,
    Act::Grant,
    Act::Policy,
    Act::Keys,
    Act::Model,
];

impl Act {
    /// Does it; the number keeps it apart from others of its kind.
    pub(crate) async fn take(self, hands: &Hands, number: usize, done: &mut Done) {
        match self {
            Self::Run => run(hands, number, done).await,
            Self::Refuse => {
                drop(ask_for(hands, &run_id(1, number), "SELECT * FROM trips").await);
            }
            Self::Airlock => airlock(hands, number, done).await,
            Self::Product => drop(product(hands, number).await),
            Self::Identity => drop(identity(hands, number).await),
            Self::Freeze => drop(freeze(hands, number).await),
            Self::Feedback => drop(feedback(hands).await),
            Self::Grant => drop(grant(hands, number).await),
            Self::Policy => drop(policy(hands, number).await),
            Self::Keys => {
                for (of, kind) in [(3, KeyKind::Signing), (4, KeyKind::Authority)] {
                    let key = run_id(of, number);
                    drop(hands.bureau.rotate_key_once(kind, &key).await);
                    done.rotated.push((kind, key));
                }
            }
            Self::Model => drop(model(hands, number).await),
        }
    }
}

fn run_id(kind: usize, number: usize) -> String {
    format!("00000000-0000-4000-8000-{kind:04x}{number:08x}")
}

pub(crate) async fn ask_for(
    hands: &Hands,
    run_id: &str,
    sql: &str,
) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        run_id: run_id.to_owned(),
        grant: hands.grant.clone(),
        ..Default::default()
    };
    hands.operator.run(request, |_| {}).await
}

/// Asks for the table by town under a run's id.
pub(crate) async fn by_town(hands: &Hands, run_id: &str) -> Result<RunAnswer, ClientError> {
    ask_for(hands, run_id, BY_TOWN).await
}

async fn run(hands: &Hands, number: usize, done: &mut Done) {
    let id = run_id(0, number);
    if let Ok(answer) = by_town(hands, &id).await {
        let answered = (answer.released, answer.receipt_json);
        done.answered.insert(id.clone(), answered);
    }
    done.asked.push(id);
}

async fn airlock(hands: &Hands, number: usize, done: &mut Done) {
    let id = run_id(2, number);
    drop(ask(&hands.operator, &id).await);
    approve(&hands.bureau, &id).await;
    approve(&hands.ministry, &id).await;
    if let Ok(answer) = ask(&hands.operator, &id).await {
        let answered = (answer.released, answer.receipt_json);
        done.answered.insert(id, answered);
    }
}

async fn product(hands: &Hands, number: usize) -> Result<(), ClientError> {
    let name = format!("towns{number}");
    let request = RegisterProductRequest {
        name: name.clone(),
        title: "People by town".to_owned(),
        purpose: "a test".to_owned(),
        sql: BY_TOWN.to_owned(),
        ..Default::default()
    };
    let product = hands.operator.register_product(request).await?;
    let decision = DecideProductRequest {
        name: name.clone(),
        digest: product.digest,
        decision: ProductDecision::Approve.into(),
        reason: "as read".to_owned(),
    };
    hands.bureau.decide_product(decision).await?;
    let request = RunProductRequest {
        name,
        ..Default::default()
    };
    hands.operator.run_product(request, |_| {}).await?;
    Ok(())
}

async fn identity(hands: &Hands, number: usize) -> Result<(), ClientError> {
    let key = NewKey::generate()?;
    let request = IssueIdentityRequest {
        signing_request_pem: key.signing_request_pem,
        role: Role::Auditor.into(),
        organisation: "Audit Office".to_owned(),
        person: format!("zhou {number}"),
        valid_days: 1,
        request_key: String::new(),
    };
    let issued = hands.bureau.issue_identity(request).await?;
    let request = RevokeIdentityRequest {
        fingerprint: issued.fingerprint,
        reason: "a test".to_owned(),
        ..Default::default()
    };
    hands.bureau.revoke_identity(request).await?;
    Ok(())
}

async fn model(hands: &Hands, number: usize) -> Result<(), ClientError> {
    let digest = hands.bureau.model(MODEL, "").await?.digest;
    hands.ministry.approve_model(MODEL, &digest).await?;
    let reason = format!("a test, {number}");
    let bureau = &hands.bureau;
    bureau.withdraw_model(MODEL, &digest, &reason).await?;
    Ok(())
}

async fn freeze(hands: &Hands, number: usize) -> Result<(), ClientError> {
    let request = FreezeRequest {
        scope: "operator".to_owned(),
        name: format!("Nobody {number}"),
        reason: "a test".to_owned(),
    };
    hands.bureau.freeze(request.clone()).await?;
    hands.bureau.unfreeze(request).await?;
    Ok(())
}

async fn feedback(hands: &Hands) -> Result<(), ClientError> {
    let request = FileFeedbackRequest {
        dataset: "trips".to_owned(),
        kind: FeedbackKind::Quality.into(),
        text: "a test".to_owned(),
    };
    let filed = hands.operator.file_feedback(request).await?;
    hands.bureau.answer_feedback(&filed.id, "heard").await?;
    Ok(())
}

async fn grant(hands: &Hands, number: usize) -> Result<(), ClientError> {
    let columns = vec!["town".to_owned()];
    let text = application(&format!("faults {number}"), &[("trips", columns)], "");
    let applied = hands
        .operator
        .apply(ApplyRequest {
            text,
            ..Default::default()
        })
        .await?;
    let request = IssueGrantRequest {
        id: applied.id,
        digest: applied.digest,
        ..Default::default()
    };
    let issued = hands.bureau.issue_grant(request).await?;
    // Ended again, so that the operator has one grant that covers its runs.
    let request = ChangeGrantRequest {
        id: issued.id,
        act: GrantAct::Revoke.into(),
        reason: "a test".to_owned(),
        ..Default::default()
    };
    hands.bureau.change_grant(request).await?;
    Ok(())
}

async fn policy(hands: &Hands, number: usize) -> Result<(), ClientError> {
    let put = |text: String, dataset: &str| PutPolicyRequest {
        text,
        source_name: "policy.toml".to_owned(),
        dataset: dataset.to_owned(),
    };
    let units_min = 11 + number;
    let strict = put(
        format!("name = \"strict\"\ncell.units_min = {units_min}\n"),
        "trips",
    );
    hands.bureau.put_policy(strict).await?;
    let loose = put(
        format!("name = \"loose{number}\"\ncell.units_min = 5\n"),
        "trips",
    );
    let proposed = hands.bureau.put_policy(loose).await?;
    hands
        .ministry
        .approve_policy(&proposed.id, &proposed.digest)
        .await?;
    Ok(())
}
