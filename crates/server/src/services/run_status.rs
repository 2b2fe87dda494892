//! `RunStatusService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use uuid::Uuid;
use weir_api::v1::run_status_service_server::RunStatusService;
use weir_api::v1::{
    CancelRunRequest, CancelRunResponse, GetRunStatusRequest, RunState, RunStatus, WatchRunRequest,
};
use weir_registry::AirlockState;

use super::{Answers, Sender, enter, refused, stream};
use crate::access::{Call, Caller};
use crate::airlock;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants;

pub(crate) struct RunStatuses(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl RunStatusService for RunStatuses {
    type WatchRunStream = Answers<RunStatus>;

    async fn get_run_status(
        &self,
        request: Request<GetRunStatusRequest>,
    ) -> Result<Response<RunStatus>, Status> {
        let caller = enter(&self.0, &request, Call::WatchRun).await?;
        let status = status(&self.0, &caller, &request.get_ref().run_id).await;
        status
            .map(Response::new)
            .map_err(|fault| refused(Call::WatchRun, fault.for_operator()))
    }

    async fn watch_run(
        &self,
        request: Request<WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        let caller = enter(&self.0, &request, Call::WatchRun).await?.leave();
        let (domain, run) = (Arc::clone(&self.0), request.into_inner().run_id);
        let (sender, answers) = stream();
        tokio::spawn(async move {
            if let Err(fault) = watch(&domain, &caller, &run, &sender).await {
                let refusal = refused(Call::WatchRun, fault.for_operator());
                drop(sender.send(Err(refusal)).await);
            }
        });
        Ok(Response::new(answers))
    }

    async fn cancel_run(
        &self,
        request: Request<CancelRunRequest>,
    ) -> Result<Response<CancelRunResponse>, Status> {
        let caller = enter(&self.0, &request, Call::CancelRun).await?;
        let cancelled = cancel(&self.0, &caller, &request.get_ref().run_id).await;
        cancelled
            .map(|()| Response::new(CancelRunResponse {}))
            .map_err(|fault| refused(Call::CancelRun, fault.for_operator()))
    }
}

/// Tells each change until the run has ended or nobody listens.
async fn watch(
    domain: &Domain,
    caller: &Caller,
    run: &str,
    sender: &Sender<RunStatus>,
) -> Result<(), Fault> {
    loop {
        let watched = domain
            .attempts
            .watch(&caller.organisation, &canonical(run)?);
        let now = status(domain, caller, run).await?;
        let running = now.state() == RunState::Running;
        if sender.send(Ok(now)).await.is_err() || !running {
            return Ok(());
        }
        if let Some(mut watched) = watched {
            // An error is the end of the run: the next round tells it.
            let changed = tokio::select! {
                changed = watched.percent.changed() => changed,
                () = sender.closed() => return Ok(()),
            };
            drop(changed);
        }
    }
}

async fn cancel(domain: &Domain, caller: &Caller, run: &str) -> Result<(), Fault> {
    let run = canonical(run)?;
    domain.attempts.call_off(&caller.organisation, &run);
    airlock::withdraw(domain, caller, &run).await
}

/// What the caller may know of a run of its organisation.
async fn status(domain: &Domain, caller: &Caller, run: &str) -> Result<RunStatus, Fault> {
    let run = canonical(run)?;
    if let Some(watched) = domain.attempts.watch(&caller.organisation, &run) {
        let status = RunStatus {
            run_id: run,
            state: RunState::Running.into(),
            percent: *watched.percent.borrow(),
            ..RunStatus::default()
        };
        return with_quota(domain, status, watched.grant.unwrap_or_default()).await;
    }
    airlock::settle(domain).await?;
    let end = domain.registry.run_end(&caller.organisation, &run).await?;
    let waits = domain.registry.in_airlock(&run).await?;
    let waits = waits.filter(|record| record.organisation == caller.organisation);
    let state = match (waits.map(|record| record.state), &end) {
        (_, Some(end)) if end.released => RunState::Released,
        (Some(AirlockState::Waiting), _) => RunState::InReview,
        (Some(AirlockState::Approved), _) => RunState::Ready,
        (Some(AirlockState::Released), _) => RunState::Released,
        (Some(_), _) | (None, Some(_)) => RunState::Refused,
        (None, None) => return Err(unknown(&run)),
    };
    let status = RunStatus {
        run_id: run,
        state: state.into(),
        percent: 100,
        seconds_at_most: end.as_ref().map(|end| end.seconds_at_most.unsigned_abs()),
        ..RunStatus::default()
    };
    with_quota(
        domain,
        status,
        end.map(|end| end.grant_id).unwrap_or_default(),
    )
    .await
}

async fn with_quota(domain: &Domain, status: RunStatus, grant: String) -> Result<RunStatus, Fault> {
    if grant.is_empty() {
        return Ok(status);
    }
    let [runs_left, cells_left] = grants::left(domain, &grant).await?;
    Ok(RunStatus {
        grant,
        runs_left,
        cells_left,
        ..status
    })
}

/// A run id in the one spelling in which it is kept.
fn canonical(run: &str) -> Result<String, Fault> {
    let id = Uuid::try_parse(run).map_err(|_| {
        Fault::caller(
            "RUN_ID_INVALID",
            "the run id is not a UUID. Send the id of a run",
        )
    })?;
    Ok(id.to_string())
}

fn unknown(run: &str) -> Fault {
    Fault::caller(
        "RUN_UNKNOWN",
        format!(
            "no run `{run}` of your organisation has begun to read. Ask for its answer with the query and the same run id"
        ),
    )
}
