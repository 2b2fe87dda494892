//! `PolicyService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::policy_service_server::PolicyService;
use weir_api::v1::replay_policy_response::Step;
use weir_api::v1::{
    self, ApprovePolicyRequest, GetPolicyRequest, ListPolicyChangesRequest,
    ListPolicyChangesResponse, PolicyChangeState, PutPolicyRequest, ReplayPolicyRequest,
    ReplayPolicyResponse, WithdrawPolicyRequest,
};
use weir_policy::{Comparison, InForce};
use weir_registry::{ChangeState, GrantRecord, PolicyChangeRecord, PolicyRecord};

use super::{Answers, carry_out, enter, refused, stream};
use crate::access::{Call, Caller};
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants::{self, Terms};
use crate::policies::{self, CHANGES_MAX, Scope};

/// Most datasets whose policies are folded in one answer: more than any query reads.
const DATASETS_MAX: usize = 16;

pub(crate) struct Policies(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl PolicyService for Policies {
    async fn get_policy(
        &self,
        request: Request<GetPolicyRequest>,
    ) -> Result<Response<v1::Policy>, Status> {
        let call = Call::ReadPolicies;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            get(&domain, &caller, asked).await
        })
        .await
    }

    async fn put_policy(
        &self,
        request: Request<PutPolicyRequest>,
    ) -> Result<Response<v1::PolicyChange>, Status> {
        let call = Call::ChangePolicy;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            put(&domain, &caller, asked).await
        })
        .await
    }

    async fn approve_policy(
        &self,
        request: Request<ApprovePolicyRequest>,
    ) -> Result<Response<v1::PolicyChange>, Status> {
        let call = Call::ChangePolicy;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            let ApprovePolicyRequest { id, digest } = asked;
            let change = policies::approve(&domain, &caller, &id, &digest).await?;
            with_keys(&domain, change).await
        })
        .await
    }

    async fn withdraw_policy(
        &self,
        request: Request<WithdrawPolicyRequest>,
    ) -> Result<Response<v1::PolicyChange>, Status> {
        let call = Call::ChangePolicy;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            let change = policies::withdraw(&domain, &caller, &asked.id).await?;
            Ok(to_proto(change, None))
        })
        .await
    }

    async fn list_policy_changes(
        &self,
        request: Request<ListPolicyChangesRequest>,
    ) -> Result<Response<ListPolicyChangesResponse>, Status> {
        let call = Call::ReadPolicies;
        carry_out(&self.0, call, request, |domain, _, asked| async move {
            list(&domain, asked.open_only).await
        })
        .await
    }

    type ReplayPolicyStream = Answers<ReplayPolicyResponse>;

    async fn replay_policy(
        &self,
        request: Request<ReplayPolicyRequest>,
    ) -> Result<Response<Self::ReplayPolicyStream>, Status> {
        let caller = enter(&self.0, &request, Call::ReplayPolicy).await?;
        let (domain, request) = (Arc::clone(&self.0), request.into_inner());
        let (sender, answers) = stream();
        tokio::spawn(async move {
            let steps = sender.clone();
            let work =
                tokio::spawn(
                    async move { policies::replay(&domain, &caller, request, steps).await },
                );
            let message = match work.await.unwrap_or_else(|_| Err(panicked())) {
                Ok(summary) => Ok(ReplayPolicyResponse {
                    step: Some(Step::Summary(summary)),
                }),
                Err(fault) => Err(refused(Call::ReplayPolicy, fault)),
            };
            drop(sender.send(message).await);
        });
        Ok(Response::new(answers))
    }
}

/// The policy that a run over these datasets is judged by; one under this grant, over all that it covers unless fewer are
/// named.
async fn get(
    domain: &Arc<Domain>,
    caller: &Caller,
    asked: GetPolicyRequest,
) -> Result<v1::Policy, Fault> {
    let GetPolicyRequest {
        mut datasets,
        grant,
    } = asked;
    if datasets.len() > DATASETS_MAX {
        return Err(Fault::caller(
            "LIMIT_TOO_LARGE",
            format!(
                "{} datasets are named; at most {DATASETS_MAX} are folded at once. Name fewer",
                datasets.len()
            ),
        ));
    }
    for dataset in &datasets {
        Scope::of(domain, dataset).await?;
    }
    let grants = match grant.is_empty() {
        true => Vec::new(),
        false => super::grant::chain_to_show(domain, caller, &grant).await?,
    };
    if let (Some((_, own)), true) = (grants.first(), datasets.is_empty()) {
        datasets = own.datasets.keys().cloned().collect();
    }
    let in_force = policies::settled(domain).await?;
    let mut layers = in_force.layers(&datasets);
    for (layer, policy) in grants::layers(&grants)? {
        layers = layers.with(layer, policy);
    }
    let own = in_force.records(&datasets).into_iter().map(layer);
    Ok(v1::Policy {
        name: layers.policy().name(),
        digest: layers.policy().digest(),
        canonical: layers.policy().canonical(),
        limits: layers.in_force().into_iter().map(limit).collect(),
        layers: own.chain(grant_layers(&grants)?).collect(),
    })
}

/// What the grant and those above it ask for, the whole first.
fn grant_layers(grants: &[(GrantRecord, Terms)]) -> Result<Vec<v1::PolicyLayer>, Fault> {
    let mut layers = Vec::new();
    for (grant, terms) in grants.iter().rev() {
        if let Some(policy) = terms.layer()? {
            layers.push(v1::PolicyLayer {
                name: policy.name(),
                digest: policy.digest(),
                text: terms.policy.clone(),
                since: terms.not_before.clone(),
                set_by: terms.issued_by.clone(),
                grant: grant.id.clone(),
                ..Default::default()
            });
        }
    }
    Ok(layers)
}

async fn put(
    domain: &Domain,
    caller: &Caller,
    request: PutPolicyRequest,
) -> Result<v1::PolicyChange, Fault> {
    let PutPolicyRequest {
        text,
        source_name,
        dataset,
    } = request;
    let put = policies::put(domain, caller, (&text, &source_name), &dataset).await?;
    let moved = put.after.compare(&put.before);
    Ok(to_proto(put.change, Some(&moved)))
}

async fn list(domain: &Domain, open_only: bool) -> Result<ListPolicyChangesResponse, Fault> {
    policies::settled(domain).await?;
    let listed = domain
        .registry
        .policy_changes(open_only, CHANGES_MAX)
        .await?;
    let mut changes = Vec::new();
    for change in listed {
        changes.push(with_keys(domain, change).await?);
    }
    Ok(ListPolicyChangesResponse { changes })
}

/// A change, with the keys that it moves while it is open: then what it takes the place of is in force.
async fn with_keys(domain: &Domain, change: PolicyChangeRecord) -> Result<v1::PolicyChange, Fault> {
    let moved = match change.state.is_open() {
        true => Some(policies::moved(domain, &change).await?),
        false => None,
    };
    Ok(to_proto(change, moved.as_ref()))
}

fn limit(InForce { limit, layer, .. }: InForce) -> v1::PolicyLimit {
    v1::PolicyLimit {
        key: limit.key,
        value: limit.value,
        floor: limit.floor,
        layer: layer.to_string(),
        meaning: limit.meaning.to_owned(),
        source: limit.source.to_owned(),
    }
}

fn layer(record: PolicyRecord) -> v1::PolicyLayer {
    v1::PolicyLayer {
        dataset: record.dataset,
        name: record.name,
        digest: record.digest,
        text: record.text,
        since: record.since,
        set_by: record.set_by,
        grant: String::new(),
    }
}

fn to_proto(change: PolicyChangeRecord, moved: Option<&Comparison>) -> v1::PolicyChange {
    let state = match change.state {
        ChangeState::Proposed => PolicyChangeState::Proposed,
        ChangeState::Approved => PolicyChangeState::Approved,
        ChangeState::InForce => PolicyChangeState::InForce,
        ChangeState::Withdrawn => PolicyChangeState::Withdrawn,
        ChangeState::Overtaken => PolicyChangeState::Overtaken,
    };
    let keys = moved.into_iter().flat_map(Comparison::moved);
    let keys = keys.map(|key| v1::PolicyKeyChange {
        key: key.key.clone(),
        before: key.before.clone(),
        after: key.after.clone(),
        direction: key.direction.to_string(),
        effect: key.effect.clone(),
    });
    v1::PolicyChange {
        id: change.id,
        dataset: change.dataset,
        name: change.name,
        digest: change.digest,
        text: change.text,
        replaces: change.replaces,
        state: state.into(),
        proposed_by: format!(
            "{} ({})",
            change.proposed_person, change.proposed_organisation
        ),
        proposed_at: change.proposed_at,
        approved_by: change.approved_by,
        approved_at: change.approved_at,
        effective_at: change.effective_at,
        ended_by: change.ended_by,
        ended_at: change.ended_at,
        keys: keys.collect(),
    }
}
