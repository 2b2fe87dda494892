//! What is likely to be withheld of a table, before there is one.

/// Most cells that are looked at one by one; larger tables are looked at in as many places.
const CELLS_LOOKED_AT_MAX: u64 = 10_000;

/// The share of a table's cells that are likely to have too few units, from 0 to 1: where units are spread over the cells
/// evenly, and where they are spread as sizes of towns are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ShareWithheld {
    /// Each cell is as likely as any other.
    pub even: f64,
    /// The nth largest cell has 1/n of the largest one's units (Zipf).
    pub skewed: f64,
}

/// Estimates the share of cells with fewer than `units_min` units, where `units` units fall into `cells` cells. Nothing of
/// the data is needed, and nothing of it is in the answer. A unit in several cells, or a rule on who makes up a sum, is not
/// reckoned with.
///
/// The number of units in a cell is taken to be Poisson-distributed around what is expected.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub fn share_withheld(cells: u64, units: u64, units_min: u64) -> ShareWithheld {
    if cells == 0 {
        return ShareWithheld {
            even: 0.0,
            skewed: 0.0,
        };
    }
    let (cells_f, units_f) = (cells as f64, units as f64);
    let looked_at = cells.min(CELLS_LOOKED_AT_MAX);
    // The sum of 1/n over all cells: Euler's approximation, exact enough from the first cell on.
    let harmonic = cells_f.ln() + 0.577_215_664_901_532_9 + 0.5 / cells_f;
    let skewed: f64 = (0..looked_at)
        .map(|at| {
            let rank = ((at as f64 + 0.5) * cells_f / looked_at as f64).max(1.0);
            fewer_than(units_min, units_f / (rank * harmonic))
        })
        .sum();
    ShareWithheld {
        even: fewer_than(units_min, units_f / cells_f),
        skewed: skewed / looked_at as f64,
    }
}

/// The probability that a Poisson-distributed number around `expected` is below `limit`.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn fewer_than(limit: u64, expected: f64) -> f64 {
    // Far from the limit the answer is known, and the sum below would be long or vanish.
    let limit_f = limit as f64;
    let spread = 8.0 * (expected.sqrt() + 1.0);
    if expected > limit_f + spread {
        return 0.0;
    }
    if expected + spread < limit_f {
        return 1.0;
    }
    let (mut logarithm, mut sum) = (-expected, 0.0);
    for count in 0..limit {
        if count > 0 {
            logarithm += expected.ln() - (count as f64).ln();
        }
        sum += logarithm.exp();
    }
    sum.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{fewer_than, share_withheld};

    #[test]
    fn probabilities_are_those_of_tables() {
        // P(X < 10) for a mean of 10 and of 5, from published tables of the Poisson distribution.
        assert!((fewer_than(10, 10.0) - 0.4579).abs() < 1e-4);
        assert!((fewer_than(10, 5.0) - 0.9682).abs() < 1e-4);
        assert_eq!(fewer_than(10, 0.0), 1.0);
        assert_eq!(fewer_than(10, 1e9), 0.0);
        assert_eq!(fewer_than(1_000_000, 10.0), 1.0);
    }

    #[test]
    fn more_cells_or_fewer_units_withhold_more() {
        let of = |cells, units| share_withheld(cells, units, 10);
        assert!(of(10, 10_000).even < 1e-6 && of(10, 10_000).skewed < 1e-6);
        assert!(of(1_000, 10_000).even > of(100, 10_000).even);
        assert!(of(1_000, 10_000).skewed > of(1_000, 100_000).skewed);
        assert!(of(1_000_000, 10_000).even > 0.99);
        assert_eq!(of(0, 10).even, 0.0);
        let all = of(5_000, 30_000);
        assert!((0.0..=1.0).contains(&all.even) && (0.0..=1.0).contains(&all.skewed));
    }
}
