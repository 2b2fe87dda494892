//! Who calls, and who may call what.

use chrono::DateTime;
use tonic::Request;
use weir_audit::{Actor, Digest};
use weir_registry::{IdentityRecord, Role};

use crate::domain::Domain;
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
    EndModel,
    Run,
    EstimateRun,
    GetCheckpoint,
    GetReceipt,
    ListReleases,
    ReadPolicies,
    ChangePolicy,
    ReplayPolicy,
    RenewIdentity,
    RevokeIdentity,
    ListIdentities,
    Apply,
    WithdrawApplication,
    ReviewApplication,
    DecideApplication,
    ReadGrants,
    IssueGrant,
    DelegateGrant,
    ChangeGrant,
    Freeze,
    ReadFreezes,
    ReadAirlock,
    DecideAirlock,
    WatchRun,
    CancelRun,
    ReadAlerts,
    AcknowledgeAlert,
    ReplayRelease,
    ListKeys,
    RotateKey,
    ReadUsage,
    RegisterProduct,
    DecideProduct,
    RetireProduct,
    ReadProducts,
    RunProduct,
    ReadRetention,
    DestroyKept,
}

/// The whole of it: a call that is not in the caller's row is refused.
pub(crate) const fn allowed(call: Call) -> &'static [Role] {
    use Role::{Auditor, Bureau, Operator, Provider};
    match call {
        Call::WhoAmI | Call::ReadDatasets | Call::GetCheckpoint => &Role::ALL,
        Call::IssueIdentity
        | Call::RegisterDataset
        | Call::DestroySnapshot
        | Call::ApproveModel
        | Call::EndModel => &[Bureau],
        Call::SampleDataset | Call::ReadUsage | Call::ReadProducts => &Role::ALL,
        Call::RegisterProduct | Call::RunProduct => &[Operator],
        Call::DecideProduct => &[Bureau],
        Call::RetireProduct => &[Bureau, Operator],
        Call::AssessRisk | Call::AnswerFeedback => &[Bureau],
        Call::FileFeedback => &[Operator],
        Call::ReadFeedback => &[Bureau, Operator, Auditor],
        Call::SubmitModel | Call::Run | Call::EstimateRun => &[Operator],
        Call::ReadModels => &[Bureau, Operator, Auditor],
        Call::GetReceipt | Call::ListReleases => &[Bureau, Auditor],
        Call::ReadPolicies => &[Bureau, Operator, Auditor],
        Call::ChangePolicy | Call::ReplayPolicy => &[Bureau],
        Call::RenewIdentity | Call::ReadGrants => &Role::ALL,
        Call::RevokeIdentity => &[Bureau],
        Call::ListIdentities | Call::ReadFreezes => &[Bureau, Auditor],
        Call::Apply | Call::WithdrawApplication | Call::DelegateGrant => &[Operator],
        Call::ReviewApplication => &[Provider, Bureau],
        Call::DecideApplication | Call::IssueGrant | Call::Freeze => &[Bureau],
        Call::ChangeGrant => &[Bureau, Operator],
        Call::ReadAirlock => &[Bureau, Auditor],
        Call::DecideAirlock => &[Bureau],
        Call::WatchRun | Call::CancelRun => &[Operator],
        Call::ReadAlerts => &[Bureau, Auditor],
        Call::AcknowledgeAlert => &[Bureau],
        Call::ReplayRelease => &[Auditor],
        Call::ListKeys | Call::ReadRetention => &[Bureau, Auditor],
        Call::RotateKey | Call::DestroyKept => &[Bureau],
    }
}

/// A caller whose certificate the domain issued and whose role may make the call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    pub(crate) organisation: String,
    pub(crate) person: String,
    /// Of the certificate that the call was made with.
    pub(crate) fingerprint: Digest,
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
    domain: &Domain,
    fingerprint: Digest,
    call: Call,
) -> Result<Caller, Fault> {
    let IdentityRecord {
        role,
        organisation,
        person,
        ..
    } = still_known(domain, fingerprint).await?;
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
        fingerprint,
    })
}

/// The identity of a certificate that is accepted now. A connection outlives what it was made with, so this is asked at
/// every call.
pub(crate) async fn still_known(
    domain: &Domain,
    fingerprint: Digest,
) -> Result<IdentityRecord, Fault> {
    let identity = domain
        .registry
        .identity(&fingerprint.to_string())
        .await?
        .ok_or_else(|| {
            Fault::policy(
                "IDENTITY_UNKNOWN",
                "this certificate is not in the domain's registry. Ask the bureau for an identity",
            )
        })?;
    if identity.end.revoked_at.is_some() {
        return Err(Fault::policy(
            "IDENTITY_REVOKED",
            "this certificate was revoked. Ask the bureau for an identity",
        ));
    }
    // What cannot be read as a moment has passed.
    let ends = DateTime::parse_from_rfc3339(&identity.not_after);
    if ends.map_or(true, |ends| ends <= domain.clock.now()) {
        return Err(Fault::policy(
            "IDENTITY_EXPIRED",
            "this certificate has expired. Ask the bureau for an identity, and renew the next one in time with `weir \
             identity renew`",
        ));
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_applies_decides() {
        for role in Role::ALL {
            let applies = allowed(Call::Apply).contains(&role);
            for call in [
                Call::ReviewApplication,
                Call::DecideApplication,
                Call::IssueGrant,
            ] {
                assert!(
                    !(applies && allowed(call).contains(&role)),
                    "{role} {call:?}"
                );
            }
        }
    }

    #[test]
    fn nobody_who_registers_a_product_decides_on_one() {
        for role in allowed(Call::RegisterProduct) {
            assert!(!allowed(Call::DecideProduct).contains(role), "{role}");
        }
    }

    #[test]
    fn nobody_who_runs_may_approve() {
        for role in Role::ALL {
            let runs =
                allowed(Call::Run).contains(&role) || allowed(Call::SubmitModel).contains(&role);
            for call in [Call::ApproveModel, Call::EndModel, Call::DecideAirlock] {
                assert!(!(runs && allowed(call).contains(&role)), "{role} {call:?}");
            }
        }
    }
}
