//! Models that several people have to approve.

use chrono::SecondsFormat;
use weir_audit::{Digest, Event};
use weir_registry::{ModelRecord, ModelReview};

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// How many people, each of another organisation, have to approve a model.
pub(crate) fn needed(domain: &Domain) -> usize {
    usize::from(domain.config.model_reviewers.max(1))
}

/// Takes an approval of a version that has none yet. Answers with who approves it, once there are enough; the caller holds
/// [`Domain::approvals`].
pub(crate) async fn add(
    domain: &Domain,
    caller: &Caller,
    model: &ModelRecord,
) -> Result<Option<String>, Fault> {
    if needed(domain) == 1 {
        return Ok(Some(caller.signature()));
    }
    let before = reviews(domain, model).await?;
    let said = |review: &ModelReview| review.organisation == caller.organisation;
    if !before.iter().any(said) {
        let report = &model.vetting.report_digest;
        let event = Event::ModelReviewed {
            model: model.name.clone(),
            digest: model.digest.parse()?,
            // A model of before vetting has no report: that of nothing.
            report_digest: match report.is_empty() {
                true => Digest::of(b""),
                false => report.parse()?,
            },
        };
        domain.record.append_async(caller.actor(), event).await?;
        let review = ModelReview {
            name: model.name.clone(),
            digest: model.digest.clone(),
            organisation: caller.organisation.clone(),
            person: caller.person.clone(),
            report_digest: report.clone(),
            given_at: domain
                .clock
                .now()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        };
        domain.registry.add_model_review(&review).await?;
    }
    let reviews = reviews(domain, model).await?;
    Ok(are_enough(&reviews, needed(domain)).then(|| signatures(&reviews).join(", ")))
}

/// Who has approved a version so far.
pub(crate) async fn approvals(domain: &Domain, model: &ModelRecord) -> Result<Vec<String>, Fault> {
    Ok(signatures(&reviews(domain, model).await?))
}

async fn reviews(domain: &Domain, model: &ModelRecord) -> Result<Vec<ModelReview>, Fault> {
    let all = domain
        .registry
        .model_reviews(&model.name, &model.digest)
        .await?;
    // What was said before an approval was withdrawn counts no more.
    let since = model.end.ended_at.as_str();
    let counted = all
        .into_iter()
        .filter(|review| review.given_at.as_str() > since);
    Ok(counted.collect())
}

fn signatures(reviews: &[ModelReview]) -> Vec<String> {
    let one = |review: &ModelReview| format!("{} ({})", review.person, review.organisation);
    reviews.iter().map(one).collect()
}

/// Whether so many people of so many organisations have. An organisation has one word; a person of several has one too.
fn are_enough(reviews: &[ModelReview], needed: usize) -> bool {
    let mut people: Vec<&str> = reviews
        .iter()
        .map(|review| review.person.as_str())
        .collect();
    people.sort_unstable();
    people.dedup();
    reviews.len() >= needed && people.len() >= needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(people: &[(&str, &str)]) -> Vec<ModelReview> {
        let one = |(person, organisation): &(&str, &str)| ModelReview {
            name: "m".to_owned(),
            digest: "d".to_owned(),
            organisation: (*organisation).to_owned(),
            person: (*person).to_owned(),
            report_digest: "r".to_owned(),
            given_at: String::new(),
        };
        people.iter().map(one).collect()
    }

    #[test]
    fn it_takes_as_many_people_as_organisations() {
        assert!(!are_enough(&by(&[]), 1));
        assert!(are_enough(&by(&[("wang", "A")]), 1));
        assert!(!are_enough(&by(&[("wang", "A")]), 2));
        assert!(!are_enough(&by(&[("wang", "A"), ("wang", "B")]), 2));
        assert!(are_enough(&by(&[("wang", "A"), ("li", "B")]), 2));
        assert!(!are_enough(&by(&[("wang", "A"), ("li", "B")]), 3));
    }
}
