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
