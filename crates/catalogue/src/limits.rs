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
