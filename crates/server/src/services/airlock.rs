//! `AirlockService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::airlock_service_server::AirlockService;
use weir_api::v1::{
    self, AirlockDecision, AirlockEntry, AirlockRule, AirlockTable, DecideAirlockRequest,
    GetAirlockRequest, ListAirlockRequest, ListAirlockResponse,
};
use weir_gate::Preview;
use weir_registry::{AirlockRecord, AirlockReview};

use super::{enter, refused};
use crate::access::{Call, Caller};
use crate::airlock::{self, Decided, LISTED_MAX};
use crate::domain::Domain;
use crate::fault::{Fault, panicked};

pub(crate) struct Airlock(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl AirlockService for Airlock {
    async fn list_airlock(
        &self,
        request: Request<ListAirlockRequest>,
    ) -> Result<Response<ListAirlockResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::ReadAirlock).await?;
        let listed = list(&self.0, request.get_ref().open_only).await;
        listed
            .map(|entries| Response::new(ListAirlockResponse { entries }))
            .map_err(|fault| refused(Call::ReadAirlock, fault))
    }

    async fn get_airlock(
        &self,
        request: Request<GetAirlockRequest>,
    ) -> Result<Response<AirlockEntry>, Status> {
        let caller = enter(&self.0, &request, Call::ReadAirlock).await?;
        let shown = show(&self.0, &caller, request.into_inner()).await;
        shown
            .map(Response::new)
            .map_err(|fault| refused(Call::ReadAirlock, fault))
    }

    async fn decide_airlock(
        &self,
        request: Request<DecideAirlockRequest>,
    ) -> Result<Response<AirlockEntry>, Status> {
        let caller = enter(&self.0, &request, Call::DecideAirlock).await?;
        let (domain, asked) = (Arc::clone(&self.0), request.into_inner());
        // A task of its own: a client that goes away leaves no decision half done.
        let work = tokio::spawn(async move { decide(&domain, &caller, asked).await });
        let decided = work.await.unwrap_or_else(|_| Err(panicked()));
        decided
            .map(Response::new)
            .map_err(|fault| refused(Call::DecideAirlock, fault))
    }
}

async fn list(domain: &Domain, open_only: bool) -> Result<Vec<AirlockEntry>, Fault> {
    airlock::settle(domain).await?;
    let mut entries = Vec::new();
    for record in domain.registry.airlock(open_only, LISTED_MAX).await? {
        entries.push(entry(domain, record).await?);
    }
    Ok(entries)
}

async fn show(
    domain: &Arc<Domain>,
    caller: &Caller,
    asked: GetAirlockRequest,
) -> Result<AirlockEntry, Fault> {
    airlock::settle(domain).await?;
    let record = airlock::find(domain, &asked.run_id).await?;
    let table = match asked.with_table {
        true => Some(airlock::preview(domain, caller, &record).await?),
        false => None,
    };
    Ok(AirlockEntry {
        table: table.as_ref().map(to_table),
        ..entry(domain, record).await?
    })
}

async fn decide(
    domain: &Arc<Domain>,
    caller: &Caller,
    asked: DecideAirlockRequest,
) -> Result<AirlockEntry, Fault> {
    let approves = match asked.decision() {
        AirlockDecision::Approve => true,
        AirlockDecision::Reject => false,
        AirlockDecision::Unspecified => {
            return Err(Fault::caller(
                "DECISION_MISSING",
                "no decision is given. Approve the table or reject it",
            ));
        }
    };
    let decided = Decided {
        run: &asked.run_id,
        table_digest: &asked.table_digest,
        approves,
        reason: &asked.reason,
    };
    let record = airlock::decide(domain, caller, decided).await?;
    entry(domain, record).await
}

async fn entry(domain: &Domain, record: AirlockRecord) -> Result<AirlockEntry, Fault> {
    let reviews = domain.registry.airlock_reviews(&record.run).await?;
    Ok(AirlockEntry {
        run_id: record.run,
        person: record.person,
        organisation: record.organisation,
        sql: record.sql,
        datasets: airlock::list(&record.datasets),
        snapshots: airlock::list(&record.snapshots),
        models: record.models.lines().map(str::to_owned).collect(),
        grant: record.grant_id,
        policy: record.policy,
        state: record.state.as_str().to_owned(),
        entered_at: record.entered_at,
        expires_at: record.expires_at,
        ended_at: record.ended_at.unwrap_or_default(),
        reviews: reviews.into_iter().map(to_review).collect(),
        sealed_digest: record.sealed_digest,
        table: None,
    })
}

fn to_review(review: AirlockReview) -> v1::AirlockReview {
    v1::AirlockReview {
        person: review.person,
        organisation: review.organisation,
        approves: review.approves,
        reason: review.text,
        given_at: review.given_at,
    }
}

fn to_table(preview: &Preview) -> AirlockTable {
    let summary = preview.summary();
    let rules = summary.withheld_by.iter();
    AirlockTable {
        reasons: summary.reasons.clone(),
        cells_released: summary.cells_released,
        cells_withheld: summary.cells_withheld,
        cells_negative: summary.cells_negative,
        withheld_by: rules
            .map(|(rule, cells)| AirlockRule {
                rule: rule.clone(),
                cells: *cells,
            })
            .collect(),
        arrow_ipc: preview.arrow_ipc().to_vec(),
        table_digest: preview.digest().to_owned(),
    }
}
