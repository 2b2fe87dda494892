//! What is known of each key at compile time: its floor, ceiling, default, meaning and the reasons for them.

mod bits;
mod cell;
mod contributions;
mod history;
mod model;
mod rounding;
mod table;

pub(crate) use bits::{BITS_CHOSEN_PER_UNIT, BITS_PER_UNIT, BITS_RUN_MAX};
pub(crate) use cell::{
    CLASS_DISCLOSURE, COMPLEMENT_UNITS_MIN, ROWS_MIN, SENSITIVE_VALUES_MIN, UNITS_MIN,
};
pub(crate) use contributions::{
    NEGATIVE_CONTRIBUTIONS, RATIO_MIN, TOP1_SHARE_MAX, TOP2_SHARE_MAX, TOP3_SHARE_MAX,
    ZEROS_ARE_DISCLOSIVE,
};
pub(crate) use history::HISTORY_UNITS_MIN;
pub(crate) use model::{PARAMETERS_SHARE_MAX, QUANTILE_UNITS_MIN, RESIDUAL_DOF_MIN};
pub(crate) use rounding::{
    COUNT_BASE, KEYED, LEAVE_ONE_OUT, MODEL_KEYED, MODEL_LEAVE_ONE_OUT, SIGNIFICANT_DIGITS,
};
pub(crate) use table::{BYTES_MAX, CELLS_MAX, LEVELS_MAX};

use crate::form::{Form, PARTS};

/// Fewest units a policy may ask for per cell. Source: DataSHIELD `nfilter.tab` (3).
pub const UNITS_MIN_FLOOR: u64 = 3;
/// Fewest rows a policy may ask for per cell. Set equal to [`UNITS_MIN_FLOOR`], because each unit has a row.
pub const ROWS_MIN_FLOOR: u64 = 3;
/// Fewest units that a policy may ask of what is left of a margin outside a cell. Source: the same reason as
/// [`UNITS_MIN_FLOOR`], because margin and cell together show what is left.
pub const COMPLEMENT_UNITS_MIN_FLOOR: u64 = 3;
/// Most units a policy may ask for outside a cell: this many units of each cell are kept by name while a run computes.
pub const COMPLEMENT_UNITS_MIN_CEILING: u64 = 1_000;
/// Fewest distinct values of a sensitive column a policy may ask for: 1 asks for nothing.
pub const SENSITIVE_VALUES_MIN_FLOOR: u64 = 1;
/// Most distinct values of a sensitive column a policy may ask for. The gate is told of this many and no more.
pub const SENSITIVE_VALUES_MIN_CEILING: u64 = 100;
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
/// Fewest residual degrees of freedom a policy may ask of a fitted model: with fewer the model repeats the data.
pub const RESIDUAL_DOF_MIN_FLOOR: u64 = 3;
/// Smallest share of parameters in units a policy may name, in parts per 10,000: 0.01.
pub const PARAMETERS_SHARE_MAX_FLOOR_PARTS: u64 = 100;
/// Largest share of parameters in units a policy may name, in parts per 10,000: 0.50, two units for each parameter.
pub const PARAMETERS_SHARE_MAX_CEILING_PARTS: u64 = 5_000;
/// Fewest units for each quantile a policy may name. Set equal to [`UNITS_MIN_FLOOR`]; more than this many are needed.
pub const QUANTILE_UNITS_MIN_FLOOR: u64 = 3;
/// Fewest units by which a cell may differ from an earlier one. Source: the same reason as [`UNITS_MIN_FLOOR`], because two
/// cells subtract to their difference.
pub const HISTORY_UNITS_MIN_FLOOR: u64 = 3;
/// Most units that a policy may ask two cells to differ by: prints of contributions tell no more apart.
pub const HISTORY_UNITS_MIN_CEILING: u64 = 256;
/// The multiples counts may be rounded to.
pub const COUNT_BASES: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
/// Fewest significant digits a policy may leave to sums and other real numbers.
pub const SIGNIFICANT_DIGITS_FLOOR: u64 = 1;
/// Most significant digits a policy may leave: as many as tell any two 64-bit floats apart, so that nothing is rounded.
pub const SIGNIFICANT_DIGITS_CEILING: u64 = 17;
/// Fewest values a policy may allow in a group column without a declared domain.
pub const LEVELS_MAX_FLOOR: u64 = 1;
/// Most values a policy may allow in a group column without a declared domain: as many as a table has cells at most.
pub const LEVELS_MAX_CEILING: u64 = CELLS_MAX_CEILING;
/// Fewest cells a policy may allow per table: a grand total.
pub const CELLS_MAX_FLOOR: u64 = 1;
/// Most cells a policy may allow per table: ten times the default of OpenSAFELY's job-runner (5,000).
pub const CELLS_MAX_CEILING: u64 = 50_000;
/// Fewest bytes a policy may allow per table: room for a schema and one cell.
pub const BYTES_MAX_FLOOR: u64 = 4_096;
/// Most bytes a policy may allow per table: four times the default of OpenSAFELY's job-runner (16 MiB).
pub const BYTES_MAX_CEILING: u64 = 64 * 1024 * 1024;

/// Fewest bits that a policy may allow one release to carry: a number.
pub const BITS_RUN_MAX_FLOOR: u64 = 64;
/// Most bits that a policy may allow one release to carry: those of [`BYTES_MAX_CEILING`].
pub const BITS_RUN_MAX_CEILING: u64 = 8 * BYTES_MAX_CEILING;
/// Fewest bits for each unit that a policy may allow the releases of a dataset to carry, in parts per 10,000: 0.01.
pub const BITS_PER_UNIT_FLOOR_PARTS: u64 = 100;
/// Most bits for each unit that a policy may allow, in parts per 10,000: a million bits, which nobody reaches.
pub const BITS_PER_UNIT_CEILING_PARTS: u64 = 1_000_000 * PARTS;

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
    /// What the key asks for, as a reader of a policy would say it.
    pub(crate) meaning: &'static str,
    /// Where the default comes from.
    pub(crate) source: &'static str,
    /// Whether the larger of two values is the stricter one.
    pub(crate) larger_is_stricter: bool,
    /// Why nothing below the floor is accepted; completes "the floor is N: …".
    pub(crate) floor_reason: &'static str,
    /// Why nothing above the ceiling is accepted; completes "the ceiling is N: …".
    pub(crate) ceiling_reason: &'static str,
}
