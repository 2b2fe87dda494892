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
//! - A snapshot is there if and only if its wrapped key has its name in `keys/` and no certificate says that it was
//!   destroyed. [`Staged::commit`] gives the key its name last; [`Vault::destroy`] takes it away. Whatever happens before
//!   or after leaves nothing that [`Vault::open`] would not clear away, in the folder and in the store.
//! - What is cleared away is named in the journal (`staging/`). Files that the journal does not name are never touched:
//!   data that was put back without its keys waits for them.
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
//! destroyed/<id>.json            certificate: this snapshot was destroyed
//! staging/<id>/                  journal: a registration, removal or destruction under way, with its files
//! ```
//! Keys lie apart from the data so that a backup of `snapshots/` holds none of them. `snapshots/` may lie in an object
//! store instead ([`StoreSettings`]), below a prefix, beside an object `vault-id` that says whose it is.

mod check;
mod destroy;
mod durable;
mod error;
#[cfg(test)]
mod faults;
mod head;
mod ingest;
mod keys;
mod layout;
pub mod limits;
mod population;
mod rotate;
mod seal;
mod snapshot;
mod source;
mod store;
mod table;
mod vault;

pub use destroy::{Destruction, DestructionCertificate};
pub use error::{Family, Place, VaultError};
pub use ingest::{Progress, Resources, Stage, Staged};
pub use keys::{DataKey, FileKeeper, KeyKeeper, MasterKey, TokenKey, TokenSettings};
pub use snapshot::{SnapshotMeta, StoredColumn, UnitColumn};
pub use source::Source;
pub use store::{S3Credentials, S3Settings, StoreSettings};
pub use table::{ROW_COLUMN, UNIT_COLUMN, unit_column};
pub use vault::Vault;
pub use weir_catalogue::{Column, ColumnType, Manifest, Role, Unit};

/// What the functions of this crate return.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;
