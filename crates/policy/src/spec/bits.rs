//! How much releases may say, in bits.

use super::{
    BITS_PER_UNIT_CEILING_PARTS, BITS_PER_UNIT_FLOOR_PARTS, BITS_RUN_MAX_CEILING,
    BITS_RUN_MAX_FLOOR, Spec,
};
use crate::form::Form;

pub(crate) const BITS_RUN_MAX: Spec = Spec {
    table: "bits",
    name: "run_max",
    form: Form::Whole,
    floor: BITS_RUN_MAX_FLOOR,
    ceiling: BITS_RUN_MAX_CEILING,
    default: 131_072,
    meaning: "most bits that one release can carry",
    source: "5,000 cells, the most of a table, of 26 bits each: a count and a mean of three digits",
    larger_is_stricter: false,
    floor_reason: "a release of fewer bits has no room for a number; to release nothing, suspend the grant",
    ceiling_reason: "more than the largest table has is no bound",
};

pub(crate) const BITS_PER_UNIT: Spec = Spec {
    table: "bits",
    name: "per_unit",
    form: Form::Fraction,
    floor: BITS_PER_UNIT_FLOOR_PARTS,
    ceiling: BITS_PER_UNIT_CEILING_PARTS,
    default: 16 * crate::form::PARTS,
    meaning: "most bits that all releases of a dataset carry together, for each of its units",
    source: "the census of 2010 published about 500 numbers for a person (Abowd 2018) and was reconstructed; a quarter of one              number of 64 bits is far from it",
    larger_is_stricter: false,
    floor_reason: "with fewer a dataset of a thousand units shows no number",
    ceiling_reason: "more than any unit's rows hold is no bound",
};

pub(crate) const BITS_CHOSEN_PER_UNIT: Spec = Spec {
    table: "bits",
    name: "chosen_per_unit",
    form: Form::Fraction,
    floor: BITS_PER_UNIT_FLOOR_PARTS,
    ceiling: BITS_PER_UNIT_CEILING_PARTS,
    default: crate::form::PARTS / 4,
    meaning: "of those, most bits of releases whose cells a literal in the query chooses",
    source: "Dinur and Nissim 2003: so few answers about n units are fewer than n / 24 equations",
    larger_is_stricter: false,
    floor_reason: "with fewer a dataset of a thousand units answers no condition",
    ceiling_reason: "more than any unit's rows hold is no bound",
};
