//! Every limit of the catalogue, by name.

/// Longest name of a dataset, population or column, in characters.
pub const NAME_CHARS_MAX: usize = 63;
/// Names that begin with this are Weir's own, such as the unit column.
pub const NAME_PREFIX_RESERVED: &str = "weir_";
/// Longest description, source or licence text in a manifest, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// Most columns of a dataset.
pub const COLUMNS_MAX: usize = 1024;
/// Most units of a dataset: columns that each name who a row is about.
pub const UNITS_MAX: usize = 8;
/// Most spellings of a missing value in a manifest.
pub const NULL_VALUES_MAX: usize = 64;
/// Most scenarios, keywords or categories of a dataset.
pub const TAGS_MAX: usize = 64;
/// Most rules of a dataset.
pub const RULES_MAX: usize = 64;
/// Most structural combinations of a dataset.
pub const STRUCTURAL_MAX: usize = 64;
/// Longest period of retention, in its own unit.
pub const RETENTION_MAX: u32 = 36_525;
/// Most values of a declared domain.
pub const DOMAIN_VALUES_MAX: usize = 10_000;

/// Most distinct values of a column that are counted exactly; fewer where a dataset has very many columns.
pub const DISTINCT_EXACT_MAX: usize = 1 << 16;
/// Most hashes kept for counting distinct values, over all columns (32 MiB).
pub const DISTINCT_KEPT_MAX: usize = 1 << 22;

/// Most columns of a linkage risk assessment.
pub const RISK_COLUMNS_MAX: usize = 24;
/// Most columns of a combination that is assessed.
pub const RISK_SIZE_MAX: usize = 3;
/// Most combinations of values an assessment holds at a time (about 450 MiB).
pub const RISK_ENTRIES_MAX: usize = 16 << 20;

/// Most rows of a synthetic sample.
pub const SAMPLE_ROWS_MAX: u64 = 100_000;
