//! Calls about alerts.

use weir_api::v1::alert_service_client::AlertServiceClient;
use weir_api::v1::{self, AcknowledgeAlertRequest, GetAlertRequest, ListAlertsRequest};

use crate::client::Client;
use crate::error::ClientError;

impl Client {
    /// The newest alerts first, at most `limit` (0: 100): all, or those nobody has acknowledged. Bureau and auditor only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_alerts(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<v1::Alert>, ClientError> {
        let mut service = AlertServiceClient::new(self.channel());
        let request = ListAlertsRequest { open_only, limit };
        let answer = service.list_alerts(request).await;
        Ok(self.answered(answer)?.alerts)
    }

    /// One alert. Bureau and auditor only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn alert(&self, id: &str) -> Result<v1::Alert, ClientError> {
        let mut service = AlertServiceClient::new(self.channel());
        let request = GetAlertRequest { id: id.to_owned() };
        self.answered(service.get_alert(request).await)
    }

    /// Notes that the caller has looked at an alert; answers with it as it is then. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn acknowledge_alert(&self, id: &str, note: &str) -> Result<v1::Alert, ClientError> {
        let mut service = AlertServiceClient::new(self.channel());
        let request = AcknowledgeAlertRequest {
            id: id.to_owned(),
            note: note.to_owned(),
        };
        self.answered(service.acknowledge_alert(request).await)
    }
}
