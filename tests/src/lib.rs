//! A domain for tests: the real server on loopback with mutual TLS, and a client for each role.
//!
//! **For**: the end-to-end tests under `tests/`, which speak to it as users do.
//!
//! **Not for**: reaching behind the contract. What a test cannot see through a client or on disk it does not look at.
//!
//! **Invariants**: each domain lives in its own temporary folder and port, and is stopped with the test.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod data;
mod grants;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use weir_client::v1::{self, RegisterDatasetRequest, RunRequest};
use weir_client::{Client, ClientError, IdentityFolder, NewKey, RunAnswer};
use weir_server::{Clock, Domain, Folder, InitOptions, Serving};

pub use data::{TRIPS_MANIFEST, manifest, shared_data};
use grants::Granted;
pub use grants::application;

/// The organisation of [`TestDomain::operator`].
pub const OPERATOR: &str = "Acme Insurance";

/// A running domain.
pub struct TestDomain {
    /// Its folder.
    pub folder: Folder,
    /// Where files to be registered are put; outside the domain's folder.
    pub inbox: PathBuf,
    /// Its first administrator.
    pub bureau: Client,
    /// Someone of an operator.
    pub operator: Client,
    /// The administrator's identity.
    pub administrator: IdentityFolder,
    /// The time that it goes by.
    pub clock: Clock,
    granted: Mutex<Granted>,
    serving: Serving,
    _temporary: tempfile::TempDir,
}

/// The default policy without what changes numbers, asks for people or counts bits: tests that compare numbers with those of another
/// tool need every digit. Which cells are withheld is as by default, but for class disclosure.
pub const EXACT_POLICY: &str = r#"
name = "exact"
[cell]
class_disclosure = false
[review]
negative_contributions = false
[rounding]
count_base = 1
significant_digits = 17
model_leave_one_out = false
model_keyed = false
[table]
levels_max = 1000
[bits]
run_max = 536870912
per_unit = 1000.0
chosen_per_unit = 1000.0
"#;

/// The policy of a new domain.
pub const DEFAULT_POLICY: &str = include_str!("../../policies/default.toml");

impl TestDomain {
    /// Makes and serves an empty domain whose policy keeps every digit.
    pub async fn start() -> Self {
        Self::start_under(EXACT_POLICY).await
    }

    /// Makes and serves an empty domain under a policy.
    pub async fn start_under(policy: &str) -> Self {
        Self::start_with(|folder| std::fs::write(folder.policy(), policy).unwrap()).await
    }

    /// Makes and serves an empty domain under the default policy, after something was done to its folder.
    pub async fn start_with(prepare: impl FnOnce(&Folder)) -> Self {
        Self::start_as(prepare, |domain| domain).await
    }

    /// Makes and serves an empty domain that judges each run as if it were the first.
    pub async fn start_forgetting(policy: &str) -> Self {
        let prepare = |folder: &Folder| std::fs::write(folder.policy(), policy).unwrap();
        Self::start_as(prepare, Domain::forgetting).await
    }

    async fn start_as(
        prepare: impl FnOnce(&Folder),
        change: impl FnOnce(Domain) -> Domain,
    ) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("domain");
        let inbox = temporary.path().join("inbox");
        std::fs::create_dir(&inbox).unwrap();
        let options = InitOptions {
            name: "test".to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            inboxes: vec![inbox.clone()],
            vault: weir_server::VaultConfig::default(),
            organisation: "Data Bureau".to_owned(),
            person: "wang".to_owned(),
        };
        let first = weir_server::init(&root, &options).await.unwrap();
        prepare(&Folder::new(&root));
        let opened = change(Domain::open(&root).await.unwrap());
        let clock = opened.clock();
        let serving = weir_server::serve(opened).await.unwrap();
        let administrator = IdentityFolder {
            certificate_pem: first.certificate_pem,
            key_pem: first.key_pem,
            authority_pem: first.authority_pem,
            server_url: format!("https://{}", serving.address()),
            log_key: first.log_key,
        };
        let bureau = Client::connect(&administrator).await.unwrap();
        let operator = connect_as(&bureau, &administrator, v1::Role::Operator, OPERATOR).await;
        Self {
            folder: Folder::new(&root),
            inbox,
            bureau,
            operator,
            administrator,
            clock,
            granted: Mutex::default(),
            serving,
            _temporary: temporary,
        }
    }

    /// A domain with the flights registered and both example models approved.
    pub async fn with_flights() -> Self {
        Self::with_flights_under(EXACT_POLICY).await
    }

    /// The same, and each run is judged as if it were the first: to compare the numbers of many queries with those of
    /// another tool.
    pub async fn with_flights_forgetting() -> Self {
        Self::start_forgetting(EXACT_POLICY).await.flights().await
    }

    /// The same under a policy.
    pub async fn with_flights_under(policy: &str) -> Self {
        Self::with_flights_and(policy, "").await
    }

    /// The same, with more settings at the end of `domain.toml`.
    pub async fn with_flights_and(policy: &str, settings: &str) -> Self {
        let domain = Self::start_with(|folder| {
            std::fs::write(folder.policy(), policy).unwrap();
            add_settings(folder, settings);
        })
        .await;
        domain.flights().await
    }

    async fn flights(self) -> Self {
        let domain = self;
        let manifest = std::fs::read_to_string(example("flights.toml")).unwrap();
        domain
            .register_file(&example("flights.parquet"), &manifest)
            .await
            .unwrap();
        for model in ["disruption", "pace"] {
            let component =
                std::fs::read(example(&format!("models/{model}/{model}.wasm"))).unwrap();
            domain.approved_model(model, component).await;
        }
        domain
    }

    /// A client of another role or organisation.
    pub async fn client(&self, role: v1::Role, organisation: &str) -> Client {
        connect_as(&self.bureau, &self.administrator, role, organisation).await
    }

    /// Copies a file into the inbox and registers it. The operator gets a grant of all that is registered.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn register_file(
        &self,
        file: &Path,
        manifest: &str,
    ) -> Result<v1::Dataset, ClientError> {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        self.register_bytes(&name, &std::fs::read(file).unwrap(), manifest)
            .await
    }

    /// Writes a file into the inbox and registers it.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn register_bytes(
        &self,
        name: &str,
        content: &[u8],
        manifest: &str,
    ) -> Result<v1::Dataset, ClientError> {
        let file = self.inbox.join(name);
        std::fs::write(&file, content).unwrap();
        let request = RegisterDatasetRequest {
            manifest_toml: manifest.to_owned(),
            manifest_name: "manifest.toml".to_owned(),
            source_path: file.display().to_string(),
            update: false,
        };
        let registered = self.bureau.register_dataset(request, |_| {}).await?;
        self.note_registered(manifest);
        self.grant_operator().await;
        Ok(registered)
    }

    /// Submits a model as the operator and approves it as the bureau.
    pub async fn approved_model(&self, name: &str, component: Vec<u8>) {
        let model = self.operator.submit_model(name, component).await.unwrap();
        self.bureau
            .approve_model(name, &model.digest)
            .await
            .unwrap();
    }

    /// Runs a query as the operator.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn run(&self, sql: &str) -> Result<RunAnswer, ClientError> {
        let request = RunRequest {
            sql: sql.to_owned(),
            run_id: String::new(),
            snapshots: Vec::new(),
            grant: String::new(),
        };
        self.operator.run(request, |_| {}).await
    }

    /// The refusal of a query, as `CODE: message`.
    pub async fn refusal(&self, sql: &str) -> String {
        match self.run(sql).await {
            Ok(_) => panic!("`{sql}` was answered"),
            Err(error) => refusal(&error),
        }
    }

    /// Where its metrics are shown, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.serving.metrics_address()
    }

    /// Stops the server and gives back the folder, which lives as long as the returned guard.
    pub async fn stop(self) -> (Folder, tempfile::TempDir) {
        let Self {
            folder,
            serving,
            _temporary,
            ..
        } = self;
        serving.stop().await.unwrap();
        (folder, _temporary)
    }
}

/// Adds to a domain's settings.
pub fn add_settings(folder: &Folder, settings: &str) {
    let before = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(folder.config(), format!("{before}\n{settings}")).unwrap();
}

/// An error as `CODE: message`.
pub fn refusal(error: &ClientError) -> String {
    match error {
        ClientError::Refused { code, message, .. } => format!("{code}: {message}"),
        other => panic!("not a refusal of the server's: {other}"),
    }
}

/// A file of the flights example.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/flights")
        .join(name)
}

async fn connect_as(
    bureau: &Client,
    administrator: &IdentityFolder,
    role: v1::Role,
    organisation: &str,
) -> Client {
    let identity = issue(bureau, administrator, role, organisation).await;
    Client::connect(&identity).await.unwrap()
}

/// An identity of its own for somebody of an organisation. Each role is another person: nobody decides on what a person of
/// their name did.
pub async fn issue(
    bureau: &Client,
    administrator: &IdentityFolder,
    role: v1::Role,
    organisation: &str,
) -> IdentityFolder {
    let person = match role {
        v1::Role::Bureau => "zhou",
        v1::Role::Provider => "zhao",
        v1::Role::Auditor => "chen",
        _ => "li",
    };
    issue_to(bureau, administrator, role, (organisation, person)).await
}

/// How long identities of tests live: longer than any test sets its clock forward.
const VALID_DAYS: u32 = 397;

/// An identity for a person of an organisation.
pub async fn issue_to(
    bureau: &Client,
    administrator: &IdentityFolder,
    role: v1::Role,
    (organisation, person): (&str, &str),
) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let issued = bureau
        .issue_identity(v1::IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: role.into(),
            organisation: organisation.to_owned(),
            person: person.to_owned(),
            valid_days: VALID_DAYS,
            request_key: String::new(),
        })
        .await
        .unwrap();
    IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        ..administrator.clone()
    }
}
