//! What one policy changes against another: the direction of every key, and its effect in words.

use proptest::prelude::*;
use weir_policy::{Direction, Policy};

use crate::laws::{no_laxer, policy};

fn moved(before: &str, after: &str) -> Vec<(Direction, String)> {
    let read = |text: &str| Policy::from_toml(&format!("name = \"x\"\n{text}"), "p.toml").unwrap();
    let comparison = read(after).compare(&read(before));
    comparison
        .moved()
        .map(|change| {
            (
                change.direction,
                format!("{}: {}", change.key, change.effect),
            )
        })
        .collect()
}

#[track_caller]
fn check(before: &str, after: &str, direction: Direction, effect: &str) {
    assert_eq!(
        moved(before, after),
        [(direction, effect.to_owned())],
        "{before} -> {after}"
    );
}

#[test]
fn effects_say_which_cells_change_sides() {
    use Direction::{Looser, Tighter};
    for (before, after, direction, effect) in [
        (
            "",
            "cell.units_min = 20",
            Tighter,
            "cell.units_min: cells of 10–19 units are withheld",
        ),
        (
            "",
            "cell.units_min = 9",
            Looser,
            "cell.units_min: cells of 9 units are released",
        ),
        (
            "",
            "cell.class_disclosure = false",
            Looser,
            "cell.class_disclosure: cells that hold all of a margin are released",
        ),
        (
            "",
            "dominance.top1_share_max = 0.6",
            Tighter,
            "dominance.top1_share_max: cells whose largest unit holds a share of 0.60 or more are withheld",
        ),
        (
            "",
            "dominance.top2_share_max = 0.95",
            Looser,
            "dominance.top2_share_max: cells whose two largest units hold a share from 0.90 up to 0.95 are released",
        ),
        (
            "dominance.top3_share_max = 0.9",
            "",
            Looser,
            "dominance.top3_share_max: cells whose three largest units hold a share of 0.90 or more are released",
        ),
        (
            "",
            "p_ratio.ratio_min = 0.2",
            Tighter,
            "p_ratio.ratio_min: cells with a p-ratio from 0.10 up to 0.20 are withheld",
        ),
        (
            "",
            "quantile.units_min = 20",
            Tighter,
            "quantile.units_min: quantiles of more than 10 and at most 20 units each are withheld",
        ),
        (
            "",
            "review.negative_contributions = false",
            Looser,
            "review.negative_contributions: tables with negative contributions leave without people looking at them",
        ),
        (
            "",
            "rounding.count_base = 1",
            Looser,
            "rounding.count_base: counts are exact",
        ),
        (
            "",
            "rounding.significant_digits = 3",
            Tighter,
            "rounding.significant_digits: numbers keep 3 significant digits instead of 4",
        ),
        (
            "",
            "table.cells_max = 4000",
            Tighter,
            "table.cells_max: tables of 4001–5000 cells are refused",
        ),
        (
            "",
            "table.levels_max = 41",
            Looser,
            "table.levels_max: tables with 41 values in a column without a declared domain are accepted",
        ),
    ] {
        check(before, after, direction, effect);
    }
}

#[test]
fn values_are_written_as_a_file_would_have_them() {
    let strict = Policy::from_toml("name = \"x\"\ndominance.top1_share_max = 0.5", "p").unwrap();
    let comparison = strict.compare(&Policy::built_in_default());
    let change = comparison.moved().next().unwrap();
    assert_eq!(
        (change.before.as_deref(), change.after.as_deref()),
        (None, Some("0.50"))
    );
    assert_eq!(comparison.keys().len(), strict.limits().len());
    assert_eq!((comparison.tightens(), comparison.loosens()), (true, false));
}

proptest! {
    #[test]
    fn directions_agree_with_the_order_of_policies(a in policy(), b in policy()) {
        let forth = a.compare(&b);
        prop_assert_eq!(forth.loosens(), !no_laxer(&a, &b));
        prop_assert_eq!(forth.tightens(), !no_laxer(&b, &a));
        prop_assert_eq!(forth.loosens(), !a.is_no_laxer_than(&b));
        let back = b.compare(&a);
        for (one, other) in forth.keys().iter().zip(back.keys()) {
            let opposite = match one.direction {
                Direction::Tighter => Direction::Looser,
                Direction::Looser => Direction::Tighter,
                Direction::Same => Direction::Same,
            };
            prop_assert_eq!(other.direction, opposite, "{}", &one.key);
            prop_assert_eq!(one.effect.is_empty(), one.direction == Direction::Same, "{}", &one.key);
        }
    }
}
