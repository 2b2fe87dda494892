//! `weir identity`.

use std::path::Path;

use serde_json::json;
use weir_client::{IdentityFolder, NewKey, v1};

use super::{connect, load_identity};
use crate::args::{IdentityCommand, IssueArgs, Role};
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: IdentityCommand) -> Result<(), CliError> {
    match command {
        IdentityCommand::Issue(args) => issue(identity, &args).await,
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
