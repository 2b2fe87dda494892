//! The catalogue: what a dataset is, as the data bureau that registers it describes it.
//!
//! **What it is for.** A [`Manifest`] is read from TOML and checked as a whole. From it, and from batches of rows that
//! others hand in, come the [`quality`] report, the linkage [`risk`] report, a synthetic [`sample`], and the catalogue's
//! entry in [`dcat`]. Whoever stores, queries or lists a dataset takes from here what its columns mean.
//!
//! **What it does not do.** It opens no file of data, knows no keys, roles of people or policies, and keeps nothing.
//!
//! **Invariants**
//! - A [`Manifest`] exists only if every check passed: there is no other way to make one.
//! - A message gives the manifest's file, line and column, and quotes nothing but the manifest.

pub mod dcat;
mod error;
pub mod limits;
mod manifest;
mod name;
pub mod quality;
pub mod risk;
pub mod sample;

pub use error::{CatalogueError, Family};
pub use manifest::{
    Column, ColumnType, Contact, Content, Form, Frequency, Grading, Listed, Manifest, Opening,
    Relation, Retention, Role, Rule, Sharing, Terms, Unit, Value,
};
pub use name::is_name;

/// What the functions of this crate return.
pub type Result<T, E = CatalogueError> = std::result::Result<T, E>;
