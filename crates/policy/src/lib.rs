//! Release policies: what they hold, how a file becomes one, how two become the stricter of both.
//!
//! A [`Policy`] is a handful of limits that the gate reads before a table may leave. The layers of a domain (its own
//! policy, its datasets', a grant's) are folded with [`Layers`]; nothing loosens. [`Checked`] says what a valid file says
//! that cannot have been meant, [`Comparison`] what one policy changes against another.
//!
//! What this crate does not do: it reads no file (the caller hands in text and the name to print in errors), applies
//! no policy (the gate does), and decides nothing about who may change one.
//!
//! Invariants
//! - Every `Policy` that exists respects the compiled-in floors and ceilings. There is no way to build one that does
//!   not: fields are private, and [`Policy::from_toml`] and [`Policy::layer_from_toml`] are the only doors for outside
//!   text.
//! - `tighten` is commutative, associative and idempotent, and its result withholds exactly what one of the two withholds.
//!   So no layer ever releases what was withheld without it.
//! - [`Policy::digest`] depends on the meaning of a policy, not on how its file was written.
//!
//! ```
//! use weir_policy::Policy;
//!
//! let dataset = Policy::from_toml("name = \"health\"\n[cell]\nunits_min = 20\n", "policies/health.toml")?;
//! let in_force = Policy::built_in_default().tighten(&dataset);
//! assert_eq!(in_force.units_min(), 20);
//! assert_eq!(in_force.name(), "default+health");
//! # Ok::<(), weir_policy::PolicyError>(())
//! ```

mod compare;
mod effect;
mod error;
mod finding;
mod form;
mod key;
mod layers;
mod limits;
mod parse;
mod policy;
mod spec;

pub use compare::{Comparison, Direction, KeyChange};
pub use error::{Family, Place, PolicyError};
pub use finding::{Checked, Finding, Weight};
pub use layers::{InForce, Layer, Layers};
pub use limits::Limit;
pub use parse::{NAME_CHARS_MAX, POLICY_BYTES_MAX};
pub use policy::{DEFAULT_TOML, Policy};
pub use spec::{
    BITS_PER_UNIT_CEILING_PARTS, BITS_PER_UNIT_FLOOR_PARTS, BITS_RUN_MAX_CEILING,
    BITS_RUN_MAX_FLOOR, BYTES_MAX_CEILING, BYTES_MAX_FLOOR, CELLS_MAX_CEILING, CELLS_MAX_FLOOR,
    COMPLEMENT_UNITS_MIN_CEILING, COMPLEMENT_UNITS_MIN_FLOOR, COUNT_BASES,
    HISTORY_UNITS_MIN_CEILING, HISTORY_UNITS_MIN_FLOOR, LEVELS_MAX_CEILING, LEVELS_MAX_FLOOR,
    PARAMETERS_SHARE_MAX_CEILING_PARTS, PARAMETERS_SHARE_MAX_FLOOR_PARTS, QUANTILE_UNITS_MIN_FLOOR,
    RATIO_MIN_CEILING_PARTS, RATIO_MIN_FLOOR_PARTS, RESIDUAL_DOF_MIN_FLOOR, ROWS_MIN_FLOOR,
    SENSITIVE_VALUES_MIN_CEILING, SENSITIVE_VALUES_MIN_FLOOR, SHARE_MAX_CEILING_PARTS,
    SHARE_MAX_FLOOR_PARTS, SIGNIFICANT_DIGITS_CEILING, SIGNIFICANT_DIGITS_FLOOR, THRESHOLD_CEILING,
    TOP_UNITS_MAX, UNITS_MIN_FLOOR,
};
