//! Sealed storage: the only place in Weir where raw data lies.
//!
//! **What it is for.** A dataset is registered once: its files are checked against a [`Manifest`], every identifier is
//! replaced by its population's dense `u32` unit id, rows are sorted by the primary unit, and the result is written as encrypted
//! Parquet: a snapshot. From then on the vault hands the snapshot out as a DataFusion table, to `weir-inside` alone.
//!
//! **What it does not do.** It knows no roles, grants or policies, answers no query by itself, and never writes a raw
//! value anywhere but into a sealed file: not into an error, not into a log, not into a temporary file.
//!
//! **Invariants**
//! - A snapshot is there whole or not at all. Whatever happens before the one rename in [`Staged::commit`] leaves
//!   nothing that [`Vault::open`] would not clear away.
//! - A snapshot is immutable. Every file's length and SHA-256 stand in its sealed metadata and are checked before the
//!   first row is read; every page is authenticated (AES-256-GCM) as it is read.
//! - Every sealed byte is bound to its place: a file moved to another snapshot, or to another position in the same one,
//!   does not open.
//! - No identifier is stored. A population maps HMAC-SHA-256 tags to ids; the same identifier has the same id in every
//!   dataset of the population.
//! - Rows are sorted by [`UNIT_COLUMN`], and no file and no scan partition ever splits a unit.
//! - Keys have no readable `Debug`, reach no DataFusion option and no plan, and are wiped when dropped as far as the
//!   libraries that hold copies allow (the Parquet crate keeps a plain copy while a file is written or read).
//!
//! **On disk**, under the vault's directory (0700):
//! ```text
//! vault.json                     format version and a wrapped check key, which tells a wrong master key from the right one
//! lock                           held while a process has the vault open
//! keys/population-<name>.key     wrapped population key
//! keys/snapshot-<id>.key         wrapped snapshot key; without it the snapshot is noise
//! populations/<name>.map         sealed: HMAC tags in id order
//! snapshots/<id>/meta            sealed: what the snapshot holds, each file's length and digest
//! snapshots/<id>/part-*.parquet  encrypted Parquet, sorted by unit, cut at unit boundaries
//! staging/<id>/                  a registration under way
//! ```
//! Keys lie apart from the data so that a backup of `snapshots/` holds none of them.

mod durable;
mod error;
mod ingest;
mod keys;
mod layout;
pub mod limits;
mod population;
mod seal;
mod snapshot;
mod source;
mod table;
mod vault;

pub use error::{Family, Place, VaultError};
pub use ingest::{Progress, Resources, Stage, Staged};
pub use keys::{DataKey, KeyKeeper, MasterKey};
pub use snapshot::{SnapshotMeta, StoredColumn, UnitColumn};
pub use source::Source;
pub use table::{UNIT_COLUMN, unit_column};
pub use vault::Vault;
pub use weir_catalogue::{Column, ColumnType, Manifest, Role, Unit};

/// What the functions of this crate return.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;
