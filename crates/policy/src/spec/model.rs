//! What a fitted model and a quantile need behind them.

use super::{
    PARAMETERS_SHARE_MAX_CEILING_PARTS, PARAMETERS_SHARE_MAX_FLOOR_PARTS, QUANTILE_UNITS_MIN_FLOOR,
    RESIDUAL_DOF_MIN_FLOOR, Spec, THRESHOLD_CEILING,
};
use crate::form::Form;

pub(crate) const RESIDUAL_DOF_MIN: Spec = Spec {
    table: "fit",
    name: "residual_dof_min",
    form: Form::Whole,
    floor: RESIDUAL_DOF_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    meaning: "fewest residual degrees of freedom of a fitted model: its units less its parameters",
    source: "ACRO `safe_dof_threshold` 10",
    larger_is_stricter: true,
    floor_reason: "a model with 1–2 residual degrees of freedom nearly repeats the values it was fitted to",
    ceiling_reason: "a larger threshold releases nothing",
};

pub(crate) const PARAMETERS_SHARE_MAX: Spec = Spec {
    table: "fit",
    name: "parameters_share_max",
    form: Form::Fraction,
    floor: PARAMETERS_SHARE_MAX_FLOOR_PARTS,
    ceiling: PARAMETERS_SHARE_MAX_CEILING_PARTS,
    default: 3_300,
    meaning: "most parameters of a fitted model for each of its units",
    source: "DataSHIELD `nfilter.glm` 0.33",
    larger_is_stricter: false,
    floor_reason: "a smaller share releases no model",
    ceiling_reason: "above it a model has a parameter for every two units and describes them one by one",
};

pub(crate) const QUANTILE_UNITS_MIN: Spec = Spec {
    table: "quantile",
    name: "units_min",
    form: Form::Whole,
    floor: QUANTILE_UNITS_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    meaning: "a quantile needs more units than this, for each quantile asked of the same values",
    source: "DataSHIELD: units ÷ number of quantiles > 10",
    larger_is_stricter: true,
    floor_reason: "a quantile of fewer units is nearly one unit's value",
    ceiling_reason: "a larger threshold releases nothing",
};
