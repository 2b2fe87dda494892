//! `ModelService`.

use std::sync::Arc;

use chrono::SecondsFormat;
use tonic::{Request, Response, Status, Streaming};
use weir_api::v1::model_service_server::ModelService;
use weir_api::v1::submit_model_request::Part;
use weir_api::v1::submit_model_response::Step;
use weir_api::v1::{
    self, ApproveModelRequest, EndModelRequest, GetModelReportRequest, GetModelRequest,
    ListModelsRequest, ListModelsResponse, ModelState, Progress, SubmitModelHeader,
    SubmitModelRequest, SubmitModelResponse,
};
use weir_audit::{Digest, Event};
use weir_registry::{Approval, ModelEnd, ModelRecord, ModelState as State, Role};

use super::{Answers, Sender, carry_out, check_name, enter, refused, stream};
use crate::access::{Call, Caller};
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants::not_own;
use crate::grants::states::next;
use crate::models::states::{MODEL, ModelAct};
use crate::models::{self, Ending, reviews};
use crate::vetting::Vetted;

pub(crate) struct Models(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl ModelService for Models {
    type SubmitModelStream = Answers<SubmitModelResponse>;

    async fn submit_model(
        &self,
        request: Request<Streaming<SubmitModelRequest>>,
    ) -> Result<Response<Self::SubmitModelStream>, Status> {
        let caller = enter(&self.0, &request, Call::SubmitModel).await?.leave();
        let (domain, parts) = (Arc::clone(&self.0), request.into_inner());
        let (sender, answers) = stream();
        tokio::spawn(async move {
            let steps = sender.clone();
            let work = tokio::spawn(async move { submit(&domain, &caller, parts, steps).await });
            let message = match work.await.unwrap_or_else(|_| Err(panicked())) {
                Ok(model) => Ok(SubmitModelResponse {
                    step: Some(Step::Submitted(model)),
                }),
                Err(fault) => Err(refused(Call::SubmitModel, fault)),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }

    async fn get_model(
        &self,
        request: Request<GetModelRequest>,
    ) -> Result<Response<v1::Model>, Status> {
        let caller = enter(&self.0, &request, Call::ReadModels).await?;
        let GetModelRequest { name, digest } = request.into_inner();
        let found = find(&self.0, &caller, &name, &digest).await;
        let shown = match found {
            Ok(model) => shown(&self.0, model).await,
            Err(fault) => Err(fault),
        };
        shown
            .map(Response::new)
            .map_err(|fault| refused(Call::ReadModels, fault))
    }

    async fn get_model_report(
        &self,
        request: Request<GetModelReportRequest>,
    ) -> Result<Response<v1::ModelReport>, Status> {
        let caller = enter(&self.0, &request, Call::ReadModels).await?;
        let found = report(&self.0, &caller, request.into_inner()).await;
        found
            .map(Response::new)
            .map_err(|fault| refused(Call::ReadModels, fault))
    }

    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let caller = enter(&self.0, &request, Call::ReadModels).await?;
        let models = self.0.registry.models().await.map_err(Fault::from)?;
        let models = models
            .into_iter()
            .filter(|model| may_see(&caller, model))
            .map(to_proto)
            .collect();
        Ok(Response::new(ListModelsResponse { models }))
    }

    async fn approve_model(
        &self,
        request: Request<ApproveModelRequest>,
    ) -> Result<Response<v1::Model>, Status> {
        let caller = enter(&self.0, &request, Call::ApproveModel).await?;
        let approved = approve(&self.0, &caller, request.into_inner()).await;
        approved
            .map(Response::new)
            .map_err(|fault| refused(Call::ApproveModel, fault))
    }

    async fn reject_model(
        &self,
        request: Request<EndModelRequest>,
    ) -> Result<Response<v1::Model>, Status> {
        let call = Call::EndModel;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            end(&domain, &caller, &asked, Ending::Reject).await
        })
        .await
    }

    async fn withdraw_model(
        &self,
        request: Request<EndModelRequest>,
    ) -> Result<Response<v1::Model>, Status> {
        let call = Call::EndModel;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            end(&domain, &caller, &asked, Ending::Withdraw).await
        })
        .await
    }
}

async fn submit(
    domain: &Arc<Domain>,
    caller: &Caller,
    mut parts: Streaming<SubmitModelRequest>,
    steps: Sender<SubmitModelResponse>,
) -> Result<v1::Model, Fault> {
    let (name, bytes) = receive(&mut parts).await?;
    check_name("model", &name)?;
    let versions = domain.registry.model_versions(&name).await?;
    if versions
        .iter()
        .any(|version| version.organisation != caller.organisation)
    {
        // Whose it is stays unsaid: the list of models is not for other operators.
        return Err(Fault::caller(
            "MODEL_NAME_TAKEN",
            format!("the model name `{name}` is taken. Choose another one"),
        ));
    }
    let submitted = Digest::of(&bytes).to_string();
    let known = |version: &ModelRecord| {
        version.digest == submitted || version.vetting.submitted_digest == submitted
    };
    if let Some(same) = versions.into_iter().find(known) {
        return Ok(to_proto(same));
    }
    let size_bytes = bytes.len() as u64;
    // Where the client has room for it; a slow client slows nothing.
    let tell = move |stage: &str| {
        let step = Step::Progress(Progress {
            stage: stage.to_owned(),
            ..Progress::default()
        });
        drop(steps.try_send(Ok(SubmitModelResponse { step: Some(step) })));
    };
    let vetted = Vetted::of((domain, &caller.organisation), bytes, tell).await?;
    let event = Event::ModelSubmitted {
        model: name.clone(),
        digest: vetted.submitted,
        size_bytes,
    };
    domain.record.append_async(caller.actor(), event).await?;
    domain
        .record
        .append_async(caller.actor(), vetted.event(&name))
        .await?;
    if let Some(refusal) = vetted.refusal() {
        return Err(refusal);
    }
    let model = ModelRecord {
        name,
        digest: vetted.digest.to_string(),
        component: vetted.received.admitted.bytes().to_vec(),
        signature: vetted.received.admitted.signature().to_string(),
        organisation: caller.organisation.clone(),
        submitted_by: caller.person.clone(),
        submitted_at: domain
            .clock
            .now()
            .to_rfc3339_opts(SecondsFormat::Millis, true),
        vetting: vetted.record(),
        state: State::Submitted,
        approval: Approval::default(),
        end: ModelEnd::default(),
    };
    domain.registry.add_model(&model).await?;
    Ok(to_proto(model))
}

/// Reads the header and the chunks, and stops at the first byte over the limit.
async fn receive(parts: &mut Streaming<SubmitModelRequest>) -> Result<(String, Vec<u8>), Fault> {
    let limit = weir_model::Limits::default().component_bytes_max;
    let mut name = None;
    let mut component = Vec::new();
    while let Some(part) = parts.message().await.map_err(|status| lost(&status))? {
        match part.part {
            Some(Part::Header(SubmitModelHeader { name: first })) if name.is_none() => {
                name = Some(first)
            }
            Some(Part::Chunk(chunk)) if name.is_some() => {
                if component.len() + chunk.len() > limit {
                    return Err(Fault::new(
                        crate::fault::Family::Model,
                        "MODEL_TOO_LARGE",
                        format!(
                            "the model is longer than {limit} bytes, the most that is read. Build it smaller"
                        ),
                    ));
                }
                component.extend_from_slice(&chunk);
            }
            _ => {
                return Err(Fault::caller(
                    "UPLOAD_OUT_OF_ORDER",
                    "a model is sent as one header and then chunks. Use a current client",
                ));
            }
        }
    }
    let name = name.ok_or_else(|| {
        Fault::caller(
            "UPLOAD_OUT_OF_ORDER",
            "no header was sent. A model is sent as one header and then chunks",
        )
    })?;
    Ok((name, component))
}

fn lost(status: &Status) -> Fault {
    Fault::caller(
        "UPLOAD_INTERRUPTED",
        format!(
            "the upload broke off ({}). Nothing was kept; send it again",
            status.code()
        ),
    )
}

async fn report(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: GetModelReportRequest,
) -> Result<v1::ModelReport, Fault> {
    let model = find(domain, caller, &request.name, &request.digest).await?;
    let mut report = v1::ModelReport {
        name: model.name,
        digest: model.digest,
        report_digest: model.vetting.report_digest,
        report_json: model.vetting.report,
        wat: String::new(),
    };
    if request.wat {
        let component = model.component;
        let limits = weir_model::VetLimits::default();
        report.wat = tokio::task::spawn_blocking(move || weir_model::wat(&component, &limits))
            .await
            .map_err(|_| panicked())??;
    }
    Ok(report)
}

async fn approve(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: ApproveModelRequest,
) -> Result<v1::Model, Fault> {
    bound(&request.digest)?;
    let _one = domain.approvals.lock().await;
    let model = find(domain, caller, &request.name, &request.digest).await?;
    let what = format!("model `{}`", model.name);
    not_own(caller, (&model.organisation, &model.submitted_by), &what)?;
    let reviewed = &model.vetting.report_digest;
    if !request.report_digest.is_empty() && request.report_digest != *reviewed {
        return Err(Fault::caller(
            "REPORT_OTHER",
            format!(
                "the report of model `{}` has the digest {reviewed}, another than the one that was read. Read it again with \
                 `weir model show {}`",
                model.name, model.name
            ),
        ));
    }
    let from = (model.state, model.state.as_str());
    if next(MODEL, from, ModelAct::Approve, Some(caller.role))? == model.state {
        return Ok(to_proto(model));
    }
    let Some(approved_by) = reviews::add(domain, caller, &model).await? else {
        return shown(domain, model).await;
    };
    let event = match reviewed.is_empty() {
        // Submitted before there was vetting.
        true => Event::ModelApproved {
            model: model.name.clone(),
            digest: model.digest.parse()?,
        },
        false => Event::VettedModelApproved {
            model: model.name.clone(),
            digest: model.digest.parse()?,
            report_digest: reviewed.parse()?,
        },
    };
    domain.record.append_async(caller.actor(), event).await?;
    let at = domain
        .clock
        .now()
        .to_rfc3339_opts(SecondsFormat::Millis, true);
    domain
        .registry
        .approve_model(&model.name, &model.digest, &approved_by, &at)
        .await?;
    Ok(to_proto(
        find(domain, caller, &request.name, &request.digest).await?,
    ))
}

/// Rejects a model, or withdraws its approval.
async fn end(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: &EndModelRequest,
    how: Ending,
) -> Result<v1::Model, Fault> {
    bound(&request.digest)?;
    let _one = domain.approvals.lock().await;
    let model = find(domain, caller, &request.name, &request.digest).await?;
    models::end(domain, caller, &model, (how, &request.reason)).await?;
    let ended = find(domain, caller, &request.name, &request.digest).await?;
    Ok(to_proto(ended))
}

/// A decision is about one digest.
fn bound(digest: &str) -> Result<(), Fault> {
    match digest {
        "" => Err(Fault::caller(
            "DIGEST_MISSING",
            "a decision on a model binds to a digest and none was sent. Send the digest that was reviewed",
        )),
        _ => Ok(()),
    }
}

/// The version with this digest, or the newest, among those the caller may see.
async fn find(
    domain: &Domain,
    caller: &Caller,
    name: &str,
    digest: &str,
) -> Result<ModelRecord, Fault> {
    let versions = domain.registry.model_versions(name).await?;
    versions
        .into_iter()
        .filter(|version| may_see(caller, version))
        .find(|version| digest.is_empty() || version.digest == digest)
        .ok_or_else(|| {
            let name: String = name.chars().take(super::NAME_CHARS_MAX).collect();
            Fault::caller(
                "MODEL_UNKNOWN",
                format!("there is no such version of model `{name}`. `weir model show {name}` shows the newest"),
            )
        })
}

/// A model with who has approved it so far, where that takes several.
async fn shown(domain: &Domain, model: ModelRecord) -> Result<v1::Model, Fault> {
    let needed = reviews::needed(domain);
    if needed == 1 || matches!(model.state, State::Approved | State::Rejected) {
        return Ok(to_proto(model));
    }
    let approvals = reviews::approvals(domain, &model).await?;
    Ok(v1::Model {
        approvals,
        approvals_needed: needed as u32,
        ..to_proto(model)
    })
}

/// An operator sees its own organisation's models; bureau and auditor see all.
fn may_see(caller: &Caller, model: &ModelRecord) -> bool {
    caller.role != Role::Operator || model.organisation == caller.organisation
}

fn to_proto(model: ModelRecord) -> v1::Model {
    let state = match model.state {
        State::Submitted => ModelState::Submitted,
        State::Approved => ModelState::Approved,
        State::Rejected => ModelState::Rejected,
        State::Withdrawn => ModelState::Withdrawn,
    };
    v1::Model {
        name: model.name,
        digest: model.digest,
        state: state.into(),
        signature: model.signature,
        size_bytes: model.component.len() as u64,
        submitted_by: model.submitted_by,
        organisation: model.organisation,
        submitted_at: model.submitted_at,
        approved_by: model.approval.approved_by.unwrap_or_default(),
        approved_at: model.approval.approved_at.unwrap_or_default(),
        verdict: weir_model::Report::from_json(&model.vetting.report)
            .map(|report| report.verdict().as_str().to_owned())
            .unwrap_or_default(),
        submitted_digest: model.vetting.submitted_digest,
        report_digest: model.vetting.report_digest,
        approvals: Vec::new(),
        approvals_needed: 0,
        ended_by: model.end.ended_by,
        ended_at: model.end.ended_at,
        end_reason: model.end.end_reason,
    }
}
