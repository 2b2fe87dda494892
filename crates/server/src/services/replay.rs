//! `ReplayService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::replay_release_response::Step;
use weir_api::v1::replay_service_server::ReplayService;
use weir_api::v1::{Progress, ReplayReleaseRequest, ReplayReleaseResponse};

use super::{Answers, enter, refused, stream};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::panicked;
use crate::replay;

pub(crate) struct Replays(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl ReplayService for Replays {
    type ReplayReleaseStream = Answers<ReplayReleaseResponse>;

    async fn replay_release(
        &self,
        request: Request<ReplayReleaseRequest>,
    ) -> Result<Response<Self::ReplayReleaseStream>, Status> {
        let caller = enter(&self.0, &request, Call::ReplayRelease).await?;
        let (domain, request) = (Arc::clone(&self.0), request.into_inner());
        let (sender, answers) = stream();
        tokio::spawn(async move {
            let progress = sender.clone();
            let stage = move |name: &'static str| {
                let step = Step::Progress(Progress {
                    stage: name.to_owned(),
                    percent: None,
                    rows: None,
                });
                drop(progress.try_send(Ok(ReplayReleaseResponse { step: Some(step) })));
            };
            // A task of its own, so that a panic in it becomes a status.
            let work =
                tokio::spawn(
                    async move { replay::replay(&domain, &caller, &request, stage).await },
                );
            let message = match work.await.unwrap_or_else(|_| Err(panicked())) {
                Ok(replay) => Ok(ReplayReleaseResponse {
                    step: Some(Step::Replay(replay)),
                }),
                Err(fault) => Err(refused(Call::ReplayRelease, fault)),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }
}
