//! Making a domain.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use rcgen::{CertificateParams, KeyPair};
use weir_audit::{Actor, Entry, Event, Log, LogKey, Timestamp};
use weir_policy::Policy;
use weir_registry::{Fact, IdentityEnd, IdentityRecord, Registry, RegistryKey, Role};
use weir_vault::Vault;

use crate::alert_settings::AlertConfig;
use crate::authority::{self, Authority, Subject, VALID_DAYS_DEFAULT, file_fault, write_new};
use crate::config::Config;
use crate::fair::FairUseConfig;
use crate::fault::{Fault, panicked};
use crate::folder::Folder;
use crate::log_settings::LogConfig;
use crate::observe_settings::{MetricsConfig, TracesConfig};
use crate::retention::RetentionConfig;
use crate::sealing;
use crate::usage::UsageConfig;
use crate::vault_settings::VaultConfig;
use crate::wait::Wait;

/// What a new domain is to be.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// Its name: letters, digits, `-` and `.`; goes into the log's origin.
    pub name: String,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Folders that files may be registered from. Empty: the domain's own `inbox`.
    pub inboxes: Vec<PathBuf>,
    /// Where snapshots lie, and who keeps the master key.
    pub vault: VaultConfig,
    /// The bureau's organisation name.
    pub organisation: String,
    /// The first person of the bureau.
    pub person: String,
}

/// The identity of the bureau's first person, with all a client needs to use it.
pub struct FirstIdentity {
    /// Certificate, PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: String,
    /// The domain's authority, PEM.
    pub authority_pem: String,
    /// Where the server will listen.
    pub server_url: String,
    /// The log's public key in C2SP vkey form.
    pub log_key: String,
}

/// Makes a domain in a folder that is not there yet or is empty, with its keys, log, registry, vault, the default
/// policy and the identity of the bureau's first person.
///
/// # Errors
/// Where the folder is not empty or cannot be written.
pub async fn init(root: &Path, options: &InitOptions) -> Result<FirstIdentity, Fault> {
    check_name(&options.name)?;
    let folder = empty_folder(root)?;
    let now = Utc::now();
    let authority = Authority::create(&folder, &options.name, now)?;
    let registry_key = create_vault(&folder, &options.vault).await?;

    let log_key = LogKey::generate(&format!("weir/{}", options.name))?;
    log_key.save(&folder.log_key())?;
    let verifier = log_key.verifier().to_string();
    write_new(&folder.log_verifier_key(), &format!("{verifier}\n"))?;
    let origin = log_key.origin().to_owned();
    let mut log = Log::create(&folder.log(), log_key)?;
    let config = Config {
        name: options.name.clone(),
        listen: options.listen,
        server_names: vec!["localhost".to_owned(), options.listen.ip().to_string()],
        inboxes: inboxes(&folder, &options.inboxes)?,
        policy_loosening_wait: Wait::default(),
        grant_reviewers: 1,
        model_reviewers: 1,
        airlock_wait: Wait::AIRLOCK,
        result_slot: Wait::NONE,
        client_authorities: Vec::new(),
        vault: options.vault.clone(),
        log: LogConfig::default(),
        alerts: AlertConfig::default(),
        metrics: MetricsConfig::default(),
        traces: TracesConfig::default(),
        fair_use: FairUseConfig::default(),
        usage: UsageConfig::default(),
        retention: RetentionConfig::default(),
    };
    write_new(&folder.config(), &config.to_toml()?)?;
    write_new(&folder.policy(), weir_policy::DEFAULT_TOML)?;

    let key =
        KeyPair::generate().map_err(|error| Fault::environment("KEY_FAILED", error.to_string()))?;
    let request = CertificateParams::default()
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(|error| Fault::environment("KEY_FAILED", error.to_string()))?;
    let subject = Subject {
        role: Role::Bureau,
        organisation: &options.organisation,
        person: &options.person,
    };
    let issued = authority.person(&request, &subject, VALID_DAYS_DEFAULT, now)?;

    let actor = Actor {
        person: options.person.clone(),
        organisation: options.organisation.clone(),
        role: Role::Bureau.to_string(),
    };
    let policy = Policy::built_in_default();
    let entry = |event| Entry::new(Timestamp::from(now), actor.clone(), event);
    log.append_all(&[
        entry(Event::DomainInitialised {
            domain: options.name.clone(),
            origin,
        }),
        entry(Event::PolicyInForce {
            name: policy.name(),
            digest: policy.digest().parse()?,
        }),
        entry(Event::IdentityIssued {
            fingerprint: issued.fingerprint,
            person: options.person.clone(),
            organisation: options.organisation.clone(),
            role: Role::Bureau.to_string(),
            not_after: Timestamp::from(issued.not_after),
        }),
    ])?;
    let registry = Registry::open(&folder.registry(), registry_key).await?;
    registry
        .add_identity(&IdentityRecord {
            fingerprint: issued.fingerprint.to_string(),
            role: Role::Bureau,
            organisation: options.organisation.clone(),
            person: options.person.clone(),
            not_after: issued.not_after.to_rfc3339_opts(SecondsFormat::Secs, true),
            issued_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            end: IdentityEnd::default(),
        })
        .await?;
    registry
        .set_fact(Fact::PolicyDigest, &policy.digest())
        .await?;
    registry.close().await;
    Ok(FirstIdentity {
        certificate_pem: issued.pem,
        key_pem: key.serialize_pem(),
        authority_pem: authority.pem().to_owned(),
        server_url: config.server_url(),
        log_key: verifier,
    })
}

/// Makes the vault with the keeper and the store of the settings, and gives the key that is to seal the registry. Blocks on both, and so has a thread of its own.
async fn create_vault(folder: &Folder, settings: &VaultConfig) -> Result<RegistryKey, Fault> {
    let (folder, settings) = (folder.clone(), settings.clone());
    tokio::task::spawn_blocking(move || {
        let store = settings.store()?;
        let keeper = settings.create_keeper(&folder)?;
        let vault = Vault::create_with(&folder.vault(), keeper, &store)?;
        sealing::key(&vault)
    })
    .await
    .map_err(|_| panicked())?
}

/// A name that can stand in a log's origin and in a path.
fn check_name(name: &str) -> Result<(), Fault> {
    let fits = !name.is_empty()
        && name.len() <= authority::NAME_CHARS_MAX
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    if fits {
        return Ok(());
    }
    Err(Fault::caller(
        "DOMAIN_NAME_INVALID",
        format!("`{name}` is not a domain name: use up to 64 letters, digits, `-` and `.`"),
    ))
}

fn empty_folder(root: &Path) -> Result<Folder, Fault> {
    let fault = |error| file_fault(root, &error);
    std::fs::create_dir_all(root).map_err(fault)?;
    if std::fs::read_dir(root).map_err(fault)?.next().is_some() {
        return Err(Fault::caller(
            "FOLDER_NOT_EMPTY",
            format!(
                "`{}` is not empty. Name a folder that is empty or not there yet",
                root.display()
            ),
        ));
    }
    let root = root.canonicalize().map_err(fault)?;
    let folder = Folder::new(root);
    for dir in [folder.keys(), folder.inbox(), folder.identities()] {
        std::fs::create_dir(&dir).map_err(|error| file_fault(&dir, &error))?;
    }
    // All of it: the inbox holds raw data, and every other folder something that is not for everybody.
    private(folder.root())?;
    Ok(folder)
}

fn private(dir: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
        .map_err(|error| file_fault(dir, &error))
}

fn inboxes(folder: &Folder, asked: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    if asked.is_empty() {
        return Ok(vec![folder.inbox()]);
    }
    asked
        .iter()
        .map(|dir| dir.canonicalize().map_err(|error| file_fault(dir, &error)))
        .collect()
}
