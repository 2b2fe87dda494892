//! The call about usage.

use weir_api::v1;
use weir_api::v1::usage_service_client::UsageServiceClient;

use crate::client::{ANSWER_BYTES_MAX, Client};
use crate::error::ClientError;

impl Client {
    /// What was used, what it costs and who gets it, as far as the caller may see it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn usage(&self, request: v1::GetUsageRequest) -> Result<v1::Usage, ClientError> {
        let mut service =
            UsageServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX);
        let answer = service.get_usage(request).await;
        self.answered(answer)
    }
}
