//! `UsageService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::usage_service_server::UsageService;
use weir_api::v1::{self, GetUsageRequest, UsageKey, UsageShare};

use super::{enter, refused};
use crate::access::Call;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::usage::{self, By, Key, Sum};

pub(crate) struct Usages(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl UsageService for Usages {
    async fn get_usage(
        &self,
        request: Request<GetUsageRequest>,
    ) -> Result<Response<v1::Usage>, Status> {
        let caller = enter(&self.0, &request, Call::ReadUsage).await?;
        let GetUsageRequest { from, to, by } = request.into_inner();
        let by = keys(&by).map_err(|fault| refused(Call::ReadUsage, fault))?;
        let report = usage::report(&self.0, &caller, (&from, &to), &by, self.0.clock.now()).await;
        let report = report.map_err(|fault| refused(Call::ReadUsage, fault.for_operator()))?;
        let lines = report.lines.into_iter();
        Ok(Response::new(v1::Usage {
            lines: lines.map(|(key, sum)| line(key, sum)).collect(),
            total: Some(line(Key::default(), report.total)),
            currency: self.0.config.usage.currency.clone(),
            log_entries: report.entries,
        }))
    }
}

fn keys(asked: &[i32]) -> Result<Vec<By>, Fault> {
    let all = [By::Operator, By::Provider, By::Dataset, By::Product];
    if asked.is_empty() {
        return Ok(all.to_vec());
    }
    let keys = asked.iter().map(|key| match UsageKey::try_from(*key) {
        Ok(UsageKey::Operator) => Ok(By::Operator),
        Ok(UsageKey::Provider) => Ok(By::Provider),
        Ok(UsageKey::Dataset) => Ok(By::Dataset),
        Ok(UsageKey::Product) => Ok(By::Product),
        Ok(UsageKey::Unspecified) | Err(_) => Err(Fault::caller(
            "USAGE_KEY",
            "lines are told apart by operator, provider, dataset or product. Name one of these",
        )),
    });
    keys.collect()
}

fn line(key: Key, sum: Sum) -> v1::UsageLine {
    let shares = sum.shares.into_iter();
    v1::UsageLine {
        month: key.month,
        operator: key.operator,
        provider: key.provider,
        dataset: key.dataset,
        product: key.product,
        runs: sum.runs,
        rows: sum.rows,
        bytes: sum.bytes,
        fuel: sum.fuel,
        cells: sum.cells,
        releases: sum.releases,
        row_days: sum.row_days,
        charge: sum.charge,
        shares: shares
            .map(|(party, amount)| UsageShare { party, amount })
            .collect(),
    }
}
