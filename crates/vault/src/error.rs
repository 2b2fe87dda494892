//! What can go wrong, sorted by who is at fault.
//!
//! No message carries a value from the data. Errors of the CSV, Arrow, Parquet and DataFusion crates may quote one, so
//! they are never passed on and never logged: only what they mean is.

use std::fmt;
use std::path::PathBuf;

/// Who is at fault, and so what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The request, the manifest or the source file is wrong.
    Caller,
    /// Disk, permissions, keys or memory.
    Environment,
    /// A defect in Weir.
    Bug,
}

/// Where in a source file something is wrong. Never what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name, without its folders.
    pub file: String,
    /// The data row, counted from 1, the header not included.
    pub row: Option<u64>,
    /// The line of a text file, counted from 1, the header included.
    pub line: Option<u64>,
    /// The column's name as the manifest has it.
    pub column: Option<String>,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            row: None,
            line: None,
            column: None,
        }
    }

    /// A row of the file.
    pub fn row(file: &str, row: u64, line: Option<u64>) -> Self {
        Self {
            row: Some(row),
            line,
            ..Self::file(file)
        }
    }

    /// The same place, narrowed to a column.
    pub fn in_column(mut self, column: &str) -> Self {
        self.column = Some(column.to_owned());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.file)?;
        match (self.row, self.line) {
            (Some(row), Some(line)) => write!(f, ", row {row} (line {line})")?,
            (Some(row), None) => write!(f, ", row {row}")?,
            (None, Some(line)) => write!(f, ", line {line}")?,
            (None, None) => {}
        }
        match &self.column {
            Some(column) => write!(f, ", column `{column}`"),
            None => Ok(()),
        }
    }
}

/// Everything that can go wrong in the vault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The source file is not there.
    #[error("`{file}`: no such file; check the path")]
    SourceMissing {
        /// The file's name.
        file: String,
    },
    /// The source is not CSV, Parquet or Arrow IPC.
    #[error(
        "`{file}`: {found}; register CSV (UTF-8, with a header), Parquet or Arrow IPC, as a file or as a folder of parts of one format"
    )]
    SourceFormat {
        /// The file's name.
        file: String,
        /// What the file looks like instead.
        found: &'static str,
    },
    /// The folder has no parts.
    #[error(
        "`{file}`: the folder has no files in it (names that begin with `.` or `_` do not count)"
    )]
    SourceNoParts {
        /// The folder's name.
        file: String,
    },
    /// The folder has more files than [`crate::limits::PARTS_MAX`].
    #[error("`{file}`: the folder has more than {limit} files; put several parts into one")]
    SourceTooManyParts {
        /// The folder's name.
        file: String,
        /// The limit in files.
        limit: usize,
    },
    /// The source is larger than [`crate::limits::SOURCE_BYTES_MAX`].
    #[error(
        "`{file}`: {bytes} bytes are more than the {limit} a source may have; split the dataset"
    )]
    SourceTooLarge {
        /// The file's name.
        file: String,
        /// Its size in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The source file has no bytes.
    #[error("`{file}`: the file is empty; expected a header and at least one row")]
    SourceEmpty {
        /// The file's name.
        file: String,
    },
    /// The source has columns and no rows.
    #[error("`{file}`: the file has no rows; nothing to register")]
    SourceNoRows {
        /// The file's name.
        file: String,
    },
    /// Every row's unit is missing.
    #[error(
        "`{file}`, column `{column}`: all {rows} rows lack a unit identifier; is this the right unit column?"
    )]
    SourceNoUnits {
        /// The file's name.
        file: String,
        /// The unit column.
        column: String,
        /// Rows read.
        rows: u64,
    },
    /// More rows than a snapshot may have.
    #[error("`{file}`: more than {limit} rows; split the dataset")]
    SourceTooManyRows {
        /// The file's name.
        file: String,
        /// The limit in rows.
        limit: u64,
    },

    /// The first line names none of the manifest's columns. It may be data, so it is not shown.
    #[error(
        "`{file}`, line 1: none of the manifest's columns is named here; the first line must be the header, its names separated by commas"
    )]
    HeaderMissing {
        /// The file's name.
        file: String,
    },
    /// Columns of the manifest are not in the file.
    #[error(
        "`{file}`: {columns} not found; add to the file, or take out of the manifest (upper and lower case differ)"
    )]
    ColumnsMissing {
        /// The file's name.
        file: String,
        /// The columns, ready to print; the unit column is marked.
        columns: String,
    },
    /// Columns of the file are not in the manifest.
    #[error(
        "`{file}`: {columns} not in the manifest; describe in a [[column]], or take out of the file"
    )]
    ColumnsUnknown {
        /// The file's name.
        file: String,
        /// The columns, ready to print.
        columns: String,
    },
    /// Two columns of the file have one name.
    #[error(
        "`{file}`: column `{column}` appears more than once (positions {first} and {second}); rename or remove one"
    )]
    ColumnDuplicate {
        /// The file's name.
        file: String,
        /// The name.
        column: String,
        /// Position of the first, counted from 1.
        first: usize,
        /// Position of the second, counted from 1.
        second: usize,
    },
    /// A Parquet column's type does not fit the manifest without loss.
    #[error(
        "`{file}`, column `{column}`: stored as {found}, which does not fit {declared} without loss; change the type in the manifest or convert the file"
    )]
    ColumnType {
        /// The file's name.
        file: String,
        /// The column.
        column: String,
        /// The file's type, in words.
        found: String,
        /// The manifest's type.
        declared: &'static str,
    },

    /// Bytes that are not UTF-8.
    #[error("{place}: not UTF-8; convert the file to UTF-8")]
    NotUtf8 {
        /// Where.
        place: Place,
    },
    /// A row with too few or too many fields.
    #[error(
        "{place}: {found} fields where the header has {expected}; look for a missing or extra delimiter, or an unclosed quote"
    )]
    RaggedRow {
        /// Where.
        place: Place,
        /// Fields in the header.
        expected: u64,
        /// Fields in the row.
        found: u64,
    },
    /// A quoted field that nothing closes.
    #[error(
        "`{file}`: the quotes do not pair up, so some quoted field has no end; close it, and double a quote that is part of a text"
    )]
    UnclosedQuote {
        /// The file.
        file: String,
    },
    /// A row larger than [`crate::limits::ROW_BYTES_MAX`].
    #[error("{place}: the row is longer than {limit} bytes; look for an unclosed quote")]
    RowTooLong {
        /// Where the row begins.
        place: Place,
        /// The limit in bytes.
        limit: u64,
    },
    /// A value larger than [`crate::limits::FIELD_BYTES_MAX`].
    #[error("{place}: the value is longer than {limit} bytes; look for an unclosed quote")]
    FieldTooLong {
        /// Where.
        place: Place,
        /// The limit in bytes.
        limit: usize,
    },
    /// A value that is not of its column's type.
    #[error("{place}: not {expected}; {remedy}")]
    ValueType {
        /// Where.
        place: Place,
        /// The type, in words.
        expected: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The Parquet file cannot be read.
    #[error("{place}: the Parquet file is damaged or cut short; write it again")]
    ParquetDamaged {
        /// Where, as far as is known.
        place: Place,
    },
    /// The Parquet file uses something that is not read.
    #[error("{place}: {what}")]
    ParquetUnsupported {
        /// Where.
        place: Place,
        /// What it uses, and what to do.
        what: String,
    },

    /// The Arrow file cannot be read.
    #[error("{place}: the Arrow file is damaged or cut short; write it again")]
    ArrowDamaged {
        /// Where, as far as is known.
        place: Place,
    },
    /// The Arrow file uses something that is not read.
    #[error("{place}: {what}")]
    ArrowUnsupported {
        /// Where.
        place: Place,
        /// What it uses, and what to do.
        what: String,
    },

    /// The caller stopped the registration.
    #[error("the registration of `{dataset}` was cancelled; nothing was kept")]
    Cancelled {
        /// The dataset.
        dataset: String,
    },
    /// Another registration for the population has not ended.
    #[error(
        "population `{population}`: another registration is under way; try again when it has ended"
    )]
    PopulationBusy {
        /// The population.
        population: String,
    },
    /// No more unit ids.
    #[error("population `{population}`: more than {limit} units; use another population")]
    PopulationFull {
        /// The population.
        population: String,
        /// The limit in units.
        limit: u64,
    },
    /// No such snapshot.
    #[error("no snapshot `{id}` in this vault; list the datasets to see which there are")]
    SnapshotUnknown {
        /// What was asked for.
        id: String,
    },

    /// A vault is already there.
    #[error("`{}`: there is a vault or something else here already; open it, or choose an empty folder", path.display())]
    VaultExists {
        /// The folder.
        path: PathBuf,
    },
    /// No vault is there.
    #[error("`{}`: no vault here; create one first", path.display())]
    VaultMissing {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has the vault open.
    #[error("`{}`: another process has this vault open; stop it first", path.display())]
    VaultInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The lock holds something.
    #[error("`{}` is a lock and holds nothing, and this one does: somebody wrote to it. Find out who; empty it, and open the vault again", path.display())]
    LockWritten {
        /// The file.
        path: PathBuf,
    },
    /// The vault's format is not this version's.
    #[error("`{}`: not a vault of format {expected}; use the version of Weir that wrote it", path.display())]
    VaultFormat {
        /// The file.
        path: PathBuf,
        /// The format this version reads.
        expected: u32,
    },
    /// The master key does not open the vault.
    #[error("`{}`: the master key is not the one this vault was sealed with; check which key file belongs to it", path.display())]
    MasterKeyWrong {
        /// The vault's folder.
        path: PathBuf,
    },
    /// The master key file is there already.
    #[error("`{}`: the file exists already; a master key is never overwritten", path.display())]
    MasterKeyExists {
        /// The key file.
        path: PathBuf,
    },
    /// The master key file is not there or is not a key file.
    #[error("`{}`: {problem}", path.display())]
    MasterKeyFile {
        /// The key file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// A wrapped key does not open.
    #[error("`{name}`: the wrapped key is damaged or belongs elsewhere; restore it from a backup")]
    KeyDamaged {
        /// The key's name.
        name: String,
    },
    /// A file of a snapshot is not what was sealed.
    #[error("snapshot `{id}`, file `{file}`: {problem}; restore the file from a backup")]
    SnapshotDamaged {
        /// The snapshot.
        id: String,
        /// The file.
        file: String,
        /// How it differs.
        problem: &'static str,
    },
    /// The snapshot's key is gone.
    #[error(
        "snapshot `{id}`: its key is not in the vault; the snapshot was destroyed or the key was lost"
    )]
    SnapshotKeyMissing {
        /// The snapshot.
        id: String,
    },
    /// The snapshot was destroyed.
    #[error(
        "snapshot `{id}` was destroyed on {at}; nobody can read it any more. Use another snapshot, or register the data again"
    )]
    SnapshotDestroyed {
        /// The snapshot.
        id: String,
        /// When: RFC 3339.
        at: String,
    },
    /// A certificate of destruction is not what was written.
    #[error("`{}`: not a certificate of destruction, or damaged; restore it from a backup", path.display())]
    CertificateDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The object store failed, refused, or does not answer.
    #[error("cannot {action} in the store `{place}`: {problem}")]
    StoreFailed {
        /// The store and the prefix.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The store is not this vault's.
    #[error("the store `{place}` is not this vault's: {problem}")]
    StoreForeign {
        /// The store and the prefix.
        place: String,
        /// How it shows, and what to do.
        problem: &'static str,
    },
    /// The token that keeps the master key failed or refused.
    #[error("the token `{token}`: {problem}")]
    Token {
        /// The token's label.
        token: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The population's map is not what was sealed.
    #[error("population `{population}`: {problem}; restore the map and its key from a backup")]
    PopulationDamaged {
        /// The population.
        population: String,
        /// How it differs.
        problem: &'static str,
    },
    /// A file operation failed.
    #[error("cannot {action} `{}`: {}", path.display(), source.kind())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system's random number generator failed; nothing was written")]
    Random,

    /// A defect in Weir.
    #[error("internal error while {action}; please report it")]
    Internal {
        /// What was being done.
        action: &'static str,
    },
}

impl VaultError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SourceMissing { .. } => "SOURCE_MISSING",
            Self::SourceFormat { .. } => "SOURCE_FORMAT",
            Self::SourceNoParts { .. } => "SOURCE_NO_PARTS",
            Self::SourceTooManyParts { .. } => "SOURCE_TOO_MANY_PARTS",
            Self::SourceTooLarge { .. } => "SOURCE_TOO_LARGE",
            Self::SourceEmpty { .. } => "SOURCE_EMPTY",
            Self::SourceNoRows { .. } => "SOURCE_NO_ROWS",
            Self::SourceNoUnits { .. } => "SOURCE_NO_UNITS",
            Self::SourceTooManyRows { .. } => "SOURCE_TOO_MANY_ROWS",
            Self::HeaderMissing { .. } => "SOURCE_HEADER_MISSING",
            Self::ColumnsMissing { .. } => "SOURCE_COLUMNS_MISSING",
            Self::ColumnsUnknown { .. } => "SOURCE_COLUMNS_UNKNOWN",
            Self::ColumnDuplicate { .. } => "SOURCE_COLUMN_DUPLICATE",
            Self::ColumnType { .. } => "SOURCE_COLUMN_TYPE",
            Self::NotUtf8 { .. } => "SOURCE_NOT_UTF8",
            Self::RaggedRow { .. } => "CSV_RAGGED_ROW",
            Self::UnclosedQuote { .. } => "CSV_UNCLOSED_QUOTE",
            Self::RowTooLong { .. } => "CSV_ROW_TOO_LONG",
            Self::FieldTooLong { .. } => "SOURCE_FIELD_TOO_LONG",
            Self::ValueType { .. } => "SOURCE_VALUE_TYPE",
            Self::ParquetDamaged { .. } => "PARQUET_DAMAGED",
            Self::ParquetUnsupported { .. } => "PARQUET_UNSUPPORTED",
            Self::ArrowDamaged { .. } => "ARROW_DAMAGED",
            Self::ArrowUnsupported { .. } => "ARROW_UNSUPPORTED",
            Self::Cancelled { .. } => "REGISTRATION_CANCELLED",
            Self::PopulationBusy { .. } => "POPULATION_BUSY",
            Self::PopulationFull { .. } => "POPULATION_FULL",
            Self::SnapshotUnknown { .. } => "SNAPSHOT_UNKNOWN",
            Self::VaultExists { .. } => "VAULT_EXISTS",
            Self::VaultMissing { .. } => "VAULT_MISSING",
            Self::VaultInUse { .. } => "VAULT_IN_USE",
            Self::LockWritten { .. } => "VAULT_LOCK_WRITTEN",
            Self::VaultFormat { .. } => "VAULT_FORMAT",
            Self::MasterKeyWrong { .. } => "MASTER_KEY_WRONG",
            Self::MasterKeyExists { .. } => "MASTER_KEY_EXISTS",
            Self::MasterKeyFile { .. } => "MASTER_KEY_FILE",
            Self::KeyDamaged { .. } => "KEY_DAMAGED",
            Self::SnapshotDamaged { .. } => "SNAPSHOT_DAMAGED",
            Self::SnapshotKeyMissing { .. } => "SNAPSHOT_KEY_MISSING",
            Self::SnapshotDestroyed { .. } => "SNAPSHOT_DESTROYED",
            Self::CertificateDamaged { .. } => "CERTIFICATE_DAMAGED",
            Self::StoreFailed { .. } => "STORE_FAILED",
            Self::StoreForeign { .. } => "STORE_FOREIGN",
            Self::Token { .. } => "TOKEN_FAILED",
            Self::PopulationDamaged { .. } => "POPULATION_DAMAGED",
            Self::Io { .. } => "VAULT_IO",
            Self::Random => "RANDOM_UNAVAILABLE",
            Self::Internal { .. } => "VAULT_INTERNAL",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        match self {
            Self::VaultExists { .. }
            | Self::VaultMissing { .. }
            | Self::VaultInUse { .. }
            | Self::LockWritten { .. }
            | Self::VaultFormat { .. }
            | Self::MasterKeyWrong { .. }
            | Self::MasterKeyExists { .. }
            | Self::MasterKeyFile { .. }
            | Self::KeyDamaged { .. }
            | Self::SnapshotDamaged { .. }
            | Self::SnapshotKeyMissing { .. }
            | Self::CertificateDamaged { .. }
            | Self::StoreFailed { .. }
            | Self::StoreForeign { .. }
            | Self::Token { .. }
            | Self::PopulationDamaged { .. }
            | Self::Io { .. }
            | Self::Random => Family::Environment,
            Self::Internal { .. } => Family::Bug,
            _ => Family::Caller,
        }
    }

    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
