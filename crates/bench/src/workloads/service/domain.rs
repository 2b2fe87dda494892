//! A domain for small runs: served, filled, and with clients of several organisations.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use weir_client::v1::{
    ApplyRequest, IssueGrantRequest, IssueIdentityRequest, RegisterDatasetRequest, Role,
};
use weir_client::{Client, ClientError, IdentityFolder, NewKey};
use weir_server::{Domain, Folder, InitOptions, Serving};

use crate::error::{BenchError, Result, failed};

/// Rows and units of the table.
pub(super) const ROWS: usize = 10_000;
pub(super) const UNITS: usize = 2_000;
/// Organisations that the clients are of.
const ORGANISATIONS: usize = 8;
const IDENTITY_DAYS: u32 = 1;

const MANIFEST: &str = r#"
name = "trips"
population = "vehicles"
unit = "plate"
description = "made up"
source = "made up"
licence = "CC0-1.0"
column = [
    { name = "plate", type = "string", role = "identifier", description = "which vehicle" },
    { name = "town", type = "string", role = "quasi-identifier", description = "where", domain = ["A", "B", "C", "D", "E"] },
    { name = "kind", type = "string", role = "quasi-identifier", description = "which kind of trip", domain = ["work", "school", "shop", "other"] },
    { name = "distance", type = "int64", role = "measure", description = "miles", bounds = { min = 0, max = 1000 } },
]
"#;

/// A served domain.
pub(super) struct Served {
    /// Each with a connection of its own.
    pub(super) clients: Vec<Arc<Client>>,
    serving: Serving,
}

impl Served {
    pub(super) async fn start(folder: &Path, clients: usize) -> Result<Self> {
        let root = folder.join("domain");
        let options = InitOptions {
            name: "bench".to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            inboxes: Vec::new(),
            vault: weir_server::VaultConfig::default(),
            organisation: "Data Bureau".to_owned(),
            person: "wang".to_owned(),
        };
        let making = "making a domain";
        let first = weir_server::init(&root, &options).await;
        let first = first.map_err(|fault| failed(making)(fault.message))?;
        let domain = Domain::open(&root).await;
        let domain = domain.map_err(|fault| failed(making)(fault.message))?;
        let serving = weir_server::serve(domain).await;
        let serving = serving.map_err(|fault| failed("serving a domain")(fault.message))?;
        let administrator = IdentityFolder {
            certificate_pem: first.certificate_pem,
            key_pem: first.key_pem,
            authority_pem: first.authority_pem,
            server_url: format!("https://{}", serving.address()),
            log_key: first.log_key,
        };
        let file = write_rows(&Folder::new(&root).inbox())?;
        let clients = connected(&administrator, &file, clients).await;
        match clients {
            Ok(clients) => Ok(Self { clients, serving }),
            Err(error) => {
                let _ = serving.stop().await;
                Err(failed("setting a domain up")(error))
            }
        }
    }

    pub(super) async fn stop(self) -> Result<()> {
        drop(self.clients);
        let stopped = self.serving.stop().await;
        stopped.map_err(|fault| failed("stopping the server")(fault.message))
    }
}

fn write_rows(inbox: &Path) -> Result<String> {
    let mut csv = "plate,town,kind,distance\n".to_owned();
    for trip in 0..ROWS {
        let town = ["A", "B", "C", "D", "E"][trip % 5];
        let kind = ["work", "school", "shop", "other"][trip / 7 % 4];
        let _ = writeln!(csv, "P{},{town},{kind},{}", trip % UNITS, trip % 977);
    }
    let file = inbox.join("trips.csv");
    std::fs::write(&file, csv).map_err(|error| BenchError::file(&file, error))?;
    Ok(file.display().to_string())
}

async fn connected(
    administrator: &IdentityFolder,
    file: &str,
    clients: usize,
) -> Result<Vec<Arc<Client>>, ClientError> {
    let bureau = Client::connect(administrator).await?;
    let request = RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "trips.toml".to_owned(),
        source_path: file.to_owned(),
        update: false,
    };
    bureau.register_dataset(request, |_| {}).await?;
    let mut identities = Vec::new();
    for organisation in 0..ORGANISATIONS.min(clients) {
        let name = format!("Operator {organisation}");
        let identity = issued(&bureau, administrator, &name).await?;
        grant(&bureau, &Client::connect(&identity).await?, organisation).await?;
        identities.push(identity);
    }
    let mut all = Vec::new();
    for client in 0..clients {
        let identity = &identities[client % identities.len()];
        all.push(Arc::new(Client::connect(identity).await?));
    }
    Ok(all)
}

async fn issued(
    bureau: &Client,
    administrator: &IdentityFolder,
    organisation: &str,
) -> Result<IdentityFolder, ClientError> {
    let key = NewKey::generate()?;
    let issued = bureau
        .issue_identity(IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: Role::Operator.into(),
            organisation: organisation.to_owned(),
            person: "li".to_owned(),
            valid_days: IDENTITY_DAYS,
            request_key: String::new(),
        })
        .await?;
    Ok(IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        ..administrator.clone()
    })
}

async fn grant(bureau: &Client, operator: &Client, number: usize) -> Result<(), ClientError> {
    let text = format!(
        "scenario = \"bench {number}\"\npurpose = \"measuring\"\ndays = 1\nsecurity = [\"none\"]\nmodels = \"any-vetted\"\n\
         [datasets]\ntrips = [\"town\", \"kind\", \"distance\"]\n"
    );
    let applied = operator
        .apply(ApplyRequest {
            text,
            source_name: "application.toml".to_owned(),
            ..ApplyRequest::default()
        })
        .await?;
    bureau
        .issue_grant(IssueGrantRequest {
            id: applied.id,
            digest: applied.digest,
            ..IssueGrantRequest::default()
        })
        .await?;
    Ok(())
}
