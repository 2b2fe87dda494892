//! Every limit of the ledger, by name.

/// Fewest units that may set two cells apart, whatever a policy says. Source: the policy's floor for a cell (DataSHIELD
/// `nfilter.tab`, 3).
pub const UNITS_MIN_FLOOR: u32 = 3;
/// Most units that a keyed coin adds to k, where sets decide and somebody chose them.
pub const MARGIN_MAX: u64 = 12;
/// Sets of fewer than so many times the units have a smaller margin.
pub(crate) const MARGIN_SHARE: u64 = 8;
/// Most cells of one question: a cell's number has 16 bits.
pub const CELLS_MAX: usize = 65_000;
/// Most statistics of one cell: the columns a released table can have.
pub const STATISTICS_MAX: usize = 256;
/// Most buckets of a print: with fewer than half as many, k units that differ are told from fewer.
pub const BUCKETS_MAX: usize = 1024;
/// Longest answer to one statistic, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024;
/// Most candidates and labels of units that one question looks at; what is left then goes to review. A few seconds.
pub const VISITS_MAX: u64 = 400_000_000;
/// Most exact sets that one question compares with; what is left then goes to review. Some seconds, where none of them
/// is in memory.
pub const COMPARISONS_MAX: u64 = 200_000;
/// Most independent sets of a population whose sums are looked at together; beyond, what a query chose goes to review.
/// With two forms of 10 KiB for each, what it is made of, and the first columns twice, they take 270 MiB at most; and as
/// much again where units have several rows.
pub(crate) const COMBINED_MAX: usize = 10_240;
/// Up to so many of them, with those that are asked about, fewer columns do.
pub(crate) const COMBINED_FEW_MAX: usize = 2_048;
/// How many known sets are added to these sums at a time.
pub(crate) const COMBINED_AT_ONCE: usize = 256;
/// Largest table that nobody chose whose cells are among those sets one by one, and not only their union.
pub(crate) const COMBINED_TABLE_MAX: usize = 8;
/// Largest such table whose cells' rows are among those of others, as long as these are few enough to leave room for what
/// somebody chooses.
pub(crate) const SUMMED_TABLE_MAX: usize = 64;
/// Rows of so many cells leave no room for larger tables than [`COMBINED_TABLE_MAX`].
pub(crate) const SUMMED_PLAIN_MAX: usize = COMBINED_MAX / 2;
/// Largest release in the ledger's file, in bytes (4 GiB): sets, sketches and answers.
pub const FRAME_BYTES_MAX: u64 = 4 << 30;
/// Up to this size of the ledger's file its sets are opened as it is, and not only when they are compared with: half a second.
pub(crate) const CHECKED_BYTES_MAX: u64 = 256 << 20;
/// Memory for exact sets that were read lately, in bytes.
pub(crate) const CACHE_BYTES: usize = 256 << 20;
