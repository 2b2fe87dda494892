//! The domain's own keys.

use weir_api::v1;
use weir_api::v1::key_service_client::KeyServiceClient;

use crate::client::Client;
use crate::error::ClientError;

impl Client {
    /// What keys the domain has. Bureau and auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_keys(&self) -> Result<Vec<v1::DomainKey>, ClientError> {
        let mut service = KeyServiceClient::new(self.channel());
        let answer = service.list_keys(v1::ListKeysRequest {}).await;
        Ok(self.answered(answer)?.keys)
    }

    /// Has earlier keys of a kind not be used any more. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retire_keys(
        &self,
        kind: v1::KeyKind,
    ) -> Result<v1::RotateKeyResponse, ClientError> {
        self.retire_keys_once(kind, "").await
    }

    /// As [`Client::retire_keys`], by a key of the caller's choice (a UUID): however often it is asked for, it is done once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retire_keys_once(
        &self,
        kind: v1::KeyKind,
        request_key: &str,
    ) -> Result<v1::RotateKeyResponse, ClientError> {
        let mut service = KeyServiceClient::new(self.channel());
        let request = v1::RetireKeysRequest {
            kind: kind.into(),
            request_key: request_key.to_owned(),
        };
        let answer = service.retire_keys(request).await;
        self.answered(answer)
    }

    /// Changes a key of the domain for a new one. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rotate_key(
        &self,
        kind: v1::KeyKind,
    ) -> Result<v1::RotateKeyResponse, ClientError> {
        self.rotate_key_once(kind, "").await
    }

    /// As [`Client::rotate_key`], by a key of the caller's choice (a UUID): however often it is asked for, it is done once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rotate_key_once(
        &self,
        kind: v1::KeyKind,
        request_key: &str,
    ) -> Result<v1::RotateKeyResponse, ClientError> {
        let mut service = KeyServiceClient::new(self.channel());
        let request = v1::RotateKeyRequest {
            kind: kind.into(),
            request_key: request_key.to_owned(),
        };
        let answer = service.rotate_key(request).await;
        self.answered(answer)
    }
}
