//! Random policies and random texts against the laws of merging and reading.

use proptest::prelude::*;
use weir_policy::{
    BYTES_MAX_CEILING, BYTES_MAX_FLOOR, CELLS_MAX_CEILING, CELLS_MAX_FLOOR, Policy,
    RATIO_MIN_FLOOR_PARTS, ROWS_MIN_FLOOR, SHARE_MAX_CEILING_PARTS, UNITS_MIN_FLOOR,
};

use crate::text::{contribution_limits, named};

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
    fn policy()(
        name in "[a-c][a-z0-9-]{0,3}",
        units in UNITS_MIN_FLOOR..40,
        rows in ROWS_MIN_FLOOR..40,
        cells in CELLS_MAX_FLOOR..40,
        bytes in BYTES_MAX_FLOOR..BYTES_MAX_FLOOR + 40,
        shares in [share(), share(), share()],
        ratio in RATIO_MIN_FLOOR_PARTS..RATIO_MIN_FLOOR_PARTS + 10,
        zeros in any::<bool>(),
    ) -> Policy {
        let text = named(&name, [units, rows, cells, bytes]) + &contribution_limits(shares, ratio, zeros);
        Policy::from_toml(&text, "random").unwrap()
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
        // And it is the laxest policy that satisfies both: nothing is tightened beyond what a layer asked for.
        prop_assert!([a.units_min(), b.units_min()].contains(&both.units_min()));
        prop_assert!([a.cells_max(), b.cells_max()].contains(&both.cells_max()));
        prop_assert!([a.p_ratio_min(), b.p_ratio_min()].contains(&both.p_ratio_min()));
        for n in 0..3 {
            let either = [a.top_share_max()[n], b.top_share_max()[n]];
            prop_assert!(either.contains(&both.top_share_max()[n]));
        }
    }

    #[test]
    fn laxness_is_seen_in_every_key(a in policy(), b in policy()) {
        let no_laxer = a.units_min() >= b.units_min()
            && a.rows_min() >= b.rows_min()
            && a.cells_max() <= b.cells_max()
            && a.bytes_max() <= b.bytes_max()
            && shares_no_laxer(&a, &b)
            && a.p_ratio_min() >= b.p_ratio_min()
            && (a.zeros_are_disclosive() || !b.zeros_are_disclosive());
        prop_assert_eq!(a.is_no_laxer_than(&b), no_laxer);
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
            "name = \"x\"\n(dominance\\.top[1-3]_share_max|p_ratio\\.ratio_min) = (-?[0-9]\\.[0-9]{1,6}(e-?[0-9]{1,3})?|[+-]?(inf|nan))",
        ]
    ) {
        if let Ok(policy) = Policy::from_toml(&text, "random") {
            prop_assert!(policy.units_min() >= UNITS_MIN_FLOOR && policy.rows_min() >= ROWS_MIN_FLOOR);
            prop_assert!(policy.cells_max() <= CELLS_MAX_CEILING && policy.bytes_max() <= BYTES_MAX_CEILING);
            prop_assert!(policy.top_share_max().into_iter().flatten().all(|share| (0.01..=0.95).contains(&share)));
            prop_assert!(policy.top_share_max()[1].is_some(), "the rule for two units cannot be left out");
            prop_assert!((0.05..=1.0).contains(&policy.p_ratio_min()));
        }
    }
}
