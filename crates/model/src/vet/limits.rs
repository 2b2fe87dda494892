//! Bounds on vetting, and the figures from which on a reviewer is asked to look.

/// Bounds on the work of vetting one model, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VetLimits {
    /// Synthetic rows, at most: a slow model is tested on fewer.
    pub rows_max: usize,
    /// Synthetic rows, at least, however slow the model is.
    pub rows_min: usize,
    /// Fuel that all evaluations together may take, which decides the number of rows. Fuel and not time, so that the same
    /// model is tested alike on every machine.
    pub fuel: u64,
    /// Seconds after which no further test is begun. Tests that were not made are a finding.
    pub seconds: u64,
    /// Operators visited by the analysis of what inputs are compared with.
    pub flow_operators_max: u64,
    /// Distinct constants kept for one input; more are counted as this many.
    pub flow_constants_max: usize,
    /// Bytes of constant data shown as text, in pieces.
    pub excerpt_pieces_max: usize,
    /// Length of the text form (WAT) in bytes; it is cut there.
    pub wat_bytes_max: usize,
}

impl Default for VetLimits {
    fn default() -> Self {
        Self {
            rows_max: 256,
            rows_min: 16,
            fuel: 2_000_000_000,
            seconds: 30,
            flow_operators_max: 20_000_000,
            flow_constants_max: 100_000,
            excerpt_pieces_max: 8,
            wat_bytes_max: 16 << 20,
        }
    }
}

/// Figures above which a finding says "look". They are set so that the example models and ordinary scoring models stay
/// below; a list of a few dozen targets does not.
pub(crate) mod look {
    /// Constants that one input is compared with for equality. A closed class of an input has some dozens of values.
    pub(crate) const EQUALITIES: usize = 24;
    /// Large constants (from [`LARGE`] on) that one input is compared with in any way: identifiers are large.
    pub(crate) const LARGE_COMPARISONS: usize = 16;
    /// What counts as large for a whole number.
    pub(crate) const LARGE: u64 = 1 << 20;
    /// Ways out of one branch table. A `match` over a closed class has some dozens.
    pub(crate) const BRANCHES: usize = 64;
    /// Bytes of constant data.
    pub(crate) const DATA_BYTES: u64 = 64 << 10;
    /// Bytes of constant data that an input may choose from.
    pub(crate) const LOOKUP_BYTES: u64 = 1 << 10;
    /// Bits per byte in a window of data from which on it looks random: text has 4 to 5, random bytes 7.2.
    pub(crate) const ENTROPY_BITS: f64 = 6.5;
    /// Bytes in such windows.
    pub(crate) const ENTROPY_BYTES: u64 = 512;
    /// Distinct whole constants of more than 32 bits in code. Hashing and formatting use some dozens.
    pub(crate) const WIDE_CONSTANTS: usize = 128;
}
