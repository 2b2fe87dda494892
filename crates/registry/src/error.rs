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
    /// The transaction that a write shared with others.
    #[error(transparent)]
    Together(std::sync::Arc<Self>),
    /// Rows that the domain did not write.
    #[error(
        "the registry's table `{table}` is not what the domain wrote: its rows were altered, added, taken out or put back from \
         before, without the domain's key. Find out who wrote to `registry.sqlite`, keep it, and restore the newest backup"
    )]
    Altered {
        /// The table; `sqlite_schema` for the layout, and `seal` where the seal itself does not open.
        table: String,
    },
    /// Pages that do not hold together.
    #[error(
        "the registry's file is damaged: {0}. Check the disk, keep the file, and restore the newest backup"
    )]
    Damaged(String),
    /// The seal could not be made.
    #[error("the registry's seal could not be made: {0}")]
    Sealing(&'static str),
    /// The database's layout could not be brought up to date.
    #[error(
        "the registry's database has a layout this version cannot read: {0}. Use the version that wrote it"
    )]
    Layout(#[from] sqlx::migrate::MigrateError),
}

impl RegistryError {
    pub(crate) fn altered(table: &str) -> Self {
        Self::Altered {
            table: table.to_owned(),
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Together(error) => error.code(),
            Self::DatasetExists(_) => "DATASET_EXISTS",
            Self::Database(_) => "REGISTRY_FAILED",
            Self::Altered { .. } => "REGISTRY_ALTERED",
            Self::Damaged(_) => "REGISTRY_DAMAGED",
            Self::Sealing(_) => "REGISTRY_SEALING",
            Self::Layout(_) => "REGISTRY_LAYOUT",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Together(error) => error.family(),
            Self::DatasetExists(_) => Family::Caller,
            Self::Database(_)
            | Self::Altered { .. }
            | Self::Damaged(_)
            | Self::Sealing(_)
            | Self::Layout(_) => Family::Environment,
        }
    }
}
