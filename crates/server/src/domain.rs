//! An open domain: everything the services work with.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use weir_audit::{Log, LogKey};
use weir_model::{Model, Runtime};
use weir_registry::{ModelRecord, Registry};
use weir_vault::{FileKeeper, Vault};

use crate::attempts::Attempts;
use crate::authority::Authority;
use crate::backup;
use crate::clock::Clock;
use crate::computing::Computing;
use crate::config::Config;
use crate::declared;
use crate::fair::FairUse;
use crate::fault::{Fault, panicked};
use crate::faults::Faults;
use crate::folder::Folder;
use crate::grants::Grants;
use crate::keys;
use crate::ledger::Released;
use crate::metrics::Metrics;
use crate::policies::Policies;
use crate::products::Products;
use crate::record::Record;
use crate::sealing::{self, Sealing};
use crate::signing::Signing;
use crate::snapshots;
use crate::tls::{Credentials, Front};
use crate::traces::Traces;
use crate::unfinished::{self, Held, Unfinished};
use crate::watching::{self, Ear, Heard};
use crate::witnesses::Witnesses;

/// Larger maps of units are opened where a dataset is registered, and not at every start: so many bytes take a tenth of a
/// second.
const MAP_CHECKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Models kept compiled. Above it the cache is emptied: recompiling costs milliseconds.
const MODELS_LOADED_MAX: usize = 64;

/// What the key that authenticates compiled models is derived for.
const MODEL_CACHE_KEY: &str = "weir compiled models v1";

/// Registrations at work at once: each sorts a dataset in memory.
const REGISTRATIONS_MAX: usize = 1;

/// A domain that is open: no other process can open it until this one is dropped.
pub struct Domain {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) sealing: Sealing,
    pub(crate) vault: Arc<Vault>,
    /// The handle to change the master key with, where it is in a file.
    pub(crate) master: Option<FileKeeper>,
    pub(crate) record: Record,
    pub(crate) policies: Policies,
    pub(crate) released: Arc<Released>,
    /// The authority in use, and what handshakes need of it.
    pub(crate) front: Front,
    pub(crate) folder: Folder,
    pub(crate) signing: Signing,
    /// Held by whoever changes a key.
    pub(crate) rotating: tokio::sync::Mutex<()>,
    pub(crate) grants: Grants,
    /// Held by whoever moves a table in the airlock.
    pub(crate) airlock: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever approves a model.
    pub(crate) approvals: tokio::sync::Mutex<()>,
    /// One request to change a key at a time, where it is known by a key of its own.
    pub(crate) key_requests: tokio::sync::Mutex<()>,
    pub(crate) attempts: Attempts,
    pub(crate) products: Products,
    /// Held by whoever renews or revokes a certificate.
    pub(crate) identities: tokio::sync::Mutex<()>,
    /// Entries of the log whose effect was not found yet.
    pub(crate) unfinished: tokio::sync::Mutex<Unfinished>,
    /// Held by whoever destroys what was kept.
    pub(crate) retention: tokio::sync::Mutex<()>,
    pub(crate) runtime: Runtime,
    pub(crate) computing: Computing,
    pub(crate) fair: FairUse,
    pub(crate) registration_slots: Arc<Semaphore>,
    /// Where the secret shared with the webhook's receiver lies.
    pub(crate) webhook_secret: PathBuf,
    pub(crate) vault_folder: PathBuf,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traces: Traces,
    /// Told of what happens.
    pub(crate) ear: Ear,
    /// What it was told, for whoever serves the domain.
    pub(crate) heard: Mutex<Option<Heard>>,
    compiled: Mutex<HashMap<String, Model>>,
    /// The last field: dropped after log, ledger and vault. It tells when they are closed.
    pub(crate) open: Arc<()>,
}

impl Domain {
    /// Opens the domain in a folder.
    ///
    /// # Errors
    /// Where the folder holds no domain, something in it is damaged, or another process has it open.
    pub async fn open(root: &Path) -> Result<Self, Fault> {
        Self::open_on(root, Faults::none()).await
    }

    /// The same on other disks: for tests.
    ///
    /// # Errors
    /// Those of [`Domain::open`].
    #[doc(hidden)]
    pub async fn open_on(root: &Path, faults: Faults) -> Result<Self, Fault> {
        let folder = Folder::new(root);
        let config = Config::load(&folder.config())?;
        config.alerts.check()?;
        config.retention.check()?;
        let clock = Clock::of_machine();
        let (ear, heard) = watching::listen(&clock);
        let metrics = Arc::new(Metrics::new());
        let traces = Traces::open(&config.traces)?;
        let log_key = LogKey::load(&folder.log_key())?;
        // Once more: one goes into the log, the other signs grants.
        let signing = Signing::new(LogKey::load(&folder.log_key())?);
        signing.publish(&folder)?;
        let witnesses = Witnesses::new(&config.log)?;
        let log = Log::open_on(&folder.log(), log_key, faults.log)?;
        if let Some(last) = log.size().checked_sub(1) {
            clock.go_on_from(log.entry(last)?.time.to_utc());
        }
        let (vault, master) = open_vault(&folder, &config).await?;
        let cache_key = vault.derive_key(MODEL_CACHE_KEY)?;
        let registry = sealing::open(&folder, &vault, &log)
            .await?
            .failing(faults.registry);
        snapshots::discard_orphans(&vault, &registry).await?;
        let record = Record::new(
            log,
            witnesses,
            ear.clone(),
            (Arc::clone(&metrics), clock.clone()),
        )
        .telling(registry.clone());
        backup::note_restored(&folder, &record).await?;
        let sealing = Sealing::begin(&registry, &record).await?;
        declared::check(&folder, &registry, &record, &signing).await?;
        let authority = Authority::open(&folder)?;
        authority.publish(&folder)?;
        let front = Front::new(Credentials::new(authority, &config)?);
        keys::complete(&vault, master.as_ref(), &record).await?;
        snapshots::complete(&vault, &registry, &record).await?;
        let vault = Arc::new(vault);
        let released = {
            let (folder, vault, record) = (folder.clone(), Arc::clone(&vault), record.clone());
            let disk = faults.ledger;
            tokio::task::spawn_blocking(move || Released::open(&folder, (&vault, disk), &record))
                .await
                .map_err(|_| panicked())??
        };
        let policies = Policies::open(folder.policy(), &registry, &record).await?;
        let slot = config.result_slot.duration();
        let unfinished = {
            let credentials = front.now();
            let held = Held {
                registry: &registry,
                signing: &signing,
                authority: &credentials.authority,
            };
            unfinished::note(&record, &held).await?
        };
        Ok(Self {
            fair: FairUse::new(&config.fair_use),
            config,
            clock,
            registry,
            sealing,
            vault,
            master,
            open: record.open(),
            record,
            policies,
            released: Arc::new(released),
            front,
            signing,
            rotating: tokio::sync::Mutex::new(()),
            grants: Grants::new(),
            airlock: Arc::default(),
            approvals: tokio::sync::Mutex::new(()),
            key_requests: tokio::sync::Mutex::new(()),
            attempts: Attempts::new(slot),
            products: Products::default(),
            identities: tokio::sync::Mutex::new(()),
            unfinished: tokio::sync::Mutex::new(unfinished),
            retention: tokio::sync::Mutex::new(()),
            runtime: Runtime::with_cache(
                &weir_model::Limits::default(),
                &folder.model_cache(),
                &cache_key,
            )?,
            computing: Computing::start()?,
            registration_slots: Arc::new(Semaphore::new(REGISTRATIONS_MAX)),
            webhook_secret: folder.webhook_secret(),
            vault_folder: folder.vault(),
            metrics,
            traces,
            ear,
            heard: Mutex::new(Some(heard)),
            compiled: Mutex::new(HashMap::new()),
            folder,
        })
    }

    /// The domain as it would be without a ledger: each run is judged as if it were the first. It is there to show what
    /// thresholds alone let through, and no setting leads here.
    #[doc(hidden)]
    #[must_use]
    pub fn forgetting(mut self) -> Self {
        if let Some(released) = Arc::get_mut(&mut self.released) {
            released.forget();
        }
        self
    }

    /// The time that the domain goes by, for tests that set it.
    #[doc(hidden)]
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The domain's settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The model of this record, compiled. Blocks while it compiles.
    pub(crate) fn compile(&self, record: &ModelRecord) -> Result<Model, Fault> {
        let compiled = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = compiled().get(&record.digest) {
            return Ok(model.clone());
        }
        let admitted = weir_model::admit(&record.component, &weir_model::Limits::default())?;
        let model = self.runtime.compile(&admitted)?;
        let mut cache = compiled();
        if cache.len() >= MODELS_LOADED_MAX {
            cache.clear();
        }
        cache.insert(record.digest.clone(), model.clone());
        Ok(model)
    }

    /// A file that may be registered: inside an inbox once every link is followed.
    pub(crate) fn file_in_inbox(&self, source: &str) -> Result<PathBuf, Fault> {
        let inboxes = || {
            let inboxes: Vec<_> = self
                .config
                .inboxes
                .iter()
                .map(|dir| format!("`{}`", dir.display()))
                .collect();
            inboxes.join(", ")
        };
        let file = Path::new(source).canonicalize().map_err(|error| {
            Fault::caller(
                "SOURCE_NOT_FOUND",
                format!("`{source}` cannot be opened on the server's machine: {error}. Put it into an inbox: {}", inboxes()),
            )
        })?;
        let inside = |dir: &PathBuf| dir.canonicalize().is_ok_and(|dir| file.starts_with(dir));
        if self.config.inboxes.iter().any(inside) {
            return Ok(file);
        }
        Err(Fault::policy(
            "SOURCE_OUTSIDE_INBOX",
            format!(
                "`{source}` is in none of the domain's inboxes: {}. Put it there, or add its folder to `inboxes` in domain.toml and restart",
                inboxes()
            ),
        ))
    }
}

/// Opens the vault with the keeper and the store of the settings. Blocks on both, and so has a thread of its own.
async fn open_vault(
    folder: &Folder,
    config: &Config,
) -> Result<(Vault, Option<FileKeeper>), Fault> {
    let (folder, settings) = (folder.clone(), config.vault.clone());
    tokio::task::spawn_blocking(move || {
        let (keeper, master) = settings.open_keeper(&folder)?.split();
        let vault = Vault::open_with(&folder.vault(), keeper, &settings.store()?)?;
        vault.check_populations(MAP_CHECKED_BYTES_MAX)?;
        Ok((vault, master))
    })
    .await
    .map_err(|_| panicked())?
}
