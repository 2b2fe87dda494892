//! `IdentityService`.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use tonic::{Request, Response, Status};
use weir_api::v1::identity_service_server::IdentityService;
use weir_api::v1::{
    self, IssueIdentityRequest, IssueIdentityResponse, WhoAmIRequest, WhoAmIResponse,
};
use weir_audit::{Event, Timestamp};
use weir_registry::{IdentityRecord, Role};

use super::{enter, refused};
use crate::access::{Call, Caller};
use crate::authority::{NAME_CHARS_MAX, Subject, VALID_DAYS_DEFAULT, VALID_DAYS_MAX};
use crate::domain::Domain;
use crate::fault::Fault;

pub(crate) struct Identities(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl IdentityService for Identities {
    async fn issue_identity(
        &self,
        request: Request<IssueIdentityRequest>,
    ) -> Result<Response<IssueIdentityResponse>, Status> {
        let caller = enter(&self.0, &request, Call::IssueIdentity).await?;
        let issued = issue(&self.0, &caller, request.into_inner()).await;
        issued
            .map(Response::new)
            .map_err(|fault| refused(Call::IssueIdentity, fault))
    }

    async fn who_am_i(
        &self,
        request: Request<WhoAmIRequest>,
    ) -> Result<Response<WhoAmIResponse>, Status> {
        let caller = enter(&self.0, &request, Call::WhoAmI).await?;
        Ok(Response::new(WhoAmIResponse {
            person: caller.person,
            organisation: caller.organisation,
            role: to_proto(caller.role).into(),
            domain: self.0.config.name.clone(),
            log_key: self.0.log_key.clone(),
        }))
    }
}

async fn issue(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: IssueIdentityRequest,
) -> Result<IssueIdentityResponse, Fault> {
    let role = from_proto(request.role())?;
    check_person("person", &request.person)?;
    check_person("organisation", &request.organisation)?;
    let valid_days = match request.valid_days {
        0 => VALID_DAYS_DEFAULT,
        days if days <= VALID_DAYS_MAX => days,
        days => {
            return Err(Fault::caller(
                "VALIDITY_TOO_LONG",
                format!(
                    "{days} days are asked for; a certificate lives at most {VALID_DAYS_MAX}. Ask for fewer"
                ),
            ));
        }
    };
    let now = Utc::now();
    let subject = Subject {
        role,
        organisation: &request.organisation,
        person: &request.person,
    };
    let issued =
        domain
            .authority
            .person(&request.signing_request_pem, &subject, valid_days, now)?;
    // Logged before it works: the certificate is of no use until the registry knows it.
    let event = Event::IdentityIssued {
        fingerprint: issued.fingerprint,
        person: request.person.clone(),
        organisation: request.organisation.clone(),
        role: role.to_string(),
        not_after: Timestamp::from(issued.not_after),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let identity = IdentityRecord {
        fingerprint: issued.fingerprint.to_string(),
        role,
        organisation: request.organisation,
        person: request.person,
        not_after: issued.not_after.to_rfc3339_opts(SecondsFormat::Secs, true),
        issued_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    domain.registry.add_identity(&identity).await?;
    Ok(IssueIdentityResponse {
        certificate_pem: issued.pem,
        authority_pem: domain.authority.pem().to_owned(),
        fingerprint: identity.fingerprint,
        not_after: identity.not_after,
    })
}

/// A name of a person or an organisation: any script, no control characters, not empty.
fn check_person(kind: &str, name: &str) -> Result<(), Fault> {
    let characters = name.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&characters)
        && !name.chars().any(char::is_control)
        && name.trim() == name
    {
        return Ok(());
    }
    Err(Fault::caller(
        "NAME_INVALID",
        format!(
            "the {kind} must have 1 to {NAME_CHARS_MAX} characters, none of them a control character, and no space at \
             its ends"
        ),
    ))
}

fn from_proto(role: v1::Role) -> Result<Role, Fault> {
    match role {
        v1::Role::Bureau => Ok(Role::Bureau),
        v1::Role::Provider => Ok(Role::Provider),
        v1::Role::Operator => Ok(Role::Operator),
        v1::Role::Auditor => Ok(Role::Auditor),
        v1::Role::Unspecified => Err(Fault::caller(
            "ROLE_MISSING",
            "no role is named. Name one of: bureau, provider, operator, auditor",
        )),
    }
}

const fn to_proto(role: Role) -> v1::Role {
    match role {
        Role::Bureau => v1::Role::Bureau,
        Role::Provider => v1::Role::Provider,
        Role::Operator => v1::Role::Operator,
        Role::Auditor => v1::Role::Auditor,
    }
}
