//! How coarse released numbers are.

use super::{COUNT_BASES, SIGNIFICANT_DIGITS_CEILING, SIGNIFICANT_DIGITS_FLOOR, Spec};
use crate::form::Form;

pub(crate) const COUNT_BASE: Spec = Spec {
    table: "rounding",
    name: "count_base",
    form: Form::Base,
    floor: COUNT_BASES[0],
    ceiling: COUNT_BASES[COUNT_BASES.len() - 1],
    default: 5,
    meaning: "counts are rounded to the nearest multiple of this",
    source: "OpenSAFELY: redact up to 7, then round to 5",
    larger_is_stricter: true,
    floor_reason: "1 is no rounding",
    ceiling_reason: "a coarser base leaves no number to read",
};

pub(crate) const SIGNIFICANT_DIGITS: Spec = Spec {
    table: "rounding",
    name: "significant_digits",
    form: Form::Whole,
    floor: SIGNIFICANT_DIGITS_FLOOR,
    ceiling: SIGNIFICANT_DIGITS_CEILING,
    default: 4,
    meaning: "sums, means and other real numbers keep this many significant digits",
    source: "3–4 digits are what a reader of statistics uses; every further digit can carry one unit's value",
    larger_is_stricter: false,
    floor_reason: "a number needs a digit",
    ceiling_reason: "17 digits tell any two numbers apart, so that nothing is rounded",
};

pub(crate) const LEAVE_ONE_OUT: Spec = Spec {
    table: "rounding",
    name: "leave_one_out",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 0,
    meaning: "sums and counts are rounded at least as coarsely as the largest single unit contributes",
    source: "no unit moves a number by more than a step; see the attack of the constant mask",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};

pub(crate) const KEYED: Spec = Spec {
    table: "rounding",
    name: "keyed",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 0,
    meaning: "sums and counts are rounded up or down by a coin that depends on the cell under a key",
    source: "a number that sits on a rounding boundary says nothing then; see the attack of the key bit",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};

pub(crate) const MODEL_LEAVE_ONE_OUT: Spec = Spec {
    table: "rounding",
    name: "model_leave_one_out",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 1,
    meaning: "`leave_one_out` for every table that a model computed something of",
    source: "a model can let every unit contribute a known constant, and one its secret",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};

pub(crate) const MODEL_KEYED: Spec = Spec {
    table: "rounding",
    name: "model_keyed",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 1,
    meaning: "`keyed` for every table that a model computed something of",
    source: "a model can pad a number so that one unit's secret decides how it is rounded",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};
