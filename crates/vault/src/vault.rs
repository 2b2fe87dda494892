//! The vault itself: creating, opening, registering, handing out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::destroy::{self, Destruction, DestructionCertificate};
use crate::head::Head;
use crate::ingest::{self, Populations, Progress, Resources, Staged, Staging, Task};
use crate::keys::{DataKey, KeyKeeper};
use crate::layout::{self, Layout};
use crate::population::Population;
use crate::seal::{self, KEY_LEN};
use crate::snapshot::{self, PopulationSeen, SnapshotMeta, StoredMeta};
use crate::source::Source;
use crate::store::{SnapshotStore, StoreSettings};
use crate::table::{self, SealedFiles, SealedTable};
use crate::{Result, VaultError, durable};
use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use weir_catalogue::risk::{self, RiskReport};
use weir_catalogue::{CatalogueError, Column, Manifest};
use zeroize::Zeroizing;

/// A folder of sealed snapshots. Cheap to clone; one process at a time has it open.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) layout: Layout,
    pub(crate) keeper: Box<dyn KeyKeeper>,
    pub(crate) store: Box<dyn SnapshotStore>,
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
    /// Makes a new vault in `folder`, which must not exist or be empty, with its snapshots in the same folder.
    ///
    /// # Errors
    /// [`VaultError::VaultExists`], or when the folder cannot be written.
    pub fn create(folder: &Path, keeper: impl KeyKeeper + 'static) -> Result<Self> {
        Self::create_with(folder, Box::new(keeper), &StoreSettings::Folder)
    }

    /// Makes a new vault in `folder`, which must not exist or be empty, with its snapshots in `store`.
    ///
    /// # Errors
    /// As [`Vault::create`]; [`VaultError::StoreForeign`] where there are objects below the store's prefix, and
    /// [`VaultError::StoreFailed`].
    pub fn create_with(
        folder: &Path,
        keeper: Box<dyn KeyKeeper>,
        store: &StoreSettings,
    ) -> Result<Self> {
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
        // Last: without it the folder is no vault.
        Head::new(&*keeper, store)?.write(&layout)?;
        Self::open_with(folder, keeper, store)
    }

    /// Opens a vault whose snapshots are in its folder, checks the master key, and clears away what a crash may have
    /// left.
    ///
    /// # Errors
    /// [`VaultError::VaultMissing`], [`VaultError::VaultInUse`], [`VaultError::MasterKeyWrong`],
    /// [`VaultError::VaultFormat`], or when the folder cannot be read.
    pub fn open(folder: &Path, keeper: impl KeyKeeper + 'static) -> Result<Self> {
        Self::open_with(folder, Box::new(keeper), &StoreSettings::Folder)
    }

    /// Opens a vault whose snapshots are in `store`. Blocks while the store is asked whose it is.
    ///
    /// # Errors
    /// As [`Vault::open`]; [`VaultError::StoreForeign`] where the store is another vault's or the vault was made with
    /// another one, and [`VaultError::StoreFailed`].
    pub fn open_with(
        folder: &Path,
        keeper: Box<dyn KeyKeeper>,
        store: &StoreSettings,
    ) -> Result<Self> {
        let layout = Layout::new(folder);
        let head = Head::read(&layout)?;
        let lock = lock(&layout)?;
        head.check_key(&layout, &*keeper)?;
        clear_unfinished(&layout)?;
        let store = head.open_store(&layout, store)?;
        destroy::recover(&layout, &*store)?;
        let inner = Inner {
            layout,
            keeper,
            store,
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
        let meta = StoredMeta::new(shown, populations.all(), outcome.files)?;
        let populations = populations.into_all();
        Staged::new(Arc::clone(inner), staging, key, meta, populations, leases)
    }

    /// What the vault knows of a snapshot.
    ///
    /// # Errors
    /// [`VaultError::SnapshotUnknown`], [`VaultError::SnapshotKeyMissing`], [`VaultError::KeyDamaged`] or
    /// [`VaultError::SnapshotDamaged`].
    pub fn snapshot(&self, id: &str) -> Result<SnapshotMeta> {
        self.inner.load(id).map(|(_, meta)| meta.shown)
    }

    /// The ids of all snapshots, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn snapshot_ids(&self) -> Result<Vec<String>> {
        self.inner.snapshot_ids()
    }

    /// Removes a snapshot whose registration was not completed, without a certificate. The key goes first, so that what
    /// is left after a crash cannot be read, and the journal names it, so that it is cleared. It is not overwritten first:
    /// without a certificate a key that is half gone would be a damaged one.
    ///
    /// # Errors
    /// When the disk or the store refuses.
    pub fn discard(&self, id: &str) -> Result<()> {
        if !layout::is_snapshot_id(id) {
            return Err(snapshot::unknown(id));
        }
        let (layout, store) = (&self.inner.layout, &*self.inner.store);
        self.inner.forget(id);
        destroy::begin(layout, id)?;
        durable::remove(&layout.snapshot_key(id))?;
        destroy::end(layout, store, id)
    }

    /// Destroys a snapshot: afterwards nobody can read it, not even with a backup of its files. Scans under way fail.
    /// Destroying it again gives the certificate there is.
    ///
    /// # Errors
    /// [`VaultError::SnapshotUnknown`], or when the disk refuses. After an error the snapshot may be destroyed all the
    /// same: [`Vault::certificate`] says so, and calling this again, or opening the vault, completes it.
    pub fn destroy(&self, id: &str, order: &Destruction) -> Result<DestructionCertificate> {
        self.inner.forget(id);
        destroy::destroy(&self.inner.layout, &*self.inner.store, id, order)
    }

    /// The certificate of a snapshot that was destroyed; `None` where it was not.
    ///
    /// # Errors
    /// [`VaultError::CertificateDamaged`], or when the disk refuses.
    pub fn certificate(&self, id: &str) -> Result<Option<DestructionCertificate>> {
        if !layout::is_snapshot_id(id) {
            return Err(snapshot::unknown(id));
        }
        destroy::certificate(&self.inner.layout, id)
    }

    /// The certificates of all snapshots that were destroyed.
    ///
    /// # Errors
    /// As [`Vault::certificate`].
    pub fn certificates(&self) -> Result<Vec<DestructionCertificate>> {
        destroy::certificates(&self.inner.layout)
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
        let (key, meta) = self.inner.load(id)?;
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

    /// A key for one purpose outside the vault, whoever keeps the master key. It tells nothing about the vault's others.
    ///
    /// # Errors
    /// Where the keeper cannot be reached, or `vault.json` is gone.
    pub fn derive_key(&self, purpose: &'static str) -> Result<Zeroizing<[u8; KEY_LEN]>> {
        let (layout, keeper) = (&self.inner.layout, self.inner.keeper.as_ref());
        let own = Head::read(layout)?.own_key(layout, keeper)?;
        own.derive(purpose)
    }

    /// A key for one purpose outside the vault, for something made of these snapshots: once any one of them is destroyed
    /// nobody can derive it again. The order of the ids does not matter.
    ///
    /// # Errors
    /// As [`Vault::snapshot`], for the first that has one.
    pub fn derive_key_of(
        &self,
        ids: &[String],
        purpose: &'static str,
    ) -> Result<Zeroizing<[u8; KEY_LEN]>> {
        let ids: BTreeSet<&String> = ids.iter().collect();
        let keys = ids
            .into_iter()
            .map(|id| self.inner.load(id)?.0.derive(purpose))
            .collect::<Result<Vec<_>>>()?;
        seal::derive_of_all(&keys, purpose)
    }

    /// How well these columns of a snapshot single a unit out. The rows are looked at here and stay here. Blocking, and it
    /// must not be called on a runtime's thread other than one for blocking work. `on_progress` hears of every batch;
    /// where it fails, so does the assessment.
    ///
    /// # Errors
    /// As [`Vault::table`] and [`risk::assess`]; what `on_progress` answers.
    pub fn linkage_risk<E: From<VaultError> + From<CatalogueError>>(
        &self,
        id: &str,
        columns: &[&Column],
        options: risk::Options,
        on_progress: &mut dyn FnMut(risk::Progress) -> Result<(), E>,
    ) -> Result<RiskReport, E> {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let scan: &mut risk::Scan<'_, E> = &mut |visit| self.scan(id, &names, visit);
        risk::assess(columns, options, scan, on_progress)
    }

    /// Hands every row of a snapshot to `visit`, batch by batch, in the order of the units: the unit's id, and then the
    /// stored columns named.
    fn scan<E: From<VaultError>>(
        &self,
        id: &str,
        columns: &[&str],
        visit: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let table = self.table(id)?;
        let schema = table.schema();
        let positions: Vec<usize> = columns
            .iter()
            .filter_map(|column| schema.index_of(column).ok())
            .collect();
        if positions.len() != columns.len() {
            return Err(VaultError::Internal {
                action: "reading a snapshot",
            }
            .into());
        }
        table::visit(&table, &positions, visit)
    }

    /// Checks a snapshot from the bytes on disk, whatever was checked before.
    ///
    /// # Errors
    /// As [`Vault::table`].
    pub fn verify(&self, id: &str) -> Result<SnapshotMeta> {
        let (key, meta) = self.inner.load(id)?;
        self.inner.open_table(&key, &meta)?;
        Ok(meta.shown)
    }
}

impl Vault {
    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
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

    /// A snapshot exists when it has a key, and no certificate of its destruction.
    fn snapshot_ids(&self) -> Result<Vec<String>> {
        let keys = durable::list(&self.layout.keys())?;
        let mut ids: Vec<_> = keys
            .iter()
            .filter_map(|file| layout::snapshot_of_key(file))
            .filter(|id| layout::is_snapshot_id(id) && !self.layout.certificate(id).exists())
            .map(str::to_owned)
            .collect();
        ids.sort();
        Ok(ids)
    }

    fn load(&self, id: &str) -> Result<(DataKey, StoredMeta)> {
        snapshot::load(&self.layout, &*self.store, &*self.keeper, id)
    }

    /// Drops what is known of a snapshot. Scans that still hold it fail at their next read.
    fn forget(&self, id: &str) {
        let table = self
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(table) = table {
            table.end();
        }
    }

    /// How many units a population must have at least, as its snapshots show. A damaged snapshot cannot say; it must
    /// not keep other datasets from being registered.
    fn units_known(&self, population: &str) -> Result<u64> {
        let known = self.populations_known()?;
        Ok(known.get(population).map_or(0, |(units, _)| *units))
    }

    /// The same of every population, with the digest of these units' tags.
    pub(crate) fn populations_known(&self) -> Result<BTreeMap<String, PopulationSeen>> {
        let mut known: BTreeMap<String, PopulationSeen> = BTreeMap::new();
        for id in self.snapshot_ids()? {
            match self.load(&id) {
                Ok((_, meta)) => {
                    for (population, seen) in meta.populations() {
                        let most = known.entry(population.clone()).or_default();
                        if seen > *most {
                            *most = seen;
                        }
                    }
                }
                Err(error) => tracing::warn!(
                    snapshot = id,
                    code = error.code(),
                    "a snapshot cannot be read"
                ),
            }
        }
        Ok(known)
    }

    fn open_table(&self, key: &DataKey, meta: &StoredMeta) -> Result<Arc<SealedTable>> {
        let files = SealedFiles::open(&*self.store, key, meta)?;
        Ok(Arc::new(SealedTable::new(meta, files)))
    }
}

fn lock(layout: &Layout) -> Result<File> {
    let path = layout.lock();
    let file = File::open(&path).map_err(VaultError::io("open", &path))?;
    let length = file
        .metadata()
        .map_err(VaultError::io("read", &path))?
        .len();
    match file.try_lock() {
        Ok(()) if length > 0 => Err(VaultError::LockWritten { path }),
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(VaultError::VaultInUse {
            path: layout.root().to_owned(),
        }),
        Err(fs::TryLockError::Error(error)) => Err(VaultError::io("lock", &path)(error)),
    }
}

/// Removes files that had not got their name.
fn clear_unfinished(layout: &Layout) -> Result<()> {
    let folders = [
        layout.root().to_owned(),
        layout.keys(),
        layout.populations(),
        layout.destroyed(),
    ];
    for folder in folders {
        for name in durable::list_if_there(&folder)? {
            let path = folder.join(&name);
            let unfinished = path
                .extension()
                .is_some_and(|ending| ending == durable::UNFINISHED);
            if unfinished {
                durable::remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}
