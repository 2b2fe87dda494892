//! Who has how much of a cell: dominance and the p-ratio.
//!
//! Notation: T is the sum of the contributions of all units to a sum or mean, x₁ ≥ x₂ ≥ x₃ are the largest of them. A
//! unit's contribution is the absolute value of its own sum, so T ≥ 0. The formulas are computed as written, in this
//! order of operations, on 64-bit floats: published tools do the same, and agree at the edges.

use crate::evidence::{Contribution, TOP_UNITS};

/// The (n,k) rule for each n that has one: (x₁ + … + xₙ) / T ≥ k. Equal to k is dominated. Without a total nobody has
/// a share of it.
///
/// Source: ACRO `safe_nk_n`, `safe_nk_k` (whose versions differ at equality); Hundepool et al., *Statistical
/// Disclosure Control* (2012), chapter 4.
pub(super) fn dominated(of: &Contribution, share_max: &[Option<f64>; TOP_UNITS]) -> bool {
    let mut largest = 0.0;
    of.total > 0.0
        && of.top.iter().zip(share_max).any(|(contribution, k)| {
            largest += contribution;
            k.is_some_and(|k| largest / of.total >= k)
        })
}

/// The p-ratio rule, elsewhere the p % rule: (T − x₁ − x₂) / x₁ < p. The second largest unit knows T and x₂; by taking
/// T − x₂ for x₁ it is off by this much. Equal to p is far enough off.
///
/// Where T is zero or there is one row, there is no such ratio: then the cell breaks the rule if zeros are disclosive.
///
/// Source: ACRO `safe_pratio_p`, `zeros_are_disclosive`; GaussSuppression `pPercent`.
pub(super) fn deducible(of: &Contribution, ratio_min: f64, zeros_are_disclosive: bool) -> bool {
    if of.total <= 0.0 || of.rows <= 1 {
        return zeros_are_disclosive;
    }
    let [first, second, ..] = of.top;
    (of.total - first - second) / first < ratio_min
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(total: f64, top: [f64; TOP_UNITS]) -> Contribution {
        Contribution {
            units: 20,
            rows: 20,
            total,
            top,
            negative: false,
        }
    }

    #[test]
    fn a_share_equal_to_k_dominates() {
        let rule = |n: usize, k| {
            let mut rules = [None; TOP_UNITS];
            rules[n - 1] = Some(k);
            rules
        };
        let cell = of(100.0, [50.0, 40.0, 4.0]);
        for (n, share) in [(1, 0.50), (2, 0.90), (3, 0.94)] {
            assert!(dominated(&cell, &rule(n, share)));
            assert!(dominated(&cell, &rule(n, share - 0.01)));
            assert!(!dominated(&cell, &rule(n, share + 0.0001)));
        }
        assert!(!dominated(&cell, &[None; TOP_UNITS]));
        assert!(!dominated(&of(0.0, [0.0; 3]), &rule(2, 0.01)));
    }

    #[test]
    fn a_ratio_equal_to_p_suffices() {
        assert!(!deducible(&of(160.0, [100.0, 50.0, 1.0]), 0.10, true));
        assert!(deducible(&of(159.9, [100.0, 50.0, 1.0]), 0.10, true));
        // One unit, and many rows of it: nothing is left for anyone else to hide behind.
        assert!(deducible(&of(7.0, [7.0, 0.0, 0.0]), 0.05, false));
    }

    #[test]
    fn without_a_ratio_it_depends_on_whether_zeros_are_disclosive() {
        let single = Contribution {
            units: 1,
            rows: 1,
            ..of(4.0, [4.0, 0.0, 0.0])
        };
        for zeros in [true, false] {
            assert_eq!(deducible(&of(0.0, [0.0; 3]), 0.10, zeros), zeros);
            assert_eq!(deducible(&single, 0.10, zeros), zeros);
        }
    }
}
