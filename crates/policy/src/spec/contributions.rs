//! How unevenly the units of a cell may contribute to its sums.

use super::{
    OFF, RATIO_MIN_CEILING_PARTS, RATIO_MIN_FLOOR_PARTS, SHARE_MAX_CEILING_PARTS,
    SHARE_MAX_FLOOR_PARTS, Spec,
};
use crate::form::Form;

pub(crate) const TOP1_SHARE_MAX: Spec = Spec {
    name: "top1_share_max",
    default: OFF,
    ceiling_reason: "above it a cell is the value of its largest unit to within a twentieth",
    meaning: "share of a cell's total from which on its largest unit dominates it",
    source: "(n,k) rule with n = 1; not set by default",
    ..TOP2_SHARE_MAX
};

pub(crate) const TOP2_SHARE_MAX: Spec = Spec {
    table: "dominance",
    name: "top2_share_max",
    form: Form::Fraction,
    floor: SHARE_MAX_FLOOR_PARTS,
    ceiling: SHARE_MAX_CEILING_PARTS,
    default: 9_000,
    meaning: "share of a cell's total from which on its two largest units dominate it",
    source: "ACRO `safe_nk_n` 2 and `safe_nk_k` 0.90; the ESSNet handbook's example is (2, 0.85)",
    larger_is_stricter: false,
    floor_reason: "a smaller share releases nothing; to release nothing, suspend the grant",
    ceiling_reason: "above it the second largest unit knows the largest one's value to within about a tenth",
};

pub(crate) const TOP3_SHARE_MAX: Spec = Spec {
    name: "top3_share_max",
    default: OFF,
    ceiling_reason: "above it two of the three largest units together know the third one's value closely",
    meaning: "share of a cell's total from which on its three largest units dominate it",
    source: "(n,k) rule with n = 3; not set by default",
    ..TOP2_SHARE_MAX
};

pub(crate) const RATIO_MIN: Spec = Spec {
    table: "p_ratio",
    name: "ratio_min",
    form: Form::Fraction,
    floor: RATIO_MIN_FLOOR_PARTS,
    ceiling: RATIO_MIN_CEILING_PARTS,
    default: 1_000,
    meaning: "least that (total − largest − second largest) / largest must be",
    source: "ACRO `safe_pratio_p` 0.10, the p % rule at 10 %",
    larger_is_stricter: true,
    floor_reason: "below it the second largest unit knows the largest one's value to within a twentieth",
    ceiling_reason: "a larger ratio releases next to nothing",
};

pub(crate) const ZEROS_ARE_DISCLOSIVE: Spec = Spec {
    table: "p_ratio",
    name: "zeros_are_disclosive",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 1,
    meaning: "withhold a cell for which there is no p-ratio",
    source: "ACRO `zeros_are_disclosive` true",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};

pub(crate) const NEGATIVE_CONTRIBUTIONS: Spec = Spec {
    table: "review",
    name: "negative_contributions",
    form: Form::Switch,
    floor: 0,
    ceiling: 1,
    default: 1,
    meaning: "people look at a table in which a unit contributes less than zero",
    source: "ACRO: any negative value goes to review",
    larger_is_stricter: true,
    floor_reason: "a switch is on or off",
    ceiling_reason: "a switch is on or off",
};
