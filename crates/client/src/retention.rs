//! What has to be kept until when.

use weir_api::v1;
use weir_api::v1::retention_service_client::RetentionServiceClient;

use crate::client::Client;
use crate::error::ClientError;

impl Client {
    /// Everything that is kept, with its terms. Bureau and auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retention(&self) -> Result<Vec<v1::KeptKind>, ClientError> {
        let mut service = RetentionServiceClient::new(self.channel());
        let answer = service.show_retention(v1::ShowRetentionRequest {}).await;
        Ok(self.answered(answer)?.kinds)
    }

    /// Destroys what is past its term. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn destroy_kept(
        &self,
        request: v1::DestroyKeptRequest,
    ) -> Result<v1::DestroyKeptResponse, ClientError> {
        let mut service = RetentionServiceClient::new(self.channel());
        let answer = service.destroy_kept(request).await;
        self.answered(answer)
    }
}
