//! Every limit of the vault, by name.
//!
//! Source files are untrusted: each bound here is checked before the memory or the time it guards is spent.

/// Most files in a folder of parts.
pub const PARTS_MAX: usize = 10_000;
/// Largest source, in bytes (1 TiB): a file, or all files of a folder.
pub const SOURCE_BYTES_MAX: u64 = 1 << 40;
/// Most rows of one snapshot: a row's position is kept in 32 bits beside its unit while sorting.
pub const ROWS_MAX: u64 = u32::MAX as u64;
/// Largest row of a CSV file, in bytes.
pub const ROW_BYTES_MAX: u64 = 16 << 20;
/// Largest single value, in bytes.
pub const FIELD_BYTES_MAX: usize = 1 << 20;
/// Most units of one population: ids are `u32`.
pub const UNITS_MAX: u64 = u32::MAX as u64;

/// Memory for the rows of one registration while they are sorted, in bytes (768 MiB). What does not fit is spilled,
/// sealed. Reading, merging and sealing take some hundred MiB more, and each unit of a population about 24 bytes.
pub const SORT_BYTES: usize = 768 << 20;
/// Size a spilled chunk of rows aims at, in bytes: each run under merge has one in memory.
pub const SPILL_CHUNK_BYTES: usize = 1 << 20;
/// Most rows of a spilled chunk.
pub const SPILL_CHUNK_ROWS: usize = 8 * 1024;
/// Most runs merged at a time. With more, some are merged into one first.
pub const MERGE_RUNS_MAX: usize = 128;
/// Rows of a Parquet or Arrow file that are read, coded and handed to the sort at a time.
pub const BATCH_ROWS: usize = 32 * 1024;
/// Bytes of a CSV file that are parsed at a time.
pub const CSV_BLOCK_BYTES: usize = 2 << 20;
/// Largest batch of an Arrow file, in bytes, decompressed (512 MiB); also for all its dictionaries together.
pub const ARROW_MESSAGE_BYTES_MAX: usize = 512 << 20;
/// Largest header of an Arrow message, in bytes.
pub const ARROW_HEADER_BYTES_MAX: usize = 16 << 20;

/// Rows in a Parquet row group: large enough to decode fast, small enough to hold a few at a time.
pub const ROW_GROUP_ROWS: usize = 128 * 1024;
/// A row group ends early at this many bytes, so that long rows cannot multiply with [`ROW_GROUP_ROWS`].
pub const ROW_GROUP_BYTES: usize = 64 << 20;
/// Fewest rows a file aims at, however small the dataset.
pub const FILE_ROWS_MIN: u64 = 32 * 1024;
/// Most rows a file aims at, however large the dataset. A file ends at the first unit boundary after its target.
pub const FILE_ROWS_MAX: u64 = 1 << 20;
/// Files a dataset is cut into where the two bounds above allow: enough for a scan to run in parallel.
pub const FILES_TARGET: u64 = 16;
/// Largest sealed metadata or wrapped key that is read back, in bytes.
pub const META_BYTES_MAX: u64 = 64 << 20;
