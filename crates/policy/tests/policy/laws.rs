//! Random policies and random texts against the laws of merging and reading.

use proptest::prelude::*;
use weir_policy::{
    BYTES_MAX_CEILING, BYTES_MAX_FLOOR, CELLS_MAX_CEILING, CELLS_MAX_FLOOR,
    COMPLEMENT_UNITS_MIN_FLOOR, COUNT_BASES, LEVELS_MAX_FLOOR, PARAMETERS_SHARE_MAX_CEILING_PARTS,
    Policy, QUANTILE_UNITS_MIN_FLOOR, RATIO_MIN_FLOOR_PARTS, RESIDUAL_DOF_MIN_FLOOR,
    ROWS_MIN_FLOOR, SENSITIVE_VALUES_MIN_FLOOR, SHARE_MAX_CEILING_PARTS,
    SIGNIFICANT_DIGITS_CEILING, SIGNIFICANT_DIGITS_FLOOR, UNITS_MIN_FLOOR,
};

use crate::text::{contribution_limits, with};

fn share() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(SHARE_MAX_CEILING_PARTS - 10..=SHARE_MAX_CEILING_PARTS)
}

/// No rule of `b` is missing in `a`, and none has a larger share there.
fn shares_no_laxer(a: &Policy, b: &Policy) -> bool {
    a.top_share_max()
        .into_iter()
        .zip(b.top_share_max())
        .all(|pair| match pair {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a <= b,
        })
}

prop_compose! {
    /// The keys of the other tables, and further lines for `cell` and `table`: those first.
    fn rest()(
        complement in COMPLEMENT_UNITS_MIN_FLOOR..40,
        switches in any::<[bool; 2]>(),
        values in SENSITIVE_VALUES_MIN_FLOOR..5,
        dof in RESIDUAL_DOF_MIN_FLOOR..40,
        share in PARAMETERS_SHARE_MAX_CEILING_PARTS - 10..=PARAMETERS_SHARE_MAX_CEILING_PARTS,
        quantile in QUANTILE_UNITS_MIN_FLOOR..40,
        base in proptest::sample::select(COUNT_BASES.to_vec()),
        digits in SIGNIFICANT_DIGITS_FLOOR..=SIGNIFICANT_DIGITS_CEILING,
        levels in LEVELS_MAX_FLOOR..40,
    ) -> [String; 3] {
        [
            format!("complement_units_min = {complement}\nclass_disclosure = {}\nsensitive_values_min = {values}\n", switches[0]),
            format!("levels_max = {levels}\n"),
            format!(
                "[fit]\nresidual_dof_min = {dof}\nparameters_share_max = {}\n[quantile]\nunits_min = {quantile}\n\
                 [review]\nnegative_contributions = {}\n[rounding]\ncount_base = {base}\nsignificant_digits = {digits}\n",
                share as f64 / 1e4,
                switches[1],
            ),
        ]
    }
}

/// Whether `a` asks at least as much as `b` in every key, read from the limits as text: a second implementation.
pub(crate) fn no_laxer(a: &Policy, b: &Policy) -> bool {
    let number = |text: &Option<String>| match text.as_deref() {
        None => f64::INFINITY,
        Some("true") => 1.0,
        Some("false") => 0.0,
        Some(number) => number.parse().unwrap(),
    };
    a.limits().iter().zip(b.limits()).all(|(a, b)| {
        let (left, right) = (number(&a.value), number(&b.value));
        if a.larger_is_stricter {
            left >= right
        } else {
            left <= right
        }
    })
}

/// The policy that has the floor in every key.
fn laxest() -> Policy {
    let lines: String = Policy::built_in_default()
        .limits()
        .into_iter()
        .filter_map(|limit| Some(format!("{} = {}\n", limit.key, limit.floor?)))
        .collect();
    Policy::from_toml(&format!("name = \"laxest\"\n{lines}"), "laxest").unwrap()
}

prop_compose! {
    pub(crate) fn policy()(
        name in "[a-c][a-z0-9-]{0,3}",
        units in UNITS_MIN_FLOOR..40,
        rows in ROWS_MIN_FLOOR..40,
        cells in CELLS_MAX_FLOOR..40,
        bytes in BYTES_MAX_FLOOR..BYTES_MAX_FLOOR + 40,
        shares in [share(), share(), share()],
        ratio in RATIO_MIN_FLOOR_PARTS..RATIO_MIN_FLOOR_PARTS + 10,
        zeros in any::<bool>(),
        rest in rest(),
    ) -> Policy {
        let text = with(&name, [units, rows, cells, bytes], &rest[0], &rest[1])
            + &contribution_limits(shares, ratio, zeros)
            + &rest[2];
        Policy::from_toml(&text, "random").unwrap()
    }
}

prop_compose! {
    /// A layer that names any of a policy's keys.
    pub(crate) fn layer()(policy in policy(), named in proptest::collection::vec(any::<bool>(), 19)) -> Policy {
        let lines: String = policy
            .limits()
            .into_iter()
            .zip(named)
            .filter(|(_, named)| *named)
            .filter_map(|(limit, _)| Some(format!("{} = {}\n", limit.key, limit.value?)))
            .collect();
        Policy::layer_from_toml(&format!("name = \"{}\"\n{lines}", policy.name()), "layer").unwrap()
    }
}

proptest! {
    #[test]
    fn tightening_is_commutative_associative_and_idempotent(a in policy(), b in policy(), c in policy()) {
        prop_assert_eq!(a.tighten(&b), b.tighten(&a));
        prop_assert_eq!(a.tighten(&b).tighten(&c), a.tighten(&b.tighten(&c)));
        prop_assert_eq!(a.tighten(&a), a.clone());
        prop_assert_eq!(a.tighten(&b).digest(), b.tighten(&a).digest());
    }

    #[test]
    fn tightening_is_monotone_and_never_laxer_than_either_side(a in policy(), b in policy(), c in policy()) {
        let both = a.tighten(&b);
        prop_assert!(both.is_no_laxer_than(&a) && both.is_no_laxer_than(&b));
        prop_assert!(both.units_min() >= a.units_min() && both.rows_min() >= a.rows_min());
        prop_assert!(both.cells_max() <= a.cells_max() && both.bytes_max() <= a.bytes_max());
        prop_assert!(both.p_ratio_min() >= a.p_ratio_min());
        prop_assert!(both.zeros_are_disclosive() || !a.zeros_are_disclosive());
        prop_assert!(shares_no_laxer(&both, &a));
        // A stricter layer never makes the fold laxer.
        prop_assert!(both.tighten(&c).is_no_laxer_than(&a.tighten(&c)));
        prop_assert!(both.count_base() >= a.count_base() && both.significant_digits() <= a.significant_digits());
        prop_assert!(both.class_disclosure() || !a.class_disclosure());
        // And it is the laxest policy that satisfies both: nothing is tightened beyond what a layer asked for.
        for ((both, a), b) in both.limits().into_iter().zip(a.limits()).zip(b.limits()) {
            prop_assert!([a.value, b.value].contains(&both.value), "{}", both.key);
        }
    }

    #[test]
    fn laxness_is_seen_in_every_key(a in policy(), b in policy()) {
        prop_assert_eq!(a.is_no_laxer_than(&b), no_laxer(&a, &b));
    }

    #[test]
    fn the_canonical_form_reads_back_as_the_same_policy(a in policy(), b in policy()) {
        let both = a.tighten(&b);
        let read = Policy::from_toml(&both.canonical(), "canonical").unwrap();
        prop_assert_eq!(read.digest(), both.digest());
        prop_assert_eq!(read, both);
    }

    #[test]
    fn different_limits_have_different_digests(a in policy(), b in policy()) {
        prop_assert_eq!(a == b, a.digest() == b.digest());
    }

    #[test]
    fn no_text_panics_and_whatever_is_accepted_respects_the_floors(
        text in prop_oneof![
            any::<String>(),
            "(name = \"x\"\n)?(\\[?(cell|table|name)\\]?\n?\\.?(units_min|cells_max|x) ?= ?(-?[0-9]{1,20}|\".*\"|\\[)\n?){0,3}",
            "name = \"x\"\n(rounding\\.(count_base|significant_digits)|table\\.levels_max|fit\\.parameters_share_max|cell\\.class_disclosure) = (-?[0-9]{1,4}(\\.[0-9])?|true|false)",
            "name = \"x\"\n(dominance\\.top[1-3]_share_max|p_ratio\\.ratio_min) = (-?[0-9]\\.[0-9]{1,6}(e-?[0-9]{1,3})?|[+-]?(inf|nan))",
        ]
    ) {
        if let Ok(policy) = Policy::from_toml(&text, "random") {
            prop_assert!(policy.units_min() >= UNITS_MIN_FLOOR && policy.rows_min() >= ROWS_MIN_FLOOR);
            prop_assert!(policy.cells_max() <= CELLS_MAX_CEILING && policy.bytes_max() <= BYTES_MAX_CEILING);
            prop_assert!(policy.top_share_max().into_iter().flatten().all(|share| (0.01..=0.95).contains(&share)));
            prop_assert!(policy.top_share_max()[1].is_some(), "the rule for two units cannot be left out");
            prop_assert!((0.05..=1.0).contains(&policy.p_ratio_min()));
            prop_assert!(no_laxer(&policy, &laxest()));
        }
    }
}
