//! What a cell must have behind it.

use super::{
    COMPLEMENT_UNITS_MIN_CEILING, COMPLEMENT_UNITS_MIN_FLOOR, ROWS_MIN_FLOOR,
    SENSITIVE_VALUES_MIN_CEILING, SENSITIVE_VALUES_MIN_FLOOR, Spec, THRESHOLD_CEILING,
    UNITS_MIN_FLOOR,
};
use crate::form::Form;

pub(crate) const UNITS_MIN: Spec = Spec {
    table: "cell",
    name: "units_min",
    form: Form::Whole,
    floor: UNITS_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    meaning: "fewest distinct units behind a cell",
    source: "ACRO `safe_threshold` 10; UK trusted research environments 10; floor: DataSHIELD `nfilter.tab` 3",
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
    meaning: "fewest rows behind a cell",
    source: "set equal to the unit threshold",
    larger_is_stricter: true,
    floor_reason: "a cell of 1–2 rows shows a record",
    ceiling_reason: "a larger threshold releases nothing",
};

pub(crate) const COMPLEMENT_UNITS_MIN: Spec = Spec {
    table: "cell",
    name: "complement_units_min",
    form: Form::Whole,
    floor: COMPLEMENT_UNITS_MIN_FLOOR,
    ceiling: COMPLEMENT_UNITS_MIN_CEILING,
    default: 10,
    meaning: "fewest distinct units of a margin outside a cell, where there are any",
    source: "the tracker attack (Denning, Denning, Schwartz 1979); set equal to the unit threshold",
    larger_is_stricter: true,
    floor_reason: "a margin less a cell shows the 1–2 units that are left",
    ceiling_reason: "so many units of each cell are kept by name, which costs memory for every group",
};

pub(crate) const CLASS_DISCLOSURE: Spec = Spec {
    table: "cell",
    name: "class_disclosure",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 1,
    meaning: "withhold a cell that holds all units of a margin",
    source: "ACRO `zeros_are_disclosive`: empty and full cells are unsafe unless they are structural",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};

pub(crate) const SENSITIVE_VALUES_MIN: Spec = Spec {
    table: "cell",
    name: "sensitive_values_min",
    form: Form::Whole,
    floor: SENSITIVE_VALUES_MIN_FLOOR,
    ceiling: SENSITIVE_VALUES_MIN_CEILING,
    default: 2,
    meaning: "fewest distinct values of a sensitive column in a cell",
    source: "distinct l-diversity (Machanavajjhala et al. 2007), as in ARX and sdcMicro",
    larger_is_stricter: true,
    floor_reason: "a cell has at least one value; 1 asks for nothing",
    ceiling_reason: "the gate is told of this many values and no more",
};
