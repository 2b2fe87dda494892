//! What can go wrong, sorted by who is at fault.

/// Who is at fault, and so what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The manifest is wrong.
    Caller,
}

/// Everything that can go wrong in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The manifest is not what it should be.
    #[error("`{file}`, line {line}, column {column}: {problem}")]
    Manifest {
        /// Name of the manifest file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Column of the line, in characters, counted from 1.
        column: usize,
        /// The key, what is wrong with it, and what to do.
        problem: String,
    },
    /// The manifest is larger than [`crate::limits::MANIFEST_BYTES_MAX`].
    #[error(
        "`{file}`: a manifest has at most {limit} bytes, this one has {bytes}; is it the data file?"
    )]
    ManifestTooLarge {
        /// Name of the manifest file.
        file: String,
        /// Its size in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: usize,
    },
}

impl CatalogueError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest { .. } => "MANIFEST_INVALID",
            Self::ManifestTooLarge { .. } => "MANIFEST_TOO_LARGE",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        Family::Caller
    }
}
