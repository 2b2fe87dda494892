//! Calls of the catalogue.

use weir_api::v1::catalogue_service_client::CatalogueServiceClient;
use weir_api::v1::{self, assess_risk_response};

use crate::client::{ANSWER_BYTES_MAX, Client, ended};
use crate::error::ClientError;

impl Client {
    fn catalogue(&self) -> CatalogueServiceClient<tonic::transport::Channel> {
        CatalogueServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// A dataset's quality: exact for the bureau and the auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn quality(&self, dataset: &str) -> Result<v1::Quality, ClientError> {
        let dataset = dataset.to_owned();
        let mut service = self.catalogue();
        let answer = service.get_quality(v1::GetQualityRequest { dataset });
        self.answered(answer.await)
    }

    /// The linkage risk of a dataset. `progress` hears each step. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn assess_risk(
        &self,
        request: v1::AssessRiskRequest,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<v1::Risk, ClientError> {
        let answer = self.catalogue().assess_risk(request).await;
        let mut steps = self.answered(answer)?;
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(assess_risk_response::Step::Progress(step)) => progress(&step),
                Some(assess_risk_response::Step::Risk(risk)) => return Ok(risk),
                None => {}
            }
        }
        Err(ended())
    }

    /// A synthetic sample, as the bytes of a file.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sample_dataset(
        &self,
        request: v1::SampleDatasetRequest,
    ) -> Result<Vec<u8>, ClientError> {
        let answer = self.catalogue().sample_dataset(request).await;
        Ok(self.answered(answer)?.content)
    }

    /// The catalogue as DCAT 3, JSON-LD.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export_catalogue(&self) -> Result<String, ClientError> {
        let mut service = self.catalogue();
        let answer = service.export_catalogue(v1::ExportCatalogueRequest {});
        Ok(self.answered(answer.await)?.dcat_json_ld)
    }

    /// Files feedback on a dataset. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn file_feedback(
        &self,
        request: v1::FileFeedbackRequest,
    ) -> Result<v1::Feedback, ClientError> {
        let answer = self.catalogue().file_feedback(request).await;
        self.answered(answer)
    }

    /// The feedback the caller may see, the newest first; on every dataset where `dataset` is empty.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_feedback(&self, dataset: &str) -> Result<Vec<v1::Feedback>, ClientError> {
        let dataset = dataset.to_owned();
        let mut service = self.catalogue();
        let answer = service.list_feedback(v1::ListFeedbackRequest { dataset });
        Ok(self.answered(answer.await)?.feedback)
    }

    /// Answers feedback. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn answer_feedback(
        &self,
        id: &str,
        answer: &str,
    ) -> Result<v1::Feedback, ClientError> {
        let request = v1::AnswerFeedbackRequest {
            id: id.to_owned(),
            answer: answer.to_owned(),
        };
        let answered = self.catalogue().answer_feedback(request).await;
        self.answered(answered)
    }

    pub(crate) fn answered<T>(
        &self,
        answer: Result<tonic::Response<T>, tonic::Status>,
    ) -> Result<T, ClientError> {
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }
}
