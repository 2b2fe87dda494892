//! How large a released table may be.

use super::{
    BYTES_MAX_CEILING, BYTES_MAX_FLOOR, CELLS_MAX_CEILING, CELLS_MAX_FLOOR, LEVELS_MAX_CEILING,
    LEVELS_MAX_FLOOR, Spec,
};
use crate::form::Form;

pub(crate) const CELLS_MAX: Spec = Spec {
    table: "table",
    name: "cells_max",
    form: Form::Whole,
    floor: CELLS_MAX_FLOOR,
    ceiling: CELLS_MAX_CEILING,
    default: 5_000,
    meaning: "most cells of one released table",
    source: "OpenSAFELY's job runner, 5,000 rows",
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
    meaning: "most bytes of one released table, as an Arrow stream",
    source: "OpenSAFELY's job runner, 16 MiB",
    larger_is_stricter: false,
    floor_reason: "a table needs room for its schema; to release nothing, suspend the grant",
    ceiling_reason: "a release is a table of aggregates, not an export",
};

pub(crate) const LEVELS_MAX: Spec = Spec {
    table: "table",
    name: "levels_max",
    form: Form::Whole,
    floor: LEVELS_MAX_FLOOR,
    ceiling: LEVELS_MAX_CEILING,
    default: 40,
    meaning: "most values of a group column that has no declared domain",
    source: "DataSHIELD `nfilter.levels.max` 40",
    larger_is_stricter: false,
    floor_reason: "a group column has a value; to release nothing, suspend the grant",
    ceiling_reason: "a column with more values is an identifier, not a grouping",
};
