//! Rejecting a model, and taking its approval back.

use chrono::SecondsFormat;
use weir_audit::Event;
use weir_registry::{ModelEnd, ModelRecord, ModelState};

use super::states::{MODEL, ModelAct};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants::states::next;
use crate::grants::{Need, check_reason, not_own};

/// Which way a model ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Reject,
    Withdraw,
}

/// Ends a version of a model; the caller holds [`Domain::approvals`]. Somebody who sends the same again is answered as before.
pub(crate) async fn end(
    domain: &Domain,
    caller: &Caller,
    model: &ModelRecord,
    (how, reason): (Ending, &str),
) -> Result<(), Fault> {
    let reason = check_reason(reason)?;
    let what = format!("model `{}`", model.name);
    not_own(caller, (&model.organisation, &model.submitted_by), &what)?;
    let act = match how {
        Ending::Reject => ModelAct::Reject,
        Ending::Withdraw => ModelAct::Withdraw,
    };
    let end = ModelEnd {
        ended_by: caller.signature(),
        ended_at: domain
            .clock
            .now()
            .to_rfc3339_opts(SecondsFormat::Millis, true),
        end_reason: reason.clone(),
    };
    let is_done = MODEL
        .iter()
        .any(|row| row.act == act && row.to == model.state);
    if is_done && model.end.ended_by == end.ended_by && model.end.end_reason == reason {
        return Ok(());
    }
    let from = (model.state, model.state.as_str());
    let state = next(MODEL, from, act, Some(caller.role))?;
    let (name, digest) = (model.name.clone(), model.digest.parse()?);
    let event = match how {
        Ending::Reject => Event::ModelRejected {
            model: name,
            digest,
            reason,
        },
        Ending::Withdraw => Event::ModelWithdrawn {
            model: name,
            digest,
            reason,
        },
    };
    domain.record.append_async(caller.actor(), event).await?;
    let kept = async {
        let of = (model.name.as_str(), model.digest.as_str());
        Ok(domain.registry.end_model(of, state, &end).await?)
    };
    // Whoever runs it looks again, and finds that it may not.
    domain.grants.take_effect(kept).await
}

/// Refuses where the approval of a model was withdrawn.
pub(crate) async fn unless_withdrawn(domain: &Domain, need: &Need) -> Result<(), Fault> {
    for (name, digest) in &need.models {
        if domain.registry.model_state(name, digest).await? == Some(ModelState::Withdrawn) {
            return Err(withdrawn(name));
        }
    }
    Ok(())
}

/// The approval of this model was withdrawn.
pub(crate) fn withdrawn(name: &str) -> Fault {
    Fault::policy(
        "MODEL_WITHDRAWN",
        format!(
            "the approval of model `{name}` was withdrawn, and nothing is computed with it. `weir model show {name}` says \
             why; submit another version"
        ),
    )
}
