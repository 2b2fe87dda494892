//! What earlier releases ask of a new one.

use super::{HISTORY_UNITS_MIN_CEILING, HISTORY_UNITS_MIN_FLOOR, Spec};
use crate::form::Form;

pub(crate) const HISTORY_UNITS_MIN: Spec = Spec {
    table: "history",
    name: "units_min",
    form: Form::Whole,
    floor: HISTORY_UNITS_MIN_FLOOR,
    ceiling: HISTORY_UNITS_MIN_CEILING,
    default: 10,
    meaning: "fewest units by which a cell differs from everything released before, unless it is the same",
    source: "as `cell.units_min`: two cells subtract to their difference",
    larger_is_stricter: true,
    floor_reason: "below it two tables that each pass subtract to one or two units",
    ceiling_reason: "more units than that are not told apart",
};
