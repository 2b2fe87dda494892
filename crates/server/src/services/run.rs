//! `RunService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use uuid::Uuid;
use weir_api::v1::run_response::Step;
use weir_api::v1::run_service_server::RunService;
use weir_api::v1::{Estimate, EstimateRunRequest, Progress, RunRequest, RunResponse};

use super::{Answers, enter, refused, stream};
use crate::access::Call;
use crate::domain::Domain;
use crate::estimate;
use crate::fault::{Fault, panicked};
use crate::observed::Observed;
use crate::release;

pub(crate) struct Runs(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl RunService for Runs {
    type RunStream = Answers<RunResponse>;

    async fn run(&self, request: Request<RunRequest>) -> Result<Response<Self::RunStream>, Status> {
        let caller = enter(&self.0, &request, Call::Run).await?.leave();
        let RunRequest {
            sql,
            run_id,
            snapshots,
            grant,
        } = request.into_inner();
        let run = run_id_or_new(&run_id).map_err(|fault| refused(Call::Run, fault))?;
        let domain = Arc::clone(&self.0);
        let (sender, answers) = stream();
        let observed = Arc::new(Observed::begin(&domain, &run));
        tokio::spawn(async move {
            let (progress, seen) = (sender.clone(), Arc::clone(&observed));
            let stage = move |name: &'static str| {
                seen.stage(name);
                let step = Step::Progress(Progress {
                    stage: name.to_owned(),
                    percent: None,
                    rows: None,
                });
                // A client that does not listen misses a stage, not the answer.
                drop(progress.try_send(Ok(RunResponse { step: Some(step) })));
            };
            // A task of its own, so that a panic in it becomes a status and not a silent end of the stream. It goes on
            // when the client is gone: the answer waits for a retry.
            let work = tokio::spawn(async move {
                let request = release::Request {
                    run,
                    sql,
                    snapshots,
                    grant,
                    product: None,
                };
                release::run(&domain, &caller, request, stage).await
            });
            let answer = work.await.unwrap_or_else(|_| Err(panicked()));
            observed.end(answer.as_ref().err());
            drop(observed);
            let message = match answer {
                Ok(result) => Ok(RunResponse {
                    step: Some(Step::Result(result)),
                }),
                Err(fault) => Err(refused(Call::Run, fault.for_operator())),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }

    async fn estimate_run(
        &self,
        request: Request<EstimateRunRequest>,
    ) -> Result<Response<Estimate>, Status> {
        let caller = enter(&self.0, &request, Call::EstimateRun).await?.leave();
        let EstimateRunRequest { sql, snapshots } = request.into_inner();
        let _at_work = self.0.fair.estimate(&caller.organisation).await;
        let estimate = estimate::estimate(&self.0, &sql, &snapshots).await;
        let estimate =
            estimate.map_err(|fault| refused(Call::EstimateRun, fault.for_operator()))?;
        Ok(Response::new(estimate))
    }
}

/// The caller's run id, or one of ours.
pub(crate) fn run_id_or_new(asked: &str) -> Result<String, Fault> {
    if asked.is_empty() {
        return Ok(Uuid::now_v7().to_string());
    }
    Uuid::try_parse(asked)
        .map(|id| id.to_string())
        .map_err(|_| {
            Fault::caller(
                "RUN_ID_INVALID",
                "the run id is not a UUID. Send a UUID, or leave it out",
            )
        })
}
