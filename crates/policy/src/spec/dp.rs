//! Differential privacy, where a policy asks for it.

use super::{
    EPSILON_CEILING_PARTS, EPSILON_FLOOR_PARTS, OFF, POPULATION_EPSILON_CEILING_PARTS,
    ROWS_PER_UNIT_CEILING, Spec,
};
use crate::form::{Form, PARTS};

pub(crate) const DP_EPSILON: Spec = Spec {
    table: "dp",
    name: "epsilon",
    form: Form::Fraction,
    floor: EPSILON_FLOOR_PARTS,
    ceiling: EPSILON_CEILING_PARTS,
    default: OFF,
    meaning: "privacy loss of one release: its numbers have noise in place of rounding",
    source: "ε of pure differential privacy; 1 is usual, and above 10 it promises nothing (lomas caps)",
    larger_is_stricter: false,
    floor_reason: "with less, noise is all there is",
    ceiling_reason: "above it the promise is empty: odds may change by a factor of 22,000",
};

pub(crate) const DP_POPULATION_EPSILON: Spec = Spec {
    table: "dp",
    name: "population_epsilon",
    form: Form::Fraction,
    floor: EPSILON_FLOOR_PARTS,
    ceiling: POPULATION_EPSILON_CEILING_PARTS,
    default: 10 * PARTS,
    meaning: "privacy loss of all releases about a population, to whomever",
    source: "losses add up over everybody who asks: budgets of each alone are unsound (arXiv 2506.05290)",
    larger_is_stricter: false,
    floor_reason: "with less there is no release",
    ceiling_reason: "losses of a hundred bound nothing",
};

pub(crate) const DP_ROWS_PER_UNIT: Spec = Spec {
    table: "dp",
    name: "rows_per_unit",
    form: Form::Whole,
    floor: 1,
    ceiling: ROWS_PER_UNIT_CEILING,
    default: 1,
    meaning: "how many rows of a unit count, and so in how many cells it is at most, under `dp.epsilon`",
    source: "noise grows with what a unit can add; 1 where units have a row each",
    larger_is_stricter: false,
    floor_reason: "a unit needs a row to be in a table",
    ceiling_reason: "noise for so many rows leaves no number to read",
};
