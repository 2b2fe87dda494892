//! `RetentionService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::retention_service_server::RetentionService;
use weir_api::v1::{
    DestroyKeptRequest, DestroyKeptResponse, KeptKind, ShowRetentionRequest, ShowRetentionResponse,
};

use super::{enter, refused};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::panicked;
use crate::retention::{self, KeptOf};

pub(crate) struct Retention(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl RetentionService for Retention {
    async fn show_retention(
        &self,
        request: Request<ShowRetentionRequest>,
    ) -> Result<Response<ShowRetentionResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::ReadRetention).await?;
        let kinds = retention::show(&self.0, self.0.clock.now()).await;
        let kinds = kinds.map_err(|fault| refused(Call::ReadRetention, fault))?;
        Ok(Response::new(ShowRetentionResponse {
            kinds: kinds.into_iter().map(kind).collect(),
        }))
    }

    async fn destroy_kept(
        &self,
        request: Request<DestroyKeptRequest>,
    ) -> Result<Response<DestroyKeptResponse>, Status> {
        let caller = enter(&self.0, &request, Call::DestroyKept).await?;
        let (domain, asked) = (Arc::clone(&self.0), request.into_inner());
        // A task of its own: a client that goes away must not leave it half done.
        let work = tokio::spawn(async move {
            let what = (asked.kind.as_str(), asked.run_id.as_str());
            retention::destroy(&domain, &caller, what, &asked.reason, domain.clock.now()).await
        });
        let destroyed = work.await.unwrap_or_else(|_| Err(panicked()));
        let destroyed = destroyed.map_err(|fault| refused(Call::DestroyKept, fault))?;
        Ok(Response::new(DestroyKeptResponse {
            destroyed: destroyed.count,
            left: destroyed.left,
        }))
    }
}

fn kind(kept: KeptOf) -> KeptKind {
    KeptKind {
        kind: kept.kind.name().to_owned(),
        days: kept.days,
        count: kept.count,
        oldest: kept.oldest,
        until: kept.until,
        due: kept.due,
        destroyable: kept.kind.destroyable().is_some(),
    }
}
