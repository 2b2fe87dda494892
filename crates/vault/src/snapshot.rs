//! What a snapshot is, and its sealed metadata.

use std::collections::BTreeMap;

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::keys::{DataKey, KeyKeeper};
use crate::layout::{Layout, META_FILE, is_snapshot_id};
use crate::limits::META_BYTES_MAX;
use crate::population::Population;
use crate::store::SnapshotStore;
use crate::table::unit_column;
use crate::{Result, VaultError, destroy, durable, seal};
use weir_catalogue::quality::QualityReport;
use weir_catalogue::{ColumnType, Manifest, Role};

/// Version of the metadata and of the files it describes.
const FORMAT: u32 = 1;

/// What is known of a snapshot. Counts are exact: for the bureau and the gate, never for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMeta {
    /// The snapshot's id: the dataset's name and 20 random hexadecimal digits.
    pub id: String,
    /// The dataset's name.
    pub dataset: String,
    /// The primary unit's population.
    pub population: String,
    /// Rows stored.
    pub rows: u64,
    /// Rows left out because they name no unit.
    pub rows_without_unit: u64,
    /// Distinct primary units among the rows stored.
    pub units: u64,
    /// The unit columns, in order, the primary one first.
    pub unit_columns: Vec<UnitColumn>,
    /// `sha256:` and the SHA-256, in hexadecimal, of this metadata without this field; the metadata holds each sealed
    /// file's length and SHA-256, so the digest stands for every byte of the snapshot.
    pub digest: String,
    /// Size of the sealed data files, in bytes.
    pub bytes: u64,
    /// When it was registered, in milliseconds since 1970-01-01 UTC, as the caller gave it.
    pub created_unix_ms: i64,
    /// What the dataset is.
    pub description: String,
    /// Where the data comes from.
    pub source: String,
    /// On what terms the data may be used.
    pub licence: String,
    /// The stored columns after the units, in order.
    pub columns: Vec<StoredColumn>,
    /// What the registration found of the data's quality; `None` in a snapshot from before it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityReport>,
}

/// A column of unit ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitColumn {
    /// The column's name, as [`crate::unit_column`] gives it.
    pub name: String,
    /// The population whose units it names.
    pub population: String,
    /// Distinct units in it.
    pub units: u64,
}

/// A stored column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// The column's name.
    pub name: String,
    /// What the values are.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What the column says about a unit.
    pub role: Role,
    /// What the column means.
    pub description: String,
}

/// A sealed data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedFile {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// SHA-256 of the sealed bytes, in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) rows: u64,
    pub(crate) unit_first: u32,
    pub(crate) unit_last: u32,
}

/// The sealed metadata: what [`SnapshotMeta`] shows, and what only the vault needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMeta {
    format: u32,
    pub(crate) shown: SnapshotMeta,
    /// Units that each population had when the snapshot was sealed: a map with fewer is an old one.
    pub(crate) population_units: BTreeMap<String, u64>,
    /// SHA-256 of the tags of these units, in hexadecimal: a map that begins otherwise is another one. Snapshots of before
    /// have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) population_prints: BTreeMap<String, String>,
    pub(crate) files: Vec<SealedFile>,
    /// Whether its files number the rows of each unit; those of before do not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) numbers_rows: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What a snapshot knows of a population: how many units it had, and the digest of their tags.
pub(crate) type PopulationSeen = (u64, Option<String>);

impl StoredMeta {
    /// Completes the metadata with its digest.
    pub(crate) fn new(
        mut shown: SnapshotMeta,
        populations: &[Population],
        files: Vec<SealedFile>,
    ) -> Result<Self> {
        shown.digest = String::new();
        let units = |of: &Population| (of.name().to_owned(), of.units());
        let print = |of: &Population| (of.name().to_owned(), of.print());
        let mut meta = Self {
            format: FORMAT,
            shown,
            population_units: populations.iter().map(units).collect(),
            population_prints: populations.iter().map(print).collect(),
            files,
            numbers_rows: true,
        };
        meta.shown.digest = meta.compute_digest()?;
        Ok(meta)
    }

    /// What it knows of each population it uses.
    pub(crate) fn populations(&self) -> impl Iterator<Item = (&String, PopulationSeen)> {
        let print = |name: &String| self.population_prints.get(name).cloned();
        let units = self.population_units.iter();
        units.map(move |(name, units)| (name, (*units, print(name))))
    }

    /// The names of every file of the snapshot, sorted.
    pub(crate) fn all_files(&self) -> Vec<String> {
        let data = self.files.iter().map(|file| file.name.clone());
        let mut names: Vec<_> = data.chain([META_FILE.to_owned()]).collect();
        names.sort();
        names
    }

    fn compute_digest(&self) -> Result<String> {
        let mut bare = self.clone();
        bare.shown.digest = String::new();
        let digest = digest::digest(&digest::SHA256, &bare.to_json()?);
        Ok(format!("sha256:{}", hex::encode(digest)))
    }

    /// Struct fields are written in their order, so equal metadata has equal bytes.
    fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|_| VaultError::Internal {
            action: "writing snapshot metadata",
        })
    }

    pub(crate) fn seal(&self, key: &DataKey) -> Result<Vec<u8>> {
        seal::seal(
            &*key.derive("snapshot meta")?,
            meta_place(&self.shown.id).as_bytes(),
            &self.to_json()?,
        )
    }

    fn open(id: &str, key: &DataKey, sealed: &[u8]) -> Result<Self> {
        let damaged = |problem| VaultError::SnapshotDamaged {
            id: id.to_owned(),
            file: META_FILE.to_owned(),
            problem,
        };
        let plain = seal::open(
            &*key.derive("snapshot meta")?,
            meta_place(id).as_bytes(),
            sealed,
        )
        .ok_or_else(|| damaged("altered, cut short, or from another snapshot"))?;
        let meta: Self =
            serde_json::from_slice(&plain).map_err(|_| damaged("of another version of Weir"))?;
        if meta.format != FORMAT {
            return Err(damaged("of another version of Weir"));
        }
        if meta.shown.id != id || meta.compute_digest()? != meta.shown.digest {
            return Err(damaged("contradicts itself"));
        }
        Ok(meta)
    }
}

/// The unit columns of a manifest, with how many distinct units each has.
pub(crate) fn unit_columns(manifest: &Manifest, units: &[u64]) -> Vec<UnitColumn> {
    let described = manifest.units().iter().zip(units).enumerate();
    described
        .map(|(index, (unit, &units))| UnitColumn {
            name: unit_column(index),
            population: unit.population.clone(),
            units,
        })
        .collect()
}

/// The columns a manifest has stored.
pub(crate) fn stored_columns(manifest: &Manifest) -> Vec<StoredColumn> {
    manifest
        .stored()
        .into_iter()
        .map(|index| &manifest.columns()[index])
        .map(|column| StoredColumn {
            name: column.name.clone(),
            kind: column.kind,
            role: column.role,
            description: column.description.clone(),
        })
        .collect()
}

/// Reads a snapshot's key and metadata.
pub(crate) fn load(
    layout: &Layout,
    store: &dyn SnapshotStore,
    keeper: &dyn KeyKeeper,
    id: &str,
) -> Result<(DataKey, StoredMeta)> {
    if !is_snapshot_id(id) {
        return Err(unknown(id));
    }
    // Asked first: a key that a backup brought back must not bring the snapshot back.
    if let Some(certificate) = destroy::certificate(layout, id)? {
        return Err(VaultError::SnapshotDestroyed {
            id: id.to_owned(),
            at: certificate.destroyed_at,
        });
    }
    let Some(wrapped) = durable::read_if_there(&layout.snapshot_key(id), META_BYTES_MAX)? else {
        return Err(if store.list(id)?.is_empty() {
            unknown(id)
        } else {
            VaultError::SnapshotKeyMissing { id: id.to_owned() }
        });
    };
    let key = keeper
        .unwrap_key(&wrapped, &key_place(id))?
        .ok_or_else(|| VaultError::KeyDamaged {
            name: format!("snapshot-{id}.key"),
        })?;
    let sealed =
        store
            .read(id, META_FILE, META_BYTES_MAX)?
            .ok_or_else(|| VaultError::SnapshotDamaged {
                id: id.to_owned(),
                file: META_FILE.to_owned(),
                problem: "missing",
            })?;
    let meta = StoredMeta::open(id, &key, &sealed)?;
    Ok((key, meta))
}

/// There is no such snapshot. What was asked for may be anything, so it is cut.
pub(crate) fn unknown(id: &str) -> VaultError {
    VaultError::SnapshotUnknown {
        id: id.chars().take(100).collect(),
    }
}

/// What a snapshot's wrapped key is bound to.
pub(crate) fn key_place(id: &str) -> String {
    format!("weir snapshot key v1: {id}")
}

fn meta_place(id: &str) -> String {
    format!("weir snapshot meta v1: {id}")
}

/// What every page of a data file is bound to (the AAD prefix of Parquet modular encryption).
pub(crate) fn file_place(id: &str, file: &str) -> Vec<u8> {
    format!("weir snapshot file v1: {id}/{file}").into_bytes()
}
