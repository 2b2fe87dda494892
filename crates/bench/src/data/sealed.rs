//! Sealed snapshots that are registered once and found again.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use serde::{Deserialize, Serialize};
use weir_catalogue::Manifest;
use weir_vault::{MasterKey, Source, Vault};

use super::lineitem;
use crate::bench::Say;
use crate::error::{BenchError, Result, failed};
use crate::options::UnitOf;

/// Part of the folder's name: other columns are other data.
const LAYOUT: u32 = 1;
/// The same of real data.
const REAL_LAYOUT: u32 = 2;
const DONE: &str = "registered.json";

/// A registered dataset in a vault of its own.
pub(crate) struct Sealed {
    /// Where it lies.
    pub(crate) folder: PathBuf,
    /// The column that names its units.
    pub(crate) unit: String,
    /// What was registered.
    pub(crate) meta: Meta,
    /// Its rows.
    pub(crate) table: Arc<dyn TableProvider>,
    _vault: Vault,
}

/// What was registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) snapshot: String,
    pub(crate) rows: u64,
    pub(crate) units: u64,
    /// Of the sealed files.
    pub(crate) bytes: u64,
}

impl Sealed {
    /// Line items of about so many rows.
    pub(crate) fn line_items(data: &Path, rows: u64, unit: UnitOf, say: Say<'_>) -> Result<Self> {
        let folder = data.join(format!("lineitem-{LAYOUT}-{rows}-{}", unit.name()));
        let make = |folder: &Path| {
            say(&format!("generating {rows} line items"));
            let source = folder.join("source.parquet");
            lineitem::write_parquet(&source, rows)?;
            say(&format!(
                "registering {rows} line items, unit {}",
                unit.name()
            ));
            let meta = register(folder, &lineitem::manifest(unit)?, &source)?;
            // What is read from here on is sealed, or written from what is sealed.
            std::fs::remove_file(&source).map_err(|error| BenchError::file(&source, error))?;
            Ok(meta)
        };
        Self::found_or(folder, unit.column(), make)
    }

    /// A file with a manifest, registered if it is not there.
    pub(crate) fn of_file(
        data: &Path,
        (name, unit): (&str, &str),
        manifest: &Manifest,
        file: &[u8],
    ) -> Result<Self> {
        let make = |folder: &Path| {
            let source = folder.join(format!("{name}.parquet"));
            std::fs::write(&source, file).map_err(|error| BenchError::file(&source, error))?;
            register(folder, manifest, &source)
        };
        Self::found_or(data.join(format!("{name}-{REAL_LAYOUT}")), unit, make)
    }

    fn found_or(
        folder: PathBuf,
        unit: &str,
        make: impl FnOnce(&Path) -> Result<Meta>,
    ) -> Result<Self> {
        let done = folder.join(DONE);
        let found = std::fs::read(&done).ok();
        let found = found.and_then(|text| serde_json::from_slice::<Meta>(&text).ok());
        let meta = match found {
            Some(meta) => meta,
            None => {
                super::empty(&folder)?;
                let meta = make(&folder)?;
                let text =
                    serde_json::to_vec(&meta).map_err(failed("noting what was registered"))?;
                // Written last: without it everything is made anew.
                std::fs::write(&done, text).map_err(|error| BenchError::file(&done, error))?;
                meta
            }
        };
        let opening = failed("opening the sealed snapshot");
        let key = MasterKey::load(&key_of(&folder)).map_err(failed("opening the vault"))?;
        let vault = Vault::open(&vault_of(&folder), key).map_err(failed("opening the vault"))?;
        let table = vault.table(&meta.snapshot).map_err(opening)?;
        Ok(Self {
            folder,
            unit: unit.to_owned(),
            meta,
            table,
            _vault: vault,
        })
    }

    /// Where the sealed files lie.
    pub(crate) fn files(&self) -> PathBuf {
        vault_of(&self.folder)
    }
}

fn vault_of(folder: &Path) -> PathBuf {
    folder.join("vault")
}

fn key_of(folder: &Path) -> PathBuf {
    folder.join("master.key")
}

/// A new vault in a folder.
pub(crate) fn new_vault(folder: &Path) -> Result<Vault> {
    let key = MasterKey::create(&key_of(folder)).map_err(failed("making a vault"))?;
    Vault::create(&vault_of(folder), key).map_err(failed("making a vault"))
}

fn register(folder: &Path, manifest: &Manifest, source: &Path) -> Result<Meta> {
    let vault = new_vault(folder)?;
    let mut carry_on = |_| ControlFlow::Continue(());
    let staged = vault
        .ingest(manifest, &Source::file(source), 0, &mut carry_on)
        .map_err(failed("registering"))?;
    let meta = staged.commit().map_err(failed("registering"))?;
    Ok(Meta {
        snapshot: meta.id,
        rows: meta.rows,
        units: meta.units,
        bytes: meta.bytes,
    })
}
