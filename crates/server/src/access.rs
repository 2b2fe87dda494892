//! Who calls, and who may call what.

use tonic::Request;
use weir_audit::{Actor, Digest};
use weir_registry::{IdentityRecord, Registry, Role};

use crate::fault::Fault;

/// Every call of the contract that needs authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    IssueIdentity,
    WhoAmI,
    RegisterDataset,
    DestroySnapshot,
    ReadDatasets,
    AssessRisk,
    SampleDataset,
    FileFeedback,
    ReadFeedback,
    AnswerFeedback,
    SubmitModel,
    ReadModels,
    ApproveModel,
    Run,
    EstimateRun,
    GetCheckpoint,
    GetReceipt,
    ListReleases,
    ReadPolicies,
    ChangePolicy,
    ReplayPolicy,
}

/// The whole of it: a call that is not in the caller's row is refused.
const fn allowed(call: Call) -> &'static [Role] {
    use Role::{Auditor, Bureau, Operator};
    match call {
        Call::WhoAmI | Call::ReadDatasets | Call::GetCheckpoint => &Role::ALL,
        Call::IssueIdentity
        | Call::RegisterDataset
        | Call::DestroySnapshot
        | Call::ApproveModel => &[Bureau],
        Call::SampleDataset => &Role::ALL,
        Call::AssessRisk | Call::AnswerFeedback => &[Bureau],
        Call::FileFeedback => &[Operator],
        Call::ReadFeedback => &[Bureau, Operator, Auditor],
        Call::SubmitModel | Call::Run | Call::EstimateRun => &[Operator],
        Call::ReadModels => &[Bureau, Operator, Auditor],
        Call::GetReceipt | Call::ListReleases => &[Bureau, Auditor],
        Call::ReadPolicies => &[Bureau, Operator, Auditor],
        Call::ChangePolicy | Call::ReplayPolicy => &[Bureau],
    }
}

/// A caller whose certificate the domain issued and whose role may make the call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    pub(crate) organisation: String,
    pub(crate) person: String,
}

impl Caller {
    /// As the log names them.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            person: self.person.clone(),
            organisation: self.organisation.clone(),
            role: self.role.to_string(),
        }
    }

    /// As the registry names them.
    pub(crate) fn signature(&self) -> String {
        format!("{} ({})", self.person, self.organisation)
    }
}

/// Fingerprint of the certificate the connection was made with.
pub(crate) fn fingerprint<T>(request: &Request<T>) -> Result<Digest, Fault> {
    let certificates = request.peer_certs();
    let certificate = certificates.as_deref().and_then(|chain| chain.first());
    certificate.map(|certificate| Digest::of(certificate)).ok_or_else(|| {
        Fault::policy(
            "CERTIFICATE_MISSING",
            "the connection has no client certificate. Connect with an identity issued by this domain",
        )
    })
}

/// Knows the caller and checks the call against the table.
pub(crate) async fn authorise(
    registry: &Registry,
    fingerprint: Digest,
    call: Call,
) -> Result<Caller, Fault> {
    let identity = registry
        .identity(&fingerprint.to_string())
        .await?
        .ok_or_else(|| {
            Fault::policy(
                "IDENTITY_UNKNOWN",
                "this certificate is not in the domain's registry. Ask the bureau for an identity",
            )
        })?;
    let IdentityRecord {
        role,
        organisation,
        person,
        ..
    } = identity;
    if !allowed(call).contains(&role) {
        let roles: Vec<_> = allowed(call).iter().map(|role| role.as_str()).collect();
        return Err(Fault::policy(
            "ROLE_NOT_ALLOWED",
            format!(
                "the role {role} may not make this call; it is for: {}. Use another identity",
                roles.join(", ")
            ),
        ));
    }
    Ok(Caller {
        role,
        organisation,
        person,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_runs_may_approve() {
        for role in Role::ALL {
            let runs =
                allowed(Call::Run).contains(&role) || allowed(Call::SubmitModel).contains(&role);
            assert!(
                !(runs && allowed(Call::ApproveModel).contains(&role)),
                "{role}"
            );
        }
    }
}
