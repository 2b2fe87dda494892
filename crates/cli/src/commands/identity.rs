//! `weir identity`.

use std::path::{Path, PathBuf};

use serde_json::json;
use weir_client::{IdentityFolder, NewKey, v1};

use super::{connect, load_identity, read_text};
use crate::args::{IdentityCommand, IssueArgs, Role};
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: IdentityCommand) -> Result<(), CliError> {
    match command {
        IdentityCommand::Issue(args) => issue(identity, &args).await,
        IdentityCommand::Enrol {
            certificate,
            role,
            organisation,
            person,
            days,
        } => {
            let request = v1::IssueIdentityRequest {
                signing_request_pem: read_text(&certificate)?,
                role: v1::Role::from(role).into(),
                organisation,
                person,
                valid_days: days,
                request_key: super::key(),
            };
            let enrolled = connect(identity).await?.issue_identity(request).await?;
            println!(
                "{} is let in until {}",
                enrolled.fingerprint, enrolled.not_after
            );
            Ok(())
        }
        IdentityCommand::Renew { days, out } => renew(identity, days, out).await,
        IdentityCommand::Revoke {
            fingerprint,
            person,
            organisation,
            reason,
            output,
        } => {
            let request = v1::RevokeIdentityRequest {
                fingerprint,
                organisation,
                person,
                reason,
            };
            let revoked = connect(identity).await?.revoke_identity(request).await?;
            listing(&revoked).print(output.format)
        }
        IdentityCommand::List { all, output } => {
            let listed = connect(identity).await?.list_identities(!all).await?;
            listing(&listed).print(output.format)
        }
        IdentityCommand::Show { output } => {
            let who = connect(identity).await?.who_am_i().await?;
            Listing::new(&["person", "organisation", "role", "domain", "log_key"])
                .row(vec![
                    json!(who.person),
                    json!(who.organisation),
                    json!(role_name(who.role())),
                    json!(who.domain),
                    json!(who.log_key),
                ])
                .print(output.format)
        }
    }
}

async fn issue(identity: Option<&Path>, args: &IssueArgs) -> Result<(), CliError> {
    let own = load_identity(identity)?;
    let client = connect(identity).await?;
    let issued = issue_folder(
        &client,
        &own,
        args.role.into(),
        &args.organisation,
        &args.person,
        args.days,
    )
    .await?;
    issued.save(&args.out)?;
    println!(
        "Identity of {} ({}) is in {}",
        args.person,
        args.organisation,
        args.out.display()
    );
    Ok(())
}

async fn renew(folder: Option<&Path>, days: u32, out: Option<PathBuf>) -> Result<(), CliError> {
    let own = load_identity(folder)?;
    let client = connect(folder).await?;
    let key = NewKey::generate()?;
    let issued = client
        .renew_identity(v1::RenewIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            valid_days: days,
        })
        .await?;
    let until = issued.not_after.clone();
    let renewed = IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        ..own
    };
    let place = match (out, folder) {
        (Some(out), _) => {
            renewed.save(&out)?;
            out
        }
        (None, Some(folder)) => {
            put_in_place(&renewed, folder)?;
            folder.to_owned()
        }
        // An identity was loaded, so there is a folder.
        (None, None) => return Ok(()),
    };
    println!("The identity in {} is good until {until}", place.display());
    Ok(())
}

/// Puts an identity in the place of another, which is kept beside it.
fn put_in_place(renewed: &IdentityFolder, folder: &Path) -> Result<(), CliError> {
    let beside = |suffix: &str| {
        let mut name = folder.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (new, before) = (beside(".renewed"), beside(".before"));
    renewed.save(&new)?;
    if before.exists() {
        std::fs::remove_dir_all(&before).map_err(|error| CliError::file(&before, &error))?;
    }
    std::fs::rename(folder, &before).map_err(|error| CliError::file(folder, &error))?;
    std::fs::rename(&new, folder).map_err(|error| CliError::file(&new, &error))
}

fn listing(identities: &[v1::Identity]) -> Listing {
    let head = Listing::new(&[
        "person",
        "organisation",
        "role",
        "issued_at",
        "not_after",
        "revoked_at",
        "revoke_reason",
        "fingerprint",
    ]);
    identities.iter().fold(head, |listing, identity| {
        listing.row(vec![
            json!(identity.person),
            json!(identity.organisation),
            json!(role_name(identity.role())),
            json!(identity.issued_at),
            json!(identity.not_after),
            json!(identity.revoked_at),
            json!(identity.revoke_reason),
            json!(identity.fingerprint),
        ])
    })
}

/// Has a new key certified and puts the identity together.
pub(crate) async fn issue_folder(
    client: &weir_client::Client,
    own: &IdentityFolder,
    role: v1::Role,
    organisation: &str,
    person: &str,
    days: u32,
) -> Result<IdentityFolder, CliError> {
    let key = NewKey::generate()?;
    let issued = client
        .issue_identity(v1::IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: role.into(),
            organisation: organisation.to_owned(),
            person: person.to_owned(),
            valid_days: days,
            request_key: super::key(),
        })
        .await?;
    Ok(IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        server_url: own.server_url.clone(),
        log_key: own.log_key.clone(),
    })
}

impl From<Role> for v1::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Bureau => Self::Bureau,
            Role::Provider => Self::Provider,
            Role::Operator => Self::Operator,
            Role::Auditor => Self::Auditor,
        }
    }
}

const fn role_name(role: v1::Role) -> &'static str {
    match role {
        v1::Role::Bureau => "bureau",
        v1::Role::Provider => "provider",
        v1::Role::Operator => "operator",
        v1::Role::Auditor => "auditor",
        v1::Role::Unspecified => "unknown",
    }
}
