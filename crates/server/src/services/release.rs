//! `ReleaseService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::release_service_server::ReleaseService;
use weir_api::v1::{self, ListReleasesRequest, ListReleasesResponse};
use weir_registry::RunRecord;

use super::{enter, refused};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::Fault;

/// Releases listed unless asked otherwise.
const LIMIT_DEFAULT: u32 = 100;

/// Releases listed at most.
const LIMIT_MAX: u32 = 1_000;

pub(crate) struct Releases(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl ReleaseService for Releases {
    async fn list_releases(
        &self,
        request: Request<ListReleasesRequest>,
    ) -> Result<Response<ListReleasesResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::ListReleases).await?;
        let limit = match request.get_ref().limit {
            0 => LIMIT_DEFAULT,
            limit if limit <= LIMIT_MAX => limit,
            limit => {
                let fault = Fault::caller(
                    "LIMIT_TOO_LARGE",
                    format!(
                        "{limit} releases are asked for; at most {LIMIT_MAX} are listed. Ask for fewer"
                    ),
                );
                return Err(refused(Call::ListReleases, fault));
            }
        };
        let runs = self.0.registry.runs(limit).await.map_err(Fault::from)?;
        let releases = runs.into_iter().map(to_proto).collect();
        Ok(Response::new(ListReleasesResponse { releases }))
    }
}

fn to_proto(run: RunRecord) -> v1::Release {
    v1::Release {
        run_id: run.run,
        person: run.person,
        organisation: run.organisation,
        datasets: run.dataset.split(", ").map(str::to_owned).collect(),
        cells_released: run.cells_released.unsigned_abs(),
        cells_withheld: run.cells_withheld.unsigned_abs(),
        table_digest: run.table_digest,
        log_index: run.log_index.unsigned_abs(),
        released_at: run.finished_at,
    }
}
