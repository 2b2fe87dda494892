//! The catalogue: what a dataset is, as the data bureau that registers it describes it.
//!
//! **What it is for.** A [`Manifest`] is read from TOML and checked as a whole: names, types, roles, and which columns
//! name a unit of which population. Whoever stores, queries or lists a dataset takes from here what its columns mean.
//!
//! **What it does not do.** It opens no file of data, knows no keys, roles of people or policies, and keeps nothing.
//!
//! **Invariants**
//! - A [`Manifest`] exists only if every check passed: there is no other way to make one.
//! - A message gives the manifest's file, line and column, and quotes nothing but the manifest.

mod error;
pub mod limits;
mod manifest;
mod name;

pub use error::{CatalogueError, Family};
pub use manifest::{Column, ColumnType, Manifest, Role, Unit};
pub use name::is_name;

/// What the functions of this crate return.
pub type Result<T, E = CatalogueError> = std::result::Result<T, E>;
