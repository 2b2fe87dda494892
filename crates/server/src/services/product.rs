//! `ProductService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::product_service_server::ProductService;
use weir_api::v1::run_response::Step;
use weir_api::v1::{
    self, DecideProductRequest, GetProductRequest, ListProductsRequest, ListProductsResponse,
    ProductDecision, ProductModel, ProductRun, Progress, RegisterProductRequest,
    RetireProductRequest, RunProductRequest, RunResponse,
};
use weir_registry::ProductRecord;

use super::{Answers, Entered, enter, refused, stream};
use crate::access::{Call, Caller};
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::products::{self, Registering, Terms};

/// Slots that are told of a product.
const RUNS_TOLD_MAX: u32 = 100;

pub(crate) struct Products(pub(crate) Arc<Domain>);

impl Products {
    /// Does work in a task of its own: a client that goes away leaves no change half done.
    async fn call<R, F>(
        &self,
        call: Call,
        request: Request<R>,
        work: impl FnOnce(Arc<Domain>, Caller, R) -> F,
    ) -> Result<Response<v1::Product>, Status>
    where
        F: Future<Output = Result<ProductRecord, Fault>> + Send + 'static,
    {
        let Entered { caller, door } = enter(&self.0, &request, call).await?;
        let work = work(Arc::clone(&self.0), caller, request.into_inner());
        let work = async move {
            let _door = door;
            work.await
        };
        let done = tokio::spawn(work).await.unwrap_or_else(|_| Err(panicked()));
        done.and_then(to_proto)
            .map(Response::new)
            .map_err(|fault| refused(call, fault.for_operator()))
    }
}

#[tonic::async_trait]
impl ProductService for Products {
    async fn register_product(
        &self,
        request: Request<RegisterProductRequest>,
    ) -> Result<Response<v1::Product>, Status> {
        self.call(
            Call::RegisterProduct,
            request,
            |domain, caller, asked| async move {
                let registering = Registering {
                    name: asked.name,
                    title: asked.title,
                    purpose: asked.purpose,
                    sql: asked.sql,
                    grant: asked.grant,
                    every: asked.every,
                    from: asked.from,
                };
                products::register(&domain, &caller, registering).await
            },
        )
        .await
    }

    async fn decide_product(
        &self,
        request: Request<DecideProductRequest>,
    ) -> Result<Response<v1::Product>, Status> {
        self.call(
            Call::DecideProduct,
            request,
            |domain, caller, asked| async move {
                let approves = match asked.decision() {
                    ProductDecision::Approve => true,
                    ProductDecision::Reject => false,
                    ProductDecision::Unspecified => {
                        return Err(Fault::caller(
                            "DECISION_MISSING",
                            "no decision is given. Approve the product or reject it",
                        ));
                    }
                };
                let about = (asked.name.as_str(), asked.digest.as_str());
                products::decide(&domain, &caller, about, approves, &asked.reason).await
            },
        )
        .await
    }

    async fn retire_product(
        &self,
        request: Request<RetireProductRequest>,
    ) -> Result<Response<v1::Product>, Status> {
        self.call(
            Call::RetireProduct,
            request,
            |domain, caller, asked| async move {
                products::retire(&domain, &caller, &asked.name, &asked.reason).await
            },
        )
        .await
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let caller = enter(&self.0, &request, Call::ReadProducts).await?;
        let listed = products::list(&self.0, &caller).await;
        let products = listed.and_then(|listed| listed.into_iter().map(to_proto).collect());
        match products {
            Ok(products) => Ok(Response::new(ListProductsResponse { products })),
            Err(fault) => Err(refused(Call::ReadProducts, fault.for_operator())),
        }
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<v1::Product>, Status> {
        let caller = enter(&self.0, &request, Call::ReadProducts).await?;
        let product = get(&self.0, &caller, &request.into_inner().name).await;
        product
            .map(Response::new)
            .map_err(|fault| refused(Call::ReadProducts, fault.for_operator()))
    }

    type RunProductStream = Answers<RunResponse>;

    async fn run_product(
        &self,
        request: Request<RunProductRequest>,
    ) -> Result<Response<Self::RunProductStream>, Status> {
        let caller = enter(&self.0, &request, Call::RunProduct).await?.leave();
        let RunProductRequest { name, slot, run_id } = request.into_inner();
        let domain = Arc::clone(&self.0);
        let (sender, answers) = stream();
        tokio::spawn(async move {
            let progress = sender.clone();
            let stage = move |name: &'static str| {
                let step = Step::Progress(Progress {
                    stage: name.to_owned(),
                    percent: None,
                    rows: None,
                });
                drop(progress.try_send(Ok(RunResponse { step: Some(step) })));
            };
            // As a run: it goes on when the client is gone, and a panic becomes a status.
            let work = tokio::spawn(async move {
                products::run(&domain, &caller, &name, (&slot, &run_id), stage).await
            });
            let message = match work.await.unwrap_or_else(|_| Err(panicked())) {
                Ok(result) => Ok(RunResponse {
                    step: Some(Step::Result(result)),
                }),
                Err(fault) => Err(refused(Call::RunProduct, fault.for_operator())),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }
}

async fn get(domain: &Domain, caller: &Caller, name: &str) -> Result<v1::Product, Fault> {
    let record = products::find(domain, caller, name).await?;
    let mut runs = Vec::new();
    if products::may_see_runs(caller, &record) {
        runs = domain.registry.product_runs(name, RUNS_TOLD_MAX).await?;
    }
    let runs = runs.into_iter().map(|run| ProductRun {
        slot: run.slot,
        run_id: run.run,
        code: run.code,
        ended_at: run.ended_at,
    });
    Ok(v1::Product {
        runs: runs.collect(),
        ..to_proto(record)?
    })
}

fn to_proto(record: ProductRecord) -> Result<v1::Product, Fault> {
    let terms = Terms::read(&record)?;
    let models = terms.models.into_iter();
    let (every, from) = terms.slots.map_or_else(Default::default, |slots| {
        (slots.every.to_string(), slots.from)
    });
    Ok(v1::Product {
        name: record.name,
        organisation: record.organisation,
        title: terms.title,
        purpose: terms.purpose,
        state: record.state.as_str().to_owned(),
        sql: terms.sql,
        grant: terms.grant,
        datasets: terms.datasets,
        models: models
            .map(|(name, digest)| ProductModel { name, digest })
            .collect(),
        policy: terms.policy,
        every,
        from,
        digest: record.digest,
        registered_at: record.registered_at,
        changed_by: record.changed_by,
        changed_at: record.changed_at,
        reason: record.reason,
        runs: Vec::new(),
    })
}
