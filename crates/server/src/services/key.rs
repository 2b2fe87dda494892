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
use crate::keys;

pub(crate) struct Keys(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl KeyService for Keys {
    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        enter(&self.0, &request, Call::ListKeys).await?;
        let keys = keys::list(&self.0).map_err(|fault| refused(Call::ListKeys, fault))?;
        Ok(Response::new(ListKeysResponse { keys }))
    }

    async fn retire_keys(
        &self,
        request: Request<RetireKeysRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let caller = enter(&self.0, &request, Call::RotateKey).await?;
        let (domain, kind) = (Arc::clone(&self.0), request.get_ref().kind());
        let work = tokio::spawn(async move { keys::retire(&domain, &caller, kind).await });
        let retired = work.await.unwrap_or_else(|_| Err(panicked()));
        retired
            .map(Response::new)
            .map_err(|fault| refused(Call::RotateKey, fault))
    }

    async fn rotate_key(
        &self,
        request: Request<RotateKeyRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let caller = enter(&self.0, &request, Call::RotateKey).await?;
        let (domain, kind) = (Arc::clone(&self.0), request.get_ref().kind());
        // A task of its own: a client that goes away must not leave it half done.
        let work = tokio::spawn(async move { keys::rotate(&domain, &caller, kind).await });
        let rotated = work.await.unwrap_or_else(|_| Err(panicked()));
        rotated
            .map(Response::new)
            .map_err(|fault| refused(Call::RotateKey, fault))
    }
}
