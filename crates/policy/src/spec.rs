//! What is known of each key at compile time: its floor, ceiling, default and the reasons for them.

use crate::form::{Form, PARTS};

/// Fewest units a policy may ask for per cell. Source: DataSHIELD `nfilter.tab` (3).
pub const UNITS_MIN_FLOOR: u64 = 3;
/// Fewest rows a policy may ask for per cell. Set equal to [`UNITS_MIN_FLOOR`], because each unit has a row.
pub const ROWS_MIN_FLOOR: u64 = 3;
/// Largest threshold a policy may name, in units or rows. More than that releases nothing and is a typing error.
pub const THRESHOLD_CEILING: u64 = 1_000_000_000;
/// The most units whose joint share a policy may bound: the gate is told of this many contributions and no more.
/// Three is what the (n,k) rules in use ask for (ACRO `safe_nk_n` 2; statistical offices publish n = 1 to 3).
pub const TOP_UNITS_MAX: usize = 3;
/// Smallest share a dominance rule may name, in parts per 10,000: 0.01.
pub const SHARE_MAX_FLOOR_PARTS: u64 = 100;
/// Largest share a dominance rule may name, in parts per 10,000: 0.95. At 0.95 the second largest unit still knows the
/// largest one's contribution to within 0.05 / 0.475, about a tenth.
pub const SHARE_MAX_CEILING_PARTS: u64 = 9_500;
/// Smallest ratio the p-ratio rule may ask for, in parts per 10,000: 0.05.
pub const RATIO_MIN_FLOOR_PARTS: u64 = 500;
/// Largest ratio the p-ratio rule may ask for, in parts per 10,000: 1.00, the p % rule at 100 %.
pub const RATIO_MIN_CEILING_PARTS: u64 = PARTS;
/// Fewest cells a policy may allow per table: a grand total.
pub const CELLS_MAX_FLOOR: u64 = 1;
/// Most cells a policy may allow per table: ten times the default of OpenSAFELY's job-runner (5,000).
pub const CELLS_MAX_CEILING: u64 = 50_000;
/// Fewest bytes a policy may allow per table: room for a schema and one cell.
pub const BYTES_MAX_FLOOR: u64 = 4_096;
/// Most bytes a policy may allow per table: four times the default of OpenSAFELY's job-runner (16 MiB).
pub const BYTES_MAX_CEILING: u64 = 64 * 1024 * 1024;

/// The value of a limit that is not set. Only where the smaller of two values is the stricter: there it is the laxest
/// of all, so that folding needs no case for it.
pub(crate) const OFF: u64 = u64::MAX;

/// What is known of a key at compile time. Values are in the unit of [`Form`].
pub(crate) struct Spec {
    /// Table and key as written in the file, such as `cell` and `units_min`.
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
    /// How the value is written.
    pub(crate) form: Form,
    pub(crate) floor: u64,
    pub(crate) ceiling: u64,
    /// What holds when the key is left out; [`OFF`] where then nothing does.
    pub(crate) default: u64,
    /// Whether the larger of two values is the stricter one.
    pub(crate) larger_is_stricter: bool,
    /// Why nothing below the floor is accepted; completes "the floor is N: …".
    pub(crate) floor_reason: &'static str,
    /// Why nothing above the ceiling is accepted; completes "the ceiling is N: …".
    pub(crate) ceiling_reason: &'static str,
}

pub(crate) const UNITS_MIN: Spec = Spec {
    table: "cell",
    name: "units_min",
    form: Form::Whole,
    floor: UNITS_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    larger_is_stricter: true,
    floor_reason: "a cell of 1–2 units shows one unit's value to the other",
    ceiling_reason: "a larger threshold releases nothing",
};

pub(crate) const ROWS_MIN: Spec = Spec {
    table: "cell",
    name: "rows_min",
    form: Form::Whole,
    floor: ROWS_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    larger_is_stricter: true,
    floor_reason: "a cell of 1–2 rows shows a record",
    ceiling_reason: "a larger threshold releases nothing",
};

pub(crate) const TOP1_SHARE_MAX: Spec = Spec {
    name: "top1_share_max",
    default: OFF,
    ceiling_reason: "above it a cell is the value of its largest unit to within a twentieth",
    ..TOP2_SHARE_MAX
};

pub(crate) const TOP2_SHARE_MAX: Spec = Spec {
    table: "dominance",
    name: "top2_share_max",
    form: Form::Fraction,
    floor: SHARE_MAX_FLOOR_PARTS,
    ceiling: SHARE_MAX_CEILING_PARTS,
    default: 9_000,
    larger_is_stricter: false,
    floor_reason: "a smaller share releases nothing; to release nothing, suspend the grant",
    ceiling_reason: "above it the second largest unit knows the largest one's value to within about a tenth",
};

pub(crate) const TOP3_SHARE_MAX: Spec = Spec {
    name: "top3_share_max",
    default: OFF,
    ceiling_reason: "above it two of the three largest units together know the third one's value closely",
    ..TOP2_SHARE_MAX
};

pub(crate) const RATIO_MIN: Spec = Spec {
    table: "p_ratio",
    name: "ratio_min",
    form: Form::Fraction,
    floor: RATIO_MIN_FLOOR_PARTS,
    ceiling: RATIO_MIN_CEILING_PARTS,
    default: 1_000,
    larger_is_stricter: true,
    floor_reason: "below it the second largest unit knows the largest one's value to within a twentieth",
    ceiling_reason: "a larger ratio releases next to nothing",
};

pub(crate) const ZEROS_ARE_DISCLOSIVE: Spec = Spec {
    table: "p_ratio",
    name: "zeros_are_disclosive",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 1,
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};

pub(crate) const CELLS_MAX: Spec = Spec {
    table: "table",
    name: "cells_max",
    form: Form::Whole,
    floor: CELLS_MAX_FLOOR,
    ceiling: CELLS_MAX_CEILING,
    default: 5_000,
    larger_is_stricter: false,
    floor_reason: "a table needs a cell; to release nothing, suspend the grant",
    ceiling_reason: "a table nearly as fine as the data is the data",
};

pub(crate) const BYTES_MAX: Spec = Spec {
    table: "table",
    name: "bytes_max",
    form: Form::Whole,
    floor: BYTES_MAX_FLOOR,
    ceiling: BYTES_MAX_CEILING,
    default: 16 * 1024 * 1024,
    larger_is_stricter: false,
    floor_reason: "a table needs room for its schema; to release nothing, suspend the grant",
    ceiling_reason: "a release is a table of aggregates, not an export",
};
