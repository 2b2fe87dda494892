//! What an operator said of a dataset.

use weir_client::ClientError;
use weir_client::v1::{FeedbackKind, FileFeedbackRequest};
use weir_tests::TestDomain;

use super::{Subject, matrix};
use crate::cast::{Person, cast, of, stage};

struct Feedback<'a> {
    domain: &'a TestDomain,
    people: &'a [Person],
    made: u32,
}

impl Subject for Feedback<'_> {
    const OF: &'static str = "";

    fn states(&self) -> Vec<&'static str> {
        vec!["waiting", "answered"]
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "answer"]
    }

    async fn make(&mut self, state: &str) -> String {
        self.made += 1;
        let request = FileFeedbackRequest {
            dataset: "people".to_owned(),
            kind: FeedbackKind::Quality.into(),
            text: format!("wrong {}", self.made),
        };
        let filed = of(self.people, "operator").file_feedback(request).await;
        let id = filed.unwrap().id;
        if state == "answered" {
            let answered = self.domain.bureau.answer_feedback(&id, "mended");
            answered.await.unwrap();
        }
        id
    }

    async fn act(&self, who: &Person, act: &str, id: &str) -> Result<(), ClientError> {
        match act {
            "read" => who.client.list_feedback("people").await.map(drop),
            _ => who.client.answer_feedback(id, "mended").await.map(drop),
        }
    }

    async fn state(&self, id: &str) -> String {
        let all = self.domain.bureau.list_feedback("people").await.unwrap();
        let one = all.into_iter().find(|one| one.id == id).unwrap();
        match one.answer.is_none() {
            true => "waiting",
            false => "answered",
        }
        .to_owned()
    }

    fn is_party(&self, _who: &Person, _act: &str) -> bool {
        true
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Feedback {
        domain: &domain,
        people: &people,
        made: 0,
    };
    matrix(&mut subject, &people).await
}
