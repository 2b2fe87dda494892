//! `AuditService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::audit_service_server::AuditService;
use weir_api::v1::{
    GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetReceiptRequest, GetReceiptResponse,
};

use super::{enter, refused};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};

pub(crate) struct Audit(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl AuditService for Audit {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::GetCheckpoint).await?;
        let record = self.0.record.clone();
        let checkpoint = tokio::task::spawn_blocking(move || {
            record.with(|log| Ok(log.published().note().to_owned()))
        })
        .await
        .map_err(|_| panicked())??;
        Ok(Response::new(GetCheckpointResponse {
            checkpoint,
            log_key: self.0.signing.text(),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::GetCheckpoint).await?;
        let from_size = request.get_ref().from_size;
        let record = self.0.record.clone();
        let answer = tokio::task::spawn_blocking(move || {
            record.with(|log| {
                Ok::<_, Fault>(GetConsistencyProofResponse {
                    hashes: log.consistency(from_size)?.to_base64(),
                    checkpoint: log.published().note().to_owned(),
                })
            })
        })
        .await
        .map_err(|_| panicked())?
        .map_err(|fault| refused(Call::GetCheckpoint, fault))?;
        Ok(Response::new(answer))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::GetReceipt).await?;
        let index = request.get_ref().index;
        let record = self.0.record.clone();
        let receipt_json = tokio::task::spawn_blocking(move || {
            record.with(|log| {
                // Under what witnesses have seen, where that covers it: such a receipt says more.
                let receipt = match log.witnessed_receipt(index)? {
                    Some(receipt) => receipt,
                    None => log.receipt(index)?,
                };
                Ok::<_, Fault>(receipt.to_json()?)
            })
        })
        .await
        .map_err(|_| panicked())?
        .map_err(|fault| refused(Call::GetReceipt, fault))?;
        Ok(Response::new(GetReceiptResponse { receipt_json }))
    }
}
