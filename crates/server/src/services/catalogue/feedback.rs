//! Feedback on datasets: filed by operators, answered by the bureau.

use uuid::Uuid;
use weir_api::v1::{
    self, AnswerFeedbackRequest, FeedbackKind, FileFeedbackRequest, ListFeedbackResponse,
};
use weir_audit::{Digest, Event};
use weir_registry::{FeedbackRecord, Role};

use super::dataset;
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants::moment;

/// Longest feedback or answer, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;
/// Most pieces of feedback of one organisation that wait for an answer.
const WAITING_MAX: i64 = 100;
/// Most pieces of feedback listed.
const LISTED_MAX: u32 = 1_000;

pub(super) async fn file(
    domain: &Domain,
    caller: &Caller,
    request: FileFeedbackRequest,
) -> Result<v1::Feedback, Fault> {
    check_text(&request.text)?;
    let kind = match request.kind() {
        FeedbackKind::Quality => "quality",
        FeedbackKind::Objection => "objection",
        FeedbackKind::Unspecified => {
            return Err(Fault::caller(
                "FEEDBACK_KIND",
                "feedback is on `quality` or an `objection`. Say which",
            ));
        }
    };
    let (record, _) = dataset(domain, &request.dataset).await?;
    let waits = |other: &FeedbackRecord| {
        other.answer.is_none()
            && (other.kind.as_str(), other.text.as_str()) == (kind, request.text.as_str())
            && other.filed_by == caller.signature()
    };
    let (of, by) = (Some(record.name.as_str()), caller.organisation.as_str());
    let filed = domain.registry.feedbacks(of, Some(by), LISTED_MAX).await?;
    if let Some(same) = filed.into_iter().find(waits) {
        // Said again, as when an answer got lost.
        return Ok(to_proto(same));
    }
    if domain
        .registry
        .feedback_waiting(&caller.organisation)
        .await?
        >= WAITING_MAX
    {
        return Err(Fault::caller(
            "FEEDBACK_TOO_MUCH",
            format!(
                "{WAITING_MAX} pieces of feedback of your organisation wait for an answer. Wait for the bureau"
            ),
        ));
    }
    let feedback = FeedbackRecord {
        id: Uuid::now_v7().to_string(),
        dataset: record.name,
        kind: kind.to_owned(),
        text: request.text,
        organisation: caller.organisation.clone(),
        filed_by: caller.signature(),
        filed_at: moment(domain.clock.now()),
        answer: None,
        answered_by: None,
        answered_at: None,
    };
    // The log holds a digest: what was said may have to be deleted one day, and the log cannot forget.
    let event = Event::FeedbackFiled {
        feedback: feedback.id.clone(),
        dataset: feedback.dataset.clone(),
        kind: feedback.kind.clone(),
        text_digest: Digest::of(feedback.text.as_bytes()),
    };
    domain.record.append_async(caller.actor(), event).await?;
    domain.registry.add_feedback(&feedback).await?;
    Ok(to_proto(feedback))
}

pub(super) async fn list(
    domain: &Domain,
    caller: &Caller,
    dataset: &str,
) -> Result<ListFeedbackResponse, Fault> {
    let dataset = Some(dataset).filter(|dataset| !dataset.is_empty());
    let organisation = match caller.role {
        Role::Bureau | Role::Auditor => None,
        Role::Operator | Role::Provider => Some(caller.organisation.as_str()),
    };
    let listed = domain
        .registry
        .feedbacks(dataset, organisation, LISTED_MAX)
        .await?;
    Ok(ListFeedbackResponse {
        feedback: listed.into_iter().map(to_proto).collect(),
    })
}

pub(super) async fn answer(
    domain: &Domain,
    caller: &Caller,
    request: AnswerFeedbackRequest,
) -> Result<v1::Feedback, Fault> {
    check_text(&request.answer)?;
    let unknown = || {
        let id: String = request.id.chars().take(super::NAME_CHARS_MAX).collect();
        Fault::caller(
            "FEEDBACK_UNKNOWN",
            format!(
                "there is no feedback `{id}`. `weir dataset feedback list` shows what there is"
            ),
        )
    };
    let answered = || {
        Fault::caller(
            "FEEDBACK_ANSWERED",
            "this feedback has its answer already, and an answer does not change",
        )
    };
    let known = domain.registry.feedback(&request.id).await?;
    if known.ok_or_else(unknown)?.answer.is_some() {
        return Err(answered());
    }
    let event = Event::FeedbackAnswered {
        feedback: request.id.clone(),
        text_digest: Digest::of(request.answer.as_bytes()),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let kept = domain
        .registry
        .answer_feedback(
            &request.id,
            &request.answer,
            &caller.signature(),
            &moment(domain.clock.now()),
        )
        .await?;
    if !kept {
        return Err(answered());
    }
    let feedback = domain.registry.feedback(&request.id).await?;
    feedback.map(to_proto).ok_or_else(unknown)
}

fn check_text(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Fault::caller(
            "FEEDBACK_TEXT",
            format!(
                "a text of {} bytes; it has 1 to {TEXT_BYTES_MAX}",
                text.len()
            ),
        ));
    }
    Ok(())
}

fn to_proto(record: FeedbackRecord) -> v1::Feedback {
    let kind = match record.kind.as_str() {
        "quality" => FeedbackKind::Quality,
        _ => FeedbackKind::Objection,
    };
    v1::Feedback {
        id: record.id,
        dataset: record.dataset,
        kind: kind.into(),
        text: record.text,
        organisation: record.organisation,
        filed_by: record.filed_by,
        filed_at: record.filed_at,
        answer: record.answer,
        answered_by: record.answered_by,
        answered_at: record.answered_at,
    }
}
