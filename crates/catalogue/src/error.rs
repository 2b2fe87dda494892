//! What can go wrong, sorted by who is at fault.

/// Who is at fault, and so what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The manifest or the request is wrong.
    Caller,
    /// A defect in Weir.
    Bug,
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
    /// No columns to assess, or too many.
    #[error(
        "a linkage risk is assessed on 1 to {limit} quasi-identifiers, not {columns}; name the columns to look at"
    )]
    RiskColumns {
        /// How many there are.
        columns: usize,
        /// The limit.
        limit: usize,
    },
    /// One combination has more values than an assessment may hold.
    #[error(
        "a combination of columns has more than {limit} different values; assess smaller combinations or other columns"
    )]
    RiskTooLarge {
        /// The limit.
        limit: usize,
    },
    /// No rows of a sample, or too many.
    #[error("a sample has 1 to {limit} rows, not {rows}")]
    SampleRows {
        /// How many were asked for.
        rows: u64,
        /// The limit.
        limit: u64,
    },
    /// A defect in Weir.
    #[error("internal error while {action}; please report it")]
    Internal {
        /// What was being done.
        action: &'static str,
    },
}

impl CatalogueError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest { .. } => "MANIFEST_INVALID",
            Self::ManifestTooLarge { .. } => "MANIFEST_TOO_LARGE",
            Self::RiskColumns { .. } => "RISK_COLUMNS",
            Self::RiskTooLarge { .. } => "RISK_TOO_LARGE",
            Self::SampleRows { .. } => "SAMPLE_ROWS",
            Self::Internal { .. } => "CATALOGUE_INTERNAL",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        match self {
            Self::Internal { .. } => Family::Bug,
            _ => Family::Caller,
        }
    }
}
