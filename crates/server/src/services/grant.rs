//! `GrantService`.

mod show;

pub(super) use show::chain_to_show;

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};
use weir_api::v1::grant_service_server::GrantService;
use weir_api::v1::{
    self, ApplyRequest, ChangeGrantRequest, DecideApplicationRequest, Decision,
    DelegateGrantRequest, FreezeRequest, GetApplicationRequest, GetGrantRequest, IssueGrantRequest,
    ListApplicationsRequest, ListApplicationsResponse, ListFreezesRequest, ListFreezesResponse,
    ListGrantsRequest, ListGrantsResponse, Opinion, ReviewApplicationRequest,
    WithdrawApplicationRequest,
};
use weir_audit::Digest;

use super::carry_out;
use crate::access::{Call, Caller};
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants::states::{ApplicationAct, GrantAct};
use crate::grants::{self, Asked, Narrowed, Quotas};

pub(crate) struct Grants(pub(crate) Arc<Domain>);

impl Grants {
    /// Carries a request out, with the digest that it is known by when it is repeated.
    async fn call<R: Message, T, F>(
        &self,
        call: Call,
        request: Request<R>,
        work: impl FnOnce(Arc<Domain>, Caller, R, Digest) -> F,
    ) -> Result<Response<T>, Status>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        carry_out(&self.0, call, request, |domain, caller, request| {
            // Told apart by kind, so that one key cannot stand for two calls.
            let asked = [format!("{call:?}\n").into_bytes(), request.encode_to_vec()].concat();
            work(domain, caller, request, Digest::of(&asked))
        })
        .await
    }
}

#[tonic::async_trait]
impl GrantService for Grants {
    async fn apply(
        &self,
        request: Request<ApplyRequest>,
    ) -> Result<Response<v1::Application>, Status> {
        self.call(
            Call::Apply,
            request,
            |domain, caller, asked, digest| async move {
                let form = (asked.text.as_str(), asked.source_name.as_str());
                let key = grants::Request {
                    key: &asked.request_key,
                    digest,
                };
                let applied =
                    grants::apply(&domain, &caller, form, &asked.application, key).await?;
                show::application(&domain, applied).await
            },
        )
        .await
    }

    async fn withdraw_application(
        &self,
        request: Request<WithdrawApplicationRequest>,
    ) -> Result<Response<v1::Application>, Status> {
        let call = Call::WithdrawApplication;
        self.call(call, request, |domain, caller, asked, digest| async move {
            let key = grants::Request {
                key: &asked.request_key,
                digest,
            };
            let withdrawn =
                grants::withdraw(&domain, &caller, &asked.id, &asked.reason, key).await?;
            show::application(&domain, withdrawn).await
        })
        .await
    }

    async fn review_application(
        &self,
        request: Request<ReviewApplicationRequest>,
    ) -> Result<Response<v1::Application>, Status> {
        let call = Call::ReviewApplication;
        self.call(call, request, |domain, caller, asked, digest| async move {
            let supports = match asked.opinion() {
                Opinion::Support => true,
                Opinion::Oppose => false,
                Opinion::Unspecified => {
                    return Err(Fault::caller(
                        "OPINION_MISSING",
                        "no opinion is given. Support the application or oppose it",
                    ));
                }
            };
            let about = (asked.id.as_str(), asked.digest.as_str());
            let key = grants::Request {
                key: &asked.request_key,
                digest,
            };
            let reviewed =
                grants::review(&domain, &caller, about, supports, &asked.text, key).await?;
            show::application(&domain, reviewed).await
        })
        .await
    }

    async fn decide_application(
        &self,
        request: Request<DecideApplicationRequest>,
    ) -> Result<Response<v1::Application>, Status> {
        let call = Call::DecideApplication;
        self.call(call, request, |domain, caller, asked, digest| async move {
            let act = match asked.decision() {
                Decision::Return => ApplicationAct::Return,
                Decision::Reject => ApplicationAct::Reject,
                Decision::Unspecified => {
                    return Err(Fault::caller(
                        "DECISION_MISSING",
                        "no decision is given. Return the application or reject it",
                    ));
                }
            };
            let about = (asked.id.as_str(), asked.digest.as_str());
            let key = grants::Request {
                key: &asked.request_key,
                digest,
            };
            let decided = grants::decide(&domain, &caller, about, act, &asked.reason, key).await?;
            show::application(&domain, decided).await
        })
        .await
    }

    async fn list_applications(
        &self,
        request: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        self.call(
            Call::ReadGrants,
            request,
            |domain, caller, asked, _| async move {
                let applications = show::applications(&domain, &caller, asked.open_only).await?;
                Ok(ListApplicationsResponse { applications })
            },
        )
        .await
    }

    async fn get_application(
        &self,
        request: Request<GetApplicationRequest>,
    ) -> Result<Response<v1::Application>, Status> {
        self.call(
            Call::ReadGrants,
            request,
            |domain, caller, asked, _| async move {
                show::one_application(&domain, &caller, &asked.id).await
            },
        )
        .await
    }

    async fn issue_grant(
        &self,
        request: Request<IssueGrantRequest>,
    ) -> Result<Response<v1::Grant>, Status> {
        self.call(
            Call::IssueGrant,
            request,
            |domain, caller, asked, digest| async move {
                let narrowed = Narrowed {
                    until: asked.until.clone(),
                    quotas: quotas(asked.quotas),
                    ..Narrowed::default()
                };
                let about = (asked.id.as_str(), asked.digest.as_str());
                let key = grants::Request {
                    key: &asked.request_key,
                    digest,
                };
                let grant = grants::issue(&domain, &caller, about, narrowed, key).await?;
                show::grant(&domain, grant).await
            },
        )
        .await
    }

    async fn delegate_grant(
        &self,
        request: Request<DelegateGrantRequest>,
    ) -> Result<Response<v1::Grant>, Status> {
        self.call(
            Call::DelegateGrant,
            request,
            |domain, caller, asked, digest| async move {
                let datasets = asked.datasets.iter().map(|dataset| {
                    let columns = dataset.columns.iter().cloned().collect();
                    (dataset.name.clone(), columns)
                });
                let narrowed = Narrowed {
                    until: asked.until.clone(),
                    quotas: quotas(asked.quotas),
                    datasets: datasets.collect(),
                    models: asked.models.clone(),
                };
                let about = (asked.id.as_str(), asked.organisation.as_str());
                let key = grants::Request {
                    key: &asked.request_key,
                    digest,
                };
                let grant = grants::delegate(&domain, &caller, about, narrowed, key).await?;
                show::grant(&domain, grant).await
            },
        )
        .await
    }

    async fn change_grant(
        &self,
        request: Request<ChangeGrantRequest>,
    ) -> Result<Response<v1::Grant>, Status> {
        self.call(
            Call::ChangeGrant,
            request,
            |domain, caller, asked, digest| async move {
                let change = Asked {
                    id: &asked.id,
                    act: act(asked.act())?,
                    reason: &asked.reason,
                    days: asked.days,
                };
                let key = grants::Request {
                    key: &asked.request_key,
                    digest,
                };
                let grant = grants::change(&domain, &caller, change, key).await?;
                show::grant(&domain, grant).await
            },
        )
        .await
    }

    async fn list_grants(
        &self,
        request: Request<ListGrantsRequest>,
    ) -> Result<Response<ListGrantsResponse>, Status> {
        self.call(
            Call::ReadGrants,
            request,
            |domain, caller, asked, _| async move {
                let grants = show::grants(&domain, &caller, asked.live_only).await?;
                Ok(ListGrantsResponse { grants })
            },
        )
        .await
    }

    async fn get_grant(
        &self,
        request: Request<GetGrantRequest>,
    ) -> Result<Response<v1::Grant>, Status> {
        self.call(Call::ReadGrants, request, |domain, caller, asked, _| async move {
            show::one_grant(&domain, &caller, &asked.id).await
        })
        .await
    }

    async fn freeze(
        &self,
        request: Request<FreezeRequest>,
    ) -> Result<Response<ListFreezesResponse>, Status> {
        self.call(
            Call::Freeze,
            request,
            |domain, caller, asked, _| async move {
                let scope = (asked.scope.as_str(), asked.name.as_str());
                grants::freeze(&domain, &caller, scope, &asked.reason).await?;
                show::freezes(&domain).await
            },
        )
        .await
    }

    async fn unfreeze(
        &self,
        request: Request<FreezeRequest>,
    ) -> Result<Response<ListFreezesResponse>, Status> {
        self.call(
            Call::Freeze,
            request,
            |domain, caller, asked, _| async move {
                let scope = (asked.scope.as_str(), asked.name.as_str());
                grants::unfreeze(&domain, &caller, scope, &asked.reason).await?;
                show::freezes(&domain).await
            },
        )
        .await
    }

    async fn list_freezes(
        &self,
        request: Request<ListFreezesRequest>,
    ) -> Result<Response<ListFreezesResponse>, Status> {
        self.call(Call::ReadFreezes, request, |domain, _, _, _| async move {
            show::freezes(&domain).await
        })
        .await
    }
}

fn act(act: v1::GrantAct) -> Result<GrantAct, Fault> {
    Ok(match act {
        v1::GrantAct::Suspend => GrantAct::Suspend,
        v1::GrantAct::Resume => GrantAct::Resume,
        v1::GrantAct::Order => GrantAct::Order,
        v1::GrantAct::Accept => GrantAct::Accept,
        v1::GrantAct::Revoke => GrantAct::Revoke,
        v1::GrantAct::Terminate => GrantAct::Terminate,
        v1::GrantAct::Unspecified => {
            return Err(Fault::caller(
                "ACT_MISSING",
                "nothing is asked to be done. Suspend, resume, order, accept, revoke or terminate",
            ));
        }
    })
}

fn quotas(quotas: Option<v1::Quotas>) -> Quotas {
    let quotas = quotas.unwrap_or_default();
    Quotas {
        runs: quotas.runs,
        cells: quotas.cells,
        bits_out: quotas.bits_out,
        epsilon_millionths: quotas.epsilon_millionths,
        fuel: quotas.fuel,
        bytes: quotas.bytes,
    }
}
