//! `IdentityService`.

use std::sync::Arc;

use chrono::{DateTime, Days, SecondsFormat, Utc};
use prost::Message;
use tonic::{Request, Response, Status};
use weir_api::v1::identity_service_server::IdentityService;
use weir_api::v1::{
    self, IssueIdentityRequest, IssueIdentityResponse, ListIdentitiesRequest,
    ListIdentitiesResponse, RenewIdentityRequest, RevokeIdentityRequest, WhoAmIRequest,
    WhoAmIResponse,
};
use weir_audit::{Event, Timestamp};
use weir_registry::{IdentityEnd, IdentityRecord, Role};

use super::{carry_out, enter};
use crate::access::{self, Call, Caller};
use crate::authority::{Issued, NAME_CHARS_MAX, Subject, VALID_DAYS_DEFAULT, VALID_DAYS_MAX};
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants::check_reason;
use crate::requests::{self, Keyed};

/// How a certificate in PEM begins, unlike a signing request.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

pub(crate) struct Identities(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl IdentityService for Identities {
    async fn issue_identity(
        &self,
        request: Request<IssueIdentityRequest>,
    ) -> Result<Response<IssueIdentityResponse>, Status> {
        let call = Call::IssueIdentity;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            issue(&domain, &caller, asked).await
        })
        .await
    }

    async fn renew_identity(
        &self,
        request: Request<RenewIdentityRequest>,
    ) -> Result<Response<IssueIdentityResponse>, Status> {
        let call = Call::RenewIdentity;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            renew(&domain, &caller, asked).await
        })
        .await
    }

    async fn revoke_identity(
        &self,
        request: Request<RevokeIdentityRequest>,
    ) -> Result<Response<ListIdentitiesResponse>, Status> {
        let call = Call::RevokeIdentity;
        carry_out(&self.0, call, request, |domain, caller, asked| async move {
            revoke(&domain, &caller, asked).await
        })
        .await
    }

    async fn list_identities(
        &self,
        request: Request<ListIdentitiesRequest>,
    ) -> Result<Response<ListIdentitiesResponse>, Status> {
        let call = Call::ListIdentities;
        carry_out(&self.0, call, request, |domain, _, asked| async move {
            let all = domain.registry.identities().await?;
            let shown = all
                .into_iter()
                .filter(|identity| is_accepted(&domain, identity) || !asked.live_only);
            Ok(ListIdentitiesResponse {
                identities: shown.map(identity).collect(),
            })
        })
        .await
    }

    async fn who_am_i(
        &self,
        request: Request<WhoAmIRequest>,
    ) -> Result<Response<WhoAmIResponse>, Status> {
        let caller = enter(&self.0, &request, Call::WhoAmI).await?;
        Ok(Response::new(WhoAmIResponse {
            person: caller.person.clone(),
            organisation: caller.organisation.clone(),
            role: to_proto(caller.role).into(),
            domain: self.0.config.name.clone(),
            log_key: self.0.signing.text(),
        }))
    }
}

async fn issue(
    domain: &Arc<Domain>,
    caller: &Caller,
    mut request: IssueIdentityRequest,
) -> Result<IssueIdentityResponse, Fault> {
    let key = std::mem::take(&mut request.request_key);
    let keyed = Keyed::of(&key, "IssueIdentity", &request)?;
    // One change of identities at a time: a request that is sent twice at once is carried out once.
    let _one = domain.identities.lock().await;
    if let Some(keyed) = &keyed
        && let Some(before) = keyed.begun(domain, caller).await?
        && let Some(answer) = requests::answer(&before)?
    {
        return Ok(answer);
    }
    let role = from_proto(request.role())?;
    check_person("person", &request.person)?;
    check_person("organisation", &request.organisation)?;
    let valid_days = valid_days(request.valid_days)?;
    let now = domain.clock.now();
    let subject = Subject {
        role,
        organisation: &request.organisation,
        person: &request.person,
    };
    let pem = &request.signing_request_pem;
    let issued = match pem.contains(CERTIFICATE) {
        true => foreign(domain, pem, valid_days, now).await?,
        false => domain
            .front
            .now()
            .authority
            .person(pem, &subject, valid_days, now)?,
    };
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
        end: IdentityEnd::default(),
    };
    let answer = IssueIdentityResponse {
        certificate_pem: issued.pem,
        authority_pem: domain.front.now().authority.pem().to_owned(),
        fingerprint: identity.fingerprint.clone(),
        not_after: identity.not_after.clone(),
    };
    match keyed {
        None => domain.registry.add_identity(&identity).await?,
        Some(keyed) => {
            let mut request = keyed.begins(domain, caller).await?;
            request.answer = answer.encode_to_vec();
            domain
                .registry
                .add_answered_identity(&identity, &request)
                .await?;
        }
    }
    Ok(answer)
}

/// A certificate of an authority that the settings name, which is asked as in a handshake. Its fingerprint must be new: a certificate speaks for one person.
async fn foreign(
    domain: &Domain,
    pem: &str,
    valid_days: u32,
    now: DateTime<Utc>,
) -> Result<Issued, Fault> {
    let until = now + Days::new(u64::from(valid_days));
    let issued = domain.front.now().foreign(pem, until)?;
    let fingerprint = issued.fingerprint.to_string();
    match domain.registry.identity(&fingerprint).await? {
        None => Ok(issued),
        Some(_) => Err(Fault::caller(
            "CERTIFICATE_KNOWN",
            "this certificate is in the registry already, and speaks for whom it spoke. Have the person get another one",
        )),
    }
}

fn valid_days(asked: u32) -> Result<u32, Fault> {
    match asked {
        0 => Ok(VALID_DAYS_DEFAULT),
        days if days <= VALID_DAYS_MAX => Ok(days),
        days => Err(Fault::caller(
            "VALIDITY_TOO_LONG",
            format!(
                "{days} days are asked for; a certificate lives at most {VALID_DAYS_MAX}. Ask for fewer"
            ),
        )),
    }
}

/// Certifies another key of the caller's. The names are the caller's own.
async fn renew(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: RenewIdentityRequest,
) -> Result<IssueIdentityResponse, Fault> {
    let valid_days = valid_days(request.valid_days)?;
    let now = domain.clock.now();
    let subject = Subject {
        role: caller.role,
        organisation: &caller.organisation,
        person: &caller.person,
    };
    let pem = &request.signing_request_pem;
    let issued = domain
        .front
        .now()
        .authority
        .person(pem, &subject, valid_days, now)?;
    // One change of identities at a time: a certificate that is being revoked renews nothing.
    let _one = domain.identities.lock().await;
    access::still_known(domain, caller.fingerprint).await?;
    let event = Event::IdentityRenewed {
        fingerprint: issued.fingerprint,
        renews: caller.fingerprint,
        not_after: Timestamp::from(issued.not_after),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let identity = IdentityRecord {
        fingerprint: issued.fingerprint.to_string(),
        role: caller.role,
        organisation: caller.organisation.clone(),
        person: caller.person.clone(),
        not_after: issued.not_after.to_rfc3339_opts(SecondsFormat::Secs, true),
        issued_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        end: IdentityEnd::default(),
    };
    domain.registry.add_identity(&identity).await?;
    Ok(IssueIdentityResponse {
        certificate_pem: issued.pem,
        authority_pem: domain.front.now().authority.pem().to_owned(),
        fingerprint: identity.fingerprint,
        not_after: identity.not_after,
    })
}

/// Ends certificates at once: for open connections, because every call asks the registry, and for runs under way.
async fn revoke(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: RevokeIdentityRequest,
) -> Result<ListIdentitiesResponse, Fault> {
    let reason = check_reason(&request.reason)?;
    let _one = domain.identities.lock().await;
    let all = domain.registry.identities().await?;
    let named = |identity: &&IdentityRecord| match request.fingerprint.is_empty() {
        true => identity.person == request.person && identity.organisation == request.organisation,
        false => identity.fingerprint == request.fingerprint,
    };
    let ended: Vec<&IdentityRecord> = all.iter().filter(named).collect();
    if ended.is_empty() {
        return Err(Fault::caller(
            "IDENTITY_NOT_FOUND",
            "there is no such certificate. `weir identity list` shows those there are",
        ));
    }
    let live = ended
        .iter()
        .filter(|identity| is_accepted(domain, identity));
    let live: Vec<String> = live.map(|identity| identity.fingerprint.clone()).collect();
    let stays = |identity: &IdentityRecord| {
        identity.role == Role::Bureau
            && is_accepted(domain, identity)
            && !live.contains(&identity.fingerprint)
    };
    if !all.iter().any(stays) {
        return Err(Fault::policy(
            "IDENTITY_LAST",
            "nobody of the bureau would be left to issue another. Issue an identity for somebody else first",
        ));
    }
    for fingerprint in &live {
        let event = Event::IdentityRevoked {
            fingerprint: fingerprint.parse()?,
            reason: reason.clone(),
        };
        domain.record.append_async(caller.actor(), event).await?;
    }
    let end = IdentityEnd {
        revoked_at: Some(
            domain
                .clock
                .now()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        ),
        revoked_by: Some(caller.signature()),
        revoke_reason: Some(reason),
    };
    let kept = async { Ok(domain.registry.revoke_identities(&live, &end).await?) };
    domain.grants.take_effect(kept).await?;
    let all = domain.registry.identities().await?;
    let ended = all.into_iter().filter(|identity| named(&identity));
    Ok(ListIdentitiesResponse {
        identities: ended.map(identity).collect(),
    })
}

/// Whether a certificate is accepted now.
fn is_accepted(domain: &Domain, identity: &IdentityRecord) -> bool {
    let ends = DateTime::parse_from_rfc3339(&identity.not_after);
    identity.end.revoked_at.is_none() && ends.is_ok_and(|ends| ends > domain.clock.now())
}

fn identity(record: IdentityRecord) -> v1::Identity {
    v1::Identity {
        fingerprint: record.fingerprint,
        role: to_proto(record.role).into(),
        organisation: record.organisation,
        person: record.person,
        issued_at: record.issued_at,
        not_after: record.not_after,
        revoked_at: record.end.revoked_at.unwrap_or_default(),
        revoked_by: record.end.revoked_by.unwrap_or_default(),
        revoke_reason: record.end.revoke_reason.unwrap_or_default(),
    }
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
