//! `KeyService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::key_service_server::KeyService;
use weir_api::v1::{
    ListKeysRequest, ListKeysResponse, RetireKeysRequest, RotateKeyRequest, RotateKeyResponse,
};

use super::{enter, refused};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::panicked;
use crate::keys::{self, Changing};

pub(crate) struct Keys(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl KeyService for Keys {
    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::ListKeys).await?;
        let keys = keys::list(&self.0).map_err(|fault| refused(Call::ListKeys, fault))?;
        Ok(Response::new(ListKeysResponse { keys }))
    }

    async fn retire_keys(
        &self,
        request: Request<RetireKeysRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let caller = enter(&self.0, &request, Call::RotateKey).await?.leave();
        let (domain, asked) = (Arc::clone(&self.0), request.into_inner());
        let changing = Changing::Retire(asked.kind());
        let work = tokio::spawn(async move {
            keys::change(&domain, &caller, changing, &asked.request_key).await
        });
        let retired = work.await.unwrap_or_else(|_| Err(panicked()));
        retired
            .map(Response::new)
            .map_err(|fault| refused(Call::RotateKey, fault))
    }

    async fn rotate_key(
        &self,
        request: Request<RotateKeyRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let caller = enter(&self.0, &request, Call::RotateKey).await?.leave();
        let (domain, asked) = (Arc::clone(&self.0), request.into_inner());
        let changing = Changing::Rotate(asked.kind());
        // A task of its own: a client that goes away must not leave it half done.
        let work = tokio::spawn(async move {
            keys::change(&domain, &caller, changing, &asked.request_key).await
        });
        let rotated = work.await.unwrap_or_else(|_| Err(panicked()));
        rotated
            .map(Response::new)
            .map_err(|fault| refused(Call::RotateKey, fault))
    }
}
