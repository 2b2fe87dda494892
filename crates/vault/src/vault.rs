//! The vault itself: creating, opening, registering, handing out.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::TableProvider;
use serde::{Deserialize, Serialize};

use crate::ingest::{self, Populations, Progress, Resources, Staged, Staging, Task};
use crate::keys::{DataKey, KeyKeeper};
use crate::layout::{self, Layout};
use crate::limits::META_BYTES_MAX;
use crate::population::Population;
use crate::snapshot::{self, SnapshotMeta, StoredMeta};
use crate::source::Source;
use crate::table::{SealedFiles, SealedTable};
use crate::{Result, VaultError, durable};
use weir_catalogue::Manifest;

/// Version of the vault's layout.
const FORMAT: u32 = 1;
/// What the check key is bound to.
const CHECK_PLACE: &str = "weir vault check v1";

/// `vault.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    /// A wrapped random key that protects nothing: it opens only with the right master key.
    check: String,
}

/// A folder of sealed snapshots. Cheap to clone; one process at a time has it open.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) layout: Layout,
    pub(crate) keeper: Box<dyn KeyKeeper>,
    /// Snapshots whose files were checked since the vault was opened.
    tables: Mutex<HashMap<String, Arc<SealedTable>>>,
    /// Populations with a registration under way.
    busy: Arc<Mutex<HashSet<String>>>,
    /// Locked while the vault is open.
    _lock: File,
}

/// The right to give out a population's ids. Dropping it gives it back.
pub(crate) struct Lease {
    busy: Arc<Mutex<HashSet<String>>>,
    population: String,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.population);
    }
}

impl Vault {
    /// Makes a new vault in `folder`, which must not exist or be empty.
    ///
    /// # Errors
    /// [`VaultError::VaultExists`], or when the folder cannot be written.
    pub fn create(folder: &Path, keeper: impl KeyKeeper + 'static) -> Result<Self> {
        durable::create_folder(folder)?;
        if !durable::list(folder)?.is_empty() {
            return Err(VaultError::VaultExists {
                path: folder.to_owned(),
            });
        }
        let layout = Layout::new(folder);
        for folder in layout.folders() {
            durable::create_folder(&folder)?;
        }
        durable::write_new(&layout.lock(), b"")?;
        let check = hex::encode(keeper.wrap_key(&DataKey::random()?, CHECK_PLACE)?);
        let head = serde_json::to_vec(&Head {
            format: FORMAT,
            check,
        })
        .map_err(|_| VaultError::Internal {
            action: "creating the vault",
        })?;
        // Last: without it the folder is no vault.
        durable::replace(&layout.head(), &head)?;
        Self::open(folder, keeper)
    }

    /// Opens a vault, checks the master key, and clears away what a crash may have left.
    ///
    /// # Errors
    /// [`VaultError::VaultMissing`], [`VaultError::VaultInUse`], [`VaultError::MasterKeyWrong`],
    /// [`VaultError::VaultFormat`], or when the folder cannot be read.
    pub fn open(folder: &Path, keeper: impl KeyKeeper + 'static) -> Result<Self> {
        let layout = Layout::new(folder);
        let head = durable::read_if_there(&layout.head(), META_BYTES_MAX)?.ok_or_else(|| {
            VaultError::VaultMissing {
                path: folder.to_owned(),
            }
        })?;
        let lock = lock(&layout)?;
        check_head(&layout, &head, &keeper)?;
        clear_leftovers(&layout)?;
        let inner = Inner {
            layout,
            keeper: Box::new(keeper),
            tables: Mutex::default(),
            busy: Arc::default(),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Reads, checks, codes, sorts and seals a dataset. Blocking, and long: run it on a thread for blocking work.
    /// Nothing can be read, and nothing stays, before [`Staged::commit`].
    ///
    /// `created_unix_ms` is the time to record, in milliseconds since 1970-01-01 UTC. `on_progress` hears of every
    /// batch, on this thread; answering `Break` cancels the registration.
    ///
    /// # Errors
    /// What is wrong with the source, with file, row and column; [`VaultError::PopulationBusy`],
    /// [`VaultError::Cancelled`], or what the disk answers.
    pub fn ingest(
        &self,
        manifest: &Manifest,
        source: &Source,
        created_unix_ms: i64,
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Staged> {
        self.ingest_with(
            manifest,
            source,
            created_unix_ms,
            Resources::default(),
            on_progress,
        )
    }

    /// As [`Vault::ingest`], with these resources.
    ///
    /// # Errors
    /// As [`Vault::ingest`].
    pub fn ingest_with(
        &self,
        manifest: &Manifest,
        source: &Source,
        created_unix_ms: i64,
        resources: Resources,
        on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Staged> {
        let inner = &self.inner;
        let mut leases = Vec::new();
        // One population after the other in the order of their names, and refused instead of waiting: two registrations
        // cannot keep each other from going on.
        let mut populations = Populations::load(manifest, |population| {
            leases.push(inner.lease(population)?);
            let units_known = inner.units_known(population)?;
            Population::load(&inner.layout, &*inner.keeper, population, units_known)
        })?;
        let staging = Staging::create(inner, layout::new_snapshot_id(manifest.name())?)?;
        let key = DataKey::random()?;
        let task = Task {
            manifest,
            source,
            staging: &staging,
            key: &key,
            resources,
        };
        let outcome = ingest::run(&task, &mut populations, on_progress)?;
        let shown = SnapshotMeta {
            id: staging.id().to_owned(),
            dataset: manifest.name().to_owned(),
            population: manifest.population().to_owned(),
            rows: outcome.rows_read - outcome.rows_without_unit,
            rows_without_unit: outcome.rows_without_unit,
            units: outcome.units.first().copied().unwrap_or_default(),
            unit_columns: snapshot::unit_columns(manifest, &outcome.units),
            digest: String::new(),
            bytes: outcome.files.iter().map(|file| file.bytes).sum(),
            created_unix_ms,
            description: manifest.description().to_owned(),
            source: manifest.source().to_owned(),
            licence: manifest.licence().to_owned(),
            columns: snapshot::stored_columns(manifest),
            quality: Some(outcome.quality),
        };
        if outcome.files.iter().map(|file| file.rows).sum::<u64>() != shown.rows {
            return Err(VaultError::Internal { action: "sealing" });
        }
        let population_units = populations.all().iter();
        let population_units = population_units
            .map(|population| (population.name().to_owned(), population.units()))
            .collect();
        let meta = StoredMeta::new(shown, population_units, outcome.files)?;
        let populations = populations.into_all();
        Staged::new(Arc::clone(inner), staging, key, meta, populations, leases)
    }

    /// What the vault knows of a snapshot.
    ///
    /// # Errors
    /// [`VaultError::SnapshotUnknown`], [`VaultError::SnapshotKeyMissing`], [`VaultError::KeyDamaged`] or
    /// [`VaultError::SnapshotDamaged`].
    pub fn snapshot(&self, id: &str) -> Result<SnapshotMeta> {
        snapshot::load(&self.inner.layout, &*self.inner.keeper, id).map(|(_, meta)| meta.shown)
    }

    /// The ids of all snapshots, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn snapshot_ids(&self) -> Result<Vec<String>> {
        self.inner.snapshot_ids()
    }

    /// Removes a snapshot for good: the key first, so that what is left after a crash cannot be read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn discard(&self, id: &str) -> Result<()> {
        if !layout::is_snapshot_id(id) {
            return Err(VaultError::SnapshotUnknown { id: id.to_owned() });
        }
        let layout = &self.inner.layout;
        durable::remove_if_there(&layout.snapshot_key(id))?;
        let folder = layout.snapshot(id);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(VaultError::io("remove", &folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// A snapshot as a table, for `weir-inside`.
    ///
    /// Nothing needs to be registered with the session: the table reads and decrypts by itself. (Its scans name the
    /// object store `file://`, which every runtime knows unless it was taken out, and ask it for nothing.) The session
    /// MUST have round-robin repartitioning off wherever a plan relies on a partition holding whole units in order.
    ///
    /// The first call for a snapshot reads all of it, to check each file against its sealed length and SHA-256, and
    /// blocks while it does. Later calls only look at the metadata; pages are authenticated whenever they are read.
    ///
    /// # Errors
    /// As [`Vault::snapshot`]; [`VaultError::SnapshotDamaged`] names the file that is not what was sealed.
    pub fn table(&self, id: &str) -> Result<Arc<dyn TableProvider>> {
        let (key, meta) = snapshot::load(&self.inner.layout, &*self.inner.keeper, id)?;
        let known = self
            .inner
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        if let Some(table) = known {
            return Ok(table);
        }
        let table = self.inner.open_table(&key, &meta)?;
        self.inner
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), Arc::clone(&table));
        Ok(table)
    }

    /// Checks a snapshot from the bytes on disk, whatever was checked before.
    ///
    /// # Errors
    /// As [`Vault::table`].
    pub fn verify(&self, id: &str) -> Result<SnapshotMeta> {
        let (key, meta) = snapshot::load(&self.inner.layout, &*self.inner.keeper, id)?;
        self.inner.open_table(&key, &meta)?;
        Ok(meta.shown)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("folder", &self.inner.layout.root())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn lease(&self, population: &str) -> Result<Lease> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.insert(population.to_owned()) {
            return Err(VaultError::PopulationBusy {
                population: population.to_owned(),
            });
        }
        Ok(Lease {
            busy: Arc::clone(&self.busy),
            population: population.to_owned(),
        })
    }

    fn snapshot_ids(&self) -> Result<Vec<String>> {
        let mut ids = durable::list(&self.layout.snapshots())?;
        ids.retain(|id| layout::is_snapshot_id(id));
        Ok(ids)
    }

    /// How many units a population must have at least, as its snapshots show. A damaged snapshot cannot say; it must
    /// not keep other datasets from being registered.
    fn units_known(&self, population: &str) -> Result<u64> {
        let mut units = 0;
        for id in self.snapshot_ids()? {
            match snapshot::load(&self.layout, &*self.keeper, &id) {
                Ok((_, meta)) => {
                    let known = meta.population_units.get(population);
                    units = units.max(known.copied().unwrap_or_default());
                }
                Err(error) => tracing::warn!(
                    snapshot = id,
                    code = error.code(),
                    "a snapshot cannot be read"
                ),
            }
        }
        Ok(units)
    }

    fn open_table(&self, key: &DataKey, meta: &StoredMeta) -> Result<Arc<SealedTable>> {
        let files = SealedFiles::open(&self.layout.snapshot(&meta.shown.id), key, meta)?;
        Ok(Arc::new(SealedTable::new(&meta.shown, files)))
    }
}

fn lock(layout: &Layout) -> Result<File> {
    let path = layout.lock();
    let file = File::open(&path).map_err(VaultError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(VaultError::VaultInUse {
            path: layout.root().to_owned(),
        }),
        Err(fs::TryLockError::Error(error)) => Err(VaultError::io("lock", &path)(error)),
    }
}

fn check_head(layout: &Layout, head: &[u8], keeper: &dyn KeyKeeper) -> Result<()> {
    let format = || VaultError::VaultFormat {
        path: layout.head(),
        expected: FORMAT,
    };
    let head: Head = serde_json::from_slice(head).map_err(|_| format())?;
    let check = hex::decode(&head.check).map_err(|_| format())?;
    if head.format != FORMAT {
        return Err(format());
    }
    match keeper.unwrap_key(&check, CHECK_PLACE)? {
        Some(_) => Ok(()),
        None => Err(VaultError::MasterKeyWrong {
            path: layout.root().to_owned(),
        }),
    }
}

/// Removes what a crash may have left: registrations that were not committed, files that had not got their name, and
/// keys whose snapshot had not got its.
fn clear_leftovers(layout: &Layout) -> Result<()> {
    for name in durable::list(&layout.staging())? {
        let path = layout.staging().join(name);
        fs::remove_dir_all(&path).map_err(VaultError::io("remove", &path))?;
    }
    for folder in [
        layout.root().to_owned(),
        layout.keys(),
        layout.populations(),
    ] {
        for name in durable::list(&folder)? {
            let path = folder.join(&name);
            let unfinished = path
                .extension()
                .is_some_and(|ending| ending == durable::UNFINISHED);
            let orphan =
                layout::snapshot_of_key(&name).is_some_and(|id| !layout.snapshot(id).exists());
            if unfinished || (orphan && folder == layout.keys()) {
                durable::remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}
