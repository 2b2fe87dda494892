//! What can go wrong in the registry.

use thiserror::Error;

/// Whose fault an error is. The server maps each family to one kind of gRPC status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The request is wrong.
    Caller,
    /// The machine or its storage failed.
    Environment,
}

/// A registry operation that did not happen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name is taken.
    #[error(
        "there is already a dataset `{0}`. Choose another name, or add a snapshot to it with --update; nothing is overwritten"
    )]
    DatasetExists(String),
    /// The database failed.
    #[error(
        "the registry's database failed: {0}. Check the disk and the domain's folder, then try again"
    )]
    Database(#[from] sqlx::Error),
    /// The database's layout could not be brought up to date.
    #[error(
        "the registry's database has a layout this version cannot read: {0}. Use the version that wrote it"
    )]
    Layout(#[from] sqlx::migrate::MigrateError),
}

impl RegistryError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DatasetExists(_) => "DATASET_EXISTS",
            Self::Database(_) => "REGISTRY_FAILED",
            Self::Layout(_) => "REGISTRY_LAYOUT",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::DatasetExists(_) => Family::Caller,
            Self::Database(_) | Self::Layout(_) => Family::Environment,
        }
    }
}
