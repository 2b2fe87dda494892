//! Who plays: people of every role, of many organisations, each with a certificate and a connection of their own.

use std::path::Path;

use weir_client::v1::{
    ApplyRequest, IssueGrantRequest, IssueIdentityRequest, Opinion, RegisterDatasetRequest,
    ReviewApplicationRequest, Role,
};
use weir_client::{Client, IdentityFolder, NewKey};

/// Who provides the data.
const PROVIDER: &str = "Registry";

/// Operators of one organisation.
const OF_ONE: u64 = 8;

const MANIFEST: &str = r#"
name = "trips"
population = "drivers"
unit = "driver"
description = "Trips"
source = "made up"
licence = "CC0-1.0"
provider = "Registry"

[[column]]
name = "driver"
type = "string"
role = "identifier"
description = "Who drove"

[[column]]
name = "place"
type = "string"
role = "public"
description = "Where to"

[[column]]
name = "delay"
type = "int32"
role = "measure"
description = "How late"
unit_of_measure = "min"
"#;

/// Somebody who calls.
pub(super) struct Player {
    pub(super) index: usize,
    pub(super) role: Role,
    pub(super) organisation: String,
    pub(super) identity: IdentityFolder,
    /// The standing grant of their organisation.
    pub(super) grant: String,
}

/// The text of an application.
pub(super) fn application(scenario: &str) -> String {
    application_for(scenario, r#"["place"]"#)
}

fn application_for(scenario: &str, columns: &str) -> String {
    format!(
        "scenario = \"{scenario}\"\npurpose = \"a test\"\ndays = 30\nsecurity = [\"a test\"]\nmodels = \"any-vetted\"\n\
         [datasets]\ntrips = {columns}\n"
    )
}

async fn issue(
    bureau: &Client,
    administrator: &IdentityFolder,
    (role, organisation, person): (Role, &str, &str),
) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let issued = bureau
        .issue_identity(IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: role.into(),
            organisation: organisation.to_owned(),
            person: person.to_owned(),
            valid_days: 1,
            request_key: String::new(),
        })
        .await
        .unwrap();
    IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        ..administrator.clone()
    }
}

/// A grant that nobody changes, for an organisation's runs.
async fn standing(bureau: &Client, provider: &Client, operator: &Client) -> String {
    let text = application_for("standing", r#"["place", "delay"]"#);
    let applied = operator
        .apply(ApplyRequest {
            text,
            ..Default::default()
        })
        .await
        .unwrap();
    let opinion = ReviewApplicationRequest {
        id: applied.id.clone(),
        digest: applied.digest.clone(),
        opinion: Opinion::Support.into(),
        text: "nothing against it".to_owned(),
        request_key: String::new(),
    };
    provider.review_application(opinion).await.unwrap();
    let request = IssueGrantRequest {
        id: applied.id,
        digest: applied.digest,
        ..Default::default()
    };
    bureau.issue_grant(request).await.unwrap().id
}

/// Registers what is read, and lets everybody in: of ten, six are operators, two of the bureau, one provides, one audits.
pub(super) async fn enter(
    administrator: &IdentityFolder,
    inbox: &Path,
    clients: u64,
) -> Vec<Player> {
    let bureau = Client::connect(administrator).await.unwrap();
    let file = inbox.join("trips.csv");
    let mut text = "driver,place,delay\n".to_owned();
    for driver in 0..100 {
        let place = ["north", "south"][driver % 2];
        // Some are early: a table of sums is one that people have to look at.
        let delay = driver as i32 % 61 - 5;
        text.push_str(&format!("d{driver},{place},{delay}\n"));
    }
    std::fs::write(&file, text).unwrap();
    let request = RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "trips.toml".to_owned(),
        source_path: file.display().to_string(),
        update: false,
    };
    bureau.register_dataset(request, |_| {}).await.unwrap();
    let zhao = issue(&bureau, administrator, (Role::Provider, PROVIDER, "zhao")).await;
    let zhao = Client::connect(&zhao).await.unwrap();

    let mut players: Vec<Player> = Vec::new();
    let mut operators = 0;
    for index in 0..clients {
        let (role, organisation) = match index % 10 {
            0 | 5 => (Role::Bureau, format!("Bureau {}", index % 4)),
            1 => (Role::Provider, PROVIDER.to_owned()),
            2 => (Role::Auditor, "Audit Office".to_owned()),
            _ => {
                operators += 1;
                (
                    Role::Operator,
                    format!("Operator {}", (operators - 1) / OF_ONE),
                )
            }
        };
        let person = format!("person {index}");
        let whom = (role, organisation.as_str(), person.as_str());
        let identity = issue(&bureau, administrator, whom).await;
        let grant = match role {
            Role::Operator => {
                let same = players
                    .iter()
                    .find(|other| other.organisation == organisation);
                match same {
                    Some(other) => other.grant.clone(),
                    None => {
                        let operator = Client::connect(&identity).await.unwrap();
                        standing(&bureau, &zhao, &operator).await
                    }
                }
            }
            _ => String::new(),
        };
        players.push(Player {
            index: index as usize,
            role,
            organisation,
            identity,
            grant,
        });
    }
    players
}
